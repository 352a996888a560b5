"""Our own checks of estimators: each is a function of a case of `tests.instances`.

`checks_of` says which apply to a case, by what its estimator can do.
"""

import contextlib
import copy
import gc
import inspect
import io
import itertools
import pickle
import random
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import OneToOneFeatureMixin, clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import has_fit_parameter

import sklearn_ae

PACKAGE = Path(sklearn_ae.__file__).parent
# Methods that fit, draw, take codes, or give one number for all rows.
NOT_OF_ROWS = ("fit", "partial_fit", "calibrate", "sample", "inverse_transform", "score")


def methods_of_rows(estimator):
    """Names of the public methods that need rows only and give something for each."""
    for name, method in inspect.getmembers(type(estimator), inspect.isfunction):
        parameters = [*inspect.signature(method).parameters.values()][1:]
        needs = [one.name for one in parameters if one.default is one.empty and one.kind < 2]
        draws = name.startswith(NOT_OF_ROWS) and not name.startswith("score_")
        is_uncalibrated = name == "p_values" and not hasattr(estimator, "calibration_scores_")
        is_private = name.startswith("_") or not hasattr(estimator, name)
        if needs == ["X"] and not (draws or is_uncalibrated or is_private):
            yield name


def score_of(estimator, X, **params):
    """The score of rows, with those of the arguments of `fit` that it takes."""
    known = inspect.signature(estimator.score).parameters
    return estimator.score(X, **{name: value for name, value in params.items() if name in known})


def results_of_rows(estimator, X):
    """Name -> array with an entry for each row, of all methods of rows."""
    found = {}
    for name in methods_of_rows(estimator):
        result = getattr(estimator, name)(X)
        results = result if isinstance(result, tuple) else [result]
        results = [*result.values()] if isinstance(result, dict) else results
        found |= {f"{name} {i}": np.asarray(array) for i, array in enumerate(results)}
    return found


def results(estimator, X, **fit_params):
    """Name -> array of all that a fitted estimator makes of rows, draws included."""
    found = results_of_rows(estimator, X)
    if hasattr(estimator, "inverse_transform"):
        codes = estimator.transform(X)
        found["inverse_transform"] = np.asarray(estimator.inverse_transform(codes))
    if hasattr(estimator, "score"):
        found["score"] = np.asarray(score_of(estimator, X, **fit_params))
    if hasattr(estimator, "sample"):
        found["sample"] = estimator.sample(3, random_state=0)
        found["sample_posterior"] = estimator.sample_posterior(X[:5], 2, random_state=0)
        found["interpolate"] = estimator.interpolate(X[0], X[1], 3)
    return found


