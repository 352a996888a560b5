"""Reconstruct rows from a code."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from sklearn_ae._compute import rows_at_once
from sklearn_ae._fitting.blueprint import EncoderDecoderBlueprint, follows_from, training_only
from sklearn_ae._fitting.neighbors import neighbor_places
from sklearn_ae._fitting.scaling import CodeUnits
from sklearn_ae.code_activations import USUAL_SPREAD, make_code_activation
from sklearn_ae.corruptions import GaussianNoise, corruption_of_batches
from sklearn_ae.losses import loss_of_task, resolve_loss
from sklearn_ae.networks import AutoencoderNetwork
from sklearn_ae.networks.unit_norm import centre_first_layer, constrain_columns
from sklearn_ae.penalties import make_penalty, neighbors_of
from sklearn_ae.tasks import ReconstructionTask

# Least loss per feature that counts as left over by the start.
LEAST_LEFT = 0.01


@dataclass(kw_only=True)
class ReconstructionBlueprint(EncoderDecoderBlueprint):
    """A code from which rows are reconstructed.

    Parameters
    ----------
    loss : part
        Loss of the reconstruction.
    code_activation : str, part or torch.nn.Module
        What is applied to the code.
    unit_norm : bool
        Whether the decoder's columns are kept at unit norm.
    whiten : bool
        Whether codes are whitened.
    corruption, penalty : str, part, callable or None
        What acts in training only.
    has_neighbors : bool
        Whether the penalty draws neighbouring rows together, by a term with a scale that is learnt.
    """

    loss: object
    code_activation: object = "identity"
    unit_norm: bool = follows_from("penalty", "penalty", default=False)
    whiten: bool = False
    corruption: object = training_only(default=None)
    penalty: object = training_only(default=None)
    has_neighbors: bool = follows_from("penalty", "penalty", default=False)

    parts = ("architecture", "loss", "code_activation", "corruption", "penalty")

    @property
    def power(self):
        """Power of the data's unit that errors of rows have."""
        return self.loss.power

    def task(self, encoder, decoder, beside, scaling, start):
        """The task around encoder and decoder."""
        code_activation = None
        if not isinstance(self.code_activation, str) or self.code_activation != "identity":
            code_activation = make_code_activation(self.code_activation, self.n_components)
        if self.unit_norm:
            # a bounded code cannot grow: values of the usual spread are to give rows of the usual
            # variance, n_features units of scale
            spread = USUAL_SPREAD.get(type(code_activation))
            length = math.sqrt(self.n_features / self.n_components) / spread if spread else 1.0
            constrain_columns(decoder, length)
        network = AutoencoderNetwork(encoder, decoder, code_activation=code_activation, **beside)
        task = ReconstructionTask(network, self._loss(), self.link)
        if self.has_neighbors:
            task.neighbors = neighbors_of(self.penalty).module()
        return task

    def with_neighbors(self, everything, places, tasks, trains):
        """Give all rows their neighbours; the penalty is weighed by what the start leaves over."""
        if not self.has_neighbors:
            return
        for task in tasks:
            left = self._left_over(task, everything.x[places])
            task.neighbors.left.fill_(left.clamp_min(LEAST_LEFT * self.n_features))
        if trains:
            part = neighbors_of(self.penalty)
            rows = everything.x.numpy(), places.numpy()
            found = neighbor_places(*rows, part.n_neighbors, part.metric, self.seed)
            everything.partners = torch.from_numpy(found)

    @torch.no_grad()
    def _left_over(self, task, x):
        """Mean loss of rows before training."""
        task.eval()
        like = next(task.parameters())
        losses = [
            task.row_error(task.network(part), part)
            for part in x.to(like).split(rows_at_once(self.width))
        ]
        return torch.cat(losses).mean()

    def centre(self, network):
        """Let the decoder start at zero for the usual code, where that is not about zero."""
        if type(network.code_activation) in USUAL_SPREAD:
            code = torch.zeros((1, self.n_components), dtype=torch.float32, device="cpu")
            centre_first_layer(network.decoder, network.code_activation(code))

    def _loss(self):
        """The loss; a module is copied, as tasks move and cast what they hold."""
        return self.loss if not isinstance(self.loss, nn.Module) else loss_of_task(self.loss)

    def check(self, X, input_name="X"):
        """Raise ValueError where data do not suit the loss."""
        resolve_loss(self.asked, X, input_name)

    def for_training(self, task, scaling, start):
        """Give the task its corruption and its penalty."""
        corruption = self.corruption
        if corruption is None and self.has_neighbors:
            # a user's subclass may know none
            noise = getattr(neighbors_of(self.penalty), "noise", 0.0)
            corruption = GaussianNoise(noise * scaling.scale) if noise else None
        if corruption is not None:
            task.corruption = corruption_of_batches(corruption, scaling)
        if self.penalty is not None:
            task.penalty = make_penalty(self.penalty, task.network)

    def keeps_units(self, one_epoch):
        """A whitened code is whitened again by a fit, not by one more chunk of rows."""
        return one_epoch or not self.whiten

    def code_units(self, fitted, rows, start, device):
        """Whitened, PCA's, or those of the network."""
        if self.whiten and not fitted.course.start_kept:
            return CodeUnits.whitening(fitted, rows, device)
        if self.init != "pca":
            return None
        scale = fitted.scaling.scale
        return CodeUnits.principal(start.directions, self.n_components, scale, self.whiten)
