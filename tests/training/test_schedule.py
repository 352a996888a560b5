"""The learning rate over the steps of a fit."""

import numpy as np
import pytest
import skorch
import torch
from numpy.testing import assert_allclose

from sklearn_ae._fitting.plan import split_rows
from sklearn_ae._training import train
from sklearn_ae._training.schedule import Fall, falling, one_cycle
from sklearn_ae.networks.autoencoder import LinearPath
from tests.training.toys import FitLine, Recorder, settings


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


def test_fall_is_a_line_to_zero():
    assert_allclose([falling(step, 4) for step in range(6)], [1.0, 0.75, 0.5, 0.25, 0.0, 0.0])
    assert falling(0, 0) == 1.0


HALVING = [2.0**-k for k in range(40)]


@pytest.mark.parametrize("shift", [0.0, -100.0])
@pytest.mark.parametrize("factor", [1.0, 1e6])
def test_fall_begins_where_little_of_all_gain_is_left(shift, factor):
    # of losses that halve, two epochs bring 3 times the last one; all of them, one less the last
    losses = [factor * (loss + shift) for loss in HALVING]
    falls = [Fall.after(losses[:n], 200, 2, True) for n in range(1, 12)]
    expected = [n for n in range(3, 12) if 3 * HALVING[n - 1] < 0.05 * (1 - HALVING[n - 1])]
    assert [n for n, fall in enumerate(falls, 1) if fall] == expected
    assert falls[expected[0] - 1] == (expected[0], round(1.5 * expected[0] + 0.25), True)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 7, 10, 200])