def assert_same(found, expected, tolerance=0.0):
    """Equal results, or such as differ by a share of the largest value of each at most."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        if tolerance == 0:
            assert_array_equal(found[name], array, err_msg=name)
        else:
            atol = tolerance * (np.abs(array).max() + 1e-6)
            assert_allclose(found[name], array, rtol=0, atol=atol, err_msg=name)


def state_of(estimator):
    """Hash of each attribute."""
    return {name: joblib.hash(value) for name, value in vars(estimator).items()}


@contextlib.contextmanager
def raises_one_line(error, match):
    """Expect an error whose message has one line."""
    with pytest.raises(error, match=match) as caught:
        yield
    assert "\n" not in str(caught.value)


@contextlib.contextmanager
def raises_and_changes_nothing(estimator, error, match=None):
    """Expect an error in one line, after which the estimator is as it was before."""
    before = state_of(estimator)
    with pytest.raises(error, match=match) as caught:
        yield caught
    assert state_of(estimator) == before
    # the errors of scikit-learn may have more lines
    is_ours = PACKAGE in Path(caught.traceback[-1].path).parents
    assert not (is_ours and "\n" in str(caught.value))


def random_states():
    """The global states that random numbers are drawn from."""
    numpy_state = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (numpy_state[0], numpy_state[1].tobytes(), *numpy_state[2:]),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }


def seed_everything(seed):
    """Set the global states."""
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)


# Random numbers


def check_global_random_state_is_untouched(case):
    for random_state in (0, None):
        before = random_states()
        estimator = case.fit(random_state=random_state)
        assert random_states() == before, "fit"
        results(estimator, **case.data())
        assert random_states() == before, "inference"
    if hasattr(estimator, "partial_fit"):
        estimator.partial_fit(**case.data())
        assert random_states() == before, "partial_fit"


def check_random_state_decides_all(case):
    seed_everything(1)
    fitted = case.fit(random_state=np.random.RandomState(0))
    assert_same(results(fitted, **case.data()), results(case.fitted, **case.data()))
    if not case.is_trained:
        return
    # None is another seed each time, whatever the global states are
    found = []
    for random_state in (0, None, None):
        seed_everything(1)
        fitted = case.fit(random_state=random_state, early_stopping=False)
        found.append(np.concatenate([*map(np.ravel, results_of_rows(fitted, case.X).values())]))
    for one, other in itertools.combinations(found, 2):
        assert not np.array_equal(one, other)


# What a fit leaves alone


def check_fit_writes_no_parameter(case):
    def parameters():
        every = estimator.get_params()
        return {name: value for name, value in every.items() if "random_state" not in name}

    # a RandomState instance is the one parameter whose use changes it
    has_state = "random_state" in case.estimator.get_params()
    estimator = case.new(**{"random_state": np.random.RandomState(0)} if has_state else {})
    values = parameters()
    hashes = {name: joblib.hash(value) for name, value in values.items()}
    results(estimator.fit(**case.data()), **case.data())
    after = parameters()
    assert after.keys() == values.keys()
    assert all(after[name] is values[name] for name in values)
    assert {name: joblib.hash(value) for name, value in after.items()} == hashes


def check_data_are_neither_changed_nor_aliased(case):
    data = case.data()
    if has_fit_parameter(case.estimator, "sample_weight"):
        data["sample_weight"] = np.linspace(0, 1, len(case.X))
    originals = copy.deepcopy(data)
    estimator = case.new().fit(**data)
    made = results(estimator, **data)
    for name, original in originals.items():
        assert_array_equal(data[name], original)
    before = state_of(estimator)
    for array in (*data.values(), *made.values()):
        if array.flags.writeable:
            array[...] = 0
    assert state_of(estimator) == before


def check_no_method_but_fit_changes_the_estimator(case):
    estimator = copy.deepcopy(case.fitted)
    before = state_of(estimator)
    results(estimator, **case.data())
    repr(estimator), estimator._repr_html_(), pickle.dumps(estimator)
    for name in ("get_feature_names_out", "get_metadata_routing"):
        getattr(estimator, name, lambda: None)()
    for name in ("network_", "net_"):
        getattr(estimator, name, None)
    assert state_of(estimator) == before


def check_parameters_set_after_fit_play_no_role(case):
    estimator = copy.deepcopy(case.fitted)
    for name in estimator.get_params(deep=False):
        if name != "device":
            setattr(estimator, name, object())
    assert_same(results(estimator, **case.data()), results(case.fitted, **case.data()))


def check_a_deleted_estimator_is_freed(case):
    gc.freeze()  # to look for what is new only is quick
    estimator = case.fit()
    results(estimator, **case.data())
    gone = weakref.ref(estimator)
    del estimator
    gc.collect()
    gc.unfreeze()
    assert gone() is None


def check_refit_on_another_width_equals_a_fresh_fit(case):
    used, fresh = copy.deepcopy(case.fitted), case.new()
    data = case.wider(slice(50))
    for estimator in (used, fresh):
        estimator.fit(**data)
    assert used.n_features_in_ == case.X.shape[1] + 1
    assert vars(used).keys() == vars(fresh).keys()
    assert_same(results(used, **data), results(fresh, **data))


def check_clone_of_fitted_is_unfitted_with_equal_params(case):
    twin = clone(case.fitted)
    assert not [name for name in vars(twin) if name.endswith("_") and not name.startswith("_")]
    ours, theirs = twin.get_params(), case.fitted.get_params()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        # parts, and the list of a Compose, have entries of their own
        if not (hasattr(value, "get_params") or isinstance(value, list)):
            assert value == theirs[name], name


# Rows in, results out


def check_subsets_and_order_do_not_change_a_row(case):
    order = np.random.default_rng(0).permutation(len(case.X))
    for dtype, tolerance in [(np.float64, 1e-12), (np.float32, 3e-5)]:
        X = case.X.astype(dtype)
        whole = results_of_rows(case.fitted, X)

        def of(rows, whole=whole):
            return {name: array[rows] for name, array in whole.items()}

        assert_same(results_of_rows(case.fitted, X[order]), of(order), tolerance)
        assert_same(results_of_rows(case.fitted, X[7:19]), of(slice(7, 19)), tolerance)
        assert_same(results_of_rows(case.fitted, X[3:4]), of(slice(3, 4)), tolerance)


def check_dtype_is_preserved(case):
    data = {
        name: value.astype(np.float32) if value.ndim > 1 else value
        for name, value in case.data().items()
    }
    for fitted, X in [(case.fitted, case.X), (case.new().fit(**data), data["X"])]:
        for name, array in results_of_rows(fitted, X).items():
            # scores, one a row, and all of a detector, are exact
            is_exact = array.ndim == 1 or is_outlier_detector(fitted)
            if array.dtype.kind == "f":
                assert array.dtype == (np.float64 if is_exact else X.dtype), name
        if hasattr(fitted, "score"):
            assert isinstance(score_of(fitted, X, **case.fit_params), float)


def check_memory_layout_plays_no_role(case):
    def locked(array):
        array = np.asfortranarray(array)
        array.flags.writeable = False
        return array

    expected = results(case.fitted, **case.data())
    for change in (locked, lambda array: array[::-1].astype(">f8")[::-1]):
        data = {name: change(value) for name, value in case.data().items()}
        assert_same(results(case.new().fit(**data), **data), expected, 1e-5)


def check_bad_input_raises_scikit_learns_errors(case):
    holes = case.data()
    holes["X"].flat[7] = np.nan
    for estimator in (case.new(), copy.deepcopy(case.fitted)):
        with raises_and_changes_nothing(estimator, ValueError, "Input X contains NaN"):
            estimator.fit(**holes)
        with raises_and_changes_nothing(estimator, ValueError, "Expected 2D array, got 1D array"):
            estimator.fit(**{**case.data(), "X": case.table[0]})
        with raises_and_changes_nothing(
            estimator, ValueError, r"n_samples=1|1 sample|a minimum of 2 is required"
        ):
            estimator.fit(**case.data(slice(1)))
    width = case.table.shape[1]
    message = f"X has {width - 1} features, but .* is expecting {width} features"
    for name in methods_of_rows(case.fitted):
        with raises_and_changes_nothing(case.fitted, ValueError, message):
            getattr(case.fitted, name)(case.table[:, 1:])
        with raises_and_changes_nothing(case.fitted, ValueError, "Input X contains NaN"):
            getattr(case.fitted, name)(holes["X"])


def check_methods_need_a_fit(case):
    unfitted = case.new()
    names = {*methods_of_rows(case.fitted), "sample", "inverse_transform", "calibrate"}
    for name in names:
        if hasattr(unfitted, name):
            with pytest.raises(NotFittedError):
                getattr(unfitted, name)(*([] if name == "sample" else [case.X]))
    if hasattr(unfitted, "score"):
        with pytest.raises(NotFittedError):
            score_of(unfitted, **case.data())


def check_feature_names_are_checked(case):
    names = [f"column {i}" for i in range(case.table.shape[1])]
    frame = pd.DataFrame(case.table, columns=names)
    estimator = case.new().fit(**{**case.data(), "X": frame})
    assert list(estimator.feature_names_in_) == names
    assert estimator.n_features_in_ == len(names)
    for name in methods_of_rows(estimator):
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(estimator, name)(frame[names[::-1]])
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            getattr(estimator, name)(case.table)
    assert not hasattr(estimator.fit(**case.data()), "feature_names_in_")


def check_set_output(case):
    names = [f"column {i}" for i in range(case.table.shape[1])]
    frame = pd.DataFrame(case.table, columns=names, index=np.arange(len(case.X))[::-1])
    estimator = case.new().fit(**{**case.data(), "X": frame})
    prefix = type(estimator).__name__.lower()
    plain = estimator.transform(frame)
    assert type(plain) is np.ndarray
    made_up = [f"{prefix}{i}" for i in range(plain.shape[1])]
    columns = names if isinstance(estimator, OneToOneFeatureMixin) else made_up
    assert list(estimator.get_feature_names_out()) == columns
    for container, kind in [("pandas", pd.DataFrame), ("polars", pl.DataFrame)]:
        given = frame if kind is pd.DataFrame else pl.from_pandas(frame)
        made = estimator.set_output(transform=container).transform(given)
        assert isinstance(made, kind)
        assert list(made.columns) == columns
        assert_array_equal(made.to_numpy(), plain)
        if kind is pd.DataFrame:
            assert_array_equal(made.index, frame.index)


def check_reconstruct_is_inverse_transform_of_transform(case):
    codes = case.fitted.transform(case.X)
    expected = {"reconstruct": case.fitted.inverse_transform(codes)}
    assert expected["reconstruct"].shape == case.X.shape
    assert_same({"reconstruct": case.fitted.reconstruct(case.X)}, expected, 1e-6)
    with pytest.raises(ValueError, match=r"features|components"):
        case.fitted.inverse_transform(np.zeros((3, codes.shape[1] + 1)))


def check_score_is_the_mean_of_score_samples(case):
    expected = case.fitted.score_samples(case.X).mean()
    assert_allclose(score_of(case.fitted, **case.data()), expected, rtol=1e-12)


def check_samples_are_rows_that_random_state_decides(case):
    sample = case.fitted.sample
    assert sample().shape == (1, *case.X.shape[1:])
    assert sample(3).dtype == np.float64
    first, again, other = (sample(40, random_state=seed) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(sample(40), sample(40))
    generator = np.random.RandomState(0)
    one, two = (sample(40, random_state=generator) for _ in range(2))
    assert not np.array_equal(one, two)


# Going on


def check_partial_fit_returns_self_and_counts(case):
    estimator = case.new()
    assert estimator.partial_fit(**case.data(slice(40))) is estimator
    assert estimator.n_samples_seen_ == 40
    mean, scale = estimator.mean_.copy(), estimator.scale_
    assert estimator.partial_fit(**case.data(slice(40, None))) is estimator
    assert estimator.n_samples_seen_ == 60
    assert_array_equal(estimator.mean_, mean)
    assert estimator.scale_ == scale
    assert estimator.n_iter_ == len(estimator.loss_curve_) == len(estimator.history_) == 2
    assert estimator.validation_scores_ == []
    assert all(np.isfinite(array).all() for array in results(estimator, **case.data()).values())


def check_partial_fit_goes_on_after_fit_and_fit_starts_anew(case):
    estimator = copy.deepcopy(case.fitted)
    expected = results(case.fitted, **case.data())
    codes = estimator.partial_fit(**case.data()).transform(case.X)
    change = np.abs(codes - expected["transform 0"]).max()
    assert 0 < change < 0.5 * np.abs(expected["transform 0"]).max()
    assert_same(results(estimator.fit(**case.data()), **case.data()), expected)


def check_partial_fit_refuses_what_a_chunk_cannot_be(case):
    fresh, fitted = case.new(), copy.deepcopy(case.fitted)
    with raises_and_changes_nothing(fresh, ValueError, "first chunk"):
        fresh.partial_fit(**case.data(slice(1)))
    nothing = {**case.data(), "sample_weight": np.zeros(len(case.X))}
    for estimator in (fresh, fitted):
        with raises_and_changes_nothing(estimator, ValueError, "non-zero"):
            estimator.partial_fit(**nothing)
    with raises_and_changes_nothing(fitted, ValueError, r"X has \d+ features, but .* is expecting"):
        fitted.partial_fit(**{**case.data(), "X": case.table[:, 1:]})
    fresh = case.new(early_stopping=True)
    with raises_and_changes_nothing(fresh, ValueError, "partial_fit does not support early"):
        fresh.partial_fit(**case.data())


def check_warm_start_goes_on_where_the_last_fit_ended(case):
    estimator = case.new(warm_start=True, early_stopping=False).fit(**case.data())
    n_iter, mean = estimator.n_iter_, estimator.mean_
    before = results(estimator, **case.data())
    max_iter = estimator.max_iter
    # no further epoch: nothing is drawn or laid again
    again = copy.deepcopy(estimator).set_params(max_iter=0).fit(**case.data())
    assert_same(results(again, **case.data()), before, 1e-6)
    estimator.fit(**case.data(slice(40)))
    assert_array_equal(estimator.mean_, mean)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == n_iter + max_iter
    assert estimator.n_samples_seen_ == 40


def check_a_fit_that_goes_on_refuses_another_model(case):
    width = case.fitted.n_components_
    estimator = copy.deepcopy(case.fitted).set_params(warm_start=True, n_components=width + 1)
    for method in (estimator.fit, estimator.partial_fit):
        with raises_and_changes_nothing(
            estimator, ValueError, rf"n_components changed from \w+(\.\d+)? to {width + 1}"
        ):
            method(**case.data())
        if not case.takes_images:
            with raises_and_changes_nothing(estimator, ValueError, r"X has \d+ features"):
                method(**case.wider())


# Epochs


def check_curves_have_an_entry_for_every_epoch(case):
    for fitted, n_iter in [
        (case.fitted, case.fitted.n_iter_),
        (case.fit(early_stopping=False), case.estimator.max_iter),
    ]:
        assert fitted.n_iter_ == len(fitted.loss_curve_) == len(fitted.history_) == n_iter
        holds_out = fitted.early_stopping is not False
        assert len(fitted.validation_scores_) == (n_iter if holds_out else 0)
        assert np.isfinite([fitted.best_loss_, *fitted.loss_curve_]).all()
    if n_iter:
        assert not fitted.start_kept_
        assert fitted.best_loss_ == fitted.loss_curve_[-1]


def check_early_stopping_needs_rows_to_train_on(case):
    estimator = case.new(early_stopping=True)
    with raises_and_changes_nothing(estimator, ValueError, "early_stopping=True holds out 5 of 6"):
        estimator.fit(**case.data(slice(None, None, 10)))


def check_few_rows_give_the_start(case):
    for n_rows in (3, 19):
        few = case.data(np.linspace(0, len(case.X) - 1, n_rows).astype(int))
        start = case.new(max_iter=0).fit(**few)
        if start.start_kept_:  # there is one in closed form
            fitted = case.new().fit(**few)
            assert fitted.start_kept_ and fitted.n_iter_ == 0
            assert_same(results(fitted, **case.data()), results(start, **case.data()))


def check_bfloat16_trains(case):
    plain, fitted = (
        case.fit(precision=precision, early_stopping=False) for precision in ("float32", "bfloat16")
    )
    assert np.isfinite(fitted.loss_curve_).all()
    assert {weight.dtype for weight in fitted.network_.parameters()} == {torch.float32}
    assert plain.loss_curve_ != fitted.loss_curve_


class Epochs(skorch.callbacks.Callback):
    losses: list = []  # noqa: RUF012 - shared on purpose: fit trains a copy of the callback

    def on_epoch_end(self, net, **kwargs):
        self.losses.append(net.history[-1, "train_loss"])


class Passive(skorch.callbacks.Callback):
    def on_batch_end(self, net, **kwargs):
        """Look at nothing, batch by batch."""


def check_callbacks_of_skorch_see_every_epoch_and_change_nothing(case):
    Epochs.losses.clear()
    expected = results(case.fitted, **case.data())
    watched = case.fit(skorch_callbacks=[("mine", Epochs())])
    # where folds keep the start, their curves are shown and callbacks see no epoch
    assert Epochs.losses == watched.loss_curve_ or (watched.start_kept_ and not Epochs.losses)
    assert_same(results(watched, **case.data()), expected)
    # batch by batch the steps are the same, but the losses are added up in another way
    watched = case.fit(skorch_callbacks=[Passive()])
    assert_same(results(watched, **case.data()), expected, 1e-5)


class Recorder:
    """A callback of scikit-learn that notes what it is told, and uses the estimator."""

    def __init__(self, X):
        self.X, self.calls, self.found, self.learnt = X, [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append("begin")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.calls.append("end")
        if context.task_name == "epoch":
            self.found.append(results_of_rows(fitted_estimator, self.X))
            self.learnt.append(learnt_by(fitted_estimator))


def learnt_by(estimator):
    """Names of the fitted attributes, and the curves among them."""
    names = {name for name in vars(estimator) if name.endswith("_") and name[0] != "_"}
    return names, estimator.n_iter_, list(estimator.loss_curve_)


def check_callbacks_of_scikit_learn_see_a_fitted_estimator(case):
    recorder = Recorder(case.X)
    estimator = case.new(early_stopping=False)
    estimator.set_callbacks(recorder).fit(**case.data())
    n_iter = estimator.n_iter_
    counts = {name: recorder.calls.count(name) for name in recorder.calls}
    assert counts == {"setup": 1, "begin": n_iter + 1, "end": n_iter + 1, "teardown": 1}
    assert len(recorder.found) == n_iter
    if n_iter:
        assert_same(recorder.found[-1], results_of_rows(estimator, case.X))
        assert recorder.learnt[-1] == learnt_by(estimator)
        assert [found[1] for found in recorder.learnt] == list(range(1, n_iter + 1))


# Sample weights


def check_zero_weights_equal_dropping_the_rows(case):
    # as many rows are left as calibration needs
    weight = np.tile([0.0, 1.0, 2.0, 1.0, 2.0, 3.0], len(case.X) // 6)
    kept = weight > 0
    methods = ("fit", "partial_fit") if hasattr(case.estimator, "partial_fit") else ("fit",)
    for method in methods:
        weighted, dropped = (
            getattr(case.new(), method)(**case.data(rows), sample_weight=weight[rows])
            for rows in (slice(None), kept)
        )
        assert_same(results(weighted, **case.data()), results(dropped, **case.data()))
        one, other = (getattr(fitted, "estimator_", fitted) for fitted in (weighted, dropped))
        assert one.loss_curve_ == other.loss_curve_
        assert one.start_kept_ == other.start_kept_


def check_unit_weights_equal_no_weights(case):
    weighted = case.new().fit(**case.data(), sample_weight=np.ones(len(case.X)))
    assert_same(results(weighted, **case.data()), results(case.fitted, **case.data()), 1e-4)


def check_weighted_score_equals_score_of_repeated_rows(case):
    weight = np.random.default_rng(1).integers(0, 4, len(case.X))
    weighted = score_of(case.fitted, **case.data(), sample_weight=weight)
    repeated = score_of(case.fitted, **case.data(np.repeat(np.arange(len(weight)), weight)))
    assert_allclose(weighted, repeated, rtol=1e-9)


def check_bad_weights_raise(case):
    estimator = case.new()
    for weight, message in [
        (np.ones(3), "sample_weight"),
        (-np.ones(len(case.X)), "[Nn]egative"),
        (np.zeros(len(case.X)), "non-zero"),
    ]:
        with raises_and_changes_nothing(estimator, ValueError, message):
            estimator.fit(**case.data(), sample_weight=weight)


# Interruptions, threads, copies


def check_an_interrupted_fit_changes_nothing(case):
    fitted = copy.deepcopy(case.fitted)
    other = case.data if case.takes_images else case.wider
    calls = [(case.new(), "fit", case.data()), (fitted, "fit", other())]
    if hasattr(fitted, "partial_fit"):
        calls += [(case.new(), "partial_fit", case.data()), (fitted, "partial_fit", case.data())]
    for estimator, method, data in calls:
        with mock.patch("sklearn_ae._fitting.fit.train", side_effect=KeyboardInterrupt):
            with raises_and_changes_nothing(estimator, KeyboardInterrupt):
                getattr(estimator, method)(**data)
    assert_same(results(fitted, **case.data()), results(case.fitted, **case.data()))


def check_fits_in_threads_are_bit_equal(case):
    expected = results_of_rows(case.fitted, case.X)
    with ThreadPoolExecutor(2) as pool:
        for fitted in pool.map(lambda _: case.fit(), range(2)):
            assert_same(results_of_rows(fitted, case.X), expected)


def check_results_in_threads_are_bit_equal(case):
    # of a copy that has no modules in memory yet
    fitted = copy.deepcopy(case.fitted)
    expected = results_of_rows(case.fitted, case.X)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: results_of_rows(fitted, case.X), range(8)):
            assert_same(found, expected)


def by_pickle(estimator):
    """A copy by way of pickle."""
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator):
    """A copy by way of a file of joblib."""
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


def by_skops(estimator):
    """A copy by way of a file of skops, which is told to trust classes of this package only."""
    content = skops.io.dumps(estimator)
    trusted = skops.io.get_untrusted_types(data=content)
    assert [kind for kind in trusted if not kind.startswith("sklearn_ae.")] == []
    return skops.io.loads(content, trusted=trusted)


def check_copies_are_equal_and_independent(case):
    expected = results(case.fitted, **case.data())
    for copied in (copy.copy, copy.deepcopy, by_pickle, by_joblib, by_skops):
        assert_same(results(copied(case.fitted), **case.data()), expected)
    copy.deepcopy(case.fitted).fit(**case.data(slice(50)))
    assert_same(results(case.fitted, **case.data()), expected)


def check_pickle_of_a_pickle_is_the_same(case):
    once = pickle.dumps(case.fitted)
    twice = pickle.dumps(pickle.loads(once))
    assert abs(len(once) - len(twice)) < max(200, 0.05 * len(once))
    assert pickle.dumps(pickle.loads(twice)) == twice


def check_a_newer_format_is_refused(case):
    state = case.fitted.__getstate__()
    (key,) = (key for key in state if "format_version" in key)
    estimator = case.new()
    with raises_and_changes_nothing(estimator, ValueError, "newer|format"):
        estimator.__setstate__({**state, key: state[key] + 1})


def check_net_is_lost_on_loading_and_history_is_not(case):
    loaded = by_pickle(case.fitted)
    with pytest.raises(AttributeError, match="holds no skorch net"):
        loaded.net_  # noqa: B018
    assert loaded.history_ == case.fitted.history_
    assert type(loaded.history_) is list
    assert isinstance(loaded.network_, torch.nn.Module)


def torch_objects(value, path="", seen=None):
    """Paths at which a torch or skorch object is found inside ``value``."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    module = (type(value).__module__ or "").split(".")[0]
    if module in ("torch", "skorch") or isinstance(
        value, torch.nn.Module | torch.Tensor | torch.Generator | torch.device
    ):
        return [f"{path}: {type(value)}"]
    if isinstance(value, dict):
        items = [*((f"{path}[{k!r}]", v) for k, v in value.items()), *((path, k) for k in value)]
    elif isinstance(value, list | tuple | set | frozenset):
        items = [(f"{path}[{i}]", v) for i, v in enumerate(value)]
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        items = [(f"{path}.{k}", v) for k, v in vars(value).items()]
    else:
        items = []
    if isinstance(value, np.ndarray) and value.dtype == object:
        items = list(enumerate(value.ravel()))
    return [found for name, item in items for found in torch_objects(item, str(name), seen)]


