"""A user's own parts go through the same doors as those of the package, and these through all."""

import functools
import math
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.distributions import (
    Bernoulli,
    Exponential,
    Laplace,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    Poisson,
    StudentT,
)
from torch.nn import functional

from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder, losses
from sklearn_ae import likelihoods as shipped
from sklearn_ae.likelihoods import Likelihood
from sklearn_ae.objectives.links import SoftmaxLink

N_ROWS = 120
DEGREES = 4  # of freedom, of Student's t
TRIALS = 3  # of the negative binomial


def real():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(N_ROWS, 2)) @ rng.normal(size=(2, 4))
    return 5.0 + 3.0 * (plane + 0.3 * rng.standard_t(DEGREES, size=plane.shape))


def counts():
    rng = np.random.default_rng(0)
    rates = np.exp(0.8 * rng.normal(size=(N_ROWS, 2)) @ rng.normal(size=(2, 4)) + 1.0)
    return rng.poisson(np.minimum(rates, 50.0)).astype(float)


def binary():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(N_ROWS, 2)) @ rng.normal(size=(2, 4)) > 0).astype(float)


def positive():
    rng = np.random.default_rng(0)
    return rng.exponential(np.exp(rng.normal(size=(N_ROWS, 1)) @ rng.normal(size=(1, 4)))) + 0.01


def shares():
    rng = np.random.default_rng(0)
    return np.hstack([rng.dirichlet([1.0, 2.0], N_ROWS), rng.dirichlet([3.0, 1.0], N_ROWS)])


# Likelihoods that a user writes


class StudentTModule(nn.Module):
    """Student's t about the output, with a scale for each feature that is learnt."""

    def __init__(self, variance):
        super().__init__()
        self.log_scale = nn.Parameter(0.5 * torch.log(variance * (DEGREES - 2) / DEGREES))

    @property
    def log_variance(self):
        return 2.0 * self.log_scale + math.log(DEGREES / (DEGREES - 2))

    def log_density(self, output, x):
        return StudentT(float(DEGREES), output, self.log_scale.exp()).log_prob(x).sum(-1)

    def mean(self, output):
        return output

    def sample(self, output, generator):
        normal = output.new_empty((DEGREES + 1, *output.shape)).normal_(generator=generator)
        spread = normal[1:].square().mean(0).sqrt()
        return output + self.log_scale.exp() * normal[0] / spread


class StudentTLikelihood(Likelihood):
    def module(self, variance):
        return StudentTModule(variance)


class PlainStudentT:
    """The same without the base class of the package."""

    link = "identity"

    def check(self, X):
        pass

    def module(self, variance):
        return StudentTModule(variance)


class DrawingModule(StudentTModule):
    """One whose scale starts at a random number, from torch or from numpy."""

    def __init__(self, variance):
        super().__init__(variance)
        drawn = 0.1 * torch.randn(()) + 0.1 * np.random.normal()
        self.log_scale = nn.Parameter(self.log_scale.detach() + drawn)


class DrawingLikelihood(Likelihood):
    def module(self, variance):
        return DrawingModule(variance)


class NegativeBinomialModule(nn.Module):
    """Counts whose variance is the mean plus its square over the trials."""

    def log_density(self, output, x):
        logits = output - math.log(TRIALS)
        return NegativeBinomial(float(TRIALS), logits=logits).log_prob(x).sum(-1)

    def mean(self, output):
        return output.exp()

    def sample(self, output, generator):
        waits = output.new_empty((TRIALS, *output.shape)).exponential_(generator=generator)
        return torch.poisson(waits.mean(0) * output.exp(), generator=generator)


class NegativeBinomialLikelihood(Likelihood):
    link = "log"

    def check(self, X):
        if (X != np.round(X)).any():
            raise ValueError("NegativeBinomialLikelihood needs counts.")

    def module(self, variance):
        return NegativeBinomialModule()


class SoftplusLink:
    """Outputs whose softplus is the data."""

    name = "softplus"
    low, high = 0.0, math.inf
    scales_rows = False

    def link(self, mean):
        return torch.log(torch.expm1(mean))

    def inverse(self, output):
        return functional.softplus(output)


class ExponentialModule(nn.Module):
    def log_density(self, output, x):
        return Exponential(1.0 / functional.softplus(output)).log_prob(x).sum(-1)

    def mean(self, output):
        return functional.softplus(output)

    def sample(self, output, generator):
        return torch.empty_like(output).exponential_(generator=generator) * self.mean(output)


class ExponentialLikelihood(Likelihood):
    link = SoftplusLink()

    def module(self, variance):
        return ExponentialModule()


