# Every job of the project. Needs git, make and Python >= 3.11; `make help` lists the targets.
# On Linux, `PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make ...` installs the small
# build of torch without CUDA.

ifeq ($(OS),Windows_NT)
# Windows has bash where Git is installed, but not as /bin/bash, and venv names its folder of
# programs otherwise. Files here are UTF-8, and Python before 3.15 expects another encoding there.
SHELL := bash.exe
SCRIPTS := Scripts
EXE := .exe
export PYTHONUTF8 := 1
else
SHELL := /bin/bash
SCRIPTS := bin
endif
.DEFAULT_GOAL := help

candidates := python3.14 python3.13 python3.12 python3.11 python3 python
is_recent := 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in $(candidates); do \
	$$p -c $(is_recent) >/dev/null 2>&1 && { echo $$p; break; }; done)

# Some of the oldest supported versions have wheels for this one only.
OLDEST_PYTHON ?= python3.11

# `make test TORCH=2.12.1` takes another torch than the pinned one, in an environment of its own.
TORCH ?=
VENV := $(if $(TORCH),.venv-torch-$(TORCH),.venv)
PINS := $(if $(TORCH),build/constraints-torch-$(TORCH).txt,constraints.txt)

BIN := $(VENV)/$(SCRIPTS)
OLDEST := .venv-oldest/$(SCRIPTS)
NIGHTLY := .venv-nightly/$(SCRIPTS)
PEERS := .venv-peers/$(SCRIPTS)
SOURCES := sklearn_ae tests examples docs $(wildcard benchmarks)

# Tests run in parallel, each process with one thread: small networks gain nothing from more.
PARALLEL ?= -n auto

# Data set and further options of `make compare`.
DATA ?= digits
ARGS ?=

export MPLBACKEND := Agg
# A folder with the layout of the cache may lie beside the checkout.
ifneq ($(wildcard ../shared/data),)
export SKLEARN_AE_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help install compare test lint examples coverage test-slow test-oldest test-nightly \
	test-gpu docs picture readme bench bench-table bench-peers format check-version build clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# make's $(call venv,FOLDER,PYTHON): create the environment once, again where it is broken. pip
# knows dependency groups since 25.1, and a fresh environment often has an older one.
define venv
	@command -v "$(2)" >/dev/null || \
		{ echo "Python >= 3.11 not found; set PYTHON or OLDEST_PYTHON" >&2; exit 1; }
	$(1)/$(SCRIPTS)/python -m pip --version >/dev/null 2>&1 || "$(2)" -m venv --clear $(1)
	$(1)/$(SCRIPTS)/python -m pip install --quiet 'pip>=25.1'
endef

build/constraints-torch-%.txt: constraints.txt
	mkdir -p build
	sed 's/^torch==.*/torch==$*/' constraints.txt >$@

$(VENV)/.installed: pyproject.toml $(PINS)
	$(call venv,$(VENV),$(PYTHON))
	$(BIN)/python -m pip install --quiet -c $(PINS) -e '.[compare,excel]' --group test
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c $(PINS) --group docs
	touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c $(PINS) --group bench
	touch $@

.venv-oldest/.installed: pyproject.toml constraints-oldest.txt
	$(call venv,.venv-oldest,$(OLDEST_PYTHON))
	$(OLDEST)/python -m pip install --quiet -c constraints-oldest.txt -e '.[compare,excel]' \
		--group test
	touch $@

# The newest releases, and over them what will be the next ones of the packages that the estimators
# stand on. numba waits for releases of numpy, and tests of UMAP are skipped where it is missing.
.venv-nightly/.installed: pyproject.toml
	$(call venv,.venv-nightly,$(PYTHON))
	$(NIGHTLY)/python -m pip install --quiet -e '.[compare,excel]' --group test
	$(NIGHTLY)/python -m pip uninstall --quiet --yes umap-learn pynndescent numba
	$(NIGHTLY)/python -m pip install --quiet --upgrade --pre --only-binary :all: \
		--extra-index-url https://pypi.anaconda.org/scientific-python-nightly-wheels/simple \
		numpy scipy scikit-learn pandas
	$(NIGHTLY)/python -m pip install --quiet --upgrade --pre \
		--index-url https://download.pytorch.org/whl/nightly/cpu torch
	touch $@

