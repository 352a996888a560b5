"""`Autoencoder` against its oracle, PCA, and the parameters one by one."""

import copy

import numpy as np
import pytest
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import subspace_angles
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_swiss_roll
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import GaussianNoise
from sklearn_ae.losses import Huber
from sklearn_ae.objectives import hoyer
from sklearn_ae.penalties import L1, KLSparsity
from tests.checks import Recorder, raises_one_line


def tables():
    wide = np.random.default_rng(0).normal(size=(12, 40)) * np.linspace(1, 5, 40)
    return {
        "digits": load_digits().data,
        "breast_cancer": load_breast_cancer().data,
        "breast_cancer standardised": StandardScaler().fit_transform(load_breast_cancer().data),
        "wine": load_wine().data,
        "more features than rows": wide,
    }


TABLES = tables()
DIGITS = TABLES["digits"]


def nonlinear(n=400, seed=0):
    """A curved sheet in six dimensions that two straight directions do not hold."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(-1.5, 1.5, (n, 2))
    sheet = np.column_stack([t, np.sin(3 * t), t**2])
    return sheet + 0.02 * rng.normal(size=sheet.shape)


# The start is PCA


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("n_components", [1, 2, 7])
@pytest.mark.parametrize("whiten", [False, True])
def test_start_equals_pca(name, n_components, whiten):
    X = TABLES[name]
    pca = PCA(n_components, whiten=whiten, svd_solver="full").fit(X)
    estimator = Autoencoder(n_components, max_iter=0, whiten=whiten).fit(X)
    codes = pca.transform(X)
    assert_allclose(estimator.transform(X), codes, rtol=0, atol=1e-5 * np.abs(codes).max())
    images = pca.inverse_transform(codes)
    atol = 1e-5 * np.abs(images).max()
    assert_allclose(estimator.inverse_transform(codes), images, rtol=0, atol=atol)
    assert_allclose(estimator.reconstruct(X), images, rtol=0, atol=atol)
    errors = ((X - images) ** 2).sum(axis=1)
    assert_allclose(estimator.reconstruction_error(X), errors, rtol=1e-4, atol=1e-5 * errors.max())
    explained = pca.explained_variance_ratio_.sum()
    assert_allclose(estimator.score(X), explained, rtol=1e-5)
    assert estimator.start_kept_
    assert_allclose(estimator.mean_, X.mean(axis=0), rtol=1e-12, atol=1e-12 * np.abs(X).max())
    assert_allclose(estimator.explained_variance_, pca.explained_variance_, rtol=1e-4)
    assert estimator.loss_curve_ == estimator.validation_scores_ == estimator.history_ == []


def test_start_on_unseen_rows_equals_pca():
    train, test = train_test_split(DIGITS, random_state=0)
    pca = PCA(8).fit(train)
    estimator = Autoencoder(8, max_iter=0).fit(train)
    assert_allclose(estimator.transform(test), pca.transform(test), atol=1e-4)
    images = pca.inverse_transform(pca.transform(test))
    expected = 1 - ((test - images) ** 2).sum() / ((test - train.mean(axis=0)) ** 2).sum()
    assert_allclose(estimator.score(test), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["wine", "digits", "more features than rows"])
def test_weighted_start_equals_pca_of_repeated_rows(name):
    X = TABLES[name]
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    pca = PCA(3, svd_solver="full").fit(np.repeat(X, weight, axis=0))
    estimator = Autoencoder(3, max_iter=0).fit(X, sample_weight=weight)
    codes = pca.transform(X)
    assert_allclose(estimator.transform(X), codes, rtol=0, atol=1e-5 * np.abs(codes).max())
    assert_allclose(estimator.mean_, pca.mean_)


def test_scale_is_the_root_of_the_mean_variance():
    X = TABLES["wine"]
    estimator = Autoencoder(2, max_iter=0).fit(X)
    assert isinstance(estimator.scale_, float)
    assert_allclose(estimator.scale_**2, X.var(axis=0).mean(), rtol=0.01)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine"])
def test_float_n_components_is_pcas_rule(name, share):
    X = TABLES[name]
    pca = PCA(share, svd_solver="full").fit(X)
    estimator = Autoencoder(share, max_iter=0).fit(X)
    assert estimator.n_components_ == pca.n_components_
    assert estimator.transform(X).shape == (len(X), pca.n_components_)


@pytest.mark.parametrize("name", ["wine", "more features than rows"])
def test_n_components_none_is_the_smaller_side(name):
    X = TABLES[name]
    estimator = Autoencoder(None, max_iter=0).fit(X)
    assert estimator.n_components_ == min(X.shape) == PCA().fit(X).n_components_
    assert_allclose(estimator.score(X), 1.0, atol=1e-6)


@pytest.mark.parametrize("max_iter", [0, 3])
def test_overcomplete_code(max_iter):
    X = TABLES["wine"]
    estimator = Autoencoder(20, hidden_layer_sizes=(8,), max_iter=max_iter, random_state=0).fit(X)
    codes = estimator.transform(X)
    assert codes.shape == (len(X), 20)
    assert np.isfinite(codes).all()
    assert estimator.score(X) > 0.999
    assert len(estimator.get_feature_names_out()) == 20


def test_directions_without_variance_do_not_reach_the_output():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6))
    estimator = Autoencoder(4, max_iter=0, random_state=0).fit(X)
    assert np.isfinite(estimator.transform(X)).all()
    plain = estimator.inverse_transform(np.zeros((1, 4)))
    assert_allclose(estimator.inverse_transform([[0, 0, 5.0, 5.0]]), plain, atol=1e-6)
    assert estimator.score(X) > 1 - 1e-6


def test_whiten_gives_uncorrelated_unit_codes_and_the_same_reconstruction():
    X = nonlinear()
    parameters = {"hidden_layer_sizes": (16,), "max_iter": 10, "early_stopping": False}
    plain = Autoencoder(3, random_state=0, **parameters).fit(X)
    white = Autoencoder(3, whiten=True, random_state=0, **parameters).fit(X)
    assert_allclose(white.reconstruct(X), plain.reconstruct(X), atol=1e-5)
    assert_allclose(white.inverse_transform(white.transform(X)), white.reconstruct(X), atol=1e-5)
    codes = white.transform(X)
    assert_allclose(np.cov(codes.T), np.eye(3), atol=1e-3)
    assert_allclose(codes.mean(axis=0), 0.0, atol=1e-4)
    assert np.abs(np.cov(plain.transform(X).T) - np.eye(3)).max() > 0.05


def test_weights_enter_the_whitening():
    X = nonlinear()
    weight = np.random.default_rng(0).integers(0, 4, len(X)).astype(float)
    estimator = Autoencoder(
        2, whiten=True, hidden_layer_sizes=(16,), max_iter=5, early_stopping=False, random_state=0
    ).fit(X, sample_weight=weight)
    covariance = np.cov(estimator.transform(X).T, fweights=weight.astype(int))
    assert_allclose(covariance, np.eye(2), atol=0.01)


# A linear autoencoder finds PCA's subspace


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (16,), "activation": "identity"},
        {"hidden_layer_sizes": (12, 8), "activation": "identity"},
    ],
    ids=["no hidden layer", "one", "two"],
)
def test_linear_autoencoder_spans_pcas_subspace(parameters):
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    spread = np.array([3.0, 2.5, 2.0, 0.7, 0.7, 0.6, 0.6, 0.6, 0.5, 0.5])
    X = rng.normal(size=(400, 10)) * spread @ basis.T + 3.0
    estimator = Autoencoder(
        3, init="random", max_iter=250, batch_size=50, learning_rate_init=1e-2, weight_decay=0.0,
        early_stopping=False, random_state=0, **parameters,
    ).fit(X)  # fmt: skip
    pca = PCA(3).fit(X)
    decoder = estimator.inverse_transform(np.eye(3)) - estimator.inverse_transform(np.zeros((1, 3)))
    assert subspace_angles(decoder.T, pca.components_.T).max() < 0.05
    encoder, *_ = np.linalg.lstsq(X - X.mean(axis=0), estimator.transform(X), rcond=None)
    assert subspace_angles(encoder, pca.components_.T).max() < 0.05
    assert estimator.score(X) > pca.explained_variance_ratio_.sum() - 1e-3
    assert estimator.score(X) < pca.explained_variance_ratio_.sum() + 1e-6


def test_training_keeps_a_linear_start_at_the_optimum():
    X = DIGITS[:500]
    estimator = Autoencoder(
        4, hidden_layer_sizes=(), max_iter=5, early_stopping=False, random_state=0
    ).fit(X)
    assert_allclose(estimator.score(X), PCA(4).fit(X).explained_variance_ratio_.sum(), atol=2e-3)


# The gate


def test_pure_noise_keeps_the_start():
    kept = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, fresh = rng.normal(size=(2, 300, 10))
        estimator = Autoencoder(3, max_iter=20, random_state=seed).fit(X)
        pca = PCA(3).fit(X)
        kept += estimator.start_kept_
        if estimator.start_kept_:
            assert_allclose(estimator.transform(X), pca.transform(X), atol=1e-4)
        reference = Autoencoder(3, max_iter=0).fit(X).score(fresh)
        assert estimator.score(fresh) > reference - 0.005
    assert kept >= 7


@pytest.mark.parametrize("learning_rate", ["one_cycle", "constant"])
def test_curved_data_leave_the_start_and_beat_pca(learning_rate):
    train, test = nonlinear(seed=0), nonlinear(seed=1)
    estimator = Autoencoder(
        2, hidden_layer_sizes=(64, 32), max_iter=80, learning_rate=learning_rate,
        learning_rate_init=3e-3, random_state=0,
    ).fit(train)  # fmt: skip
    assert not estimator.start_kept_
    assert estimator.score(test) > Autoencoder(2, max_iter=0).fit(train).score(test) + 0.1


def test_swiss_roll_leaves_the_start():
    X = make_swiss_roll(600, random_state=0)[0]
    estimator = Autoencoder(2, max_iter=60, learning_rate_init=3e-3, random_state=0).fit(X[:400])
    assert not estimator.start_kept_
    assert estimator.score(X[400:]) > Autoencoder(2, max_iter=0).fit(X[:400]).score(X[400:])


def test_digits_beat_pca_on_held_out_rows():
    train, test = train_test_split(DIGITS, random_state=0)
    estimator = Autoencoder(2, hidden_layer_sizes=(64,), max_iter=40, random_state=0).fit(train)
    start = Autoencoder(2, max_iter=0).fit(train)
    assert not estimator.start_kept_
    assert estimator.score(test) > start.score(test) + 0.05


def test_kept_start_is_the_untrained_one_to_the_bit():
    X = np.random.default_rng(3).normal(size=(100, 8))
    start = Autoencoder(2, max_iter=0, random_state=0).fit(X)
    for seed in range(5):
        estimator = Autoencoder(2, max_iter=5, random_state=seed).fit(X)
        if estimator.start_kept_:
            assert_allclose(estimator.transform(X), start.transform(X), atol=1e-6)
            break
    else:
        pytest.fail("noise never kept the start")


@pytest.mark.parametrize("learning_rate", ["one_cycle", "constant"])
@pytest.mark.parametrize("tol", [1e-4, 10.0])
def test_without_early_stopping_exactly_max_iter_epochs_are_made(learning_rate, tol):
    X = np.random.default_rng(0).normal(size=(100, 8))  # where the gate would keep the start
    estimator = Autoencoder(
        2, hidden_layer_sizes=(8,), max_iter=7, early_stopping=False, tol=tol,
        n_iter_no_change=1, learning_rate=learning_rate, random_state=0,
    ).fit(X)  # fmt: skip
    assert estimator.n_iter_ == len(estimator.loss_curve_) == len(estimator.history_) == 7
    assert not estimator.start_kept_
    assert not np.allclose(estimator.transform(X), PCA(2).fit_transform(X), atol=1e-4)


def test_one_cycle_makes_all_its_epochs_and_constant_stops():
    X = np.random.default_rng(0).normal(size=(200, 8))
    parameters = {"hidden_layer_sizes": (8,), "max_iter": 30, "tol": 10.0, "n_iter_no_change": 3}
    cycle = Autoencoder(2, learning_rate="one_cycle", random_state=0, **parameters).fit(X)
    constant = Autoencoder(2, random_state=0, **parameters).fit(X)
    assert len(cycle.loss_curve_) == len(cycle.validation_scores_) == 30
    assert 3 <= len(constant.loss_curve_) < 10
    assert constant.n_iter_ == len(constant.loss_curve_)


class TrainingRows(skorch.callbacks.Callback):
    seen: list = []  # noqa: RUF012 - shared on purpose: fit trains a copy of the callback

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        if training:
            self.seen.append(batch[0].double().cpu().numpy())


def rows_trained_on(X, **parameters):
    """The rows of X, by number, that one epoch trains on."""
    TrainingRows.seen.clear()
    estimator = Autoencoder(
        2, hidden_layer_sizes=(8,), max_iter=1, skorch_callbacks=[TrainingRows()], random_state=0,
        **parameters,
    ).fit(X)  # fmt: skip
    scaled = (X - estimator.mean_) / estimator.scale_
    gaps = np.abs(np.concatenate(TrainingRows.seen)[:, None] - scaled).max(axis=2)
    assert gaps.min(axis=1).max() < 1e-5
    return gaps.argmin(axis=1)


@pytest.mark.parametrize(
    "n, fraction, expected", [(30, 0.1, 5), (100, 0.1, 10), (400, 0.1, 40), (200, 0.25, 50)]
)
def test_validation_rows_are_not_trained_on(n, fraction, expected):
    rows = rows_trained_on(nonlinear(n), early_stopping=True, validation_fraction=fraction)
    assert len(rows) == len(set(rows)) == n - expected


def test_without_early_stopping_all_rows_are_trained_on():
    rows = rows_trained_on(nonlinear(50), early_stopping=False)
    assert sorted(rows) == list(range(50))


def test_validation_scores_are_those_of_held_out_rows():
    estimator = Autoencoder(
        2, hidden_layer_sizes=(32,), max_iter=30, learning_rate_init=1e-2, random_state=0
    ).fit(nonlinear())
    scores = np.array(estimator.validation_scores_)
    assert np.isfinite(scores).all()
    assert scores[-1] != scores[0]
    assert np.isfinite(estimator.best_loss_)


def test_loss_falls_and_is_relative_to_the_scale():
    X = nonlinear()
    parameters = {"hidden_layer_sizes": (32,), "max_iter": 20, "random_state": 0}
    estimator = Autoencoder(2, early_stopping=False, **parameters).fit(X)
    curve = np.array(estimator.loss_curve_)
    assert curve[-1] < 0.8 * curve[0]
    scaled = Autoencoder(2, early_stopping=False, **parameters).fit(1000 * X)
    assert_allclose(scaled.loss_curve_, curve, rtol=1e-3)
    # The last epoch's mean is near the objective of the weights in training.
    fitted = clone(estimator).set_params(average=False).fit(X)
    objective = fitted.reconstruction_error(X).mean() / estimator.scale_**2
    assert objective < curve[-1] < 1.5 * objective


# partial_fit and warm_start


def test_partial_fit_learns_from_chunks():
    X = nonlinear(600)
    chunks = np.array_split(X, 6)
    estimator = Autoencoder(
        2, hidden_layer_sizes=(64,), learning_rate_init=3e-3, batch_size=20, random_state=0
    )
    for _ in range(15):
        for chunk in chunks:
            estimator.partial_fit(chunk)
    assert estimator.n_samples_seen_ == 15 * 600
    start = Autoencoder(2, max_iter=0).fit(chunks[0])
    assert estimator.score(X) > start.score(X) + 0.05


def test_partial_fit_makes_one_epoch():
    seen = []

    def record(x, generator):
        seen.append(x.shape[0])
        return x

    X = nonlinear(100)
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), corruption=record, random_state=0)
    estimator.partial_fit(X)
    before = sum(seen)
    assert before in (0, 100)
    estimator.partial_fit(X[:40])
    assert sum(seen) - before == 40


def test_partial_fit_with_a_chunk_smaller_than_the_code():
    X = nonlinear(60)
    estimator = Autoencoder(5, hidden_layer_sizes=(8,), random_state=0).partial_fit(X[:3])
    assert estimator.transform(X).shape == (60, 5)
    estimator.partial_fit(X[3:])
    assert np.isfinite(estimator.transform(X)).all()


def test_loss_goes_on_falling_after_a_warm_start():
    X = nonlinear()
    estimator = Autoencoder(
        2, hidden_layer_sizes=(32,), max_iter=10, early_stopping=False, warm_start=True,
        learning_rate="constant", random_state=0,
    ).fit(X)  # fmt: skip
    first = estimator.loss_curve_[-1]
    # The first epoch of the second fit goes on where the first fit ended.
    second = estimator.fit(X).loss_curve_[-10:]
    assert second[0] < 1.1 * first
    assert second[-1] < first


# Losses


def test_absolute_error_prefers_the_median():
    """With no information in the code, the best constant is the median, not the mean."""
    X = np.random.default_rng(0).exponential(size=(500, 1)) ** 2
    estimator = Autoencoder(
        1, loss="absolute_error", architecture=constant_factory, init="random", max_iter=60,
        learning_rate_init=0.02, early_stopping=False, random_state=0,
    ).fit(X)  # fmt: skip
    assert_allclose(estimator.reconstruct(X)[0, 0], np.median(X), atol=0.1)
    squared = clone(estimator).set_params(loss="squared_error").fit(X)
    assert_allclose(squared.reconstruct(X)[0, 0], X.mean(), atol=0.1)
    assert X.mean() - np.median(X) > 0.5


class Constant(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.value = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return self.value.expand(len(x), -1)


def constant_factory(n_features, n_components):
    return Constant(n_components), Constant(n_features)


def test_huber_with_a_large_delta_is_half_the_squared_error():
    X = nonlinear(100)
    parameters = {"hidden_layer_sizes": (8,), "max_iter": 2, "early_stopping": False}
    huber = Autoencoder(2, loss=Huber(1e3), random_state=0, **parameters).fit(X)
    squared = Autoencoder(2, random_state=0, **parameters).fit(X)
    assert_allclose(2 * np.array(huber.loss_curve_), squared.loss_curve_, rtol=0.01)


def test_delta_is_relative_to_the_scale():
    X = nonlinear(100)
    parameters = {"hidden_layer_sizes": (8,), "max_iter": 3, "early_stopping": False}
    plain = Autoencoder(2, loss="huber", random_state=0, **parameters).fit(X)
    scaled = Autoencoder(2, loss="huber", random_state=0, **parameters).fit(100 * X)
    assert_allclose(scaled.transform(100 * X), 100 * plain.transform(X), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("offset", [1e7, 1e8])
def test_training_on_corrupted_rows_survives_a_large_offset(offset):
    X = nonlinear()
    parameters = {
        "hidden_layer_sizes": (32,), "corruption": GaussianNoise(0.3), "max_iter": 20,
        "learning_rate_init": 5e-3, "early_stopping": False, "random_state": 0,
    }  # fmt: skip
    scores = [Autoencoder(2, **parameters).fit(rows).score(rows) for rows in (X, X + offset)]
    assert scores[0] > 0.6
    assert_allclose(scores[1], scores[0], atol=0.008)


def test_log_loss_reconstructs_probabilities():
    X = (DIGITS[:400] > 8).astype(float)
    estimator = Autoencoder(
        5, loss="log_loss", hidden_layer_sizes=(64,), max_iter=30, early_stopping=False,
        learning_rate_init=5e-3, random_state=0,
    ).fit(X)  # fmt: skip
    images = estimator.reconstruct(X)
    assert images.min() >= 0 and images.max() <= 1
    assert estimator.score(X) > 0.3
    assert estimator.loss_curve_[-1] < 0.8 * estimator.loss_curve_[0]


def test_log_loss_starts_at_the_mean():
    X = (DIGITS[:400] > 8).astype(float)
    estimator = Autoencoder(3, loss="log_loss", hidden_layer_sizes=(8,), max_iter=0).fit(X)
    chance = X.mean(axis=0)
    inside = (chance > 0.02) & (chance < 0.98)
    middle = np.log(chance[inside] / (1 - chance[inside]))
    images = estimator.inverse_transform(np.zeros((1, 3)))[0, inside]
    assert_allclose(np.log(images / (1 - images)), middle, atol=1.0)


@pytest.mark.parametrize("bad", [-0.001, 1.001, 16.0])
def test_log_loss_checks_the_range_in_fit_and_scores(bad):
    X = (DIGITS[:100] > 8).astype(float)
    outside = X.copy()
    outside[3, 5] = bad
    estimator = Autoencoder(2, loss="log_loss", hidden_layer_sizes=(8,), max_iter=2)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        estimator.fit(outside)
    estimator.fit(X)
    for method in (estimator.score, estimator.reconstruction_error):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            method(outside)
    assert np.isfinite(estimator.transform(outside)).all()


# Shared training parameters


def test_alpha_shrinks_the_weights_of_the_network():
    X = nonlinear(200)

    def size(alpha):
        estimator = Autoencoder(
            2, hidden_layer_sizes=(16,), alpha=alpha, max_iter=30, learning_rate_init=1e-2,
            init="random", early_stopping=False, random_state=0,
        ).fit(X)  # fmt: skip
        weights = [p for name, p in estimator.network_.named_parameters() if p.ndim == 2]
        return sum(w.square().sum().item() for w in weights)

    assert size(1.0) < 0.7 * size(0.01)


def test_alpha_spares_the_linear_path():
    X = np.random.default_rng(0).normal(size=(200, 6)) * [5, 4, 1, 1, 1, 1]
    estimator = Autoencoder(
        2, hidden_layer_sizes=(4,), alpha=100.0, max_iter=30, early_stopping=False, random_state=0
    ).fit(X)
    assert estimator.score(X) > PCA(2).fit(X).explained_variance_ratio_.sum() - 0.01


def test_weight_decay_spares_the_linear_path():
    X = np.random.default_rng(0).normal(size=(200, 6)) * [5, 4, 1, 1, 1, 1]
    start = Autoencoder(2, max_iter=0).fit(X).network_.linear
    trained = Autoencoder(
        2, hidden_layer_sizes=(4,), weight_decay=0.5, max_iter=30, learning_rate_init=1e-6,
        early_stopping=False, random_state=0,
    ).fit(X)  # fmt: skip
    for before, after in zip(start.parameters(), trained.network_.linear.parameters(), strict=True):
        assert_allclose(after.detach(), before.detach(), atol=1e-3)


def test_a_small_learning_rate_does_not_let_the_decay_erase_the_network():
    X = nonlinear(200)
    estimator = Autoencoder(
        2, hidden_layer_sizes=(32,), max_iter=60, warm_start=True, early_stopping=False,
        learning_rate_init=1e-2, random_state=0,
    ).fit(X)  # fmt: skip
    score = estimator.score(X)
    estimator.set_params(learning_rate="constant", learning_rate_init=1e-5).fit(X)
    assert estimator.score(X) > score - 0.01


def test_max_iter_auto_and_batch_size_auto_train():
    estimator = Autoencoder(hidden_layer_sizes=(4,), early_stopping=False, random_state=0)
    estimator.fit(nonlinear(30))
    assert estimator.n_iter_ == len(estimator.loss_curve_) > 10


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_gives_about_the_same_model(precision):
    train, test = nonlinear(seed=0), nonlinear(seed=1)
    estimator = Autoencoder(
        2, hidden_layer_sizes=(64, 32), max_iter=60, learning_rate_init=3e-3,
        precision=precision, random_state=0,
    ).fit(train)  # fmt: skip
    assert {p.dtype for p in estimator.network_.parameters()} <= {torch.float32, torch.float64}
    assert estimator.score(test) > Autoencoder(2, max_iter=0).fit(train).score(test) + 0.1


def test_verbose_prints_a_line_an_epoch(capsys):
    X = nonlinear(60)
    Autoencoder(2, hidden_layer_sizes=(4,), max_iter=3, early_stopping=False).fit(X)
    assert capsys.readouterr().out == ""
    Autoencoder(2, hidden_layer_sizes=(4,), max_iter=3, early_stopping=False, verbose=1).fit(X)
    captured = capsys.readouterr()
    assert len((captured.out + captured.err).strip().splitlines()) >= 3


@pytest.mark.parametrize("delta", [0, -1.0])
def test_bad_delta_raises(delta):
    with raises_one_line(InvalidParameterError, "'delta' parameter of Huber"):
        Autoencoder(loss=Huber(delta), max_iter=1).fit(nonlinear(30))


@pytest.mark.parametrize(
    "parameters",
    [
        {"loss": "log_loss"},
        {"code_activation": "relu"},
    ],
)
def test_init_pca_says_why_it_is_refused(parameters):
    X = (DIGITS[:50] > 8).astype(float)
    with pytest.raises(ValueError, match="init"):
        Autoencoder(init="pca", max_iter=1, **parameters).fit(X)


LONG = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh())
UNPOOLING = Convolutional(
    (1, 8, 8), channels=(3, 4, 5), kernel_size=2, downsampling="max_pool", upsampling="nearest",
    normalization="batch",
)  # fmt: skip


def test_reprs_of_many_lines_are_put_in_one():
    assert "\n" in repr(LONG) and "\n" in repr(UNPOOLING)
    X = DIGITS[:40] / 16
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=1, early_stopping=False)

    def fit(**parameters):
        return clone(estimator).set_params(**parameters).fit(X)

    with raises_one_line(ValueError, r"init='pca' .*Tanh\(\)"):
        fit(init="pca", code_activation=LONG)
    with raises_one_line(ValueError, r"got Seq"):
        fit(penalty=KLSparsity(), code_activation=LONG)
    with raises_one_line(TypeError, r"Tanh"):
        fit(architecture=lambda *widths: LONG)
    images = fit(architecture=UNPOOLING, warm_start=True)
    with raises_one_line(ValueError, r"max_unpool.*'batch'"):
        images.reconstruct(X, positions=True)
    images.set_params(architecture__normalization="group")
    with raises_one_line(ValueError, r"architecture changed from .*'batch'.* to .*'group'"):
        images.fit(X)
    warm = fit(code_activation=LONG, warm_start=True)
    warm.set_params(code_activation=torch.nn.Sequential(LONG[0], torch.nn.Sigmoid()))
    with raises_one_line(ValueError, r"code_activation changed .*Tanh\(\).* to .*Sigmoid\(\)"):
        warm.fit(X)


@pytest.mark.parametrize(
    "before, after, words",
    [
        ({}, {"penalty": L1(0.1)}, r"init changed from 'pca' to 'random', .* with penalty=L1"),
        ({"loss": "log_loss"}, {"loss": "squared_error"}, "init changed .* with loss='log_loss'"),
        ({"code_activation": "tanh"}, {"code_activation": "identity"}, "code_activation='tanh'"),
        ({"penalty": L1(), "init": "random"}, {"penalty": None}, r"penalty changed from L1\(\) to"),
    ],
)
def test_fit_that_goes_on_from_another_start_says_what_stands_in_the_way(before, after, words):
    X = DIGITS[:40] / 16
    warm = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=1, warm_start=True, **before).fit(X)
    with raises_one_line(ValueError, words):
        warm.set_params(**after).fit(X)


class PullToZero:
    def term(self, x, code, encode):
        return code.abs().sum(-1)


def test_sparsity_stays_true_where_a_fit_goes_on_without_a_penalty():
    X = DIGITS[:80] / 16
    warm = Autoencoder(
        4, hidden_layer_sizes=(16,), max_iter=15, warm_start=True, init="random",
        penalty=PullToZero(), early_stopping=False, learning_rate_init=1e-2, random_state=0,
    ).fit(X)  # fmt: skip
    before = warm.sparsity_
    warm.set_params(penalty=None).fit(X)
    codes = torch.from_numpy(warm.transform(X))
    assert warm.sparsity_ == pytest.approx(float(hoyer(codes).mean()), rel=1e-4)
    assert warm.sparsity_ != before
    assert not hasattr(Autoencoder(4, max_iter=1).fit(X), "sparsity_")


def test_nested_parameter_of_an_instance_is_set():
    estimator = Autoencoder(corruption=GaussianNoise(0.1)).set_params(corruption__scale=0.7)
    assert estimator.corruption.scale == 0.7


# Where a fit goes on


class Factory:
    """A user's architecture whose repr tells nothing."""

    def __init__(self, width):
        self.width = width

    def __call__(self, n_features, n_components):
        encoder = torch.nn.Sequential(torch.nn.Linear(n_features, self.width), torch.nn.Tanh())
        encoder.append(torch.nn.Linear(self.width, n_components))
        return encoder, torch.nn.Linear(n_components, n_features)