# Of each likelihood: the data, and its distribution given the mean and the noise variance
LIKELIHOODS = {
    "student t": (
        StudentTLikelihood(), real,
        lambda mean, v: StudentT(float(DEGREES), mean, (v * (DEGREES - 2) / DEGREES) ** 0.5),
    ),
    "student t, plain": (
        PlainStudentT(), real,
        lambda mean, v: StudentT(float(DEGREES), mean, (v * (DEGREES - 2) / DEGREES) ** 0.5),
    ),
    "negative binomial": (
        NegativeBinomialLikelihood(), counts,
        lambda mean, v: NegativeBinomial(float(TRIALS), logits=torch.log(mean / TRIALS)),
    ),
    "exponential": (ExponentialLikelihood(), positive, lambda mean, v: Exponential(1.0 / mean)),
    "gaussian, scalar": (
        shipped.Gaussian("scalar"), real, lambda mean, v: Normal(mean, v**0.5)
    ),
    "gaussian, per feature": (
        shipped.Gaussian("per_feature"), real, lambda mean, v: Normal(mean, v**0.5)
    ),
    "gaussian, fixed": (shipped.Gaussian(2.0), real, lambda mean, v: Normal(mean, v**0.5)),
    "laplace, scalar": (
        shipped.Laplace("scalar"), real, lambda mean, v: Laplace(mean, (v / 2) ** 0.5)
    ),
    "laplace, per feature": (
        shipped.Laplace("per_feature"), real, lambda mean, v: Laplace(mean, (v / 2) ** 0.5)
    ),
    "laplace, fixed": (shipped.Laplace(0.8), real, lambda mean, v: Laplace(mean, (v / 2) ** 0.5)),
    "poisson": (shipped.Poisson(), counts, lambda mean, v: Poisson(mean)),
    "bernoulli": (shipped.Bernoulli(), binary, lambda mean, v: Bernoulli(mean)),
}  # fmt: skip
over_likelihoods = pytest.mark.parametrize("name", LIKELIHOODS)


def small_vae(likelihood, n_components=1, **parameters):
    return VariationalAutoencoder(
        n_components,
        **{
            "likelihood": likelihood, "hidden_layer_sizes": (8,), "max_iter": 15,
            "batch_size": 30, "learning_rate_init": 5e-3, "early_stopping": False,
            "random_state": 0, **parameters,
        },
    )  # fmt: skip


@functools.cache
def fitted_to(name):
    likelihood, make, distribution = LIKELIHOODS[name]
    X = make()
    return small_vae(likelihood).fit(X), X, distribution


def given_code(estimator, distribution, Z):
    """The distribution of rows given codes, from public numbers only."""
    variance = torch.as_tensor(getattr(estimator, "noise_variance_", 1.0), dtype=torch.float64)
    return distribution(torch.from_numpy(estimator.inverse_transform(Z)), variance)


@over_likelihoods
def test_score_of_a_likelihood_is_its_density_averaged_over_the_prior(name):
    """With one component the average is an integral that a sum over a grid gives."""
    estimator, X, distribution = fitted_to(name)
    X, n_draws = X[:30], 1500
    grid = np.linspace(-8, 8, 1001)[:, None]
    given = given_code(estimator, distribution, grid)
    rows = torch.from_numpy(X)
    joint = torch.stack([given.log_prob(row).sum(-1) for row in rows], dim=1)
    prior = Normal(0.0, 1.0).log_prob(torch.from_numpy(grid)) + math.log(16 / 1000)
    exact = torch.logsumexp(joint + prior, dim=0).numpy()
    found = estimator.score_samples(X, n_samples=n_draws)
    # a lower bound, but for the draws, that is close where the posterior is
    assert found.mean() < exact.mean() + 0.05
    assert found.mean() > estimator.elbo(X, n_samples=n_draws).elbo.mean() - 0.05
    if hasattr(estimator, "noise_variance_"):
        assert found.mean() == pytest.approx(exact.mean(), abs=0.05)
    # the same by hand, with other draws
    codes = estimator.sample_posterior(X, n_draws, random_state=1)
    given = given_code(estimator, distribution, codes.reshape(-1, 1))
    mean, std = (torch.from_numpy(part) for part in estimator.encode_distribution(X))
    drawn = torch.from_numpy(codes)
    ratio = (Normal(0.0, 1.0).log_prob(drawn) - Normal(mean, std).log_prob(drawn)).sum(-1)
    density = given.log_prob(rows.repeat(n_draws, 1)).sum(-1).reshape(n_draws, len(X))
    by_hand = torch.logsumexp(density + ratio, dim=0) - math.log(n_draws)
    assert found.mean() == pytest.approx(by_hand.mean().item(), abs=0.2)
    assert estimator.score(X) == pytest.approx(estimator.score_samples(X).mean(), rel=1e-12)


@over_likelihoods
def test_bound_of_a_likelihood_is_its_density_and_the_divergence(name):
    estimator, X, distribution = fitted_to(name)
    X, n_draws = X[:15], 2000
    bound = estimator.elbo(X, n_samples=n_draws)
    codes = estimator.sample_posterior(X, n_draws, random_state=1)
    given = given_code(estimator, distribution, codes.reshape(-1, 1))
    rows = torch.from_numpy(np.tile(X, (n_draws, 1)))
    densities = given.log_prob(rows).sum(-1).numpy().reshape(n_draws, len(X))
    error = densities.std(axis=0) * np.sqrt(2 / n_draws)
    assert (np.abs(bound.reconstruction - densities.mean(axis=0)) < 5 * error + 1e-6).all()
    mean, std = estimator.encode_distribution(X)
    divergence = 0.5 * (mean**2 + std**2 - 1 - 2 * np.log(std)).sum(axis=1)
    assert_allclose(bound.kl, divergence, rtol=1e-6, atol=1e-9)
    assert_allclose(bound.elbo, bound.reconstruction - bound.kl, rtol=1e-12)


