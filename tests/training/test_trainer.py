"""The training loop on networks of two parameters, whose optimum is known."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import sem

from sklearn_ae._compute import chunks
from sklearn_ae._fitting.plan import split_rows
from sklearn_ae._training import Batch, train
from sklearn_ae._training.batches import IndexBatches, RowsOnDevice
from sklearn_ae._training.cuda_graph import CapturedSteps
from sklearn_ae._training.run import gains_significantly
from sklearn_ae.tasks import Task
from tests.training.toys import (
    FitLine,
    WatchBatches,
    columns,
    line_of_least_squares,
    settings,
)


def weighted(data, weight):
    return Batch(data.x, target=data.target, weight=weight)


def parameters(task):
    return task.network.parameters_as_array()


def least_squares(data, weight=None, ridge=0.0):
    return line_of_least_squares(*columns(data), weight, ridge)


@pytest.mark.parametrize("learning_rate", ["one_cycle", "constant"])
def test_training_finds_the_least_squares_line(learning_rate, data):
    task = FitLine()
    rate = 0.1 if learning_rate == "one_cycle" else 0.02
    result = train(
        task, data,
        settings(max_iter=300, learning_rate=learning_rate, learning_rate_init=rate,
                 batch_size=63),
    )  # fmt: skip
    assert_allclose(parameters(task), least_squares(data), atol=2e-3)
    x, y = columns(data)
    residual = y - 2 * x
    assert result.loss_curve[-1] < residual.var()
    assert len(result.loss_curve) == 300
    assert not task.training


def test_weights_give_the_weighted_line(data):
    weight = torch.linspace(0, 2, 63)
    task = FitLine()
    train(
        task, weighted(data, weight), settings(max_iter=400, learning_rate_init=0.02, batch_size=63)
    )
    expected = least_squares(data, weight.numpy())
    assert_allclose(parameters(task), expected, atol=2e-3)
    assert np.abs(expected - least_squares(data)).max() > 5e-3


def test_alpha_is_half_the_squared_norm_of_the_weights(data):
    """The minimised formula is loss + alpha / 2 ||w||^2: a ridge of alpha / 2 on the slope."""
    task = FitLine()
    train(task, data, settings(max_iter=600, learning_rate_init=0.02, batch_size=63, alpha=1.0))
    assert_allclose(parameters(task), least_squares(data, ridge=0.5), atol=2e-3)


def test_weight_decay_takes_a_share_of_the_weights_alone(data):
    """A step takes that share off the slope before it moves it; the bias is spared."""
    task = FitLine(4.0, 4.0)
    train(task, data, settings(batch_size=63, learning_rate_init=0.01, weight_decay=0.05))
    assert_allclose(parameters(task), [4.0 * (1 - 0.05) - 0.01, 4.0 - 0.01], rtol=1e-4)


def test_first_step_of_adam_moves_by_the_learning_rate(data):
    task = FitLine()
    train(task, data, settings(batch_size=63, learning_rate_init=0.01))
    assert_allclose(parameters(task), [0.01, 0.01], rtol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 7, 31, 62, 63, 100])
def test_loss_of_an_epoch_is_the_mean_over_rows(batch_size, data):
    task = FitLine(0.5, -1.0)
    result = train(task, data, settings(batch_size=batch_size, learning_rate_init=1e-12))
    x, y = columns(data)
    assert_allclose(result.loss_curve, [((0.5 * x - 1 - y) ** 2).mean()], rtol=1e-5)


@pytest.mark.parametrize("batch_size", [7, 31, 63])
def test_weighted_loss_of_an_epoch_is_the_weighted_mean(batch_size, data):
    weight = torch.linspace(0, 2, 63)
    result = train(
        FitLine(0.5, -1.0),
        weighted(data, weight),
        settings(batch_size=batch_size, learning_rate_init=1e-12),
    )
    x, y = columns(data)
    expected = np.average((0.5 * x - 1 - y) ** 2, weights=weight.numpy())
    assert_allclose(result.loss_curve, [expected], rtol=1e-5)


def test_slow_path_equals_the_fast_one(data):
    curves, found = [], []
    for callbacks in ([], [WatchBatches()]):
        task = FitLine()
        made = settings(max_iter=5, n_validation=10, n_rows=len(data.x), callbacks=callbacks)
        result = train(task, data, made)
        curves.append(result.loss_curve + result.validation_losses)
        found.append(parameters(task))
    assert_allclose(curves[0], curves[1], rtol=1e-6)
    assert_allclose(found[0], found[1], rtol=1e-6)


class Classify(Task):
    """Logits of the class of an image."""

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
        self.network.autocast_dtype = None
        for parameter in self.network.parameters():
            torch.nn.init.zeros_(parameter)

    def forward(self, batch, generator):
        logits = self.network(batch.x)
        loss = torch.nn.functional.cross_entropy(logits, batch.target, reduction="none")
        return {"cross entropy": loss}


class Pairs(WatchBatches):
    """Writes down the pairs that come by."""

    def __init__(self, seen):
        self.seen = seen

    def __deepcopy__(self, memo):
        return self

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        x, y = batch
        self.seen.append((x.dtype, tuple(x.shape[1:]), y.dtype, tuple(y.shape[1:]), len(x)))


def test_images_and_their_classes_reach_the_task_and_the_callbacks():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 1, 3, 4, generator=generator)
    target = x.flatten(1)[:, :3].argmax(1)
    curves, seen = [], []
    for callbacks in ([], [Pairs(seen)]):
        task = Classify()
        result = train(
            task, Batch(x, target=target),
            settings(max_iter=30, n_validation=10, n_rows=50, n_iter_no_change=30,
                     callbacks=callbacks),
        )  # fmt: skip
        curves.append(result.loss_curve + result.validation_losses)
        assert (task.predict(x).argmax(1) == target).float().mean() > 0.9
    assert_allclose(curves[1], curves[0], rtol=1e-5)
    assert set(seen) == {(torch.float32, (1, 3, 4), torch.int64, (), 10)}
    assert len(seen) == 30 * 5


class NormTask(FitLine):
    """A task whose network has a state that a forward pass changes."""

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2))
        self.network.autocast_dtype = None
        with torch.no_grad():
            self.network[1].weight.fill_(0.3)
            self.network[1].bias.zero_()

    def forward(self, batch, generator):
        return {"fit": (self.network(batch.x) - batch.x).square().sum(1)}


def test_slow_path_does_not_pass_rows_twice(data):
    states = []
    for callbacks in ([], [WatchBatches()]):
        task = NormTask()
        train(task, Batch(torch.cat(data, dim=1)), settings(max_iter=2, callbacks=callbacks))
        states.append(task.state_dict())
    for name in states[0]:
        assert_allclose(states[1][name].numpy(), states[0][name].numpy(), rtol=1e-5, err_msg=name)


def test_graph_runner_falls_back_to_plain_steps(data):
    """Batches that the graph does not serve go the plain way, which needs no card."""
    plain, fallback = FitLine(), FitLine()
    expected = train(plain, data, settings()).loss_curve
    result = train(fallback, data, settings(max_iter=0))
    assert not CapturedSteps.applies(result.net)
    rows = RowsOnDevice(data, torch.arange(63))
    batches = IndexBatches(rows, 10, result.net.generator)
    result.net._set_training(True)
    total = CapturedSteps(result.net, batch_size=10**6).run(batches)
    assert_allclose([total.item() / 63], expected, rtol=1e-6)
    assert_allclose(parameters(fallback), parameters(plain), rtol=1e-6)


# What decides


def test_the_gate_keeps_a_start_at_the_optimum(data):
    best = least_squares(data)
    task = FitLine(*best)
    result = train(
        task, data,
        settings(max_iter=5, n_validation=20, gate=True, learning_rate_init=1.0),
    )  # fmt: skip
    assert result.start_kept
    assert_array_equal(parameters(task), best.astype(np.float32))
    assert len(result.loss_curve) == len(result.validation_losses) == 5


def test_the_gate_lets_a_better_network_through(data):
    task = FitLine()
    result = train(task, data, settings(max_iter=60, n_validation=20, gate=True))
    assert not result.start_kept
    assert np.abs(parameters(task) - least_squares(data)).max() < 0.3


@pytest.mark.parametrize(
    ("n", "factor", "expected"),
    [(30, 0.95, False), (30, 1.1, True), (6, 1.25, False), (6, 1.33, True)],
)
def test_the_gate_asks_for_one_standard_error(n, factor, expected):
    """With few rows that of Student's t."""
    gain = np.random.default_rng(0).normal(size=n)
    gain += factor * sem(gain) - gain.mean()
    before = torch.from_numpy(gain)
    assert gains_significantly(before, torch.zeros(n), None) is expected
    assert gains_significantly(before, torch.zeros(n), torch.full((n,), 3.0)) is expected


