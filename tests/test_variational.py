"""`VariationalAutoencoder` against probabilistic PCA, and its parameters one by one."""

import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ae import VariationalAutoencoder
from sklearn_ae.likelihoods import Bernoulli, Categorical, Gaussian
from tests.checks import raises_one_line

TABLES = {
    "digits": load_digits().data,
    "breast_cancer": load_breast_cancer().data,
    "wine": load_wine().data,
}
DIGITS = TABLES["digits"]
BINARY = (DIGITS > 8).astype(float)
ONE_HOT = np.hstack(
    [np.eye(k)[np.random.default_rng(k).integers(0, k, 200)] for k in (2, 3, 4)]
)  # fmt: skip


def nonlinear(n=400, seed=0):
    """A curved sheet in six dimensions that two straight directions do not hold."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(-1.5, 1.5, (n, 2))
    sheet = np.column_stack([t, np.sin(3 * t), t**2])
    return sheet + 0.05 * rng.normal(size=sheet.shape)


def small(n_components=2, **parameters):
    return VariationalAutoencoder(
        n_components,
        **{"hidden_layer_sizes": (32,), "max_iter": 5, "random_state": 0, **parameters},
    )


def quiet_fit(estimator, X, **kwargs):
    """Fit where the test is not about the warnings of an undertrained model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return estimator.fit(X, **kwargs)


# The start is probabilistic PCA


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("n_components", [1, 2, 5])
def test_start_scores_as_pca(name, n_components):
    X = TABLES[name]
    pca = PCA(n_components, svd_solver="full").fit(X)
    estimator = VariationalAutoencoder(n_components, max_iter=0, random_state=0).fit(X)
    expected = pca.score(X)
    assert abs(estimator.score(X) - expected) < 1e-3 * max(1, abs(expected))
    # The posterior is exact, so every draw has the same weight, on every row.
    rows = pca.score_samples(X)
    atol = 1e-3 * max(1, np.abs(rows).max())
    for n_samples in (1, 7):
        assert_allclose(estimator.score_samples(X, n_samples=n_samples), rows, rtol=0, atol=atol)
    assert_allclose(estimator.noise_variance_, pca.noise_variance_, rtol=1e-3)


@pytest.mark.parametrize("name", TABLES)
def test_elbo_of_the_start_is_the_likelihood(name):
    X = TABLES[name]
    pca = PCA(3, svd_solver="full").fit(X)
    bound = VariationalAutoencoder(3, max_iter=0, random_state=0).fit(X).elbo(X)
    assert bound.elbo.shape == bound.kl.shape == bound.reconstruction.shape == (len(X),)
    assert_allclose(bound.elbo, bound.reconstruction - bound.kl)
    assert (bound.kl > 0).all()
    rows = pca.score_samples(X)
    # The bound is tight; where reconstruction is averaged over draws, they leave noise.
    assert abs(bound.elbo.mean() - rows.mean()) < 0.01 * max(1, abs(rows.mean()))


def test_start_on_unseen_rows_scores_as_pca():
    train, test = train_test_split(DIGITS, random_state=0)
    expected = PCA(8, svd_solver="full").fit(train).score(test)
    found = VariationalAutoencoder(8, max_iter=0).fit(train).score(test)
    assert abs(found - expected) < 1e-3 * abs(expected)


def test_score_follows_the_units_of_the_data():
    X = TABLES["wine"]
    one = VariationalAutoencoder(2, max_iter=0).fit(X).score(X)
    other = VariationalAutoencoder(2, max_iter=0).fit(1000 * X).score(1000 * X)
    assert_allclose(other, one - X.shape[1] * np.log(1000), rtol=1e-5)


def test_weighted_start_scores_as_pca_of_repeated_rows():
    X = TABLES["wine"]
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    repeated = np.repeat(X, weight, axis=0)
    pca = PCA(3, svd_solver="full").fit(repeated)
    estimator = VariationalAutoencoder(3, max_iter=0).fit(X, sample_weight=weight)
    assert_allclose(estimator.score_samples(X), pca.score_samples(X), rtol=1e-3)


