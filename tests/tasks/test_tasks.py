"""Tasks: what the decoder is told of the encoder beside the code."""

import pytest
import torch
from torch import nn

from sklearn_ae.networks import AutoencoderNetwork, DenoisingNetwork
from sklearn_ae.tasks import DenoisingTask, ReconstructionTask


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
    task = ReconstructionTask(AutoencoderNetwork(Split(), Recording()), squared)
    half = n_rows // 2
    losses = task.train()(x, None)["reconstruction"]
    # one pass for all, so that a normalisation of batches sees them together
    assert task.network.decoder.told == [[half, half]]
    lost = x[:, 2] ** 2
    assert torch.equal(losses[:half], torch.zeros(half))
    assert torch.equal(losses[half:], lost[half:])
    task.network.decoder.told.clear()
    assert torch.equal(task.eval()(x, None)["reconstruction"], lost)
    task.predict(x)
    assert task.network.decoder.told == [None, None]


def test_denoiser_is_told_all_positions():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    network = DenoisingNetwork(Split(), Recording(), residual=False)
    task = DenoisingTask(network, squared, corruption=lambda x, generator: x)
    for task_in_mode in (task.train(), task.eval()):
        assert torch.equal(task_in_mode(x, None)["reconstruction"], torch.zeros(5))
    assert network.decoder.told == [[5, 5]] * 2
