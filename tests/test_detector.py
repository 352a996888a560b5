"""AutoencoderDetector: scores against closed forms, thresholds, guarantees, and bad input."""

import warnings
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest
from sklearn.base import clone
from sklearn.covariance import LedoitWolf, ledoit_wolf
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, AutoencoderDetector, VariationalAutoencoder
from sklearn_ae._anomaly import covariance as covariances
from sklearn_ae._anomaly import weights
from sklearn_ae._anomaly.covariance import ShrunkCovariance, Standardizer
from sklearn_ae._anomaly.robust import (
    core_of,
    down_weights,
    low_limit,
    median_and_spread,
    within_fences,
)
from sklearn_ae._anomaly.scores import LogScale
from sklearn_ae._fitting.rows import Rows
from sklearn_ae.architectures import Convolutional
from sklearn_ae.estimators._detector import PURPOSES
from sklearn_ae.estimators._folds import parts_of_rows
from sklearn_ae.estimators._inner import SCORES
from sklearn_ae.exceptions import ThresholdWarning
from sklearn_ae.utils._rows import sets_of_equal_rows
from sklearn_ae.utils._seeds import draw_seeds
from tests.checks import raises_one_line

SMALL = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}
ADDITIVE = ("reconstruction", "standardized")
WITHOUT_DENSITY = tuple(score for score in SCORES if score != "likelihood")


@pytest.fixture(scope="module")
def X():
    return load_wine().data


@pytest.fixture(scope="module")
def contaminated():
    """Digits of one class, and as many as a fifth of these of another one among them."""
    data = load_digits()
    normal = data.data[data.target == 0]
    outliers = data.data[data.target == 1][: len(normal) // 5]
    rows = np.vstack([normal, outliers])
    return rows, np.repeat([0, 1], [len(normal), len(outliers)])


def linear(n_components=4, **params):
    """Detector whose autoencoder is PCA."""
    estimator = Autoencoder(n_components, max_iter=0)
    return AutoencoderDetector(
        estimator, **{"random_state": 0, "robust": False, "contamination": 0.1, **params}
    )


def decomposed(detector, X):
    """Errors, outputs and codes of rows."""
    rows = (X - detector.mean_) / detector.scale_
    codes = detector.estimator_.transform(rows)
    outputs = detector.estimator_.inverse_transform(codes)
    return rows - outputs, outputs, codes


def without_itself(rows):
    """Squared Mahalanobis distance of each row by the others."""
    others = [LedoitWolf().fit(np.delete(rows, i, axis=0)) for i in range(len(rows))]
    return np.array([one.mahalanobis(row[None])[0] for one, row in zip(others, rows, strict=True)])


def in_scale(distances, learnt):
    """Half of log(1 + exp l) for logarithms l in the scale of those of rows learnt from."""
    center, spread = median_and_spread(np.log(learnt))
    return np.logaddexp(0, (np.log(distances) - center) / spread) / 2


def limit(scores):
    """Three deviations above the median, by the median deviation of the scores above it."""
    above = scores[scores > np.median(scores)] - np.median(scores)
    return np.median(scores) + 3 * 1.4826 * np.median(above)


# Covariance, scale


def test_covariance_is_ledoit_and_wolfs(X):
    expected = LedoitWolf().fit(X)
    covariance = ShrunkCovariance(X, 0)
    assert_allclose(covariance.squared_distances(X), expected.mahalanobis(X), rtol=1e-8)
    centred = X - X.mean(axis=0)
    assert_allclose(
        covariance.scaled(centred, -1), centred @ np.linalg.inv(expected.covariance_), atol=1e-9
    )
    assert_allclose(covariance.scaled(np.eye(13), 1), expected.covariance_, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("n_rows", "seed"), [(40, 0), (400, 2**62)])
def test_covariance_of_a_wide_table_shares_the_last_variance(n_rows, seed, monkeypatch):
    monkeypatch.setattr(covariances, "MOST_DIRECTIONS", 50)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, 120)) * np.repeat([10.0, 1.0], [20, 100])
    expected = LedoitWolf().fit(rows)
    covariance = ShrunkCovariance(rows, seed)
    # centred rows have one direction less than there are rows
    assert len(covariance.variances) == min(n_rows - 1, 50)
    found = covariance.scaled(np.eye(120), 1)
    assert_allclose(np.trace(found), np.trace(expected.covariance_), rtol=1e-6)
    strong = slice(0, 20)
    assert_allclose(found[strong, strong], expected.covariance_[strong, strong], atol=0.02 * 100)
    centred = rows - rows.mean(axis=0)
    by_product = (centred * covariance.scaled(centred, -1)).sum(axis=1)
    assert_allclose(covariance.squared_distances(rows), by_product, rtol=1e-8)


