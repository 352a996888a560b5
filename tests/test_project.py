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
from collections import Counter
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
ESTIMATORS = [
    name
    for name in sklearn_ae.__all__
    if inspect.isclass(getattr(sklearn_ae, name))
    and issubclass(getattr(sklearn_ae, name), BaseEstimator)
]
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))

PARTS = {
    "architectures", "code_activations", "corruptions", "likelihoods", "losses", "penalties",
}  # fmt: skip
# What is computed, below the estimators.
CORE = {"networks", "objectives", "tasks", "_compute", "_training", "_fitting", "_anomaly"}
BELOW = CORE | PARTS | {"exceptions", "utils"}
# These see estimators through public methods only: PCA is to do as well.
OUTER = {"comparison", "display", "metrics", "datasets", "__main__"}
PUBLIC = {*sklearn_ae.__all__, "__version__"}
# Layer -> what it may import of the package, beside itself, and from outside, beside the standard
# library; None is anything but skorch.
ALLOWED = {
    "networks": (set(), {"torch"}),
    "objectives": (set(), {"torch"}),
    "tasks": ({"networks", "objectives"}, {"torch"}),
    "_compute": (set(), {"torch", "numpy"}),
    "_training": ({"tasks", "networks", "objectives", "_compute"}, {"torch", "skorch"}),
    **dict.fromkeys(
        PARTS,
        ({"networks", "objectives", "_compute", "utils"}, {"torch", "numpy", "sklearn.base"}),
    ),
    "_fitting": (BELOW - {"_anomaly"} | {"_version"}, {"torch", "numpy", "scipy", "sklearn"}),
    "_anomaly": ({"_compute", "utils"}, {"numpy", "scipy", "sklearn"}),
    "utils": (set(), {"numpy", "scipy", "sklearn"}),
    "estimators": (BELOW - {"_training"}, {"torch", "numpy", "pandas", "sklearn"}),
    **dict.fromkeys(OUTER, (OUTER | PUBLIC | {"utils"}, None)),
    **dict.fromkeys(("_version", "exceptions"), (set(), set())),
}
EXCEPTIONS = {
    # `corrupt` of a part checks the rows that a user hands to it
    "corruptions.py": {"sklearn.utils"},
    # of many rows, where it is installed
    "_fitting/neighbors.py": {"pynndescent"},
    # as many threads search as torch has
    "_anomaly/neighbors.py": {"torch"},
}
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


def is_part_of(module, packages):
    """Whether a dotted name is one of some packages or stands in one."""
    return any(module == one or module.startswith(f"{one}.") for one in packages)


def layering_faults(layer, modules, exceptions=()):
    """Imports of a module in `layer` that the table does not allow."""
    inside, outside = ALLOWED[layer]
    faults = []
    for module in modules:
        top, *rest = module.split(".")
        if top in sys.stdlib_module_names or is_part_of(module, exceptions):
            continue
        if top == "sklearn_ae":
            if rest and rest[0] not in inside | {layer}:
                faults.append(f"{module}: {layer} imports upwards or sideways")
        elif not (top != "skorch" if outside is None else is_part_of(module, outside)):
            faults.append(f"{module}: {layer} does not know it")
        elif layer != "utils" and top == "sklearn" and any(one.startswith("_") for one in rest):
            faults.append(f"{module}: private parts of scikit-learn belong to utils")
    return faults


over_sources = pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE))
)


@over_sources
def test_imports_point_downwards(path):
    if layer_of(path) == "__init__":  # it has the way to every public name
        return
    modules = imported_modules(ast.parse(path.read_text()))
    exceptions = EXCEPTIONS.get(path.relative_to(PACKAGE).as_posix(), ())
    assert layering_faults(layer_of(path), modules, exceptions) == []


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        ("networks", "numpy"),
        ("networks", "sklearn_ae.objectives.losses"),
        ("networks", "sklearn_ae._compute"),
        ("objectives", "sklearn.base"),
        ("tasks", "skorch"),
        ("tasks", "sklearn_ae._compute.chunks"),
        ("_compute", "sklearn.utils"),
        ("_compute", "sklearn_ae.utils"),
        ("_training", "numpy"),
        ("_training", "sklearn.utils"),
        ("_training", "sklearn_ae._fitting.plan"),
        ("penalties", "sklearn.utils"),
        ("penalties", "sklearn_ae._fitting.branches"),
        ("losses", "sklearn_ae._training"),
        ("likelihoods", "sklearn_ae.estimators"),
        ("_fitting", "skorch"),
        ("_fitting", "sklearn_ae.estimators._base"),
        ("_fitting", "sklearn_ae.Autoencoder"),
        ("_fitting", "sklearn_ae._anomaly"),
        ("_anomaly", "torch"),
        ("_anomaly", "sklearn_ae._fitting.fitted"),
        ("utils", "sklearn_ae._compute"),
        ("estimators", "skorch"),
        ("estimators", "sklearn.base._fit_context"),
        ("estimators", "sklearn_ae._training.net"),
        ("estimators", "sklearn_ae.comparison"),
        ("comparison", "sklearn_ae._training.net"),
        ("comparison", "skorch"),
        ("display", "sklearn_ae.estimators._base"),
        ("metrics", "sklearn_ae._fitting.fitted"),
    ],
)
def test_layering_rule_sees_faults(layer, module):
    assert layering_faults(layer, [module])


