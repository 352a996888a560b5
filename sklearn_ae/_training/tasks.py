"""What one batch is put through: a network and the terms of its objective."""

import math

import torch
from torch import nn

from sklearn_ae.objectives import (
    gaussian_kl,
    gaussian_posterior_log_density,
    importance_weighted_bound,
    squared_error,
    standard_normal_log_density,
)
from sklearn_ae.objectives.likelihoods import GaussianLikelihood

# Draws of the code that are decoded together; more are taken in turns, in bounded memory.
SAMPLES_AT_ONCE = 500


class ReconstructionTask(nn.Module):
    """Reconstruct a batch, perhaps from a corrupted copy, perhaps with a penalty on the code.

    Parameters
    ----------
    network : AutoencoderNetwork
        The network.
    loss : callable
        ``loss(output, target)`` of shape (n,).
    corruption : callable or None
        ``corruption(x, generator)``, of the shape of ``x``.
    penalty : callable or None
        ``penalty(x, code, encode, generator)`` of shape (n,).
    logits : bool
        Whether outputs are logits of values in [0, 1].
    """

    def __init__(self, network, loss, corruption=None, penalty=None, logits=False):
        super().__init__()
        self.logits = logits
        self.network = network
        self.loss = loss
        self.corruption = corruption
        self.penalty = penalty

    def begin_epoch(self, epoch):
        """Nothing changes from epoch to epoch."""

    def row_error(self, output, x):
        """Loss of each row."""
        return self.loss(output, x)

    def expected(self, output):
        """Data that an output of the decoder stands for."""
        return torch.sigmoid(output) if self.logits else output

    def predict(self, x):
        """What the network makes of a batch."""
        return self.network(x)

    def forward(self, x, generator):
        """Terms of the objective.

        Parameters
        ----------
        x : tensor of shape (n, n_features)
            A batch.
        generator : torch.Generator
            Source of the corruption.

        Returns
        -------
        dict of str to tensor of shape (n,)
            The terms; their sum is minimised.
        """
        inputs = x if self.corruption is None else self.corruption(x, generator)
        code, state = self.network.encode(inputs)
        terms = {"reconstruction": self.loss(self._decode(code, state), x)}
        if self.penalty is not None:
            # a penalty may differentiate the encoder, in validation too
            with torch.enable_grad():
                penalty = self.penalty(inputs, code.to(inputs.dtype), self._encode, generator)
            penalty = penalty if self.training else penalty.detach()
            if penalty.shape != terms["reconstruction"].shape:
                raise ValueError(
                    f"The penalty must give one number per row, of shape ({len(x)},); got shape "
                    f"{tuple(penalty.shape)}."
                )
            terms["penalty"] = penalty
        return terms

    def _decode(self, code, state):
        """Decode: in training, half of the rows with what the encoder gave beside the code.

        Scores have the code alone, so the decoder must do without; `reconstruct` may have both.
        Rows are in random order, and with both kinds in each step no step is of one kind.
        """
        if state is None or not self.training:
            return self.network.decode(code)
        half = len(code) // 2
        return self.network.decode(code, [entry[:half] for entry in state])

    def _encode(self, x):
        return self.network.encode(x)[0].to(x.dtype)


class DenoisingTask(ReconstructionTask):
    """Make clean rows of spoilt ones: of corrupted copies, or of given pairs.

    Parameters
    ----------
    network : DenoisingNetwork
        The network.
    loss : callable
        ``loss(output, target)`` of shape (n,).
    paired : bool
        Whether a batch has the spoilt and the clean rows beside each other, in this order.
    **kwargs : dict
        Parameters of `ReconstructionTask`.
    """

    def __init__(self, network, loss, paired=False, **kwargs):
        super().__init__(network, loss, **kwargs)
        self.paired = paired

    def predict(self, x):
        """Clean rows of the spoilt ones in a batch."""
        return self.network(x.chunk(2, dim=1)[0] if self.paired else x)

    def forward(self, x, generator):
        """Terms of the objective: see `ReconstructionTask.forward`."""
        if self.paired:
            inputs, x = x.chunk(2, dim=1)
        else:
            inputs = self.corruption(x, generator)
        return {"reconstruction": self.loss(self.network(inputs), x)}