@pytest.mark.parametrize("shape", [(8, 3), (60, 10), (60, 90), (120, 100)])
@pytest.mark.parametrize("kind", ["normal", "heavy tails", "levels", "duplicates"])
def test_distances_of_rows_left_out_are_those_by_the_covariance_of_the_others(shape, kind):
    rng = np.random.default_rng(0)
    rows = {
        "normal": lambda: rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1])),
        "heavy tails": lambda: rng.standard_t(2, size=shape),
        "levels": lambda: np.eye(shape[1])[np.arange(shape[0]) % max(2, shape[1] // 2)],
        "duplicates": lambda: np.repeat(rng.normal(size=(shape[0] // 4, shape[1])), 4, axis=0),
    }[kind]()
    for unit in (1.0, 1e-120, 1e120):
        found = ShrunkCovariance(unit * rows, 0).left_out_distances(unit * rows)
        assert_allclose(found, without_itself(rows), rtol=1e-6)


def test_distances_of_rows_left_out_of_a_wide_table_where_directions_share_a_variance(monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 80)) * np.repeat([10.0, 1.0], [20, 60])
    exact = without_itself(rows)
    monkeypatch.setattr(covariances, "MOST_DIRECTIONS", 40)
    found = ShrunkCovariance(rows, 0).left_out_distances(rows)
    # the shared variance stands for those of directions in part
    assert np.corrcoef(found, exact)[0, 1] > 0.9 and 0.9 < np.mean(found) / np.mean(exact) < 1.1


@pytest.mark.parametrize("rows", [np.ones((9, 3)), np.arange(6.0).reshape(2, 3), np.eye(3)])
def test_distances_of_rows_left_out_of_degenerate_tables_are_finite(rows):
    distances = ShrunkCovariance(rows, 0).left_out_distances(rows)
    assert np.isfinite(distances).all() and distances.min() >= 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: VariationalAutoencoder(3, max_iter=0),
        lambda: Autoencoder(3, max_iter=0, whiten=True),
        lambda: Autoencoder(3, **SMALL, init="random", learning_rate_init=1e-2),
    ],
    ids=["variational", "whitened", "random start"],
)
def test_unit_of_all_rows_does_not_matter(make, X):
    """Codes have units of their own, in which distances were once taken."""
    rows = StandardScaler().fit_transform(X)
    for score in ("auto", "mahalanobis", "neighbors"):
        plain, scaled = (
            AutoencoderDetector(make(), random_state=0)
            .fit(unit * rows)
            .score_samples(unit * rows, score)
            for unit in (1.0, 255.0)
        )
        unit = {"auto": 1.0, "mahalanobis": 1.0, "neighbors": 255.0}[score]
        assert_allclose(scaled, unit * plain, rtol=1e-3)


@pytest.mark.parametrize("values", [np.zeros(5), np.ones(5), np.r_[np.zeros(4), 7.0]])
def test_log_scale_of_equal_values_is_finite(values):
    scaled = LogScale(values)(np.r_[values, 0.0, 1e300, np.inf])
    assert np.isfinite(scaled).all()
    assert np.diff(LogScale(values)(np.array([0.5, 1.0, 2.0, 1e6, 1e9]))).min() >= 0


# Scores


@pytest.mark.parametrize("standardize", [True, False])
def test_scores_are_what_the_formulas_say(X, standardize, by_sort):
    detector = linear(standardize=standardize, n_neighbors=3).fit(X)
    errors, outputs, codes = decomposed(detector, X)
    joined = np.hstack([errors, outputs])
    assert_allclose(-detector.score_samples(X, "reconstruction"), (errors**2).sum(axis=1))
    spread = np.sqrt((errors**2).mean(axis=0))
    assert_allclose(
        -detector.score_samples(X, "standardized"), ((errors / spread) ** 2).sum(axis=1)
    )
    mahalanobis = LedoitWolf().fit(joined).mahalanobis(joined)
    assert_allclose(-detector.score_samples(X, "mahalanobis"), mahalanobis, rtol=1e-6)
    latent = LedoitWolf().fit(codes).mahalanobis(codes)
    assert_allclose(-detector.score_samples(X, "latent"), latent, rtol=1e-6)
    apart, _ = by_sort(joined, 3)
    assert_allclose(-detector.score_samples(X, "neighbors"), apart, rtol=1e-6)
    auto = in_scale(mahalanobis, mahalanobis) + in_scale(apart, apart)
    assert_allclose(-detector.score_samples(X, "auto"), auto, rtol=1e-5, atol=1e-6)


def test_likelihood_is_the_bound_of_the_autoencoder(X):
    rows = StandardScaler().fit_transform(X)
    detector = AutoencoderDetector(
        VariationalAutoencoder(3, max_iter=0), anomaly_score="likelihood", robust=False
    ).fit(rows)
    assert_allclose(detector.score_samples(rows), detector.estimator_.score_samples(rows))


@pytest.mark.parametrize("score", WITHOUT_DENSITY)
def test_every_score_finds_gross_outliers(score, X):
    detector = AutoencoderDetector(Autoencoder(4, **SMALL), standardize=True, random_state=0)
    detector.set_params(anomaly_score=score).fit(X)
    far = X[:20] + 8 * X.std(axis=0) * np.random.default_rng(0).choice([-1, 1], (20, 13))
    assert detector.score_samples(far).max() < np.median(detector.score_samples(X))


@pytest.mark.parametrize("score", WITHOUT_DENSITY)
def test_a_score_of_another_name_is_that_of_a_fit_of_that_name(score, X):
    one = linear().fit(X).score_samples(X, score)
    other = linear(anomaly_score=score).fit(X).score_samples(X)
    assert_array_equal(one, other)


def test_auto_finds_what_lies_in_a_gap():
    # the middle of a ring: at the centre of all rows, but far from each
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    ring = np.c_[np.cos(angles), np.sin(angles)]
    ring = ring + 0.02 * np.random.default_rng(1).normal(size=ring.shape)
    centre = np.zeros((1, 2))
    detector = linear(2, robust=False).fit(ring)
    assert detector.score_samples(centre)[0] < np.quantile(detector.score_samples(ring), 0.01)


# Thresholds


@pytest.mark.parametrize("contamination", [0.02, 0.1, 0.5])
def test_contamination_is_a_quantile_of_the_training_scores(contamination, X):
    detector = linear(contamination=contamination).fit(X)
    scores = detector.score_samples(X)
    assert_allclose(detector.offset_, np.percentile(scores, 100 * contamination), rtol=1e-8)
    assert_array_equal(detector.decision_function(X), scores - detector.offset_)
    assert_array_equal(detector.predict(X), np.where(scores < detector.offset_, -1, 1))
    assert abs(np.mean(detector.predict(X) == -1) - contamination) < 1 / len(X)


@pytest.mark.parametrize("seed", range(4))
def test_equal_rows_are_on_one_side_of_the_threshold(seed):
    """Of rows with few values many lie on the quantile; rounding depends on the rows beside."""
    level = np.random.default_rng(seed).integers(40, size=4000)
    X = np.eye(40)[level]
    detector = linear(0.9, contamination=0.1, anomaly_score="mahalanobis").fit(X)
    alone = np.array([detector.predict(row[None])[0] for row in np.eye(40)])
    assert_array_equal(detector.predict(X), alone[level])


def split_of(detector, n_rows, seed):
    """Which rows a detector learns from, holds out and calibrates by."""
    return parts_of_rows(
        n_rows,
        seed,
        detector.calibration_fraction,
        detector.false_positive_rate,
        holds_out=detector._holds_out,
    )


@pytest.mark.parametrize("n_rows, n_held_out", [(249, 0), (250, 50), (569, 57)])
def test_rows_are_held_out_where_a_fifth_is_enough(n_rows, n_held_out):
    learnt, held_out, calibration = parts_of_rows(n_rows, 0, 0.0, 0.05, holds_out=True)
    assert held_out.sum() == n_held_out and not calibration.any()
    assert_array_equal(learnt, ~held_out)


@pytest.mark.parametrize("n_components", [4, 10])
def test_auto_threshold_of_pca_is_three_deviations_below_scores_by_the_other_rows(
    n_components, by_sort
):
    """Distances of errors and outputs together are those of rows, whatever PCA has learnt from."""
    X = StandardScaler().fit_transform(load_wine().data)
    detector = linear(n_components, contamination="auto").fit(X)
    rows = np.hstack([X, 0 * X])
    apart, _ = by_sort(X, 20)
    of_all = LedoitWolf().fit(rows).mahalanobis(rows)
    scores = in_scale(without_itself(rows), of_all) + in_scale(apart, apart)
    assert_allclose(-detector.offset_, limit(scores), rtol=1e-5)


def test_auto_threshold_of_a_network_is_that_of_rows_it_has_not_learnt_from(by_sort):
    X = StandardScaler().fit_transform(load_breast_cancer().data)[:300]
    estimator = Autoencoder(4, **SMALL, init="random")
    detector = AutoencoderDetector(estimator, robust=False, random_state=0).fit(X)
    train, held_out, calibration = split_of(detector, len(X), _seed(0))
    assert held_out.sum() == 50 and not calibration.any()
    assert not (train & held_out).any() and (train | held_out).all()
    network = clone(estimator).set_params(validation_fraction=0.1).fit(X[train])
    assert_allclose(detector.estimator_.transform(X), network.transform(X), atol=1e-6)
    joined = np.hstack(decomposed(detector, X)[:2])
    apart, _ = by_sort(joined, 20)
    of_all = LedoitWolf().fit(joined).mahalanobis(joined)
    scores = (in_scale(without_itself(joined), of_all) + in_scale(apart, apart))[held_out]
    assert_allclose(-detector.offset_, limit(scores), rtol=1e-5)


@pytest.mark.parametrize("score", ["latent", "standardized", "reconstruction", "likelihood"])
@pytest.mark.parametrize("robust", [False, "auto"])
def test_frozen_autoencoder_needs_no_folds_and_each_row_is_left_out_of_the_rest(score, robust, X):
    X = StandardScaler().fit_transform(X)
    frozen = VariationalAutoencoder(4, **SMALL).fit(X)
    detector = AutoencoderDetector(
        FrozenEstimator(frozen), anomaly_score=score, robust=robust, random_state=0
    ).fit(X)
    errors, _, codes = decomposed(detector, X)
    scores = {
        "reconstruction": lambda: (errors**2).sum(axis=1),
        "likelihood": lambda: -frozen.score_samples(X),
    }.get(score)
    if scores is None:
        core = detector._scores.core
        others = [core & (np.arange(len(X)) != i) for i in range(len(X))]
        if score == "latent":
            scores = [
                LedoitWolf().fit(codes[kept]).mahalanobis(code[None])[0]
                for kept, code in zip(others, codes, strict=True)
            ]
        else:
            scores = [
                (error**2 / (errors[kept] ** 2).mean(axis=0)).sum()
                for kept, error in zip(others, errors, strict=True)
            ]
    else:
        scores = scores()
    assert_allclose(-detector.offset_, limit(np.asarray(scores)), rtol=1e-5)


def few_of_many(shape, seed):
    """Rows of five factors and noise, and as many new ones as make rates precise."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(5, shape[1]))
    rows = rng.normal(size=(shape[0] + 1000, 5)) @ mix + rng.normal(
        size=(shape[0] + 1000, shape[1])
    )
    return rows[: shape[0]], rows[shape[0] :]


@pytest.mark.parametrize("shape", [(100, 30), (200, 100), (300, 300)])
def test_rates_hold_for_new_rows_of_wide_tables(shape):
    """At 5 % meant, 22 to 96 % of new rows were flagged; "auto" flagged none of the outliers."""
    rates = {"folds": [], "auto": []}
    for seed in range(4):
        X, new = few_of_many(shape, seed)
        for name, fraction in (("folds", "folds"), ("auto", 0.0)):
            detector = AutoencoderDetector(calibration_fraction=fraction, random_state=seed).fit(X)
            rates[name].append(np.mean(detector.predict(new) == -1))
            far = new + 1.2 * np.random.default_rng(seed).normal(size=new.shape)
            assert np.mean(detector.predict(far) == -1) > (0.2 if shape[1] == 30 else 0.8)
    assert 0.025 < np.mean(rates["folds"]) < 0.1
    assert np.mean(rates["auto"]) < 0.06


@pytest.mark.parametrize("score", ["reconstruction", "standardized", "latent"])
def test_folds_calibrate_scores_that_hang_on_what_was_learnt(score):
    rates = []
    for seed in range(4):
        X, new = few_of_many((150, 20), seed)
        detector = AutoencoderDetector(
            Autoencoder(5, **SMALL, init="random", learning_rate_init=1e-2),
            anomaly_score=score, calibration_fraction="folds", false_positive_rate=0.1,
            random_state=seed,
        ).fit(X)  # fmt: skip
        assert len(detector.calibration_scores_) == 150
        rates.append(np.mean(detector.predict(new) == -1))
        assert_array_equal(detector.predict(new) == -1, detector.p_values(new) <= 0.1)
    assert 0.04 < np.mean(rates) < 0.15


@pytest.mark.parametrize("kind", ["mostly zero", "log-normal"])
def test_folds_hold_their_rate_on_few_rows_of_many_columns(kind):
    # the scale of a column must not be that of the one row that has a value there
    flagged = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        shares = rng.uniform(0.02, 0.15, 100)

        def draw(n, shares=shares, rng=rng):
            if kind == "log-normal":
                return np.exp(0.8 * (rng.normal(size=(n, 1)) + rng.normal(size=(n, 100))))
            return (rng.random((n, 100)) < shares) * rng.exponential(size=(n, 100))

        detector = AutoencoderDetector(
            calibration_fraction="folds", false_positive_rate=0.1, random_state=0
        ).fit(draw(50))
        flagged.append(np.mean(detector.predict(draw(1000)) == -1))
    assert 0.04 < np.mean(flagged) < 0.2


def test_folds_are_the_same_side_by_side_and_one_by_one():
    X, _ = few_of_many((150, 20), 0)
    one, other = (
        AutoencoderDetector(
            Autoencoder(5, **SMALL), anomaly_score="reconstruction",
            calibration_fraction="folds", random_state=0, n_jobs=n_jobs,
        ).fit(X)
        for n_jobs in (None, 2)
    )  # fmt: skip
    rows = one.score_samples(X)
    assert not np.isin(one.calibration_scores_, rows).any()  # by other networks
    assert_allclose(one.calibration_scores_, other.calibration_scores_, rtol=1e-6)


@pytest.mark.parametrize("score", WITHOUT_DENSITY)
def test_share_that_more_new_rows_would_exceed_warns_once(score):
    X, new = few_of_many((200, 100), 0)
    detector = AutoencoderDetector(contamination=0.05, anomaly_score=score, random_state=0)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        detector.fit(X)
    rate = np.mean(detector.predict(new) == -1)
    assert np.mean(detector.predict(X) == -1) == 0.05
    told = [str(one.message) for one in found]
    assert all(one.category is ThresholdWarning for one in found)
    assert len(told) == (rate > 0.1) or 0.07 < rate < 0.13
    if told:
        assert "contamination=0.05 flags that share of the rows given to fit, but about" in told[0]
        percent = int(told[0].partition("about ")[2].partition("%")[0])
        assert abs(percent / 100 - rate) < 0.1


def test_share_that_holds_for_new_rows_warns_nobody():
    X, _ = few_of_many((600, 8), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = AutoencoderDetector(contamination=0.05, random_state=0).fit(X)
    assert np.mean(detector.predict(X) == -1) == 0.05


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.random.default_rng(0).normal(size=(29, 3)), r"29 rows are few \(fewer than 30\)"),
        (np.full((50, 3), 2.0), "All 50 rows are equal"),
        (np.full((5, 3), 2.0), "All 5 rows are equal"),
    ],
)
@pytest.mark.parametrize("parameters", [{}, {"contamination": 0.1}])
def test_rows_that_say_little_warn_once(rows, message, parameters):
    with pytest.warns(ThresholdWarning, match=message) as found:
        AutoencoderDetector(random_state=0, **parameters).fit(rows)
    assert len(found) == 1 and found[0].filename == __file__


@pytest.mark.parametrize("share", [0.04, 0.055])
def test_a_sentinel_that_many_rows_have_hides_nothing(share):
    """Where it was not to be flagged, nothing was that lay nearer."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 4))
    X[: int(1000 * share)] = 999.0
    detector = AutoencoderDetector(random_state=0).fit(X)
    assert np.mean(detector.predict(rng.normal(size=(200, 4)) + 6) == -1) > 0.95
    assert np.mean(detector.predict(rng.normal(size=(200, 4))) == -1) < 0.1
    assert (detector.predict(X[:1])[0] == 1) == (share >= 0.05)


@pytest.mark.parametrize("score", ["auto", "mahalanobis", "neighbors"])
def test_folds_hold_their_rate_on_whole_numbers(score):
    """A new row has one twin more than a training row that was left out."""
    rates = []
    for seed, (n_rows, n_features, n_levels) in enumerate([(500, 3, 5), (1000, 4, 4), (500, 5, 8)]):
        rng = np.random.default_rng(seed)
        X, new = (rng.integers(n_levels, size=(n, n_features)) for n in (n_rows, 4000))
        detector = AutoencoderDetector(
            calibration_fraction="folds", anomaly_score=score, random_state=0
        ).fit(X)
        rates.append(np.mean(detector.predict(new) == -1))
    assert 0.025 < np.mean(rates) < 0.075


@pytest.mark.parametrize("share", [0.08, 0.15, 0.25])
def test_what_is_spread_around_a_group_is_no_group(share):
    """Outliers spread evenly are nearer to each other than to what they surround."""
    rng = np.random.default_rng(0)
    n_outliers = round(1000 * share)
    X = np.vstack(
        [0.5 * rng.normal(size=(1000 - n_outliers, 2)), rng.uniform(-6, 6, (n_outliers, 2))]
    )
    detector = AutoencoderDetector(contamination=share, random_state=0).fit(X)
    labels = np.arange(1000) >= 1000 - n_outliers
    assert roc_auc_score(labels, -detector.score_samples(X)) > 0.95


def test_one_row_far_out_leaves_groups_as_they_are():
    rng = np.random.default_rng(0)
    X, _ = modes(10, 0.5, 1000, rng)
    X[0] = [1e8, 0, 0, 0, 0]
    detector = AutoencoderDetector(random_state=0).fit(X)
    directions = rng.normal(size=(100, 5))
    beside = 0.2 * 8 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert np.mean(detector.predict(beside) == -1) > 0.9


def modes(ratio, share, n_rows, rng):
    """Two clean groups, the second so many times as spread and with a share of the rows."""
    n_second = round(share * n_rows)
    first = 0.2 * rng.normal(size=(n_rows - n_second, 5))
    second = 6 + 0.2 * ratio * rng.normal(size=(n_second, 5))
    return np.vstack([first, second]), np.repeat([0, 1], [n_rows - n_second, n_second])


@pytest.mark.parametrize("robust", ["auto", False])
@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("ratio", [1, 3, 10])
def test_groups_of_unlike_density_are_normal_and_what_lies_beside_them_is_not(ratio, share, robust):
    """41 to 86 % of the sparser half were flagged, and nothing that lay beside the dense one."""
    rng = np.random.default_rng(ratio)
    X, group = modes(ratio, share, 1000, rng)
    new, group_of_new = modes(ratio, share, 1000, rng)
    directions = rng.normal(size=(100, 5))
    beside = 0.2 * 8 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    detector = AutoencoderDetector(robust=robust, random_state=0).fit(X)
    for rows, of_rows in ((X, group), (new, group_of_new)):
        flagged = detector.predict(rows) == -1
        assert max(flagged[of_rows == number].mean() for number in (0, 1)) < 0.1
    assert np.mean(detector.predict(beside) == -1) > 0.95
    labels = np.repeat([0, 1], [1000, 100])
    assert roc_auc_score(labels, -detector.score_samples(np.vstack([new, beside]))) > 0.98
    # what is far from both by one feature is told by that feature
    for centre, far in ((0.0, -9.0), (6.0, 15.0)):
        odd = np.full((1, 5), centre)
        odd[0, 3] = far
        assert detector.predict(odd)[0] == -1
        assert detector.score_features(odd)[0].argmax() == 3


@pytest.mark.parametrize("robust", ["auto", True])
@pytest.mark.parametrize(("n_rows", "n_alike"), [(500, 22), (1000, 40), (2000, 90)])
@pytest.mark.parametrize("n_features", [3, 10, 30])
def test_many_outliers_that_are_nearly_equal_are_found(n_rows, n_alike, n_features, robust):
    """Each has as many near neighbours as are asked for; such groups scored as normal."""
    rng = np.random.default_rng(n_rows)
    direction = rng.normal(size=n_features)
    place = 2.4 * np.sqrt(n_features) * direction / np.linalg.norm(direction)
    alike = place + 0.01 * rng.normal(size=(n_alike, n_features))
    X = np.vstack([rng.normal(size=(n_rows - n_alike, n_features)), alike])
    new = rng.normal(size=(500, n_features))
    detector = AutoencoderDetector(robust=robust, random_state=0).fit(X)
    labels = np.repeat([0, 1], [500, n_alike])
    assert roc_auc_score(labels, -detector.score_samples(np.vstack([new, alike]))) > 0.99
    assert np.mean(detector.predict(new) == -1) < 0.03


@pytest.mark.parametrize("n_categories", [3, 24])
def test_categories_are_no_strays(n_categories):
    rng = np.random.default_rng(0)
    level = rng.integers(n_categories, size=2000)
    X = np.column_stack([np.eye(n_categories)[level], 0.01 * rng.normal(size=(2000, 2))])
    detector = AutoencoderDetector(random_state=0).fit(X[:1000])
    assert detector._scores.core.mean() > 0.9
    assert np.mean(detector.predict(X[1000:]) == -1) < 0.05


def test_outliers_of_mostly_zero_tables_are_flagged():
    """1 to 10 % of them were, with an area of .97 and more."""
    found = {AutoencoderDetector: [], IsolationForest: []}
    for seed, (rate, n_features) in enumerate(2 * [(0.02, 10), (0.1, 10), (0.02, 30)]):
        rng = np.random.default_rng(seed)

        def amounts(n_rows, rate, factor, rng=rng, n_features=n_features):
            size = (n_rows, n_features)
            return np.where(rng.random(size) < rate, factor * rng.exponential(size=size), 0.0)

        X, new, outliers = amounts(1000, rate, 1), amounts(500, rate, 1), amounts(100, 0.5, 2)
        for cls, rates in found.items():
            detector = cls(random_state=0).fit(X)
            rates.append([np.mean(detector.predict(rows) == -1) for rows in (new, outliers)])
    (alarms, hits), (_, hits_of_forest) = (np.mean(rates, axis=0) for rates in found.values())
    assert hits > hits_of_forest - 0.05 and alarms < 0.03


def test_feature_that_is_constant_up_to_rounding_is_constant():
    """Shares that add up to one were divided by 2e-16; new ones off by 1e-6 were all flagged."""
    rng = np.random.default_rng(0)
    totals = rng.dirichlet([1, 1, 1], 900).sum(axis=1)
    rows = rng.normal(size=(900, 3))
    detector = AutoencoderDetector(random_state=0).fit(np.c_[rows[:600], totals[:600]])
    assert totals.std() > 0 and detector.scale_[3] == 1
    expected = detector.predict(np.c_[rows[600:], np.ones(300)])
    for change in (totals[600:], totals[600:].astype(np.float32), totals[600:].round(6) + 1e-6):
        assert_array_equal(detector.predict(np.c_[rows[600:], change]), expected)


@pytest.mark.parametrize("robust", ["auto", True, False])
@pytest.mark.parametrize("score", ["auto", "mahalanobis", "neighbors", "reconstruction", "latent"])
@pytest.mark.filterwarnings("ignore:anomaly_score=.reconstruction. judges by rounding")
def test_what_many_rows_have_in_common_is_normal(score, robust):
    rng = np.random.default_rng(0)
    level = rng.choice(5, 1200, p=[0.5, 0.26, 0.12, 0.07, 0.05])
    few = np.column_stack([np.eye(5)[level], rng.integers(0, 2, (1200, 3))])
    whole = rng.poisson(0.4, size=(1200, 2)) * np.array([1.0, 50.0])
    for X in (few, whole, np.where(rng.uniform(size=(1200, 1)) < 0.94, 0.0, whole + 1)):
        detector = AutoencoderDetector(
            anomaly_score=score, robust=robust, random_state=0
        ).fit(X)  # fmt: skip
        values, place, counts = np.unique(X, axis=0, return_inverse=True, return_counts=True)
        flagged = detector.predict(values) == -1
        assert not flagged[counts >= 0.05 * len(X)].any()
        assert detector.score_samples(values)[counts >= 0.05 * len(X)].min() >= detector.offset_
        if score in ("auto", "mahalanobis", "neighbors"):
            far = values[:1] + 12 * X.std(axis=0)
            assert detector.predict(far)[0] == -1
        if score != "reconstruction":  # which is rounding where nothing is left over
            assert_array_equal(detector.predict(X) == -1, flagged[place.ravel()])


def test_threshold_of_a_small_table_flags_few_of_its_rows(X):
    """A fifth of 178 rows, held out, flagged 13 to 35 of them, by the seed."""
    flagged = [
        np.mean(AutoencoderDetector(random_state=seed).fit(X).predict(X) == -1) for seed in range(2)
    ]
    assert max(flagged) < 0.1 and np.ptp(flagged) < 0.02


def test_scores_of_the_rows_of_fit_do_not_tell_which_were_held_out():
    X = np.random.default_rng(0).normal(size=(300, 100))
    areas = []
    for seed in range(5):
        estimator = Autoencoder(5, max_iter=1, early_stopping=False, hidden_layer_sizes=(5,))
        detector = AutoencoderDetector(estimator, random_state=seed).fit(X)
        held_out = split_of(detector, len(X), _seed(seed))[1]
        areas.append(roc_auc_score(held_out, -detector.score_samples(X)))
    assert abs(np.mean(areas) - 0.5) < 0.1


@pytest.mark.parametrize("shape", [(20, 5), (40, 20), (49, 30)])
def test_auto_threshold_of_few_rows_flags_few_new_ones(shape):
    """Every row is left out once; thresholds from rows learnt from flagged a quarter."""
    rates = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        detector = AutoencoderDetector(
            Autoencoder(0.9, max_iter=0), standardize=True, random_state=seed
        ).fit(rng.normal(size=shape))
        rates.append(np.mean(detector.predict(rng.normal(size=(500, shape[1]))) == -1))
    assert np.mean(rates) < 0.1


def test_half_of_the_rows_may_be_equal():
    """The median absolute deviation of such scores is zero, or rounding."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4)) * (rng.uniform(size=(2000, 1)) > 0.55)
    X[:40] *= 1000
    for score in ("auto", "reconstruction", "mahalanobis", "neighbors"):
        detector = AutoencoderDetector(
            Autoencoder(2, max_iter=0), anomaly_score=score, random_state=0
        ).fit(X)
        assert np.mean(detector.predict(X) == -1) < 0.2
        assert (detector.predict(np.full((1, 4), 100.0)) == -1).all()


def _seed(random_state):
    """Seed of the split of a detector."""
    return draw_seeds(random_state, PURPOSES)[1]["split"]


def test_auto_threshold_flags_few_normal_rows():
    data = load_breast_cancer()
    benign = data.data[data.target == 1]
    rng = np.random.default_rng(0)
    shares = []
    for seed in range(5):
        order = rng.permutation(len(benign))
        detector = AutoencoderDetector(
            Autoencoder(0.9, max_iter=0), standardize=True, random_state=seed
        ).fit(benign[order[:250]])
        rest = benign[order[250:]], data.data[data.target == 0]
        shares.append([np.mean(detector.predict(rows) == -1) for rows in rest])
    benign_share, malignant_share = np.mean(shares, axis=0)
    assert benign_share < 0.08 and malignant_share > 0.65


def test_parameters_set_later_wait_for_the_next_fit_or_calibration(X):
    detector = linear().fit(X)
    scores, labels = detector.score_samples(X), detector.predict(X)
    detector.set_params(anomaly_score="neighbors", estimator=None)
    assert_array_equal(detector.score_samples(X), scores)
    assert_array_equal(detector.predict(X), labels)
    detector.calibrate(X)
    assert_array_equal(
        np.sort(detector.score_samples(X, "neighbors")), detector.calibration_scores_
    )
    assert_array_equal(detector.score_samples(X), detector.score_samples(X, "neighbors"))


# Contaminated training data


@pytest.mark.parametrize("score", ["auto", "mahalanobis", "neighbors", "reconstruction"])
def test_robust_fit_finds_outliers_that_were_trained_on(score, contaminated):
    rows, y = contaminated
    areas = []
    for robust in (True, False):
        detector = AutoencoderDetector(
            Autoencoder(0.9, **SMALL), robust=robust, random_state=0, anomaly_score=score
        ).fit(rows)
        areas.append(roc_auc_score(y, -detector.score_samples(rows)))
    # a group smaller than n_neighbors has far neighbours whatever was trained on
    gain = 0.0 if score in ("auto", "neighbors") else 0.05
    assert areas[0] > areas[1] + gain - 1e-9
    assert areas[0] > 0.9


def test_clean_training_data_does_not_suffer(contaminated):
    rows, y = contaminated
    normal, outliers = rows[y == 0], rows[y == 1]
    train, test = normal[::2], np.vstack([normal[1::2], outliers])
    labels = np.repeat([0, 1], [len(normal[1::2]), len(outliers)])
    areas = [
        roc_auc_score(
            labels,
            -AutoencoderDetector(Autoencoder(0.9, **SMALL), robust=robust, random_state=0)
            .fit(train)
            .score_samples(test),
        )
        for robust in (True, False)
    ]
    assert areas[0] > areas[1] - 0.01 and areas[0] > 0.95


def test_rows_without_outliers_have_one_weight():
    # a closed curve, on which each row is as far from its neighbours as any other
    angles = np.arange(1, 6) * (np.arange(300) * 2 * np.pi / 300)[:, None]
    X = np.hstack([np.cos(angles), np.sin(angles)])
    one, other = (
        AutoencoderDetector(
            Autoencoder(4, **SMALL), robust=robust, contamination=0.1, random_state=0
        ).fit(X)
        for robust in ("auto", False)
    )
    assert down_weights(np.array([1.0, 2.0, 3.0, 4.0, 6.0])) is None
    assert down_weights(np.array([0.0, 0.0, 0.0, 0.0, 3.0])) is None
    assert down_weights(np.array([2.0, 2.0, 2.0])) is None
    usual = 3 + 3 * 1.4826
    weights = down_weights(np.array([1.0, 2.0, 3.0, 4.0, 2 * usual, 99.0, 2.0]))
    assert_allclose(weights, [*[1.0] * 4, 0.25, 0.05, 1.0])
    assert_allclose(one.estimator_.transform(X), other.estimator_.transform(X), rtol=1e-6)


def test_robust_auto_learns_less_of_outliers_and_loses_little_on_clean_rows():
    """Cancer among healthy tissue, a tenth of the rows: the network's own error, and the score."""
    data = load_breast_cancer()
    benign, malignant = (data.data[data.target == label] for label in (1, 0))
    gains = {}
    for seed in range(2):
        rng = np.random.default_rng(seed)
        mixed = np.vstack([rng.permutation(benign), rng.permutation(malignant)[:40]])
        labels = np.repeat([0, 1], [len(benign), 40])
        detectors = [
            AutoencoderDetector(
                Autoencoder(0.9, hidden_layer_sizes=(64,), max_iter=60, learning_rate_init=3e-3),
                standardize=True, robust=robust, contamination=0.1, random_state=seed,
            )
            for robust in ("auto", False)
        ]  # fmt: skip
        for name, train, test in (
            ("contaminated", slice(None), slice(None)),
            ("clean", slice(0, 180), slice(180, None)),
        ):
            for detector in detectors:
                detector.fit(mixed[train])
            for score in ("reconstruction", "auto"):
                areas = [
                    roc_auc_score(labels[test], -detector.score_samples(mixed[test], score))
                    for detector in detectors
                ]
                gains.setdefault((name, score), []).append(areas[0] - areas[1])
    means = {key: np.mean(values) for key, values in gains.items()}
    assert means["contaminated", "reconstruction"] > 0.02
    assert means["contaminated", "auto"] > 0.003
    assert means["clean", "reconstruction"] > -0.01
    assert means["clean", "auto"] > -0.01


def test_robust_auto_trains_on_all_rows_and_true_on_three_quarters(X, by_sort):
    rows = np.vstack([X, 50 * X[:9]])
    fitted = {
        robust: AutoencoderDetector(
            Autoencoder(4, max_iter=0), robust=robust, contamination=0.1, random_state=0
        ).fit(rows)
        for robust in ("auto", True, False)
    }
    codes = {robust: one.estimator_.transform(X) for robust, one in fitted.items()}
    standardised = StandardScaler().fit_transform(within_fences(rows))
    _, apart = by_sort(standardised, 20)
    median = np.median(apart)
    usual = median + 3 * 1.4826 * np.median(np.abs(apart - median))
    weight = np.clip((usual / apart) ** 2, 0.05, 1)
    assert (weight == 1).sum() > 150 and (weight[-9:] < 0.5).all()
    for robust, trained, given in (
        (False, rows, None), ("auto", within_fences(rows), weight)
    ):  # fmt: skip
        whole = Autoencoder(4, max_iter=0, random_state=0).fit(trained, sample_weight=given)
        assert_allclose(codes[robust], whole.transform(X), atol=1e-9)
    assert np.abs(fitted[True].estimator_.mean_ / X.mean(axis=0) - 1).max() < 0.1
    lowest = {robust: one.score_samples(rows, "mahalanobis")[-9:] for robust, one in fitted.items()}
    assert lowest["auto"].max() < 10 * lowest[False].min()


@pytest.mark.parametrize("shares", [(0.4, 0.3, 0.2, 0.1), (0.85, 0.15), (0.8, 0.2)])
def test_rare_category_is_no_outlier(shares):
    rng = np.random.default_rng(0)
    level = rng.choice(len(shares), 4000, p=shares)
    X = np.column_stack([np.eye(len(shares))[level], rng.normal(size=(4000, 3))])
    detector = AutoencoderDetector(
        Autoencoder(0.9, max_iter=0), standardize=True, random_state=0
    ).fit(X[:2000])
    flagged = detector.predict(X[2000:]) == -1
    rarest = level[2000:] == np.argmin(shares)
    assert flagged[rarest].mean() < 0.5 and flagged[~rarest].mean() < 0.05


def test_small_group_of_its_own_is_no_outlier():
    rng = np.random.default_rng(0)
    group = rng.uniform(size=2000) < 0.2
    X = rng.normal(size=(2000, 5)) + 6 * group[:, None]
    detector = AutoencoderDetector(Autoencoder(0.9, max_iter=0), random_state=0).fit(X)
    assert np.mean(detector.predict(X)[group] == -1) < 0.1


@pytest.mark.parametrize("robust", ["auto", True])
def test_order_of_the_rows_does_not_matter(robust):
    # categories: most distances are zero
    rng = np.random.default_rng(0)
    level = np.sort(rng.integers(0, 12, 3000))
    X = np.column_stack([np.eye(12)[level], np.eye(2)[rng.integers(0, 2, 3000)]])
    for order in (np.arange(3000), np.arange(3000)[::-1], rng.permutation(3000)):
        detector = AutoencoderDetector(
            Autoencoder(0.9, max_iter=0), robust=robust, standardize=True, random_state=0
        )
        assert np.mean(detector.fit_predict(X[order]) == -1) < 0.02


def test_core_is_what_lies_at_a_usual_distance(by_sort):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    X[:8] *= 9
    detector = AutoencoderDetector(
        Autoencoder(4, max_iter=0), contamination=0.1, random_state=0
    ).fit(X)
    errors, outputs, codes = decomposed(detector, X)
    joined = np.hstack([errors, outputs])
    _, apart = by_sort(joined, 20)
    median = np.median(apart)
    core = apart <= median + 3 * 1.4826 * np.median(np.abs(apart - median))
    assert 0.9 < core.mean() < 1 and not core[:8].any()
    assert_array_equal(detector._scores.core, core)
    expected = LedoitWolf().fit(joined[core])
    assert_allclose(-detector.score_samples(X, "mahalanobis"), expected.mahalanobis(joined))
    spread = np.sqrt((errors[core] ** 2).mean(axis=0))
    assert_allclose(
        -detector.score_samples(X, "standardized"), ((errors / spread) ** 2).sum(axis=1)
    )
    latent = LedoitWolf().fit(codes[core]).mahalanobis(codes)
    assert_allclose(-detector.score_samples(X, "latent"), latent, rtol=1e-6)


@pytest.mark.parametrize("n_rows", [30, 56, 66])
def test_threshold_of_few_rows_and_many_features_flags_few_normal_rows(n_rows):
    # about as many rows as features, in the folds fewer
    n_features = 22 if n_rows == 30 else 40
    flagged = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        mix = rng.normal(size=(5, n_features))
        X, new = (
            rng.normal(size=(n, 5)) @ mix + rng.normal(size=(n, n_features)) for n in (n_rows, 500)
        )
        detector = AutoencoderDetector(
            Autoencoder(0.9, max_iter=0),
            anomaly_score="mahalanobis",
            standardize=True,
            random_state=seed,
        )
        flagged.append(np.mean(detector.fit(X).predict(new) == -1))
    assert np.mean(flagged) < 0.12


@pytest.mark.parametrize("value", [50.0, 1e6, 1e30])
def test_one_far_value_in_a_wide_table_costs_little(value):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(75, 60))
    X[:, 0] = 0.0
    X[7, 0] = value
    new = rng.normal(size=(200, 60))
    new[:, 0] = 0.0
    new[100:, 1:] *= 3
    detector = AutoencoderDetector(Autoencoder(0.9, max_iter=0), random_state=0).fit(X)
    assert roc_auc_score(np.repeat([0, 1], 100), -detector.score_samples(new)) > 0.95
    assert detector.predict(X)[7] == -1


