"""Distributions of the data given the decoder's output, as torch modules.

Each has ``log_density(output, x)`` of shape (...), summed over features, ``mean(output)`` and
``sample(output, generator)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from sklearn_ae.objectives.densities import (
    bernoulli_log_density,
    categorical_log_density,
    gaussian_log_density,
    laplace_log_density,
    poisson_log_density,
)
from sklearn_ae.objectives.links import SoftmaxLink

# Adam moves every parameter by about the learning rate per step. The logarithm of the variance
# may have several units to go, so one unit of the trained parameter stands for ten.
LOG_VARIANCE_STEP = 10.0

# The trained part of the variance comes on top of this, which bounds the density of data that
# are reconstructed exactly. The data have a mean variance of one.
SMALLEST_VARIANCE = 1e-6
# Floor of a likelihood that stays at a smaller variance, as a share of that.
FLOOR_OF_A_START = 0.5


class NoisyLikelihood(nn.Module):
    """Independent noise about the output, with a variance that is learnt or fixed.

    Parameters
    ----------
    variance : tensor of shape (n_features,)
        Where the variance of each feature starts, or what it stays at.
    per_feature : bool, default=False
        Whether each feature has a variance of its own.
    learned : bool, default=True
        Whether the variance is trained.
    """

    scaled_log_excess: nn.Parameter
    log_floor: torch.Tensor
    fixed_log_variance: torch.Tensor

    def __init__(
        self, variance: torch.Tensor, per_feature: bool = False, learned: bool = True
    ) -> None:
        super().__init__()
        if not per_feature:
            # exact where all are equal
            variance = variance[0] + (variance - variance[0]).mean()
        if learned:
            # a start may lie below what training allows
            least = max(float(variance.min()), torch.finfo(torch.float32).tiny)
            floor = min(SMALLEST_VARIANCE, FLOOR_OF_A_START * least)
            log_floor = torch.tensor(floor, dtype=torch.float32, device=variance.device).log()
            if floor < SMALLEST_VARIANCE:
                log_floor = log_floor.double()
            self.register_buffer("log_floor", log_floor)
            self.scaled_log_excess = nn.Parameter(torch.empty_like(variance))
            self._set_variance(variance, floor)
        else:
            # made from the part each time: the weights of training are rounded to float32
            self.register_buffer("fixed_log_variance", variance.log(), persistent=False)

    @torch.no_grad()
    def _set_variance(self, variance, floor):
        """Set the trained part of the variance, which comes on top of the floor."""
        excess = (variance.double() - floor).clamp(min=1e-3 * floor)
        self.scaled_log_excess.copy_(excess.log() / LOG_VARIANCE_STEP)

    @torch.no_grad()
    def bound_below(self) -> float | None:
        """Let the variance be at least what training allows; the logarithm of what it grew by.

        None where it was so already; see ``SMALLEST_VARIANCE``.
        """
        least = math.log(SMALLEST_VARIANCE)
        if not hasattr(self, "log_floor") or float(self.log_floor) > least - 1e-3:
            return None
        before = self.log_variance.clone()
        self.log_floor.fill_(least)
        self._set_variance(torch.exp(before), SMALLEST_VARIANCE)
        return float((self.log_variance - before).mean())

    @property
    def log_variance(self) -> torch.Tensor:
        """Logarithm of the variance, a tensor of shape () or (n_features,)."""
        if hasattr(self, "fixed_log_variance"):
            return self.fixed_log_variance
        return torch.logaddexp(self.scaled_log_excess * LOG_VARIANCE_STEP, self.log_floor)

    def mean(self, output: torch.Tensor) -> torch.Tensor:
        """Expected data."""
        return output


class GaussianLikelihood(NoisyLikelihood):
    """Normal distribution about the output."""

    def log_density(self, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Log density of ``x``, summed over features."""
        return gaussian_log_density(x, output, self.log_variance)

    def sample(self, output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Data drawn about the output."""
        noise = torch.empty_like(output).normal_(generator=generator)
        return output + noise * torch.exp(0.5 * self.log_variance)


class LaplaceLikelihood(NoisyLikelihood):
    """Laplace distribution about the output; its variance is twice the square of its scale."""

    @property
    def log_scale(self) -> torch.Tensor:
        """Logarithm of the scale, a tensor of shape () or (n_features,)."""
        return 0.5 * (self.log_variance - math.log(2.0))

    def log_density(self, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Log density of ``x``, summed over features."""
        return laplace_log_density(x, output, self.log_scale)

    def sample(self, output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Data drawn about the output."""
        size = torch.empty_like(output).exponential_(generator=generator)
        sign = torch.empty_like(output).bernoulli_(0.5, generator=generator).mul_(2.0).sub_(1.0)
        return output + sign * size * torch.exp(self.log_scale)


class PoissonLikelihood(nn.Module):
    """Independent counts, the logarithms of whose rates are the output."""

    def log_density(self, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Log probability of ``x``, summed over features."""
        return poisson_log_density(x, output)

    def mean(self, output: torch.Tensor) -> torch.Tensor:
        """Expected counts."""
        return torch.exp(output)

    def sample(self, output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Counts drawn with the output's rates."""
        return torch.poisson(torch.exp(output), generator=generator)


class BernoulliLikelihood(nn.Module):
    """Independent binary features whose logits are the output.

    Parameters
    ----------
    binarize : None or "dynamic"
        With "dynamic", values in [0, 1] are probabilities from which a binary row is drawn at
        each visit, as input and as target.
    """

    def __init__(self, binarize: Literal["dynamic"] | None = None) -> None:
        super().__init__()
        self.binarize = binarize

    def draw_target(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The data themselves, or a binary draw from them."""
        if self.binarize is None:
            return x
        return (torch.empty_like(x).uniform_(generator=generator) < x).to(x.dtype)

    def log_density(self, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Log probability of ``x``, summed over features."""
        return bernoulli_log_density(x, output)

    def mean(self, output: torch.Tensor) -> torch.Tensor:
        """Expected data, in [0, 1]."""
        return torch.sigmoid(output)

    def sample(self, output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Binary data drawn with the output's probabilities."""
        uniform = torch.empty_like(output).uniform_(generator=generator)
        return (uniform < torch.sigmoid(output)).to(output.dtype)


class CategoricalLikelihood(nn.Module):
    """One-hot groups of features whose logits are the output.

    Parameters
    ----------
    group_sizes : sequence of int, int or None
        Widths of the groups, in order; see `SoftmaxLink`.
    """

    link: SoftmaxLink

    def __init__(self, group_sizes: Sequence[int] | int | None = None) -> None:
        super().__init__()
        self.link = SoftmaxLink(group_sizes)

    def log_density(self, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Log probability of ``x``, summed over groups."""
        return categorical_log_density(x, output, self.link)

    def mean(self, output: torch.Tensor) -> torch.Tensor:
        """Probabilities of each group."""
        return self.link.inverse(output)

    def sample(self, output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """One-hot data drawn with the output's probabilities."""
        draws = []
        for group in self.link.groups(output):
            # Gumbel's trick: the largest of logits plus Gumbel noise is a categorical draw
            noise = -torch.empty_like(group).exponential_(generator=generator).log()
            chosen = (group + noise).argmax(dim=-1)
            draws.append(nn.functional.one_hot(chosen, group.shape[-1]).to(output.dtype))
        return torch.cat(draws, dim=-1)