class EvidenceBoundTask(nn.Module):
    """Minus a lower bound on the log-likelihood of a batch.

    Parameters
    ----------
    network : VariationalNetwork
        The network.
    likelihood : torch.nn.Module
        Distribution of the data given the decoder's output.
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
        beta=1.0,
        kl_warm_up=0,
        n_importance_samples=1,
    ):
        super().__init__()
        self.network = network
        self.likelihood = likelihood
        self.beta = beta
        self.kl_warm_up = kl_warm_up
        self.n_importance_samples = n_importance_samples
        # a tensor, so that a captured CUDA graph sees the weight change
        self.register_buffer("kl_weight", torch.tensor(float(beta)), persistent=False)

    def row_error(self, output, x):
        """Squared error of each row, or minus the log probability of discrete data."""
        if isinstance(self.likelihood, GaussianLikelihood):
            return squared_error(output, x)
        return -self.likelihood.log_density(output, x)

    def expected(self, output):
        """Data that are expected given an output of the decoder."""
        return self.likelihood.mean(output)

    def predict(self, x):
        """What the network makes of a batch."""
        return self.network(x)

    def begin_epoch(self, epoch):
        """Set the weight of the divergence for an epoch, counted from 0."""
        if self.kl_warm_up:
            self.kl_weight.fill_(self.beta * min(1.0, epoch / self.kl_warm_up))

    def forward(self, x, generator):
        """Terms of the objective: see `ReconstructionTask.forward`."""
        x = self.likelihood.draw_target(x, generator)
        mean, log_variance = self.network.encode_distribution(x)
        shape = (self.n_importance_samples, *mean.shape)
        noise = torch.empty(shape, dtype=x.dtype, device=x.device).normal_(generator=generator)
        if self.n_importance_samples > 1:
            return {"bound": -self._importance_weighted(x, mean, log_variance, noise)}
        code = mean + torch.exp(0.5 * log_variance) * noise[0]
        weight = self.kl_weight if self.training else self.beta
        return {
            "reconstruction": -self.likelihood.log_density(self.network.decode(code), x),
            "kl": weight * gaussian_kl(mean, log_variance).sum(-1),
        }

    def log_likelihood(self, x, noise):
        """Importance-weighted bound of each row, with beta 1.

        Parameters
        ----------
        x : tensor of shape (n, n_features)
            Rows.
        noise : tensor of shape (n_samples, 1, n_components)
            Standard normal draws, the same for every row.

        Returns
        -------
        tensor of shape (n,)
            The bound.
        """
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

        Parameters
        ----------
        x, noise : tensors
            See `log_likelihood`.

        Returns
        -------
        reconstruction, kl : tensors of shape (n,)
            The two parts of the evidence lower bound.
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

    Parameters
    ----------
    network : VariationalNetwork
        The network.
    likelihood : torch.nn.Module
        Distribution of the data given the decoder's output.
    x : tensor of shape (n, n_features)
        Data.
    mean, log_variance : tensors of shape (n, n_components)
        Parameters of q.
    noise : tensor of shape (n_samples, n or 1, n_components)
        Standard normal draws; the same for every row where its second dimension is 1.

    Returns
    -------
    tensor of shape (n_samples, n)
        The logarithms.
    """
    code = mean + torch.exp(0.5 * log_variance) * noise
    n_samples, n_rows, n_components = code.shape
    output = network.decode(code.reshape(-1, n_components)).reshape(n_samples, n_rows, -1)
    return (
        likelihood.log_density(output, x)
        + standard_normal_log_density(code)
        - gaussian_posterior_log_density(noise, log_variance)
    )
