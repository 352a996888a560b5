"""Where training begins: PCA, probabilistic PCA and the linear filter, without an epoch."""

import functools
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae.corruptions import GaussianNoise, Masking, SaltAndPepper
from sklearn_ae.likelihoods import Gaussian, Laplace

EPS = np.finfo(float).eps
# Numbers of a table up to which directions come from a singular value decomposition.
SMALL_TABLE = 2**18


def spectrum(shape, least, offset=0.0):
    """Normal rows whose standard deviations fall from 1 to ``least`` along turned axes."""
    rng = np.random.default_rng(0)
    rank = min(shape)
    turned, _ = np.linalg.qr(rng.normal(size=(shape[1], rank)))
    deviations = np.logspace(0, np.log10(least), rank)
    return rng.normal(size=(shape[0], rank)) * deviations @ turned.T + offset


def of_rank(shape, rank, offset=0.0):
    """Rows in a plane of some rank."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1])) + offset


TABLES = {
    "breast cancer": lambda: load_breast_cancer().data,  # eigenvalues span twelve orders
    "iris": lambda: load_iris().data,
    "wine": lambda: load_wine().data,
    "digits": lambda: load_digits().data,  # some columns are constant
    "fourteen orders": lambda: spectrum((200, 8), 1e-7),
    "wide": lambda: spectrum((20, 50), 1e-4),
    "square": lambda: spectrum((30, 30), 1e-3),
    "small numbers": lambda: 1e-120 * spectrum((60, 5), 1e-2),
    "large numbers": lambda: 1e120 * spectrum((60, 5), 1e-2),
    "off the origin": lambda: spectrum((100, 6), 1e-2, offset=1e3),
    "rank 3 of 10": lambda: of_rank((80, 10), 3, offset=7.0),
    "rank 1 of 6": lambda: of_rank((30, 6), 1),
    "rank 4 of a wide table": lambda: of_rank((25, 90), 4),
    "column twice": lambda: np.repeat(spectrum((50, 3), 1e-1), 2, axis=1),
    "one column": lambda: spectrum((40, 1), 1.0),
    "two rows": lambda: spectrum((2, 5), 1.0),
    "largest for an SVD, tall": lambda: spectrum((8192, 32), 1e-5),
    "largest for an SVD, wide": lambda: spectrum((16, 16384), 1e-5),
    "beyond it, tall": lambda: spectrum((8193, 32), 1e-4),
    "beyond it, wide": lambda: spectrum((17, 16384), 1e-4),
    "beyond it, rank 4": lambda: of_rank((8193, 33), 4, offset=2.0),
}
over_tables = pytest.mark.parametrize("name", TABLES)


@functools.cache
def table(name):
    """A table and its PCA."""
    X = TABLES[name]()
    return X, PCA(svd_solver="full").fit(X)


def known_directions(X, pca):
    """How many directions are above rounding, and how exactly the unit code of each is known."""
    size = max(X.shape) * EPS
    is_svd = X.size <= SMALL_TABLE
    rounding = size**2 if is_svd else size
    share = pca.explained_variance_ / pca.explained_variance_[0]
    count = int((share > 100 * rounding).sum())
    error = rounding / share[:count]
    # a mean and a difference from it have the rounding of the values
    centring = EPS * np.abs(X).max() / np.sqrt(pca.explained_variance_[:count])
    return count, 10 * (np.sqrt(error) if is_svd else error) + 10 * centring


def fitted(cls, X, *parameters, **keywords):
    return cls(*parameters, hidden_layer_sizes=(4,), max_iter=0, random_state=0, **keywords).fit(X)


# PCA


@over_tables
def test_autoencoder_without_epochs_has_pcas_directions(name):
    X, pca = table(name)
    count, tolerance = known_directions(X, pca)
    estimator = fitted(Autoencoder, X, None)
    deviations = np.sqrt(pca.explained_variance_[:count])
    codes, expected = estimator.transform(X)[:, :count], pca.transform(X)[:, :count]
    difference = np.abs(codes - expected).max(axis=0) / deviations
    assert (difference < tolerance).all()
    assert_allclose(
        estimator.explained_variance_[:count],
        pca.explained_variance_[:count],
        rtol=tolerance.max(),
    )
    assert estimator.n_components_ == min(X.shape)
    assert estimator.start_kept_ and estimator.n_iter_ == 0


@over_tables
def test_autoencoder_without_epochs_whitens_as_pca_does(name):
    X, pca = table(name)
    count, tolerance = known_directions(X, pca)
    estimator = fitted(Autoencoder, X, None, whiten=True)
    codes = estimator.transform(X)
    # PCA(whiten=True) divides by the same, but for standard deviations below 2e-16
    expected = pca.transform(X)[:, :count] / np.sqrt(pca.explained_variance_[:count])
    assert (np.abs(codes[:, :count] - expected).max(axis=0) < tolerance).all()
    assert_allclose(codes[:, :count].std(axis=0, ddof=1), 1.0, atol=tolerance.max())
    # directions that the table does not have are not blown up to unit variance
    assert (codes[:, count:].std(axis=0) < 0.1).all()


@pytest.mark.parametrize("name", ["breast cancer", "iris", "digits", "wide"])
@pytest.mark.parametrize("whiten", [False, True])
def test_autoencoder_of_fewer_components_is_pca(name, whiten):
    X, everything = table(name)
    _, tolerance = known_directions(X, everything)
    for n_components in (1, 3, min(X.shape) // 2 + 1):
        pca = PCA(n_components, whiten=whiten, svd_solver="full").fit(X)
        estimator = fitted(Autoencoder, X, n_components, whiten=whiten)
        codes, expected = estimator.transform(X), pca.transform(X)
        size = expected.std(axis=0)
        assert (np.abs(codes - expected).max(axis=0) / size < tolerance[n_components]).all()
        back = pca.inverse_transform(expected)
        spread = X.std()
        assert_allclose(estimator.inverse_transform(codes), back, rtol=0, atol=1e-11 * spread)
        assert_allclose(estimator.inverse_transform(expected), back, rtol=0, atol=1e-11 * spread)
        assert_allclose(estimator.reconstruct(X), back, rtol=0, atol=1e-11 * spread)
        new = X[::2] + spread * np.random.default_rng(2).normal(size=X[::2].shape)
        assert_allclose(
            estimator.transform(new) / size, pca.transform(new) / size, rtol=1e-5, atol=1e-5
        )


@over_tables
@pytest.mark.parametrize("whiten", [False, True])
def test_all_components_reconstruct_exactly(name, whiten):
    X, _ = table(name)
    estimator = fitted(Autoencoder, X, None, whiten=whiten)
    length = max(np.linalg.norm(X - X.mean(axis=0), axis=1).max(), np.abs(X).max())
    size = 1000 if X.size <= SMALL_TABLE else 10 * max(X.shape)
    exact = size * EPS * length
    assert np.abs(estimator.reconstruct(X) - X).max() < exact
    assert np.abs(estimator.inverse_transform(estimator.transform(X)) - X).max() < exact
    assert estimator.reconstruction_error(X).max() <= exact**2
    assert estimator.score(X) == pytest.approx(1.0, abs=1e-15)


def test_components_beyond_the_features_leave_the_others_as_they_are():
    X, pca = table("iris")
    for whiten in (False, True):
        estimator = fitted(Autoencoder, X, 9, whiten=whiten)
        expected = PCA(whiten=whiten).fit_transform(X)
        assert_allclose(estimator.transform(X)[:, :4], expected, rtol=0, atol=1e-12)
        assert_allclose(estimator.inverse_transform(estimator.transform(X)), X, atol=1e-13)
    assert_allclose(estimator.explained_variance_, pca.explained_variance_)


@pytest.mark.parametrize("whiten", [False, True])
def test_start_that_is_kept_is_pca_in_weak_directions_too(whiten):
    X = spectrum((150, 6), 1e-6)
    estimator = Autoencoder(
        6, hidden_layer_sizes=(8,), max_iter=2, whiten=whiten, random_state=0
    ).fit(X)
    assert estimator.start_kept_ and estimator.n_iter_ == 2
    expected = PCA(whiten=whiten, svd_solver="full").fit_transform(X)
    deviations = expected.std(axis=0)
    for one in (estimator, pickle.loads(pickle.dumps(estimator))):
        assert_allclose(one.transform(X) / deviations, expected / deviations, atol=1e-8)
        assert_allclose(one.reconstruct(X), X, rtol=0, atol=1e-13)


# How many components


SHARES = {
    "iris": lambda: load_iris().data,
    "wine": lambda: load_wine().data,
    "wine, standardised": lambda: scale(load_wine().data),
    "breast cancer, standardised": lambda: scale(load_breast_cancer().data),
    "digits": lambda: load_digits().data[:, ::3],
    "wide": lambda: spectrum((12, 40), 1e-1),
    "rank 4": lambda: of_rank((40, 8), 4),
    "equal variances": lambda: np.vstack([np.eye(4), -np.eye(4)]),
    "counts": lambda: np.random.default_rng(0).integers(0, 3, size=(50, 5)).astype(float),
    "covariance": lambda: spectrum((8193, 33), 1e-1),
}


@pytest.mark.parametrize("name", SHARES)
def test_share_of_the_variance_takes_as_many_components_as_pca(name):
    X = SHARES[name]()
    met = PCA(svd_solver="full").fit(X).explained_variance_ratio_.cumsum()
    met = met[met < 1 - 1e-9][:: max(1, len(met) // 6)]
    between = np.clip(np.concatenate([0.999 * met, 1.001 * met]), 1e-3, 0.999)
    for share in map(float, [*met, *between]):
        expected = PCA(share, svd_solver="full").fit(X).n_components_
        assert fitted(Autoencoder, X, share).n_components_ == expected
    share = float(met[0])
    expected = PCA(share, svd_solver="full").fit(X).n_components_
    assert fitted(VariationalAutoencoder, X, share).n_components_ == expected
    assert fitted(Autoencoder, X, share, init="random").n_components_ == expected


# Probabilistic PCA


def log_likelihood(X, n_components):
    """Mean log-likelihood of rows under probabilistic PCA fitted to them, from eigenvalues.

    The mean of ``x' C^-1 x`` over the rows is (n - 1) / n for each direction that they have.
    """
    n_rows, n_features = X.shape
    variances = PCA(svd_solver="full").fit(X).explained_variance_
    kept, left = variances[:n_components], variances[n_components:]
    log_det = np.log(kept).sum()
    if len(left):
        log_det += (n_features - n_components) * np.log(left.mean())
    trace = (n_rows - 1) / n_rows * len(variances)
    return -0.5 * (n_features * np.log(2 * np.pi) + log_det + trace)


def mean_score(estimator, X):
    """The score; one draw is enough where the posterior is exact, as before training."""
    return estimator.score(X) if X.size < 30000 else estimator.score_samples(X, 1).mean()


def two_levels(shape, noise):
    """Two strong directions, and the others with a standard deviation of ``noise``."""
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.normal(size=(shape[1], shape[1])))
    return rng.normal(size=shape) * np.where(np.arange(shape[1]) < 2, 1.0, noise) @ turned


@pytest.mark.parametrize(
    "name, n_components",
    [
        *(("breast cancer", k) for k in (1, 5, 10, 15, 20, 25, 29, 30)),
        *(("iris", k) for k in (1, 2, 3, 4)),
        *(("wine", k) for k in (1, 5, 12, 13)),
        *(("digits", k) for k in (2, 30, 60)),
        ("wide", 3),
        ("wide", 12),
        ("off the origin", 3),
        ("off the origin", 6),
        ("one column", 1),
        ("largest for an SVD, tall", 20),
        ("beyond it, tall", 20),
        ("beyond it, tall", 32),
    ],
)
def test_score_of_probabilistic_pca_is_pcas(name, n_components):
    X, _ = table(name)
    pca = PCA(n_components, svd_solver="full").fit(X)
    estimator = fitted(VariationalAutoencoder, X, n_components)
    assert mean_score(estimator, X) == pytest.approx(pca.score(X), rel=1e-6)
    assert mean_score(estimator, X) == pytest.approx(log_likelihood(X, n_components), rel=1e-6)
    # of rows that the fit did not see, in the same subspace as far as there is one
    rng = np.random.default_rng(3)
    mixed = X[rng.permutation(len(X))[:50]]
    new = 0.7 * mixed + 0.3 * mixed[rng.permutation(len(mixed))]
    assert_allclose(estimator.score_samples(new), pca.score_samples(new), rtol=1e-4)
    assert_allclose(estimator.score(new), pca.score(new), rtol=1e-5)
    if n_components < min(X.shape):
        assert estimator.noise_variance_ == pytest.approx(pca.noise_variance_, rel=1e-6)


@pytest.mark.parametrize("noise", [1e-3, 1e-5, 1e-7, 1e-8])
@pytest.mark.parametrize("shape", [(200, 6), (40, 100)])
def test_score_is_that_of_eigenvalues_where_the_noise_is_small(shape, noise):
    """The inverse of a covariance, by which PCA scores, has too few digits for the least."""
    X = two_levels(shape, noise)
    estimator = fitted(VariationalAutoencoder, X, 2)
    assert estimator.score(X) == pytest.approx(log_likelihood(X, 2), rel=1e-6)
    if noise > 1e-6:
        assert estimator.score(X) == pytest.approx(PCA(2).fit(X).score(X), rel=1e-6)


@pytest.mark.parametrize("noise", [1e-3, 1e-5])
def test_score_is_that_of_eigenvalues_where_a_covariance_found_them(noise):
    X = two_levels((8193, 33), noise)
    estimator = fitted(VariationalAutoencoder, X, 2)
    assert mean_score(estimator, X) == pytest.approx(log_likelihood(X, 2), rel=1e-6)


@pytest.mark.parametrize(
    "name, rank",
    [
        ("rank 3 of 10", 3),
        ("rank 1 of 6", 1),
        ("rank 4 of a wide table", 4),
        ("column twice", 3),
        ("digits", 61),
        ("beyond it, rank 4", 4),
    ],
)
def test_score_of_a_table_of_low_rank_is_not_that_of_rounding(name, rank):
    """Where nothing is left out, there is no noise to be estimated, whatever the rounding."""
    X, _ = table(name)
    widths = [rank, min(rank + 1, *X.shape), min(X.shape)]
    estimators = [fitted(VariationalAutoencoder, X, width) for width in widths]
    scores = [mean_score(estimator, X) for estimator in estimators]
    assert_allclose(scores, scores[-1], rtol=1e-5)
    noise = [estimator.noise_variance_ for estimator in estimators]
    assert_allclose(noise, noise[-1], rtol=1e-5)
    # rows of the same plane are as likely
    middle = 0.5 * X + 0.5 * X[np.random.default_rng(0).permutation(len(X))]
    assert mean_score(estimators[0], middle) > scores[-1] - 1.0


# The floor of the noise in training


def plane(bend=0.0):
    """Rows of a plane in six features, or of one that is bent a little."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, (400, 2))
    bent = np.column_stack([t, bend * t**2, bend * t.prod(axis=1)])
    return bent @ rng.normal(size=(5, 6))