def test_fences_hold_far_values_and_leave_rare_ones():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=1000), rng.uniform(size=1000) < 0.03, np.ones(1000)])
    X[:5, 0] = [1e6, -1e6, 7.0, -7.0, 0.0]
    held = within_fences(X)
    low, high = np.percentile(X[:, 0], [5, 95]) - np.median(X[:, 0])
    assert_allclose(held[:2, 0], np.median(X[:, 0]) + 5 * np.array([high, low]), rtol=0.05)
    assert_array_equal(held[2:], X[2:])
    assert_array_equal(held[:, 1:], X[:, 1:])


def test_fences_change_no_indicator():
    indicators = (np.arange(200)[:, None] < np.arange(201)).astype(float)
    assert_array_equal(within_fences(indicators), indicators)
    levels = np.eye(3)[np.repeat([0, 1, 2], [700, 250, 50])]
    categorical = VariationalAutoencoder(2, likelihood="categorical", **SMALL)
    AutoencoderDetector(categorical, contamination=0.1, random_state=0).fit(levels)


def test_unit_of_a_rare_feature_does_not_matter_to_a_robust_fit():
    rng = np.random.default_rng(0)
    rare = rng.uniform(size=600) < 0.04
    X = np.column_stack([rng.normal(size=(600, 4)), rare])
    scores = [
        AutoencoderDetector(
            Autoencoder(2, max_iter=0), robust=True, standardize=True, random_state=0
        ).fit(X * unit).score_samples(X * unit)
        for unit in ([1, 1, 1, 1, 1], [1, 1, 1, 1, 1e6])
    ]  # fmt: skip
    assert_allclose(scores[0], scores[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["robust", "standardize"])
@pytest.mark.parametrize("value", [True, False])
def test_booleans_of_numpy_are_booleans(name, value, X):
    rows = np.vstack([X, 50 * X[:9]])
    one, other = (linear(**{name: v}).fit(rows) for v in (value, np.bool_(value)))
    assert_array_equal(one.score_samples(rows), other.score_samples(rows))


# Calibration


def test_p_values_and_threshold_are_those_of_conformal_prediction(X):
    detector = linear(false_positive_rate=0.1).fit(X[:100]).calibrate(X[100:149])
    # from one call: scores of a row differ by rounding with the number of rows
    scores = detector.score_samples(X)
    calibration = scores[100:149]
    expected = [(1 + np.sum(calibration <= score)) / 50 for score in scores]
    assert_allclose(detector.p_values(X), expected, rtol=1e-12)
    assert_allclose(detector.offset_, np.sort(calibration)[int(0.1 * 50) - 1], rtol=1e-8)
    assert_array_equal(detector.predict(X) == -1, detector.p_values(X) <= 0.1)


@pytest.mark.parametrize("n_features, epochs", [(4, 0), (40, 0), (40, 3)])
@pytest.mark.parametrize("score", ["auto", "neighbors", "latent", "reconstruction", "mahalanobis"])
def test_equal_rows_are_judged_alike_alone_and_in_a_batch(score, n_features, epochs):
    """Scores of equal rows differ by rounding with the rows beside them."""
    rows = np.eye(n_features)
    X = rows[np.random.default_rng(0).integers(0, n_features, 100 * n_features)]
    half = len(X) // 2
    detector = AutoencoderDetector(
        Autoencoder(2, max_iter=epochs, early_stopping=False, random_state=0),
        anomaly_score=score, standardize=True, random_state=0,
    ).fit(X[:half]).calibrate(X[half:])  # fmt: skip
    alone = np.concatenate([detector.p_values(row[None]) for row in rows])
    assert_array_equal(detector.p_values(X), alone[X.argmax(axis=1)])
    labels = np.concatenate([detector.predict(row[None]) for row in rows])
    assert_array_equal(detector.predict(X), labels[X.argmax(axis=1)])
    assert np.mean(detector.predict(X[half:]) == -1) <= 0.05


@pytest.mark.parametrize("sentinel", [100.0, 1e3, 1e6])
def test_one_odd_value_hides_no_other(sentinel):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 8))
    X[:10, 0], X[10:30, 0] = sentinel, 8 * rng.choice([-1, 1], 20)
    detector = AutoencoderDetector(
        Autoencoder(0.9, max_iter=0), standardize=True, random_state=0
    ).fit(X)
    odd = np.isin(np.arange(1000), np.arange(10, 30))
    for score in ("auto", "mahalanobis"):
        assert roc_auc_score(odd[10:], -detector.score_samples(X, score)[10:]) > 0.95


