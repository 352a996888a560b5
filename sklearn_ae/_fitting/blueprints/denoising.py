"""Make clean rows of corrupted ones."""

import dataclasses
from dataclasses import dataclass

import torch

from sklearn_ae._fitting.blueprints.base import EncoderDecoderBlueprint, training_only
from sklearn_ae._fitting.branches import image_shape_of
from sklearn_ae._fitting.linear_filter import filter_start
from sklearn_ae.corruptions import corruption_of_batches
from sklearn_ae.networks import DenoisingNetwork
from sklearn_ae.tasks import DenoisingTask


@dataclass(kw_only=True)
class DenoisingBlueprint(EncoderDecoderBlueprint):
    """From corrupted rows to clean ones.

    Parameters
    ----------
    loss : part
        Loss of the cleaned rows.
    mode : {"auto", "direct", "residual"}
        What the network gives; "auto" is left open.
    paired : bool
        Whether corrupted rows are given beside the clean ones.
    corruption : str, part, callable or None
        How clean rows are corrupted.
    """

    loss: object
    mode: str
    paired: bool
    corruption: object = training_only()

    parts = ("architecture", "loss", "corruption")

    @property
    def is_open(self):
        """Whether the rows held out are to choose the mode."""
        return self.mode == "auto"

    def auto_hidden_layer_sizes(self, n_components):
        """A narrow layer would lose what is to be kept."""
        return (512,) if image_shape_of(self.architecture) is None else ()

    def candidates(self):
        """Both modes, the direct one first; behind a link it alone."""
        modes = ("direct", "residual") if self.link.scales_rows else ("direct",)
        return [dataclasses.replace(self, mode=mode) for mode in modes]

    def settled_as(self, other):
        """The blueprint with the mode of another one where its own is open."""
        settled = super().settled_as(other)
        return dataclasses.replace(settled, mode=other.mode) if self.is_open else settled

    def start(self, rows, scaling):
        """The linear filter, of either mode."""
        if not self.linear:
            return None
        directions = super().start(rows, scaling).directions
        return filter_start(rows, scaling, directions, self.corruption, self.seed)

    def task(self, encoder, decoder, beside, scaling, start):
        """The task around encoder and decoder."""
        if beside["offset"] is None:
            beside["offset"] = torch.zeros(self.n_features)
        network = DenoisingNetwork(encoder, decoder, self.mode == "residual", **beside)
        return DenoisingTask(network, self.loss, self.link)

    def for_training(self, task, scaling):
        """Give the task its corruption."""
        if not self.paired:
            task.corruption = corruption_of_batches(self.corruption, scaling)
