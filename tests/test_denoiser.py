"""`Denoiser`: its start against closed forms, pairs, modes, containers, and what is refused."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.fixes import parse_version

from sklearn_ae import Autoencoder, Denoiser
from sklearn_ae._fitting.linear_filter import FilterStart
from sklearn_ae._fitting.plan import Plan
from sklearn_ae._fitting.principal import principal_directions
from sklearn_ae._fitting.rows import Rows
from sklearn_ae._fitting.scaling import table_scaling
from sklearn_ae._training import train
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import Compose, GaussianNoise, Masking, Occlusion, SaltAndPepper
from sklearn_ae.losses import Huber
from tests.checks import raises_and_changes_nothing, raises_one_line

DIGITS = load_digits().images / 16  # (n, 8, 8)
PIXELS = DIGITS.reshape(len(DIGITS), -1)
NOISE = 0.4
BOTH = pytest.mark.parametrize("cls", [Autoencoder, Denoiser])


def correlated(n_rows=400, n_features=6, seed=0):
    """Normal rows whose principal variances run from 4 to 0.04."""
    basis = np.linalg.qr(np.random.default_rng(99).normal(size=(n_features, n_features)))[0]
    spread = np.geomspace(2.0, 0.2, n_features)
    rng = np.random.default_rng(seed)
    return 3 + rng.normal(size=(n_rows, n_features)) * spread @ basis.T


def pairs(n_rows=400, n_features=6, seed=0, scale=NOISE):
    clean = correlated(n_rows, n_features, seed)
    noise = np.random.default_rng(seed + 1000).normal(size=clean.shape)
    return clean + scale * noise, clean


def curved(n_rows=500, seed=0):
    """A ring in six dimensions, which no linear filter knows."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n_rows)
    return np.column_stack([f(k * angle) for k in (1, 2, 3) for f in (np.sin, np.cos)])


def small(**parameters):
    """A denoiser with a small network that makes three epochs without a gate."""
    return Denoiser(
        **{
            "hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0, "mode": "direct",
            "early_stopping": False, **parameters,
        }
    )  # fmt: skip


def small_of(cls, **parameters):
    """The same of either estimator that takes a corruption."""
    estimator = small(**parameters)
    if cls is Denoiser:
        return estimator
    params = estimator.get_params(deep=False)
    params = {name: params[name] for name in params.keys() & Autoencoder().get_params().keys()}
    return Autoencoder(**{**params, "n_components": 2})


def start(**parameters):
    return Denoiser(**{"max_iter": 0, "random_state": 0, **parameters})


def explained(clean, cleaned, mean):
    return 1 - ((clean - cleaned) ** 2).sum() / ((clean - mean) ** 2).sum()


@pytest.fixture(scope="module")
def X():
    return correlated(60)


# The start is the best linear filter


def linear_map(estimator, n_features):
    """Matrix and offset of a linear denoiser."""
    offset = estimator.transform(np.zeros((1, n_features)))[0]
    return (estimator.transform(np.eye(n_features)) - offset).T, offset


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_start_shrinks_each_direction_as_wiener_does(scale, mode):
    X = correlated(4000)
    estimator = start(mode=mode, corruption=GaussianNoise(scale)).fit(X)
    pca = PCA().fit(X)
    matrix, _ = linear_map(estimator, 6)
    turned = pca.components_ @ matrix @ pca.components_.T
    shrinkage = pca.explained_variance_ / (pca.explained_variance_ + scale**2)
    # twenty thousand noisy rows determine each entry to about 1 / sqrt(20000)
    assert_allclose(turned, np.diag(shrinkage), atol=0.03)
    assert_allclose(estimator.transform(X.mean(axis=0)[None])[0], X.mean(axis=0), atol=0.02)
    assert estimator.start_kept_
    assert estimator.loss_curve_ == estimator.history_ == []
    assert_allclose(estimator.mean_, X.mean(axis=0))


@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_start_of_many_pairs_is_least_squares(mode):
    corrupted, clean = pairs(3000)
    corrupted = corrupted @ np.random.default_rng(5).normal(size=(6, 6)) + 7
    estimator = start(mode=mode).fit(corrupted, X_clean=clean)
    oracle = LinearRegression().fit(corrupted, clean)
    expected = oracle.predict(corrupted)
    assert_allclose(estimator.transform(corrupted), expected, atol=0.02)
    score = explained(clean, expected, clean.mean(axis=0))
    assert_allclose(estimator.score(corrupted, X_clean=clean), score, atol=1e-4)


def test_filter_is_the_ridge_regression_whose_halves_agree_best():
    corrupted, clean = pairs(40, n_features=10, scale=1.5)
    scaling = table_scaling(clean)
    directions = principal_directions(clean, scaling, 10)
    codes = [(rows - scaling.mean) / scaling.scale @ directions.components.T for rows in
             (corrupted, clean)]  # fmt: skip
    halves = np.arange(40) % 2
    found = FilterStart(*codes, directions, halves).filter(residual=False)
    ridges = [0.0, *np.logspace(-6, 1, 8)]

    def fit(rows, ridge):
        # scikit-learn's penalty is a sum, ours is relative to the mean variance of the codes
        a = codes[0][rows]
        weight = ridge * a.var(axis=0).mean() * len(a)
        return Ridge(alpha=max(weight, 1e-12)).fit(a, codes[1][rows])

    def error(ridge):
        total = 0.0
        for half in (0, 1):
            model, judge = fit(halves == half, ridge), halves != half
            lost = codes[1][judge] - model.predict(codes[0][judge])
            total += (lost - lost.mean(axis=0)).var(axis=0).sum() * judge.sum()
        return total

    best = fit(slice(None), min(ridges, key=error))
    matrix = directions.components @ found.decoder @ found.encoder @ directions.components.T
    assert_allclose(matrix, best.coef_, atol=1e-9)
    assert_allclose(directions.components @ found.offset, best.intercept_, atol=1e-9)
    assert min(ridges, key=error) > 0


@pytest.mark.parametrize("n_rows", [20, 21, 25, 40, 41])
def test_ridge_helps_with_few_pairs(n_rows):
    """With about as many rows as features least squares fits the noise."""
    corrupted, clean = pairs(n_rows, n_features=20, scale=1.5)
    fresh, truth = pairs(1000, n_features=20, seed=1, scale=1.5)
    score = start().fit(corrupted, X_clean=clean).score(fresh, X_clean=truth)
    plain = LinearRegression().fit(corrupted, clean).predict(fresh)
    assert score > explained(truth, plain, clean.mean(axis=0)) + 0.05
    assert score > 0.05