@over_likelihoods
def test_samples_of_a_likelihood_have_the_mean_that_is_decoded(name):
    estimator, _, distribution = fitted_to(name)
    assert_array_equal(estimator.sample(5, 0), estimator.sample(5, 0))
    n_rows = 20_000
    drawn = estimator.sample(n_rows, random_state=0)
    expected = estimator.sample(n_rows, random_state=0, observation_noise=False)
    # the same codes, with and without noise
    error = drawn.std(axis=0) / np.sqrt(n_rows)
    assert (np.abs(drawn.mean(axis=0) - expected.mean(axis=0)) < 6 * error).all()
    variance = torch.as_tensor(getattr(estimator, "noise_variance_", 1.0), dtype=torch.float64)
    noise = distribution(torch.from_numpy(expected), variance).variance.mean(0).numpy()
    assert_allclose(((drawn - expected) ** 2).mean(axis=0), noise, rtol=0.25)


@over_likelihoods
def test_model_with_a_likelihood_is_kept_copied_and_reconstructs(name):
    estimator, X, _ = fitted_to(name)
    curve = estimator.loss_curve_
    assert curve[-1] < curve[0] and np.isfinite(curve).all()
    for one in (pickle.loads(pickle.dumps(estimator)), clone(estimator).fit(X)):
        assert one.score(X) == estimator.score(X)
        assert_array_equal(one.transform(X), estimator.transform(X))
        assert_array_equal(one.sample(4, random_state=2), estimator.sample(4, random_state=2))
    reconstructed = estimator.reconstruct(X)
    assert_allclose(estimator.inverse_transform(estimator.transform(X)), reconstructed, rtol=1e-6)
    if name.startswith(("gaussian", "laplace", "student")):
        errors = ((reconstructed - X) ** 2).sum(axis=1)
        assert_allclose(estimator.reconstruction_error(X), errors, rtol=1e-6)
    again = clone(estimator).partial_fit(X).partial_fit(X)
    assert np.isfinite(again.score(X))


@over_likelihoods
def test_detector_judges_by_a_likelihood(name):
    likelihood, make, _ = LIKELIHOODS[name]
    X = make()
    detector = AutoencoderDetector(
        small_vae(likelihood, max_iter=3), anomaly_score="likelihood", contamination=0.2,
        robust=False, random_state=0,
    ).fit(X)  # fmt: skip
    scores = detector.score_samples(X)
    assert_allclose(scores, detector.estimator_.score_samples(X), rtol=1e-12)
    assert 0 < (detector.predict(X) == -1).mean() < 0.22  # equal rows have equal scores
    loaded = pickle.loads(pickle.dumps(detector))
    assert_array_equal(loaded.score_samples(X), scores)
    assert np.isfinite(detector.score_features(X, "reconstruction")).all()


def test_likelihood_without_the_base_class_gives_the_same_numbers():
    one, X, _ = fitted_to("student t")
    other, _, _ = fitted_to("student t, plain")
    assert one.loss_curve_ == other.loss_curve_
    assert_array_equal(one.score_samples(X), other.score_samples(X))
    assert_array_equal(one.noise_variance_, other.noise_variance_)


def test_users_likelihood_with_the_identity_link_starts_at_probabilistic_pca():
    X = real()
    for likelihood in (StudentTLikelihood(), PlainStudentT()):
        start = small_vae(likelihood, max_iter=0).fit(X)
        pca = PCA(1).fit(X)
        assert start.start_kept_
        assert_allclose(start.explained_variance_, pca.explained_variance_)
        assert_allclose(start.reconstruct(X).mean(axis=0), X.mean(axis=0))
        assert_allclose(start.noise_variance_, pca.noise_variance_, rtol=1e-5)
        codes = start.transform(X)[:, 0]
        assert abs(np.corrcoef(codes, pca.transform(X)[:, 0])[0, 1]) == pytest.approx(1.0)


def test_users_scale_is_learnt_and_bound_by_no_floor_of_ours():
    estimator, X, _ = fitted_to("student t")
    start = small_vae(StudentTLikelihood(), max_iter=0).fit(X)
    assert (estimator.noise_variance_ != start.noise_variance_).all()
    assert estimator.score(X) > start.score(X)
    judged = small_vae(StudentTLikelihood(), early_stopping="auto").fit(X)
    assert judged.score(X) >= start.score(X) - 0.05


def global_states():
    _, keys, position, *rest = np.random.get_state()
    return torch.get_rng_state().numpy().tolist(), keys.tolist(), position, rest


def test_likelihood_that_draws_when_it_is_made_leaves_the_global_states_alone():
    X = real()
    estimator = small_vae(DrawingLikelihood(), max_iter=2)
    before = global_states()
    first = estimator.fit(X)
    expected = first.score(X), first.noise_variance_
    assert global_states() == before
    torch.randn(7), np.random.normal(size=7)
    before = global_states()
    twin = clone(estimator).fit(X)
    assert (twin.score(X), list(twin.noise_variance_)) == (expected[0], list(expected[1]))
    loaded = pickle.loads(pickle.dumps(twin))
    assert loaded.score(X) == expected[0]
    loaded.network_, loaded.sample(3, random_state=0), loaded.partial_fit(X)
    AutoencoderDetector(estimator, anomaly_score="likelihood", random_state=0).fit(X)
    assert global_states() == before
    other = clone(estimator).set_params(random_state=1).fit(X)
    assert (other.noise_variance_ != twin.noise_variance_).all()


