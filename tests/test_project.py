"""Rules about the project itself: build files, layers, and what the documentation names."""

import ast
import importlib
import importlib.metadata
import inspect
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import BaseEstimator

import sklearn_ae

ROOT = Path(__file__).parents[1]
# Names in benchmarks/results/denoise.jsonl and throughput.jsonl.
DENOISERS = ("Denoiser", "Denoiser, Convolutional, max_iter=20, bfloat16")
PEERS = ("PlainSkorch", "SklearnMLP", "PyOD", "Keras")
OURS_FROM_PCA = "Autoencoder, init=pca, early_stopping=False"
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


def page_of(name):
    """Text of a page of the user guide, whatever its line breaks."""
    return " ".join((ROOT / "docs" / "user_guide" / f"{name}.rst").read_text().split())


def results_of(case):
    lines = (ROOT / "benchmarks" / "results" / f"{case}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def figure_of(case, **wanted):
    """Figures of the one line of a case with these entries."""
    (found,) = (
        line["figures"]
        for line in results_of(case)
        if wanted.items() <= {**line, **line["settings"]}.items()
    )
    return found


def time_to(figures, error):
    """Seconds until a test error was reached."""
    return next(moment for moment, reached in figures["curve"] if reached <= error)


def readme_figures():
    """What the table of the README says, computed from the result files."""
    gains = [line["figures"] for line in results_of("pca_floor")]
    above = [line["difference"] for line in gains]
    assert min(above) > -1e-12
    kept = sum(line["start_kept"] for line in gains)
    same_layers = figure_of("seed_recipe", method="Keras, our layers", seed=0)
    recipes = [figure_of("seed_recipe", method="ours beside Keras", seed=n) for n in (0, 1, 2)]
    times = [time_to(recipe["ours"], recipe["test_mse"]) for recipe in recipes]
    shares = [time / recipe["fit_s"] for time, recipe in zip(times, recipes, strict=True)]
    ours, theirs = times[0], time_to(same_layers, recipes[0]["test_mse"])
    mnist = [
        figure_of("mnist_30", data="mnist", method="Autoencoder", seed=seed)["squared_error"]
        for seed in (0, 1, 2)
    ]
    pca = figure_of("mnist_30", data="mnist", method="PCA", seed=0)
    nats = {}
    for line in results_of("mnist_nll"):
        if "nats" in line["figures"]:
            training = line["method"], line["figures"]["n_iter"]
            nats.setdefault(training, []).append(line["figures"]["nats"])
    one, five = (nats[method, 2500] for method in ("one sample", "five samples"))
    (early,) = nats["five samples", 1250]
    (anew,), (once,) = nats["defaults", 95], nats["defaults, static", 95]
    maps = {}
    for line in results_of("embedding_2d"):
        if line["data"] == "mnist":
            maps.setdefault(line["method"], []).append(line["figures"]["accuracy"])
    assert len(one) == len(five) == len(maps["Autoencoder"]) == 3
    accuracies = [np.mean(maps[method]) for method in ("Autoencoder", "PCA", "UMAP")]
    margins = [*(denoise_margins(method) for method in DENOISERS), denoise_gains()]
    largest = figure_of("scaling", method="Autoencoder", n_rows=10**6)
    ratios = throughput_ratios()
    loop, peers = ratios["hand-written"], [one for name in PEERS for one in ratios[name]]
    linear = [1 / ratio for ratio in ratios[OURS_FROM_PCA]]
    return {
        "throughput": f"{min(loop):.2f} to {max(loop):.2f}; {min(peers):.2f} to {max(peers):.2f}; "
        f"{min(linear):.2f} to {max(linear):.2f}",
        "pca_floor": f"{sum(above) / len(above):+.3f} on average, never below; PCA kept in {kept}",
        "mnist_30": f"{np.mean(mnist):.2f}, PCA {pca['squared_error']:.2f}",
        "mnist_nll": f"{np.mean(one):.2f} and {np.mean(five):.2f} nats, published 86.76 and 85.54; "
        f"five samples after 1250 epochs {early:.2f}; defaults {anew:.2f} and {once:.2f}",
        "embedding_2d": "; ".join(f"{accuracy:.2f}" for accuracy in accuracies),
        "denoise": "; ".join(f"{min(one):+.1f} to {max(one):+.1f} dB" for one in margins),
        "conv_throughput": conv_throughput_ratios(),
        "sparse_features": sparse_feature_errors(),
        "code_size": code_size_errors(),
        "seed_recipe": f"1/{1 / np.mean(shares):.0f} of its time; 1/{theirs / ours:.0f}",
        "scaling": f"{largest['peak_over_data']:.2f}",
        "adbench": detection_areas(),
        "image_anomaly": image_anomaly_areas(),
        "detector_cost": detector_cost_ratios(),
    }


def detection_areas():
    """Mean areas under the curve of ours and two others, on clean and contaminated rows."""
    found = []
    for name in ("AutoencoderDetector", "k-NN distance", "IsolationForest"):
        pair = []
        for protocol in ("one-class", "contaminated"):
            areas = areas_of_detectors(protocol)
            assert len(areas) == 21
            pair.append(f"{areas[name].mean():.1f}")
        found.append(" and ".join(pair))
    return "; ".join(found)


def image_anomaly_areas():
    """Means of the classes that all methods have, for both sets, and how many these are."""
    found = {}
    for line in results_of("image_anomaly"):
        key = line["data"], line["settings"]["normal"]
        found.setdefault(key, {})[line["method"]] = 100 * line["figures"]["auroc"]
    methods = [
        f"{method}{how}"
        for method in ("PCA error", "OneClassSVM on PCA codes")
        for how in ("", ", standardised")
    ]
    methods.append("IsolationForest")
    detectors = [f"AutoencoderDetector, {kind}" for kind in ("convolutional", "dense")]
    needed = {*methods, *detectors}
    whole = {key: areas for key, areas in found.items() if needed <= areas.keys()}
    shown = []
    for data in ("mnist", "fashion_mnist"):
        of_data = [areas for key, areas in whole.items() if key[0] == data]
        ours = [np.mean([areas[name] for areas in of_data]) for name in detectors]
        best = max(np.mean([areas[method] for areas in of_data]) for method in methods)
        assert best < ours[0]
        shown.append(f"{ours[0]:.1f}, {ours[1]:.1f}, {best:.1f} ({len(of_data)} classes)")
    means = {
        method: np.mean([areas[method] for areas in whole.values()])
        for method in (*methods, "AutoencoderDetector, dense")
    }
    assert max(means, key=means.get) == "AutoencoderDetector, dense"
    return "; ".join(shown)


def detector_cost_ratios():
    """Least and greatest ratio of our times to those of PyOD's autoencoder."""
    shown = []
    for what in ("fit_s", "score_s"):
        ratios = [
            times["AutoencoderDetector"][what] / times["PyOD AutoEncoder"][what]
            for times in (line["figures"]["times"] for line in results_of("detector_cost"))
        ]
        shown.append(f"{min(ratios):.1f} to {max(ratios):.1f}")
    return "; ".join(shown)


def error_at_bytes(data, method, n_bytes):
    """Squared error of a code of that many bytes; that of JPEG at best."""
    if method != "JPEG":
        settings = {"data": data, "method": method, "n_components": n_bytes}
        return figure_of("code_size", **settings)["squared_error"]
    best = np.inf
    for line in results_of("code_size"):
        if line["data"] == data and line["method"].startswith("JPEG"):
            _, sizes, errors = np.transpose(line["figures"]["curve"])
            if sizes.min() <= n_bytes:
                best = min(best, np.interp(n_bytes, sizes, errors))
    return best


def code_size_errors():
    """Errors of dense layers, PCA and JPEG with 100 bytes."""
    return "; ".join(
        ", ".join(f"{error_at_bytes(data, name, 100):{form}}" for name in ("dense", "PCA", "JPEG"))
        for data, form in (("mnist", ".2f"), ("olivetti", ".1f"))
    )


def conv_throughput_ratios():
    """Ratio of an epoch of ours to one of a torch loop in both precisions, and of Keras."""
    found = {
        (name, line["settings"]["precision"]): line["figures"][name]
        for line in results_of("conv_throughput")
        for name in {"hand-written", "Keras"} & line["figures"].keys()
    }
    assert found["Keras", "float32"]["epoch_s"] < found["Keras", "bfloat16"]["epoch_s"]
    wanted = ("hand-written", "float32"), ("hand-written", "bfloat16"), ("Keras", "float32")
    single, half, keras = (f"{found[one]['ours_over_it']:.2f}" for one in wanted)
    return f"{single} and {half}; {keras}"


def sparse_feature_errors():
    """Test errors in percent with all labels."""
    features = ("denoising", "KSparse", "PCA", "raw pixels")
    found = [figure_of("sparse_features", method=name, step="all labels") for name in features]
    assert [one["setting"] for one in found[:2]] == ["relu, masking 50 %", "k=25"]
    first, second, third, last = (f"{100 * one['test_error']:.2f} %" for one in found)
    return f"{first} and {second}; {third}; {last}"


def denoise_margins(method):
    """Decibels of a trained `Denoiser` above the best of the others, for each corruption."""
    found = {}
    for line in results_of("denoise"):
        if line["data"] == "mnist" and line["seed"] == 0:
            of_corruption = found.setdefault(line["settings"]["corruption"], {})
            of_corruption[line["method"]] = line["figures"]["psnr"]
    assert len(found) == 6
    others = [
        [value for name, value in one.items() if not name.startswith("Denoiser")]
        for one in found.values()
    ]
    assert {len(values) for values in others} == {6}
    return [one[method] - max(rest) for one, rest in zip(found.values(), others, strict=True)]


def denoise_gains():
    """Decibels of a trained `Denoiser` above its linear start, for each corruption."""
    psnr = {
        (line["method"], line["settings"]["corruption"]): line["figures"]["psnr"]
        for line in results_of("denoise")
        if line["data"] == "mnist" and line["seed"] == 0
    }
    start = "Denoiser, max_iter=0"
    return [psnr["Denoiser", kind] - psnr[start, kind] for name, kind in psnr if name == start]


def test_page_on_noise_says_what_denoising_gains():
    page = page_of("images_and_noise")
    said = re.search(
        r"out (\S+) to (\S+) dB above.*?does, it is (\S+) to (\S+) dB", page, re.DOTALL
    ).groups()
    margins, gains = denoise_margins("Denoiser"), denoise_gains()
    found = [min(margins), max(margins), min(gains), max(gains)]
    assert said == tuple(f"{value:.1f}" for value in found)


def test_page_on_the_gate_says_what_groups_do():
    page = page_of("autoencoder")
    said = re.search(r"error of (\S+) on 10 others,\s+PCA one of (\S+) ", page).groups()
    wanted = {"data": "olivetti", "seed": 0, "n_components": 5}
    found = (figure_of("code_size", method=method, **wanted) for method in ("dense", "PCA"))
    assert said == tuple(f"{figures['squared_error_unrounded']:.1f}" for figures in found)
    wide = figure_of("code_size", data="olivetti", seed=0, n_components=30, method="dense")
    assert wide["start_kept"]


def test_page_on_images_says_when_convolutions_are_better():
    page = page_of("images_and_noise")
    said = re.search(
        r"squared\s+error of (\S+) on the test images, .*? one of (\S+)\. But .*? come to\s+"
        r"(\S+)\. On .*? ahead, (\S+) to (\S+); .*? level, (\S+) and (\S+)\. For",
        page,
    ).groups()
    best, wide = "Convolutional, best pair", "dense, all defaults"
    rows = ("mnist", best), ("mnist", "dense"), ("mnist", wide), ("freyfaces", wide)
    found = [
        figure_of("conv_vs_dense", data=data, method=method)
        for data, method in (
            *rows,
            ("freyfaces", best),
            ("fashion_mnist", best),
            ("fashion_mnist", "dense"),
        )
    ]
    assert said == tuple(f"{figures['squared_error']:.2f}" for figures in found)
    assert "nearest" in found[0]["pair"] and found[2]["n_iter"] == 95
    assert round(found[1]["n_parameters"] / found[0]["n_parameters"]) == 2
    assert all(
        figure_of("conv_vs_dense", data="olivetti", method=method)["start_kept"]
        for method in (best, wide)
    )


def detectors_of_all_groups(protocol):
    """Figures of each detector, by the tables and seeds that all groups of these have."""
    groups = {}
    for line in results_of("adbench"):
        if line["settings"]["protocol"] == protocol:
            key = line["data"], line["seed"]
            groups.setdefault(key, {})[line["method"]] = line["figures"]["detectors"]
    return {
        key: {name: of_name for part in group.values() for name, of_name in part.items()}
        for key, group in groups.items()
        if len(group) == 3
    }


def areas_of_detectors(protocol, failed=50.0):
    """Areas under the curve, means over seeds, by table and name."""
    found = {}
    for (data, _), detectors in detectors_of_all_groups(protocol).items():
        for name, figures in detectors.items():
            if name != "peers":
                area = 100 * figures.get("auroc", failed / 100)
                found.setdefault(name, {}).setdefault(data, []).append(area)
    means = {
        name: {data: np.mean(areas) for data, areas in of_name.items()}
        for name, of_name in found.items()
    }
    # methods that are the same have equal means, and ranks, but for the order of their sums
    areas = pd.DataFrame(means).round(7)
    assert areas.notna().all(axis=None)
    return areas


def test_page_on_anomalies_has_the_figures_of_the_benchmark():
    page = (ROOT / "docs" / "user_guide" / "anomalies.rst").read_text()
    cells = r"  +(\S+)( \(\S+\))?"
    said = {
        row[0].strip("`"): row[1:]
        for row in re.findall(rf"^(\S.*?){cells}{cells}$", page, re.MULTILINE)
    }
    ours = "AutoencoderDetector"
    rows = {
        ours: ours,
        "the same, PCA for the network": f"{ours}, PCA",
        "the same score of the rows": f"{ours}, on rows",
        "the same score of PCA's codes": f"{ours}, on PCA codes",
        "distance to the 5th neighbour": "k-NN distance",
        "LocalOutlierFactor": "LocalOutlierFactor",
        "OneClassSVM": "OneClassSVM",
        "IsolationForest": "IsolationForest",
        "robust Mahalanobis distance": "robust Mahalanobis",
        "PyOD's INNE": "PyOD INNE",
        "PyOD's AutoEncoder": "PyOD AutoEncoder",
    }
    for place, protocol in enumerate(("one-class", "contaminated")):
        areas, ranked = (areas_of_detectors(protocol, failed) for failed in (50, -np.inf))
        assert f"tables: {len(areas)}" in page
        seeds = Counter(data for data, _ in detectors_of_all_groups(protocol)).values()
        seeds = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} or {max(seeds)}"
        assert f"{seeds} seeds" in page
        field = [name for name in areas if not name.startswith(f"{ours},")]
        ranks = ranked[field].rank(axis=1, ascending=False).mean()
        for row, name in rows.items():
            assert said[row][2 * place] == f"{areas[name].mean():.1f}"
            if name in field:
                assert said[row][2 * place + 1] == f" ({ranks[name]:.1f})"