ONE_LARGER = np.ones(5000)
ONE_LARGER[2500] = 5.0


class Table(BaseEstimator):
    """A user's loss with a long array, whose repr shows its ends only."""

    link, power = "identity", 2

    def __init__(self, weights):
        self.weights = weights

    def __call__(self, output, target):
        return float(np.mean(self.weights)) * (output - target).square().sum(-1)


@pytest.mark.parametrize(
    "before, after, words",
    [
        ({"n_components": 0.9}, {"n_components": 0.3}, "n_components changed from 0.9 to 0.3"),
        ({"n_components": None}, {"n_components": 2}, "n_components changed from None to 2"),
        ({"architecture": Factory(8)}, {"architecture": Factory(16)}, "make one of other layers"),
        (
            {"loss": Table(np.ones(5000))},
            {"loss": Table(ONE_LARGER)},
            "loss changed",
        ),
    ],
    ids=["share", "None", "factory", "array"],
)
def test_change_that_no_repr_shows_is_refused(before, after, words):
    parameters = {"hidden_layer_sizes": (8,), "max_iter": 1, "init": "random", "random_state": 0}
    warm = Autoencoder(**{"n_components": 2, **parameters, **before}, warm_start=True).fit(DIGITS)
    with raises_one_line(ValueError, words):
        warm.set_params(**after).fit(DIGITS)
    warm.set_params(**copy.deepcopy(before)).fit(DIGITS)
    assert warm.n_iter_ == 2