class GloballySampling(StudentTModule):
    """One whose draws come from where those of torch's distributions do."""

    def sample(self, output, generator):
        return StudentT(float(DEGREES), output, self.log_scale.exp()).sample()


class GloballySamplingLikelihood(Likelihood):
    def module(self, variance):
        return GloballySampling(variance)


def test_likelihood_that_samples_from_the_global_state_repeats_and_leaves_it_alone():
    estimator = small_vae(GloballySamplingLikelihood(), max_iter=1).fit(real())
    before = global_states()
    first, second = (estimator.sample(4, random_state=0) for _ in range(2))
    assert_array_equal(first, second)
    assert global_states() == before
    assert not np.array_equal(estimator.sample(4, random_state=1), first)


def test_check_of_a_users_likelihood_is_asked_in_fit_and_in_scores():
    estimator, X, _ = fitted_to("negative binomial")
    for method in (clone(estimator).fit, estimator.score, estimator.score_samples, estimator.elbo):
        with pytest.raises(ValueError, match="NegativeBinomialLikelihood needs counts"):
            method(X + 0.5)
        with pytest.raises(ValueError, match="not negative"):
            method(X - 100.0)


# Losses that a user writes


class SquaresBehind(BaseEstimator):
    """Squared error of what a link makes of the output."""

    power = 2

    def __init__(self, link="identity", factor=1.0):
        self.link = link
        self.factor = factor

    def __call__(self, output, target):
        link = {"identity": lambda x: x, "logit": torch.sigmoid, "log": torch.exp}
        inverse = link[self.link] if isinstance(self.link, str) else self.link.inverse
        return self.factor * (inverse(output) - target).square().sum(-1)


BEHIND_LINKS = {
    "identity": ("identity", real),
    "logit": ("logit", binary),
    "log": ("log", counts),
    "softmax": (SoftmaxLink([2, 2]), shares),
    "softplus": (SoftplusLink(), positive),
}


@pytest.mark.parametrize("link, make", BEHIND_LINKS.values(), ids=BEHIND_LINKS)
@pytest.mark.parametrize("cls", [Autoencoder, Denoiser])
def test_users_loss_with_each_link(cls, link, make):
    X = make()
    parameters = {"corruption": "masking", "init": "random"} if cls is Denoiser else {}
    estimator = cls(
        2, loss=SquaresBehind(link), hidden_layer_sizes=(16,), max_iter=12, random_state=0,
        early_stopping=False, learning_rate_init=1e-2, batch_size=30, **parameters,
    ).fit(X)  # fmt: skip
    # what starts at PCA may gain nothing on rows about a plane
    slack = 1.05 if estimator.init == "auto" and link == "identity" else 1.0
    assert estimator.loss_curve_[-1] < slack * estimator.loss_curve_[0]
    given = estimator.transform(X) if cls is Denoiser else estimator.reconstruct(X)
    low, high = {"logit": (0, 1), "log": (0, np.inf)}.get(link, (-np.inf, np.inf))
    low, high = getattr(link, "low", low), getattr(link, "high", high)
    assert low <= given.min() and given.max() <= high
    assert np.isfinite(estimator.score(X))
    for one in (pickle.loads(pickle.dumps(estimator)), clone(estimator).fit(X)):
        assert_array_equal(one.transform(X), estimator.transform(X))
    if cls is Autoencoder:
        errors = ((given - X) ** 2).sum(axis=1)
        assert_allclose(estimator.reconstruction_error(X), errors, rtol=1e-6, atol=1e-10)
        assert_allclose(estimator.inverse_transform(estimator.transform(X)), given, rtol=1e-6)
        if link != "identity":
            with pytest.raises(ValueError, match="init='pca' is not possible"):
                clone(estimator).set_params(init="pca").fit(X)
    if link == "softmax":
        assert_allclose(given[:, :2].sum(axis=1), 1.0)


def test_parameters_of_a_users_loss_are_searched_over():
    X = real()
    estimator = Autoencoder(2, loss=SquaresBehind(), max_iter=1, random_state=0)
    search = GridSearchCV(estimator, {"loss__factor": [0.5, 2.0]}, cv=2).fit(X)
    assert set(search.cv_results_["param_loss__factor"]) == {0.5, 2.0}
    detector = AutoencoderDetector(estimator, random_state=0, contamination=0.1).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()


# What a part must have


def lacking(cls, missing):
    """An object of a class that has everything but one attribute."""
    attributes = {name: value for name, value in vars(cls).items() if name[:2] != "__"}
    if "__call__" in vars(cls):
        attributes["__call__"] = cls.__call__
    attributes.pop(missing)
    return type("Lacking", (), attributes)()


class PlainLoss:
    link, power = "identity", 2

    def __call__(self, output, target):
        return (output - target).square().sum(-1)


@pytest.mark.parametrize("missing", ["link", "power", "__call__"])
@pytest.mark.parametrize("cls", [Autoencoder, Denoiser])
def test_loss_without_what_it_needs_is_one_line_that_names_it(cls, missing):
    estimator = cls(2, loss=PlainLoss(), hidden_layer_sizes=(4,), max_iter=1)
    assert estimator.fit(real()).n_iter_ == 1
    with pytest.raises(TypeError, match=missing) as caught:
        clone(estimator).set_params(loss=lacking(PlainLoss, missing)).fit(real())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["link", "check", "module"])
