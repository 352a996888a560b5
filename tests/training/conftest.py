"""What the tests of the training loop are given."""

import pytest
import torch

from sklearn_ae._training import Batch


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(63, 1, generator=generator)
    return Batch(x, target=2 * x + 1 + 0.3 * torch.randn(63, 1, generator=generator))
