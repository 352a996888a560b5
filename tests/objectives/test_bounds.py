"""The evidence bounds on a linear Gaussian model, whose likelihood is known."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from sklearn_ae._training import Batch
from sklearn_ae.networks import LinearPath, VariationalNetwork
from sklearn_ae.objectives import importance_weighted_bound, make_link
from sklearn_ae.objectives.likelihoods import GaussianLikelihood
from sklearn_ae.tasks import EvidenceBoundTask
from sklearn_ae.tasks.evidence_bound import log_importance_weights

NOISE = 0.5  # standard deviation of the noise
IDENTITY = make_link("identity")
WEIGHTS = np.array([[1.5, 0.0], [0.3, -0.8], [-0.6, 0.4]])


class Zero(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        return x.new_zeros(len(x), self.width)


def linear_model(shift=0.0, widen=1.0):
    """Probabilistic PCA with q(z|x) exact but for a shifted mean and a wider spread.

    The posterior of two components is diagonal when the columns of the weights are orthogonal,
    which a rotation of the code achieves.
    """
    left, singular, _ = np.linalg.svd(WEIGHTS, full_matrices=False)
    weights = left * singular
    precision = singular**2 / NOISE**2 + 1
    linear = LinearPath(3, 2)
    network = VariationalNetwork(
        Zero(4), Zero(3), torch.from_numpy(np.log(widen**2 / precision)), linear=linear
    ).double()
    with torch.no_grad():
        linear.encoder.copy_(torch.from_numpy((weights / NOISE**2 / precision).T * (1 + shift)))
        linear.decoder.copy_(torch.from_numpy(weights))
    return network, GaussianLikelihood(torch.full((3,), NOISE**2, dtype=torch.float64))


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(4, 2)) @ WEIGHTS.T + NOISE * rng.normal(size=(4, 3))
    return torch.from_numpy(data)


def exact(x):
    covariance = WEIGHTS @ WEIGHTS.T + NOISE**2 * np.eye(3)
    return multivariate_normal(np.zeros(3), covariance).logpdf(x.numpy())


def bound(model, x, n_samples, seed):
    network, likelihood = model
    with torch.no_grad():
        mean, log_variance = network.encode_distribution(x)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(n_samples, *mean.shape, generator=generator, dtype=torch.float64)
        weights = log_importance_weights(network, likelihood, x, mean, log_variance, noise)
        return weights, importance_weighted_bound(weights)


def test_bound_is_the_log_of_the_mean_weight():
    log_weights = torch.tensor([[0.0, -800.0], [math.log(3.0), -800.0]], dtype=torch.float64)
    assert_allclose(importance_weighted_bound(log_weights).numpy(), [math.log(2.0), -800.0])


def test_exact_posterior_gives_the_likelihood_from_one_draw(x):
    """p(x, z) / q(z | x) is p(x) for every z when q is the posterior."""
    weights, _ = bound(linear_model(), x, 7, seed=0)
    assert_allclose(weights.numpy(), np.tile(exact(x), (7, 1)), rtol=1e-10)


def test_bound_rises_with_the_number_of_samples_to_the_likelihood(x):
    model = linear_model(shift=0.3, widen=1.6)
    means = []
    for n_samples in (1, 2, 5, 20, 100):
        values = np.array([bound(model, x, n_samples, seed)[1].mean() for seed in range(200)])
        means.append(values.mean())
    assert (np.diff(means) > 0).all()
    assert means[0] < exact(x).mean() - 0.1
    assert means[-1] <= exact(x).mean() + 0.01


def test_5000_samples_meet_the_likelihood(x):
    log_weights, found = bound(linear_model(shift=0.3, widen=1.6), x, 5000, seed=0)
    ratio = np.exp(log_weights.numpy() - exact(x))
    # The delta method: the error of log(mean ratio) near 1 is that of the mean.
    error = ratio.std(axis=0) / math.sqrt(5000)
    assert error.max() < 0.1
    assert (np.abs(found.numpy() - exact(x)) < 4 * error).all()


def objective(model, x, seed, **kwargs):
    task = EvidenceBoundTask(*model, IDENTITY, **kwargs).double()
    with torch.no_grad():
        return task(Batch(x), torch.Generator().manual_seed(seed))


def test_task_with_the_exact_posterior_is_minus_the_likelihood_on_average(x):
    values = np.array(
        [sum(objective(linear_model(), x, seed).values()).numpy() for seed in range(2000)]
    )
    error = values.std(axis=0) / math.sqrt(2000)
    assert (np.abs(values.mean(axis=0) + exact(x)) < 4.5 * error).all()


def test_task_with_many_samples_is_minus_the_likelihood(x):
    terms = objective(linear_model(), x, 0, n_importance_samples=6)
    assert set(terms) == {"bound"}
    assert_allclose(terms["bound"].numpy(), -exact(x), rtol=1e-10)


def test_beta_multiplies_the_divergence_only(x):
    one, four = (objective(linear_model(), x, 0, beta=beta) for beta in (1.0, 4.0))
    assert_allclose(four["kl"].numpy(), 4 * one["kl"].numpy())
    assert_allclose(four["reconstruction"].numpy(), one["reconstruction"].numpy())
    assert one["kl"].shape == one["reconstruction"].shape == (4,)


def test_warm_up_raises_the_weight_to_beta_over_its_epochs():
    task = EvidenceBoundTask(*linear_model(), IDENTITY, beta=2.0, kl_warm_up=4)
    weights = []
    for epoch in range(6):
        task.begin_epoch(epoch)
        weights.append(task.kl_weight.item())
    assert_allclose(weights, [0.0, 0.5, 1.0, 1.5, 2.0, 2.0])


def test_warm_up_does_not_enter_evaluation(x):
    task = EvidenceBoundTask(*linear_model(), IDENTITY, kl_warm_up=10).double()
    task.begin_epoch(1)
    with torch.no_grad():
        training = task.train()(Batch(x), torch.Generator().manual_seed(0))["kl"]
        evaluation = task.eval()(Batch(x), torch.Generator().manual_seed(0))["kl"]
    assert_allclose(10 * training.numpy(), evaluation.numpy(), rtol=1e-6)