def test_page_on_anomalies_says_how_far_the_detector_is_from_the_first():
    said = re.search(
        r"neighbour .*? normal, by (\S+ ± \S+) \(paired .*? first where .*? adds (\S+ ± \S+) to "
        r"its PCA .*? normal, and (\S+ ± \S+) where",
        page_of("anomalies"),
    ).groups()
    ours, found = "AutoencoderDetector", []
    for protocol, place in (("one-class", 1), ("contaminated", 0)):
        areas = areas_of_detectors(protocol)
        means = areas[[name for name in areas if not name.startswith(f"{ours},")]].mean()
        # PyOD's distance to the fifth neighbour is the same as ours by scikit-learn
        assert means[means > means[ours]].round(6).nunique() == place
        rivals = ("k-NN distance", f"{ours}, PCA") if place else (f"{ours}, PCA",)
        for rival in rivals:
            gains = areas[ours] - areas[rival]
            error = gains.std() / np.sqrt(len(gains))
            found.append(f"{abs(gains.mean()) if place else gains.mean():.1f} ± {error:.1f}")
    assert said == tuple(found)


def test_page_on_anomalies_says_how_far_the_detector_is_behind_by_rank():
    said = re.search(
        r"second in both, by (\S+ ± \S+) to that distance and by (\S+ ± \S+) to the robust",
        page_of("anomalies"),
    ).groups()
    rivals = {"one-class": "k-NN distance", "contaminated": "robust Mahalanobis"}
    for shown, (protocol, rival) in zip(said, rivals.items(), strict=True):
        areas = areas_of_detectors(protocol, failed=-np.inf)
        field = [name for name in areas if not name.startswith("AutoencoderDetector,")]
        ranks = areas[field].rank(axis=1, ascending=False)
        # PyOD's distance to the fifth neighbour is the same as ours by scikit-learn
        first = ranks.drop(columns="PyOD KNN").mean().sort_values().index[:2]
        assert list(first) == [rival, "AutoencoderDetector"]
        lags = ranks["AutoencoderDetector"] - ranks[rival]
        assert shown == f"{lags.mean():.1f} ± {lags.std() / np.sqrt(len(lags)):.1f}"