def test_likelihood_without_what_it_needs_is_one_line_that_names_it(missing):
    with pytest.raises(TypeError, match=missing) as caught:
        small_vae(lacking(PlainStudentT, missing)).fit(real())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["log_density", "mean", "sample"])
def test_module_without_what_it_needs_is_one_line_that_names_it(missing):
    functions = {name: getattr(StudentTModule, name) for name in ("log_density", "mean", "sample")}
    del functions[missing]
    made = type("Made", (nn.Module,), functions)
    likelihood = type("Making", (Likelihood,), {"module": lambda self, variance: made()})()
    with pytest.raises(TypeError, match=f"has no {missing}") as caught:
        small_vae(likelihood).fit(real())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["low", "high", "scales_rows", "link", "inverse"])
def test_link_without_what_it_needs_is_one_line_that_names_it(missing):
    link = lacking(SoftplusLink, missing)
    likelihood = type("Linked", (ExponentialLikelihood,), {"link": link})()
    for estimator in (
        Autoencoder(2, loss=SquaresBehind(link), max_iter=1), small_vae(likelihood),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=f"has no {missing}") as caught:
            estimator.fit(positive())
        assert "\n" not in str(caught.value)


def test_class_in_place_of_an_instance_is_one_line():
    likelihood = type("Linked", (ExponentialLikelihood,), {"link": SoftplusLink})()
    for estimator in (
        small_vae(StudentTLikelihood), small_vae(shipped.Gaussian), small_vae(likelihood),
        Autoencoder(2, loss=PlainLoss, max_iter=1), Denoiser(loss=losses.Huber, max_iter=1),
        Autoencoder(2, loss=SquaresBehind(SoftplusLink), max_iter=1),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="instance") as caught:
            estimator.fit(positive())
        assert "\n" not in str(caught.value)


def test_name_of_no_link_is_one_line():
    for estimator in (
        Autoencoder(2, loss=SquaresBehind("probit"), max_iter=1),
        small_vae(type("Linked", (StudentTLikelihood,), {"link": "probit"})()),
    ):
        with pytest.raises(ValueError, match="Unknown link 'probit'") as caught:
            estimator.fit(real())
        assert "\n" not in str(caught.value)


# Losses and likelihoods of the package


def huber(errors, delta):
    size = np.abs(errors)
    return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))


# Of each loss: the data, and its value for rows, reconstructions and the scale
LOSSES = {
    "huber": (losses.Huber(0.5), real, lambda x, r, s: huber(x - r, 0.5 * s)),
    "absolute error": (losses.AbsoluteError(), real, lambda x, r, s: np.abs(x - r)),
    "squared error of logits": (losses.SquaredError("logit"), binary, lambda x, r, s: (x - r) ** 2),
    "log loss": (
        losses.LogLoss(), binary, lambda x, r, s: -(x * np.log(r) + (1 - x) * np.log1p(-r))
    ),
    "cross entropy": (losses.CrossEntropy([2, 2]), shares, lambda x, r, s: -x * np.log(r)),
}  # fmt: skip


@pytest.mark.parametrize("loss, make, by_hand", LOSSES.values(), ids=LOSSES)
def test_shipped_loss_trains_scores_and_is_kept(loss, make, by_hand):
    X = make()
    estimator = Autoencoder(
        2, loss=loss, hidden_layer_sizes=(16,), max_iter=20, learning_rate_init=1e-2,
        batch_size=30, early_stopping=False, random_state=0,
    ).fit(X)  # fmt: skip
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]
    assert estimator.score(X) > 0.3
    reconstructed = estimator.reconstruct(X)
    expected = by_hand(X, reconstructed, estimator.scale_).sum(axis=1)
    assert_allclose(estimator.reconstruction_error(X), expected, rtol=1e-6, atol=1e-9)
    for one in (pickle.loads(pickle.dumps(estimator)), clone(estimator).fit(X)):
        assert_array_equal(one.reconstruct(X), reconstructed)
    denoiser = Denoiser(
        2, loss=loss, corruption="masking", hidden_layer_sizes=(16,), max_iter=2, random_state=0
    ).fit(X)
    assert np.isfinite(denoiser.score(X))
    assert_array_equal(pickle.loads(pickle.dumps(denoiser)).transform(X), denoiser.transform(X))


@pytest.mark.parametrize(
    "estimator, make, grid",
    [
        (Autoencoder(2, loss=losses.Huber()), real, {"loss__delta": [0.1, 5.0]}),
        (Autoencoder(2, loss=losses.CrossEntropy()), shares, {"loss__group_sizes": [2, [2, 2]]}),
        (Denoiser(2, loss=losses.Huber()), real, {"loss__delta": [0.1, 5.0]}),
        (
            VariationalAutoencoder(2, likelihood=shipped.Gaussian()), real,
            {"likelihood__noise_variance": [1.0, 100.0, "scalar", "per_feature"]},
        ),
        (
            VariationalAutoencoder(2, likelihood=shipped.Laplace()), real,
            {"likelihood__scale": [1.0, "scalar"]},
        ),
        (
            VariationalAutoencoder(2), real,
            {"likelihood": [shipped.Gaussian(1.0), shipped.Laplace(), StudentTLikelihood()]},
        ),
    ],
    ids=["huber", "cross entropy", "denoiser", "gaussian", "laplace", "parts"],
)  # fmt: skip
def test_nested_parameters_are_searched_over(estimator, make, grid):
    X = make()
    estimator.set_params(hidden_layer_sizes=(4,), max_iter=1, random_state=0)
    search = GridSearchCV(estimator, grid, cv=2, error_score="raise").fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    ((name, values),) = grid.items()
    assert len(search.cv_results_["mean_test_score"]) == len(values)
    if name == "likelihood__noise_variance":
        assert search.best_params_[name] != 100.0
    # the part that was given is as it was
    part = estimator.get_params(deep=False)[name.partition("__")[0]]
    assert repr(part) == repr(clone(estimator).get_params(deep=False)[name.partition("__")[0]])