def test_posterior_of_the_start_is_that_of_probabilistic_pca():
    X = TABLES["wine"]
    pca = PCA(3, svd_solver="full").fit(X)
    mean, std = VariationalAutoencoder(3, max_iter=0).fit(X).encode_distribution(X)
    lam, noise = pca.explained_variance_, pca.noise_variance_
    # z ~ N(0, 1), x = W z + e with W = U (lam - noise)^(1/2)
    expected = (X - pca.mean_) @ pca.components_.T * np.sqrt(lam - noise) / lam
    assert_allclose(np.abs(mean), np.abs(expected), rtol=1e-4, atol=1e-4)
    assert_allclose(std, np.broadcast_to(np.sqrt(noise / lam), mean.shape), rtol=1e-3)


def test_transform_is_the_mean():
    X = nonlinear()
    estimator = small().fit(X)
    mean, std = estimator.encode_distribution(X)
    assert_array_equal(estimator.transform(X), mean)
    assert mean.shape == std.shape == (len(X), 2)
    assert (std > 0).all()


def test_codes_keep_the_priors_unit():
    X = 100 * nonlinear()
    mean, std = VariationalAutoencoder(2, max_iter=0).fit(X).encode_distribution(X)
    assert_allclose((mean**2 + std**2).mean(axis=0), 1.0, rtol=0.01)


def test_reconstruction_error_is_in_the_units_of_the_data():
    X = 10 * nonlinear(100)
    estimator = small(max_iter=3).fit(X)
    expected = ((X - estimator.reconstruct(X)) ** 2).sum(axis=1)
    assert_allclose(estimator.reconstruction_error(X), expected, rtol=1e-5)


@pytest.mark.parametrize("noise", [1e-3, 1e-5])
def test_small_noise_of_the_start_is_that_of_pca(noise):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2)) @ rng.normal(size=(2, 6)) + noise * rng.normal(size=(100, 6))
    pca = PCA(2, svd_solver="full").fit(X)
    estimator = VariationalAutoencoder(2, max_iter=0).fit(X)
    assert_allclose(estimator.noise_variance_, pca.noise_variance_, rtol=1e-4)
    assert_allclose(estimator.score(X), pca.score(X), rtol=1e-3)


def test_noise_variance_of_training_has_a_floor():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2)) @ rng.normal(size=(2, 6))  # no noise at all
    assert np.isfinite(VariationalAutoencoder(2, max_iter=0).fit(X).score(X))
    with pytest.warns(ConvergenceWarning, match="the least that training allows") as found:
        estimator = small(early_stopping=False).fit(X)
    assert found[0].filename == __file__
    assert_allclose(estimator.noise_variance_, 1e-6 * X.var(axis=0).mean(), rtol=0.05)
    assert np.isfinite(estimator.score(X))


# Training


@pytest.mark.parametrize("name", TABLES)
def test_training_does_not_fall_below_the_start(name):
    gains = []  # a few rows far from all others tell the score of one split
    for seed in range(3):
        train, test = train_test_split(TABLES[name], random_state=seed)
        estimator = VariationalAutoencoder(2, max_iter=20, random_state=seed).fit(train)
        expected = PCA(2, svd_solver="full").fit(train).score(test)
        gains.append((estimator.score(test) - expected) / abs(expected))
    assert np.mean(gains) > -0.01


def test_density_of_curved_data_beats_that_of_pca():
    train, test = nonlinear(800, seed=0), nonlinear(400, seed=1)
    estimator = small(
        hidden_layer_sizes=(64,), max_iter=80, batch_size=32, learning_rate_init=3e-3
    ).fit(train)
    assert not estimator.start_kept_
    assert estimator.score(test) > PCA(2).fit(train).score(test) + 0.5


