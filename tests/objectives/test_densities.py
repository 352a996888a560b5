"""Densities and divergences against torch.distributions."""

import math

import pytest
import torch
from torch import distributions
from torch.testing import assert_close

from sklearn_ae.objectives import (
    bernoulli_log_density,
    categorical_log_density,
    gaussian_kl,
    gaussian_log_density,
    gaussian_posterior_log_density,
    laplace_log_density,
    poisson_log_density,
    standard_normal_log_density,
)
from sklearn_ae.objectives.links import SoftmaxLink


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def draw(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_gaussian_kl_equals_torch_distributions(generator):
    mean, log_variance = draw(generator, 9, 4), 2 * draw(generator, 9, 4)
    expected = distributions.kl_divergence(
        distributions.Normal(mean, torch.exp(log_variance / 2)),
        distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean)),
    )
    assert_close(gaussian_kl(mean, log_variance), expected)


def test_gaussian_kl_does_not_cancel_near_the_prior():
    log_variance = torch.tensor([[1e-6]], dtype=torch.float64)
    # 1/2 (exp(v) - 1 - v) = v**2 / 4 + O(v**3)
    found = gaussian_kl(torch.zeros(1, 1, dtype=torch.float64), log_variance)
    assert_close(found, log_variance**2 / 4, rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("per_feature", [False, True])
def test_gaussian_log_density_equals_torch_distributions(per_feature, generator):
    x, mean = draw(generator, 6, 3), draw(generator, 6, 3)
    log_variance = draw(generator, 3) if per_feature else draw(generator, 1)[0]
    expected = distributions.Normal(mean, torch.exp(log_variance / 2)).log_prob(x).sum(-1)
    assert_close(gaussian_log_density(x, mean, log_variance), expected)


@pytest.mark.parametrize("per_feature", [False, True])
def test_gaussian_log_density_broadcasts_over_draws(per_feature, generator):
    x, mean = draw(generator, 6, 3), draw(generator, 5, 6, 3)
    log_variance = draw(generator, 3) if per_feature else draw(generator, 1)[0]
    expected = distributions.Normal(mean, torch.exp(log_variance / 2)).log_prob(x).sum(-1)
    found = gaussian_log_density(x, mean, log_variance)
    assert found.shape == (5, 6)
    assert_close(found, expected)


def test_standard_normal_log_density_equals_torch_distributions(generator):
    z = draw(generator, 5, 6, 3)
    expected = distributions.Normal(torch.zeros_like(z), 1.0).log_prob(z).sum(-1)
    assert_close(standard_normal_log_density(z), expected)


def test_posterior_log_density_equals_that_of_the_draw(generator):
    mean, log_variance, noise = (draw(generator, 6, 3) for _ in range(3))
    std = torch.exp(log_variance / 2)
    expected = distributions.Normal(mean, std).log_prob(mean + std * noise).sum(-1)
    assert_close(gaussian_posterior_log_density(noise, log_variance), expected)


def test_bernoulli_log_density_equals_torch_distributions(generator):
    logits = 3 * draw(generator, 8, 5)
    x = (draw(generator, 8, 5) > 0).double()
    expected = distributions.Bernoulli(logits=logits).log_prob(x).sum(-1)
    assert_close(bernoulli_log_density(x, logits), expected)


def test_categorical_log_density_equals_torch_distributions(generator):
    logits = 2 * draw(generator, 8, 6)
    first = torch.randint(2, (8,), generator=generator)
    second = torch.randint(4, (8,), generator=generator)
    x = torch.cat([torch.eye(2)[first], torch.eye(4)[second]], dim=1).double()
    expected = distributions.Categorical(logits=logits[:, :2]).log_prob(first)
    expected += distributions.Categorical(logits=logits[:, 2:]).log_prob(second)
    assert_close(categorical_log_density(x, logits, SoftmaxLink((2, 4))), expected)


@pytest.mark.parametrize("per_feature", [False, True])
@pytest.mark.parametrize("shape", [(6, 3), (5, 6, 3)], ids=["rows", "draws"])
def test_laplace_log_density_equals_torch_distributions(shape, per_feature, generator):
    x, location = draw(generator, 6, 3), draw(generator, *shape)
    log_scale = draw(generator, 3) if per_feature else draw(generator, 1)[0]
    expected = distributions.Laplace(location, log_scale.exp()).log_prob(x).sum(-1)
    found = laplace_log_density(x, location, log_scale)
    assert found.shape == shape[:-1]
    assert_close(found, expected)


@pytest.mark.parametrize("shape", [(6, 3), (5, 6, 3)], ids=["rows", "draws"])
def test_poisson_log_density_equals_torch_distributions(shape, generator):
    log_rate = draw(generator, *shape)
    x = torch.poisson(4 * torch.rand(6, 3, generator=generator, dtype=torch.float64), generator)
    expected = distributions.Poisson(log_rate.exp()).log_prob(x).sum(-1)
    assert_close(poisson_log_density(x, log_rate), expected)
    assert (x == 0).any() and (x > 3).any()


@pytest.mark.parametrize("count", [0.0, 0.5, 1.0, 2.5, 30.0])
def test_poisson_log_density_of_no_whole_number_has_the_gamma_function(count):
    log_rate = torch.tensor([[0.7]], dtype=torch.float64)
    expected = count * 0.7 - math.exp(0.7) - math.lgamma(count + 1)
    found = poisson_log_density(torch.full_like(log_rate, count), log_rate)
    assert_close(found.item(), expected)