def test_few_rows_from_random_weights_train_again_where_they_go_on():
    X = nonlinear(15)
    warm = Autoencoder(2, init="random", max_iter=3, warm_start=True, random_state=0).fit(X)
    assert warm.n_iter_ == 3
    assert warm.fit(X).n_iter_ == 6


def test_validation_fraction_that_leaves_nothing_is_refused_by_auto_too():
    with raises_one_line(ValueError, "holds out 19 of 20 rows"):
        Autoencoder(2, validation_fraction=0.99).fit(nonlinear(20))


def test_weights_of_a_tied_network_are_optimised_once():
    class Tied(torch.nn.Module):
        def __init__(self, weight):
            super().__init__()
            self.weight = weight

        def forward(self, code):
            return code @ self.weight

    def architecture(n_features, n_components):
        encoder = torch.nn.Linear(n_features, n_components)
        return encoder, Tied(encoder.weight)

    X = nonlinear(80)
    estimator = Autoencoder(
        2, architecture=architecture, init="random", max_iter=2, early_stopping=False,
        batch_size=10, random_state=0,
    ).fit(X)  # fmt: skip
    (group,) = estimator.net_.optimizer_.param_groups
    assert len(group["params"]) == 2
    steps = {int(state["step"]) for state in estimator.net_.optimizer_.state.values()}
    assert steps == {16}