def test_pure_noise_keeps_probabilistic_pca():
    kept = 0
    for seed in range(6):
        X, fresh = np.random.default_rng(seed).normal(size=(2, 300, 8))
        estimator = quiet_fit(VariationalAutoencoder(2, max_iter=20, random_state=seed), X)
        kept += estimator.start_kept_
        expected = PCA(2, svd_solver="full").fit(X)
        if estimator.start_kept_:
            assert_allclose(estimator.score(X), expected.score(X), rtol=1e-3)
        assert estimator.score(fresh) > expected.score(fresh) - 0.05
    assert kept >= 5


def test_noise_variance_is_learnt():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 1)) @ np.ones((1, 4)) * 2 + 0.5 * rng.normal(size=(2000, 4))
    estimator = small(1, init="random", hidden_layer_sizes=(16,), max_iter=30,
                      learning_rate_init=5e-3, early_stopping=False)  # fmt: skip
    quiet_fit(estimator, X)
    assert_allclose(estimator.noise_variance_, 0.25, rtol=0.15)


def test_noise_variance_per_feature_is_learnt():
    rng = np.random.default_rng(0)
    noise = np.array([0.3, 0.6, 0.9, 1.2])
    X = rng.normal(size=(3000, 1)) @ np.full((1, 4), 2.0) + noise * rng.normal(size=(3000, 4))
    estimator = small(
        1, likelihood=Gaussian("per_feature"), max_iter=100, learning_rate_init=5e-3,
        early_stopping=False,
    ).fit(X)  # fmt: skip
    assert estimator.noise_variance_.shape == (4,)
    assert_allclose(np.sqrt(estimator.noise_variance_), noise, rtol=0.15)
    scalar = small(1, max_iter=0).fit(X)
    assert np.ndim(scalar.noise_variance_) == 0
    assert estimator.score(X) > scalar.score(X) + 0.2


def test_per_feature_variances_start_at_the_scalar():
    X = TABLES["wine"]
    scalar = VariationalAutoencoder(2, max_iter=0).fit(X)
    each = VariationalAutoencoder(2, max_iter=0, likelihood=Gaussian("per_feature")).fit(X)
    assert_allclose(each.noise_variance_, np.full(13, scalar.noise_variance_), rtol=1e-5)
    assert_allclose(each.score(X), scalar.score(X), rtol=1e-5)


def test_larger_beta_means_less_information_in_the_code():
    X = nonlinear()
    kl = [
        quiet_fit(small(beta=beta, max_iter=40, early_stopping=False), X).elbo(X).kl.mean()
        for beta in (0.1, 1.0, 20.0)
    ]
    assert kl[0] > kl[1] > kl[2]


def test_reported_bounds_use_beta_one():
    """With beta=0.1 trained, elbo still is reconstruction less the whole divergence."""
    X = nonlinear()
    estimator = small(beta=0.1, max_iter=3, early_stopping=False).fit(X)
    mean, std = estimator.encode_distribution(X)
    divergence = 0.5 * (mean**2 + std**2 - 1 - 2 * np.log(std)).sum(axis=1)
    bound = estimator.elbo(X)
    assert_allclose(bound.kl, divergence, rtol=1e-5)
    assert_allclose(bound.elbo, bound.reconstruction - divergence, rtol=1e-6)


def test_kl_per_component_adds_up_to_the_kl():
    X = nonlinear()
    estimator = small(3, max_iter=5, early_stopping=False).fit(X)
    assert estimator.kl_per_component_.shape == (3,)
    assert_allclose(estimator.kl_per_component_.sum(), estimator.elbo(X).kl.mean(), rtol=1e-3)