LONGER = {
    "hidden_layer_sizes": (32,), "max_iter": 60, "batch_size": 40, "learning_rate_init": 1e-3
}  # fmt: skip


def small_vae(**parameters):
    return VariationalAutoencoder(
        2, **{"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0, **parameters}
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"likelihood": Gaussian("per_feature")},
        {"likelihood": Laplace()},
        {"likelihood": Laplace("per_feature")},
        {"n_importance_samples": 3},
    ],
    ids=["scalar", "per feature", "laplace", "laplace per feature", "importance"],
)
def test_training_keeps_its_floor_of_the_noise(parameters):
    X = plane()
    with pytest.warns(ConvergenceWarning, match="the least that training allows") as record:
        estimator = small_vae(early_stopping=False, **parameters).fit(X)
    assert not estimator.start_kept_ and len(record) == 1
    least = np.min(estimator.noise_variance_)
    assert least == pytest.approx(1e-6 * X.var(axis=0).mean(), rel=0.02)
    assert least >= 1e-6 * X.var(axis=0).mean() * (1 - 1e-5)
    assert f"noise_variance_ is {least:.3g}," in str(record[0].message)
    assert "1e-6 of the mean feature variance" in str(record[0].message)


def test_partial_fit_keeps_the_floor_of_the_noise():
    X = plane()
    estimator = small_vae()
    for rows in np.split(X, 2):
        with pytest.warns(ConvergenceWarning, match="the least that training allows"):
            estimator.partial_fit(rows)
    floor = 1e-6 * X[:200].var(axis=0).mean()
    assert floor * (1 - 1e-5) <= estimator.noise_variance_ < 1.01 * floor