def test_nested_parameter_of_a_name_is_one_line():
    for estimator, name in (
        (VariationalAutoencoder(), "likelihood__noise_variance"),
        (Autoencoder(), "loss__delta"),
        (Autoencoder(loss=PlainLoss()), "loss__delta"),
    ):
        with pytest.raises(ValueError, match=f"{name} cannot be set because") as caught:
            estimator.set_params(**{name: 1.0})
        assert "\n" not in str(caught.value)


# A variance that is fixed


@pytest.mark.parametrize("noise", [0.5, 0.05, 2.0])
def test_start_of_a_fixed_variance_is_a_normal_distribution(noise):
    X = real()
    estimator = small_vae(shipped.Gaussian(noise), 2, max_iter=0).fit(X)
    pca = PCA().fit(X)
    variances = np.maximum(pca.explained_variance_[:2] - noise, 0.0)
    W = pca.components_[:2].T * np.sqrt(variances)
    normal = MultivariateNormal(
        torch.from_numpy(X.mean(axis=0)), torch.from_numpy(W @ W.T + noise * np.eye(4))
    )
    expected = normal.log_prob(torch.from_numpy(X)).numpy()
    assert_allclose(estimator.score_samples(X), expected, rtol=1e-6)


@pytest.mark.parametrize("noise", [0.5, 0.05, 2.0])
def test_minus_the_bound_is_the_weighted_error_and_the_divergence(noise):
    """Before training the decoder is linear, so that the mean over draws has a closed form."""
    X = real()
    estimator = small_vae(shipped.Gaussian(noise), 2, max_iter=0).fit(X)
    rows, n_draws = X[:30], 5000
    bound = estimator.elbo(rows, n_samples=n_draws)
    mean, std = estimator.encode_distribution(rows)
    origin = estimator.inverse_transform(np.zeros((1, 2)))
    W = estimator.inverse_transform(np.eye(2)) - origin  # (n_components, n_features)
    weight = 1.0 / (2.0 * noise)
    error = rows - estimator.reconstruct(rows)
    assert_allclose(estimator.reconstruct(rows), origin + mean @ W, rtol=1e-10)
    squares = (error**2).sum(axis=1) + std**2 @ (W**2).sum(axis=1)
    divergence = 0.5 * (mean**2 + std**2 - 1 - 2 * np.log(std)).sum(axis=1)
    constant = 0.5 * rows.shape[1] * np.log(2 * np.pi * noise)
    # variance over draws of a square about a linear map of normal numbers
    spread = np.sqrt(
        4 * std**2 * (error @ W.T) ** 2 @ np.ones(2)
        + 2 * np.einsum("nk,nl,kl->n", std**2, std**2, (W @ W.T) ** 2)
    )
    difference = -bound.elbo - constant - (weight * squares + divergence)
    assert (np.abs(difference) < 5 * weight * spread / np.sqrt(n_draws) + 1e-8).all()
    if noise == 0.5:  # the objective is then the plain sum of the two
        assert weight == 1.0
        assert_allclose(-bound.elbo - constant, squares + divergence, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("noise, beta", [(0.5, 1.0), (0.05, 1.0), (2.0, 3.0)])
@pytest.mark.parametrize("init", ["auto", "random"])
def test_loss_curve_is_minus_the_bound_in_units_of_the_network(init, noise, beta):
    X = real()
    estimator = small_vae(
        shipped.Gaussian(noise), 2, init=init, beta=beta, max_iter=60, batch_size=N_ROWS,
        learning_rate_init=1e-12, learning_rate="constant", weight_decay=0.0,
    ).fit(X)  # fmt: skip
    bound = estimator.elbo(X, n_samples=2000)
    log_unit = X.shape[1] * np.log(estimator.scale_)
    expected = np.mean(beta * bound.kl - bound.reconstruction) - log_unit
    curve = np.array(estimator.loss_curve_)
    error = curve.std() / np.sqrt(len(curve)) + bound.reconstruction.std() / np.sqrt(2000)
    assert curve.mean() == pytest.approx(expected, abs=6 * error)
    # by hand, but for the draws: the error in units of scale_, over twice the variance in these
    variance = noise / estimator.scale_**2
    constant = 0.5 * X.shape[1] * np.log(2 * np.pi * variance)
    codes = estimator.sample_posterior(X, 500, random_state=0)
    outputs = estimator.inverse_transform(codes.reshape(-1, 2)).reshape(500, *X.shape)
    squares = ((outputs - X) ** 2).sum(axis=2).mean() / estimator.scale_**2
    by_hand = squares / (2 * variance) + beta * bound.kl.mean() + constant
    assert curve.mean() == pytest.approx(by_hand, rel=0.02)


@pytest.mark.parametrize("init", ["auto", "random"])
@pytest.mark.parametrize(
    "likelihood, variance",
    [
        (shipped.Gaussian(0.5), 0.5),
        (shipped.Gaussian(1e-8), 1e-8),
        (shipped.Gaussian(20), 20.0),
        (shipped.Laplace(0.5), 0.5),
        (shipped.Laplace(3), 18.0),
    ],
)
def test_fixed_variance_stays_in_training(likelihood, variance, init):
    X = real()
    estimator = small_vae(likelihood, 2, init=init, max_iter=3).fit(X)
    assert estimator.noise_variance_ == pytest.approx(variance, rel=1e-6)
    before = estimator.reconstruct(X)
    for one in (estimator.partial_fit(X), pickle.loads(pickle.dumps(estimator))):
        assert one.noise_variance_ == pytest.approx(variance, rel=1e-6)
    assert np.abs(estimator.reconstruct(X) - before).max() > 0


# Architectures


def layers(n_inputs, n_outputs):
    return nn.Sequential(nn.Linear(n_inputs, 8), nn.Tanh(), nn.Linear(8, n_outputs))


class Calling(nn.Module):
    """A module that does what a function says."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function = function
        self.inner = nn.ModuleList(modules)

    def forward(self, x):
        return self.function(self.inner, x)


# Of each wrong architecture: which half is at fault, and the width that it gives for the one needed
WRONG = {
    "narrow decoder": (lambda d, k: (layers(d, k), layers(k, 1)), "decoder", "6", "1"),
    "wide decoder": (lambda d, k: (layers(d, k), layers(k, d + 1)), "decoder", "6", "7"),
    "narrow encoder": (lambda d, k: (layers(d, 1), layers(k, d)), "encoder", "2", "1"),
    "wide encoder": (lambda d, k: (layers(d, k + 3), layers(k, d)), "encoder", "2", "5"),
    "both": (lambda d, k: (layers(d, 1), layers(1, 1)), "encoder", "2", "1"),
    "a dimension more": (
        lambda d, k: (nn.Sequential(layers(d, k), nn.Unflatten(1, (1, k))), layers(k, d)),
        "encoder", "2", "(1, 2)",
    ),
    "a dimension less": (
        lambda d, k: (layers(d, k), nn.Sequential(nn.Linear(k, 1), nn.Flatten(0))),
        "decoder", "6", "()",
    ),
    "lazy encoder": (lambda d, k: (nn.LazyLinear(1), nn.LazyLinear(d)), "encoder", "2", "1"),
    "lazy decoder": (lambda d, k: (nn.LazyLinear(k), nn.LazyLinear(9)), "decoder", "6", "9"),
    "nothing": (lambda d, k: (Calling(lambda m, x: None), layers(k, d)), "encoder", "2", "None"),
}  # fmt: skip
NO_ROWS = {
    "width": (lambda d, k: (layers(d + 1, k), layers(k, d)), "encoder", 6),
    "width of the decoder": (lambda d, k: (layers(d, k), layers(k + 1, d)), "decoder", 2),
    "halves swapped": (lambda d, k: (layers(k, d), layers(d, k)), "encoder", 6),
    "images": (lambda d, k: (nn.Conv2d(1, 2, 3), layers(k, d)), "encoder", 6),
    "integers": (lambda d, k: (nn.Embedding(5, k), layers(k, d)), "encoder", 6),
    "a column that is not there": (
        lambda d, k: (Calling(lambda m, x: x[:, [10, 11]]), layers(k, d)), "encoder", 6
    ),
    "an assertion": (lambda d, k: (Calling(assert_width), layers(k, d)), "encoder", 6),
}  # fmt: skip


def assert_width(modules, x):
    assert x.shape[1] == 28 * 28
    return x[:, :2]


over_classes = pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
over_inits = pytest.mark.parametrize("init", ["pca", "random"])


def six_columns():
    return np.random.default_rng(0).normal(size=(40, 6))


def refused(cls, init, architecture):
    """The line that a fit with an architecture raises; it leaves the estimator as it was."""
    estimator = cls(2, architecture=architecture, init=init, max_iter=3, random_state=0)
    before, lines = dict(vars(estimator)), []
    for method in (estimator.fit, estimator.partial_fit):
        with pytest.raises(ValueError) as caught:
            method(six_columns())
        lines.append(str(caught.value))
    assert vars(estimator) == before
    assert lines[0] == lines[1] and "\n" not in lines[0]
    return lines[0]


@over_classes
@over_inits
@pytest.mark.parametrize("architecture, half, needed, given", WRONG.values(), ids=WRONG)
def test_architecture_of_another_width_is_refused(architecture, half, needed, given, init, cls):
    assert refused(cls, init, architecture) == (
        f"The {half} of architecture(n_features=6, n_components=2) must give rows of {needed} "
        f"values; it gives {given}."
    )


def test_width_of_a_variational_encoder_is_asked_for_mean_and_variance():
    def architecture(n_features, n_components):
        return layers(n_features, 2), layers(n_components, n_features)

    assert Autoencoder(2, architecture=architecture, max_iter=1).fit(six_columns()).n_iter_ == 1
    for init in ("pca", "random"):
        assert refused(VariationalAutoencoder, init, architecture) == (
            "The encoder of architecture(n_features=6, n_components=4) must give rows of 4 values; "
            "it gives 2."
        )


@over_classes
@over_inits
@pytest.mark.parametrize("architecture, half, width", NO_ROWS.values(), ids=NO_ROWS)
def test_architecture_that_cannot_take_the_rows_says_so(architecture, half, width, init, cls):
    line = refused(cls, init, architecture)
    words = f"The {half} of architecture(n_features=6, n_components=2) must take rows of {width}"
    assert line.startswith(words)


@over_classes
@over_inits
def test_encoder_that_gives_a_tuple_works_or_is_named(init, cls):
    """A second value is what a decoder may use beside the code."""

    def architecture(n_features, n_components):
        inner = layers(n_features, n_components)
        return Calling(lambda modules, x: (modules[0](x), None), inner), layers(
            n_components, n_features
        )

    estimator = cls(2, architecture=architecture, init=init, max_iter=1, random_state=0)
    try:
        estimator.fit(six_columns())
    except (ValueError, TypeError) as error:
        assert "encoder" in str(error) and "\n" not in str(error)
    else:
        assert np.isfinite(estimator.transform(six_columns())).all()


def lazy_layers(n_features, n_components):
    encoder = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.LazyLinear(n_components))
    return encoder, nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(n_features))


def lazy_convolutions(n_features, n_components):
    encoder = nn.Sequential(
        nn.Unflatten(1, (1, n_features)), nn.LazyConv1d(3, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.LazyLinear(n_components),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.LazyLinear(3 * n_features), nn.Unflatten(1, (3, n_features)),
        nn.LazyConvTranspose1d(1, 3, padding=1), nn.Flatten(),
    )  # fmt: skip
    return encoder, decoder


@over_classes
@over_inits
@pytest.mark.parametrize("architecture", [lazy_layers, lazy_convolutions])
def test_lazy_modules_are_trained_kept_and_copied(architecture, init, cls):
    X = six_columns()
    estimator = cls(
        2, architecture=architecture, init=init, max_iter=2, early_stopping=False, random_state=0
    )
    before = torch.get_rng_state()
    codes = estimator.fit(X).transform(X)
    assert np.isfinite(codes).all() and np.isfinite(estimator.score(X))
    for one in (pickle.loads(pickle.dumps(estimator)), clone(estimator).fit(X)):
        assert_array_equal(one.transform(X), codes)
    assert torch.equal(torch.get_rng_state(), before)
    # another width is another module
    assert np.isfinite(estimator.fit(X[:, :5]).transform(X[:, :5])).all()
    assert not any(map(torch.nn.parameter.is_lazy, estimator.network_.parameters()))


@pytest.mark.parametrize("base", [Autoencoder, VariationalAutoencoder, Denoiser])
def test_subclass_with_fewer_parameters_fits_as_its_base(base):
    class Mine(base):
        def __init__(self, label="mine"):
            super().__init__(max_iter=2, random_state=0)
            self.label = label

    X = np.random.default_rng(0).normal(size=(60, 5))
    mine, plain = Mine().fit(X), base(max_iter=2, random_state=0).fit(X)
    assert_array_equal(mine.transform(X), plain.transform(X))
    assert clone(mine).label == "mine"


def test_subclass_of_a_detector_with_fewer_parameters_fits_as_its_base():
    class Mine(AutoencoderDetector):
        def __init__(self, label="mine"):
            super().__init__(Autoencoder(2, max_iter=0), random_state=0)
            self.label = label

    X = np.random.default_rng(0).normal(size=(60, 5))
    plain = AutoencoderDetector(Autoencoder(2, max_iter=0), random_state=0).fit(X)
    assert_array_equal(Mine().fit(X).score_samples(X), plain.score_samples(X))


# Penalties that hold tensors


class ModulePenalty(nn.Module):
    """Distance of the code from a learnable centre, which is not to be learnt."""

    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.full((1,), 0.5))
        self.register_buffer("weight", torch.tensor(10.0))

    def term(self, x, code, encode):
        return self.weight * (code - self.centre).square().sum(-1)


class BindingPenalty:
    """A part whose bound penalty is a module, with the network inside."""

    def bind(self, network):
        return BoundModule(network)


class BoundModule(ModulePenalty):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, code, encode, generator):
        return self.term(x, self.network.encode(x)[0], encode)


@pytest.mark.parametrize("penalty", [ModulePenalty(), BindingPenalty()], ids=["term", "bind"])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_users_penalty_that_is_a_module(penalty, early_stopping):
    estimator = Autoencoder(
        2, penalty=penalty, hidden_layer_sizes=(16,), max_iter=60, random_state=0, batch_size=30,
        learning_rate_init=1e-2, early_stopping=early_stopping,
    ).fit(real())  # fmt: skip
    codes = estimator.transform(real())
    free = clone(estimator).set_params(penalty=None, init="random").fit(real()).transform(real())
    assert np.abs(codes - 0.5).mean() < 0.2 < np.abs(free - 0.5).mean()
    assert not any("centre" in name for name, _ in estimator.network_.named_parameters())
    if isinstance(penalty, nn.Module):
        assert penalty.centre.item() == 0.5 and penalty.centre.requires_grad
    assert_array_equal(pickle.loads(pickle.dumps(estimator)).transform(real()), codes)
