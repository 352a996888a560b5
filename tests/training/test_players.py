"""Tasks of two players, each with an optimiser of its own, which take turns in every step."""

import numpy as np
import pytest
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae._fitting.plan import split_rows
from sklearn_ae._training import Batch, train
from sklearn_ae.tasks import Task
from tests.training.toys import Line, WatchBatches, line_of_least_squares, settings


class TwoPlayers(Task):
    """Writes down who was asked for an objective."""

    players = ("network", "other")

    def __init__(self, network, other):
        super().__init__()
        self.network, self.other = network, other
        self.asked = []

    def modules_of(self, player):
        return getattr(self, player).modules()

    def terms(self, player, batch, generator):
        self.asked.append((player, self.training))
        return super().terms(player, batch, generator) | {"its": self.own(player, batch)}

    def forward(self, batch, generator):
        return {"nothing": torch.zeros(len(batch.x))}


class TwoLines(TwoPlayers):
    """Each player fits a column of the target by a line in x."""

    def __init__(self):
        super().__init__(Line(), Line())

    def own(self, player, batch):
        column = batch.target[:, :1] if player == "network" else batch.target[:, 1:]
        return (getattr(self, player)(batch.x) - column).square().sum(1)

    def lines(self):
        return [line.parameters_as_array() for line in (self.network, self.other)]


class Number(torch.nn.Module):
    """One number, which a player chooses."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value, dtype=torch.float32))
        self.autocast_dtype = None

    def forward(self, x):
        return self.value.expand(x.shape)


class Game(TwoPlayers):
    """``(a - x)^2 / 2 + coupling a b`` and ``(b - y)^2 / 2 - coupling a b``, times ``stakes``."""

    def __init__(self, a=0.0, b=0.0, coupling=0.5, stakes=(1.0, 1.0)):
        super().__init__(Number(a), Number(b))
        self.coupling, self.stakes = coupling, stakes
        self.seen = []

    def own(self, player, batch):
        a, b = self.network.value, self.other.value
        self.seen.append((player, *self.values()))
        product = self.coupling * a * b
        if player == "network":
            return self.stakes[0] * ((a - batch.x[:, 0]).square() / 2 + product)
        return self.stakes[1] * ((b - batch.target[:, 0]).square() / 2 - product)

    def values(self):
        return self.network.value.item(), self.other.value.item()


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(63, 1, generator=generator)
    noise = torch.randn(63, 2, generator=generator)
    return Batch(x, target=torch.cat([2 * x + 1, 3 - x], dim=1) + 0.3 * noise)


@pytest.fixture
def shifted(data):
    return Batch(data.x + 2, target=data.target[:, 1:])


def least_squares(data, column, ridge=0.0):
    x, y = data.x.double().numpy()[:, 0], data.target.double().numpy()[:, column]
    return line_of_least_squares(x, y, ridge=ridge)


@pytest.mark.parametrize("learning_rate, rate", [("one_cycle", 0.1), ("constant", 0.02)])
def test_two_players_find_their_own_least_squares_lines(learning_rate, rate, data):
    task = TwoLines()
    result = train(
        task, data,
        settings(max_iter=600, learning_rate=learning_rate, learning_rate_init=rate,
                 batch_size=63),
    )  # fmt: skip
    for column, line in enumerate(task.lines()):
        assert_allclose(line, least_squares(data, column), atol=2e-3)
    (rate_of_first, rate_of_second) = (o.param_groups[0]["lr"] for _, o in result.net.turns)
    assert rate_of_first == rate_of_second
    assert (rate_of_first < 1e-3) == (learning_rate == "one_cycle")
    assert result.net.turns[0] == ("network", result.net.optimizer_)


def test_another_player_does_not_change_what_the_first_one_does(data):
    class Alone(TwoLines):
        players = ("network",)

    found = []
    for kind in (TwoLines, Alone):
        task = kind()
        result = train(task, data, settings(max_iter=5, n_validation=10))
        found.append((task.lines(), result.loss_curve, result.validation_losses))
    ((both, *curves), (alone, *curves_alone)) = found
    assert_array_equal(both[0], alone[0])
    assert curves == curves_alone
    assert_array_equal(alone[1], [0.0, 0.0])
    assert np.abs(both[1]).min() > 0.1


def test_players_reach_an_equilibrium_and_not_the_least_sum(shifted):
    """At the equilibrium each player's derivative in its own number is zero."""
    task = Game()
    train(
        task, shifted,
        settings(max_iter=600, batch_size=63, learning_rate="one_cycle", learning_rate_init=0.1),
    )  # fmt: skip
    x, y = (field.mean().item() for field in shifted)
    a, b = np.linalg.solve([[1, 0.5], [-0.5, 1]], [x, y])
    assert_allclose(task.values(), [a, b], atol=2e-3)
    # of the sum of both objectives the products cancel, and the least is at the means
    assert np.abs([a - x, b - y]).min() > 0.2