def test_epoch_is_named_in_which_the_objective_is_lost():
    X = nonlinear(40)
    estimator = Autoencoder(
        2, init="random", hidden_layer_sizes=(16,), activation="relu", learning_rate_init=1e30,
        learning_rate="constant", batch_size=40, max_iter=5, random_state=0,
    )  # fmt: skip
    with raises_one_line(FloatingPointError, r"in epoch 1\. Try a smaller .* features \("):
        estimator.fit(X)
    with raises_one_line(FloatingPointError, r"or precision='float32'"):
        estimator.set_params(precision="bfloat16").fit(X)


# Callbacks of skorch


class Seen(skorch.callbacks.Callback):
    calls: list = []  # noqa: RUF012 - shared on purpose: fit trains a copy of the callback

    def on_train_begin(self, net, **kwargs):
        self.calls.append("train")

    def on_epoch_end(self, net, **kwargs):
        self.calls.append("epoch")

    def on_batch_end(self, net, training=None, **kwargs):
        self.calls.append("batch" if training else "validation batch")


def fit_with(callbacks, **parameters):
    parameters = {
        "hidden_layer_sizes": (8,), "max_iter": 4, "random_state": 0, "batch_size": 50,
        "early_stopping": False, "learning_rate": "constant", **parameters,
    }  # fmt: skip
    return Autoencoder(2, skorch_callbacks=callbacks, **parameters).fit(nonlinear(100))