def test_page_on_anomalies_says_how_the_detector_does_on_other_tables():
    said = re.search(
        r"it has (\S+ and \S+), the distance to the 5th neighbour (\S+ and \S+), the robust "
        r"Mahalanobis distance (\S+ and \S+), `IsolationForest` (\S+ and \S+)\. There, 5 or 60 "
        r".*? by (\S+) at most; `robust=False` gains (\S+) where",
        page_of("anomalies"),
    ).groups()
    means = {}
    for protocol in ("one-class", "contaminated"):
        found = pd.DataFrame(
            {"data": line["data"], **line["figures"]["areas"]}
            for line in results_of("detector_rules")
            if line["settings"]["protocol"] == protocol
        )
        means[protocol] = 100 * found.groupby("data").mean().mean()
    means = pd.DataFrame(means)
    ours = "AutoencoderDetector"
    for shown, name in zip(
        said, (ours, "k-NN distance", "robust Mahalanobis", "IsolationForest"), strict=False
    ):
        assert shown == " and ".join(f"{mean:.1f}" for mean in means.loc[name])
    gains = means - means.loc[ours]
    flat = [name for name in gains.index if name.startswith(("n_neighbors", "max_iter"))]
    assert len(flat) == 4
    assert f"{gains.loc[flat].abs().max(axis=None):.1f}" == said[4]
    assert f"{gains.loc['robust=False', 'one-class']:.1f}" == said[5]


