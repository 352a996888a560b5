"""Limits on outputs: the identity at the start, a bend outside them after training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae.networks import OutputLimits
from sklearn_ae.utils._pca_start import table_moments

INF = np.inf


def limits_of(column, weight=None):
    moments = table_moments(np.asarray(column, dtype=float)[:, None], weight)
    return None if moments.limits is None else moments.limits[:, 0].tolist()


def rectified(n_samples=300, seed=0):
    """Rectified mixtures of two sources: about half of the values are zero."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(2, 12))
    return np.maximum(generator.normal(size=(n_samples, 2)) @ mixing, 0.0)


def test_limits_are_the_identity_before_training():
    limits = OutputLimits(torch.tensor([-1.0, -INF]), torch.tensor([1.0, INF])).double()
    x = torch.linspace(-3, 3, 14, dtype=torch.float64).reshape(7, 2)
    assert_allclose(limits(x).detach(), x, rtol=1e-15)


def test_limits_bend_outside_and_never_flatten():
    limits = OutputLimits(torch.tensor([-1.0, -INF]), torch.tensor([1.0, INF]))
    with torch.no_grad():
        limits.bend.fill_(100.0)
    x = torch.tensor([[-3.0, -3.0], [0.5, 0.5], [2.0, 2.0]])
    expected = [[-1.02, -3.0], [0.5, 0.5], [1.01, 2.0]]
    assert_allclose(limits(x).detach(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.arange(500.0), None),  # both ends are met once
        (np.r_[np.zeros(20), np.arange(480.0)], [0.0, INF]),
        (np.r_[np.zeros(250), np.ones(250)], [0.0, 1.0]),  # an indicator
        (np.r_[np.zeros(9), np.arange(1.0, 41.0)], None),  # a large share, but too few rows
        (np.r_[np.zeros(20), np.arange(1.0, 4981.0)], None),  # many rows, but a small share
    ],
)
def test_a_range_ends_where_enough_rows_lie(column, expected):
    assert limits_of(column) == expected


def test_limits_count_weights_as_repeated_rows():
    column, repeats = np.arange(40.0), np.r_[30, np.ones(39, dtype=int)]
    repeated = limits_of(np.repeat(column, repeats))
    assert repeated == limits_of(column, repeats.astype(float)) == [0.0, INF]


def test_limits_are_found_across_chunks(monkeypatch):
    X = rectified()
    whole = table_moments(X).limits
    monkeypatch.setattr("sklearn_ae.utils._pca_start.CHUNK_NUMBERS", 50)
    assert_array_equal(table_moments(X).limits, whole)
    assert_array_equal(whole[0], np.zeros(12))


def test_the_start_is_pca_with_limits_too():
    X = rectified()
    estimator = Autoencoder(2, max_iter=0).fit(X)
    assert estimator.network_.limits is not None
    pca = PCA(2).fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    assert_allclose(estimator.reconstruct(X), expected, atol=1e-12)


def test_trained_outputs_stay_near_the_limits():
    X, test = rectified(), rectified(seed=1)
    estimator = Autoencoder(2, max_iter=100, learning_rate_init=1e-2, random_state=0).fit(X)
    start = Autoencoder(2, max_iter=0).fit(X)
    assert estimator.network_.limits.bend > 0.1
    below = -np.minimum(estimator.reconstruct(test), 0).sum()
    assert below < 0.2 * -np.minimum(start.reconstruct(test), 0).sum()


@pytest.mark.parametrize(
    "kwargs",
    [{"hidden_layer_sizes": ()}, {"activation": "identity"}, {"init": "random"}],
)
def test_linear_and_plain_networks_have_no_limits(kwargs):
    estimator = Autoencoder(2, max_iter=1, random_state=0, **kwargs).fit(rectified())
    assert estimator.network_.limits is None


def test_data_without_limits_get_none():
    X = np.random.default_rng(0).normal(size=(60, 4))
    assert Autoencoder(2, max_iter=1, random_state=0).fit(X).network_.limits is None


def test_limits_outlive_going_on():
    X = rectified()
    estimator = Autoencoder(2, max_iter=2, warm_start=True, random_state=0).fit(X)
    limits = estimator._limits.copy()
    estimator.fit(X + 1.0)
    assert_array_equal(estimator._limits, limits)
    estimator.partial_fit(X)
    assert_array_equal(estimator._limits, limits)


def test_variational_autoencoder_has_limits_too():
    X = rectified()
    estimator = VariationalAutoencoder(2, max_iter=0).fit(X)
    assert estimator.network_.limits is not None
    assert_allclose(estimator.score(X), PCA(2).fit(X).score(X), rtol=1e-3)
