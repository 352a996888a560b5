"""Reconstruction losses of shape (n,), summed over features."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Sum over features of ``(output - target)**2``."""
    # one pass over the features each way, where a difference that is squared takes more
    return functional.mse_loss(output, target, reduction="none").sum(-1)


def absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """Sum over features of ``|output - target|``."""
    return (output - target).abs().sum(-1)


def huber(output: Tensor, target: Tensor, delta: float = 1.35) -> Tensor:
    """Sum over features of Huber's loss.

    For an error e it is ``e**2 / 2`` up to ``|e| = delta`` and
    ``delta * (|e| - delta / 2)`` beyond (Huber 1964, doi:10.1214/aoms/1177703732).
    """
    return functional.huber_loss(output, target, reduction="none", delta=delta).sum(-1)


def log_loss(output: Tensor, target: Tensor) -> Tensor:
    """Sum over features of the cross entropy of targets in [0, 1] with ``sigmoid(output)``."""
    # softplus(l) - x l is the cross entropy with nothing to cancel or to clip
    return (functional.softplus(output) - target * output).sum(-1)