def test_importance_weighted_training_tightens_the_bound():
    X, fresh = nonlinear(600), nonlinear(300, seed=1)
    parameters = {"hidden_layer_sizes": (32,), "max_iter": 40, "early_stopping": False}
    scores = [
        np.mean([
            small(n_importance_samples=k, **{**parameters, "random_state": seed})
            .fit(X).score_samples(fresh, n_samples=200).mean()
            for seed in range(2)
        ])
        for k in (1, 5)
    ]  # fmt: skip
    assert scores[1] > scores[0] - 0.3
    assert scores[1] > PCA(2).fit(X).score(fresh)


@pytest.mark.parametrize("parameters", [{"beta": 2.0}, {"kl_warm_up": 3}])
def test_importance_samples_refuse_another_objective(parameters):
    with raises_one_line(ValueError, "n_importance_samples"):
        small(n_importance_samples=3, **parameters).fit(nonlinear(50))


def test_warm_up_changes_training():
    X = nonlinear(100)
    codes = [
        small(kl_warm_up=k, max_iter=4, early_stopping=False).fit(X).transform(X) for k in (0, 4)
    ]
    assert not np.array_equal(*codes)


# Bounds


def test_more_samples_tighten_score_samples():
    """On average over noise tables: the table is one for all rows, so one table tells little."""
    X = nonlinear(200)
    bounds = []
    for seed in range(8):
        estimator = quiet_fit(
            small(max_iter=10, early_stopping=False, beta=8.0, random_state=seed), X
        )
        bounds.append([estimator.score_samples(X, n_samples=k).mean() for k in (1, 5, 500, 2000)])
        assert estimator.elbo(X).elbo.mean() < bounds[-1][2]
    means = np.mean(bounds, axis=0)
    assert means[0] < means[1] < means[2]
    assert abs(means[3] - means[2]) < 0.1 * (means[2] - means[0])


@pytest.mark.parametrize("n_samples", [3, 1000])
def test_score_samples_does_not_depend_on_the_chunks(n_samples, monkeypatch):
    X = nonlinear(100)
    estimator = small().fit(X)
    expected = estimator.score_samples(X, n_samples=n_samples)
    monkeypatch.setattr("sklearn_ae._compute.chunks.CHUNK_NUMBERS", 5000)
    assert_allclose(estimator.score_samples(X, n_samples=n_samples), expected, rtol=1e-10)
    rows = [estimator.score_samples(X[i : i + 1], n_samples=n_samples) for i in range(10)]
    assert_allclose(np.concatenate(rows), expected[:10], rtol=1e-10)
    assert_array_equal(estimator.score_samples(X, n_samples=n_samples).shape, (100,))


@pytest.mark.parametrize("n_samples", [0, -1, 1.5])
def test_bad_number_of_samples_raises(n_samples):
    X = nonlinear(50)
    estimator = small(max_iter=0).fit(X)
    for call in (
        lambda: estimator.score_samples(X, n_samples=n_samples),
        lambda: estimator.sample(n_samples),
        lambda: estimator.sample_posterior(X, n_samples=n_samples),
    ):
        with pytest.raises((ValueError, TypeError), match="n_samples"):
            call()


# Draws


def test_samples_of_the_start_have_the_moments_of_the_data():
    X = TABLES["wine"]
    estimator = VariationalAutoencoder(4, max_iter=0).fit(X)
    draws = estimator.sample(20_000, random_state=0)
    pca = PCA(4, svd_solver="full").fit(X)
    covariance = pca.get_covariance()
    error = np.sqrt(np.diag(covariance) / 20_000)
    assert (np.abs(draws.mean(axis=0) - X.mean(axis=0)) < 5 * error).all()
    std = np.sqrt(np.diag(covariance))
    assert_allclose(
        np.cov(draws.T) / np.outer(std, std), covariance / np.outer(std, std), atol=0.05
    )


