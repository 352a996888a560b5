"""Logarithms of densities of shape (n,), summed over the last dimension."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from sklearn_ae.objectives.links import SoftmaxLink

LOG_2_PI = math.log(2.0 * math.pi)


def gaussian_log_density(
    x: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor
) -> torch.Tensor:
    """Log density of a normal distribution with independent features.

    Gives, of shape (...), ``-1/2 sum_j (log 2 pi + log_variance_j + (x_j - mean_j)**2 /
    variance_j)``.
    """
    if log_variance.ndim == 0:
        # one variance for all: the features are summed first, which halves the work
        x, mean = torch.broadcast_tensors(x, mean)
        squares = functional.mse_loss(mean, x, reduction="none").sum(-1)
        width = mean.shape[-1]
        return -0.5 * (width * (LOG_2_PI + log_variance) + squares * torch.exp(-log_variance))
    terms = LOG_2_PI + log_variance + (x - mean).square() * torch.exp(-log_variance)
    return -0.5 * terms.sum(-1)


def standard_normal_log_density(z: torch.Tensor) -> torch.Tensor:
    """Log density of a standard normal, summed over the last dimension."""
    return -0.5 * (z.square().sum(-1) + z.shape[-1] * LOG_2_PI)


def gaussian_posterior_log_density(noise: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Log density of ``mean + std * noise`` under a normal with that mean and variance.

    The mean drops out, and nothing is lost to cancellation.

    The result has shape (...).
    """
    return -0.5 * (noise.square() + log_variance + LOG_2_PI).sum(-1)


def bernoulli_log_density(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Sum over features of ``x log p + (1 - x) log(1 - p)``, ``p = sigmoid(logits)``."""
    return (x * logits - functional.softplus(logits)).sum(-1)


def categorical_log_density(
    x: torch.Tensor, logits: torch.Tensor, link: SoftmaxLink
) -> torch.Tensor:
    """Log probability of one-hot groups.

    Gives, of shape (...), ``sum_g sum_c x_gc log softmax(logits_g)_c``.
    """
    normalised = [functional.log_softmax(group, dim=-1) for group in link.groups(logits)]
    return (x * torch.cat(normalised, dim=-1)).sum(-1)


def laplace_log_density(
    x: torch.Tensor, location: torch.Tensor, log_scale: torch.Tensor
) -> torch.Tensor:
    """``-sum_j (log 2 + log_scale_j + |x_j - location_j| / scale_j)``; log_scale broadcasts."""
    width = torch.broadcast_shapes(location.shape[-1:], log_scale.shape)[-1]
    constant = (math.log(2.0) + log_scale).expand(width).sum(-1)
    return -constant - ((x - location).abs() * torch.exp(-log_scale)).sum(-1)


def poisson_log_density(x: torch.Tensor, log_rate: torch.Tensor) -> torch.Tensor:
    """``sum_j (x_j log rate_j - rate_j - log x_j!)``."""
    return (x * log_rate - torch.exp(log_rate) - torch.lgamma(x + 1.0)).sum(-1)