def test_batch_level_callbacks_are_called():
    Seen.calls.clear()
    callback = Seen()
    estimator = fit_with([callback])
    assert Seen.calls.count("train") == 1
    assert Seen.calls.count("epoch") == 4
    assert Seen.calls.count("batch") == 8
    assert vars(callback) == vars(Seen())
    plain = fit_with(None)
    assert_allclose(estimator.transform(nonlinear(100)), plain.transform(nonlinear(100)), atol=1e-5)


def mean_of_first_weight(net, X, y=None):
    return float(next(net.module_.parameters()).detach().double().abs().sum())


def test_epoch_scoring_writes_into_the_history():
    callback = skorch.callbacks.EpochScoring(
        mean_of_first_weight, name="weight", use_caching=False, on_train=True
    )
    before = dict(vars(callback))
    estimator = fit_with([callback])
    values = [row["weight"] for row in estimator.history_]
    assert len(values) == 4
    assert len(set(values)) == 4
    assert vars(callback) == before


def test_lr_scheduler_acts():
    """A rate that drops to zero after the first epoch leaves the first epoch's weights."""
    X = nonlinear(100)
    callback = skorch.callbacks.LRScheduler("StepLR", step_size=1, gamma=0.0)
    idle = skorch.callbacks.LRScheduler("StepLR", step_size=1, gamma=1.0)
    before = dict(vars(callback))

    def codes(callback, **parameters):
        return fit_with([callback], average=False, **parameters).transform(X)

    assert_array_equal(codes(callback), codes(idle, max_iter=1))
    assert vars(callback) == before
    assert not np.array_equal(codes(idle), codes(idle, max_iter=1))


