"""Exponential averages of the weights: the recursion, what is averaged, and what is kept."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae._training import Batch, train
from sklearn_ae._training.average import DECAY, STEPS_AT_ONCE, AveragedWeights
from tests.training.toys import FitLine, columns, line_of_least_squares, settings


class Buffers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))
        self.register_buffer("running", torch.zeros(2))
        self.register_buffer("count", torch.tensor(0))


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 1, generator=generator)
    return Batch(x, target=2 * x + 1 + torch.randn(60, 1, generator=generator))


def parameters(task):
    return task.network.parameters_as_array()


@pytest.mark.parametrize("n_before", [0, 7, 100_000])
def test_average_follows_its_recursion(n_before):
    module = Buffers()
    average = AveragedWeights(module, n_before)
    expected, values = 0.0, np.random.default_rng(0).normal(size=23)
    for step, value in enumerate(values, start=1):
        with torch.no_grad():
            module.weight.fill_(value)
            module.running.fill_(-value)
            module.count += 1
        average.after_step()
        if step % STEPS_AT_ONCE == 0 or step == len(values):
            average.catch_up()
            n_steps, n_new = n_before + step, step % STEPS_AT_ONCE or STEPS_AT_ONCE
            kept = min(DECAY, (n_steps + 1) / (n_steps + 10)) ** n_new
            expected = kept * expected + (1 - kept) * value
    assert_allclose(average.task.weight.numpy(), expected, rtol=1e-5)
    assert_allclose(average.task.running.numpy(), -expected, rtol=1e-5)
    assert average.task.count == 23
    assert average.n_steps == n_before + 23
    assert not average.task.weight.requires_grad


def test_a_constant_is_its_own_average():
    module = Buffers()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.1, 1e-30, 3e30]))
    average = AveragedWeights(module)
    for _ in range(1000):
        average.after_step()
    assert_array_equal(average.task.weight.numpy(), module.weight.detach().numpy())


def test_averaged_weights_lie_nearer_to_the_optimum(data):
    """At a large constant rate the weights jump about the optimum; their average does not."""
    best = line_of_least_squares(*columns(data))
    distances = {}
    for average in (False, True):
        distances[average] = [
            np.abs(parameters(train(
                FitLine(), data,
                settings(max_iter=100, batch_size=5, learning_rate_init=0.1, average=average,
                         seed=seed),
            ).task) - best).max()
            for seed in range(8)
        ]  # fmt: skip
    assert np.mean(distances[True]) < 0.3 * np.mean(distances[False])


@pytest.mark.parametrize("n_validation", [0, 15])
def test_task_has_the_average_and_the_state_the_weights_in_training(n_validation, data):
    task = FitLine()
    made = settings(
        max_iter=4,
        average=True,
        keeps_state=True,
        n_validation=n_validation,
        n_rows=60,
        learning_rate_init=0.1,
    )
    result = train(task, data, made)
    assert result.task is task
    raw = result.state.weights
    assert raw["network.slope"].item() != task.network.slope.item()
    assert 0 < result.state.n_steps <= 24
    assert set(result.state.optimizers[0]) == {0, 1}
    assert train(FitLine(), data, settings(max_iter=1, keeps_state=False)).state is None


def test_a_fit_goes_on_with_both_sets_of_weights(data):
    """Two epochs at once and one after the other move alike, but for the order of the rows."""
    whole_batch = {"batch_size": 60, "average": True}
    at_once = train(FitLine(), data, settings(max_iter=20, **whole_batch))
    task, state, n_epochs = FitLine(), None, 0
    for _ in range(4):
        result = train(task, data, settings(max_iter=5, first_epoch=n_epochs, **whole_batch), state)
        state, n_epochs = result.state, n_epochs + 5
    assert state.n_steps == at_once.state.n_steps == 20
    for name, tensor in at_once.state.weights.items():
        assert_allclose(state.weights[name].numpy(), tensor.numpy(), rtol=1e-4)
    # the average looks at the weights at the end of each epoch, here of one step
    assert_allclose(parameters(task), parameters(at_once.task), rtol=1e-4)


def test_the_best_epoch_is_that_of_the_average(data):
    result = train(
        FitLine(), data,
        settings(max_iter=30, average=True, n_validation=15, n_rows=60, learning_rate_init=0.5,
                 batch_size=5, n_iter_no_change=100),
    )  # fmt: skip
    assert result.best_loss == min(result.validation_losses)
    held_out = torch.isin(
        torch.arange(60), torch.randperm(60, generator=torch.Generator().manual_seed(0))[:15]
    )
    losses = (result.task.network(data.x[held_out]) - data.target[held_out]).square().mean()
    assert_allclose(losses.item(), result.best_loss, rtol=1e-5)


def test_a_constant_rate_rises_over_the_first_steps_once(data):
    seen = []

    class Watch(FitLine):
        def forward(self, batch, generator):
            if self.training:
                seen.append(1)
            return super().forward(batch, generator)

    made = {"batch_size": 60, "learning_rate_init": 0.01, "average": True, "warms_up": True}
    first = train(Watch(), data, settings(max_iter=1, **made))
    assert first.net.optimizer_.param_groups[0]["lr"] == pytest.approx(0.01 / 50)
    more = train(Watch(), data, settings(max_iter=60, first_epoch=1, **made), first.state)
    assert more.net.optimizer_.param_groups[0]["lr"] == pytest.approx(0.01)
    last = train(Watch(), data, settings(max_iter=1, first_epoch=61, **made), more.state)
    assert last.net.optimizer_.param_groups[0]["lr"] == pytest.approx(0.01)
    assert len(seen) == 62


def test_one_cycle_is_laid_over_the_epochs_of_each_fit(data):
    """A cycle ends at a rate near zero; the next fit begins another one."""
    made = {"batch_size": 60, "learning_rate": "one_cycle", "learning_rate_init": 0.1}
    first = train(FitLine(), data, settings(max_iter=20, **made))
    assert first.net.optimizer_.param_groups[0]["lr"] < 0.002
    rates = []

    class Rates(FitLine):
        def begin_epoch(self, epoch):
            rates.append(epoch)

    again = train(Rates(), data, settings(max_iter=20, first_epoch=20, **made), first.state)
    assert rates == list(range(20, 40))
    assert again.net.optimizer_.param_groups[0]["lr"] == pytest.approx(
        first.net.optimizer_.param_groups[0]["lr"]
    )
    assert np.abs(parameters(again.task)).max() > 0.5


class Odd(torch.nn.Module):
    """A mask of infinities, a buffer that is replaced, and a weight that two modules share."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Linear(2, 2, bias=False)
        self.two = torch.nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("mean", torch.zeros(2))