def test_page_on_anomalies_says_what_the_detector_costs():
    said = re.search(
        r"a fit took (\S+) to (\S+) of .*? tables of (\d+) to (\d+) features, and (\S+) times as "
        r"long with (\d+); scores (\S+) to (\S+) and (\S+) times as long",
        page_of("anomalies"),
    ).groups()
    ratios = pd.DataFrame(
        {
            "features": line["figures"]["n_features"],
            **{
                what: times["AutoencoderDetector"][what] / times["PyOD AutoEncoder"][what]
                for what in ("fit_s", "score_s")
            },
        }
        for line in results_of("detector_cost")
        for times in [line["figures"]["times"]]
    )
    (wide,) = ratios[ratios["features"] > 1000].to_dict("records")
    others = ratios[ratios["features"] < 1000]
    fit, score = ((others[what].min(), others[what].max()) for what in ("fit_s", "score_s"))
    found = (
        *(f"{ratio:.1f}" for ratio in fit),
        *(f"{others['features'].min()}", f"{others['features'].max()}"),
        *(f"{wide['fit_s']:.1f}", f"{wide['features']}"),
        *(f"{ratio:.1f}" for ratio in score),
        f"{wide['score_s']:.1f}",
    )
    assert said == found


def test_page_on_images_says_where_jpeg_wins():
    page = page_of("images_and_noise")
    said = re.search(
        r"error of (\S+) with 30 bytes an image and of (\S+) with 100, where JPEG has (\S+) at "
        r"best, .*? JPEG wins with 100 bytes: (\S+), our error is (\S+)\. The",
        page,
    ).groups()
    found = [
        f"{error_at_bytes('mnist', 'dense', 30):.2f}",
        f"{error_at_bytes('mnist', 'dense', 100):.2f}",
        f"{error_at_bytes('mnist', 'JPEG', 100):.2f}",
        f"{error_at_bytes('olivetti', 'JPEG', 100):.1f}",
        f"{error_at_bytes('olivetti', 'dense', 100):.1f}",
    ]
    assert list(said) == found
    least = min(
        np.transpose(line["figures"]["curve"])[1].min()
        for line in results_of("code_size")
        if line["data"] == "mnist" and line["method"].startswith("JPEG")
    )
    assert 29 < least < 30