@pytest.mark.parametrize("name", ["EarlyStopping", "Checkpoint"])
def test_callback_that_loads_its_best_weights_does_not_replace_the_kept_ones(name, tmp_path):
    monitored = {"monitor": "valid_loss"}
    if name == "EarlyStopping":
        callback = skorch.callbacks.EarlyStopping(patience=100, load_best=True, **monitored)
    else:
        callback = skorch.callbacks.Checkpoint(
            monitor="valid_loss_best", dirname=tmp_path, load_best=True
        )
    X = nonlinear(200)
    parameters = {"early_stopping": True, "max_iter": 12, "learning_rate_init": 0.03}
    plain = fit_with(None, **parameters)
    assert_array_equal(fit_with([callback], **parameters).transform(X), plain.transform(X))


def test_lr_scheduler_is_refused_beside_a_rate_that_falls_by_itself():
    callback = skorch.callbacks.LRScheduler("StepLR", step_size=1)
    with raises_one_line(ValueError, "would both set the learning rate"):
        fit_with([callback], learning_rate="one_cycle")


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_end_at_the_bound_of_max_iter_is_told_where_the_fit_still_improves(
    learning_rate, monkeypatch
):
    monkeypatch.setattr("sklearn_ae._fitting.plan.MOST_EPOCHS", 6)
    estimator = Autoencoder(
        2, hidden_layer_sizes=(32,), learning_rate=learning_rate, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match=r"'auto', 6 epochs, while .* still fell"):
        assert estimator.fit(nonlinear(200)).n_iter_ == 6
    for quiet in ({"max_iter": 6}, {"early_stopping": False}):
        clone(estimator).set_params(**quiet).fit(nonlinear(200))