@pytest.mark.parametrize("size", [1e-250, 1e-200, 1e160, 1e250])
def test_tiny_and_huge_numbers(size, X):
    X = StandardScaler().fit_transform(X)
    detector = AutoencoderDetector(
        Autoencoder(3, max_iter=0), standardize=True, contamination=0.1, random_state=0
    )
    plain = clone(detector).fit(X).score_samples(X)
    assert_allclose(detector.fit(X * size).score_samples(X * size), plain, rtol=1e-5)


@pytest.mark.parametrize("shape", [(50, 5), (20, 60), (300, 1500)])
def test_shrinkage_is_that_of_ledoit_and_wolf(shape):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=shape) * rng.uniform(0.1, 3, shape[1])
    covariance = ShrunkCovariance(rows, seed=0)
    expected = ledoit_wolf(rows)[0]
    new = rng.normal(size=(5, shape[1])) - rows.mean(axis=0)
    found = covariance.squared_distances(new + rows.mean(axis=0))
    assert_allclose(found, np.sum(new * np.linalg.solve(expected, new.T).T, axis=1), rtol=1e-6)


def test_false_positive_rate_and_uniform_p_values_over_refits():
    data = load_breast_cancer()
    rows = data.data[data.target == 1]
    rng = np.random.default_rng(0)
    rates, values = [], []
    for seed in range(200):
        order = rng.permutation(len(rows))
        detector = linear(
            5, standardize=True, calibration_fraction=0.4, random_state=seed,
            robust="auto", contamination="auto", false_positive_rate=0.1,
        ).fit(rows[order[:200]])  # fmt: skip
        rest = rows[order[200:]]
        rates.append(np.mean(detector.predict(rest) == -1))
        values.append(detector.p_values(rest[:1])[0])
    error = np.std(rates) / np.sqrt(len(rates))
    # 80 calibration rows: the expected rate is floor(0.1 * 81) / 81
    assert abs(np.mean(rates) - 8 / 81) < 4 * error
    spread = rng.uniform(size=200) / 81
    assert kstest(np.array(values) - spread, "uniform").pvalue > 0.001