def check_state_holds_no_torch_object(case):
    fitted = [case.fitted]
    if hasattr(case.estimator, "partial_fit"):
        fitted.append(case.new().partial_fit(**case.data()))
    for estimator in fitted:
        results(estimator, **case.data())
        assert torch_objects(vars(estimator)) == []
        assert torch_objects(estimator.__getstate__()) == []


# Parameters, documentation


def check_nested_parameter_of_a_name_raises_one_line(case):
    estimator = case.new()
    for name, value in estimator.get_params(deep=False).items():
        if value is None or isinstance(value, str):
            with raises_and_changes_nothing(estimator, ValueError, f"pass an instance as {name}"):
                estimator.set_params(**{f"{name}__scale": 0.5})


def check_documentation_link_of_the_repr(case):
    name = type(case.estimator).__name__
    links = [link.split(">")[0] for link in case.fitted._repr_html_().split("href=")[1:]]
    links = [link for link in links if name in link]
    assert links
    assert not any("scikit-learn.org" in link for link in links)


def checks_of(case):
    """The checks that apply to a case."""
    estimator = case.estimator
    if "random_state" in estimator.get_params():
        yield check_global_random_state_is_untouched
        yield check_random_state_decides_all
    yield check_fit_writes_no_parameter
    yield check_data_are_neither_changed_nor_aliased
    yield check_no_method_but_fit_changes_the_estimator
    yield check_parameters_set_after_fit_play_no_role
    yield check_a_deleted_estimator_is_freed
    yield check_clone_of_fitted_is_unfitted_with_equal_params
    yield check_subsets_and_order_do_not_change_a_row
    yield check_dtype_is_preserved
    yield check_memory_layout_plays_no_role
    yield check_bad_input_raises_scikit_learns_errors
    yield check_methods_need_a_fit
    yield check_feature_names_are_checked
    if case.parameter("max_iter") is not None:
        yield check_an_interrupted_fit_changes_nothing
    yield check_fits_in_threads_are_bit_equal
    yield check_results_in_threads_are_bit_equal
    yield check_copies_are_equal_and_independent
    yield check_pickle_of_a_pickle_is_the_same
    yield check_a_newer_format_is_refused
    yield check_state_holds_no_torch_object
    yield check_nested_parameter_of_a_name_raises_one_line
    yield check_documentation_link_of_the_repr
    if not case.takes_images:
        yield check_refit_on_another_width_equals_a_fresh_fit
    if hasattr(estimator, "transform"):
        yield check_set_output
    if hasattr(estimator, "reconstruct"):
        yield check_reconstruct_is_inverse_transform_of_transform
    if hasattr(estimator, "score") and hasattr(estimator, "score_samples"):
        yield check_score_is_the_mean_of_score_samples
    if hasattr(estimator, "sample"):
        yield check_samples_are_rows_that_random_state_decides
    if hasattr(estimator, "partial_fit"):
        yield check_partial_fit_returns_self_and_counts
        yield check_partial_fit_goes_on_after_fit_and_fit_starts_anew
        yield check_partial_fit_refuses_what_a_chunk_cannot_be
    if hasattr(estimator, "warm_start"):
        yield check_warm_start_goes_on_where_the_last_fit_ended
        if hasattr(estimator, "n_components"):
            yield check_a_fit_that_goes_on_refuses_another_model
    if hasattr(estimator, "max_iter"):
        yield check_curves_have_an_entry_for_every_epoch
        yield check_net_is_lost_on_loading_and_history_is_not
        yield check_early_stopping_needs_rows_to_train_on
        yield check_callbacks_of_skorch_see_every_epoch_and_change_nothing
        if case.is_trained:
            yield check_bfloat16_trains
        if estimator.early_stopping == "auto":
            yield check_few_rows_give_the_start
    if hasattr(estimator, "set_callbacks") and hasattr(estimator, "early_stopping"):
        yield check_callbacks_of_scikit_learn_see_a_fitted_estimator
    if has_fit_parameter(estimator, "sample_weight"):
        yield check_zero_weights_equal_dropping_the_rows
        yield check_unit_weights_equal_no_weights
        yield check_bad_weights_raise
        # that of a denoiser without pairs draws for each row, and again for a repeated one
        if hasattr(estimator, "score") and (case.fit_params or not hasattr(estimator, "mode")):
            yield check_weighted_score_equals_score_of_repeated_rows