def test_sample_posterior_has_the_reported_moments():
    X = nonlinear(60)
    estimator = small(max_iter=10).fit(X)
    mean, std = estimator.encode_distribution(X)
    draws = estimator.sample_posterior(X, n_samples=4000, random_state=0)
    assert draws.shape == (4000, 60, 2)
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * std / np.sqrt(4000)).all()
    assert_allclose(draws.std(axis=0), std, rtol=0.08)
    # Rows have their own noise.
    standard = (draws - mean) / std
    correlation = np.corrcoef(standard[:, 0, 0], standard[:, 1, 0])[0, 1]
    assert abs(correlation) < 0.1
    assert estimator.sample_posterior(X).shape == (1, 60, 2)


def test_interpolate_joins_two_rows():
    X = nonlinear(60)
    estimator = small(max_iter=10).fit(X)
    path = estimator.interpolate(X[0], X[1], 5)
    assert path.shape[0] == 5 and path.shape[-1] == 6
    path = path.reshape(5, 6)
    ends = estimator.reconstruct(X[:2])
    assert_allclose(path[[0, -1]], ends, rtol=1e-4, atol=1e-4)
    middle = estimator.inverse_transform(estimator.transform(X[:2]).mean(axis=0, keepdims=True))
    assert_allclose(path[2:3], middle, rtol=1e-3, atol=1e-3)


# Likelihoods


def test_gaussian_by_name_and_by_part_are_equal():
    X = nonlinear(100)
    named = small(likelihood="gaussian").fit(X)
    part = small(likelihood=Gaussian()).fit(X)
    assert_array_equal(named.transform(X), part.transform(X))


@pytest.mark.parametrize(
    "likelihood, n_features, n_components, sizes, rate",
    [
        ("gaussian", 20, 8, (128, 64), 0.01),
        ("gaussian", 64, 8, (128, 64), 0.05 / 8),
        ("gaussian", 784, 50, (256, 128), 0.05 / 28),
        ("bernoulli", 64, 8, (256, 256), 3e-3),
        ("bernoulli", 784, 50, (512, 512), 3e-3),
        ("bernoulli", 784, 2, (512, 256, 128), 3e-3),
        ("categorical", 64, 8, (256, 256), 3e-3),
    ],
)
def test_likelihood_decides_widths_and_rate(likelihood, n_features, n_components, sizes, rate):
    X = np.eye(n_features)[np.arange(60) % n_features]
    parameters = {"likelihood": likelihood, "max_iter": 2, "random_state": 0}
    estimator = VariationalAutoencoder(n_components, **parameters)
    named = VariationalAutoencoder(
        n_components, hidden_layer_sizes=sizes, learning_rate_init=rate, **parameters
    )
    assert_array_equal(quiet_fit(estimator, X).loss_curve_, quiet_fit(named, X).loss_curve_)
    named.set_params(learning_rate_init=2e-3)
    assert estimator.loss_curve_ != quiet_fit(named, X).loss_curve_


def test_discrete_posterior_starts_narrow():
    start = quiet_fit(small(likelihood="bernoulli", max_iter=0), BINARY[:100])
    _, deviation = start.encode_distribution(BINARY[:100])
    assert 0.05 < np.median(deviation) < 0.5


def test_bernoulli_learns_binary_data():
    X, fresh = train_test_split(BINARY[:800], random_state=0)
    estimator = small(
        5, likelihood="bernoulli", hidden_layer_sizes=(64,), max_iter=40,
        learning_rate_init=3e-3, early_stopping=False,
    ).fit(X)  # fmt: skip
    chance = X.mean(axis=0).clip(1e-3, 1 - 1e-3)
    independent = (fresh * np.log(chance) + (1 - fresh) * np.log(1 - chance)).sum(axis=1).mean()
    assert independent + 3 < estimator.score(fresh) < 0
    images = estimator.reconstruct(fresh)
    assert images.min() >= 0 and images.max() <= 1
    assert set(np.unique(estimator.sample(20, random_state=0))) == {0.0, 1.0}