@pytest.mark.parametrize("n_rows", [21, 40])
def test_copies_of_a_row_do_not_judge_each_other(n_rows):
    """A start from own noise on few rows is nearly as good as one that knows the variances."""
    X = correlated(n_rows, n_features=20)
    fresh, truth = pairs(1000, n_features=20, seed=1, scale=1.5)
    score = start(corruption=GaussianNoise(1.5)).fit(X).score(fresh, X_clean=truth)
    many = start(corruption=GaussianNoise(1.5)).fit(correlated(3000, 20, seed=2))
    assert score > many.score(fresh, X_clean=truth) - 0.2
    assert score > 0.2


@pytest.mark.parametrize("corruption", [GaussianNoise(0.5), Masking(0.4)], ids=str)
def test_residual_and_direct_start_are_the_same_map_at_full_rank(corruption):
    X = correlated(300)
    starts = [start(mode=mode, corruption=corruption).fit(X) for mode in ("direct", "residual")]
    rows = corruption.corrupt(X, random_state=1)
    assert_allclose(starts[0].transform(rows), starts[1].transform(rows), atol=1e-9)
    assert [estimator.mode_ for estimator in starts] == ["direct", "residual"]


@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_codes_of_the_start_are_not_large(mode):
    """A code far above unit variance would make the first steps of training leaps."""
    X = PIXELS[:300]
    estimator = start(mode=mode, corruption=GaussianNoise(0.5)).fit(X)
    rows = GaussianNoise(0.5).corrupt(X, random_state=0)
    x = torch.from_numpy((rows - estimator.mean_) / estimator.scale_).float()
    with torch.no_grad():
        variance = estimator.network_.linear.encode(x).var(dim=0)
    assert variance.max() < 1.5


def test_narrow_code_projects_on_the_leading_directions():
    X = correlated(2000)
    estimator = start(n_components=2, mode="direct", corruption=GaussianNoise(0.3)).fit(X)
    assert estimator.n_components_ == 2
    matrix, _ = linear_map(estimator, 6)
    leading = PCA(2).fit(X).components_
    assert_allclose(matrix @ (np.eye(6) - leading.T @ leading), 0.0, atol=1e-9)
    assert np.linalg.matrix_rank(matrix, tol=1e-6) == 2


def test_code_is_as_wide_as_the_data_by_default():
    assert start().fit(correlated(50)).n_components_ == 6
    assert start().fit(correlated(50)[:4]).n_components_ == 4
    wide = np.random.default_rng(0).normal(size=(600, 520))
    assert small(max_iter=0).fit(wide).n_components_ == 512


def test_offset_makes_up_for_a_corruption_that_moves_the_mean():
    X = correlated(1000)
    masking = Masking(0.5)
    estimator = start(mode="direct", corruption=masking).fit(X)
    cleaned = estimator.transform(masking.corrupt(X, random_state=3))
    assert np.abs(masking.corrupt(X, random_state=3).mean(axis=0) - X.mean(axis=0)).max() > 0.5
    assert_allclose(cleaned.mean(axis=0), X.mean(axis=0), atol=0.1)


def test_weights_enter_the_start():
    X = correlated(300)
    weight = np.random.default_rng(0).integers(0, 4, len(X)).astype(float)
    corrupted, clean = pairs(300)
    weighted = start().fit(corrupted, sample_weight=weight, X_clean=clean)
    oracle = LinearRegression().fit(corrupted, clean, sample_weight=weight)
    assert_allclose(weighted.transform(corrupted), oracle.predict(corrupted), atol=0.05)
    assert_allclose(weighted.mean_, np.average(clean, axis=0, weights=weight))
    plain = start().fit(corrupted, X_clean=clean)
    assert np.abs(plain.transform(corrupted) - weighted.transform(corrupted)).max() > 1e-3


def test_start_of_many_rows_is_of_some_of_them(monkeypatch):
    X = correlated(1000)
    everything = start(mode="direct", corruption=GaussianNoise(NOISE)).fit(X)
    monkeypatch.setattr("sklearn_ae._fitting.linear_filter.FILTER_ROWS", 500)
    some = start(mode="direct", corruption=GaussianNoise(NOISE)).fit(X)
    difference = np.abs(some.transform(X) - everything.transform(X)).max()
    assert 0 < difference < 0.5
    assert_array_equal(clone(some).fit(X).transform(X), some.transform(X))
    corrupted, clean = pairs(1000)
    given = start(mode="direct").fit(corrupted, X_clean=clean)
    assert_allclose(given.score(corrupted, X_clean=clean), some.score(X), atol=0.05)


def test_start_in_small_parts_is_that_of_the_whole(monkeypatch):
    X = correlated(300)
    corrupted, clean = pairs(300)
    fresh, truth = pairs(300, seed=1)
    seen = []

    def record(x, generator):
        seen.append(len(x))
        return x + NOISE * torch.empty_like(x).normal_(generator=generator)

    whole = start().fit(corrupted, X_clean=clean)
    own = start(corruption=record).fit(X)
    assert seen == [20 * 300, 300]  # the last are for `best_loss_`
    seen.clear()
    monkeypatch.setattr("sklearn_ae._fitting.linear_filter.VALUES_AT_ONCE", 6 * 70 + 5)
    parts = clone(whole).fit(corrupted, X_clean=clean)
    assert_allclose(parts.transform(corrupted), whole.transform(corrupted), rtol=0, atol=1e-12)
    # draws depend on the size of the parts, what they are draws of does not
    parts = clone(own).fit(X)
    assert max(seen[:-1]) == 70
    assert sum(seen[:-1]) == 20 * 300
    assert not np.array_equal(parts.transform(fresh), own.transform(fresh))
    assert_allclose(parts.score(fresh, X_clean=truth), own.score(fresh, X_clean=truth), atol=0.002)


def test_start_of_a_convolutional_denoiser_is_the_same_filter():
    X = DIGITS[:200]
    plain = start(mode="direct").fit(X.reshape(200, -1))
    images = start(mode="direct", architecture=Convolutional((8, 8), channels=(3,))).fit(X)
    assert_allclose(
        images.transform(X).reshape(200, -1), plain.transform(X.reshape(200, -1)), atol=1e-9
    )


# The gate, and what training adds


def test_rows_without_structure_keep_the_start():
    kept = 0
    for seed in range(6):
        X = np.random.default_rng(seed).normal(size=(200, 8))
        estimator = Denoiser(
            hidden_layer_sizes=(32,), mode="direct", corruption=GaussianNoise(1.0), max_iter=10,
            random_state=seed,
        ).fit(X)  # fmt: skip
        kept += estimator.start_kept_
        if estimator.start_kept_:
            expected = clone(estimator).set_params(max_iter=0).fit(X).transform(X)
            assert_array_equal(estimator.transform(X), expected)
    assert kept >= 5


