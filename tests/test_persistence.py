"""Pickle, joblib and skops round trips, in another process, and what the state holds."""

import copy
import json
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import skops.io
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.code_activations import KSparse
from sklearn_ae.corruptions import Compose, GaussianNoise, SwapNoise
from sklearn_ae.likelihoods import Bernoulli, Gaussian
from sklearn_ae.penalties import L1, Contractive

UNPOOLING = Convolutional(
    (3, 3), channels=(2,), downsampling="max_pool", upsampling="max_unpool", normalization="batch"
)
SMALL = {"hidden_layer_sizes": (16, 8), "max_iter": 4, "random_state": 0}
ESTIMATORS = {
    "start": Autoencoder(3, max_iter=0),
    "trained": Autoencoder(3, early_stopping=False, **SMALL),
    "parts": Autoencoder(
        3, penalty=L1(0.1), corruption=GaussianNoise(0.1), code_activation="relu",
        early_stopping=False, **SMALL,
    ),
    "random": Autoencoder(3, init="random", whiten=True, learning_rate="constant", **SMALL),
    "generator": Autoencoder(3, **{**SMALL, "random_state": np.random.RandomState(3)}),
    "vae start": VariationalAutoencoder(3, max_iter=0),
    "vae": VariationalAutoencoder(3, early_stopping=False, **SMALL),
    "vae importance": VariationalAutoencoder(
        3, n_importance_samples=3, likelihood=Gaussian("per_feature"), early_stopping=False, **SMALL
    ),
    "vae bernoulli": VariationalAutoencoder(
        3, likelihood=Bernoulli(binarize="dynamic"), early_stopping=False, **SMALL
    ),
    "sparse": Autoencoder(
        3, code_activation=KSparse(2), penalty=Contractive(0.1),
        corruption=Compose([SwapNoise(0.1), "gaussian"]), early_stopping=False, **SMALL,
    ),
    "images": Autoencoder(3, architecture=UNPOOLING, early_stopping=False, **SMALL),
    "images vae": VariationalAutoencoder(
        3, architecture=Convolutional((3, 3), channels=(2, 3)), early_stopping=False, **SMALL
    ),
    "convolutional start": Autoencoder(3, architecture=Convolutional((3, 3)), max_iter=0),
    "denoiser": Denoiser(corruption=GaussianNoise(0.3), **SMALL),
    "denoiser residual": Denoiser(3, mode="residual", early_stopping=False, **SMALL),
    "images denoiser": Denoiser(architecture=UNPOOLING, early_stopping=False, **SMALL),
    "pipeline": make_pipeline(StandardScaler(), Autoencoder(3, early_stopping=False, **SMALL)),
}  # fmt: skip

over_estimators = pytest.mark.parametrize("name", ESTIMATORS)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(80, 4)) @ rng.normal(size=(4, 9)) > 0).astype(float)


@pytest.fixture(scope="module")
def fitted(X):
    images = X.reshape(-1, 3, 3)
    return {
        name: clone(estimator).fit(images if "images" in name.split() else X)
        for name, estimator in ESTIMATORS.items()
    }


def outputs(estimator, X):
    codes = estimator.transform(X)
    found = {"transform": codes}
    if hasattr(estimator, "inverse_transform"):
        found["inverse"] = estimator.inverse_transform(codes)
    found["score"] = np.asarray(estimator.score(X))
    if hasattr(estimator, "sample"):
        found["score_samples"] = estimator.score_samples(X)
        found["sample"] = estimator.sample(5, random_state=0)
        found["std"] = estimator.encode_distribution(X)[1]
    return found


READ = """
import json, sys
import joblib, pickle, skops.io, torch
import numpy as np

torch.set_num_threads(int(sys.argv[1]))
X = np.load(sys.argv[2])
for kind, path, target in json.loads(sys.argv[3]):
    if kind == "pickle":
        with open(path, "rb") as file:
            estimator = pickle.load(file)
    elif kind == "joblib":
        estimator = joblib.load(path)
    else:
        estimator = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    codes = estimator.transform(X)
    found = {"transform": codes}
    if hasattr(estimator, "inverse_transform"):
        found["inverse"] = estimator.inverse_transform(codes)
    found["score"] = np.asarray(estimator.score(X))
    if hasattr(estimator, "sample"):
        found["score_samples"] = estimator.score_samples(X)
        found["sample"] = estimator.sample(5, random_state=0)
        found["std"] = estimator.encode_distribution(X)[1]
    np.savez(target, **found)
"""


def write(kind, estimator, path):
    if kind == "pickle":
        path.write_bytes(pickle.dumps(estimator))
    elif kind == "joblib":
        joblib.dump(estimator, path)
    else:
        skops.io.dump(estimator, path)


