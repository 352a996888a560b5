"""Encoder and decoder of an architecture: built, drawn, measured."""

import copy
import itertools
import math

import torch
from torch import nn

from sklearn_ae._compute import global_state_guard
from sklearn_ae.architectures import Convolutional
from sklearn_ae.networks import (
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    dense_pair,
    draw_pair,
    level_sizes,
)
from sklearn_ae.networks.autoencoder import ZeroStart
from sklearn_ae.networks.k_sparse import KeepLargest, tie_to_decoder
from sklearn_ae.utils._images import full_shape
from sklearn_ae.utils._parts import check_instance, in_one_line

# Features per component from which a third hidden layer pays.
STEEP = 32
# What a user's module raises for rows that it does not take.
FORWARD_ERRORS = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    AttributeError,
    NotImplementedError,
)


def auto_hidden_layer_sizes(architecture, n_features, n_components):
    """The rule behind ``hidden_layer_sizes="auto"``.

    Two layers, ``(128, 64)`` up to 128 features and ``(256, 128)`` beyond. A code narrower than
    a 32nd of the data has more to unfold and gets three: ``(256, 128, 64)`` or
    ``(512, 256, 128)``. Between convolutions and code there are none.
    """
    if isinstance(architecture, Convolutional):
        return ()
    first = 128 if max(n_features, n_components) <= 128 else 256
    if n_features >= STEEP * n_components:
        return (2 * first, first, first // 2)
    return (first, first // 2)


class Stack:
    """Layers of our own, whose weights are drawn by the fit's generator.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        Widths of the encoder's dense hidden layers.
    activation : str
        Activation between all layers.
    zero_start : bool
        Whether encoder and decoder are to give zero before training.
    """

    def __init__(self, hidden_layer_sizes, activation, zero_start):
        self.hidden_layer_sizes = tuple(hidden_layer_sizes)
        self.activation = activation
        self.zero_start = zero_start
        # numbers that a row takes at most in the layers
        self.widest = max(self.hidden_layer_sizes, default=0)

    def draw(self, modules, generator):
        """Draw the weights of what `build` made."""
        draw_pair(modules, self.activation, generator, zero_last=self.zero_start)


class DenseStack(Stack):
    """Fully connected layers; the decoder mirrors the encoder."""

    def build(self, n_features, n_components, n_code_outputs):
        """Build encoder and decoder without drawing their weights."""
        sizes = self.hidden_layer_sizes
        return dense_pair(n_features, sizes, n_code_outputs, n_components, self.activation)


class ConvolutionalStack(Stack):
    """The layers of a `Convolutional`.

    Parameters
    ----------
    part : Convolutional
        Its parameters.
    *layers : tuple
        Parameters of `Stack`.
    """

    def __init__(self, part, *layers):
        super().__init__(*layers)
        self.part = part
        self.image_shape = full_shape(part.image_shape)
        self.widest = self._widest()

    def _widest(self):
        """Numbers that a row takes at most in the layers."""
        channels = self.image_shape[0], *self.part.channels
        sizes = level_sizes(*self.image_shape[1:], len(self.part.channels))
        # an even kernel needs a border
        border = self.part.kernel_size - 1 if self.part.kernel_size % 2 == 0 else 0
        images = [
            max(pair) * math.prod(side + border for side in size)
            for pair, size in zip(itertools.pairwise(channels), sizes, strict=False)
        ]
        return max([*images, *self.hidden_layer_sizes])

    def build(self, n_features, n_components, n_code_outputs):
        """Build encoder and decoder without drawing their weights: see `DenseStack.build`."""
        part, sizes = self.part, self.hidden_layer_sizes
        shared = (self.image_shape, tuple(part.channels), part.kernel_size)
        encoder = ConvolutionalEncoder(
            *shared,
            part.downsampling,
            part.normalization,
            sizes,
            n_code_outputs,
            self.activation,
            part.has_positions,
        )
        decoder = ConvolutionalDecoder(
            *shared, part.upsampling, part.normalization, sizes[::-1], n_components, self.activation
        )
        return encoder, decoder


class Factory:
    """A user's function that makes encoder and decoder, with weights drawn by its modules.

    Parameters
    ----------
    function : callable
        ``(n_features, n_components) -> (encoder, decoder)``.
    zero_start : bool
        Whether encoder and decoder are to give zero before training.
    seed : int
        Of torch's global state while they are made.
    """

    widest = 0

    def __init__(self, function, zero_start, seed):
        self.function = function
        self.zero_start = zero_start
        self.seed = seed

    def build(self, n_features, n_components, n_code_outputs):
        """Build encoder and decoder: see `DenseStack.build`."""
        with global_state_guard(self.seed):
            encoder, decoder = self._call(n_features, n_components)
            if n_code_outputs != n_components:
                # a VAE's encoder has a mean and a variance for each component
                encoder, _ = self._call(n_features, n_code_outputs)
        if self.zero_start:
            encoder, decoder = ZeroStart(encoder, n_code_outputs), ZeroStart(decoder, n_features)
        return encoder, decoder

    def _call(self, n_features, n_components):
        """What the user's function returns, checked, as a copy."""
        modules = self.function(n_features, n_components)
        is_pair = isinstance(modules, tuple) and len(modules) == 2
        if not (is_pair and all(isinstance(module, nn.Module) for module in modules)):
            raise TypeError(
                "architecture(n_features, n_components) must return a tuple (encoder, decoder) "
                f"of torch modules; got {in_one_line(modules)}."
            )
        if any(map(_is_lazy, modules)):
            _check_widths(modules, n_features, n_components)
        modules = copy.deepcopy(modules)
        _check_widths(modules, n_features, n_components)
        return modules

    def draw(self, modules, generator):
        """Leave the weights as the user's modules drew them."""


def _is_lazy(module):
    """Whether a module waits for a batch to know the shapes of its weights."""
    tensors = itertools.chain(module.parameters(), module.buffers())
    return any(map(_is_uninitialized, tensors))


@torch.no_grad()
def _check_widths(modules, n_features, n_components):
    """Raise ValueError where encoder or decoder takes or gives rows of another width than asked.

    Two rows pass through each, in evaluation mode, which also lets lazy modules know their shapes.
    """
    given = n_features, n_components
    for name, module, width, wanted in zip(
        ("encoder", "decoder"), modules, given, given[::-1], strict=True
    ):
        was_training = module.training
        tensors = [p for p in module.parameters() if not _is_uninitialized(p)]
        like = tensors[0] if tensors else torch.zeros((), dtype=torch.float32, device="cpu")
        rows = torch.zeros((2, width), dtype=like.dtype, device=like.device)
        try:
            output = module.eval()(rows)
        except FORWARD_ERRORS as error:
            raise ValueError(
                f"The {name} of architecture(n_features={n_features}, n_components={n_components})"
                f" must take rows of {width} values; it raised: {in_one_line(str(error))}"
            ) from error
        finally:
            module.train(was_training)
        if not isinstance(output, torch.Tensor) or output.shape != (2, wanted):
            got = tuple(output.shape[1:]) if isinstance(output, torch.Tensor) else output
            got = got[0] if isinstance(got, tuple) and len(got) == 1 else in_one_line(got)
            raise ValueError(
                f"The {name} of architecture(n_features={n_features}, n_components={n_components})"
                f" must give rows of {wanted} values; it gives {got}."
            )


def _is_uninitialized(tensor):
    return isinstance(tensor, nn.parameter.UninitializedTensorMixin)


def make_architecture(architecture, hidden_layer_sizes, activation, zero_start, seed):
    """What builds encoder and decoder, for the parameters of an estimator."""
    layers = hidden_layer_sizes, activation, zero_start
    if isinstance(architecture, str):
        return DenseStack(*layers)
    if isinstance(architecture, Convolutional):
        return ConvolutionalStack(architecture, *layers)
    return Factory(architecture, zero_start, seed)


def draw_branches(network, architecture, generator):
    """Draw the weights of the encoder and the decoder in a network."""
    architecture.draw((network.encoder, network.decoder), generator)
    # with hidden layers between, what goes in and what comes out are not of one kind
    is_shallow = isinstance(architecture, Stack) and not architecture.hidden_layer_sizes
    if is_shallow and isinstance(network.code_activation, KeepLargest):
        tie_to_decoder(network.encoder, network.decoder)


def check_architecture(architecture, n_features):
    """Raise ValueError where an architecture does not fit the data, TypeError for a class."""
    check_instance("architecture", architecture)
    if isinstance(architecture, Convolutional):
        architecture.check(n_features)


def image_shape_of(architecture):
    """Shape of the images that an architecture is for, as a tuple; None where it takes tables."""
    if not isinstance(architecture, Convolutional):
        return None
    architecture.check()
    return tuple(int(size) for size in architecture.image_shape)


def has_positions(architecture):
    """Whether an architecture has a second code, the positions of max pooling."""
    return isinstance(architecture, Convolutional) and architecture.has_positions
