"""Rules about the project itself: build files, layers, and what the documentation names."""

import ast
import importlib
import importlib.metadata
import inspect
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from sklearn.base import BaseEstimator

import sklearn_ae

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_ae"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))

TORCH_LAYERS = {"networks", "objectives", "tasks"}
OUTSIDE_TORCH_LAYERS = {"numpy", "pandas", "scipy", "sklearn", "skorch"}
# What each inner layer may import of the package; a layer that is not named may import all but
# the ones above it.
ALLOWED = {
    "networks": {"networks"},
    "objectives": {"objectives"},
    "_compute": {"_compute"},
    "tasks": {"tasks", "networks", "objectives", "_compute"},
    "_training": {"_training", "tasks", "networks", "objectives", "_compute"},
    "utils": {"utils"},
}
# These see estimators through public methods only.
OUTER = {"comparison", "display", "metrics", "datasets", "__main__"}
PRIVATE_CORE = TORCH_LAYERS | {"_training", "_base"}
UNSAFE = {"torch.load", "pickle.load", "pickle.loads", "joblib.load", "eval", "exec"}
# The worker reads what its own parent process wrote a moment before.
TRUSTED = {"comparison/_worker.py": {"joblib.load"}}


def layer_of(path):
    """First part of the module's name below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(tree):
    """Dotted names of all imported modules, `from a import b` as `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layering_faults(layer, modules):
    """Imports of a module in `layer` that point upwards or sideways."""
    faults = []
    for module in modules:
        top, *rest = module.split(".")
        target = rest[0] if top == "sklearn_ae" and rest else None
        if top == "skorch" and layer != "_training":
            faults.append(f"{module}: skorch belongs to _training")
        if layer in TORCH_LAYERS and top in OUTSIDE_TORCH_LAYERS:
            faults.append(f"{module}: {layer} knows torch only")
        if layer == "_training" and top == "sklearn":
            faults.append(f"{module}: _training does not know scikit-learn")
        if layer != "utils" and top == "sklearn" and any(part.startswith("_") for part in rest):
            faults.append(f"{module}: private parts of scikit-learn belong to utils")
        if layer in ALLOWED and target is not None and target not in ALLOWED[layer]:
            faults.append(f"{module}: {layer} imports upwards")
        if layer in OUTER and target in PRIVATE_CORE:
            faults.append(f"{module}: {layer} sees public methods only")
        if layer not in OUTER | {"__init__"} and target in OUTER:
            faults.append(f"{module}: {layer} imports upwards")
    return faults


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    modules = imported_modules(ast.parse(path.read_text()))
    assert layering_faults(layer_of(path), modules) == []


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        ("networks", "numpy"),
        ("networks", "sklearn_ae.objectives.losses"),
        ("objectives", "sklearn.base"),
        ("_training", "sklearn.utils"),
        ("_training", "sklearn_ae._base"),
        ("_base", "skorch"),
        ("_base", "sklearn.base._fit_context"),
        ("_autoencoder", "sklearn_ae.comparison"),
        ("comparison", "sklearn_ae._training.net"),
    ],
)
def test_layering_rule_sees_faults(layer, module):
    assert layering_faults(layer, [module])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_that_runs_code_from_files_is_called(path):
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    trusted = TRUSTED.get(path.relative_to(PACKAGE).as_posix(), set())
    assert not {ast.unparse(call.func) for call in calls} & UNSAFE - trusted


def test_public_names_exist_and_are_sorted():
    names = sklearn_ae.__all__
    assert list(names) == sorted(set(names))
    missing = [name for name in names if not hasattr(sklearn_ae, name)]
    assert missing == []


def test_submodules_are_attributes():
    names = "architectures comparison corruptions datasets likelihoods metrics penalties".split()
    code = (
        f"import sklearn_ae as package; assert {{*{names}}} <= {{*dir(package)}}; "
        f"print(*(getattr(package, name).__name__ for name in {names}))"
    )
    # a fresh process: in this one they are imported already
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.split() == [f"sklearn_ae.{name}" for name in names], run.stderr


def public_objects():
    """Documented name -> object, of the package and of its public modules."""
    for name in sklearn_ae.__all__:
        item = getattr(sklearn_ae, name)
        if inspect.ismodule(item):
            for member in item.__all__:
                yield f"{name}.{member}", getattr(item, member)
        elif callable(item):
            yield name, item


def test_public_names_are_in_the_reference():
    reference = (ROOT / "docs" / "api" / "index.rst").read_text()
    listed = set(re.findall(r"^   ([\w.]+)$", reference, re.MULTILINE))
    wanted = {name for name, item in public_objects() if callable(item)}
    assert wanted - listed == set()
    for name in listed - wanted:
        module, _, attribute = f"sklearn_ae.{name}".rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


def estimators():
    """Public estimators, by name."""
    return {
        name: item
        for name, item in public_objects()
        if inspect.isclass(item) and issubclass(item, BaseEstimator)
    }


@pytest.mark.parametrize("name", [name for name in estimators() if "." not in name])
def test_parameter_constraints_follow_init(name):
    estimator = estimators()[name]
    parameters = list(inspect.signature(estimator.__init__).parameters)[1:]
    assert list(estimator._parameter_constraints) == parameters


def test_version_has_one_source():
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "sklearn_ae/_version.py"
    assert importlib.metadata.version("sklearn-ae") == sklearn_ae.__version__
    assert f"## [{sklearn_ae.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_oldest_constraints_are_the_lower_bounds():
    lines = (ROOT / "constraints-oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if "==" in line)
    for requirement in PYPROJECT["project"]["dependencies"]:
        name, bound = requirement.split(">=")
        if name != "torch":
            assert oldest[name].startswith(bound), name


def test_constraints_pin_every_requirement():
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    pinned = {name.lower().replace("_", "-") for name in pins}
    project = PYPROJECT["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    requirements = [*project["dependencies"], *extras]
    assert {requirement.split(">=")[0] for requirement in requirements} - pinned == set()


def test_ruff_has_one_version():
    (pin,) = re.findall(r"^ruff==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    revisions = [one["rev"] for one in repositories if one["repo"].endswith("/ruff-pre-commit")]
    assert revisions == [f"v{pin}"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("tag", "passes"), [(f"v{sklearn_ae.__version__}", True), ("v999.0", False)]
)
def test_tag_of_a_release_is_the_version(tag, passes):
    run = subprocess.run(
        ["make", "check-version"],
        cwd=ROOT,
        env={**os.environ, "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
    )
    assert (run.returncode == 0) is passes
    assert (tag in run.stderr) is not passes


def test_source_archive_holds_what_the_tests_read():
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"/tests", "/.github", "/.pre-commit-config.yaml", "/benchmarks"} <= set(included)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_steps_are_make_targets(path):
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert runs
    for run in runs:
        command, target = run.split()
        assert command == "make" and target in MAKE_TARGETS


def test_workflows_are_all_there():
    assert [path.stem for path in WORKFLOWS] == ["docs", "release", "tests"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/install.md"])
def test_named_make_targets_exist(name):
    targets = re.findall(r"\bmake ([a-z-]+)\b", "\n".join(code_of(ROOT / name)))
    assert targets and set(targets) <= MAKE_TARGETS


def code_of(path):
    """Inline code and code blocks of a Markdown file."""
    text = path.read_text()
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", text)]


@pytest.mark.slow
def test_readme_example_runs():
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["search"].best_score_ > 0.8