def test_floor_of_the_noise_binds_a_network_that_beats_its_start():
    X = plane(bend=0.002)
    start = small_vae(max_iter=0).fit(X)
    floor = 1e-6 * X.var(axis=0).mean()
    estimator = small_vae(**LONGER)
    with pytest.warns(ConvergenceWarning, match="the least that training allows") as record:
        estimator.fit(X)
    assert not estimator.start_kept_
    assert estimator.score(X) > start.score(X)
    assert floor * (1 - 1e-5) <= estimator.noise_variance_ < 1.01 * floor
    assert f"noise_variance_ is {estimator.noise_variance_:.3g}," in str(record[0].message)


def test_network_that_is_kept_beats_a_start_below_the_floor_too():
    """What is given back where the gate decides for the start is PCA with its own noise."""
    X = plane(bend=0.001)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator = small_vae(**LONGER).fit(X)
    pca = PCA(2, svd_solver="full").fit(X)
    assert pca.noise_variance_ < 0.3e-6 * X.var(axis=0).mean()
    assert estimator.score(X) > pca.score(X) - 1e-3


def test_noise_below_the_floor_is_kept_with_the_start_without_a_warning():
    X = two_levels((300, 6), 1e-5)
    estimator = small_vae(max_iter=2).fit(X)
    assert estimator.start_kept_ and estimator.n_iter_ == 2
    assert estimator.noise_variance_ < 1e-8 * X.var(axis=0).mean()
    assert estimator.score(X) == pytest.approx(PCA(2).fit(X).score(X), rel=1e-6)


