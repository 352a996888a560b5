"""Types of the public names: that none is missing, and what a user's type checker makes of them."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import sklearn_ae

STUB = Path(__file__).parents[1] / "sklearn_ae" / "__init__.pyi"
# Modules with public names that have no types yet.
UNTYPED = {
    "architectures",
    "code_activations",
    "corruptions",
    "estimators",
    "likelihoods",
    "losses",
    "networks",
    "objectives",
    "penalties",
    "tasks",
}
# scikit-learn has no types, so that classes that derive from its own are never known in full.
FOREIGN = ("Type of base class", "Type of metaclass")

# What the checker says of a line stands behind it: a type, or the rule that the line breaks.
USER_CODE = """\
import numpy as np
import pandas as pd
import sklearn_ae
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn_ae import Autoencoder, VariationalAutoencoder, compare
from sklearn_ae.comparison import DEFAULT_REDUCERS, load_data
from sklearn_ae.datasets import ADBENCH_NAMES, fetch_adbench, fetch_mnist
from sklearn_ae.display import LatentManifoldDisplay, ReconstructionDisplay

X, y = np.zeros((20, 4)), [0, 1] * 10
pca = make_pipeline(PCA(2)).fit(X)
reveal_type(sklearn_ae.__version__)  # str
reveal_type(Autoencoder(2))  # Autoencoder
reveal_type(VariationalAutoencoder(n_components=2))  # VariationalAutoencoder
Autoencoders()  # reportUndefinedVariable
sklearn_ae.autoencoder  # reportAttributeAccessIssue

result = compare(pd.DataFrame(X), y, {**DEFAULT_REDUCERS, "mine": PCA(2)}, random_state=0)
reveal_type(result)  # ComparisonResult
reveal_type(result.errors())  # dict[str, str]
reveal_type(result.plot_maps())  # Figure
reveal_type(result.plot_loss_curves())  # Figure | None
compare("digits", reducers=["pca", Autoencoder(2)], scale="standard", image_shape=(8, 8))
compare(load_data("digits"), scale="minmax")  # reportArgumentType
compare(X, reducers=[3])  # reportArgumentType

reveal_type(sklearn_ae.metrics.explained_variance(X, X.tolist()))  # float
reveal_type(sklearn_ae.metrics.explained_variance_scorer(GridSearchCV(pca, {}), X, y))  # float
reveal_type(sklearn_ae.metrics.knn_accuracy(pd.DataFrame(X), pd.Series(y)))  # float
reveal_type(sklearn_ae.metrics.kmeans_scores(X, list("ab"), random_state=0))  # Bunch
sklearn_ae.metrics.trustworthiness(X, X, n_neighbors="five")  # reportArgumentType

display = ReconstructionDisplay.from_estimator(pca, X, ax=plt.figure().gca(), n_samples=2)
reveal_type(display)  # ReconstructionDisplay
reveal_type(display.figure_)  # Figure
reveal_type(LatentManifoldDisplay(X, y, y, (2, 2)).plot(im_kwargs={"cmap": "gray"}).ax_)  # Axes
ReconstructionDisplay(X)  # reportCallIssue

reveal_type(ADBENCH_NAMES)  # tuple[str, ...]
reveal_type(fetch_mnist())  # Bunch
reveal_type(fetch_mnist(subset="test", return_X_y=True)[0].ndim)  # int
reveal_type(fetch_adbench("Pima", return_X_y=True, as_frame=True)[0])  # DataFrame
fetch_mnist(subset="validation")  # reportArgumentType
"""


def check(folder, *arguments):
    """What the checker says, which looks for packages where the first Python of PATH has them."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    return json.loads(run.stdout)


def test_public_names_have_types(tmp_path):
    report = check(tmp_path, "--verifytypes", "sklearn_ae", "--ignoreexternal")
    found = report["typeCompleteness"]["symbols"]
    assert {"sklearn_ae.metrics.trustworthiness"} <= {symbol["name"] for symbol in found}
    faults = {}
    for symbol in found:
        messages = [item["message"] for item in symbol["diagnostics"]]
        if not all(message.startswith(FOREIGN) for message in messages):
            faults.setdefault(symbol["name"].split(".")[1], {})[symbol["name"]] = messages
    assert {module: names for module, names in faults.items() if module not in UNTYPED} == {}
    assert UNTYPED <= faults.keys(), "what has types now belongs no longer to UNTYPED"


def test_checker_of_a_user_knows_the_types(tmp_path):
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    (tmp_path / "user_code.py").write_text(USER_CODE)
    said = {}
    for item in check(tmp_path, "user_code.py")["generalDiagnostics"]:
        of_type = re.fullmatch('Type of ".*" is "(.*)"', item["message"], re.DOTALL)
        line = item["range"]["start"]["line"]
        said[line] = of_type[1] if of_type else item.get("rule", item["message"])
    lines = enumerate(line.rpartition("  # ") for line in USER_CODE.splitlines())
    assert said == {number: expected for number, (code, _, expected) in lines if code}


def test_stub_has_the_names_of_the_package():
    *imports, names = ast.parse(STUB.read_text()).body
    found = {
        alias.asname: f"{node.module}.{alias.name}" for node in imports for alias in node.names
    }
    homes = {name: f"sklearn_ae.{name}" for name in sklearn_ae._SUBMODULES}
    homes |= {name: f"{module}.{name}" for name, module in sklearn_ae._HOMES.items()}
    assert found == {"__version__": "sklearn_ae._version.__version__", **homes}
    assert ast.literal_eval(names.value) == sklearn_ae.__all__