def test_calibration_rows_are_used_for_nothing_else(X):
    detector = linear(calibration_fraction=0.3, contamination="auto").fit(X)
    calibration = split_of(detector, len(X), _seed(0))[2]
    assert calibration.sum() == len(detector.calibration_scores_) == 53
    changed = X.copy()
    changed[calibration] *= 3
    other = linear(calibration_fraction=0.3, contamination="auto").fit(changed)
    assert_array_equal(detector.score_samples(X), other.score_samples(X))
    assert_array_equal(
        np.sort(other.score_samples(changed[calibration])), other.calibration_scores_
    )


def test_too_few_calibration_rows_raise_and_lose_nothing(X):
    detector = linear(false_positive_rate=0.05).fit(X)
    before = detector.offset_
    message = r"false_positive_rate=0\.05 needs at least 19 calibration rows; got 18\."
    with pytest.raises(ValueError, match=message):
        detector.calibrate(X[:18])
    assert detector.offset_ == before and not hasattr(detector, "calibration_scores_")
    lowest = detector.score_samples(X[:19]).min()
    assert_allclose(detector.calibrate(X[:19]).offset_, lowest, rtol=1e-8)
    with pytest.raises(ValueError, match="needs at least 19 calibration rows; got 2"):
        linear(calibration_fraction=0.01).fit(X)
    with pytest.raises(ValueError, match=r"leaves 0 of 40 rows to learn from"):
        linear(calibration_fraction=0.99).fit(X[:40])


def test_p_values_need_calibration_which_a_new_fit_forgets(X):
    detector = linear().fit(X)
    with pytest.raises(ValueError, match=r"call calibrate\(X_cal\), or set calibration_fraction"):
        detector.p_values(X)
    detector.calibrate(X).fit(X)
    with pytest.raises(ValueError, match="p_values needs calibration rows"):
        detector.p_values(X)


# Which feature


@pytest.mark.parametrize("score", ADDITIVE)
def test_contributions_add_up_to_the_score(score, X):
    detector = AutoencoderDetector(Autoencoder(4, **SMALL), random_state=0).fit(X)
    contributions = detector.score_features(X, score)
    assert contributions.shape == X.shape and contributions.min() >= 0
    assert_allclose(contributions.sum(axis=1), -detector.score_samples(X, score), rtol=1e-9)


def test_contributions_of_a_linear_autoencoder_have_a_closed_form(X, monkeypatch):
    monkeypatch.setattr("sklearn_ae.estimators._detector.CURVATURE_DRAWS", 50_000)
    detector = linear(standardize=True).fit(X)
    rows = (X - detector.mean_) / detector.scale_
    directions = detector.estimator_.transform(np.eye(13)) - detector.estimator_.transform(
        np.zeros((1, 13))
    )  # (features, components)
    joined = np.hstack(decomposed(detector, X)[:2])
    projection = directions @ directions.T
    J = np.vstack([np.eye(13) - projection, projection])
    precision = np.linalg.inv(LedoitWolf().fit(joined).covariance_)
    gradient = (joined - joined.mean(axis=0)) @ precision @ J
    curvature = np.diag(J.T @ precision @ J)
    assert_allclose(detector._curvature[0], curvature, rtol=0.05)
    assert_allclose(
        detector.score_features(X) * detector._curvature, gradient**2, rtol=1e-6, atol=1e-9
    )
    # the fall of the squared distance where one feature takes its best value
    best = rows[:1].copy()
    best[0, 3] -= gradient[0, 3] / curvature[3]
    before = detector.score_samples(X[:1], "mahalanobis")
    after = detector.score_samples(best * detector.scale_ + detector.mean_, "mahalanobis")
    assert_allclose(after - before, gradient[0, 3] ** 2 / curvature[3], rtol=1e-6)


