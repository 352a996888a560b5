"""Links: how the outputs of a decoder relate to data, as in scikit-learn's ``_loss/link.py``.

A link says the range of the data, whether rows are centred and scaled before the network sees
them, and how an output is read: ``inverse(output)`` is the expected data, ``link(mean)`` the output
that stands for a mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch


class Link(Protocol):
    """What a link has, ours or a user's."""

    @property
    def low(self) -> float:
        """Least value of the data."""
        ...

    @property
    def high(self) -> float:
        """Greatest value of the data."""
        ...

    @property
    def scales_rows(self) -> bool:
        """Whether rows are centred and scaled before the network sees them."""
        ...

    def link(self, mean: torch.Tensor) -> torch.Tensor:
        """The output that stands for a mean."""
        ...

    def inverse(self, output: torch.Tensor) -> torch.Tensor:
        """The expected data."""
        ...


class IdentityLink:
    """Outputs are data, centred and scaled."""

    low: float = -math.inf
    high: float = math.inf
    scales_rows: bool = True

    def link(self, mean: torch.Tensor) -> torch.Tensor:
        """The mean itself."""
        return mean

    def inverse(self, output: torch.Tensor) -> torch.Tensor:
        """The output itself."""
        return output


class LogitLink:
    """Outputs are logits of values in [0, 1]."""

    low: float = 0.0
    high: float = 1.0
    scales_rows: bool = False

    def link(self, mean: torch.Tensor) -> torch.Tensor:
        """``log(mean / (1 - mean))``."""
        return torch.log(mean) - torch.log1p(-mean)

    def inverse(self, output: torch.Tensor) -> torch.Tensor:
        """``1 / (1 + exp(-output))``."""
        return torch.sigmoid(output)


class LogLink:
    """Outputs are logarithms of values that are not negative, such as counts."""

    low: float = 0.0
    high: float = math.inf
    scales_rows: bool = False

    def link(self, mean: torch.Tensor) -> torch.Tensor:
        """``log(mean)``."""
        return torch.log(mean)

    def inverse(self, output: torch.Tensor) -> torch.Tensor:
        """``exp(output)``."""
        return torch.exp(output)


class SoftmaxLink:
    """Outputs are logits of groups of values that add up to one.

    Parameters
    ----------
    group_sizes : sequence of int, int or None
        Widths of the groups, in order; an int for equal widths, None for one group of all.
    """

    low: float = 0.0
    high: float = 1.0
    scales_rows: bool = False

    def __init__(self, group_sizes: Sequence[int] | int | None = None) -> None:
        self.group_sizes = group_sizes

    def groups(self, output: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The groups of an output, as a tuple of tensors of shape (..., width)."""
        sizes: Any = output.shape[-1] if self.group_sizes is None else self.group_sizes
        if hasattr(sizes, "__index__"):  # an int, of numpy too
            return output.split(int(sizes), dim=-1)
        return output.split([int(size) for size in sizes], dim=-1)

    def link(self, mean: torch.Tensor) -> torch.Tensor:
        """``log(mean)``, which differs from the logits by a constant in each group."""
        return torch.log(mean)

    def inverse(self, output: torch.Tensor) -> torch.Tensor:
        """Softmax within each group."""
        return torch.cat([torch.softmax(group, dim=-1) for group in self.groups(output)], dim=-1)


LINKS: dict[str, Link] = {"identity": IdentityLink(), "logit": LogitLink(), "log": LogLink()}


def make_link(link: str | Link) -> Link:
    """A link by its name; a link is handed back."""
    if isinstance(link, str):
        if link not in LINKS:
            raise ValueError(f"Unknown link {link!r}; use one of {sorted(LINKS)}, or a link.")
        return LINKS[link]
    if isinstance(link, type):
        raise TypeError(f"A link must be an instance; got the class {link.__name__}.")
    for name in ("low", "high", "scales_rows", "link", "inverse"):
        if not hasattr(link, name):
            raise TypeError(
                f"A link must be one of {sorted(LINKS)} or have low, high, scales_rows, "
                f"link(mean) and inverse(output); {type(link).__name__} has no {name}."
            )
    return link
