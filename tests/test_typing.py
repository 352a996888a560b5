"""Types of the public names: that none is missing, and what a user's type checker makes of them."""

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import sklearn_ae
from sklearn_ae.utils._sklearn import StrOptions

STUB = Path(__file__).parents[1] / "sklearn_ae" / "__init__.pyi"
# Inner layers, tensors in and out, which the reference does not list: nobody else imports them.
UNTYPED = {"networks", "tasks"}
ESTIMATORS = ["Autoencoder", "AutoencoderDetector", "Denoiser", "VariationalAutoencoder"]
PARTS = ["architectures", "code_activations", "corruptions", "likelihoods", "losses", "penalties"]
# scikit-learn has no types, so that classes that derive from its own are never known in full, nor
# what takes an instance of one: a `Convolutional`, a `FrozenEstimator`.
FOREIGN = (
    "Type of base class",
    "Type of metaclass",
    'Type of parameter "architecture" is partially unknown',
    'Type of parameter "estimator" is partially unknown',
)

# What the checker says of a line stands behind it: a type, or the rule that the line breaks.
USER_CODE = """\
import numpy as np
import pandas as pd
import sklearn_ae
import torch
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder, compare
from sklearn_ae.architectures import Convolutional
from sklearn_ae.code_activations import KSparse
from sklearn_ae.comparison import DEFAULT_REDUCERS, load_data
from sklearn_ae.corruptions import Compose, Masking, Occlusion
from sklearn_ae.datasets import ADBENCH_NAMES, fetch_adbench, fetch_mnist
from sklearn_ae.display import LatentManifoldDisplay, LatentSpaceDisplay, ReconstructionDisplay
from sklearn_ae.likelihoods import Bernoulli, Categorical
from sklearn_ae.losses import Huber, SquaredError
from sklearn_ae.penalties import L1, Contractive

X, y = np.zeros((20, 4)), [0, 1] * 10
pca = make_pipeline(PCA(2)).fit(X)
reveal_type(sklearn_ae.__version__)  # str
reveal_type(Autoencoder(2))  # Autoencoder
reveal_type(VariationalAutoencoder(n_components=2))  # VariationalAutoencoder
Autoencoders()  # reportUndefinedVariable
sklearn_ae.autoencoder  # reportAttributeAccessIssue

Autoencoder(0.9, hidden_layer_sizes=(8, 4), loss=Huber(1.0), penalty=L1(), corruption="masking")
Autoencoder(None, code_activation=KSparse(1), max_iter=5, batch_size="auto", random_state=0)
Autoencoder(code_activation=torch.nn.Tanh(), penalty=Contractive(), early_stopping=False)
Autoencoder(architecture=Convolutional((8, 8), (4,), normalization="batch"))
Autoencoder(architecture=lambda n, k: (torch.nn.Linear(n, k), torch.nn.Linear(k, n)))
Autoencoder(max_iter="all")  # reportArgumentType
Autoencoder(loss="hubert")  # reportArgumentType
Autoencoder(loss=L1())  # reportArgumentType
Autoencoder(penalty=Huber())  # reportArgumentType
Autoencoder(depth=3)  # reportCallIssue
Convolutional((8, 8), upsampling="cubic")  # reportArgumentType


class Own:
    link, power = "identity", 2

    def __call__(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (output - target).square().sum(-1)

    def bind(self, network):
        return lambda x, code, encode, generator: code.abs().sum(-1)


def halve(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return x / 2


Autoencoder(loss=Own(), penalty=Own(), corruption=halve)
Denoiser(corruption=Compose([Masking(0.5), "gaussian", halve]), loss=SquaredError(link="logit"))
Denoiser(corruption=Own())  # reportArgumentType
reveal_type(Masking().corrupt(X, random_state=0).ndim)  # int
reveal_type(Huber()(torch.ones(2, 3), torch.ones(2, 3)))  # Tensor
Occlusion((4, 4), shape="circle")  # reportArgumentType

autoencoder = Autoencoder(2).fit(pd.DataFrame(X), sample_weight=np.ones(20))
reveal_type(autoencoder)  # Autoencoder
reveal_type(autoencoder.partial_fit(X.tolist()))  # Autoencoder
reveal_type(autoencoder.set_params(max_iter=3))  # Autoencoder
reveal_type(autoencoder.transform(X).ndim)  # int
reveal_type(autoencoder.inverse_transform(autoencoder.transform(X)).ndim)  # int
reveal_type(autoencoder.reconstruct(X, positions=True).ndim)  # int
reveal_type(autoencoder.score(X))  # float
reveal_type(autoencoder.loss_curve_)  # list[float]
reveal_type(autoencoder.mean_.ndim)  # int
reveal_type(autoencoder.network_)  # Module
autoencoder.fit()  # reportCallIssue
autoencoder.sample(3)  # reportAttributeAccessIssue
make_pipeline(StandardScaler(), autoencoder).fit_transform(X)

vae = VariationalAutoencoder(likelihood="poisson", learning_rate_init=1e-3).fit(X)
VariationalAutoencoder(likelihood=Bernoulli("dynamic"))
VariationalAutoencoder(likelihood=Categorical([3, 1]))
VariationalAutoencoder(likelihood="normal")  # reportArgumentType
reveal_type(vae)  # VariationalAutoencoder
reveal_type(vae.sample(3, random_state=0).ndim)  # int
reveal_type(vae.score_samples(X).ndim)  # int
reveal_type(vae.encode_distribution(X)[1].ndim)  # int
reveal_type(vae.elbo(X))  # Bunch
reveal_type(vae.active_units_)  # int

denoiser = Denoiser("auto", mode="residual").fit(X, X_clean=X)
reveal_type(denoiser)  # Denoiser
reveal_type(denoiser.transform(X).ndim)  # int
reveal_type(denoiser.score(X, X_clean=X))  # float

detector = AutoencoderDetector(autoencoder, anomaly_score="mahalanobis").fit(X)
reveal_type(detector)  # AutoencoderDetector
reveal_type(detector.calibrate(X))  # AutoencoderDetector
reveal_type(detector.predict(X).ndim)  # int
reveal_type(detector.score_samples(X, "neighbors").ndim)  # int
reveal_type(detector.score_features(pd.DataFrame(X)))  # Any
reveal_type(detector.offset_)  # float
reveal_type(detector.estimator_)  # Autoencoder | VariationalAutoencoder
AutoencoderDetector(denoiser)  # reportArgumentType
detector.score_samples(X, "distance")  # reportArgumentType

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
reveal_type(sklearn_ae.metrics.continuity(X, X))  # float
sklearn_ae.metrics.trustworthiness(X, X, n_neighbors="five")  # reportArgumentType

display = ReconstructionDisplay.from_estimator(pca, X, ax=plt.figure().gca(), n_samples=2)
reveal_type(display)  # ReconstructionDisplay
reveal_type(display.figure_)  # Figure
reveal_type(LatentManifoldDisplay(X, y, y, (2, 2)).plot(im_kwargs={"cmap": "gray"}).ax_)  # Axes
ReconstructionDisplay(X)  # reportCallIssue
reveal_type(LatentSpaceDisplay(X, y).plot(projection="tsne").points_.ndim)  # int
LatentSpaceDisplay.from_estimator(pca, X, projection="lda")  # reportArgumentType

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


def classes_with_parameters():
    """Estimators and parts."""
    yield from (getattr(sklearn_ae, name) for name in ESTIMATORS)
    for module in map(importlib.import_module, (f"sklearn_ae.{name}" for name in PARTS)):
        for item in vars(module).values():
            if getattr(item, "__module__", None) == module.__name__ and isinstance(item, type):
                yield from [item] if "_parameter_constraints" in vars(item) else []


def strings_in(hint):
    """The strings that a type allows one by one."""
    if typing.get_origin(hint) is typing.Literal:
        return {*typing.get_args(hint)}
    return {one for part in typing.get_args(hint) for one in strings_in(part)}


@pytest.mark.parametrize("owner", [*classes_with_parameters()], ids=lambda owner: owner.__name__)
def test_strings_of_a_signature_are_those_of_the_constraints(owner):
    hints = typing.get_type_hints(owner.__init__)
    for name, constraints in owner._parameter_constraints.items():
        options = [one.options for one in constraints if isinstance(one, StrOptions)]
        assert strings_in(hints[name]) == set().union(*options), name


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fitted_attributes_have_types_and_no_values(name):
    estimator = getattr(sklearn_ae, name)
    section = inspect.getdoc(estimator).partition("\nAttributes\n")[2].partition("\nSee Also\n")[0]
    lines = re.findall(r"^(\w.*) : ", section, re.MULTILINE)
    documented = {attribute for line in lines for attribute in line.split(", ")}
    properties = {one for one in documented if hasattr(estimator, one)}
    assert properties <= {"net_", "network_"}
    typed = {one for one in typing.get_type_hints(estimator) if not one.startswith("_")}
    assert typed == documented - properties


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