def test_infinite_replaced_and_shared_tensors_are_averaged_once():
    module = Odd()
    average = AveragedWeights(module, 100_000)
    with torch.no_grad():
        before = average.task.one.weight.clone()
        module.one.weight.add_(1.0)
    module.mean = module.mean + 1.0
    for _ in range(STEPS_AT_ONCE):
        average.after_step()
    gone = 1 - DECAY**STEPS_AT_ONCE
    assert_allclose((average.task.one.weight - before).numpy(), gone, rtol=1e-3)
    assert average.task.two.weight is average.task.one.weight
    assert_allclose(average.task.mean.numpy(), gone, rtol=1e-3)
    assert_array_equal(average.task.mask.numpy(), module.mask.numpy())


def test_small_gains_count_together(data):
    """An epoch alone gains less than tol, several of them more: training goes on."""
    made = {
        "n_validation": 15,
        "n_rows": 60,
        "learning_rate_init": 1e-3,
        "batch_size": 45,
        "max_iter": 60,
    }
    slow = train(FitLine(), data, settings(tol=2e-3, n_iter_no_change=5, **made))
    gains = -np.diff(slow.validation_losses) / slow.validation_losses[1:]
    assert len(slow.loss_curve) == 60
    assert np.median(gains) < 2e-3
    assert (
        len(train(FitLine(), data, settings(tol=0.1, n_iter_no_change=5, **made)).loss_curve) < 60
    )


def test_first_steps_do_not_count_as_without_gain(data):
    made = {
        "n_validation": 15,
        "n_rows": 60,
        "batch_size": 9,
        "max_iter": 40,
        "tol": 10.0,
        "n_iter_no_change": 3,
    }
    # the first epoch has nothing to be compared with
    assert len(train(FitLine(), data, settings(**made)).loss_curve) == 4
    assert len(train(FitLine(), data, settings(patient_steps=50, **made)).loss_curve) == 12


def test_average_switched_off_goes_on_from_what_was_kept(data):
    first = train(FitLine(), data, settings(max_iter=4, average=True, learning_rate_init=0.3))
    kept = parameters(first.task)
    again = train(first.task, data, settings(max_iter=1, learning_rate_init=1e-9), first.state)
    assert_allclose(parameters(again.task), kept, atol=1e-5)