def test_filter_moves_at_a_fifth_of_the_rate():
    """Adam's first step of a parameter is the rate, whatever its gradient."""
    X = correlated(200)
    parameters = {"mode": "direct", "early_stopping": False, "average": False, "batch_size": 200,
                  "hidden_layer_sizes": (8,), "learning_rate_init": 0.01}  # fmt: skip
    before, after = (
        start(**parameters, max_iter=n).fit(X).network_.state_dict() for n in (0, 1)
    )  # one epoch of one step, of a rate that rises over 50 steps
    moved = {name: (after[name] - before[name]).abs().max().item() for name in before}
    rate = 0.01 / 50
    assert moved["decoder.2.bias"] == pytest.approx(rate, rel=0.01)
    for name in ("linear.encoder", "linear.decoder"):
        assert moved[name] == pytest.approx(rate / 5, rel=0.01)


@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_training_beats_the_linear_filter_on_curved_data(mode):
    train, test = curved(), curved(seed=1)
    noise = GaussianNoise(0.5)
    estimator = Denoiser(
        hidden_layer_sizes=(64,), mode=mode, corruption=noise, max_iter=50,
        learning_rate_init=3e-3, random_state=0,
    ).fit(train)  # fmt: skip
    assert not estimator.start_kept_
    corrupted = noise.corrupt(test, random_state=0)
    linear = clone(estimator).set_params(max_iter=0).fit(train)
    gain = estimator.score(corrupted, X_clean=test) - linear.score(corrupted, X_clean=test)
    assert gain > 0.02


def test_pairs_and_own_corruption_learn_about_the_same():
    clean, test = curved(1000), curved(seed=1)
    noise = GaussianNoise(0.5)
    parameters = {"hidden_layer_sizes": (32,), "max_iter": 30, "learning_rate_init": 3e-3}
    own = small(corruption=noise, **parameters).fit(clean)
    given = small(corruption=None, **parameters).fit(
        noise.corrupt(clean, random_state=0), X_clean=clean
    )
    corrupted = noise.corrupt(test, random_state=1)
    scores = [estimator.score(corrupted, X_clean=test) for estimator in (own, given)]
    assert_allclose(scores[0], scores[1], atol=0.05)
    assert min(scores) > 0.7


def test_pairs_need_not_differ_by_noise():
    """A map between tables: what is given is what is learnt."""
    X = correlated(500)
    target = np.abs(X - 3) + 1
    estimator = small(
        hidden_layer_sizes=(32,), max_iter=60, learning_rate_init=1e-2
    ).fit(X, X_clean=target)  # fmt: skip
    linear = explained(target, LinearRegression().fit(X, target).predict(X), target.mean(axis=0))
    assert estimator.score(X, X_clean=target) > linear + 0.3


def test_loss_is_of_the_clean_rows():
    corrupted, clean = pairs(300)
    estimator = small(max_iter=0).fit(corrupted, X_clean=clean)
    lost = ((estimator.transform(corrupted) - clean) ** 2).sum(axis=1).mean()
    assert_allclose(estimator.best_loss_ * estimator.scale_**2, lost, rtol=1e-5)


# Modes


@pytest.mark.parametrize("mode", ["direct", "residual"])
@pytest.mark.parametrize("init", ["pca", "random"])
def test_mode_says_what_the_network_gives(mode, init):
    X = correlated(100)
    estimator = small(mode=mode, init=init).fit(X)
    assert estimator.mode_ == mode
    network = estimator.network_.double()
    x = torch.from_numpy((X - estimator.mean_) / estimator.scale_)
    with torch.no_grad():
        output = network.decode(network.encode(x)[0])
        given = output + x if mode == "residual" else output
    expected = given.numpy() * estimator.scale_ + estimator.mean_
    assert_allclose(estimator.transform(X), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("losses", "mode"),
    [
        ([1.0, 1.09, 1.0, 0.99], "residual"),
        ([1.09, 1.0, 1.0, 1.05], "direct"),
        ([1.0, 1.0, 1.0, 1.0], "direct"),
        ([1.0, 1.11], "direct"),
        ([1.11, 1.0], "residual"),
    ],
)
def test_auto_tries_longer_where_the_modes_are_close(losses, mode, monkeypatch):
    lengths, rest = [], list(losses)

    def scripted(task, everything, settings, *args, **kwargs):
        result = train(task, everything, settings, *args, **kwargs)
        lengths.append(settings.max_iter)
        if rest:
            result.best_loss = rest.pop(0)
        return result

    monkeypatch.setattr("sklearn_ae._fitting.fit.train", scripted)
    fit = small(mode="auto", early_stopping="auto", max_iter=30).fit(curved(60, 0))
    assert fit.mode_ == mode
    assert lengths == [*[3, 3, 6, 6][: len(losses)], 30]


@pytest.mark.parametrize(
    ("n_rows", "max_iter", "epochs"),
    [(1200, "auto", [20, 40]), (20000, "auto", [3, 18]), (400_000, "auto", [1]), (1200, 4, [1])],
)
def test_lengths_of_the_tries(n_rows, max_iter, epochs):
    estimator = Denoiser(max_iter=max_iter)
    blueprint = estimator._blueprint(Rows(np.zeros((2, 3), dtype=np.float32)), 0)
    assert Plan(vars(estimator), n_rows, blueprint).choice_epochs == epochs


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_auto_takes_the_mode_with_the_lower_validation_loss(seed, monkeypatch):
    X = curved(200, seed)
    trained = []

    def watched(task, everything, settings, *args, **kwargs):
        result = train(task, everything, settings, *args, **kwargs)
        mode = "residual" if task.network.residual else "direct"
        trained.append((mode, settings.max_iter, len(settings.splits), result.best_loss))
        return result

    monkeypatch.setattr("sklearn_ae._fitting.fit.train", watched)
    noise = GaussianNoise([0.05, 0.5, 2.0][seed])
    estimator = Denoiser(
        hidden_layer_sizes=(16,), corruption=noise, max_iter=20, random_state=seed
    ).fit(X)  # fmt: skip
    *trials, whole = trained
    # a tenth of the epochs tells, or a fifth
    tries = [("direct", 2, 5), ("residual", 2, 5), ("direct", 4, 5), ("residual", 4, 5)]
    assert [trial[:3] for trial in trials] == tries[: len(trials)]
    assert len(trials) in (2, 4)
    assert estimator.mode_ == whole[0] == min(trials[-2:], key=lambda trial: trial[3])[0]
    assert estimator.mode == "auto"
    chosen = clone(estimator).set_params(mode=estimator.mode_).fit(X)
    assert_array_equal(estimator.transform(X), chosen.transform(X))


class Labelled(Denoiser):
    """Somebody else's, with a parameter of its own."""

    def __init__(
        self, label, *, hidden_layer_sizes=(8,), corruption="gaussian", mode="auto", max_iter=4,
        random_state=None,
    ):  # fmt: skip
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            corruption=corruption,
            mode=mode,
            max_iter=max_iter,
            random_state=random_state,
        )
        self.label = label