def test_layering_rule_has_no_exception_without_use():
    for name, exceptions in EXCEPTIONS.items():
        modules = [*imported_modules(ast.parse((PACKAGE / name).read_text()))]
        assert all(any(is_part_of(module, {one}) for module in modules) for one in exceptions)


def names_in(tree):
    """Names that code has as variables, attributes and imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from (node.name.rpartition(".")[2], node.asname)


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if layer_of(path) in BELOW],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_what_is_below_the_estimators_names_none(path):
    assert not {*names_in(ast.parse(path.read_text()))} & {*ESTIMATORS}


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(fitted, Autoencoder)",
        "sklearn_ae.Denoiser()",
        "from sklearn_ae import VariationalAutoencoder as VAE",
        "import sklearn_ae.estimators.AutoencoderDetector",
    ],
)
def test_rule_about_names_of_estimators_sees_faults(code):
    assert {*names_in(ast.parse(code))} & {*ESTIMATORS}


def calls_of_others_private_methods(tree):
    """Calls such as ``other._method()``, of anything but the object itself and its bases."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        is_own = ast.unparse(node.func.value) in ("self", "cls", "super()")
        if not is_own and re.fullmatch(r"_[^_]\w*", node.func.attr):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "estimators").glob("*.py")), ids=lambda path: path.name
)
def test_estimators_call_no_private_method_of_another_object(path):
    assert [*calls_of_others_private_methods(ast.parse(path.read_text()))] == []


@pytest.mark.parametrize(
    ("code", "n_faults"),
    [
        ("self.estimator_._fitted.split_errors(X)", 0),
        ("self._score_rows(X); cls._make(); super()._fit(X); other.__getstate__()", 0),
        ("self.estimator_._checked(X)", 1),
        ("self._fitted._beside()", 1),
        ("Autoencoder._blueprint(self, rows); clone(self)._fit(X)", 2),
    ],
)
def test_rule_about_private_methods_sees_faults(code, n_faults):
    assert len([*calls_of_others_private_methods(ast.parse(code))]) == n_faults


@over_sources
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
        yield name, getattr(sklearn_ae, name)
    for name in sklearn_ae._SUBMODULES:
        module = importlib.import_module(f"sklearn_ae.{name}")
        for member in module.__all__:
            if member not in sklearn_ae.__all__:
                yield f"{name}.{member}", getattr(module, member)


def test_public_names_are_in_the_reference():
    reference = (ROOT / "docs" / "api" / "index.rst").read_text()
    listed = set(re.findall(r"^   ([\w.]+)$", reference, re.MULTILINE))
    wanted = {name for name, item in public_objects() if callable(item)}
    assert wanted - listed == set()
    for name in listed - wanted:
        module, _, attribute = f"sklearn_ae.{name}".rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


@pytest.mark.parametrize("name", ESTIMATORS)
def test_parameter_constraints_follow_init(name):
    estimator = getattr(sklearn_ae, name)
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
    more = [*project["optional-dependencies"].values(), *PYPROJECT["dependency-groups"].values()]
    requirements = [*project["dependencies"], *itertools.chain.from_iterable(more)]
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
    assert {"/.readthedocs.yaml", "/CITATION.cff", "/SECURITY.md", "/conda"} <= set(included)
    assert [name for name in included if not (ROOT / name.removeprefix("/")).exists()] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_steps_are_make_targets(path):
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert runs
    for run in runs:
        command, target = run.split()
        assert command == "make" and target in MAKE_TARGETS


def test_workflows_are_all_there():
    assert [path.stem for path in WORKFLOWS] == ["docs", "nightly", "release", "tests"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/install.md"])
def test_named_make_targets_exist(name):
    targets = re.findall(r"\bmake ([a-z-]+)\b", "\n".join(code_of(ROOT / name)))
    assert targets and set(targets) <= MAKE_TARGETS


# The same property of different networks, and of a part and of its formula.
TWICE = {
    "test_class_in_place_of_an_instance_is_one_line",
    "test_draws_keep_the_size_of_the_signal",
    "test_gradient_reaches_every_weight",
    "test_masking_has_its_fraction",
    "test_shapes",
}


def repeated_names(sources):
    """Names of tests that stand in more than one of some texts."""
    names = [{*re.findall(r"^def (test_\w+)", text, re.MULTILINE)} for text in sources]
    counts = Counter(itertools.chain.from_iterable(names))
    return {name for name, count in counts.items() if count > 1}


def test_no_name_of_a_test_stands_in_two_files():
    """What holds for several estimators is a check of tests/checks.py."""
    paths = (ROOT / "tests").rglob("test_*.py")
    assert repeated_names(path.read_text() for path in paths) - TWICE == set()


def test_rule_about_names_of_tests_sees_faults():
    sources = ["def test_a():\n    pass\ndef test_b():\n    pass", "\ndef test_b(X):\n    pass"]
    assert repeated_names(sources) == {"test_b"}


def code_of(path):
    """Inline code and code blocks of a Markdown file."""
    text = path.read_text()
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", text)]


def test_readme_example_prints_what_it_says(capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    exec(compile(block, "README.md", "exec"), {})
    said, printed = (
        [float(number) for number in re.findall(r"\d\.\d+", text)]
        for text in (block.split("# [")[1], capsys.readouterr().out)
    )
    # other processors train to other figures, a little
    assert printed == pytest.approx(said, abs=0.02)
