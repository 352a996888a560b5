"""Make clean rows of corrupted ones."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from sklearn_ae._fitting.blueprint import EncoderDecoderBlueprint, follows_from, training_only
from sklearn_ae._fitting.branches import image_shape_of
from sklearn_ae._fitting.linear_filter import filter_start
from sklearn_ae.corruptions import corruption_of_batches
from sklearn_ae.losses import loss_of_task, resolve_loss
from sklearn_ae.networks import DenoisingNetwork
from sklearn_ae.tasks import DenoisingTask

# Share of the learning rate for the linear path: it starts at its optimum, from which Adam, whose
# steps are of one size however small the gradients are, would take it away.
SHARE_OF_RATE = 0.2


@dataclass(kw_only=True)
class DenoisingBlueprint(EncoderDecoderBlueprint):
    """From corrupted rows to clean ones.

    Parameters
    ----------
    loss : part
        Loss of the cleaned rows.
    asked_mode : {"auto", "direct", "residual"}
        The mode as the user gave it.
    mode : {"direct", "residual"}
        What the network gives.
    is_open : bool
        Whether the rows held out are to choose the mode.
    paired : bool
        Whether corrupted rows are given beside the clean ones.
    corruption : str, part, callable or None
        How clean rows are corrupted.
    auto_n_components : int
        Width of the code where ``n_components`` is None.
    """

    loss: object
    asked_mode: str = follows_from("mode", "asked_mode")
    mode: str = training_only()
    is_open: bool = training_only()
    paired: bool
    corruption: object = training_only()
    auto_n_components: int = training_only()

    parts = ("architecture", "loss", "corruption")

    def auto_hidden_layer_sizes(self, n_components):
        """A narrow layer would lose what is to be kept."""
        return (512,) if image_shape_of(self.architecture) is None else ()

    def candidates(self):
        """Both modes, the direct one first; behind a link it alone."""
        modes = ("direct", "residual") if self.link.scales_rows else ("direct",)
        return [self._in_mode(mode) for mode in modes]

    def settled(self, start):
        """The blueprint with the width of the code and of the hidden layers."""
        return self._with_width(self._width_of_code())

    def settled_as(self, other):
        """The blueprint with the width of the code and the mode of another one."""
        settled = super().settled_as(other)
        return settled._in_mode(other.mode)

    def _in_mode(self, mode):
        other = copy.copy(self)
        other.mode, other.is_open = mode, False
        return other

    def start(self, rows, scaling):
        """The linear filter, of either mode."""
        if self.init != "pca":
            return None
        return filter_start(rows, scaling, self._width_of_code(), self.corruption, self.seed)

    def _width_of_code(self):
        return self.auto_n_components if self.n_components is None else self.n_components

    def task(self, encoder, decoder, beside, scaling, start):
        """The task around encoder and decoder."""
        if beside["offset"] is None:
            beside["offset"] = torch.zeros(self.n_features, dtype=torch.float32, device="cpu")
        if beside["linear"] is not None:
            beside["linear"].share_of_rate = SHARE_OF_RATE
        network = DenoisingNetwork(encoder, decoder, self.mode == "residual", **beside)
        return DenoisingTask(network, self._loss(), self.link)

    def _loss(self):
        """The loss; a module is copied, as tasks move and cast what they hold."""
        return self.loss if not isinstance(self.loss, nn.Module) else loss_of_task(self.loss)

    def check(self, X, input_name="X"):
        """Raise ValueError where data do not suit the loss."""
        resolve_loss(self.asked, X, input_name)

    def for_training(self, task, scaling, start):
        """Give the task its corruption."""
        if not self.paired:
            task.corruption = corruption_of_batches(self.corruption, scaling)
