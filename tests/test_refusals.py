"""What is refused, where and with which words: scores as fit, pairs, devices, hard numbers."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import check_param_validation
from torch import nn

from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import Masking
from sklearn_ae.likelihoods import Bernoulli, Categorical
from sklearn_ae.losses import CrossEntropy, SquaredError

SMALL = {"hidden_layer_sizes": (4,), "max_iter": 1, "random_state": 0}
ALL = [Autoencoder(2, **SMALL), VariationalAutoencoder(2, **SMALL), Denoiser(**SMALL)]
over_all = pytest.mark.parametrize("estimator", ALL)


def table(n_features=5, n_rows=60):
    return np.random.default_rng(0).normal(size=(n_rows, n_features))


def binary():
    return (np.random.default_rng(0).random((60, 6)) < 0.4).astype(float)


def one_hot():
    rng = np.random.default_rng(0)
    return np.hstack([np.eye(3)[rng.integers(0, 3, 60)], np.eye(3)[rng.integers(0, 3, 60)]])


def counts():
    return np.random.default_rng(0).poisson(2.0, (60, 6)).astype(float)


def with_value(X, value):
    X = X.copy()
    X[7, 2] = value
    return X


def without_category(X):
    X = X.copy()
    X[3, :3] = 0.0
    return X


def message(function, *args, **kwargs):
    """The line that a call raises, without its numbers."""
    with pytest.raises(ValueError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "#", str(caught.value))


# What fit refuses, scores refuse


INTERVAL = {
    "below": (binary, lambda X: with_value(X, -1e-3), "values of X in"),
    "above": (binary, lambda X: with_value(X, 1.5), "values of X in"),
    "pixels": (binary, lambda X: 255 * X, "values of X in"),
    "signs": (binary, lambda X: 2 * X - 1, "values of X in"),
}
GROUPS = {
    "unseen category": (one_hot, without_category, "add up to one"),
    "proportions": (one_hot, lambda X: 0.5 * X, "add up to one"),
    "two of a group": (one_hot, lambda X: np.maximum(X, X[::-1]), "add up to one"),
    "negative": (one_hot, lambda X: with_value(X, -1.0), "values of X in"),
    "weights": (one_hot, lambda X: 2 * X, "values of X in"),
}
COUNTS = {
    "negative": (counts, lambda X: with_value(X, -1.0), "not negative"),
    "hardly negative": (counts, lambda X: with_value(X, -1e-12), "not negative"),
    "logarithms": (counts, lambda X: np.log(X + 0.1), "not negative"),
}
ERRORS = ["score", "reconstruction_error"]
DENSITIES = ["score", "score_samples", "elbo", "reconstruction_error"]
REFUSING = {
    "log loss": (Autoencoder(2, loss="log_loss", **SMALL), INTERVAL, ERRORS),
    "squared error of logits": (Autoencoder(2, loss=SquaredError("logit"), **SMALL), INTERVAL,
                                ERRORS),
    "cross entropy": (Autoencoder(2, loss=CrossEntropy(3), **SMALL), GROUPS, ERRORS),
    "denoiser, log loss": (Denoiser(loss="log_loss", corruption="masking", **SMALL), INTERVAL,
                           ["score"]),
    "denoiser, squared error of logits": (
        Denoiser(loss=SquaredError("logit"), corruption="masking", **SMALL), INTERVAL, ["score"]
    ),
    "denoiser, cross entropy": (
        Denoiser(loss=CrossEntropy([3, 3]), corruption=Masking(0.2), **SMALL), GROUPS, ["score"]
    ),
    "bernoulli": (VariationalAutoencoder(2, likelihood="bernoulli", **SMALL), INTERVAL, DENSITIES),
    "dynamic bernoulli": (VariationalAutoencoder(2, likelihood=Bernoulli("dynamic"), **SMALL),
                          INTERVAL, DENSITIES),
    "categorical": (VariationalAutoencoder(2, likelihood=Categorical([3, 3]), **SMALL), GROUPS,
                    DENSITIES),
    "poisson": (VariationalAutoencoder(2, likelihood="poisson", **SMALL), COUNTS, DENSITIES),
}  # fmt: skip
CASES = [
    pytest.param(estimator, methods, *case, id=f"{name}, {fault}")
    for name, (estimator, faults, methods) in REFUSING.items()
    for fault, case in faults.items()
]


@pytest.mark.parametrize("estimator, methods, make, spoil, words", CASES)
def test_scores_refuse_what_fit_refuses(estimator, methods, make, spoil, words):
    X = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is no training
        fitted = clone(estimator).fit(X)
    for dtype in (np.float64, np.float32):
        bad = spoil(X).astype(dtype)
        expected = message(clone(estimator).fit, bad)
        assert words in expected
        before = pickle.dumps(fitted)
        for method in methods:
            assert message(getattr(fitted, method), bad) == expected
        assert message(fitted.partial_fit, bad) == expected
        assert pickle.dumps(fitted) == before
        # what is not scored is not refused
        assert np.isfinite(fitted.transform(bad)).all()
    assert np.isfinite(fitted.score(X))


@pytest.mark.parametrize("name", ["bernoulli", "categorical", "poisson"])
def test_detector_by_likelihood_refuses_what_fit_refuses(name):
    estimator, faults, _ = REFUSING[name]
    for make, spoil, words in faults.values():
        X = make()
        bad = spoil(X)
        detector = AutoencoderDetector(
            estimator, anomaly_score="likelihood", contamination=0.1, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            detector.fit(X)
        expected = message(clone(estimator).fit, bad)
        assert words in expected
        for method in ("score_samples", "decision_function", "predict", "calibrate"):
            assert message(getattr(detector, method), bad) == expected
        assert np.isfinite(detector.score_samples(X)).all()


def test_row_with_a_category_that_no_fit_has_seen_is_not_the_likeliest():
    rng = np.random.default_rng(0)
    T = np.column_stack([rng.choice(list("abc"), 200), rng.choice(list("xy"), 200)])
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(T)
    new = T[:20].copy()
    new[4, 0] = "never seen"
    estimator = VariationalAutoencoder(2, likelihood=Categorical([3, 2]), **SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(encoder.transform(T))
    with pytest.raises(ValueError, match=r"off by 1; check group_sizes=\[3, 2\]"):
        estimator.score_samples(encoder.transform(new))


def test_pairs_are_refused_for_their_clean_side_only():
    X = binary()
    noisy = 2.0 * X - 0.5
    fitted = Denoiser(loss="log_loss", **SMALL).fit(noisy, X_clean=X)
    assert np.isfinite(fitted.score(noisy, X_clean=X))
    for method in (Denoiser(loss="log_loss", **SMALL).fit, fitted.partial_fit, fitted.score):
        words = message(method, X, X_clean=noisy)
        assert words.startswith("loss='log_loss' needs values of X_clean in [#, #], but they range")


def test_numbers_just_outside_a_range_are_shown_with_all_their_digits():
    X = binary()
    shown = {1 + 1e-9: "1.000000001", -1e-9: "-1e-09", 1 + 2**-52: "1.0000000000000002"}
    for value, words in shown.items():
        bad = np.where(X == 1, value, X) if value > 1 else with_value(X, value)
        for estimator in (
            VariationalAutoencoder(2, likelihood="bernoulli", **SMALL),
            Autoencoder(2, loss="log_loss", **SMALL),
        ):
            with pytest.raises(ValueError, match=re.escape(words)):
                estimator.fit(bad)
    with pytest.raises(ValueError, match=r"range from 0 to 1\.0000001"):
        Autoencoder(2, loss="log_loss", **SMALL).fit(
            np.where(X == 1, np.nextafter(np.float32(1), np.float32(2)), 0).astype(np.float32)
        )


# Weights


IS_NEGATIVE = "Negative values in data passed to `sample_weight`"
WEIGHTS = {
    "negative": (-np.ones(60), IS_NEGATIVE),
    "one negative": (np.r_[-1e-9, np.ones(59)], IS_NEGATIVE),
    "zero": (np.zeros(60), "at least one non-zero number"),
    "huge": (np.full(60, 1e308), "Sample weights add up to inf"),
    "large": (np.full(60, 1e149), "Sample weights add up to .* divide them"),
    "NaN": (np.r_[np.nan, np.ones(59)], "sample_weight contains NaN"),
    "infinite": (np.r_[np.inf, np.ones(59)], "sample_weight contains infinity"),
    "too few": (np.ones(59), "sample_weight"),
    "a table": (np.ones((60, 2)), "1D|1-d|Sample weights"),
}


@over_all
@pytest.mark.parametrize("weight, words", WEIGHTS.values(), ids=WEIGHTS)
def test_scores_refuse_weights_that_fit_refuses(weight, words, estimator):
    X = table()
    fitted = clone(estimator).fit(X)
    expected = message(clone(estimator).fit, X, sample_weight=weight)
    assert re.search(words, expected)
    assert message(fitted.score, X, sample_weight=weight) == expected
    assert message(fitted.partial_fit, X, sample_weight=weight) == expected


@over_all
def test_score_of_a_paired_denoiser_and_others_weighs_rows(estimator):
    X = table()
    fitted = clone(estimator).fit(X)
    weight = np.repeat([0.0, 1.0], 30)
    if isinstance(estimator, Denoiser):
        fitted = clone(estimator).fit(X, X_clean=X)
        found = fitted.score(X, sample_weight=weight, X_clean=X)
        expected = fitted.score(X[30:], X_clean=X[30:])
    else:
        found, expected = fitted.score(X, sample_weight=weight), fitted.score(X[30:])
    assert found == pytest.approx(expected, rel=1e-12)


@over_all
def test_one_weight_beside_which_the_others_are_none_is_said_in_one_line(estimator):
    weight = np.r_[1e100, np.ones(59)]
    with pytest.raises(ValueError, match=r"1 sample\(s\) of positive weight") as caught:
        clone(estimator).fit(table(), sample_weight=weight)
    assert "\n" not in str(caught.value)


# Pairs of the denoiser


SECONDS = {
    "array": lambda X: X,
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X),
    "polars": lambda X: pl.DataFrame(X),
}


@pytest.mark.parametrize("make", SECONDS.values(), ids=SECONDS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
def test_denoiser_names_x_clean_where_clean_rows_come_second(method, make):
    X = table()
    estimator = Denoiser(**SMALL)
    with pytest.warns(UserWarning, match=r"Denoiser takes clean rows as X_clean") as record:
        getattr(estimator, method)(X + 0.1, make(X))
    assert len(record) == 1
    assert record[0].filename == __file__


def test_denoiser_names_x_clean_for_images_too():
    images = np.random.default_rng(0).random((30, 2, 3))
    estimator = Denoiser(architecture=Convolutional((2, 3), channels=(2,)), max_iter=1)
    with pytest.warns(UserWarning, match="X_clean"):
        estimator.fit(images, images)


@pytest.mark.parametrize(
    "y", [None, np.arange(60), ["a"] * 60, np.arange(60)[:, None], pd.Series(np.arange(60)),
          np.ones((60, 2))],
    ids=["none", "numbers", "strings", "column", "series", "two outputs"],
)  # fmt: skip
def test_denoiser_ignores_labels_without_a_word(y):
    expected = Denoiser(**SMALL).fit(table()).transform(table())
    assert_array_equal(Denoiser(**SMALL).fit(table(), y).transform(table()), expected)
    Denoiser(**SMALL).partial_fit(table(), y)


def test_denoiser_ignores_what_stands_beside_x_clean():
    X = table()
    expected = Denoiser(**SMALL).fit(X + 0.1, X_clean=X).transform(X)
    assert_array_equal(Denoiser(**SMALL).fit(X + 0.1, X, X_clean=X).transform(X), expected)


def frame(X, index=None):
    return pd.DataFrame(X, columns=list("abcde"), index=index)


PLACES = np.arange(60)
ORDER = np.random.default_rng(1).permutation(60)
OTHER_INDEX = {
    "shuffled": (None, ORDER),
    "other labels": (None, PLACES + 100),
    "strings": (PLACES, PLACES.astype(str)),
    "days": (pd.date_range("2020", periods=60), pd.date_range("2021", periods=60)),
    "one label": (None, np.r_[PLACES[:-1], 1000]),
    "two levels": (
        pd.MultiIndex.from_arrays([PLACES, PLACES]),
        pd.MultiIndex.from_arrays([PLACES, ORDER]),
    ),
}
SAME_INDEX = {
    "range": (None, None),
    "labels": (PLACES + 5, PLACES + 5),
    "shuffled alike": (ORDER, ORDER),
    "strings": (PLACES.astype(str), PLACES.astype(str)),
    "numbers of another type": (PLACES.astype(float), PLACES),
    "repeated": (PLACES // 2, PLACES // 2),
    "two levels": (
        pd.MultiIndex.from_arrays([PLACES, ORDER]),
        pd.MultiIndex.from_arrays([PLACES, ORDER]),
    ),
    "missing": (np.r_[np.nan, PLACES[1:]], np.r_[np.nan, PLACES[1:]]),
}


def paired_calls(noisy, clean):
    """The three methods that take pairs, with a model that has seen frames where these are."""
    X = table()
    fitted = Denoiser(**SMALL).fit(frame(X), X_clean=frame(X))
    return [
        lambda: Denoiser(**SMALL).fit(noisy, X_clean=clean),
        lambda: Denoiser(**SMALL).partial_fit(noisy, X_clean=clean),
        lambda: clone(fitted).fit(frame(X), X_clean=frame(X)).partial_fit(noisy, X_clean=clean),
        lambda: fitted.score(noisy, X_clean=clean),
    ]


@pytest.mark.parametrize("index, clean_index", OTHER_INDEX.values(), ids=OTHER_INDEX)
def test_pairs_of_frames_with_another_index_are_refused(index, clean_index):
    X = table()
    for call in paired_calls(frame(X + 0.1, index), frame(X, clean_index)):
        with pytest.raises(ValueError, match="X_clean has another index than X") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_first_labels_that_differ_are_named():
    X = table()
    with pytest.raises(ValueError, match=r"1000 of X_clean and 59 of X\."):
        Denoiser(**SMALL).fit(frame(X), X_clean=frame(X, np.r_[PLACES[:-1], 1000]))
    with pytest.raises(ValueError, match=r"None of X_clean and 59 of X\."):
        Denoiser(**SMALL).fit(frame(X), X_clean=frame(X).iloc[:-1])


@pytest.mark.parametrize("index, clean_index", SAME_INDEX.values(), ids=SAME_INDEX)
def test_pairs_of_frames_with_an_equal_index_pass(index, clean_index):
    X = table()
    indexed = paired_calls(frame(X + 0.1, index), frame(X, clean_index))
    for call, plain in zip(indexed, paired_calls(frame(X + 0.1), frame(X)), strict=True):
        found, expected = call(), plain()
        if isinstance(found, Denoiser):
            found, expected = found.transform(frame(X)), expected.transform(frame(X))
        assert_array_equal(found, expected)


@pytest.mark.parametrize("make", [np.asarray, lambda X: pl.DataFrame(X, schema=list("abcde"))])
def test_pairs_of_a_frame_and_what_has_no_index_pass(make):
    X = table()
    for noisy, clean in ((frame(X, ORDER), make(X)), (make(X), frame(X, ORDER))):
        Denoiser(**SMALL).fit(noisy, X_clean=clean)
        Denoiser(**SMALL).partial_fit(noisy, X_clean=clean)
    fitted = Denoiser(**SMALL).fit(make(X), X_clean=make(X))
    assert np.isfinite(fitted.score(make(X), X_clean=make(X)))


def test_pairs_in_the_same_order_are_those_of_arrays():
    X = table()
    noisy = X + 0.3 * np.random.default_rng(2).normal(size=X.shape)
    frames = Denoiser(**SMALL).fit(frame(noisy, ORDER), X_clean=frame(X, ORDER))
    arrays = Denoiser(**SMALL).fit(noisy, X_clean=X)
    assert_array_equal(frames.transform(frame(noisy)), arrays.transform(noisy))
    expected = arrays.score(noisy, X_clean=X)
    assert frames.score(frame(noisy, ORDER), X_clean=frame(X, ORDER)) == expected


# Containers that the denoiser gives


@pytest.mark.parametrize("output", [None, "default", "pandas", "polars"])
@pytest.mark.parametrize("kind", ["array", "pandas", "polars"])
def test_denoiser_gives_arrays_or_what_set_output_says(kind, output):
    X = table()
    polars = pl.DataFrame(X, schema=list("abcde"))
    given = {"array": X, "pandas": frame(X, ORDER), "polars": polars}[kind]
    estimator = Denoiser(**SMALL).fit(given)
    expected = estimator.transform(given)
    assert type(expected) is np.ndarray and expected.shape == X.shape
    if output is not None:
        estimator.set_output(transform=output)
    cleaned = estimator.transform(given)
    names = ["x0", "x1", "x2", "x3", "x4"] if kind == "array" else list("abcde")
    if output in (None, "default"):
        assert type(cleaned) is np.ndarray
    else:
        library = {"pandas": pd, "polars": pl}[output]
        assert isinstance(cleaned, library.DataFrame)
        assert list(cleaned.columns) == names
    assert_array_equal(np.asarray(cleaned), expected)
    if (kind, output) == ("pandas", "pandas"):
        assert list(cleaned.index) == list(ORDER)


def test_denoiser_follows_the_output_that_is_set_for_all_of_scikit_learn():
    X = table()
    estimator = Denoiser(**SMALL).fit(frame(X))
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(estimator.transform(frame(X)), pd.DataFrame)
    assert type(estimator.transform(frame(X))) is np.ndarray


def test_denoised_images_keep_their_shape():
    images = np.random.default_rng(0).random((30, 6, 5))
    estimator = Denoiser(architecture=Convolutional((6, 5), channels=(2,)), max_iter=1)
    for given in (images, images.reshape(30, 30)):
        estimator.fit(given)
        for rows in (images, images[:, None], images.reshape(30, 30)):
            cleaned = estimator.transform(rows)
            assert type(cleaned) is np.ndarray and cleaned.shape == rows.shape
    table_of_pixels = estimator.set_output(transform="pandas").transform(images)
    assert isinstance(table_of_pixels, pd.DataFrame) and table_of_pixels.shape == (30, 30)


# NaN where scikit-learn does not look for it


NAN_CASES = {
    "autoencoder": (Autoencoder(2, **SMALL), table),
    "its start": (Autoencoder(2, max_iter=0), table),
    "random": (Autoencoder(2, init="random", **SMALL), table),
    "share": (Autoencoder(0.9, **SMALL), table),
    "huber": (Autoencoder(2, loss="huber", **SMALL), table),
    "log loss": (Autoencoder(2, loss="log_loss", **SMALL), binary),
    "squared error of logits": (Autoencoder(2, loss=SquaredError("logit"), **SMALL), binary),
    "cross entropy": (Autoencoder(2, loss=CrossEntropy(3), **SMALL), one_hot),
    "vae": (VariationalAutoencoder(2, **SMALL), table),
    "laplace": (VariationalAutoencoder(2, likelihood="laplace", **SMALL), table),
    "bernoulli": (VariationalAutoencoder(2, likelihood="bernoulli", **SMALL), binary),
    "categorical": (VariationalAutoencoder(2, likelihood=Categorical(3), **SMALL), one_hot),
    "poisson": (VariationalAutoencoder(2, likelihood="poisson", **SMALL), counts),
    "denoiser": (Denoiser(**SMALL), table),
    "denoiser, log loss": (Denoiser(loss="log_loss", corruption="masking", **SMALL), binary),
    "images": (
        Autoencoder(2, architecture=Convolutional((2, 3), channels=(2,)), max_iter=1),
        lambda: table(6),
    ),
}
METHODS = [
    "fit", "partial_fit", "transform", "reconstruct", "score", "reconstruction_error",
    "score_samples", "elbo", "encode_distribution", "sample_posterior",
]  # fmt: skip


@pytest.mark.parametrize("estimator, make", NAN_CASES.values(), ids=NAN_CASES)
def test_nan_is_named_where_scikit_learn_does_not_look_for_it(estimator, make):
    X = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = clone(estimator).fit(X)
    bad = with_value(X, np.nan)
    with sklearn.config_context(assume_finite=True):
        for method in METHODS:
            if hasattr(fitted, method):
                one = pickle.loads(pickle.dumps(fitted))
                with pytest.raises(ValueError, match="X contains NaN") as caught:
                    getattr(one, method)(bad)
                assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", ["X", "X_clean"])
def test_nan_in_pairs_is_named_where_scikit_learn_does_not_look_for_it(side):
    X = table()
    pair = {"X": X, "X_clean": X, side: with_value(X, np.nan)}
    fitted = Denoiser(**SMALL).fit(X, X_clean=X)
    with sklearn.config_context(assume_finite=True):
        for method in (Denoiser(**SMALL).fit, Denoiser(**SMALL).partial_fit, fitted.score):
            with pytest.raises(ValueError, match=f"{side} contains NaN"):
                method(**pair)


@pytest.mark.parametrize(
    "detector",
    [
        AutoencoderDetector(random_state=0, contamination=0.1),
        AutoencoderDetector(Autoencoder(2, max_iter=0), standardize=True, random_state=0),
        *(
            AutoencoderDetector(
                Autoencoder(2, max_iter=0), anomaly_score=score, robust=False, contamination=0.1
            )
            for score in ("reconstruction", "standardized", "mahalanobis", "latent", "neighbors")
        ),
        AutoencoderDetector(
            VariationalAutoencoder(2, max_iter=0), anomaly_score="likelihood", contamination=0.1
        ),
    ],
)
def test_detector_names_nan_where_scikit_learn_does_not_look_for_it(detector):
    X = table()
    fitted = clone(detector).fit(X)
    bad = with_value(X, np.nan)
    with sklearn.config_context(assume_finite=True):
        for method in ("fit", "score_samples", "decision_function", "predict", "score_features",
                       "calibrate"):  # fmt: skip
            with pytest.raises(ValueError, match="X contains NaN"):
                getattr(fitted, method)(bad)


# Numbers of draws, and rows to interpolate


def fitted_vae():
    return VariationalAutoencoder(2, **SMALL).fit(table())


@pytest.mark.parametrize("value", [True, False, np.True_], ids=repr)
def test_booleans_are_no_numbers_of_draws(value):
    estimator, X = fitted_vae(), table()
    calls = [
        lambda: estimator.sample(value),
        lambda: estimator.sample_posterior(X, value),
        lambda: estimator.score_samples(X, value),
        lambda: estimator.elbo(X, value),
        lambda: estimator.interpolate(X[0], X[1], value),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="must be an instance of int, not bool"):
            call()


@pytest.mark.parametrize("value", [0, -1])
def test_numbers_of_draws_are_positive(value):
    estimator, X = fitted_vae(), table()
    for call in (
        lambda: estimator.sample(value),
        lambda: estimator.sample_posterior(X, value),
        lambda: estimator.score_samples(X, value),
        lambda: estimator.elbo(X, value),
        lambda: estimator.interpolate(X[0], X[1], value),
    ):
        with pytest.raises(ValueError, match=f"== {value}, must be >= 1"):
            call()


def test_rows_of_another_width_are_named_by_interpolate():
    estimator, X = fitted_vae(), table()
    for start, end, words in [
        (X[0], X[1][:3], "end has 3 features"),
        (X[0][:4], X[1], "start has 4 features"),
        (X[:1], X[1:2, :2], "end has 2 features"),
        (1.0, X[0], "start has 1 features"),
        (X[0], np.r_[X[1], 1.0], "end has 6 features"),
    ]:
        words = f"^{words}, but VariationalAutoencoder is expecting 5 features"
        with pytest.raises(ValueError, match=words):
            estimator.interpolate(start, end)
    rows = estimator.interpolate(X[0], X[1], 3)
    assert_array_equal(rows[[0, 2]], estimator.reconstruct(X[:2]))


# Parameters, neighbours, batches of one row


@pytest.mark.parametrize(
    "cls", [Autoencoder, VariationalAutoencoder, Denoiser, AutoencoderDetector]
)
def test_parameters_are_checked_as_scikit_learn_checks_its_own(cls):
    check_param_validation(cls.__name__, cls())


@pytest.mark.parametrize("score", ["auto", "neighbors", "latent"])
def test_detector_warns_of_more_neighbours_than_rows(score):
    X = table()
    detector = AutoencoderDetector(
        Autoencoder(2, max_iter=0), anomaly_score=score, contamination=0.1, random_state=0
    )
    for n_neighbors in (60, 500):
        detector.set_params(n_neighbors=n_neighbors)
        with pytest.warns(UserWarning, match="greater than or equal to the total") as record:
            detector.fit(X)
        assert len(record) == 1 and record[0].filename == __file__
        assert f"n_neighbors ({n_neighbors})" in str(record[0].message)
        assert "(60)" in str(record[0].message)
    detector.set_params(n_neighbors=59).fit(X)
    # the default is nobody's choice
    detector.set_params(n_neighbors=20).fit(X[:15])


def normalised_encoder(n_features, n_components):
    encoder = nn.Sequential(nn.Linear(n_features, 8), nn.BatchNorm1d(8), nn.Linear(8, n_components))
    return encoder, nn.Linear(n_components, n_features)


def normalised_decoder(n_features, n_components):
    decoder = nn.Sequential(nn.Linear(n_components, 8), nn.BatchNorm1d(8), nn.Linear(8, n_features))
    return nn.Linear(n_features, n_components), decoder


NORMALISED = Convolutional((2, 3), channels=(2, 4), normalization="batch")


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize(
    "architecture", [normalised_encoder, normalised_decoder, NORMALISED],
    ids=["encoder", "decoder", "images"],
)  # fmt: skip
def test_batch_normalisation_of_one_row_is_said_in_one_line(architecture, init, cls):
    X = table(6)
    parameters = {"architecture": architecture, "init": init, "max_iter": 1, "random_state": 0}
    if isinstance(architecture, Convolutional):
        parameters["hidden_layer_sizes"] = (3,)
    chunks = cls(2, **parameters).partial_fit(X)
    steps = chunks.n_samples_seen_
    for call in (
        lambda: chunks.partial_fit(X[:1]),
        lambda: chunks.partial_fit(X[:3], sample_weight=[1.0, 0.0, 0.0]),
        lambda: cls(2, batch_size=1, **parameters).fit(X),
        lambda: cls(2, batch_size=1, early_stopping=False, **parameters).fit(X),
    ):
        with pytest.raises(ValueError, match="Batch normalisation needs at least 2 rows") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert chunks.n_samples_seen_ == steps
    # a last batch of one row joins the one before, and one row can be seen at inference
    fitted = cls(2, batch_size=59, early_stopping=False, **parameters).fit(X)
    assert np.isfinite(fitted.transform(X[:1])).all()


# Devices


MISSING = ["mps", "xpu", "cuda", "cuda:3"]


@pytest.fixture(params=MISSING)
def missing_device(request):
    try:
        Autoencoder(2, device=request.param, max_iter=0).fit(table())
    except ValueError:
        return request.param
    pytest.skip(f"this machine has {request.param}")


def opened_with(estimator, device):
    """A fitted model as it comes from a file that was written where its device was."""
    fitted = clone(estimator).fit(table()).set_params(device=device)
    if isinstance(fitted, AutoencoderDetector):
        fitted.estimator_.set_params(device=device)
    return pickle.loads(pickle.dumps(fitted))


def only_warning(record, device):
    (warning,) = record
    assert warning.category is UserWarning
    assert warning.filename == __file__
    text = str(warning.message)
    assert f"device={device!r} was asked for" in text and "Inference runs on the CPU" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "estimator",
    [
        *ALL,
        AutoencoderDetector(random_state=0, contamination=0.1),
        AutoencoderDetector(
            VariationalAutoencoder(2, max_iter=0), anomaly_score="likelihood", contamination=0.1
        ),
    ],
)
def test_model_of_a_machine_with_another_device_opens_with_one_warning(estimator, missing_device):
    X, Z = table(), table(2)
    expected = clone(estimator).set_params(random_state=0).fit(X)
    one = opened_with(clone(estimator).set_params(random_state=0), missing_device)
    calls = {
        "transform": (X,), "reconstruct": (X,), "inverse_transform": (Z,), "score": (X,),
        "reconstruction_error": (X,), "score_samples": (X,), "elbo": (X,), "sample": (3, 0),
        "encode_distribution": (X,), "sample_posterior": (X, 2, 0), "interpolate": (X[0], X[1], 3),
        "predict": (X,), "decision_function": (X,), "score_features": (X,), "calibrate": (X,),
    }  # fmt: skip
    for method, args in calls.items():
        if hasattr(one, method):
            with pytest.warns(UserWarning) as record:
                found = getattr(one, method)(*args)
            only_warning(record, missing_device)
            if method not in ("elbo", "calibrate"):
                assert_array_equal(found, getattr(expected, method)(*args))
    # what is set anew computes without a word
    one.set_params(device="cpu")


@over_all
def test_fit_on_a_device_that_is_not_there_is_one_line(estimator, missing_device):
    X = table()
    fitted = opened_with(estimator, missing_device)
    for one in (clone(estimator).set_params(device=missing_device), fitted):
        for method in ("fit", "partial_fit", "fit_transform"):
            with pytest.raises(ValueError, match="finds no such device on this machine") as caught:
                getattr(one, method)(X)
            assert "\n" not in str(caught.value)
            assert str(caught.value).startswith(f"device={missing_device!r} was asked for")
            assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_detector_on_a_device_that_is_not_there_is_one_line(missing_device):
    default = AutoencoderDetector(device=missing_device)
    given = AutoencoderDetector(VariationalAutoencoder(2, device=missing_device, **SMALL))
    for detector in (default, given):
        with pytest.raises(ValueError, match="finds no such device on this machine") as caught:
            detector.fit(table())
        assert "\n" not in str(caught.value)


def test_warning_of_a_missing_device_points_through_scikit_learns_own_code(missing_device):
    X = table()
    pipeline = make_pipeline(StandardScaler(), Autoencoder(2, **SMALL)).fit(X)
    pipeline.set_params(autoencoder__device=missing_device)
    search = GridSearchCV(Autoencoder(2, **SMALL), {"n_components": [2]}, cv=2).fit(X)
    search.best_estimator_.set_params(device=missing_device)
    for one in (pipeline, search):
        with pytest.warns(UserWarning) as record:
            one.transform(X)
        only_warning(record, missing_device)


@pytest.mark.parametrize("name", ["meta", "nonsense", "", "CPU", "cuda:x", "cuda:-1", "auto:0"])
def test_names_of_no_device_are_refused_in_one_line(name):
    X = table()
    for estimator in (*ALL, AutoencoderDetector(random_state=0)):
        with pytest.raises(ValueError, match="is not a device of torch that computes") as caught:
            clone(estimator).set_params(device=name).fit(X)
        assert "\n" not in str(caught.value)
        assert repr(name) in str(caught.value)