def test_the_gate_does_not_judge_by_three_rows():
    assert not gains_significantly(torch.tensor([2.0, 2.1, 2.0]), torch.zeros(3), None)


def test_the_gate_counts_weights():
    before = torch.tensor([1.0, 1.1, 0.9, 1.0, -5.0, -5.1, -4.9, -5.0])
    after = torch.zeros(8)
    heavy_gain = torch.tensor([1.0] * 4 + [1e-6] * 4)
    assert not gains_significantly(before, after, None)
    assert gains_significantly(before, after, heavy_gain)
    assert not gains_significantly(before, after, heavy_gain.flip(0))


def test_best_weights_are_restored(data):
    """A rate that is far too large makes the loss jump about; the best epoch is returned."""
    task = FitLine()
    result = train(
        task, data,
        settings(max_iter=25, n_validation=20, learning_rate_init=1.5, n_iter_no_change=100),
    )  # fmt: skip
    losses = result.validation_losses
    assert losses[-1] > min(losses)
    assert result.best_loss == min(losses)
    ((_, held_out),) = split_rows(63, 20, 1, 0)
    with torch.no_grad():
        found = task(data.map(lambda field: field[held_out]), None)["fit"].mean().item()
    assert_allclose(found, min(losses), rtol=1e-5)


def test_without_validation_the_last_weights_are_returned(data):
    one, two = FitLine(), FitLine()
    train(one, data, settings(max_iter=4))
    seen = []
    train(
        two,
        data,
        settings(max_iter=4, on_epoch=lambda net, last: seen.append(parameters(two))),
    )
    assert_array_equal(parameters(one), seen[-1])
    assert len(seen) == 4
    assert two.epochs == [0, 1, 2, 3]


