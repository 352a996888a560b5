"""Folds whose networks take their steps together: as if each were trained alone."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae._training import run
from sklearn_ae._training.stack import _shared

WINE = StandardScaler().fit_transform(load_wine().data)


@pytest.fixture
def stacks(monkeypatch):
    """The stacks that are made."""
    made = []

    class Recorded(run.Stack):
        def __init__(self, members):
            super().__init__(members)
            made.append(self)

    monkeypatch.setattr(run, "Stack", Recorded)
    return made


@pytest.fixture
def without_noise(monkeypatch):
    """Draws of standard normal numbers give zeros: a stack draws others than networks alone."""
    normal = torch.Tensor.normal_

    def none(tensor, *args, generator=None):
        return normal(tensor, *args, generator=generator) if args else tensor.zero_()

    monkeypatch.setattr(torch.Tensor, "normal_", none)


def fitted_both_ways(estimator, X, monkeypatch, stacks, **fit_params):
    together = estimator.fit(X, **fit_params)
    curves = np.array(together.loss_curve_), np.array(together.validation_scores_)
    assert len(stacks) == 1
    with monkeypatch.context() as patch:
        patch.setattr(run, "may_be_stacked", lambda members, settings: False)
        alone = estimator.fit(X, **fit_params)
    assert len(stacks) == 1
    return curves, (np.array(alone.loss_curve_), np.array(alone.validation_scores_))


CASES = {
    "defaults": (Autoencoder(2), WINE),
    "wide code": (Autoencoder(0.95), WINE),
    "not averaged": (Autoencoder(2, average=False, hidden_layer_sizes=(16,)), WINE),
    "adaptive": (Autoencoder(2, learning_rate="adaptive"), WINE),
    "L2": (Autoencoder(2, alpha=0.1, weight_decay=0.0, activation="tanh"), WINE),
    "gaussian": (VariationalAutoencoder(2), WINE),
    "one variance": (VariationalAutoencoder(2, beta=2.0, kl_warm_up=5), WINE),
    "importance": (VariationalAutoencoder(2, n_importance_samples=3, max_iter=3), WINE),
    "laplace": (VariationalAutoencoder(2, likelihood="laplace"), WINE),
    "absolute": (Autoencoder(2, loss="absolute_error"), WINE),
    "huber": (Autoencoder(2, loss="huber"), WINE),
    "noise": (Autoencoder(2, corruption="gaussian"), WINE),
    "denoiser": (Denoiser(corruption="gaussian", mode="residual"), WINE),
}


@pytest.mark.parametrize("name", CASES)
def test_stacked_folds_are_those_trained_alone(name, monkeypatch, stacks, without_noise):
    estimator, X = CASES[name]
    if estimator.max_iter == "auto":
        estimator.set_params(max_iter=12)
    together, alone = fitted_both_ways(estimator.set_params(random_state=0), X, monkeypatch, stacks)
    for found, expected in zip(together, alone, strict=True):
        assert len(found) > 1
        assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["weights", "groups", "both", "a row more"])
def test_batches_that_are_filled_up_count_their_own_rows(name, monkeypatch, stacks):
    generator = np.random.default_rng(0)
    n_rows = 172 if name == "a row more" else len(WINE)
    fit_params = {}
    if name in ("weights", "both"):
        fit_params["sample_weight"] = generator.integers(1, 4, n_rows)
    if name in ("groups", "both"):
        fit_params["groups"] = np.arange(n_rows) // 7
    estimator = Autoencoder(2, random_state=0, max_iter=12)
    X = WINE[:n_rows]
    together, alone = fitted_both_ways(estimator, X, monkeypatch, stacks, **fit_params)
    for found, expected in zip(together, alone, strict=True):
        assert_allclose(found, expected, rtol=1e-3)


def test_batches_are_filled_up_with_their_own_rows(monkeypatch, stacks):
    X = WINE
    groups = np.r_[np.zeros(42), np.arange(1, len(X) - 41)]
    drawn = {}
    batches = run.Stack._batches

    def seen(stack):
        for indices, shares, sizes in batches(stack):
            for row, size in zip(indices, sizes.tolist(), strict=True):
                drawn.setdefault(size == len(row), []).append((row, size))
            yield indices, shares, sizes

    monkeypatch.setattr(run.Stack, "_batches", seen)
    Autoencoder(2, corruption="swap_noise", random_state=0, max_iter=2).fit(X, groups=groups)
    assert len(stacks) == 1 and drawn[False]
    for row, size in drawn[False]:
        counts = np.unique_counts(row.numpy()).counts
        assert len(counts) == size
        assert counts.max() - counts.min() <= 1


def test_masks_are_drawn_for_each_network(monkeypatch, stacks):
    estimator = Autoencoder(4, corruption="masking", random_state=0, max_iter=12)
    (_, found), (_, expected) = fitted_both_ways(estimator, WINE, monkeypatch, stacks)
    # other draws: alike and not the same
    assert_allclose(found[:5], expected[:5], rtol=0.1)
    assert abs(found[:5] - expected[:5]).max() > 0


@pytest.mark.parametrize(
    "estimator",
    [
        Autoencoder(2, penalty="contractive"),
        Autoencoder(2, corruption=lambda x, generator: 0.9 * x),
        Autoencoder(2, hidden_layer_sizes=(600, 300)),
    ],
)
def test_others_are_trained_one_by_one(estimator, stacks):
    estimator.set_params(random_state=0, max_iter=2).fit(WINE)
    assert not stacks
    assert len(estimator.validation_scores_) == 2


def test_fits_in_turn_and_with_stacks_between_are_the_same(stacks):
    estimator = VariationalAutoencoder(2, random_state=0, max_iter=5)
    first = estimator.fit(WINE).transform(WINE)
    assert_array_equal(first, estimator.fit(WINE).transform(WINE))
    assert len(stacks) == 2


def test_a_network_is_part_of_the_stack():
    weights = [[torch.full((2, 3), float(k)), torch.full((), float(k))] for k in range(4)]
    matrices, numbers = _shared(weights)
    matrices += 1.0
    numbers *= 2.0
    for k, (matrix, number) in enumerate(weights):
        assert (matrix == k + 1.0).all()
        assert number == 2.0 * k
