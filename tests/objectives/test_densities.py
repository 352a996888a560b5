"""Densities, likelihoods and divergences against torch.distributions."""

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
    standard_normal_log_density,
)
from sklearn_ae.objectives.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    GaussianLikelihood,
)


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
    assert_close(categorical_log_density(x, logits, (2, 4)), expected)


def likelihoods():
    return {
        "scalar": GaussianLikelihood(torch.tensor(2.0, dtype=torch.float64)),
        "per feature": GaussianLikelihood(torch.linspace(0.3, 3, 6, dtype=torch.float64)),
        "bernoulli": BernoulliLikelihood(),
        "categorical": CategoricalLikelihood((2, 4)),
    }


@pytest.mark.parametrize("name", likelihoods())
def test_draws_have_the_mean_that_is_reported(name, generator):
    likelihood = likelihoods()[name]
    output = draw(generator, 1, 6)
    draws = likelihood.sample(output.expand(40_000, 6), generator)
    error = draws.std(0) / 200
    assert ((draws.mean(0) - likelihood.mean(output)[0]).abs() < 4.5 * error).all()


@pytest.mark.parametrize("name", likelihoods())
def test_density_of_a_module_has_a_term_per_row(name, generator):
    likelihood = likelihoods()[name]
    output = draw(generator, 3, 5, 6)
    x = likelihood.sample(output[0], generator)
    assert likelihood.log_density(output, x).shape == (3, 5)
    assert_close(likelihood.log_density(output, x)[0], likelihood.log_density(output[0], x))


def test_variance_of_gaussian_draws(generator):
    variance = torch.tensor([0.1, 1.0, 7.0], dtype=torch.float64)
    likelihood = GaussianLikelihood(variance)
    assert_close(likelihood.log_variance, variance.log())
    draws = likelihood.sample(torch.zeros(40_000, 3).double(), generator)
    assert_close(draws.var(0), variance, rtol=0.05, atol=0.0)


def test_gaussian_density_is_normalised():
    grid = torch.linspace(-30, 30, 6001, dtype=torch.float64)[:, None]
    likelihood = GaussianLikelihood(torch.tensor(1.3, dtype=torch.float64))
    density = likelihood.log_density(torch.full((1, 1), 0.4).double(), grid).exp()
    assert_close(torch.trapezoid(density, grid[:, 0]).item(), 1.0, rtol=1e-6, atol=0.0)


def test_variance_has_a_floor():
    likelihood = GaussianLikelihood(torch.tensor([0.0, 1e-9, 1e-3, 1.0]))
    variance = likelihood.log_variance.exp()
    assert_close(variance, torch.tensor([1e-6, 1e-6, 1e-3, 1.0]), rtol=2e-3, atol=0)
    with torch.no_grad():
        for parameter in likelihood.parameters():
            parameter.fill_(-1e3)
    assert_close(likelihood.log_variance.exp(), torch.full((4,), 1e-6), rtol=1e-4, atol=0)


def test_dynamic_binarisation_draws_anew_with_the_given_chances(generator):
    x = torch.tensor([[0.0, 0.2, 0.7, 1.0]]).expand(20_000, 4)
    likelihood = BernoulliLikelihood(binarize="dynamic")
    first, second = (likelihood.draw_target(x, generator) for _ in range(2))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert_close(first.mean(0), x[0], rtol=0, atol=0.015)
    assert not torch.equal(first, second)
    assert BernoulliLikelihood().draw_target(x, generator) is x


def test_categorical_draws_are_one_hot_in_each_group(generator):
    draws = CategoricalLikelihood((2, 4)).sample(draw(generator, 50, 6), generator)
    assert_close(draws[:, :2].sum(1), torch.ones(50).double())
    assert_close(draws[:, 2:].sum(1), torch.ones(50).double())
    assert set(draws.unique().tolist()) == {0.0, 1.0}