def test_players_take_turns_in_every_step(shifted):
    task = Game(a=9.0, b=-9.0, coupling=0.0)
    train(task, shifted, settings(max_iter=1, batch_size=20, learning_rate_init=0.01))
    assert task.asked == [("network", True), ("other", True)] * 4
    # the first step of Adam moves by the learning rate; the second player sees it
    expected = [("network", 9.0, -9.0), ("other", 8.99, -9.0), ("network", 8.99, -8.99)]
    for (player, *values), (expected_player, *moved) in zip(task.seen, expected, strict=False):
        assert player == expected_player
        assert_allclose(values, moved, rtol=1e-6)


@pytest.mark.parametrize("idle", [0, 1])
def test_player_moves_its_own_parameters_only(idle, shifted):
    """The other player's objective has a gradient in them too, which is not used."""
    stakes = np.ones(2)
    stakes[idle] = 0.0
    start = (1.0, -2.0)
    task = Game(*start, stakes=stakes)
    train(task, shifted, settings(max_iter=3))
    assert task.values()[idle] == start[idle]
    assert abs(task.values()[1 - idle] - start[1 - idle]) > 0.1


@pytest.mark.parametrize("batch_size", [7, 63])
def test_objective_of_the_first_player_is_recorded(batch_size, shifted):
    task = Game(a=0.5, b=-1.0)
    result = train(
        task, shifted,
        settings(batch_size=batch_size, learning_rate_init=1e-12, n_validation=20),
    )  # fmt: skip
    (rows,) = split_rows(63, 20, 1, 0)
    for curve, indices in zip((result.loss_curve, result.validation_losses), rows, strict=True):
        x = shifted.x[indices].double().numpy()
        assert_allclose(curve, [((0.5 - x) ** 2 / 2 + 0.5 * 0.5 * -1.0).mean()], rtol=1e-5)
    assert result.best_loss == result.validation_losses[0]


def test_rows_held_out_judge_the_first_player_alone(shifted):
    """Too large a rate makes the losses jump about; both players return to the best epoch."""
    task, epochs = Game(), []
    result = train(
        task, shifted,
        settings(max_iter=25, n_validation=20, learning_rate_init=1.0, n_iter_no_change=100,
                 on_epoch=lambda net, last: epochs.append(task.values())),
    )  # fmt: skip
    assert {player for player, training in task.asked if not training} == {"network"}
    losses = result.validation_losses
    assert result.best_loss == min(losses) < losses[-1]
    assert task.values() == epochs[int(np.argmin(losses))]


def test_the_gate_puts_every_player_back(shifted):
    ((_, held_out),) = split_rows(63, 20, 1, 0)
    start = (shifted.x[held_out].mean().item(), -3.0)
    task = Game(*start, coupling=0.0)
    result = train(task, shifted, settings(max_iter=5, n_validation=20, gate=True))
    assert result.start_kept
    assert task.values() == pytest.approx(start, rel=1e-6)
    assert task.seen[-1][2] != start[1]


def test_alpha_acts_on_the_weights_of_every_player(data):
    task = TwoLines()
    train(task, data, settings(max_iter=600, learning_rate_init=0.02, batch_size=63, alpha=1.0))
    for column, line in enumerate(task.lines()):
        assert_allclose(line, least_squares(data, column, ridge=0.5), atol=2e-3)


def test_states_of_all_optimisers_are_kept_and_loaded(data):
    def fit(*lengths, forget=None):
        task, state = TwoLines(), None
        for n_epochs in lengths:
            state = train(task, data, settings(max_iter=n_epochs, batch_size=63), state).state
            assert [len(one) for one in state.optimizers] == [2, 2]
            if forget is not None:
                state.optimizers[forget] = {}
        return task.lines()

    whole, halves = fit(6), fit(3, 3)
    for one, two in zip(whole, halves, strict=True):
        assert_allclose(two, one, rtol=1e-5)
    for forgetful in (0, 1):
        lines = fit(3, 3, forget=forgetful)
        assert np.abs(lines[forgetful] - whole[forgetful]).max() > 1e-3
        assert_allclose(lines[1 - forgetful], whole[1 - forgetful], rtol=1e-5)


class CountGradients(skorch.callbacks.Callback):
    """Counts how often gradients were there to be seen."""

    def __init__(self, counts):
        self.counts = counts

    def __deepcopy__(self, memo):
        return self

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.counts.append(len(list(named_parameters)))


def test_callbacks_see_every_players_gradients_and_change_nothing(data):
    curves, lines, counts = [], [], []
    for callbacks in ([], [WatchBatches(), CountGradients(counts)]):
        task = TwoLines()
        result = train(task, data, settings(max_iter=2, n_validation=10, callbacks=callbacks))
        curves.append(result.loss_curve + result.validation_losses)
        lines.append(np.concatenate(task.lines()))
    assert_allclose(curves[1], curves[0], rtol=1e-6)
    assert_allclose(lines[1], lines[0], rtol=1e-6)
    # two epochs of six batches, two players, four parameters in all
    assert counts == [4] * 24
