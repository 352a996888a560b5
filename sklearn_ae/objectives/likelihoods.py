"""Distributions of the data given the decoder's output, as torch modules."""

import torch
from torch import nn

from sklearn_ae.objectives.densities import (
    bernoulli_log_density,
    categorical_log_density,
    gaussian_log_density,
)

# Adam moves every parameter by about the learning rate per step. The logarithm of the variance
# may have several units to go, so one unit of the trained parameter stands for ten.
LOG_VARIANCE_STEP = 10.0

# The trained part of the variance comes on top of this, which bounds the density of data that
# are reconstructed exactly. The data have a mean variance of one.
SMALLEST_VARIANCE = 1e-6


class GaussianLikelihood(nn.Module):
    """Normal distribution about the output, with a learnt variance.

    Parameters
    ----------
    variance : tensor of shape () or (n_features,)
        Where the variance starts: one for all features, or one each.
    """

    def __init__(self, variance):
        super().__init__()
        self.register_buffer("log_floor", torch.tensor(SMALLEST_VARIANCE).log(), persistent=False)
        self.scaled_log_excess = nn.Parameter(torch.zeros_like(variance))
        self.set_variance(variance)

    def set_variance(self, variance):
        """Set the variance: a number for all features, or a tensor of the parameter's shape."""
        with torch.no_grad():
            excess = torch.as_tensor(variance, dtype=torch.float64) - SMALLEST_VARIANCE
            excess = excess.clamp(min=1e-3 * SMALLEST_VARIANCE)
            self.scaled_log_excess.copy_(excess.log() / LOG_VARIANCE_STEP)

    @property
    def log_variance(self):
        """Logarithm of the variance, a tensor of shape () or (n_features,)."""
        return torch.logaddexp(self.scaled_log_excess * LOG_VARIANCE_STEP, self.log_floor)

    def draw_target(self, x, generator):
        """The data themselves."""
        return x

    def log_density(self, output, x):
        """Log density of ``x``, summed over features."""
        return gaussian_log_density(x, output, self.log_variance)

    def mean(self, output):
        """Expected data."""
        return output

    def sample(self, output, generator):
        """Data drawn about the output."""
        noise = torch.empty_like(output).normal_(generator=generator)
        return output + noise * torch.exp(0.5 * self.log_variance)


class BernoulliLikelihood(nn.Module):
    """Independent binary features whose logits are the output.

    Parameters
    ----------
    binarize : None or "dynamic"
        With "dynamic", values in [0, 1] are probabilities from which a binary row is drawn at
        each visit, as input and as target.
    """

    def __init__(self, binarize=None):
        super().__init__()
        self.binarize = binarize

    def draw_target(self, x, generator):
        """The data themselves, or a binary draw from them."""
        if self.binarize is None:
            return x
        return (torch.empty_like(x).uniform_(generator=generator) < x).to(x.dtype)

    def log_density(self, output, x):
        """Log probability of ``x``, summed over features."""
        return bernoulli_log_density(x, output)

    def mean(self, output):
        """Expected data, in [0, 1]."""
        return torch.sigmoid(output)

    def sample(self, output, generator):
        """Binary data drawn with the output's probabilities."""
        uniform = torch.empty_like(output).uniform_(generator=generator)
        return (uniform < torch.sigmoid(output)).to(output.dtype)


class CategoricalLikelihood(nn.Module):
    """One-hot groups of features whose logits are the output.

    Parameters
    ----------
    group_sizes : sequence of int
        Widths of the groups, in order.
    """

    def __init__(self, group_sizes):
        super().__init__()
        self.group_sizes = tuple(group_sizes)

    def draw_target(self, x, generator):
        """The data themselves."""
        return x

    def log_density(self, output, x):
        """Log probability of ``x``, summed over groups."""
        return categorical_log_density(x, output, self.group_sizes)

    def mean(self, output):
        """Probabilities of each group."""
        groups = output.split(self.group_sizes, dim=-1)
        return torch.cat([torch.softmax(group, dim=-1) for group in groups], dim=-1)

    def sample(self, output, generator):
        """One-hot data drawn with the output's probabilities."""
        draws = []
        for group in output.split(self.group_sizes, dim=-1):
            # Gumbel's trick: the largest of logits plus Gumbel noise is a categorical draw
            noise = -torch.empty_like(group).exponential_(generator=generator).log()
            chosen = (group + noise).argmax(dim=-1)
            draws.append(nn.functional.one_hot(chosen, group.shape[-1]).to(output.dtype))
        return torch.cat(draws, dim=-1)
