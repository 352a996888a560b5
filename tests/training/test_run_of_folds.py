"""Folds that find the epochs and judge the start, on a line whose optimum is known."""

import numpy as np
import pytest
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae._fitting.plan import split_rows
from sklearn_ae._training import Batch, train
from sklearn_ae._training.run import gains_significantly, weighted_mean
from tests.training.toys import FitLine, Recorder, columns, line_of_least_squares, settings


class Log(Recorder):
    """Which rows are trained on and held out in each epoch, in a list that copies share."""

    def on_epoch_end(self, net, dataset_train, dataset_valid, **kwargs):
        held_out = None if dataset_valid is None else len(dataset_valid)
        self.seen.append((len(dataset_train), held_out, net.history[-1]["valid_loss"]))


def parameters(task):
    return task.network.parameters_as_array()


def folds(starts, **kwargs):
    """Settings of five folds, each with a task of its own."""
    tasks = [(FitLine(*start), None) for start in starts]
    return settings(n_validation=12, n_folds=5, fold_tasks=tasks, **kwargs)


RISING = {"learning_rate_init": 0.3, "max_iter": 12, "n_iter_no_change": 100}


@pytest.mark.parametrize("weighted", [False, True])
def test_folds_are_fits_without_a_part_each_and_the_last_one_has_their_epochs(weighted, data):
    weight = torch.linspace(0.5, 1.5, 63) if weighted else None
    data = Batch(data.x, target=data.target, weight=weight)
    task = FitLine()
    result = train(task, data, folds(5 * [(0.0, 0.0)], **RISING))

    curves, shares = [], []
    for split in split_rows(63, 12, 5, 0):
        alone = train(FitLine(), data, settings(**RISING, splits=[split]))
        curves.append(alone.validation_losses)
        shares.append(len(split[1]) if weight is None else float(weight[split[1]].sum()))
    mean = np.average(curves, axis=0, weights=shares)
    best = int(np.argmin(mean)) + 1
    assert 1 < best < 12
    assert_allclose(result.validation_losses, mean[:best], rtol=1e-5)
    assert_allclose(result.best_loss, mean[best - 1], rtol=1e-5)

    whole = FitLine()
    last = train(whole, data, settings(**{**RISING, "max_iter": best}))
    assert_array_equal(parameters(task), parameters(whole))
    assert result.loss_curve == last.loss_curve
    assert not result.start_kept
    # all that was judged is told too, and a trial makes no fit on all rows
    assert_allclose(result.judged_losses, mean, rtol=1e-5)
    trial_task = FitLine()
    trial = train(trial_task, data, folds(5 * [(0.0, 0.0)], **RISING), judge_only=True)
    assert trial.best_loss == result.best_loss
    assert_array_equal(parameters(trial_task), [0.0, 0.0])


def test_folds_keep_a_start_that_none_of_them_betters(data):
    splits = split_rows(63, 12, 5, 0)
    parts = [data.map(lambda field, rows=rows: field[rows]) for rows, _ in splits]
    starts = [line_of_least_squares(*columns(part)) for part in parts]
    best = line_of_least_squares(*columns(data))
    task = FitLine(*best)
    made = folds(starts, gate=True, **{**RISING, "learning_rate_init": 1.0})
    result = train(task, data, made)
    assert result.start_kept and result.state is None
    assert_array_equal(parameters(task), best.astype(np.float32))
    # each row by the start of the fold that did not see it
    held_out = [data.map(lambda field, rows=rows: field[rows]) for _, rows in splits]
    losses = [
        (slope * part.x + intercept - part.target).square()
        for (slope, intercept), part in zip(starts, held_out, strict=True)
    ]
    assert_allclose(result.best_loss, torch.cat(losses).mean().item(), rtol=1e-5)
    # what the folds did is shown, by a net that holds the start of all rows
    assert result.net.module_ is task
    assert len(result.loss_curve) == len(result.validation_losses) == 12
    assert [epoch["valid_loss"] for epoch in result.net.history] == result.validation_losses


def test_the_gate_of_folds_lets_better_networks_through(data):
    result = train(FitLine(), data, folds(5 * [(0.0, 0.0)], gate=True, **RISING))
    assert not result.start_kept


def test_callbacks_see_the_last_fit_alone(data):
    seen = []
    result = train(FitLine(), data, folds(5 * [(0.0, 0.0)], callbacks=[Log(seen)], **RISING))
    assert seen == [(63, None, loss) for loss in result.validation_losses]
    stopping = [skorch.callbacks.EarlyStopping(patience=1, threshold=10.0)]
    stopped = train(FitLine(), data, folds(5 * [(0.0, 0.0)], callbacks=stopping, **RISING))
    assert len(stopped.loss_curve) == 1 + 1
    assert stopped.best_loss == stopped.validation_losses[-1] == result.validation_losses[1]


def test_patience_is_that_of_the_mean_over_all_rows(data):
    curves = [
        train(FitLine(), data, settings(**RISING, splits=[split])).validation_losses
        for split in split_rows(63, 12, 5, 0)
    ]
    shares = [len(held_out) for _, held_out in split_rows(63, 12, 5, 0)]
    mean = np.average(curves, axis=0, weights=shares)
    # the first gain is from infinity, and with this tolerance there is no other
    made = folds(5 * [(0.0, 0.0)], **{**RISING, "n_iter_no_change": 2, "tol": 1e6})
    result = train(FitLine(), data, made)
    assert_allclose(result.validation_losses, mean[: 1 + np.argmin(mean[:3])], rtol=1e-5)


def test_rows_of_one_group_count_as_one_in_the_gate():
    generator = torch.Generator().manual_seed(0)
    after = torch.zeros(40)
    for _ in range(50):
        gain = torch.randn(40, generator=generator) + 0.16
        group = torch.arange(40).repeat(3)
        repeated = gain.repeat(3)
        decided = gains_significantly(gain, after, None)
        assert gains_significantly(repeated, torch.zeros(120), None, group) is decided
        assert gains_significantly(gain, after, None, 7 * torch.arange(40)) is decided
    # as independent rows they would have told more
    gain = torch.tensor([1.0, -0.6, 0.9, -0.5, 0.8, -0.7]).repeat_interleave(50)
    assert gains_significantly(gain, torch.zeros(300), None)
    assert not gains_significantly(gain, torch.zeros(300), None, torch.arange(300) // 50)
    assert_allclose(weighted_mean(gain, None), 0.9 / 6)