@pytest.mark.parametrize("early_stopping", [True, False])
def test_skorchs_early_stopping_stops(early_stopping):
    monitor = "valid_loss" if early_stopping else "train_loss"
    callback = skorch.callbacks.EarlyStopping(
        monitor=monitor, patience=2, threshold=0.99, sink=lambda text: None
    )
    before = dict(vars(callback))
    estimator = fit_with([callback], max_iter=50, early_stopping=early_stopping)
    assert len(estimator.loss_curve_) < 10
    assert vars(callback) == before


def test_checkpoint_writes_the_weights(tmp_path):
    callback = skorch.callbacks.Checkpoint(
        dirname=tmp_path, monitor=None, f_optimizer=None, f_criterion=None, f_history=None
    )
    fit_with([callback])
    weights = torch.load(tmp_path / "params.pt", weights_only=True)
    assert sum(w.numel() for w in weights.values()) > 0


# Callbacks of scikit-learn


@pytest.fixture
def sklearn_callback():
    return pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 brought callbacks")


class StopAfterThree(Recorder):
    def on_fit_task_end(self, estimator, context):
        self.calls.append("end")
        return self.calls.count("end") >= 3


def test_scikit_learns_callback_stops_training(sklearn_callback):
    estimator = Autoencoder(
        2, hidden_layer_sizes=(8,), max_iter=20, early_stopping=False, random_state=0
    )
    estimator.set_callbacks(StopAfterThree(None)).fit(nonlinear(100))
    assert estimator.n_iter_ == 3


