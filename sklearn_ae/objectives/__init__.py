"""Objectives: terms of shape (n,), summed over features, each with a closed form."""

from sklearn_ae.objectives.densities import (
    bernoulli_log_density,
    categorical_log_density,
    gaussian_log_density,
    gaussian_posterior_log_density,
    laplace_log_density,
    poisson_log_density,
    standard_normal_log_density,
)
from sklearn_ae.objectives.divergences import gaussian_kl, importance_weighted_bound
from sklearn_ae.objectives.links import make_link
from sklearn_ae.objectives.losses import absolute_error, huber, log_loss, squared_error
from sklearn_ae.objectives.sparsity import hoyer

__all__ = [
    "absolute_error",
    "bernoulli_log_density",
    "categorical_log_density",
    "gaussian_kl",
    "gaussian_log_density",
    "gaussian_posterior_log_density",
    "hoyer",
    "huber",
    "importance_weighted_bound",
    "laplace_log_density",
    "log_loss",
    "make_link",
    "poisson_log_density",
    "squared_error",
    "standard_normal_log_density",
]