def test_auto_of_a_subclass_with_a_parameter_of_its_own(X):
    estimator = Labelled("mine", random_state=0).fit(X)
    plain = Denoiser(hidden_layer_sizes=(8,), max_iter=4, random_state=0).fit(X)
    assert estimator.label == clone(estimator).label == "mine"
    assert estimator.mode_ == plain.mode_
    assert_array_equal(estimator.transform(X), plain.transform(X))


def test_auto_prefers_the_residual_where_little_is_to_be_changed():
    """A code too narrow for the rows cannot hand them on; a residual need not."""
    X = correlated(300, 12)
    estimator = Denoiser(
        n_components=1, hidden_layer_sizes=(8,), corruption=GaussianNoise(0.05), max_iter=10,
        random_state=0,
    ).fit(X)  # fmt: skip
    assert estimator.mode_ == "residual"
    assert estimator.score(X) > 0.9


def test_auto_prefers_the_direct_where_most_is_noise():
    X = correlated(300, 12)
    estimator = Denoiser(
        n_components=1, hidden_layer_sizes=(8,), corruption=GaussianNoise(3.0), max_iter=10,
        random_state=0,
    ).fit(X)  # fmt: skip
    assert estimator.mode_ == "direct"


@pytest.mark.parametrize(
    "parameters", [{"early_stopping": False}, {"max_iter": 0}, {"loss": "log_loss"}], ids=str
)
def test_auto_is_direct_where_no_rows_decide(parameters):
    X = (correlated(60) > 3).astype(float)
    estimator = Denoiser(**{"hidden_layer_sizes": (8,), "max_iter": 2, **parameters}).fit(X)
    assert estimator.mode_ == "direct"


def test_trials_of_the_modes_are_not_seen(capsys, X):
    small(mode="auto", early_stopping="auto", max_iter=4, verbose=1).fit(X)
    assert len(capsys.readouterr().out.splitlines()) < 10


class Seen(skorch.callbacks.Callback):
    batches: list = []  # noqa: RUF012 - shared on purpose: fit trains a copy of the callback

    def on_batch_end(self, net, batch=None, training=None, y_pred=None, **kwargs):
        self.batches.append((*batch, y_pred))


@pytest.mark.parametrize("paired", [False, True])
def test_callbacks_at_every_batch_change_nothing(paired, X):
    Seen.batches.clear()
    X_clean = X - np.arange(6.0) if paired else None
    plain = small(batch_size=20).fit(X, X_clean=X_clean)
    watched = small(batch_size=20, skorch_callbacks=[Seen()]).fit(X, X_clean=X_clean)
    assert len(Seen.batches) == 9
    for corrupted, clean, cleaned in Seen.batches:
        assert corrupted.shape == clean.shape == cleaned.shape == (20, 6)
        gap = (corrupted - clean) * watched.scale_
        assert_allclose(gap, np.broadcast_to(np.arange(6.0) * paired, (20, 6)), atol=1e-5)
    assert_allclose(watched.transform(X), plain.transform(X), atol=1e-5)


def users_factory(n_features, n_components):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(n_features, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, n_components)
    )
    return encoder, torch.nn.Linear(n_components, n_features)


@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_architecture_of_a_user_starts_at_the_filter_and_trains(mode, X):
    filtered = start(mode=mode).fit(X)
    first = start(mode=mode, architecture=users_factory).fit(X)
    assert_allclose(first.transform(X), filtered.transform(X), atol=1e-9)
    trained = small(mode=mode, architecture=users_factory).fit(X)
    assert trained.loss_curve_
    assert not np.array_equal(trained.transform(X), first.transform(X))


# Containers


def test_integers_and_lists_come_back_as_floats():
    X = np.random.default_rng(0).poisson(4.0, (40, 5))
    cleaned = small().fit(X).transform(X)
    assert cleaned.dtype == np.float64
    assert_array_equal(small().fit(X.tolist()).transform(X.tolist()), cleaned)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (4, 4, 4), (64,)])
def test_images_come_back_in_their_shape(shape):
    X = PIXELS[:40].reshape(40, *shape).astype(np.float32)
    image_shape = shape if len(shape) > 1 else (8, 8)
    estimator = small(architecture=Convolutional(image_shape, channels=(3,)))
    cleaned = estimator.fit(X).transform(X)
    assert cleaned.shape == X.shape
    assert cleaned.dtype == np.float32
    assert_array_equal(estimator.transform(X.reshape(40, -1)), cleaned.reshape(40, -1))
    doubled = X.astype(float).tolist()
    assert estimator.transform(doubled).shape == X.shape
    assert estimator.fit(X, X_clean=X.reshape(40, -1)).transform(X).shape == X.shape
    assert np.isfinite(estimator.score(X, X_clean=X))


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8)])
def test_set_output_makes_a_table_of_images(container, shape):
    X = PIXELS[:40].reshape(40, *shape)
    estimator = small(architecture=Convolutional((8, 8), channels=(3,)))
    images = estimator.fit_transform(X)
    assert images.shape == X.shape
    frame = estimator.set_output(transform=container).fit_transform(X)
    assert isinstance(frame, {"pandas": pd, "polars": pl}[container].DataFrame)
    assert list(frame.columns) == [f"x{i}" for i in range(64)]
    assert_array_equal(frame.to_numpy(), images.reshape(40, 64))
    assert_array_equal(estimator.set_output(transform="default").transform(X), images)
    with config_context(transform_output=container):
        table = small(architecture=Convolutional((8, 8), channels=(3,))).fit_transform(X)
    assert type(table) is type(frame)
    assert_array_equal(table.to_numpy(), frame.to_numpy())


def test_shape_of_images_may_be_an_array():
    X = DIGITS[:40]
    expected = small(architecture=Convolutional((8, 8), channels=(3,))).fit(X).transform(X)
    architecture = Convolutional(np.array([8, 8]), channels=(3,))
    estimator = small(architecture=architecture, hidden_layer_sizes="auto").fit(X)
    assert estimator.transform(X).shape == X.shape
    estimator.set_params(hidden_layer_sizes=(8,))
    assert_array_equal(estimator.fit(X).transform(X), expected)


def test_mismatched_images_raise_one_line():
    architecture = Convolutional((8, 8), channels=(3,))
    estimator = small(architecture=architecture)
    with pytest.raises(ValueError, match=r"^X has .*\(30, 8, 7\).*\(8, 8\)"):
        estimator.fit(DIGITS[:30, :, :7])
    with pytest.raises(ValueError, match=r"^X_clean has .*\(30, 8, 7\).*\(8, 8\)"):
        estimator.fit(DIGITS[:30], X_clean=DIGITS[:30, :, :7])
    estimator.fit(DIGITS[:30])
    with pytest.raises(ValueError, match=r"^X has .*\(30, 8, 7\).*\(8, 8\)"):
        estimator.transform(DIGITS[:30, :, :7])


# In a Pipeline


