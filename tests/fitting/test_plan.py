"""The rules behind "auto": rows per step, epochs, and rows held out."""

import numpy as np
import pytest
import torch

from sklearn_ae._fitting.plan import auto_batch_size, auto_max_iter, auto_patience, split_rows
from tests.checks import raises_one_line


@pytest.mark.parametrize("n_samples", [2, 19, 80, 500, 1797, 60_000, 10**6])
def test_automatic_rules_are_bounded(n_samples):
    batch_size = auto_batch_size(n_samples)
    n_steps = max(1, n_samples // batch_size)
    epochs = auto_max_iter(n_steps)
    assert isinstance(batch_size, int) and isinstance(epochs, int)
    assert 1 <= batch_size <= 1024
    assert epochs >= 1
    steps = epochs * n_steps
    assert steps <= max(30_000, n_steps)
    assert 1 <= auto_max_iter(n_steps, holds_out=False) < max(2, epochs)
    if n_samples >= 80:
        assert steps >= 1000


def test_automatic_batches_grow_with_the_data():
    sizes = [auto_batch_size(n) for n in (10, 80, 500, 2000, 60_000)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize("n_steps, patience", [(1, 15), (33, 15), (34, 15), (50, 10), (211, 10)])
def test_automatic_patience_is_a_number_of_steps(n_steps, patience):
    assert auto_patience(n_steps) == patience


@pytest.mark.parametrize("n_folds", [1, 5])
def test_splits_are_disjoint_and_whole(n_folds):
    splits = split_rows(53, 12, n_folds, 3)
    assert len(splits) == n_folds
    for training, held_out in splits:
        assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(53))
        assert len(held_out) == 12 if n_folds == 1 else len(held_out) in (10, 11)
    assert len({*torch.cat([held_out for _, held_out in splits]).tolist()}) == (
        12 if n_folds == 1 else 53
    )
    again, other = split_rows(53, 12, n_folds, 3), split_rows(53, 12, n_folds, 4)
    assert torch.equal(splits[0][1], again[0][1])
    assert not torch.equal(splits[0][1], other[0][1])
    assert split_rows(53, 0, 1, 3) == []


@pytest.mark.parametrize("n_folds", [1, 5])
@pytest.mark.parametrize("n_groups", [2, 4, 17, 90])
def test_splits_keep_groups_together(n_folds, n_groups):
    group = np.random.default_rng(0).integers(0, n_groups, 300)
    splits = split_rows(300, 30 if n_folds == 1 else 60, n_folds, 3, group)
    assert len(splits) == min(n_folds, n_groups)
    for training, held_out in splits:
        assert not {*group[training]} & {*group[held_out]}
        assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(300))
        if n_groups >= 17:
            assert abs(len(held_out) - (30 if n_folds == 1 else 60)) <= 15
    if n_folds == 1 and n_groups == 90:
        for n_validation in (60, 150, 240):
            ((_, held_out),) = split_rows(300, n_validation, 1, 3, group)
            assert abs(len(held_out) - n_validation) <= 3
    again, other = (split_rows(300, 30, n_folds, seed, group) for seed in (3, 4))
    if n_groups == 90:
        assert torch.equal(split_rows(300, 30, n_folds, 3, group)[0][1], again[0][1])
        assert not torch.equal(again[0][1], other[0][1])


def test_groups_that_leave_nothing_are_refused():
    with raises_one_line(ValueError, "groups holds one group only"):
        split_rows(30, 5, 1, 0, np.zeros(30, dtype=int))
    with raises_one_line(ValueError, "groups has one of 29 of the 30 rows, which leaves 1"):
        split_rows(30, 6, 5, 0, np.arange(30) // 29)
