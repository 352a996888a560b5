"""Divergences and bounds of variational inference, of shape (n,)."""

from __future__ import annotations

import math

import torch


def gaussian_kl(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of a normal from the standard normal, per component.

    Gives, of shape (n, n_components), ``1/2 (mean**2 + variance - 1 - log_variance)``; the
    divergence is its sum over components (Kingma and Welling 2014, arXiv:1312.6114, appendix
    B).
    """
    return 0.5 * (mean.square() + log_variance.expm1() - log_variance)


def importance_weighted_bound(log_weights: torch.Tensor) -> torch.Tensor:
    """Bound of Burda et al. 2015 (arXiv:1509.00519) on the log-likelihood.

    Gives, of shape (n,), ``log(1/S sum_s exp(log_weights_s))``.
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])