def test_page_on_images_says_which_upsampling_comes_out_best():
    page = page_of("images_and_noise")
    low, high = re.search(r"of downsampling, (\d) to (\d) % below `\"transpose\"`", page).groups()
    pairs = {
        (line["settings"]["downsampling"], line["settings"]["upsampling"]): line["figures"]
        for line in results_of("conv_vs_dense")
        if line["data"] == "mnist[:15000]"
    }
    assert len(pairs) == 13
    below = []
    for down in ("stride", "max_pool", "average_pool"):
        errors = {
            up: figures["squared_error"] for (one, up), figures in pairs.items() if one == down
        }
        assert min(errors, key=errors.get) == "nearest"
        below.append(round(100 * (1 - errors["nearest"] / errors["transpose"])))
    assert (int(low), int(high)) == (min(below), max(below))
    assert max(pairs, key=lambda pair: pairs[pair]["squared_error"])[1] == "max_unpool"
    assert min(pairs, key=lambda pair: pairs[pair]["fit_s"]) == ("stride", "transpose")


def test_page_on_sparse_codes_says_what_they_are_worth():
    page = page_of("images_and_noise")
    said = re.search(
        r"error of (\S+) % and .*? one of (\S+) %, raw pixels one of\s+(\S+) %", page, re.DOTALL
    ).groups()
    found = (
        figure_of("sparse_features", method=method, step="all labels")["test_error"]
        for method in ("KSparse", "denoising", "raw pixels")
    )
    assert said == tuple(f"{100 * error:.2f}" for error in found)
    silent = figure_of("sparse_features", setting="k=25", step="train")["never_active"]
    assert "a third of its components were active in none" in page and round(3 * silent) == 1