.venv-peers/.installed: benchmarks/requirements-peers.txt constraints.txt
	$(call venv,.venv-peers,$(PYTHON))
	$(PEERS)/python -m pip install --quiet "$$(grep ^torch== constraints.txt)" \
		-r benchmarks/requirements-peers.txt
	touch $@

install: $(VENV)/.installed ## create .venv with the tested versions

compare: $(VENV)/.installed ## compare reducers on DATA (default digits), write report.html
	$(BIN)/python -m sklearn_ae compare "$(DATA)" --output report.html $(ARGS)

# One recipe, so that the closing line of pytest is the last of the log. Types are those of the
# pinned torch: with another one, `lint` would find what that one annotates otherwise.
test: $(VENV)/.installed ## lint, gallery scripts at reduced size, doctests and tests
	$(if $(TORCH),,$(MAKE) --no-print-directory lint)
	$(MAKE) --no-print-directory examples
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/.installed ## ruff: rules and format; basedpyright: types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/basedpyright --pythonpath $(BIN)/python$(EXE) --level warning --warnings

examples: $(VENV)/.installed ## run the gallery scripts at reduced size
	@for script in examples/plot_*.py; do \
		echo $$script; \
		SKLEARN_AE_EXAMPLES_SMALL=1 $(BIN)/python -W error::FutureWarning $$script || exit 1; \
	done

coverage: $(VENV)/.installed ## tests with the share of lines that they run, in coverage.xml too
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term \
		--cov-report=xml $(ARGS)

test-slow: $(VENV)/.installed ## tests that are slow or need the network
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or download" $(ARGS)

# Old packages warn of one another, so that warnings are no errors there.
test-oldest: .venv-oldest/.installed ## tests on the oldest supported versions
	@OMP_NUM_THREADS=1 $(OLDEST)/python -m pytest $(PARALLEL) -W default $(ARGS)

# Warnings are errors here: what is deprecated is to be found before it is gone.
test-nightly: .venv-nightly/.installed ## tests on nightly builds of what the estimators stand on
	@$(NIGHTLY)/python -m pip list
	@OMP_NUM_THREADS=1 $(NIGHTLY)/python -m pytest $(PARALLEL) $(ARGS)

test-gpu: $(VENV)/.installed ## tests that need a CUDA device
	@$(BIN)/python -m pytest -m gpu $(ARGS)

docs: $(VENV)/.installed-docs ## build docs/_build/html, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html $(ARGS)

picture: $(VENV)/.installed ## draw the picture of the README again
	$(BIN)/python docs/make_readme_picture.py

readme: $(VENV)/.installed ## write the figures of the README from benchmarks/results
	$(BIN)/python -m benchmarks.figures

bench: $(VENV)/.installed-bench ## run the benchmark CASE, resuming what is finished
	$(BIN)/python benchmarks/run.py $(CASE) $(ARGS)

bench-table: $(VENV)/.installed-bench ## print the tables of benchmarks/results
	$(BIN)/python benchmarks/run.py all --table $(ARGS)

bench-peers: .venv-peers/.installed ## create .venv-peers for packages that clash with ours

format: $(VENV)/.installed ## let ruff rewrite the sources
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

check-version: ## the tag of a release, in GITHUB_REF_NAME, is the version of the package
	@version=$$(sed -n 's/^__version__ = "\(.*\)"$$/v\1/p' sklearn_ae/_version.py); \
	tag=$${GITHUB_REF_NAME:-$$version}; \
	test -n "$$version" -a "$$tag" = "$$version" || \
		{ echo "The tag is $$tag, sklearn_ae/_version.py says $$version." >&2; exit 1; }

build: $(VENV)/.installed ## sdist and wheel in dist/
	$(BIN)/python -m build --outdir dist .

clean: ## remove what was built, environments stay
	rm -rf dist build docs/_build docs/auto_examples docs/api/generated
	rm -rf .pytest_cache .ruff_cache .coverage coverage.xml report.html