@pytest.mark.parametrize("score", ["auto", "mahalanobis", "standardized"])
def test_changed_feature_contributes_most(score):
    rows = load_breast_cancer().data[::2]
    detector = AutoencoderDetector(Autoencoder(0.9, **SMALL), standardize=True, random_state=0).fit(
        rows
    )
    rng = np.random.default_rng(0)
    changed, which = rows[:100].copy(), rng.integers(30, size=100)
    changed[np.arange(100), which] += 5 * rows.std(axis=0)[which] * rng.choice([-1, 1], 100)
    found = detector.score_features(changed, score).argmax(axis=1)
    assert np.mean(found == which) > {"standardized": 0.5}.get(score, 0.8)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_data_frames_come_back_with_their_names(make, X):
    names = load_wine().feature_names
    frame = make(dict(zip(names, X.T, strict=True)))
    detector = AutoencoderDetector(Autoencoder(4, **SMALL), random_state=0).fit(frame)
    assert_array_equal(detector.feature_names_in_, names)
    contributions = detector.score_features(frame)
    assert isinstance(contributions, make) and list(contributions.columns) == names
    plain = AutoencoderDetector(Autoencoder(4, **SMALL), random_state=0).fit(X)
    assert_allclose(np.asarray(contributions), plain.score_features(X))
    assert_allclose(detector.score_samples(frame), plain.score_samples(X))


def test_index_of_a_data_frame_is_kept(X):
    frame = pd.DataFrame(X, index=[f"row {i}" for i in range(len(X))])
    detector = linear().fit(frame)
    assert_array_equal(detector.score_features(frame).index, frame.index)


# Estimators


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder])
def test_frozen_estimator_is_not_fitted(cls, X):
    rows = StandardScaler().fit_transform(X)
    fitted = cls(3, **SMALL).fit(rows)
    codes = fitted.transform(rows)
    detector = AutoencoderDetector(FrozenEstimator(fitted), random_state=0).fit(rows[:120])
    assert_array_equal(detector.estimator_.transform(rows), codes)
    scores = detector.score_samples(rows)
    fitted.fit(3 * rows)  # what a detector has is its own
    assert_array_equal(detector.score_samples(rows), scores)
    fitted.fit(rows)
    assert_array_equal(fitted.transform(rows), codes)
    assert np.isfinite(detector.score_samples(rows)).all()


def test_frozen_estimator_that_has_names_is_given_its_columns(X):
    names = load_wine().feature_names
    frame = pd.DataFrame(StandardScaler().fit_transform(X), columns=names)
    fitted = VariationalAutoencoder(3, **SMALL).fit(frame)
    detector = AutoencoderDetector(FrozenEstimator(fitted), anomaly_score="likelihood")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = detector.fit(frame).score_samples(frame)
        assert_allclose(detector.estimator_.transform(frame), fitted.transform(frame))
    assert_allclose(scores, fitted.score_samples(frame))
    message = f"first that differ are '{names[-1]}' of X and '{names[0]}' that it was fitted with"
    with raises_one_line(ValueError, message):
        clone(detector).fit(frame[names[::-1]])
    assert_array_equal(fitted.feature_names_in_, names)


def test_given_estimator_is_copied_and_gets_the_rows_as_they_are(X):
    estimator = Autoencoder(4, **SMALL)
    detector = AutoencoderDetector(estimator, random_state=0, robust=False).fit(X)
    assert not hasattr(estimator, "n_features_in_")
    assert_array_equal(detector.mean_, 0)
    assert_array_equal(detector.scale_, 1)
    train = split_of(detector, len(X), _seed(0))[0]
    assert_array_equal(
        detector.estimator_.transform(X), clone(estimator).fit(X[train]).transform(X)
    )


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder])
def test_images_through_a_convolutional_estimator(cls):
    data = load_digits()
    images = data.images[data.target == 0] / 16
    others = data.images[data.target == 1][:50] / 16
    estimator = cls(6, architecture=Convolutional((8, 8), channels=(8,)), max_iter=3)
    detector = AutoencoderDetector(estimator, random_state=0).fit(images)
    assert detector.n_features_in_ == 64
    assert np.median(detector.score_samples(others)) < np.quantile(
        detector.score_samples(images), 0.05
    )
    table = images.reshape(len(images), -1)
    assert_array_equal(detector.score_samples(images), detector.score_samples(table))
    assert detector.score_features(others).shape == (50, 64)
    with pytest.raises(ValueError, match=r"image_shape=\(8, 8\) needs images of shape"):
        detector.predict(np.zeros((2, 9, 9)))


def test_parameters_of_the_estimator_can_be_searched(X):
    y = np.where(load_wine().target == 2, -1, 1)

    def area(detector, X, y):
        return roc_auc_score(y, detector.score_samples(X))

    detector = AutoencoderDetector(Autoencoder(**SMALL), standardize=True, random_state=0)
    grid = {"estimator__n_components": [2, 4], "anomaly_score": ["auto", "reconstruction"]}
    search = GridSearchCV(detector, grid, scoring=area, cv=StratifiedKFold(2)).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# Difficult tables


def _tables():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(60, 5))
    constant = normal.copy()
    constant[:, 2] = 7.0
    unscaled = normal * 10.0 ** np.array([-9, -3, 0, 4, 9]) + 1e5
    one_hot = np.eye(4)[rng.integers(4, size=60)]
    return {
        "unscaled": unscaled,
        "constant column": constant,
        "all constant": np.full((20, 3), 2.5),
        "heavy tails": rng.standard_cauchy(size=(200, 4)) ** 3,
        "one-hot": one_hot,
        "mixed": np.hstack([one_hot, unscaled]),
        "two rows": normal[:2],
        "three rows": normal[:3],
        "nine rows": normal[:9],
        "one feature": normal[:, :1],
        "wide": rng.normal(size=(12, 40)),
        "duplicates": np.repeat(normal[:4], 20, axis=0),
        "two columns alike": np.c_[normal, normal],
        "large offset": 1e8 + normal,
        "sorted levels": np.repeat(np.eye(5), 30, axis=0),
    }


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize("name", _tables())
def test_difficult_tables_give_finite_scores_without_warnings(name, robust, standardize):
    X = _tables()[name]
    estimator = Autoencoder(0.9, **SMALL)
    detector = AutoencoderDetector(
        estimator, robust=robust, standardize=standardize, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ThresholdWarning)
        detector.fit(X)
        far = X + 100 * (np.abs(X).max(axis=0) + 1)
        for score in WITHOUT_DENSITY:
            scores = detector.score_samples(X, score)
            assert np.isfinite(scores).all()
            contributions = detector.score_features(far, score)
            assert np.isfinite(contributions).all()
        assert np.isfinite(detector.offset_)
        assert np.median(detector.score_samples(far)) < np.median(detector.score_samples(X))
    if len(X) > 10:
        assert np.mean(detector.predict(X) == -1) < (0.4 if name == "heavy tails" else 0.26)
    if len(X) > 10 and name not in ("heavy tails", "wide"):
        far = X[:1] + 12 * X.std(axis=0) + (X.std(axis=0) == 0)
        for score in ("auto", "mahalanobis", "neighbors"):
            detector.set_params(anomaly_score=score).fit(X)
            assert detector.score_samples(far)[0] < detector.score_samples(X).min()
            assert detector.predict(far)[0] == -1


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("far", [1e160, 1e300, -np.finfo(float).max])
@pytest.mark.parametrize("feature", [4, 7])  # of standard deviation 14 and 0.12
def test_farthest_row_is_the_least_normal(feature, far, standardize, X):
    detector = linear(standardize=standardize).fit(X)
    rows = X[:3].copy()
    rows[1, feature] = far
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for score in WITHOUT_DENSITY:
            scores = detector.score_samples(rows, score)
            assert np.isfinite(scores).all() and scores.argmin() == 1
        assert detector.score_features(rows)[1].argmax() == feature


@pytest.mark.parametrize("unit", [1e-60, 1e60, 1e140])
def test_farthest_row_of_huge_data_is_the_least_normal(unit):
    rows = np.random.default_rng(0).normal(size=(100, 3))
    detector = linear(anomaly_score="neighbors").fit(unit * rows)
    far = unit * np.vstack([rows[:2], np.full((1, 3), 1e9)])
    far[1] = 1e300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(detector.predict(far)[1:], -1)
        scores = detector.score_samples(far)
    assert np.isfinite(scores).all() and scores[1] <= scores[2] < scores[0]


def test_units_of_the_features_do_not_matter(X):
    factors = 10.0 ** np.linspace(-6, 6, 13)
    one = AutoencoderDetector(random_state=0).set_params(
        estimator=Autoencoder(0.9, **SMALL), standardize=True
    )
    scores = one.fit(X).score_samples(X)
    assert_allclose(clone(one).fit(X * factors).score_samples(X * factors), scores, atol=1e-3)


def test_value_other_than_a_constant_is_an_outlier():
    rows = np.random.default_rng(0).normal(size=(100, 3))
    rows[:, 1] = 4.0
    detector = AutoencoderDetector(Autoencoder(0.9, **SMALL), standardize=True, random_state=0).fit(
        rows
    )
    odd = np.array([[0.0, 5.0, 0.0]])
    usual = np.array([[0.0, 4.0, 0.0]])
    assert detector.score_samples(odd) < detector.score_samples(usual) - 1
    assert detector.score_features(odd).argmax() == 1


# Bad input


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (
            {"anomaly_score": "likelihood"},
            ValueError,
            "anomaly_score='likelihood' needs a VariationalAutoencoder as estimator; got Auto",
        ),
        (
            {"estimator": FrozenEstimator(StandardScaler().fit([[0.0], [1.0]]))},
            TypeError,
            r"in the FrozenEstimator; got StandardScaler\(\)",
        ),
        (
            {"estimator": FrozenEstimator(Autoencoder())},
            NotFittedError,
            "This Autoencoder instance is not fitted yet",
        ),
        (
            {"estimator": FrozenEstimator(Autoencoder(1, max_iter=0).fit(np.eye(4)))},
            ValueError,
            "X has 13 features, but the frozen Autoencoder is expecting 4 features as input",
        ),
    ],
)
def test_estimator_that_does_not_suit_raises_one_line(parameters, error, message, X):
    with raises_one_line(error, message):
        AutoencoderDetector(**parameters).fit(X)


def test_unknown_score_raises(X):
    detector = linear().fit(X)
    for method in (detector.score_samples, detector.score_features):
        with pytest.raises(ValueError, match=r"anomaly_score must be one of .* got 'lof'"):
            method(X, "lof")
        with pytest.raises(ValueError, match="needs a VariationalAutoencoder"):
            method(X, "likelihood")
        with pytest.raises(ValueError, match=r"anomaly_score must be one of .* got a ndarray"):
            method(X, np.zeros(len(X)))


