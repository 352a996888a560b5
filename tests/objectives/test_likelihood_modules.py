"""Likelihoods as torch modules: densities, draws, and variances that are learnt or fixed."""

import pytest
import torch
from torch import distributions
from torch.testing import assert_close

from sklearn_ae.objectives.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    GaussianLikelihood,
    LaplaceLikelihood,
    PoissonLikelihood,
)

EQUAL = torch.full((6,), 2.0, dtype=torch.float64)
UNEQUAL = torch.linspace(0.3, 3, 6, dtype=torch.float64)
GROUPS = (2, 4)
N_DRAWS = 40_000


def normal(variance):
    return lambda output: distributions.Normal(output, variance.sqrt())


def laplace(variance):
    return lambda output: distributions.Laplace(output, (variance / 2).sqrt())


class OneHotGroups:
    """Categorical distributions side by side, one-hot."""

    def __init__(self, logits):
        self.groups = [
            distributions.OneHotCategorical(logits=group) for group in logits.split(GROUPS, -1)
        ]
        self.mean, self.variance = (
            torch.cat([getattr(group, name) for group in self.groups], -1)
            for name in ("mean", "variance")
        )

    def log_prob(self, x):
        parts = zip(self.groups, x.split(GROUPS, -1), strict=True)
        return torch.stack([group.log_prob(part) for group, part in parts], -1)


