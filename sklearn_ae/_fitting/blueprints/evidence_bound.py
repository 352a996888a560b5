"""A distribution of the code from which a distribution of the rows is decoded."""

from dataclasses import dataclass

import torch

from sklearn_ae._compute import global_state_guard
from sklearn_ae._fitting.blueprint import EncoderDecoderBlueprint, training_only
from sklearn_ae._fitting.principal import probabilistic_start
from sklearn_ae.likelihoods import LIKELIHOODS, make_users_module, resolve_likelihood
from sklearn_ae.networks import VariationalNetwork
from sklearn_ae.objectives.likelihoods import SMALLEST_VARIANCE
from sklearn_ae.tasks import EvidenceBoundTask

# Where the logarithm of the posterior's variance starts behind a link. A narrow posterior tells
# the decoder the code from the first step on, and fewer components die.
FIRST_LOG_VARIANCE = -3.0


@dataclass(kw_only=True)
class EvidenceBoundBlueprint(EncoderDecoderBlueprint):
    """A normal distribution of the code and a likelihood of the rows.

    Parameters
    ----------
    likelihood : part
        Distribution of the data given the code.
    fixed_variance : float or None
        Its variance in the units of the data, where that is not learnt.
    beta, kl_warm_up, n_importance_samples : float, int, int
        How the bound is trained.
    """

    likelihood: object
    fixed_variance: float | None
    beta: float = training_only()
    kl_warm_up: int = training_only()
    n_importance_samples: int = training_only()

    parts = ("architecture", "likelihood")
    # a mean and a variance
    outputs_per_component = 2

    @property
    def power(self):
        """Power of the data's unit that errors of rows have."""
        return 2 if self.link.scales_rows else 0

    def auto_hidden_layer_sizes(self, n_components):
        """Widths of the dense hidden layers where the user leaves them to us."""
        sizes = super().auto_hidden_layer_sizes(n_components)
        if not self.link.scales_rows and len(sizes) == 2:
            return (2 * sizes[0], 2 * sizes[0])
        return sizes

    def start(self, rows, scaling):
        """Probabilistic PCA, its noise the likelihood's where that is given; or random weights."""
        if self.init != "pca":
            return super().start(rows, scaling)
        start = probabilistic_start(rows.x, scaling, self.n_components, rows.weight, self.seed)
        if self.fixed_variance is not None:
            start.noise_variance = self.fixed_variance / scaling.unit**2
        return start

    def task(self, encoder, decoder, beside, scaling, start):
        """The task around encoder and decoder."""
        log_variance = 0.0 if self.link.scales_rows else FIRST_LOG_VARIANCE
        base_log_variance = torch.full(
            (self.n_components,), log_variance, dtype=torch.float32, device="cpu"
        )
        network = VariationalNetwork(encoder, decoder, base_log_variance, **beside)
        likelihood = self._likelihood_module(scaling, start)
        return EvidenceBoundTask(network, likelihood, self.link)

    def _likelihood_module(self, scaling, start):
        """The likelihood as a torch module, with the variance that it starts at."""
        variance = torch.ones(self.n_features, dtype=torch.float32, device="cpu")
        has_start = start is not None and self.init == "pca"
        if self.fixed_variance is not None:
            variance = variance.double() * (self.fixed_variance / scaling.unit**2)
        elif has_start:
            variance = torch.full_like(variance, start.noise_variance, dtype=torch.float64)
        if type(self.likelihood) in LIKELIHOODS.values():
            return self.likelihood.module(variance)
        with global_state_guard(self.seed):  # a user's module may draw
            return make_users_module(self.likelihood, variance)

    def check(self, X, input_name="X"):
        """Raise ValueError where data do not suit the likelihood."""
        resolve_likelihood(self.asked, X)

    def for_training(self, task, scaling, start):
        """Say how the bound is trained; whether the noise has to be more than the start's."""
        task.beta = float(self.beta)
        task.kl_weight.fill_(task.beta)
        task.kl_warm_up = self.kl_warm_up
        task.n_importance_samples = self.n_importance_samples
        bound_below = getattr(task.likelihood, "bound_below", None)
        growth = bound_below() if bound_below is not None else None
        if growth is None:
            return False
        if start is not None:
            start.lay(task, None, SMALLEST_VARIANCE)
        else:  # a posterior is as wide as the noise
            with torch.no_grad():
                task.network.base_log_variance.add_(growth)
        return True