def test_standardized_rows_are_refused_where_values_in_the_unit_interval_are_needed(X):
    rows = (X > np.median(X, axis=0)).astype(float)
    for estimator in (
        Autoencoder(2, loss="log_loss", **SMALL),
        VariationalAutoencoder(2, likelihood="bernoulli", **SMALL),
    ):
        message = r"standardize=True takes features out of \[0, 1\], which the .*=False"
        with pytest.raises(ValueError, match=message):
            AutoencoderDetector(estimator, standardize=True).fit(rows)
        AutoencoderDetector(estimator, contamination=0.1).fit(rows)
    with pytest.raises(ValueError, match="The 'loss' parameter of Autoencoder"):
        AutoencoderDetector(Autoencoder(loss="logloss"), standardize=True).fit(rows)


def test_a_code_as_wide_as_the_table_leaves_nothing_to_judge_by():
    X = np.random.default_rng(0).normal(size=(200, 2)) + 5
    wide = AutoencoderDetector(Autoencoder(2, max_iter=0), anomaly_score="reconstruction")
    message = "by rounding: a code of 2 values for 2 features leaves"
    with pytest.warns(UserWarning, match=message) as found:
        wide.fit(X)
    assert found[0].filename == __file__
    wide.set_params(anomaly_score="auto").fit(X)
    wide.set_params(anomaly_score="standardized", estimator__n_components=1).fit(X)
    # a timestamp beside it
    wide.fit(np.column_stack([1.7e12 + 1e8 * X[:, 0], X]))


def test_few_rows_warn_once():
    estimator = VariationalAutoencoder(2, max_iter=20, beta=4.0, init="random")
    with pytest.warns(ConvergenceWarning, match="The posterior collapsed") as found:
        AutoencoderDetector(estimator, random_state=0).fit(np.full((48, 3), 2.5))
    messages = [str(one.message) for one in found if one.category is ThresholdWarning]
    assert len(found) == 2 and len(messages) == 1
    assert messages[0].startswith("All 48 rows are equal")


# Weights of rows, and callbacks


@pytest.fixture
def repeated(X):
    """Rows, whole weights, and the rows that they stand for."""
    weight = np.random.default_rng(3).integers(1, 5, len(X)).astype(float)
    return X, weight, np.repeat(X, weight.astype(int), axis=0)


def test_quantiles_of_weighted_values_are_those_of_repeated_ones(repeated):
    X, weight, given = repeated
    for share in (0.0, 0.013, 0.25, 0.5, 0.77, 1.0):
        for method in ("linear", "lower", "higher"):
            assert_allclose(
                weights.quantile(X, share, weight, method),
                np.quantile(given, share, axis=0, method=method),
                rtol=1e-12,
            )
    for place in (0, 7, len(given) - 1):
        assert_array_equal(weights.value_at(X, place, weight), weights.value_at(given, place))


def test_relative_weights_stand_for_as_many_rows_as_there_are(repeated):
    X, weight, _ = repeated
    assert_allclose(weights.repeats(weight / weight.sum()).sum(), len(X))
    assert_array_equal(weights.repeats(weight), weight)


def test_statistics_of_weighted_rows_are_those_of_repeated_ones(repeated):
    X, weight, given = repeated
    rare = np.quantile(X, 0.9, axis=0) * np.r_[np.ones(3), np.zeros(X.shape[1] - 3)]
    X, given = (np.where(rows < rare, 0.0, rows) for rows in (X, given))
    values, repeats = X[:, 0] ** 2, given[:, 0] ** 2
    assert_allclose(median_and_spread(values, weight), median_and_spread(repeats), rtol=1e-12)
    assert_allclose(low_limit(values, weight), low_limit(repeats), rtol=1e-12)
    one, other = LogScale(values, weight=weight), LogScale(repeats)
    assert_allclose((one.center, one.spread), (other.center, other.spread), rtol=1e-12)
    times = weight.astype(int)
    fences = within_fences(X, weight), within_fences(given)
    assert_allclose(np.repeat(fences[0], times, axis=0), fences[1], rtol=1e-12)
    kept = core_of(values, True, weight), core_of(repeats, True)
    assert_array_equal(np.repeat(kept[0], times), kept[1])
    scaled = (Standardizer(*args)(X) for args in ((X, True, X, weight), (given, True, given)))
    assert_allclose(*scaled, rtol=1e-9, atol=1e-9)


def test_covariance_of_weighted_rows_is_that_of_repeated_ones(repeated):
    X, weight, given = repeated
    one, other = ShrunkCovariance(X, 0, weight), ShrunkCovariance(given, 0)
    assert_allclose(one.squared_distances(X), other.squared_distances(X), rtol=1e-8)
    left_out = one.left_out_distances(X, weight)
    for place in (0, 5, 11):
        rest = np.arange(len(X)) != place
        refit = ShrunkCovariance(X[rest], 0, weight[rest])
        assert_allclose(left_out[place], refit.squared_distances(X[[place]])[0], rtol=1e-6)


@pytest.mark.parametrize("score", ["reconstruction", "standardized", "mahalanobis", "latent"])
def test_weights_are_repetitions_but_for_neighbours(score, repeated):
    X, weight, given = repeated
    parameters = {"anomaly_score": score, "robust": False, "random_state": 0}
    one = linear(**parameters, contamination=0.1).fit(X, sample_weight=weight)
    other = linear(**parameters, contamination=0.1).fit(given)
    assert_allclose(one.score_samples(X), other.score_samples(X), rtol=1e-4)
    assert_allclose(one.offset_, other.offset_, rtol=1e-4)
    flagged = one.predict(X) == -1
    assert abs(weight[flagged].sum() / weight.sum() - 0.1) < 0.02
    assert_allclose(one.score_features(X), other.score_features(X), rtol=1e-3, atol=1e-6)
    unweighted = linear(**parameters, contamination=0.1).fit(X)
    assert not np.allclose(one.score_samples(X), unweighted.score_samples(X), rtol=1e-2)


def test_calibration_by_weighted_rows_is_that_by_repeated_ones(X):
    weight = np.random.default_rng(0).integers(1, 5, len(X)).astype(float)
    detector = linear(calibration_fraction=0.5, false_positive_rate=0.2, random_state=0)
    detector.fit(X, sample_weight=weight)
    chosen = split_of(detector, len(X), _seed(0))[2]
    p_values, given = detector.p_values(X), np.repeat(X[chosen], weight[chosen].astype(int), axis=0)
    detector.calibrate(given)
    assert_allclose(p_values, detector.p_values(X), rtol=1e-12)


@pytest.mark.parametrize("n_rows", [400, 9000])
@pytest.mark.parametrize("n_heavy", [1, 3])
def test_weights_say_what_is_common(n_rows, n_heavy):
    """A row that is rarely given but weighs 7 % is normal, where without weight it is none."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(n_rows, 4)), np.full((n_heavy, 4), 9.0)]
    weight = np.r_[np.ones(n_rows), np.full(n_heavy, 0.075 * n_rows / n_heavy)]
    detector = AutoencoderDetector(random_state=0).fit(X, sample_weight=weight)
    assert_array_equal(detector._common, X[-1:])
    assert detector.predict(X[-1:]) == 1
    assert len(AutoencoderDetector(random_state=0).fit(X)._common) == 0


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("robust", ["auto", True, False])
@pytest.mark.parametrize(
    "how",
    [
        {"contamination": "auto"},
        {"contamination": 0.1},
        {"calibration_fraction": "folds", "false_positive_rate": 0.1},
    ],
    ids=["auto", "share", "folds"],
)
@pytest.mark.parametrize("score", ["auto", "mahalanobis", "standardized", "latent"])
def test_rows_of_next_to_no_weight_change_next_to_nothing(score, how, robust, network):
    """They are far away and few, and so no neighbours of the others."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    far = 40 * rng.normal(size=(15, 4)) + 200
    weight = np.r_[np.ones(len(X)), np.full(len(far), 1e-9)]
    inner = Autoencoder(2, max_iter=0)
    if network:
        inner = FrozenEstimator(Autoencoder(2, max_iter=3, random_state=0).fit(X))
    parameters = {"anomaly_score": score, "robust": robust, "random_state": 0, **how}
    one = AutoencoderDetector(inner, **parameters).fit(
        np.r_[X, far], sample_weight=weight * (1 + np.arange(len(weight)) % 3)
    )
    other = AutoencoderDetector(inner, **parameters).fit(X, sample_weight=1 + np.arange(200) % 3)
    assert_allclose(one.score_samples(X), other.score_samples(X), rtol=1e-2, atol=1e-2)
    # quantiles of weights that are not whole are one row further, and folds are others
    flagged = [np.mean(detector.score_samples(X) < detector.offset_) for detector in (one, other)]
    assert abs(flagged[0] - flagged[1]) < 0.03


def test_weights_and_trust_enter_the_autoencoder_together(contaminated):
    rows, _ = contaminated
    weight = 1.0 + np.arange(len(rows)) % 5
    with mock.patch.object(Autoencoder, "fit", autospec=True, side_effect=Autoencoder.fit) as fit:
        AutoencoderDetector(random_state=0).fit(rows, sample_weight=weight)
        AutoencoderDetector(random_state=0).fit(rows)
    weighted, trust = (call.kwargs["sample_weight"] for call in fit.call_args_list)
    assert trust.min() < 0.9
    assert np.unique(weighted).size > np.unique(weight).size
    assert weighted.max() <= weight.max()


def test_share_of_new_rows_that_is_warned_of_is_weighted():
    """Of the rows that count, a large share would be flagged; of all, a small one."""
    rng = np.random.default_rng(0)
    rows, weight = np.zeros((60, 1)), np.r_[np.ones(20), np.full(40, 1e-6)]
    left_out = np.r_[np.full(10, -5.0), np.full(50, 0.0)]
    detector = linear(contamination=0.1)
    detector._score = "auto"
    detector._score_rows = lambda rows, score: -rng.random(len(rows))
    with pytest.warns(ThresholdWarning, match="50%|few"):
        detector._set_threshold(Rows(rows, weight=weight), left_out, np.full(60, True), 0)