@pytest.mark.parametrize("patience", [1, 3])
def test_constant_rate_stops_when_nothing_is_gained(patience, data):
    result = train(
        FitLine(), data,
        settings(max_iter=50, n_validation=20, tol=1e6, n_iter_no_change=patience),
    )  # fmt: skip
    # The first epoch has nothing to be compared with.
    assert len(result.loss_curve) in (patience, patience + 1)


def test_one_cycle_never_stops_early(data):
    result = train(
        FitLine(), data,
        settings(max_iter=12, n_validation=20, tol=1e6, n_iter_no_change=1,
                 learning_rate="one_cycle"),
    )  # fmt: skip
    assert len(result.loss_curve) == 12


def test_a_true_answer_after_an_epoch_stops_training(data):
    result = train(
        FitLine(), data,
        settings(max_iter=50, on_epoch=lambda result, last: len(result.loss_curve) == 3),
    )  # fmt: skip
    assert len(result.loss_curve) == 3


class BreakAt(FitLine):
    factor = 1.0

    def begin_epoch(self, epoch):
        super().begin_epoch(epoch)
        self.factor = float("nan") if epoch == 2 else 1.0

    def forward(self, batch, generator):
        return {"fit": self.factor * super().forward(batch, generator)["fit"]}


@pytest.mark.parametrize("n_validation", [0, 20])
def test_a_non_finite_loss_raises_and_names_the_epoch(n_validation, data):
    task = BreakAt()
    with pytest.raises(FloatingPointError, match=r"epoch 3.*learning_rate_init"):
        train(task, data, settings(max_iter=5, n_validation=n_validation))
    assert task.epochs == [0, 1, 2]


def test_an_optimiser_state_continues_where_it_ended(data):
    whole = FitLine()
    train(whole, data, settings(max_iter=6, batch_size=63))
    halves = FitLine()
    state = train(halves, data, settings(max_iter=3, batch_size=63)).state
    train(halves, data, settings(max_iter=3, batch_size=63), state)
    assert_allclose(parameters(halves), parameters(whole), rtol=1e-5)
    forgetful = FitLine()
    for _ in range(2):
        train(forgetful, data, settings(max_iter=3, batch_size=63))
    assert np.abs(parameters(forgetful) - parameters(whole)).max() > 1e-3


def test_epochs_are_counted_on_and_have_an_order_of_their_own(data):
    found = []
    for first_epoch in (0, 0, 4):
        task = FitLine()
        train(task, data, settings(max_iter=3, first_epoch=first_epoch))
        assert task.epochs == [first_epoch, first_epoch + 1, first_epoch + 2]
        found.append(parameters(task))
    assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_rows_held_out_are_judged_in_chunks_of_bounded_width(data, monkeypatch):
    sizes, curves = [], []

    class Watch(FitLine):
        def forward(self, batch, generator):
            if not self.training:
                sizes[-1].append(len(batch.x))
            return super().forward(batch, generator)

    monkeypatch.setattr(chunks, "CHUNK_NUMBERS", 90)
    for width in (1, 10):
        sizes.append([])
        result = train(Watch(), data, settings(n_validation=21, width=width))
        curves.append(result.validation_losses)
    assert sizes == [[21], [9, 9, 3]]
    assert_allclose(curves[1], curves[0], rtol=1e-6)


def test_seeds_decide_order_and_noise(data):
    def fit(seed):
        task = FitLine()
        train(task, data, settings(max_iter=3, seed=seed))
        return parameters(task)

    before = torch.get_rng_state()
    assert_array_equal(fit(0), fit(0))
    assert not np.array_equal(fit(0), fit(1))
    assert torch.equal(torch.get_rng_state(), before)