def test_noise_that_is_fixed_has_no_floor_and_no_warning():
    X = plane()
    for noise in (1e-9, 1e-6, 1e-2):
        estimator = small_vae(likelihood=Gaussian(noise), early_stopping=False).fit(X)
        assert estimator.noise_variance_ == pytest.approx(noise, rel=1e-6)


# The linear filter


@pytest.mark.parametrize("mode", ["direct", "residual", "auto"])
@pytest.mark.parametrize("rank", [8, 3, 1])
@pytest.mark.parametrize("max_iter", [0, 3])
@pytest.mark.parametrize(
    "corruption",
    [Masking(1.0), SaltAndPepper(1.0, low=2.0, high=2.0), GaussianNoise(1e20)],
    ids=["masking", "salt", "noise"],
)
def test_denoiser_without_a_signal_gives_the_mean(corruption, rank, max_iter, mode):
    X = of_rank((200, 8), rank, offset=3.0)
    estimator = Denoiser(
        corruption=corruption, mode=mode, hidden_layer_sizes=(8,), max_iter=max_iter, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="nothing is trained"):
        estimator.fit(X)
    assert estimator.n_iter_ == 0
    cleaned = estimator.transform(corruption.corrupt(X, random_state=1))
    assert np.isfinite(cleaned).all()
    # but for what a regression on noise takes for one
    assert np.abs(cleaned - X.mean(axis=0)).max() < 0.2 * X.std()
    assert estimator.score(X) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("mode", ["direct", "residual", "auto"])