def test_y_is_ignored(X):
    plain = small().fit(X).transform(X)
    for y in (np.arange(60), np.array(["a", "b"] * 30), X[:, :3], "nonsense"):
        assert_array_equal(small().fit(X, y).transform(X), plain)
        assert_array_equal(small().partial_fit(X, y).transform(X).shape, X.shape)
    for method in ("fit", "partial_fit"):
        with pytest.warns(UserWarning, match="y has the shape of X and is ignored") as found:
            estimator = getattr(small(), method)(X, X + 1)
        assert found[0].filename == __file__
        assert_array_equal(estimator.transform(X), getattr(small(), method)(X).transform(X))
    assert small().fit(X).score(X, np.arange(60)) == small().fit(X).score(X)


def test_denoiser_in_a_pipeline_of_a_classifier():
    X, y = load_digits(return_X_y=True)
    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            ("denoise", small(mode="auto", early_stopping="auto", corruption=GaussianNoise(0.5))),
            ("classify", LogisticRegression(max_iter=500)),
        ]
    ).fit(X[:400], y[:400])
    assert pipeline.score(X[1000:1300], y[1000:1300]) > 0.8
    assert list(pipeline[:-1].get_feature_names_out()) == [f"x{i}" for i in range(64)]
    pipeline.set_params(denoise__corruption__scale=0.1, denoise__mode="residual")
    assert pipeline.fit(X[:100], y[:100]).named_steps["denoise"].mode_ == "residual"


def test_clean_rows_are_routed_through_a_pipeline():
    corrupted, clean = pairs(120)
    with config_context(enable_metadata_routing=True):
        denoiser = start().set_fit_request(X_clean=True).set_score_request(X_clean=True)
        pipeline = make_pipeline(None, denoiser).fit(corrupted, X_clean=clean)
        direct = start().fit(corrupted, X_clean=clean)
        assert_array_equal(pipeline.transform(corrupted), direct.transform(corrupted))
        score = pipeline.score(corrupted, X_clean=clean)
    assert score == direct.score(corrupted, X_clean=clean)


def test_clean_rows_pass_through_the_steps_before():
    corrupted, clean = pairs(120)
    corrupted, clean = 5 * corrupted + 100, 5 * clean + 100
    with config_context(enable_metadata_routing=True):
        denoiser = start().set_fit_request(X_clean=True)
        pipeline = make_pipeline(StandardScaler(), denoiser, transform_input=["X_clean"])
        cleaned = pipeline.fit(corrupted, X_clean=clean).transform(corrupted)
    scaler = StandardScaler().fit(corrupted)
    by_hand = start().fit(scaler.transform(corrupted), X_clean=scaler.transform(clean))
    assert_array_equal(cleaned, by_hand.transform(scaler.transform(corrupted)))
    assert_allclose(scaler.inverse_transform(cleaned).mean(axis=0), clean.mean(axis=0))


def test_clean_rows_are_routed_through_cross_validation():
    corrupted, clean = pairs(120)
    with config_context(enable_metadata_routing=True):
        denoiser = start().set_fit_request(X_clean=True).set_score_request(X_clean=True)
        estimators = [denoiser]
        # before scikit-learn 1.8 the scorer of a pipeline does not hand on what its step asks for
        if parse_version(sklearn.__version__) >= parse_version("1.8"):
            estimators.append(make_pipeline(None, denoiser))
        for estimator in estimators:
            found = cross_validate(
                estimator, corrupted, params={"X_clean": clean}, cv=3, error_score="raise"
            )["test_score"]
            folds = np.split(np.arange(120), 3)
            for score, fold in zip(found, folds, strict=True):
                rest = np.setdiff1d(np.arange(120), fold)
                fitted = start().fit(corrupted[rest], X_clean=clean[rest])
                assert_allclose(score, fitted.score(corrupted[fold], X_clean=clean[fold]))


def test_clean_rows_are_routed_through_a_search():
    corrupted, clean = pairs(120)
    with config_context(enable_metadata_routing=True):
        denoiser = start().set_fit_request(X_clean=True).set_score_request(X_clean=True)
        grid = {"n_components": [1, 4]}
        search = GridSearchCV(denoiser, grid, cv=3, error_score="raise")
        search.fit(corrupted, X_clean=clean)
    assert search.best_params_ == {"n_components": 4}
    direct = start(n_components=4).fit(corrupted, X_clean=clean)
    assert_array_equal(search.transform(corrupted), direct.transform(corrupted))
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        GridSearchCV(start(), grid, cv=3, error_score="raise").fit(corrupted, X_clean=clean)


def test_routing_without_a_request_raises():
    corrupted, clean = pairs(60)
    with config_context(enable_metadata_routing=True):
        with pytest.raises(ValueError, match="X_clean"):
            cross_validate(start(), corrupted, params={"X_clean": clean}, error_score="raise")
        request = start().set_fit_request(X_clean=True, sample_weight=True)
        assert "X_clean" in str(request.get_metadata_routing())


def test_parameters_are_searched_over(X):
    """A code of one component cannot hand the rows on, but a residual need not."""
    search = GridSearchCV(
        start(n_components=1, corruption=GaussianNoise(0.1)), {"mode": ["direct", "residual"]},
        cv=2, error_score="raise",
    ).fit(X)  # fmt: skip
    direct, residual = search.cv_results_["mean_test_score"]
    assert direct < residual - 0.1
    assert search.best_params_ == {"mode": "residual"}
    assert search.transform(X).shape == X.shape
    widths = GridSearchCV(
        small(init="random", max_iter=10, learning_rate_init=1e-2),
        {"hidden_layer_sizes": [(1,), (16,)]}, cv=2, error_score="raise",
    ).fit(X)  # fmt: skip
    assert widths.best_params_ == {"hidden_layer_sizes": (16,)}
    noise = GridSearchCV(
        start(corruption=GaussianNoise()), {"corruption__scale": [0.1, 2.0]}, cv=2,
        scoring=lambda fitted, X, y=None: fitted.score(X + 0.1, X_clean=X), error_score="raise",
    ).fit(X)  # fmt: skip
    assert noise.best_estimator_.corruption.scale == 0.1
    with pytest.raises(ValueError, match="pass an instance as corruption"):
        small().set_params(corruption__scale=0.5)


# Scores


def test_score_is_the_explained_variance_of_the_clean_rows():
    corrupted, clean = pairs(100)
    estimator = small().fit(corrupted, X_clean=clean)
    fresh, truth = pairs(50, seed=1)
    score = estimator.score(fresh, X_clean=truth)
    assert isinstance(score, float)
    assert_allclose(score, explained(truth, estimator.transform(fresh), clean.mean(axis=0)))
    weight = np.random.default_rng(0).integers(0, 3, 50)
    assert_allclose(
        estimator.score(fresh, sample_weight=weight, X_clean=truth),
        estimator.score(np.repeat(fresh, weight, 0), X_clean=np.repeat(truth, weight, 0)),
    )
    with pytest.raises(ValueError, match="X_clean"):
        estimator.score(fresh)


