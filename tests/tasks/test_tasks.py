"""Tasks: terms of a batch, and what the decoder is told of the encoder beside the code."""

import pytest
import torch
from torch import nn

from sklearn_ae._training import Batch
from sklearn_ae.networks import AutoencoderNetwork, DenoisingNetwork
from sklearn_ae.objectives import make_link
from sklearn_ae.tasks import DenoisingTask, ReconstructionTask, Task

IDENTITY = make_link("identity")


class Split(nn.Module):
    """The first two values of a row are its code, the third its position."""

    def forward(self, x):
        return x[:, :2], [x[:, 2:], x[:, 2:] + 1]


class Recording(nn.Module):
    """Writes down for how many rows it is told positions, and adds these."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, code, positions=None):
        self.told.append(None if positions is None else [len(where) for where in positions])
        output = nn.functional.pad(code, (0, 1))
        if positions is not None:
            known = len(positions[0])
            output[:known, 2:] += positions[0]
        return output


def squared(output, x):
    return (output - x).square().sum(1)


@pytest.mark.parametrize("n_rows", [1, 2, 3, 8, 9])
def test_half_of_the_rows_have_positions_in_training_and_none_later(n_rows):
    x = torch.randn(n_rows, 3, generator=torch.Generator().manual_seed(0))
    task = ReconstructionTask(AutoencoderNetwork(Split(), Recording()), squared, IDENTITY)
    half = n_rows // 2
    losses = task.train()(Batch(x), None)["reconstruction"]
    # all go together, so that a normalisation of batches sees them together
    assert task.network.decoder.told == [[half, half]]
    lost = x[:, 2] ** 2
    assert torch.equal(losses[:half], torch.zeros(half))
    assert torch.equal(losses[half:], lost[half:])
    task.network.decoder.told.clear()
    assert torch.equal(task.eval()(Batch(x), None)["reconstruction"], lost)
    task.predict(x)
    assert task.network.decoder.told == [None, None]


def test_denoiser_is_told_all_positions():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    network = DenoisingNetwork(Split(), Recording(), residual=False)
    task = DenoisingTask(network, squared, IDENTITY, corruption=lambda x, generator: x)
    for task_in_mode in (task.train(), task.eval()):
        assert torch.equal(task_in_mode(Batch(x), None)["reconstruction"], torch.zeros(5))
    assert network.decoder.told == [[5, 5]] * 2


def test_denoiser_is_judged_by_the_target_of_a_batch_that_has_one():
    """Such rows are corrupted already; others are corrupted, and are their own target."""
    x, clean = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    network = DenoisingNetwork(Split(), Recording(), residual=False)
    task = DenoisingTask(network, squared, IDENTITY, corruption=lambda x, generator: x + 1)
    found = task(Batch(x, target=clean), None)["reconstruction"]
    torch.testing.assert_close(found, squared(x, clean))
    found = task(Batch(x), None)["reconstruction"]
    torch.testing.assert_close(found, torch.full((5,), 3.0))


def test_reconstruction_is_of_the_clean_rows_and_a_penalty_is_a_term_of_its_own():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    generator, weight = torch.Generator(), torch.ones((), requires_grad=True)
    given = []

    def penalty(x, code, encode, generator):
        given.extend([x, generator])
        torch.testing.assert_close(encode(x), code)
        return weight * code.abs().sum(1)

    task = ReconstructionTask(
        AutoencoderNetwork(Split(), Recording()),
        squared,
        IDENTITY,
        corruption=lambda x, generator: x + 1,
        penalty=penalty,
    )
    for training in (True, False):
        terms = task.train(training)(Batch(x), generator)
        assert set(terms) == {"reconstruction", "penalty"}
        # two values are off by one, and of the third nothing is told
        lost = 2 + x[:, 2] ** 2
        if training:
            lost[:2] = 3.0  # the first rows have their positions
        torch.testing.assert_close(terms["reconstruction"], lost)
        torch.testing.assert_close(terms["penalty"].detach(), (x + 1)[:, :2].abs().sum(1))
        assert terms["penalty"].requires_grad == training
        assert torch.equal(given[0], x + 1) and given[1] is generator


@pytest.mark.parametrize("link", ["identity", "logit", "log"])
def test_expected_data_are_read_by_the_link(link):
    output = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    task = ReconstructionTask(nn.Identity(), squared, make_link(link))
    torch.testing.assert_close(task.expected(output), make_link(link).inverse(output))
    assert torch.equal(task.row_error(output, output + 1), squared(output, output + 1))


def test_task_has_one_player_that_moves_everything():
    class Doubled(Task):
        def __init__(self):
            super().__init__()
            self.network = nn.Linear(3, 3)

        def forward(self, batch, generator):
            return {"double": 2 * self.network(batch.x).sum(1)}

    task, x = Doubled(), torch.ones(4, 3)
    assert task.players == ("network",)
    assert set(task.modules_of("network")) == {task, task.network}
    terms = task.terms("network", Batch(x), None)
    assert torch.equal(terms["double"], 2 * task.network(x).sum(1))
    assert torch.equal(task.predict(x), task.network(x))
    assert task.expected(x) is x and task.begin_epoch(3) is None