@pytest.mark.parametrize("shape, rank", [((200, 8), 8), ((200, 8), 3), ((30, 60), 29)])
@pytest.mark.parametrize("n_components", ["auto", 2])
@pytest.mark.parametrize("value", [0.0, 1e6])
def test_denoiser_of_pairs_with_a_constant_side_gives_the_mean(
    value, n_components, shape, rank, mode
):
    X = of_rank(shape, rank, offset=3.0)
    noisy = np.full_like(X, value) + np.arange(shape[1])
    estimator = Denoiser(
        n_components, mode=mode, hidden_layer_sizes=(8,), max_iter=3, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="do not vary"):
        estimator.fit(noisy, X_clean=X)
    expected = np.broadcast_to(X.mean(axis=0), shape)
    assert_allclose(estimator.transform(noisy), expected, rtol=0, atol=1e-8 * max(1.0, value))
    assert estimator.score(noisy, X_clean=X) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("mode", ["direct", "residual"])
@pytest.mark.parametrize("noise", [1e2, 1e5])
def test_noise_of_one_column_takes_nothing_from_the_others(noise, mode):
    X = of_rank((300, 4), 4)
    noisy = X.copy()
    noisy[:, 3] += noise * np.random.default_rng(2).normal(size=300)
    estimator = Denoiser(mode=mode, max_iter=0, random_state=0).fit(noisy, X_clean=X)
    others = Denoiser(mode=mode, max_iter=0, random_state=0)
    others.fit(np.column_stack([X[:, :3], np.zeros(300)]), X_clean=X)
    expected = others.score(np.column_stack([X[:, :3], np.zeros(300)]), X_clean=X)
    assert estimator.score(noisy, X_clean=X) == pytest.approx(expected, abs=0.02)


