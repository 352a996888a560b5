"""Outputs that learn to flatten beyond the range of the features that have one."""

import torch
from torch import nn

from sklearn_ae.networks.dense import FACTORY

# Slope that is left outside the limits, so that no output stops learning.
LEAST_SLOPE = 0.01


class OutputLimits(nn.Module):
    """The identity within limits, a trained slope outside them that starts at one.

    With ``c(u)`` the output ``u`` clipped to its limits, ``c(u) + a (u - c(u))``, where
    ``a = 0.01 + 0.99 exp(-bend)`` and ``bend`` starts at zero: the identity, so that a start
    is not disturbed. It spares the network the exact zeros of pixels, counts and indicators.
    Farther out than the limits are apart the slope is one again: such outputs are of rows unlike
    those seen, of which the limits say nothing.

    Parameters
    ----------
    limits : ndarray of shape (2, n_features)
        Lower and upper limits; infinite where a feature has none.
    """

    def __init__(self, limits):
        super().__init__()
        lower, upper = torch.from_numpy(limits)
        # of a constant feature no output is far
        width = torch.where(upper > lower, upper - lower, torch.inf)
        bounds = {
            "lower": lower,
            "upper": upper,
            "far_below": lower - width,
            "far_above": upper + width,
        }
        for name, bound in bounds.items():  # the estimator keeps them
            self.register_buffer(name, bound, persistent=False)
        self.bend = nn.Parameter(torch.zeros((), **FACTORY))

    def forward(self, x):
        """Limited outputs: (n, n_features) to the same shape."""
        near = torch.clamp(x, self.far_below, self.far_above)
        clipped = torch.clamp(x, self.lower, self.upper)
        slope = LEAST_SLOPE + (1.0 - LEAST_SLOPE) * torch.exp(-self.bend)
        return torch.lerp(clipped, near, slope) + (x - near)
