"""Minus a lower bound on the log-likelihood of a batch."""

import math

import torch

from sklearn_ae.objectives import (
    gaussian_kl,
    gaussian_posterior_log_density,
    importance_weighted_bound,
    squared_error,
    standard_normal_log_density,
)
from sklearn_ae.tasks.task import Task, check_rows

# Draws of the code that are decoded together; more are taken in turns, in bounded memory.
SAMPLES_AT_ONCE = 500


class EvidenceBoundTask(Task):
    """Minus a lower bound on the log-likelihood of a batch.

    Parameters
    ----------
    network : VariationalNetwork
        The network.
    likelihood : torch.nn.Module
        Distribution of the data given the decoder's output.
    link : Link
        How outputs relate to data.
    beta : float
        Weight of the Kullback-Leibler term.
    kl_warm_up : int
        Epochs over which that weight rises to ``beta`` in training.
    n_importance_samples : int
        1 gives the evidence lower bound with the divergence in closed form, more the
        importance-weighted bound.
    """

    def __init__(
        self,
        network,
        likelihood,
        link,
        beta=1.0,
        kl_warm_up=0,
        n_importance_samples=1,
    ):
        super().__init__()
        self.network = network
        self.likelihood = likelihood
        self.link = link
        self.beta = beta
        self.kl_warm_up = kl_warm_up
        self.n_importance_samples = n_importance_samples
        # a tensor, so that a captured CUDA graph sees the weight change
        weight = torch.tensor(float(beta), dtype=torch.float32, device="cpu")
        self.register_buffer("kl_weight", weight, persistent=False)

    def row_error(self, output, x):
        """Squared error of each row about its mean; behind a link minus its log density."""
        if self.link.scales_rows:
            return squared_error(self.likelihood.mean(output), x)
        return -self.likelihood.log_density(output, x)

    def expected(self, output):
        """Data that are expected given an output of the decoder."""
        return self.likelihood.mean(output)

    def begin_epoch(self, epoch):
        """Set the weight of the divergence for an epoch, counted from 0."""
        if self.kl_warm_up:
            self.kl_weight.fill_(self.beta * min(1.0, epoch / self.kl_warm_up))

    def forward(self, batch, generator):
        """Terms of the objective of a batch, of shape (n,), by name."""
        x = batch.x
        if hasattr(self.likelihood, "draw_target"):
            x = self.likelihood.draw_target(x, generator)
        mean, log_variance = self.network.encode_distribution(x)
        shape = (self.n_importance_samples, *mean.shape)
        # the same numbers in both types, so that the two can be compared row by row
        noise = x.new_empty(shape, dtype=torch.float32).normal_(generator=generator).to(x.dtype)
        if self.n_importance_samples > 1:
            return {"bound": -self._importance_weighted(x, mean, log_variance, noise)}
        code = mean + torch.exp(0.5 * log_variance) * noise[0]
        weight = self.kl_weight if self.training else self.beta
        density = self.likelihood.log_density(self.network.decode(code), x)
        return {
            "reconstruction": -check_rows(density, len(x), "log_density of the likelihood"),
            "kl": weight * gaussian_kl(mean, log_variance).sum(-1),
        }

    def log_likelihood(self, x, noise):
        """Importance-weighted bound of each row, with beta 1, of shape (n,)."""
        mean, log_variance = self.network.encode_distribution(x)
        parts = [
            torch.logsumexp(
                log_importance_weights(self.network, self.likelihood, x, mean, log_variance, draws),
                dim=0,
            )
            for draws in noise.split(SAMPLES_AT_ONCE)
        ]
        return torch.logsumexp(torch.stack(parts), dim=0) - math.log(len(noise))

    def bound_parts(self, x, noise):
        """Mean log density given the code, and the divergence, of each row.

        The result has shape (n,).
        """
        mean, log_variance = self.network.encode_distribution(x)
        total = 0.0
        for draws in noise.split(SAMPLES_AT_ONCE):
            code = mean + torch.exp(0.5 * log_variance) * draws
            output = self.network.decode(code.flatten(0, 1)).unflatten(0, code.shape[:2])
            total = total + self.likelihood.log_density(output, x).sum(0)
        return total / len(noise), gaussian_kl(mean, log_variance).sum(-1)

    def _importance_weighted(self, x, mean, log_variance, noise):
        return importance_weighted_bound(
            log_importance_weights(self.network, self.likelihood, x, mean, log_variance, noise)
        )


def log_importance_weights(network, likelihood, x, mean, log_variance, noise):
    """Logarithms of ``p(x, z) / q(z | x)`` for draws of the code.

    The result has shape (n_samples, n).
    """
    code = mean + torch.exp(0.5 * log_variance) * noise
    n_samples, n_rows, n_components = code.shape
    output = network.decode(code.reshape(-1, n_components)).reshape(n_samples, n_rows, -1)
    return (
        likelihood.log_density(output, x)
        + standard_normal_log_density(code)
        - gaussian_posterior_log_density(noise, log_variance)
    )
