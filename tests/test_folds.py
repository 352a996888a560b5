"""Few rows are judged by folds; rows of one group are held out together."""

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder
from sklearn_ae.corruptions import GaussianNoise, Masking
from sklearn_ae.metrics import explained_variance
from tests.checks import raises_one_line

CANCER = StandardScaler().fit_transform(load_breast_cancer().data)
WINE = StandardScaler().fit_transform(load_wine().data)
QUICK = {"hidden_layer_sizes": (16,), "max_iter": 15, "random_state": 0}
NOISE = np.random.default_rng(0).normal(size=(200, 8))


class Epochs(skorch.callbacks.Callback):
    """Numbers of rows that are trained on and held out, in a list that copies share."""

    def __init__(self, seen):
        self.seen = seen

    def __deepcopy__(self, memo):
        return self

    def on_epoch_end(self, net, dataset_train, dataset_valid, **kwargs):
        held_out = set() if dataset_valid is None else {*dataset_valid.indices.tolist()}
        self.seen.append(({*dataset_train.indices.tolist()}, held_out))


def epochs(estimator, X, **metadata):
    """The estimator fitted, and the rows trained on and held out in each epoch."""
    seen = []
    estimator.set_params(skorch_callbacks=[Epochs(seen)]).fit(X, **metadata)
    return estimator, seen


@pytest.mark.parametrize(
    "estimator",
    [
        Autoencoder(**QUICK),
        VariationalAutoencoder(**QUICK),
        Denoiser(corruption=Masking(0.5), mode="direct", **QUICK | {"max_iter": 60}),
    ],
)
def test_few_rows_are_all_trained_on_for_the_epochs_that_folds_found(estimator):
    estimator, seen = epochs(clone(estimator), CANCER)
    assert not estimator.start_kept_
    assert seen == [(set(range(569)), set())] * estimator.n_iter_
    scores = estimator.validation_scores_
    assert len(scores) == len(estimator.loss_curve_) == len(estimator.history_) == len(seen)
    # the last of these epochs was the best one of the folds
    assert scores[-1] == max(scores)
    assert_allclose(estimator.best_loss_, -scores[-1])
    assert [epoch["valid_loss"] for epoch in estimator.history_] == [-score for score in scores]


def test_folds_keep_pca_where_there_is_nothing_else():
    estimator, seen = epochs(Autoencoder(2, **QUICK), NOISE)
    assert estimator.start_kept_ and seen == []
    assert_allclose(
        np.abs(estimator.transform(NOISE)), np.abs(PCA(2).fit_transform(NOISE)), atol=1e-6
    )
    # what the folds did in vain is shown
    assert 1 <= estimator.n_iter_ == len(estimator.loss_curve_) <= 15
    # the net that is shown holds PCA of all rows
    x = torch.tensor((NOISE - estimator.mean_) / estimator.scale_, dtype=torch.float32)
    output = estimator.net_.infer(x).detach().numpy() * estimator.scale_ + estimator.mean_
    assert_allclose(output, estimator.reconstruct(NOISE), atol=1e-4)
    # by rows that PCA did not see
    own = 1 - explained_variance(NOISE, estimator.reconstruct(NOISE))
    assert estimator.best_loss_ > own * NOISE.shape[1]


@pytest.mark.parametrize(
    ("X", "parameters", "n_held_out"),
    [
        (CANCER, {"validation_fraction": 0.1}, 56),
        (CANCER, {"validation_fraction": 0.25}, 142),
        (CANCER, {"early_stopping": True}, 56),
        (CANCER, {"init": "random"}, 56),
        (CANCER, {"learning_rate": "one_cycle"}, 56),
        (CANCER, {"early_stopping": False}, 0),
        (CANCER[:36], {"n_components": 28}, 5),
        (CANCER[:36], {"n_components": None}, 5),
        (np.resize(CANCER, (1000, 30)), {}, 100),
        (np.resize(CANCER, (999, 30)), {}, 0),
    ],
)
def test_a_single_split_is_kept_where_it_is_asked_for_or_rows_are_many(X, parameters, n_held_out):
    made = {"n_components": 2, **QUICK, "max_iter": 2, **parameters}
    _, seen = epochs(Autoencoder(**made), X)
    assert {len(held_out) for _, held_out in seen} == {n_held_out}
    assert {len(rows) for rows, _ in seen} == {len(X) - n_held_out}