def test_denoiser_without_a_signal_does_not_train_on_chunks():
    X = of_rank((60, 5), 5, offset=3.0)
    estimator = Denoiser(hidden_layer_sizes=(8,), random_state=0)
    with pytest.warns(ConvergenceWarning, match="do not vary"):
        estimator.partial_fit(np.ones_like(X), X_clean=X)
    assert_allclose(estimator.transform(np.ones((1, 5)))[0], X.mean(axis=0))


def test_denoiser_from_random_weights_learns_the_mean_where_there_is_no_signal():
    X = of_rank((200, 8), 3, offset=3.0)
    estimator = Denoiser(
        corruption=Masking(1.0), init="random", hidden_layer_sizes=(8,), max_iter=60,
        learning_rate_init=1e-2, random_state=0,
    ).fit(X)  # fmt: skip
    assert_allclose(estimator.transform(np.zeros((1, 8)))[0], X.mean(axis=0), atol=0.3)


@pytest.mark.parametrize("init", ["auto", "random"])
def test_autoencoder_that_sees_nothing_of_its_rows_fits(init):
    X = of_rank((200, 8), 3, offset=3.0)
    estimator = Autoencoder(
        2, corruption=Masking(1.0), init=init, hidden_layer_sizes=(8,), max_iter=3, random_state=0
    ).fit(X)
    assert np.isfinite(estimator.transform(X)).all()
    assert np.isfinite(estimator.loss_curve_).all()


# Weights


def weights_below_one():
    return np.random.default_rng(0).uniform(0.1, 1.0, 120)


UNTRAINED = {"hidden_layer_sizes": (4,), "max_iter": 0}
BEFORE_TRAINING = [
    Autoencoder(2, **UNTRAINED),
    Autoencoder(2, whiten=True, **UNTRAINED),
    Autoencoder(0.9, **UNTRAINED),
    VariationalAutoencoder(2, **UNTRAINED),
    VariationalAutoencoder(None, **UNTRAINED),
]


