"""The rules behind "auto": rows per step and epochs."""

import pytest

from sklearn_ae._fitting.plan import auto_batch_size, auto_max_iter, auto_patience


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


@pytest.mark.parametrize("n_steps, patience", [(1, 15), (33, 15), (34, 15), (50, 10), (211, 5)])
def test_automatic_patience_is_a_number_of_steps(n_steps, patience):
    assert auto_patience(n_steps) == patience