def test_groups_are_counted_by_weight():
    """What has a tenth of the rows is a group, unless they weigh next to nothing."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(360, 3)), rng.normal(size=(40, 3)) * 0.01 + 9]
    weight = np.r_[np.ones(360), np.full(40, 1e-3)]
    detector = AutoencoderDetector(random_state=0).fit(X)
    assert detector._scores.n_groups == 2
    assert (detector.predict(X[360:]) == 1).mean() > 0.8
    detector.fit(X, sample_weight=weight)
    assert detector._scores.n_groups == 1
    assert (detector.predict(X[360:]) == -1).all()


def test_curvature_is_a_mean_over_weighted_rows():
    """Of a network, whose derivative differs from row to row."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) * np.r_[np.ones(100), np.full(100, 9.0)][:, None]
    network = FrozenEstimator(
        Autoencoder(1, max_iter=20, hidden_layer_sizes=(8,), random_state=0).fit(X)
    )
    weight = np.r_[np.ones(100), np.full(100, 1e-9)]
    one, other = (
        AutoencoderDetector(network, robust=False, random_state=0).fit(X, sample_weight=given)
        for given in (weight, weight[::-1])
    )
    covariance = one._scores.covariances[0]
    device, seed = torch.device("cpu"), 0
    rows = Rows(X, weight=weight), Rows(X[:100])
    curvatures = [one._mean_curvature(each, covariance, seed, device) for each in rows]
    assert_allclose(*curvatures, rtol=0.15)
    assert not np.allclose(one._curvature, other._curvature, rtol=0.5)


def test_given_pca_and_frozen_autoencoders_learn_from_all_rows(contaminated):
    rows, _ = contaminated
    rows = np.r_[rows, rows[:100] + 0.1]
    assert len(rows) >= 250
    pca = AutoencoderDetector(Autoencoder(0.9, max_iter=0), standardize=True, random_state=0)
    default = AutoencoderDetector(random_state=0).fit(rows)
    assert pca.fit(rows).offset_ == default.offset_
    assert_array_equal(pca.score_samples(rows), default.score_samples(rows))
    frozen = AutoencoderDetector(FrozenEstimator(default.estimator_), random_state=0)
    frozen._score = "latent"
    assert split_of(frozen, len(rows), 0)[0].all()


def test_rows_that_differ_little_beside_a_large_value_are_not_equal():
    rng = np.random.default_rng(0)
    dates = 1.7040672e18 + 86400e9 * rng.integers(0, 5, 200)
    first, of_row = sets_of_equal_rows(np.c_[rng.normal(size=(200, 2)), dates])
    assert len(first) == 200 and len(np.unique(of_row)) == 200
    first, of_row = sets_of_equal_rows(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 2.0]]))
    assert_array_equal(of_row[:2], of_row[0])
    assert of_row[2] != of_row[0] and len(first) == 2


@pytest.mark.parametrize("scale", [1e-318, 1e-300, 1e-3])
def test_weights_are_relative_whatever_their_unit(scale, X):
    weight = 1.0 + np.arange(len(X)) % 2
    tiny = np.where(weight > 1, 2 * scale, scale)
    one, other = (
        AutoencoderDetector(random_state=0).fit(X, sample_weight=given)
        for given in (tiny, weight * len(X) / weight.sum())
    )
    assert_allclose(one.score_samples(X), other.score_samples(X), rtol=1e-2)


def test_callbacks_do_not_see_folds(X):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 brought callbacks")
    tasks = Tasks()
    tasks.X = X
    inner = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=2, early_stopping=False)
    detector = AutoencoderDetector(inner, calibration_fraction="folds", random_state=0)
    detector.set_callbacks(tasks).fit(X)
    assert tasks.begun.count(("Autoencoder", "epoch")) == 2


@pytest.mark.parametrize("score", ["auto", "standardized", "latent"])
@pytest.mark.parametrize("calibration_fraction", [0.0, "folds"])
def test_one_row_of_next_to_all_weight_gives_finite_scores(score, calibration_fraction, X):
    weight = np.r_[1e20, np.ones(len(X) - 1)]
    detector = AutoencoderDetector(
        linear().estimator,
        anomaly_score=score,
        calibration_fraction=calibration_fraction,
        random_state=0,
    )
    detector.fit(X, sample_weight=weight)
    assert np.isfinite(detector.score_samples(X)).all()
    assert np.isfinite(detector.offset_)


class Tasks:
    """Remembers the tasks that it is told of."""

    max_propagation_depth = None

    def __init__(self):
        self.begun, self.ended, self.epochs = [], [], 0

    def setup(self, estimator, context):
        self.begun.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.begun.append((type(estimator).__name__, context.task_name))
        assert len(X)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append((type(estimator).__name__, context.task_name))
        if self.ended[-1] == ("AutoencoderDetector", "fit"):
            self.scores = fitted_estimator.score_samples(self.X)

    def teardown(self, estimator, context):
        self.ended.append("teardown")


def test_callbacks_of_scikit_learn_see_the_parts_of_a_fit(X):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 brought callbacks")
    tasks = Tasks()
    tasks.X = X
    inner = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=3, early_stopping=False)
    detector = AutoencoderDetector(inner, random_state=0).set_callbacks(tasks)
    detector.fit(X, sample_weight=np.ones(len(X)))
    own, other = "AutoencoderDetector", "Autoencoder"
    assert tasks.begun[:2] == ["setup", (own, "fit")]
    assert tasks.begun.count((other, "epoch")) == 3
    assert tasks.begun[-1] == (own, "set-threshold")
    assert tasks.ended[-3:] == [(own, "set-threshold"), (own, "fit"), "teardown"]
    assert_array_equal(tasks.scores, detector.score_samples(X))
    assert not hasattr(detector.estimator_, "_skl_callbacks")
    frozen = AutoencoderDetector(FrozenEstimator(detector.estimator_)).set_callbacks(Tasks())
    frozen._skl_callbacks[0].X = X
    frozen.fit(X)
    assert (other, "epoch") not in frozen._skl_callbacks[0].begun


# PCA as the autoencoder


def test_default_autoencoder_is_pca_of_all_rows(contaminated):
    rows, _ = contaminated
    detector = AutoencoderDetector(random_state=0, robust=False).fit(rows)
    scaled = detector._standardizer(rows)
    pca = PCA(0.9, svd_solver="full").fit(scaled)
    assert detector.estimator_.n_iter_ == 0
    expected = pca.inverse_transform(pca.transform(scaled))
    split = detector.estimator_._fitted.split_errors(scaled, torch.device("cpu"), limited=False)
    assert_allclose(split.outputs, expected, atol=1e-5)


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_scores_of_pca_are_those_of_the_rows_where_most_are_equal(rate):
    """Equal rows, and outputs held near the range of the data, hide no right angles."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((400, 8)) < rate, rng.exponential(size=(400, 8)), 0.0)
    detector = AutoencoderDetector(random_state=0, robust=False).fit(X)
    assert detector._scores.is_isometric
    scaled = detector._standardizer(X)
    rows = np.hstack([scaled, np.zeros_like(scaled)])
    center, covariance = scaled.mean(axis=0), ledoit_wolf(rows)[0][:8, :8]
    expected = np.einsum("ij,jk,ik->i", scaled - center, np.linalg.inv(covariance), scaled - center)
    assert_allclose(-detector.score_samples(X, "mahalanobis"), expected, rtol=1e-6)


def test_networks_that_have_learnt_are_not_taken_for_linear():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 6, 400)
    X = np.c_[np.cos(angle), np.sin(angle), angle] + 0.01 * rng.normal(size=(400, 3))
    network = Autoencoder(1, hidden_layer_sizes=(32,), max_iter=60, random_state=0)
    detector = AutoencoderDetector(network, random_state=0).fit(X)
    assert not detector.estimator_.start_kept_
    assert not detector._scores.is_isometric


def test_equal_rows_have_one_score_in_whatever_fold_they_are():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((200, 6)) < 0.03, rng.exponential(size=(200, 6)), 0.0)
    detector = AutoencoderDetector(
        Autoencoder(3, max_iter=2),
        anomaly_score="standardized",
        calibration_fraction="folds",
        standardize=True,
        random_state=0,
    ).fit(X)
    is_zero = (X == 0).all(axis=1)
    _, counts = np.unique(detector.calibration_scores_, return_counts=True)
    assert counts.max() >= is_zero.sum() > 100
    assert (detector.predict(X[is_zero]) == 1).all()


@pytest.mark.parametrize("values", ["two", "many"])
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")  # scikit-learn's sum
def test_differences_beyond_the_range_of_numbers(values):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    far = np.where(rng.random(200) < 0.5, 1.7e308, -1.7e308)
    X[:, 0] = far if values == "two" else far * rng.random(200)
    detector = AutoencoderDetector(random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    assert 0 < (detector.predict(X) == -1).mean() < 0.05


# "auto" beside its parts


def relation(rng):
    """One value of a row breaks what goes for the others."""
    directions = rng.normal(size=(2, 6))

    def rows(n_rows):
        return rng.normal(size=(n_rows, 2)) @ directions + 0.1 * rng.normal(size=(n_rows, 6))

    outliers = rows(60)
    outliers[np.arange(60), rng.integers(0, 6, 60)] += rng.choice([-1.2, 1.2], 60)
    return rows(500), rows(200), outliers


def ring(rng):
    """Rows about a circle, and its centre."""
    angle = rng.uniform(0, 2 * np.pi, 700)
    rows = 3 * np.c_[np.cos(angle), np.sin(angle)] + 0.2 * rng.normal(size=(700, 2))
    return rows[:500], rows[500:], 0.3 * rng.normal(size=(60, 2))


def heavy_tails(rng):
    """Rows of t's distribution, and rows that are larger."""
    rows = rng.standard_t(5, size=(660, 10))
    return rows[:400], rows[400:600], 2.5 * rows[600:]


def mostly_zero(rng):
    """Rare amounts, and rows with many."""

    def rows(n_rows, rate):
        size = (n_rows, 12)
        return np.where(rng.random(size) < rate, rng.exponential(size=size), 0.0)

    return rows(600, 0.05), rows(200, 0.05), rows(60, 0.4)


def wide(rng):
    """Fewer rows than features, and more noise."""
    directions = rng.normal(size=(5, 80))
    rows = rng.normal(size=(360, 5)) @ directions + rng.normal(size=(360, 80))
    rows[300:] += 0.8 * rng.normal(size=(60, 80))
    return rows[:100], rows[100:300], rows[300:]


@pytest.mark.parametrize("make", [relation, ring, heavy_tails, mostly_zero, wide])
def test_auto_is_not_far_below_the_better_of_its_parts(make):
    areas = []
    for seed in range(10):
        X, new, outliers = make(np.random.default_rng(seed))
        detector = AutoencoderDetector(random_state=seed).fit(X)
        labels = np.repeat([0, 1], [len(new), len(outliers)])
        areas.append(
            [
                roc_auc_score(labels, -detector.score_samples(np.r_[new, outliers], score))
                for score in ("auto", "mahalanobis", "neighbors")
            ]
        )
    auto, *parts = np.mean(areas, axis=0)
    assert auto > max(parts) - 0.03
    assert auto > 0.9