class Clip(skorch.callbacks.Callback):
    """A user's callback that changes gradients."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        for _, parameter in named_parameters:
            parameter.grad.clamp_(-1.0, 1.0)


@pytest.mark.parametrize("callback", [
    skorch.callbacks.LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
    skorch.callbacks.GradientNormClipping(1.0),
    ("freezer", skorch.callbacks.Freezer("network.linear.*")),
    Clip(),
], ids=lambda callback: type(callback).__name__)  # fmt: skip
def test_a_single_split_is_kept_where_callbacks_change_steps(callback):
    seen = []
    callbacks = [callback, Epochs(seen)]
    Autoencoder(2, skorch_callbacks=callbacks, **QUICK | {"max_iter": 2}).fit(CANCER)
    assert {len(held_out) for _, held_out in seen} == {56}


def test_a_bound_that_folds_run_into_is_told(monkeypatch):
    monkeypatch.setattr("sklearn_ae._fitting.plan.MOST_EPOCHS", 12)
    with pytest.warns(ConvergenceWarning, match="bound of max_iter='auto', 12 epochs"):
        Autoencoder(2, hidden_layer_sizes=(16,), random_state=0).fit(CANCER)


def test_a_fit_goes_on_without_folds_and_gate():
    warm, seen = epochs(Autoencoder(2, warm_start=True, **QUICK), CANCER)
    n_first = len(seen)
    warm.fit(CANCER)
    assert len(seen) == n_first + 15 == warm.n_iter_
    assert {len(rows) for rows, _ in seen} == {569}
    assert not warm.start_kept_
    # one that kept PCA leaves it
    warm = Autoencoder(2, warm_start=True, **QUICK).fit(NOISE)
    n_before = warm.n_iter_
    assert warm.start_kept_
    warm.fit(NOISE)
    assert not warm.start_kept_ and warm.n_iter_ == n_before + 15


def test_partial_fit_and_the_detector_use_no_folds():
    _, seen = epochs(Autoencoder(2, **QUICK), CANCER)
    seen.clear()
    Autoencoder(2, skorch_callbacks=[Epochs(seen)], **QUICK).partial_fit(CANCER)
    assert seen == [(set(range(569)), set())]
    inside = Autoencoder(2, **QUICK)
    found = AutoencoderDetector(inside, random_state=0).fit(CANCER)
    asked = AutoencoderDetector(
        clone(inside).set_params(validation_fraction=0.1), random_state=0
    ).fit(CANCER)
    assert_array_equal(found.score_samples(CANCER), asked.score_samples(CANCER))
    assert inside.validation_fraction == "auto"


def test_weights_count_in_folds():
    """A weight of two is a row given twice, one of zero a row that is not there."""
    weight = np.arange(569) % 3.0
    X = CANCER[weight > 0]
    made = {**QUICK, "max_iter": 3}
    one = Autoencoder(2, **made).fit(CANCER, sample_weight=weight)
    two = Autoencoder(2, **made).fit(X, sample_weight=weight[weight > 0])
    assert_allclose(one.validation_scores_, two.validation_scores_)
    three = Autoencoder(2, **made).fit(X)
    assert not np.allclose(one.validation_scores_, three.validation_scores_)


# Groups


@pytest.mark.parametrize("parameters", [{"early_stopping": True}, {"init": "random"}])
@pytest.mark.parametrize("names", [np.array([f"person {k}" for k in range(57)]), np.arange(57)])
def test_rows_of_a_group_are_held_out_together(parameters, names):
    groups = np.repeat(names, 10)[:569]
    _, seen = epochs(Autoencoder(2, **QUICK | parameters | {"max_iter": 2}), CANCER, groups=groups)
    for rows, held_out in seen:
        assert not {*groups[[*rows]]} & {*groups[[*held_out]]}
        assert 40 <= len(held_out) <= 70
        assert len(rows) + len(held_out) == 569


def test_few_groups_are_judged_by_folds_however_many_their_rows():
    """Of ten groups a tenth would be one, by which nothing can be judged."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-2, 2, 1200)
    X = np.column_stack([t, t**2, np.sin(2 * t)]) + 0.02 * rng.normal(size=(1200, 3))
    groups = np.repeat(np.arange(10), 120)
    made = {"hidden_layer_sizes": (16,), "max_iter": 10, "random_state": 0}
    estimator, seen = epochs(Autoencoder(1, **made), X, groups=groups)
    assert not estimator.start_kept_
    assert {len(rows) for rows, _ in seen} == {1200}
    # of three there are too few, as of few rows
    few, seen = epochs(Autoencoder(1, **made), X, groups=groups // 4)
    assert few.start_kept_ and few.n_iter_ == 0 and seen == []


def test_groups_are_given_in_every_fit_that_goes_on():
    groups = np.arange(1000) // 4
    warm = Autoencoder(2, warm_start=True, **QUICK | {"max_iter": 1})
    warm.fit(np.resize(CANCER, (1000, 30)), groups=groups)
    with raises_one_line(ValueError, "groups are to be given in every call or in none"):
        warm.fit(np.resize(CANCER, (1000, 30)))
    warm.fit(np.resize(CANCER, (1000, 30)), groups=groups)
    assert warm.n_iter_ == 2


def repeated(n_groups=24, n_times=12):
    """Rows that are near copies of a few: a network knows them all by heart."""
    rng = np.random.default_rng(3)
    rows = np.repeat(rng.normal(size=(n_groups, 8)), n_times, axis=0)
    return rows + 0.01 * rng.normal(size=rows.shape), np.repeat(np.arange(n_groups), n_times)


def test_copies_that_lie_apart_deceive_and_groups_do_not():
    X, groups = repeated()
    made = {"hidden_layer_sizes": (64, 32), "max_iter": 40, "random_state": 0}
    deceived = Autoencoder(2, **made).fit(X)
    told = Autoencoder(2, **made).fit(X, groups=groups)
    assert not deceived.start_kept_
    assert told.start_kept_


def test_groups_follow_rows_of_weight_zero_and_pairs():
    groups = np.repeat(np.arange(57), 10)[:569]
    weight = (np.arange(569) % 2).astype(float)
    kept = weight > 0
    made = {**QUICK, "max_iter": 3}
    one = Autoencoder(2, **made).fit(CANCER, sample_weight=weight, groups=groups)
    two = Autoencoder(2, **made).fit(CANCER[kept], groups=groups[kept])
    assert_allclose(one.validation_scores_, two.validation_scores_)
    noisy = CANCER + 0.5 * np.random.default_rng(0).normal(size=CANCER.shape)
    paired = Denoiser(mode="direct", early_stopping=True, **made)
    _, seen = epochs(paired, noisy, X_clean=CANCER, groups=groups)
    for rows, held_out in seen:
        assert held_out and not {*groups[[*rows]]} & {*groups[[*held_out]]}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("estimator", [
    Autoencoder(2, **QUICK | {"max_iter": 2}),
    Denoiser(corruption=GaussianNoise(0.5), **QUICK | {"max_iter": 2}),
    make_pipeline(StandardScaler(), Autoencoder(2, **QUICK | {"max_iter": 2})),
])  # fmt: skip
def test_a_search_with_groups_hands_them_to_its_splitter(routing, estimator):
    groups = np.arange(178) // 10
    with config_context(enable_metadata_routing=routing):
        name = "alpha" if hasattr(estimator, "alpha") else "autoencoder__alpha"
        search = GridSearchCV(clone(estimator), {name: [0.0, 0.1]}, cv=GroupKFold(3))
        search.fit(WINE, groups=groups)
        given = {"params": {"groups": groups}} if routing else {"groups": groups}
        scores = cross_val_score(clone(estimator), WINE, cv=GroupKFold(3), **given)
    assert len(scores) == 3
    assert np.isfinite(search.best_score_)


def test_groups_reach_fit_where_they_are_asked_for():
    groups = np.zeros(178)
    single = Autoencoder(2, early_stopping=True, **QUICK)
    with config_context(enable_metadata_routing=True):
        asked = clone(single).set_fit_request(groups=True)
        with raises_one_line(ValueError, "groups holds one group only"):
            make_pipeline(StandardScaler(), asked).fit(WINE, groups=groups)
    with raises_one_line(ValueError, "groups holds one group only"):
        make_pipeline(StandardScaler(), clone(single)).fit(WINE, autoencoder__groups=groups)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (np.zeros(178), "groups holds one group only"),
        (np.arange(177), "inconsistent numbers of samples"),
        (np.full(178, np.nan), "groups contains missing values"),
        ([*range(177), None], "groups contains missing values"),
        (pd.Series([*range(177), None], dtype="Int64"), "groups contains missing values"),
        (pd.to_datetime([*["2020-01-01"] * 177, None]), "groups contains missing values"),
        (np.zeros((178, 2)), r"groups must be of shape \(n_samples,\); got shape \(178, 2\)"),
        (3, r"groups must be of shape \(n_samples,\)"),
    ],
)
def test_bad_groups_are_refused(groups, words):
    with raises_one_line(ValueError, words):
        Autoencoder(2, early_stopping=True, **QUICK).fit(WINE, groups=groups)


@pytest.mark.parametrize("groups", [
    [*["a", 1, 2.5] * 59, "b"],
    pd.Series(np.arange(178) // 10).astype("category"),
    pd.DataFrame({"person": np.arange(178) // 10}),
    np.arange(178) % 7 == 0,
])  # fmt: skip
def test_groups_of_any_kind(groups):
    _, seen = epochs(
        Autoencoder(2, early_stopping=True, **QUICK | {"max_iter": 1}), WINE, groups=groups
    )
    labels = pd.Series(np.asarray(groups, dtype=object).ravel()).map(repr).to_numpy()
    for rows, held_out in seen:
        assert held_out and not {*labels[[*rows]]} & {*labels[[*held_out]]}


def test_groups_do_no_harm_where_nothing_is_held_out():
    made = {**QUICK, "early_stopping": False, "max_iter": 2}
    without = Autoencoder(2, **made).fit(WINE)
    given = Autoencoder(2, **made).fit(WINE, groups=np.zeros(178))
    assert without.loss_curve_ == given.loss_curve_