def test_score_without_clean_rows_corrupts_them_itself(X):
    estimator = small(corruption=GaussianNoise(1.0)).fit(X)
    score = estimator.score(X)
    assert estimator.score(X) == score
    corrupted = GaussianNoise(1.0).corrupt(np.tile(X, (50, 1)), random_state=5)
    expected = estimator.score(corrupted, X_clean=np.tile(X, (50, 1)))
    assert_allclose(score, expected, atol=0.1)
    assert score < estimator.score(X, X_clean=X)
    weight = np.tile([0.0, 1.0], 30)
    assert estimator.score(X, sample_weight=weight) != score


def test_noise_of_score_is_like_any_other():
    """It is not that of the start, of the weights or of training, which would flatter or hurt."""
    noise = GaussianNoise(0.5)
    estimator = small(
        corruption=noise, init="random", hidden_layer_sizes=(64,), learning_rate_init=5e-3
    ).fit(PIXELS)  # fmt: skip
    others = [
        estimator.score(noise.corrupt(PIXELS, random_state=seed), X_clean=PIXELS)
        for seed in range(100, 110)
    ]
    assert abs(estimator.score(PIXELS) - np.mean(others)) < 4 * np.std(others, ddof=1)


def test_score_corrupts_as_fit_did(X):
    estimator = small(corruption=GaussianNoise(1.0)).fit(X)
    score = estimator.score(X)
    assert estimator.set_params(corruption__scale=0.01).score(X) == score
    assert estimator.set_params(corruption=None).score(X) == score
    assert pickle.loads(pickle.dumps(estimator)).score(X) == score
    assert estimator.set_params(corruption=GaussianNoise(0.01)).fit(X).score(X) > score + 0.1


def test_scores_on_own_noise_favour_the_weakest():
    """Candidates for the corruption are to be judged on the same pairs."""
    train, test = curved(), curved(seed=1)
    weak, right = (start(corruption=GaussianNoise(scale)).fit(train) for scale in (0.05, 0.5))
    assert weak.score(test) > right.score(test) + 0.1
    corrupted = GaussianNoise(0.5).corrupt(test, random_state=0)
    assert right.score(corrupted, X_clean=test) > weak.score(corrupted, X_clean=test) + 0.1


def test_score_of_constant_rows():
    X = np.full((30, 4), 2.5)
    with pytest.warns(ConvergenceWarning, match="which do not vary") as found:
        estimator = start(corruption=GaussianNoise(0.0)).fit(X)
    assert found[0].filename == __file__
    assert estimator.score(X) == 1.0
    noisy = start().fit(X)
    assert noisy.score(X, X_clean=X) == 1.0
    assert_allclose(noisy.transform(X + 1), X)
    assert noisy.score(X, X_clean=X + 1) == 0


# Losses, corruptions, precision


def test_log_loss_cleans_binary_pixels():
    X = (PIXELS[:300] > 0.5).astype(float)
    noise = SaltAndPepper(0.3)
    estimator = small(
        loss="log_loss", corruption=noise, hidden_layer_sizes=(32,), max_iter=15,
        learning_rate_init=5e-3,
    ).fit(X)  # fmt: skip
    corrupted = noise.corrupt(X, random_state=0)
    cleaned = estimator.transform(corrupted)
    assert cleaned.min() >= 0
    assert cleaned.max() <= 1
    assert ((cleaned - X) ** 2).sum() < 0.8 * ((corrupted - X) ** 2).sum()
    assert estimator.mode_ == "direct"
    assert not estimator.start_kept_


def test_log_loss_of_pairs_checks_the_clean_rows():
    clean = (PIXELS[:40] > 0.5).astype(float)
    corrupted = clean + 5 * np.random.default_rng(0).normal(size=clean.shape)
    estimator = small(loss="log_loss").fit(corrupted, X_clean=clean)
    assert estimator.transform(corrupted).max() <= 1
    with raises_one_line(ValueError, r"needs values of X_clean in \[0, 1\]"):
        estimator.fit(clean, X_clean=corrupted)
    with pytest.raises(ValueError, match=r"needs values of X in \[0, 1\]"):
        estimator.fit(corrupted)


@pytest.mark.parametrize(
    "corruption",
    [
        "gaussian",
        "masking",
        "salt_and_pepper",
        "swap_noise",
        Compose([GaussianNoise(0.2), Masking(0.2)]),
        Occlusion((2, 3), 1),
        lambda x, generator: x + torch.empty_like(x).normal_(generator=generator),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "residual"])
def test_any_corruption_trains(corruption, mode, X):
    estimator = Denoiser(
        hidden_layer_sizes=(8,), corruption=corruption, mode=mode, max_iter=2, random_state=0
    ).fit(X)  # fmt: skip
    assert np.isfinite(estimator.transform(X)).all()
    assert np.isfinite(estimator.score(X))