# Each likelihood with the distribution of torch for an output.
CASES = {
    "normal, learnt": (GaussianLikelihood(EQUAL), normal(EQUAL)),
    "normal, of the mean variance": (GaussianLikelihood(UNEQUAL), normal(UNEQUAL.mean())),
    "normal, learnt per feature": (GaussianLikelihood(UNEQUAL, per_feature=True), normal(UNEQUAL)),
    "normal, fixed": (GaussianLikelihood(EQUAL, learned=False), normal(EQUAL)),
    "normal, fixed per feature": (
        GaussianLikelihood(UNEQUAL, per_feature=True, learned=False), normal(UNEQUAL)
    ),
    "laplace, learnt": (LaplaceLikelihood(EQUAL), laplace(EQUAL)),
    "laplace, learnt per feature": (
        LaplaceLikelihood(UNEQUAL, per_feature=True), laplace(UNEQUAL)
    ),
    "laplace, fixed": (LaplaceLikelihood(EQUAL, learned=False), laplace(EQUAL)),
    "laplace, fixed per feature": (
        LaplaceLikelihood(UNEQUAL, per_feature=True, learned=False), laplace(UNEQUAL)
    ),
    "poisson": (PoissonLikelihood(), lambda output: distributions.Poisson(output.exp())),
    "bernoulli": (
        BernoulliLikelihood(), lambda output: distributions.Bernoulli(logits=output)
    ),
    "categorical": (CategoricalLikelihood(GROUPS), OneHotGroups),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", CASES)
NOISY = pytest.mark.parametrize("kind", [GaussianLikelihood, LaplaceLikelihood])


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def draw(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@EVERY
def test_density_of_a_likelihood_equals_torch_distributions(name, generator):
    likelihood, distribution = CASES[name]
    output, other = 1.5 * draw(generator, 9, 6), 1.5 * draw(generator, 9, 6)
    # data that another output has drawn
    x = likelihood.sample(other, generator)
    expected = distribution(output).log_prob(x).sum(-1)
    assert expected.shape == (9,)
    assert_close(likelihood.log_density(output, x), expected)


@EVERY
def test_density_of_a_likelihood_is_that_of_float32_too(name, generator):
    likelihood, distribution = CASES[name]
    output = draw(generator, 9, 6)
    x = likelihood.sample(output, generator).float()
    found = likelihood.log_density(output.float(), x)
    expected = distribution(output).log_prob(x.double()).sum(-1)
    assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


@EVERY
def test_density_of_a_likelihood_has_a_term_per_row(name, generator):
    likelihood, _ = CASES[name]
    output = draw(generator, 3, 5, 6)
    x = likelihood.sample(output[0], generator)
    assert likelihood.log_density(output, x).shape == (3, 5)
    assert_close(likelihood.log_density(output, x)[0], likelihood.log_density(output[0], x))


@EVERY
def test_mean_of_a_likelihood_equals_torch_distributions(name, generator):
    likelihood, distribution = CASES[name]
    output = draw(generator, 9, 6)
    assert_close(likelihood.mean(output), distribution(output).mean.expand(9, 6))


@EVERY
def test_draws_have_the_mean_and_the_variance_of_the_distribution(name, generator):
    likelihood, distribution = CASES[name]
    output = draw(generator, 1, 6)
    before = torch.get_rng_state()
    draws = likelihood.sample(output.expand(N_DRAWS, 6), generator).detach()
    assert torch.equal(torch.get_rng_state(), before)
    assert draws.shape == (N_DRAWS, 6) and draws.dtype == torch.float64
    expected = distribution(output)
    mean, variance = expected.mean[0], expected.variance.expand(1, 6)[0]
    error = (variance / N_DRAWS).sqrt()
    assert ((draws.mean(0) - mean).abs() < 4.5 * error).all()
    squares = (draws - mean).square()
    error = squares.std(0) / N_DRAWS**0.5
    assert ((squares.mean(0) - variance).abs() < 4.5 * error).all()


@EVERY
def test_draws_of_a_likelihood_are_independent_and_repeat(name, generator):
    likelihood, _ = CASES[name]
    output = draw(generator, 1, 6).expand(N_DRAWS, 6)
    first, again, other = (
        likelihood.sample(output, torch.Generator().manual_seed(seed)).detach()
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    centred = (first - first.mean(0)) / first.std(0)
    correlation = centred.T @ centred / N_DRAWS
    if name == "categorical":  # within a group one value excludes the others
        correlation = correlation[:2, 2:]
        expected = torch.zeros(2, 4)
    else:
        expected = torch.eye(6)
    assert_close(correlation, expected.double(), rtol=0, atol=4.5 / N_DRAWS**0.5)


# Variances


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("per_feature", [False, True])
@NOISY
def test_variance_starts_where_it_is_told(kind, per_feature, learned):
    likelihood = kind(UNEQUAL, per_feature=per_feature, learned=learned)
    expected = UNEQUAL if per_feature else UNEQUAL.mean()
    assert likelihood.log_variance.shape == expected.shape
    assert_close(likelihood.log_variance.exp(), expected)
    # what is fixed is neither a parameter nor part of the state: the part makes it each time
    assert [p.numel() for p in likelihood.parameters()] == [expected.numel()] * learned
    first = torch.ones_like(UNEQUAL) if learned else UNEQUAL
    twin = kind(first, per_feature=per_feature, learned=learned)
    twin.load_state_dict(likelihood.state_dict())
    assert torch.equal(twin.log_variance, likelihood.log_variance)


@NOISY
def test_one_variance_of_equal_ones_is_exact(kind):
    variance = torch.full((7,), 0.1, dtype=torch.float64)
    likelihood = kind(variance, learned=False)
    assert torch.equal(likelihood.log_variance, variance[0].log())


@pytest.mark.parametrize("per_feature", [False, True])
@NOISY
def test_density_is_greatest_at_the_variance_of_the_errors(kind, per_feature, generator):
    """The mean square of normal errors, twice the squared mean size of those of Laplace."""
    errors = draw(generator, 50, 6) * UNEQUAL
    over = 0 if per_feature else (0, 1)
    if kind is GaussianLikelihood:
        best = errors.square().mean(over)
    else:
        best = 2 * errors.abs().mean(over) ** 2

    def gradient(variance):
        likelihood = kind(variance.expand(6), per_feature=per_feature)
        likelihood.log_density(torch.zeros(50, 6).double(), errors).sum().backward()
        return likelihood.scaled_log_excess.grad

    assert_close(gradient(best), torch.zeros_like(best), rtol=0, atol=1e-6)
    assert (gradient(0.9 * best) > 1).all() and (gradient(1.1 * best) < -1).all()


@NOISY
def test_variance_has_a_floor_in_training(kind):
    likelihood = kind(torch.tensor([1e-12, 1e-9, 1e-3, 1.0]), per_feature=True)
    likelihood.bound_below()
    variance = likelihood.log_variance.exp()
    assert_close(variance, torch.tensor([1e-6, 1e-6, 1e-3, 1.0]), rtol=2e-3, atol=0)
    with torch.no_grad():
        for parameter in likelihood.parameters():
            parameter.fill_(-1e3)
    assert_close(likelihood.log_variance.exp(), torch.full((4,), 1e-6), rtol=1e-4, atol=0)


@pytest.mark.parametrize("variance", [1e-12, 1e-9, 1e-7, 1e-6, 1e-5])
@NOISY
def test_variance_of_a_start_is_exact_below_the_floor(kind, variance):
    likelihood = kind(torch.full((3,), variance, dtype=torch.float64))
    assert_close(likelihood.log_variance.exp().item(), variance, rtol=1e-6, atol=0)


@NOISY
def test_variance_that_is_fixed_has_no_floor(kind):
    variance = torch.tensor([1e-12, 1.0], dtype=torch.float64)
    likelihood = kind(variance, per_feature=True, learned=False)
    assert_close(likelihood.log_variance.exp(), variance, rtol=1e-12, atol=0)


@NOISY
def test_density_of_noise_is_normalised(kind):
    grid = torch.linspace(-40, 40, 80_001, dtype=torch.float64)[:, None]
    likelihood = kind(torch.tensor([1.3], dtype=torch.float64))
    density = likelihood.log_density(torch.full((1, 1), 0.4).double(), grid).exp()
    assert_close(torch.trapezoid(density, grid[:, 0]).item(), 1.0, rtol=1e-6, atol=0.0)


def test_density_of_counts_is_normalised():
    counts = torch.arange(100, dtype=torch.float64)[:, None]
    density = PoissonLikelihood().log_density(torch.full((1, 1), 1.7).double(), counts).exp()
    assert_close(density.sum().item(), 1.0, rtol=1e-12, atol=0.0)


# Kinds of data


def test_dynamic_binarisation_draws_anew_with_the_given_chances(generator):
    x = torch.tensor([[0.0, 0.2, 0.7, 1.0]]).expand(20_000, 4)
    likelihood = BernoulliLikelihood(binarize="dynamic")
    first, second = (likelihood.draw_target(x, generator) for _ in range(2))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert_close(first.mean(0), x[0], rtol=0, atol=0.015)
    assert not torch.equal(first, second)
    assert BernoulliLikelihood().draw_target(x, generator) is x


def test_bernoulli_draws_are_binary_and_counts_are_whole(generator):
    output = draw(generator, 500, 6)
    assert set(BernoulliLikelihood().sample(output, generator).unique().tolist()) == {0.0, 1.0}
    counts = PoissonLikelihood().sample(output, generator)
    assert torch.equal(counts, counts.round()) and counts.min() == 0 < counts.max()


@pytest.mark.parametrize("group_sizes, widths", [((2, 4), (2, 4)), (3, (3, 3)), (None, (6,))])
def test_categorical_draws_are_one_hot_in_each_group(group_sizes, widths, generator):
    draws = CategoricalLikelihood(group_sizes).sample(draw(generator, 50, 6), generator)
    for group in draws.split(widths, dim=1):
        assert_close(group.sum(1), torch.ones(50).double())
    assert set(draws.unique().tolist()) == {0.0, 1.0}
