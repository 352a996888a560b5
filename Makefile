# Every job of the project. Needs git, make and Python >= 3.11; `make help` lists the targets.
# On Linux, `PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make ...` installs the small
# build of torch without CUDA.

SHELL := /bin/bash
.DEFAULT_GOAL := help

candidates := python3.13 python3.12 python3.11 python3 python
is_recent := 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in $(candidates); do \
	$$p -c $(is_recent) >/dev/null 2>&1 && { echo $$p; break; }; done)

# Some of the oldest supported versions have wheels for this one only.
OLDEST_PYTHON ?= python3.11

BIN := .venv/bin
OLDEST := .venv-oldest/bin
PEERS := .venv-peers/bin
INPUTS := pyproject.toml constraints.txt
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

.PHONY: help install compare test lint examples test-slow test-oldest test-gpu \
	docs picture readme bench bench-table bench-peers format check-version build clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# make's $(call venv,FOLDER,PYTHON): create the environment once, again where it is broken.
define venv
	@command -v "$(2)" >/dev/null || \
		{ echo "Python >= 3.11 not found; set PYTHON or OLDEST_PYTHON" >&2; exit 1; }
	$(1)/bin/python -m pip --version >/dev/null 2>&1 || "$(2)" -m venv --clear $(1)
endef

.venv/.installed: $(INPUTS)
	$(call venv,.venv,$(PYTHON))
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[compare,test]'
	touch $@

.venv/.installed-docs: .venv/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[compare,test,docs]'
	touch $@

.venv/.installed-bench: .venv/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[compare,test,bench]'
	touch $@

.venv-oldest/.installed: pyproject.toml constraints-oldest.txt
	$(call venv,.venv-oldest,$(OLDEST_PYTHON))
	$(OLDEST)/python -m pip install --quiet -c constraints-oldest.txt -e '.[compare,test]'
	touch $@

.venv-peers/.installed: benchmarks/requirements-peers.txt constraints.txt
	$(call venv,.venv-peers,$(PYTHON))
	$(PEERS)/python -m pip install --quiet "$$(grep ^torch== constraints.txt)" \
		-r benchmarks/requirements-peers.txt
	touch $@

install: .venv/.installed ## create .venv with the tested versions

compare: .venv/.installed ## compare reducers on DATA (default digits), write report.html
	$(BIN)/python -m sklearn_ae compare "$(DATA)" --output report.html $(ARGS)

# One recipe, so that the closing line of pytest is the last of the log.
test: .venv/.installed ## lint, gallery scripts at reduced size, doctests and tests
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory examples
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: .venv/.installed ## ruff: rules and format; basedpyright: types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/basedpyright --pythonpath $(BIN)/python --level warning --warnings

examples: .venv/.installed ## run the gallery scripts at reduced size
	@for script in examples/plot_*.py; do \
		echo $$script; \
		SKLEARN_AE_EXAMPLES_SMALL=1 $(BIN)/python -W error::FutureWarning $$script || exit 1; \
	done

test-slow: .venv/.installed ## tests that are slow or need the network
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or download" $(ARGS)

# Old packages warn of one another, so that warnings are no errors there.
test-oldest: .venv-oldest/.installed ## tests on the oldest supported versions
	@OMP_NUM_THREADS=1 $(OLDEST)/python -m pytest $(PARALLEL) -W default $(ARGS)

test-gpu: .venv/.installed ## tests that need a CUDA device
	@$(BIN)/python -m pytest -m gpu $(ARGS)

docs: .venv/.installed-docs ## build docs/_build/html, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html $(ARGS)

picture: .venv/.installed ## draw the picture of the README again
	$(BIN)/python docs/make_readme_picture.py

readme: .venv/.installed ## write the figures of the README from benchmarks/results
	$(BIN)/python -m benchmarks.figures

bench: .venv/.installed-bench ## run the benchmark CASE, resuming what is finished
	$(BIN)/python benchmarks/run.py $(CASE) $(ARGS)

bench-table: .venv/.installed-bench ## print the tables of benchmarks/results
	$(BIN)/python benchmarks/run.py all --table $(ARGS)

bench-peers: .venv-peers/.installed ## create .venv-peers for packages that clash with ours

format: .venv/.installed ## let ruff rewrite the sources
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

check-version: ## the tag of a release, in GITHUB_REF_NAME, is the version of the package
	@version=$$(sed -n 's/^__version__ = "\(.*\)"$$/v\1/p' sklearn_ae/_version.py); \
	tag=$${GITHUB_REF_NAME:-$$version}; \
	test -n "$$version" -a "$$tag" = "$$version" || \
		{ echo "The tag is $$tag, sklearn_ae/_version.py says $$version." >&2; exit 1; }

build: .venv/.installed ## sdist and wheel in dist/
	$(BIN)/python -m build --outdir dist .

clean: ## remove what was built, environments stay
	rm -rf dist build docs/_build docs/auto_examples docs/api/generated
	rm -rf .pytest_cache .ruff_cache report.html