class Damped(torch.nn.Module):
    """A corruption with weights and a state, and with draws in its training mode."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.linspace(0.3, 0.9, 64))
        self.mix = torch.nn.utils.skip_init(torch.nn.Linear, 64, 64, bias=False)
        self.dropout = torch.nn.Dropout(0.2)
        torch.nn.init.eye_(self.mix.weight)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x, generator):
        self.calls += 1
        return self.dropout(self.mix(self.factor * x))


def binary_pixels(n_rows=60):
    return (PIXELS[:n_rows] > 0.5).astype(float)


@BOTH
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_module_as_corruption_is_not_trained(cls, loss):
    X, module = binary_pixels(), Damped()
    before = copy.deepcopy(module.state_dict())
    estimator = small_of(cls, corruption=module, loss=loss).fit(X)
    assert estimator.corruption is module
    assert module.training
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in module.parameters())
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    again = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(again.transform(X), estimator.transform(X))
    assert again.score(X) == estimator.score(X)
    with torch.no_grad():
        module.factor.zero_()
    assert again.score(X) == estimator.score(X)
    assert not np.array_equal(small_of(cls, loss=loss).fit(X).transform(X), again.transform(X))


@BOTH
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_corruption_in_place_is_that_of_a_copy(cls, loss):
    X, kept = binary_pixels(), torch.arange(64) % 3 > 0
    in_place, copied = (
        small_of(cls, corruption=corruption, loss=loss).fit(X)
        for corruption in (lambda x, generator: x.mul_(kept), lambda x, generator: x * kept)
    )
    assert in_place.loss_curve_ == copied.loss_curve_
    assert_array_equal(in_place.transform(X), copied.transform(X))
    assert in_place.score(X) == copied.score(X)


@BOTH
@pytest.mark.parametrize("init", ["auto", "random"])
@pytest.mark.parametrize(
    "corruption, error, message",
    [
        (lambda x, generator: x.numpy(), TypeError, "must return a tensor; got ndarray"),
        (lambda x, generator: None, TypeError, "must return a tensor; got NoneType"),
        (lambda x, generator: x[:, :5], ValueError, r"shape .*, 6\); got \(\d+, 5\)"),
        (lambda x, generator: x[:-1], ValueError, r"shape .*, 6\); got \(\d+, 6\)"),
        (lambda x, generator: x[:1], ValueError, r"shape .*, 6\); got \(1, 6\)"),
    ],
)
def test_corruption_that_gives_something_else_raises_one_line(
    cls, init, corruption, error, message, X
):
    for given in (corruption, Compose([corruption])):
        with raises_one_line(error, message):
            small_of(cls, corruption=given, init=init).fit(X)


def test_corruption_that_makes_nan_raises_one_line(X):
    with raises_one_line(ValueError, r"corruption=.* that are not finite"):
        small(corruption=lambda x, generator: x * torch.nan).fit(X)
    for estimator in (small(init="random"), small_of(Autoencoder)):
        estimator.set_params(corruption=lambda x, generator: x / 0)
        with raises_one_line(FloatingPointError, "objective became"):
            estimator.fit(X)


def test_a_network_of_the_users_keeps_full_precision(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    seen = []

    class Layer(torch.nn.Linear):
        def forward(self, x):
            seen.append(super().forward(x).dtype)
            return super().forward(x)

    X = np.random.default_rng(0).normal(size=(50, 130)).astype(np.float32)
    parameters = {"n_components": 3, "early_stopping": False, "max_iter": 1, "init": "random"}
    Denoiser(architecture=lambda n, k: (Layer(n, k), Layer(k, n)), **parameters).fit(X)
    assert torch.bfloat16 not in seen and seen
    seen.clear()
    Denoiser(
        architecture=lambda n, k: (Layer(n, k), Layer(k, n)), precision="bfloat16", **parameters
    ).fit(X)
    assert torch.bfloat16 in seen


@BOTH
def test_corruption_may_give_another_precision(cls, X):
    plain, double, half = (
        small_of(cls, corruption=corruption).fit(X)
        for corruption in (
            lambda x, generator: x + 0.25,
            lambda x, generator: x.double() + 0.25,
            lambda x, generator: (x + 0.25).half(),
        )
    )
    assert_allclose(double.transform(X), plain.transform(X), atol=1e-4)
    assert_allclose(half.transform(X), plain.transform(X), atol=0.05)


def test_corruption_is_in_the_units_of_the_data():
    X = 1000 * correlated(400)
    estimator = start(corruption=GaussianNoise(500.0), mode="direct").fit(X)
    plain = start(corruption=GaussianNoise(0.5), mode="direct").fit(X / 1000)
    assert_allclose(estimator.transform(X), 1000 * plain.transform(X / 1000), rtol=1e-6)


def test_corruption_is_drawn_afresh_at_each_visit(X):
    seen = []

    def record(x, generator):
        corrupted = x + torch.empty_like(x).normal_(generator=generator)
        seen.append((x.clone(), corrupted))
        return corrupted

    small(corruption=record, max_iter=2, batch_size=60).fit(X)
    (first, noise), (second, other) = seen[-2:]
    assert_allclose(np.sort(first[:, 0]), np.sort(X[:, 0]), atol=1e-4)
    assert_allclose(np.sort(second[:, 0]), np.sort(X[:, 0]), atol=1e-4)
    assert not torch.equal((noise - first).sort(0).values, (other - second).sort(0).values)


def test_positions_of_max_pooling_are_used():
    """Both ends of the network see the same image, so the decoder may know where to put things."""
    architecture = Convolutional(
        (8, 8), channels=(3,), downsampling="max_pool", upsampling="max_unpool"
    )
    estimator = small(architecture=architecture).fit(DIGITS[:60])
    network = estimator.network_
    x = torch.from_numpy((PIXELS[:60] - estimator.mean_) / estimator.scale_).float()
    with torch.no_grad():
        expected = network.decode(*network.encode(x)).double().numpy()
        without = network.decode(network.encode(x)[0]).double().numpy()
    cleaned = (estimator.transform(PIXELS[:60]) - estimator.mean_) / estimator.scale_
    assert_allclose(cleaned, expected, atol=1e-4)
    assert np.abs(cleaned - without).max() > 1e-3


# Random numbers


def careless(x, generator):
    return x + 0.1 * torch.randn(x.shape, dtype=x.dtype)


def numpys(x, generator):
    return x + torch.from_numpy(np.random.normal(size=x.shape))


@BOTH
@pytest.mark.parametrize(
    "corruption",
    ["gaussian", careless, Compose([careless]), numpys, Compose(["gaussian", numpys])],
)
@pytest.mark.parametrize("random_state", [0, None])
def test_careless_corruption_leaves_the_global_states(cls, corruption, random_state, X):
    estimator = cls(
        hidden_layer_sizes=(8,), corruption=corruption, max_iter=2, early_stopping=True,
        random_state=random_state,
    )  # fmt: skip
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    estimator.fit(X)
    score = estimator.score(X)
    clone(estimator).set_params(early_stopping="auto").partial_fit(X)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])
    if random_state == 0:
        torch.randn(3), np.random.normal(size=3)
        twin = clone(estimator).fit(X)
        assert_array_equal(twin.transform(X), estimator.transform(X))
        assert twin.loss_curve_ == estimator.loss_curve_
        assert twin.score(X) == score


# partial_fit and warm_start


@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_chunks_improve_on_the_filter(mode):
    X = curved(600)
    estimator = small(
        corruption=GaussianNoise(0.5), hidden_layer_sizes=(32,), learning_rate_init=3e-3,
        batch_size=20, mode=mode,
    )  # fmt: skip
    for _ in range(6):
        for chunk in np.array_split(X, 3):
            estimator.partial_fit(chunk)
    assert estimator.n_samples_seen_ == 3600
    assert estimator.n_iter_ == 18
    fresh = curved(seed=1)
    first = start(corruption=GaussianNoise(0.5)).fit(X[:200])
    assert estimator.score(fresh) > first.score(fresh)


def test_partial_fit_of_pairs():
    corrupted, clean = pairs(200)
    estimator = small()
    for rows in np.array_split(np.arange(200), 4):
        assert estimator.partial_fit(corrupted[rows], X_clean=clean[rows]) is estimator
    assert estimator.mode_ == "direct"
    assert estimator.score(corrupted, X_clean=clean) > 0.8
    assert small(mode="auto").partial_fit(corrupted, X_clean=clean).mode_ == "direct"


def test_fit_without_a_signal_can_go_on():
    X = np.random.default_rng(0).normal(size=(40, 4))
    estimator = Denoiser(mode="residual", corruption=None, max_iter=2, warm_start=True)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(np.zeros_like(X), X_clean=X)
    assert estimator.mode_ == "direct"  # the mean, which x + g(f(x)) cannot give
    assert estimator.fit(X, X_clean=X).mode_ == "direct"


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_the_first_fit_decided_cannot_change(method):
    corrupted, clean = pairs(60)
    estimator = small(warm_start=True).fit(corrupted, X_clean=clean)
    alone = small(warm_start=True).fit(clean)
    for call, message in [
        (lambda: getattr(estimator, method)(corrupted), "X_clean is to be given in every call"),
        (
            lambda: getattr(alone, method)(corrupted, X_clean=clean),
            "X_clean is to be given in every",
        ),
        (
            lambda: getattr(alone.set_params(mode="residual"), method)(clean),
            "mode changed from 'direct' to 'residual'",
        ),
        (
            lambda: getattr(alone.set_params(mode="direct", corruption=None), method)(clean),
            "set corruption",
        ),
        (lambda: getattr(estimator, method)(corrupted[:, :5], X_clean=clean), "X has 5 features"),
    ]:
        with raises_one_line(ValueError, message):
            call()
    assert (
        alone.set_params(corruption="gaussian", warm_start=False)
        .fit(corrupted, X_clean=clean)
        .score(corrupted, X_clean=clean)
    )


# Hard tables


@pytest.mark.parametrize("max_iter", [0, 3])
@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_constant_column_and_constant_table(max_iter, mode):
    X = correlated(60)
    X[:, 4] = -17.25
    estimator = small(max_iter=max_iter, mode=mode).fit(X)
    assert np.isfinite(estimator.transform(X)).all()
    atol = 1e-6 if max_iter == 0 else 0.5
    assert_allclose(estimator.transform(X)[:, 4], -17.25, atol=atol)
    flat = small(max_iter=max_iter, mode=mode).fit(np.full((40, 4), 3.5))
    assert np.isfinite(flat.transform(np.full((3, 4), 4.5))).all()


@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_large_offset_survives(mode):
    X = 1e8 + correlated(200)
    estimator = start(mode=mode, corruption=GaussianNoise(NOISE)).fit(X)
    plain = start(mode=mode, corruption=GaussianNoise(NOISE)).fit(X - 1e8)
    assert_allclose(estimator.transform(X) - 1e8, plain.transform(X - 1e8), atol=0.05)


@pytest.mark.parametrize("offset", [1e7, 1e8])
@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_training_survives_a_large_offset(mode, offset):
    X = curved()
    fits = [
        small(
            mode=mode, corruption=GaussianNoise(0.5), hidden_layer_sizes=(32,), max_iter=20,
            learning_rate_init=3e-3,
        ).fit(rows)
        for rows in (X, X + offset)
    ]  # fmt: skip
    scores = [fit.score(rows) for fit, rows in zip(fits, (X, X + offset), strict=True)]
    assert scores[0] > start(corruption=GaussianNoise(0.5)).fit(X).score(X) + 0.02
    assert_allclose(scores[1], scores[0], atol=0.008)


def test_more_features_than_rows():
    corrupted, clean = pairs(30, n_features=50)
    estimator = small(max_iter=2).fit(corrupted, X_clean=clean)
    assert estimator.n_components_ == 30
    assert np.isfinite(estimator.transform(corrupted)).all()
    assert start(n_components=80).fit(clean).transform(clean).shape == (30, 50)


# Bad input


@pytest.mark.parametrize(
    "X_clean, message",
    [
        (np.zeros((59, 6)), r"X_clean has shape \(59, 6\), but X has shape \(60, 6\)"),
        (np.zeros((60, 5)), r"X_clean has shape \(60, 5\), but X has shape \(60, 6\)"),
        (np.zeros(6), "Expected 2D array, got 1D array"),
        (np.full((60, 6), np.nan), "Input X_clean contains NaN"),
        (np.full((60, 6), np.inf), "Input X_clean contains infinity"),
        (np.zeros((60, 2, 3)), "dim 3"),
        (np.full((60, 6), "a"), "could not convert"),
        (np.zeros((60, 6), dtype=complex), "Complex data not supported"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_bad_clean_rows_raise_and_change_nothing(method, X_clean, message, X):
    fresh = small(mode="auto", early_stopping="auto")
    for estimator in [clone(fresh).fit(X, X_clean=X)] + [fresh] * (method != "score"):
        with raises_and_changes_nothing(estimator, ValueError, message):
            getattr(estimator, method)(X, X_clean=X_clean)


def test_rows_of_another_width_than_the_clean_ones_raise_and_change_nothing(X):
    for estimator in (small(), small().fit(X, X_clean=X)):
        with raises_and_changes_nothing(estimator, ValueError, r"X_clean has shape \(60, 6\)"):
            estimator.fit(X[:, :3], X_clean=X)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
@pytest.mark.parametrize("names", [list("abcdef"), list(range(6)), [10, 2, 7, 0, 5, 1]], ids=str)
def test_columns_of_the_clean_rows_are_those_of_X(method, names, X):
    frame = pd.DataFrame(X, columns=names)
    estimator = small().fit(frame, X_clean=frame)
    for other in (frame[[names[1], names[0], *names[2:]]], frame.rename(columns={names[0]: 99})):
        first = next(iter(other.columns))
        message = f"the first that differ are {first!r} of X_clean and {names[0]!r} of X"
        with raises_one_line(ValueError, message):
            getattr(estimator, method)(frame, X_clean=other)
    plain = small().fit(X, X_clean=frame)
    assert_array_equal(plain.transform(X), estimator.transform(frame))
    assert_array_equal(small().fit(frame, X_clean=X).transform(frame), estimator.transform(frame))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_nothing_to_learn_from_raises_one_line(method, X):
    with raises_one_line(ValueError, r"X_clean.*corruption"):
        getattr(small(corruption=None), method)(X)


def test_score_needs_a_corruption_or_clean_rows(X):
    estimator = small(corruption=None).fit(X + 0.1, X_clean=X)
    with raises_one_line(ValueError, "X_clean"):
        estimator.score(X)


def test_residual_log_loss_raises_one_line():
    X = (PIXELS[:40] > 0.5).astype(float)
    with raises_one_line(ValueError, r"mode='residual'.*log_loss"):
        small(mode="residual", loss="log_loss").fit(X)
    with pytest.raises(ValueError, match="init='pca' is not possible with loss='log_loss'"):
        small(init="pca", loss="log_loss").fit(X)


@pytest.mark.parametrize(
    "part",
    [GaussianNoise(-0.1), Masking(1.5), SaltAndPepper("half"), Huber(0), Huber(-1.0)],
    ids=str,
)
def test_bad_parameters_of_a_part_raise_one_line(part, X):
    name = "loss" if isinstance(part, Huber) else "corruption"
    with raises_one_line(InvalidParameterError, "parameter of"):
        small(**{name: part}).fit(X)
