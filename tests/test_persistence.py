"""Saved in one process and opened in another, and what the state holds."""

import copy
import itertools
import json
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
import skorch
import torch
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_ae
from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from tests.checks import assert_same, results
from tests.instances import CASES, curve, small

# A cached fit of a case may warn as it does in the checks.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def fitted():
    """An autoencoder, trained."""
    return small(early_stopping=False, random_state=0).fit(curve())


READ = """
import json, pickle, sys
import joblib, numpy as np, skops.io, torch

torch.set_num_threads(int(sys.argv[1]))
loaded = []
for kind, path, data, target in json.loads(sys.argv[2]):
    if kind == "pickle":
        with open(path, "rb") as file:
            estimator = pickle.load(file)
    elif kind == "joblib":
        estimator = joblib.load(path)
    else:
        estimator = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    loaded.append((estimator, data, target))

from tests.checks import results

for estimator, data, target in loaded:
    np.savez(target, **results(estimator, **np.load(data)))
"""


def write(kind, estimator, path):
    if kind == "pickle":
        path.write_bytes(pickle.dumps(estimator))
    elif kind == "joblib":
        joblib.dump(estimator, path)
    else:
        skops.io.dump(estimator, path)


def test_round_trip_in_a_new_process(tmp_path):
    generator = small(random_state=np.random.RandomState(3)).fit(curve())
    pipeline = make_pipeline(StandardScaler(), small(early_stopping=False)).fit(curve())
    saved = [(case.fitted, case.arguments) for case in CASES]
    saved += [(one, {"X": curve()}) for one in (generator, pipeline)]
    jobs, expected = [], []
    for (number, (estimator, data)), kind in itertools.product(
        enumerate(saved), ("pickle", "joblib", "skops")
    ):
        path = tmp_path / f"{number}.{kind}"
        write(kind, estimator, path)
        np.savez(tmp_path / f"{number}.npz", **data)
        jobs.append((kind, str(path), str(tmp_path / f"{number}.npz"), f"{path}.npz"))
        expected.append(results(estimator, **data))
    command = [sys.executable, "-W", "error", "-c", READ, str(torch.get_num_threads())]
    root = Path(__file__).parents[1]
    subprocess.run([*command, json.dumps(jobs)], check=True, timeout=300, cwd=root)
    for (*_, target), arrays in zip(jobs, expected, strict=True):
        with np.load(target) as found:
            assert_same({**found}, arrays)


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


def test_training_data_are_not_in_the_state():
    X = np.random.default_rng(0).normal(size=(5000, 10))
    sizes = [
        len(pickle.dumps(Autoencoder(2, hidden_layer_sizes=(8,), max_iter=1).fit(X[:n])))
        for n in (500, 5000)
    ]
    assert sizes[1] - sizes[0] < 1000


def test_versions_are_recorded(fitted):
    text = repr(sorted(map(str, strings_in(fitted.__getstate__()))))
    assert sklearn_ae.__version__ in text
    assert sklearn.__version__ in text
    assert torch.__version__ in text


def strings_in(value):
    if isinstance(value, dict):
        return [s for item in value.values() for s in strings_in(item)]
    if isinstance(value, list | tuple):
        return [s for item in value for s in strings_in(item)]
    return [value] if isinstance(value, str) else []


def test_net_is_at_hand_after_fit(fitted):
    assert isinstance(fitted.net_, skorch.NeuralNet)
    assert len(fitted.net_.history) == fitted.n_iter_


@pytest.mark.parametrize("attribute", ["network_", "net_"])
def test_properties_of_an_unfitted_estimator_raise(attribute):
    estimator = Autoencoder()
    assert not hasattr(estimator, attribute)
    with pytest.raises((NotFittedError, AttributeError)):
        getattr(estimator, attribute)


def test_network_is_rebuilt_from_the_state(fitted):
    network = fitted.network_
    assert not network.training
    expected = fitted.transform(curve())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert_array_equal(fitted.transform(curve()), expected)


def test_weights_can_be_written_after_a_round_trip(fitted):
    estimator = pickle.loads(pickle.dumps(fitted))
    codes = estimator.set_params(warm_start=True).fit(curve()).transform(curve())
    assert np.isfinite(codes).all()


def identity_factory(n_features, n_components):
    return (
        torch.nn.Linear(n_features, n_components),
        torch.nn.Sequential(torch.nn.Linear(n_components, n_features)),
    )


def test_a_users_architecture_round_trips():
    estimator = Autoencoder(2, architecture=identity_factory, max_iter=3).fit(curve())
    for twin in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        assert_same(results(twin, curve()), results(estimator, curve()))


def test_unfitted_estimators_round_trip():
    twin = pickle.loads(pickle.dumps(small()))
    with pytest.raises(NotFittedError):
        twin.transform(curve())
    assert repr(twin) == repr(small())
