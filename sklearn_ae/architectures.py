"""Architectures: what stands for the encoder and the decoder.

An architecture is ``"dense"`` or a function ``(n_features, n_components) -> (encoder, decoder)``
of the user's that returns two torch modules, from (n, n_features) to (n, n_components) and back.
"""

import copy

from torch import nn

from sklearn_ae._training import global_state_guard
from sklearn_ae.networks import dense, draw_weights
from sklearn_ae.networks.autoencoder import ZeroStart

# Features per component from which a third hidden layer pays.
STEEP = 32


def auto_hidden_layer_sizes(n_features, n_components):
    """The rule behind ``hidden_layer_sizes="auto"``.

    Two layers, ``(128, 64)`` up to 128 features and ``(256, 128)`` beyond. A code narrower than
    a 32nd of the data has more to unfold and gets three: ``(256, 128, 64)`` or
    ``(512, 256, 128)``.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the data and of the code.

    Returns
    -------
    tuple of int
        Widths of the encoder's hidden layers.
    """
    first = 128 if max(n_features, n_components) <= 128 else 256
    if n_features >= STEEP * n_components:
        return (2 * first, first, first // 2)
    return (first, first // 2)


class Dense:
    """Fully connected layers; the decoder mirrors the encoder.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        Widths of the encoder's hidden layers.
    activation : str
        Activation between them.
    """

    def __init__(self, hidden_layer_sizes, activation):
        self.hidden_layer_sizes = tuple(hidden_layer_sizes)
        self.activation = activation

    @property
    def is_linear(self):
        """Whether the whole is a linear map, which spans a subspace as PCA does."""
        return not self.hidden_layer_sizes or self.activation == "identity"

    def build(self, n_features, n_components, n_code_outputs, *, zero_start, seed):
        """Build encoder and decoder without drawing their weights.

        Parameters
        ----------
        n_features, n_components : int
            Widths of the data and of the code.
        n_code_outputs : int
            Width of the encoder's output.
        zero_start : bool
            Whether both are to give zero before training.
        seed : int
            Not used: `draw` draws the weights.

        Returns
        -------
        encoder, decoder : torch.nn.Module
            The modules.
        """
        sizes = self.hidden_layer_sizes
        encoder = dense(n_features, sizes, n_code_outputs, self.activation)
        decoder = dense(n_components, sizes[::-1], n_features, self.activation)
        return encoder, decoder

    def draw(self, modules, generator, *, zero_start):
        """Draw the weights of what `build` made.

        Parameters
        ----------
        modules : pair of torch.nn.Module
            Encoder and decoder.
        generator : torch.Generator
            Source of the draws.
        zero_start : bool
            Whether both are to give zero before training.
        """
        for module in modules:
            draw_weights(module, self.activation, generator, zero_last=zero_start)


class Factory:
    """A user's function that makes encoder and decoder, with weights drawn by its modules.

    Parameters
    ----------
    function : callable
        ``(n_features, n_components) -> (encoder, decoder)``.
    """

    is_linear = False

    def __init__(self, function):
        self.function = function

    def build(self, n_features, n_components, n_code_outputs, *, zero_start, seed):
        """Build encoder and decoder: see `Dense.build`."""
        with global_state_guard(seed):
            encoder, decoder = self._call(n_features, n_components)
            if n_code_outputs != n_components:
                # a VAE's encoder has a mean and a variance for each component
                encoder, _ = self._call(n_features, n_code_outputs)
        if zero_start:
            encoder, decoder = ZeroStart(encoder, n_code_outputs), ZeroStart(decoder, n_features)
        return encoder, decoder

    def _call(self, n_features, n_components):
        modules = self.function(n_features, n_components)
        is_pair = isinstance(modules, tuple) and len(modules) == 2
        if not (is_pair and all(isinstance(module, nn.Module) for module in modules)):
            raise TypeError(
                "architecture(n_features, n_components) must return a tuple (encoder, decoder) "
                f"of torch modules; got {modules!r}.".replace("\n", " ")
            )
        return copy.deepcopy(modules)

    def draw(self, modules, generator, *, zero_start):
        """Leave the weights as the user's modules drew them."""


def make_architecture(config):
    """Turn the configuration of a fit into an architecture.

    Parameters
    ----------
    config : dict
        With "architecture", "hidden_layer_sizes" and "activation".

    Returns
    -------
    Dense or Factory
        The architecture.
    """
    if isinstance(config["architecture"], str):
        return Dense(config["hidden_layer_sizes"], config["activation"])
    return Factory(config["architecture"])
