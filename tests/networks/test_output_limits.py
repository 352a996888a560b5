"""Limits on outputs: the identity at the start, a bend outside them after training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae._fitting.scaling import table_limits
from sklearn_ae.networks import OutputLimits

INF = np.inf


def rectified(n_samples=300, seed=0):
    """Rectified mixtures of two sources: about half of the values are zero."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(2, 12))
    return np.maximum(generator.normal(size=(n_samples, 2)) @ mixing, 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_limits_are_the_identity_before_training(dtype):
    limits = OutputLimits(np.array([[-1.0, -INF], [1.0, INF]])).to(dtype)
    x = torch.linspace(-3, 3, 14, dtype=dtype).reshape(7, 2).requires_grad_()
    assert torch.equal(limits(x), x)
    limits(x).square().sum().backward()
    assert_allclose(x.grad, 2 * x.detach())
    assert torch.isfinite(limits.bend.grad)


def test_limits_bend_outside_and_never_flatten():
    limits = OutputLimits(np.array([[-1.0, -INF], [1.0, INF]])).float()
    with torch.no_grad():
        limits.bend.fill_(100.0)
    x = torch.tensor([[-3.0, -3.0], [0.5, 0.5], [2.0, 2.0]])
    expected = [[-1.02, -3.0], [0.5, 0.5], [1.01, 2.0]]
    assert_allclose(limits(x).detach(), expected, rtol=1e-6)


def test_limits_say_nothing_of_what_is_farther_out_than_they_are_apart():
    limits = OutputLimits(np.array([[-1.0, 0.0, 5.0], [1.0, INF, 5.0]])).float()
    with torch.no_grad():
        limits.bend.fill_(100.0)
    x = torch.tensor([[200.0, 200.0, 5.0], [-200.0, -200.0, 205.0]])
    # no more is taken off than at the distance of the range; other limits are for every distance
    expected = [[200 - 1.98, 200.0, 5.0], [-200 + 1.98, -2.0, 7.0]]
    assert_allclose(limits(x).detach(), expected, rtol=1e-6)


def test_rows_far_from_those_seen_are_reconstructed_about_as_by_pca():
    """An indicator that `StandardScaler` has scaled by few ones."""
    X = np.random.default_rng(0).normal(size=(400, 5))
    X[:, 4] = X[:, 0] > 1.5
    X[:, 3] = X[:, 1] ** 2 + X[:, 2] + 0.01 * X[:, 3]
    X = StandardScaler().fit_transform(X)
    estimator = Autoencoder(4, max_iter=100, learning_rate_init=1e-2, random_state=0).fit(X)
    assert not estimator.start_kept_ and estimator.network_.limits.bend > 0.1
    far = X[:5].copy()
    far[:, 4] = 100.0
    assert_allclose(estimator.reconstruct(far)[:, 4], 100.0, atol=3.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_column_has_both_limits_at_its_value(dtype):
    X = np.c_[rectified(), np.full(300, 0.1)].astype(dtype)
    assert table_limits(X)[:, -1].tolist() == [dtype(0.1)] * 2
    estimator = Autoencoder(2, max_iter=3, random_state=0).fit(X)
    assert_allclose(estimator.reconstruct(X)[:, -1], 0.1, atol=1e-3)


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


@pytest.mark.parametrize(
    "estimator",
    [Autoencoder(2, loss="log_loss"), VariationalAutoencoder(2, likelihood="bernoulli")],
)
def test_logits_have_no_limits(estimator):
    X = (rectified() > 0).astype(float)
    assert estimator.set_params(max_iter=1).fit(X).network_.limits is None


def test_a_start_that_is_kept_is_pca_with_limits_too():
    X = np.random.default_rng(0).integers(0, 2, size=(60, 30)).astype(float)
    estimator = Autoencoder(2, random_state=0, max_iter=20).fit(X)
    assert estimator.start_kept_
    assert estimator.network_.limits is not None
    assert_allclose(estimator.transform(X), PCA(2).fit_transform(X), atol=1e-10)


def test_data_without_limits_get_none():
    X = np.random.default_rng(0).normal(size=(60, 4))
    assert Autoencoder(2, max_iter=1, random_state=0).fit(X).network_.limits is None


def test_limits_outlive_going_on():
    X = rectified()
    estimator = Autoencoder(2, max_iter=2, warm_start=True, random_state=0).fit(X)
    limits = estimator._fitted.scaling.limits.copy()
    for go_on, shift in ((estimator.fit, 1.0), (estimator.partial_fit, 2.0)):
        go_on(X + shift)
        assert_array_equal(estimator._fitted.scaling.limits, limits)
        network = estimator.network_
        ends = np.array([network.limits.lower, network.limits.upper])
        assert_allclose(ends * estimator.scale_ + estimator.mean_, limits, atol=1e-5)


def test_variational_autoencoder_has_limits_too():
    X = rectified()
    estimator = VariationalAutoencoder(2, max_iter=0).fit(X)
    assert estimator.network_.limits is not None
    assert_allclose(estimator.score(X), PCA(2).fit(X).score(X), rtol=1e-3)