def test_bernoulli_score_is_a_normalised_log_likelihood():
    """Probabilities of all binary rows of four features add up to one."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 1)) + rng.normal(size=(300, 4)) > 0).astype(float)
    estimator = small(1, likelihood="bernoulli", hidden_layer_sizes=(8,), max_iter=60)
    quiet_fit(estimator, X)
    every = np.array(np.meshgrid(*[[0.0, 1.0]] * 4)).reshape(4, -1).T
    total = np.exp(estimator.score_samples(every, n_samples=5000)).sum()
    assert_allclose(total, 1.0, atol=0.05)


def test_categorical_score_is_a_normalised_log_likelihood():
    X = ONE_HOT[:, :5]
    estimator = small(1, likelihood=Categorical([2, 3]), hidden_layer_sizes=(8,), max_iter=60)
    quiet_fit(estimator, X)
    every = np.array([[*a, *b] for a in np.eye(2) for b in np.eye(3)])
    total = np.exp(estimator.score_samples(every, n_samples=5000)).sum()
    assert_allclose(total, 1.0, atol=0.05)


@pytest.mark.parametrize("group_sizes", [[2, 3, 4], (5, 4), 3, None])
def test_categorical_groups(group_sizes):
    groups = {None: [9], 3: [3, 3, 3]}.get(group_sizes, group_sizes) if not isinstance(
        group_sizes, list | tuple
    ) else group_sizes  # fmt: skip
    rng = np.random.default_rng(0)
    X = np.hstack([np.eye(k)[rng.integers(0, k, 200)] for k in groups])
    estimator = small(likelihood=Categorical(group_sizes), max_iter=3, early_stopping=False)
    quiet_fit(estimator, X)
    draws, images = estimator.sample(50, random_state=0), estimator.reconstruct(X)
    for columns in np.split(np.arange(9), np.cumsum(groups)[:-1]):
        assert_allclose(draws[:, columns].sum(axis=1), 1.0)
        assert_allclose(images[:, columns].sum(axis=1), 1.0, rtol=1e-5)
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert np.isfinite(estimator.score(X))


def test_categorical_learns_the_shares_of_a_group():
    X = np.eye(3)[np.random.default_rng(0).choice(3, 600, p=[0.7, 0.2, 0.1])]
    estimator = small(1, likelihood="categorical", max_iter=60, hidden_layer_sizes=(8,))
    quiet_fit(estimator, X)
    shares = estimator.sample(20_000, random_state=0).mean(axis=0)
    assert_allclose(shares, X.mean(axis=0), atol=0.05)


def test_categorical_sizes_must_add_up():
    with raises_one_line(ValueError, "group_sizes"):
        small(likelihood=Categorical([2, 3])).fit(ONE_HOT)


@pytest.mark.parametrize("likelihood", ["bernoulli", "categorical", Bernoulli("dynamic")])
@pytest.mark.parametrize("bad", [-0.5, 1.5])
def test_range_is_checked_in_fit_and_scores(likelihood, bad):
    outside = ONE_HOT.copy()
    outside[3, 2] = bad
    estimator = small(likelihood=likelihood, max_iter=2, early_stopping=False)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        estimator.fit(outside)
    quiet_fit(estimator, np.eye(9)[np.arange(200) % 9])
    for method in (estimator.score_samples, estimator.elbo, estimator.reconstruction_error):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            method(outside)
    assert np.isfinite(estimator.transform(outside)).all()


def test_grey_values_under_bernoulli_warn():
    grey = DIGITS[:100] / 16
    with pytest.warns(UserWarning, match="log-likelihood"):
        small(likelihood="bernoulli", max_iter=2, early_stopping=False).fit(grey)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*log-likelihood.*")
        warnings.filterwarnings("ignore", message=".*collaps.*")
        small(likelihood="bernoulli", max_iter=2, early_stopping=False).fit(BINARY[:100])
        small(likelihood=Bernoulli("dynamic"), max_iter=2, early_stopping=False).fit(grey)


def test_dynamic_binarisation_trains_on_new_draws():
    grey = np.full((200, 6), 0.5)
    estimator = small(likelihood=Bernoulli("dynamic"), max_iter=60, early_stopping=False)
    quiet_fit(estimator, grey)
    # Independent fair coins: nothing but the chance can be learnt.
    coins = np.random.default_rng(0).integers(0, 2, (500, 6)).astype(float)
    assert_allclose(estimator.score(coins), 6 * np.log(0.5), atol=0.3)


# Posterior collapse


def test_collapse_warns_with_a_remedy():
    X = np.random.default_rng(0).normal(size=(400, 6))
    estimator = small(2, beta=50.0, max_iter=40, learning_rate_init=1e-2, early_stopping=False)
    with pytest.warns(UserWarning, match=r"collapse[\s\S]*(beta|kl_warm_up)"):
        estimator.fit(X)
    assert estimator.active_units_ == 0
    assert (estimator.kl_per_component_ < 0.02).all()


def test_active_units_count_the_components_in_use():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(500, 8))
    estimator = VariationalAutoencoder(2, max_iter=0).fit(X)
    assert estimator.active_units_ == 2
    variance = estimator.transform(X).var(axis=0)
    # Burda et al. 2015: active where the variance of the posterior mean exceeds 0.01
    assert estimator.active_units_ == (variance > 0.01).sum()
    assert isinstance(estimator.active_units_, int | np.integer)


def test_directions_without_variance_are_inactive():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8))
    estimator = quiet_fit(VariationalAutoencoder(4, max_iter=0), X)
    assert estimator.active_units_ == 2
    assert np.isfinite(estimator.score(X))


# The rest


def test_partial_fit_improves_the_bound():
    X = nonlinear(600)
    estimator = small(hidden_layer_sizes=(64,), learning_rate_init=3e-3, batch_size=20)
    for _ in range(20):
        for chunk in np.array_split(X, 6):
            estimator.partial_fit(chunk)
    assert estimator.n_samples_seen_ == 20 * 600
    assert estimator.score(X) > PCA(2).fit(X).score(X) + 0.3


def sizes_factory(n_features, n_components):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(n_features, 16), torch.nn.Tanh(), torch.nn.Linear(16, n_components)
    )
    decoder = torch.nn.Sequential(
        torch.nn.Linear(n_components, 16), torch.nn.Tanh(), torch.nn.Linear(16, n_features)
    )
    return encoder, decoder


@pytest.mark.parametrize("init", ["auto", "random"])
def test_users_architecture(init):
    X = nonlinear()
    estimator = small(
        architecture=sizes_factory, init=init, max_iter=100, learning_rate_init=1e-2,
        early_stopping=False,
    )  # fmt: skip
    quiet_fit(estimator, X)
    assert estimator.encode_distribution(X)[1].shape == (400, 2)
    assert np.mean(estimator.loss_curve_[-5:]) < np.mean(estimator.loss_curve_[:5]) - 0.3
    if init == "auto":
        start = clone(estimator).set_params(max_iter=0).fit(X)
        assert_allclose(start.score(X), PCA(2).fit(X).score(X), rtol=1e-3)


@pytest.mark.parametrize("likelihood", ["bernoulli", Categorical([2, 3, 4])])
def test_init_pca_is_refused_for_discrete_likelihoods(likelihood):
    with pytest.raises(ValueError, match="init"):
        small(likelihood=likelihood, init="pca").fit(ONE_HOT)


@pytest.mark.parametrize(
    "likelihood, name",
    [
        (Bernoulli("static"), "binarize"),
        (Bernoulli(1), "binarize"),
        (Gaussian("per_row"), "noise_variance"),
        (Gaussian(0.0), "noise_variance"),
    ],
    ids=str,
)
def test_bad_parameter_of_a_part_raises(likelihood, name):
    with pytest.raises(InvalidParameterError, match=name):
        small(likelihood=likelihood).fit(BINARY[:50])