@pytest.mark.parametrize("estimator", BEFORE_TRAINING)
@pytest.mark.parametrize("factor", [1.0, 0.5, 1e-3, 1e-20])
def test_weights_times_at_most_one_change_nothing_of_the_start(factor, estimator):
    X = spectrum((120, 6), 1e-1, offset=2.0)
    for weight in (np.ones(120), weights_below_one()):
        given = estimator.fit(X, sample_weight=weight)
        codes, score, variance = given.transform(X), given.score(X), given.explained_variance_
        scaled = estimator.fit(X, sample_weight=factor * weight)
        assert_allclose(scaled.transform(X), codes, rtol=1e-9, atol=1e-11)
        assert_allclose(scaled.explained_variance_, variance, rtol=1e-11)
        # variances are kept in float32
        assert scaled.score(X) == pytest.approx(score, rel=1e-6)
        assert scaled.score(X, sample_weight=factor * weight) == pytest.approx(
            scaled.score(X, sample_weight=weight), rel=1e-12
        )


@pytest.mark.parametrize(
    "estimator",
    [
        Autoencoder(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0),
        Autoencoder(2, hidden_layer_sizes=(8,), max_iter=3, early_stopping=False, random_state=0),
        VariationalAutoencoder(
            2, hidden_layer_sizes=(8,), max_iter=3, early_stopping=False, random_state=0
        ),
        Denoiser(hidden_layer_sizes=(8,), max_iter=3, early_stopping=False, random_state=0),
    ],
)
def test_weights_times_at_most_one_change_nothing_of_training(estimator):
    X = spectrum((120, 6), 1e-1, offset=2.0)
    everything = None, np.ones(120), np.full(120, 0.1)
    plain, ones, tenths = (estimator.fit(X, sample_weight=w).transform(X) for w in everything)
    assert_allclose(ones, plain, rtol=1e-4, atol=1e-5)
    assert_allclose(tenths, plain, rtol=1e-4, atol=1e-5)
    weight = weights_below_one()
    given, scaled = (
        estimator.fit(X, sample_weight=w).transform(X) for w in (weight, 0.25 * weight)
    )
    # a power of two leaves every digit as it is
    assert_array_equal(scaled, given)
    assert np.abs(given - plain).max() > 1e-3


@pytest.mark.parametrize("estimator", BEFORE_TRAINING)
def test_whole_weights_are_copies_of_rows_at_the_start(estimator):
    X = spectrum((40, 6), 1e-1, offset=2.0)
    weight = np.random.default_rng(0).integers(0, 4, 40)
    assert weight.min() == 0
    copies = np.repeat(X, weight, axis=0)
    weighted = estimator.fit(X, sample_weight=weight)
    found = weighted.transform(X), weighted.explained_variance_, weighted.score(X)
    repeated = estimator.fit(copies)
    assert_allclose(found[0], repeated.transform(X), rtol=1e-9, atol=1e-11)
    assert_allclose(found[1], repeated.explained_variance_, rtol=1e-11)
    assert found[2] == pytest.approx(repeated.score(X), rel=1e-6)


def test_weights_of_two_are_rows_given_twice():
    X = spectrum((40, 6), 1e-1)
    twice = fitted(VariationalAutoencoder, np.vstack([X, X]), 2)
    weighted = VariationalAutoencoder(2, **UNTRAINED).fit(X, sample_weight=np.full(40, 2.0))
    assert weighted.noise_variance_ == pytest.approx(twice.noise_variance_, rel=1e-12)
    assert weighted.score(X) == pytest.approx(twice.score(X), rel=1e-12)
    # by the divisor, which is the number of rows less one
    once = fitted(VariationalAutoencoder, X, 2)
    assert once.noise_variance_ / weighted.noise_variance_ == pytest.approx((40 / 39) / (80 / 79))
