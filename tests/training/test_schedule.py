"""The learning rate over the steps of a fit."""

import numpy as np
import pytest

from sklearn_ae._training.schedule import one_cycle


@pytest.mark.parametrize("n_steps", [1, 2, 10, 1000, 20_000])
def test_one_cycle_rises_to_one_and_falls_to_zero(n_steps):
    rates = np.array([one_cycle(step, n_steps) for step in range(n_steps)])
    assert rates.max() == 1.0
    assert (rates > 0).all()
    peak = rates.argmax()
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak + 1 :]) < 0).all()
    assert peak <= min(max(1, 0.1 * n_steps), 100)
    if n_steps >= 1000:
        assert rates[-1] < 1e-4