def test_fall_that_must_begin_ends_with_the_last_epoch(max_iter):
    # a loss that falls faster and faster
    losses = [-(1.1**epoch) for epoch in range(max_iter)]
    falls = [Fall.after(losses[:n], max_iter, 3, True) for n in range(1, max_iter + 1)]
    first = next(fall for fall in falls if fall)
    assert first.n_before == -(-2 * max_iter // 5)  # two fifths, rounded up
    assert first.end == max_iter and not first.is_early


def test_fall_waits_for_the_first_steps():
    flat = [1.0] * 10
    assert Fall.after(flat, 200, 3, False) is None
    assert Fall.after(flat[:3], 200, 3, True) is None
    assert Fall.after(flat[:4], 200, 3, True) == (4, 6, True)


def test_fall_begins_where_training_stalls():
    losses = [2.0, 1.0, 0.5]
    assert Fall.after(losses, 200, 10, True) is None
    assert Fall.after(losses, 200, 10, True, has_stalled=True) == (3, 5, True)


class Rates(Recorder):
    """The rate at every step, in a list that copies share."""

    def on_batch_end(self, net, training, **kwargs):
        if training:
            self.seen.append(net.optimizer_.param_groups[0]["lr"])


ADAPTIVE = {"learning_rate": "adaptive", "learning_rate_init": 0.3, "batch_size": 21}


def test_adaptive_rate_stays_and_falls_by_the_rows_held_out(data):
    seen = []
    result = train(
        FitLine(), data,
        settings(n_validation=21, max_iter=200, n_iter_no_change=4, callbacks=[Rates(seen)],
                 **ADAPTIVE),
    )  # fmt: skip
    fall, n_steps = result.fall, 2
    assert 4 < fall.n_before < 30 and fall.is_early
    before, during = seen[: n_steps * fall.n_before], seen[n_steps * fall.n_before :]
    assert_allclose(before, 0.3)
    whole = 0.3 * (1 - np.arange(n_steps * fall.n_epochs) / (n_steps * fall.n_epochs))
    # all of it, whatever is gained in it
    assert_allclose(during, whole, rtol=1e-6)
    assert len(result.loss_curve) == fall.end


@pytest.mark.parametrize("max_iter", [1, 7, 10])
def test_adaptive_rate_makes_all_epochs_where_no_rows_tell(max_iter, data):
    seen = []
    result = train(
        FitLine(), data, settings(max_iter=max_iter, callbacks=[Rates(seen)], **ADAPTIVE)
    )
    assert len(result.loss_curve) == max_iter
    assert seen[0] == 0.3
    if max_iter > 1:
        n_falling = 3 * (max_iter - -(-2 * max_iter // 5))
        assert seen[-1] == pytest.approx(0.3 / n_falling)


def test_adaptive_rate_ends_nearer_to_the_least_squares_than_a_constant_one(data):
    x, y = (field.double().numpy()[:, 0] for field in data)
    slope, intercept = np.polyfit(x, y, 1)
    misses = {}
    for learning_rate in ("constant", "adaptive"):
        task = FitLine()
        train(task, data, settings(**ADAPTIVE | {"max_iter": 60, "learning_rate": learning_rate}))
        misses[learning_rate] = np.abs(
            task.network.parameters_as_array() - [slope, intercept]
        ).max()
    assert misses["adaptive"] < 0.01 < misses["constant"]


def test_fit_on_all_rows_has_the_fall_that_folds_found(data):
    made = ADAPTIVE | {"learning_rate_init": 0.02, "max_iter": 200, "n_iter_no_change": 4}

    def folds(**kwargs):
        tasks = [(FitLine(), None) for _ in range(5)]
        return settings(n_validation=12, n_folds=5, fold_tasks=tasks, **made, **kwargs)

    found = train(FitLine(), data, folds(), judge_only=True)
    seen = []
    result = train(FitLine(), data, folds(callbacks=[Rates(seen)]))
    n_steps = 3  # of the fit on all rows
    assert len(result.loss_curve) == found.best_epoch > found.fall.n_before
    first, n_falling = n_steps * found.fall.n_before, n_steps * found.fall.n_epochs
    steps = np.arange(len(seen))
    expected = 0.02 * np.clip(1 - (steps - first) / n_falling, 0, 1)
    assert_allclose(seen, expected, rtol=1e-6)
    assert [len(part) for part in split_rows(63, 12, 5, 0)[0]] == [50, 13]


class Slow(LinearPath):
    """A linear path at a fifth of the rate."""

    share_of_rate = 0.2


class Two(FitLine):
    """A network and a linear path, whose outputs are added."""

    def __init__(self):
        super().__init__()
        self.path = Slow(1, 1)
        torch.nn.init.ones_(self.path.decoder)

    def forward(self, batch, generator):
        output = self.network(batch.x) + self.path.decode(self.path.encode(batch.x))
        return {"fit": (output - batch.target).square().sum(1)}


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive", "one_cycle"])
def test_first_step_of_a_module_with_a_share_of_the_rate_is_that_share(learning_rate, data):
    task = Two()
    changed = {"batch_size": 63, "learning_rate": learning_rate}
    train(task, data, settings(**ADAPTIVE | changed))
    # Adam's first step is the rate, whatever the gradient
    assert task.network.parameters_as_array() == pytest.approx([0.3, 0.3], rel=1e-4)
    assert task.path.encoder.item() == pytest.approx(0.06, rel=1e-4)


@pytest.mark.parametrize("max_iter", [3, 10])
def test_adaptive_rate_rises_first_where_steps_are_few(max_iter, data):
    seen = []
    kwargs = {"max_iter": max_iter, "warms_up": True, "callbacks": [Rates(seen)]}
    train(FitLine(), data, settings(**ADAPTIVE | kwargs))
    n_before, n_steps = -(-2 * max_iter // 5), 3
    n_falling = n_steps * (max_iter - n_before)
    steps = np.arange(n_steps * max_iter)
    falling_share = np.clip(1 - (steps - n_steps * n_before) / n_falling, 0, 1)
    assert_allclose(seen, 0.3 * np.minimum((steps + 1) / 50, falling_share), rtol=1e-6)


def test_share_of_a_module_is_kept_in_the_fall(data):
    shares = []

    class Shares(skorch.callbacks.Callback):
        def on_batch_end(self, net, training, **kwargs):
            first, second = net.optimizer_.param_groups
            shares.append(second["lr"] / first["lr"])

    train(Two(), data, settings(max_iter=5, callbacks=[Shares()], **ADAPTIVE))
    assert len(shares) == 15
    assert_allclose(shares, 0.2)