def test_variational_page_says_what_the_defaults_reach():
    page = page_of("variational")
    said = re.search(r"is\s+(\d+\.\d) nats where .*? and (\d+\.\d) where", page, re.DOTALL).groups()
    found = (
        figure_of("mnist_nll", method=method, step=0) for method in ("defaults", "defaults, static")
    )
    assert said == tuple(f"{figures['nats']:.1f}" for figures in found)


def test_practice_page_says_what_auto_rules_found():
    scores, rows, times = {}, {}, {}
    for line in results_of("auto_rules"):
        figures, key = line["figures"], (line["method"], line["data"])
        if "explained_variance" in figures:  # not stopped at the limit
            scores.setdefault(key, []).append(figures["explained_variance"])
            times.setdefault(key, []).append(figures["fit_s"])
            rows[line["data"]] = figures["n_rows"]
    changes = {}
    for (method, data), found in scores.items():
        change = np.mean(found) - np.mean(scores["auto", data])
        changes.setdefault(method, {})[data] = change
    assert len(rows) == 11 and min(rows.values()) == 45 and max(rows.values()) == 50000
    page = page_of("practice")
    said = re.findall(r"([-+]\d\.\d\d) to ([-+]\d\.\d\d)", page)
    order = ["max_iter x 0.25", "max_iter x 4", *(f"batch_size={n}" for n in (32, 256, 1024)),
             "hidden_layer_sizes x 0.5", "hidden_layer_sizes x 2"]  # fmt: skip
    ranges = [[f"{f(changes[m].values()):+.2f}" for f in (min, max)] for m in order]
    assert [list(pair) for pair in said] == ranges
    small = changes["batch_size=32"]
    gains = [data for data, change in small.items() if change > 0.001]
    assert all(1000 <= rows[data] <= 10000 for data in gains)
    assert all(small[data] < 0 for data in rows if rows[data] >= 23000)
    method = "batch_size=32"
    assert max(np.mean(times[method, d]) / np.mean(times["auto", d]) for d in gains) < 4.05


def throughput_ratios():
    """Seconds of ours over those of each contender; the loop's from the cells of two."""
    ratios = {}
    for line in results_of("throughput"):
        pair = line["method"].startswith("two")
        names = ["hand-written"] if pair else [*PEERS, OURS_FROM_PCA]
        for name in names:
            ratios.setdefault(name, []).append(line["figures"][name]["ours_over_it"])
        if pair:
            assert line["figures"]["rounds"] >= 15
    return ratios


def test_figures_of_the_readme_are_those_of_the_result_files():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", (ROOT / "README.md").read_text(), re.M)
    assert dict(rows) == readme_figures()
    assert len(results_of("pca_floor")) == 162
    assert len(results_of("throughput")) == 24