def test_round_trip_in_a_new_process(fitted, X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    jobs = []
    for kind in ("pickle", "joblib", "skops"):
        for number, (name, estimator) in enumerate(fitted.items()):
            path = tmp_path / f"{number}.{kind}"
            write(kind, estimator, path)
            jobs.append((name, kind, str(path), f"{path}.npz"))
    command = [sys.executable, "-W", "error", "-c", READ, str(torch.get_num_threads())]
    paths = json.dumps([job[1:] for job in jobs])
    subprocess.run([*command, tmp_path / "X.npy", paths], check=True, timeout=300)
    for name, kind, _, target in jobs:
        expected = outputs(fitted[name], X)
        with np.load(target) as found:
            assert found.keys() == expected.keys()
            for key in expected:
                assert_array_equal(found[key], expected[key], err_msg=f"{name} {kind} {key}")


@over_estimators
def test_skops_asks_for_our_own_classes_only(name, fitted, tmp_path):
    skops.io.dump(fitted[name], tmp_path / "model.skops")
    untrusted = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert untrusted
    assert [kind for kind in untrusted if not kind.startswith("sklearn_ae.")] == []


@over_estimators
def test_copies_are_equal_and_independent(name, fitted, X):
    expected = outputs(fitted[name], X)
    for twin in (copy.deepcopy(fitted[name]), copy.copy(fitted[name])):
        for key, value in outputs(twin, X).items():
            assert_array_equal(value, expected[key])
    twin = copy.deepcopy(fitted[name])
    twin.fit(X[:40] * 2 if "bernoulli" not in name else X[:40])
    for key, value in outputs(fitted[name], X).items():
        assert_array_equal(value, expected[key])


@over_estimators
def test_pickle_of_pickle_is_stable(name, fitted):
    once = pickle.dumps(fitted[name])
    twice = pickle.dumps(pickle.loads(once))
    assert abs(len(once) - len(twice)) < 200
    assert pickle.dumps(pickle.loads(twice)) == twice


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
def test_state_is_about_as_large_as_the_weights(cls):
    X = np.random.default_rng(0).normal(size=(300, 100))
    estimator = cls(
        5, hidden_layer_sizes=(200, 100), max_iter=2, early_stopping=False, random_state=0
    ).fit(X)
    weights = sum(4 * p.numel() for p in estimator.network_.parameters())
    # An optimiser's state would add twice the weights, the training data 240 kB.
    assert len(pickle.dumps(estimator)) < 1.4 * weights + 20_000
    assert len(pickle.dumps(cls().set_params(**estimator.get_params()))) < 3_000


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder])
def test_state_of_an_untrained_start_has_the_size_of_pca(cls):
    X = np.random.default_rng(0).normal(size=(300, 100))
    pca = len(pickle.dumps(PCA(5).fit(X)))
    assert len(pickle.dumps(cls(5, max_iter=0).fit(X))) < 4 * pca + 500_000


@pytest.mark.parametrize("name", ["images", "images vae"])
def test_shape_of_images_is_kept(name, fitted, X):
    twin = pickle.loads(pickle.dumps(fitted[name]))
    assert twin.reconstruct(X).shape == (80, 3, 3)
    assert_array_equal(twin.reconstruct(X), fitted[name].reconstruct(X))


def test_training_data_are_not_in_the_state():
    X = np.random.default_rng(0).normal(size=(5000, 10))
    sizes = [
        len(pickle.dumps(Autoencoder(2, hidden_layer_sizes=(8,), max_iter=1).fit(X[:n])))
        for n in (500, 5000)
    ]
    assert sizes[1] - sizes[0] < 1000


def test_a_newer_format_is_refused(fitted):
    state = fitted["trained"].__getstate__()
    keys = [key for key in state if "format_version" in key]
    assert len(keys) == 1
    state = {**state, keys[0]: state[keys[0]] + 1}
    with pytest.raises(ValueError, match=r"newer|format"):
        Autoencoder().__setstate__(state)


def test_versions_are_recorded(fitted):
    import sklearn

    import sklearn_ae

    text = repr(sorted(map(str, strings_in(fitted["trained"].__getstate__()))))
    assert sklearn_ae.__version__ in text
    assert sklearn.__version__ in text
    assert torch.__version__ in text


def strings_in(value):
    if isinstance(value, dict):
        return [s for item in value.values() for s in strings_in(item)]
    if isinstance(value, list | tuple):
        return [s for item in value for s in strings_in(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", ["trained", "vae", "start", "images", "denoiser"])
def test_net_is_lost_on_loading_and_history_is_not(name, fitted):
    estimator = pickle.loads(pickle.dumps(fitted[name]))
    with pytest.raises(AttributeError, match="net"):
        estimator.net_  # noqa: B018
    assert estimator.history_ == fitted[name].history_
    assert type(estimator.history_) is list
    assert len(estimator.history_) == len(estimator.loss_curve_)
    assert isinstance(estimator.network_, torch.nn.Module)


def test_net_is_at_hand_after_fit(X):
    import skorch

    estimator = Autoencoder(3, early_stopping=False, **SMALL).fit(X)
    assert isinstance(estimator.net_, skorch.NeuralNet)
    assert len(estimator.net_.history) == estimator.n_iter_


@pytest.mark.parametrize("attribute", ["network_", "net_"])
def test_properties_of_an_unfitted_estimator_raise(attribute):
    estimator = Autoencoder()
    assert not hasattr(estimator, attribute)
    with pytest.raises((NotFittedError, AttributeError)):
        getattr(estimator, attribute)


def test_network_is_rebuilt_from_the_state(fitted, X):
    network = fitted["trained"].network_
    assert not network.training
    expected = fitted["trained"].transform(X)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert_array_equal(fitted["trained"].transform(X), expected)


def test_weights_can_be_written_after_a_round_trip(fitted, X):
    estimator = pickle.loads(pickle.dumps(fitted["trained"]))
    codes = estimator.set_params(warm_start=True).fit(X).transform(X)
    assert np.isfinite(codes).all()


def identity_factory(n_features, n_components):
    return (
        torch.nn.Linear(n_features, n_components),
        torch.nn.Sequential(torch.nn.Linear(n_components, n_features)),
    )


def test_a_users_architecture_round_trips(X):
    estimator = Autoencoder(2, architecture=identity_factory, max_iter=3, random_state=0).fit(X)
    twin = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(twin.transform(X), estimator.transform(X))
    assert_array_equal(twin.reconstruct(X), estimator.reconstruct(X))


def test_unfitted_estimators_round_trip(X):
    twin = pickle.loads(pickle.dumps(ESTIMATORS["trained"]))
    with pytest.raises(NotFittedError):
        twin.transform(X)
    assert repr(twin) == repr(ESTIMATORS["trained"])