class RowsSeen(Recorder):
    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append((len(X), len(y), len(metadata["sample_weight"])))


def test_scikit_learns_callback_sees_rows_and_labels_of_one_length(sklearn_callback):
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    weight = np.r_[np.zeros(10), np.ones(90)]
    recorder = RowsSeen(None)
    estimator.set_callbacks(recorder).fit(nonlinear(100), np.arange(100), sample_weight=weight)
    assert set(recorder.calls[2:-1]) == {(100, 100, 100)} or (100, 100, 100) in recorder.calls
    assert not any(isinstance(call, tuple) and len(set(call)) > 1 for call in recorder.calls)


def test_progress_bar_runs(sklearn_callback, capsys):
    pytest.importorskip("rich")
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=4, random_state=0)
    codes = estimator.fit(nonlinear(100)).transform(nonlinear(100))
    estimator.set_callbacks(sklearn_callback.ProgressBar()).fit(nonlinear(100))
    assert "Autoencoder" in capsys.readouterr().out
    assert_array_equal(estimator.transform(nonlinear(100)), codes)


@pytest.mark.parametrize("make", [Autoencoder, VariationalAutoencoder])
def test_a_fit_that_diverges_without_rows_held_out_warns(make):
    X = load_wine().data  # not standardised
    fast = {"early_stopping": False, "max_iter": 5, "random_state": 0, "learning_rate_init": 10.0}
    with pytest.warns(ConvergenceWarning, match="Training diverged") as found:
        make(2, **fast).fit(X)
    assert "\n" not in str(found[0].message)
    assert found[0].filename == __file__
    make(2, **fast | {"learning_rate_init": 1e-3}).fit(X)  # warnings are errors
