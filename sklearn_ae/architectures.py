"""Architectures: what stands for the encoder and the decoder.

An architecture is ``"dense"``, a `Convolutional` or a function
``(n_features, n_components) -> (encoder, decoder)`` of the user's that returns two torch modules,
from (n, n_features) to (n, n_components) and back.
"""

import copy
import itertools
import math
import warnings
from numbers import Integral

from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae._compute import global_state_guard
from sklearn_ae.networks import (
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    dense,
    draw_weights,
    level_sizes,
)
from sklearn_ae.networks.autoencoder import ZeroStart
from sklearn_ae.networks.k_sparse import KeepLargest, tie_to_decoder
from sklearn_ae.utils._images import IMAGE_SHAPE, full_shape
from sklearn_ae.utils._parts import check_instance, check_integers, check_parameters, in_one_line
from sklearn_ae.utils._sklearn import Interval, InvalidParameterError, StrOptions

# Features per component from which a third hidden layer pays.
STEEP = 32


def auto_hidden_layer_sizes(architecture, n_features, n_components):
    """The rule behind ``hidden_layer_sizes="auto"``.

    Two layers, ``(128, 64)`` up to 128 features and ``(256, 128)`` beyond. A code narrower than
    a 32nd of the data has more to unfold and gets three: ``(256, 128, 64)`` or
    ``(512, 256, 128)``. Between convolutions and code there are none.

    Parameters
    ----------
    architecture : str, part or callable
        The parameter of an estimator.
    n_features, n_components : int
        Widths of the data and of the code.

    Returns
    -------
    tuple of int
        Widths of the encoder's hidden layers.
    """
    if isinstance(architecture, Convolutional):
        return ()
    first = 128 if max(n_features, n_components) <= 128 else 256
    if n_features >= STEEP * n_components:
        return (2 * first, first, first // 2)
    return (first, first // 2)


class Convolutional(BaseEstimator):
    """Convolutional layers for images.

    Each entry of ``channels`` is a level: a convolution and the activation, with height and
    width halved, rounded up. The decoder mirrors the encoder and gives back exactly the size of
    the image, odd ones too. The estimator's ``hidden_layer_sizes`` are dense layers between the
    last level and the code, its ``activation`` stands behind every layer but the last.

    Parameters
    ----------
    image_shape : tuple of int
        (channels, height, width), or (height, width) for one channel. ``X`` has
        channels * height * width features in that order, or is a stack of such images.

    channels : tuple of int, default=(32, 64)
        Channels of each level of the encoder.

    kernel_size : int, default=3
        Height and width of the kernels.

    downsampling : {"stride", "max_pool", "average_pool"}, default="stride"
        How a level halves: every second place of the convolution, or the largest or the mean
        value of each 2 x 2 window behind it.

    upsampling : {"transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool"}, \
            default="transpose"
        How a level of the decoder doubles M rows (or columns): by a transposed convolution,
        whose output has ``2 * (M - 1) + kernel_size - 2 * padding`` of them, plus one where
        that is needed; or by repeating values, by interpolation, by putting each value at the
        upper left of its window with zeros around it, or at the place where max pooling took
        it, each with a convolution behind it. "max_unpool" needs
        ``downsampling="max_pool"``. Positions are a second code that `inverse_transform` does
        not have: an autoencoder is trained with them on half of the rows of each batch (rounded
        down), with the upper left on the others, and uses them in
        ``reconstruct(X, positions=True)`` only.

    normalization : {None, "batch", "group"}, default=None
        Layer between convolution and activation: batch normalisation, or group normalisation
        with 8 groups of channels, or fewer where their number is not a multiple of 8.

    References
    ----------
    .. [1] M. D. Zeiler, G. W. Taylor and R. Fergus, "Adaptive deconvolutional networks for mid
       and high level feature learning", ICCV 2011, :doi:`10.1109/ICCV.2011.6126474`.
    .. [2] V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning",
       2016, :arxiv:`1603.07285`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.architectures import Convolutional
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = Autoencoder(
    ...     8, architecture=Convolutional((8, 8)), max_iter=1, random_state=0
    ... )
    >>> autoencoder.fit(X.reshape(-1, 8, 8)).reconstruct(X[:3]).shape
    (3, 8, 8)
    """

    _parameter_constraints = {  # noqa: RUF012
        "image_shape": ["array-like"],
        "channels": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "downsampling": [StrOptions({"stride", "max_pool", "average_pool"})],
        "upsampling": [
            StrOptions({"transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool"})
        ],
        "normalization": [StrOptions({"batch", "group"}), None],
    }

    def __init__(
        self,
        image_shape,
        channels=(32, 64),
        kernel_size=3,
        downsampling="stride",
        upsampling="transpose",
        normalization=None,
    ):
        self.image_shape = image_shape
        self.channels = channels
        self.kernel_size = kernel_size
        self.downsampling = downsampling
        self.upsampling = upsampling
        self.normalization = normalization

    @property
    def has_positions(self):
        """Whether the decoder can use where the encoder's pooling took its values."""
        return self.upsampling == "max_unpool"

    def check(self, n_features=None):
        """Check the parameters, against each other and against the width of the data.

        Parameters
        ----------
        n_features : int or None, default=None
            Width of the data; None where it is not known yet.

        Raises
        ------
        InvalidParameterError
            If a parameter is not valid.
        ValueError
            If the images have another width than the data.
        """
        check_parameters(self)
        check_integers(self, "image_shape", *IMAGE_SHAPE)
        check_integers(self, "channels", None, "at least one")
        if self.has_positions and self.downsampling != "max_pool":
            raise InvalidParameterError(
                "upsampling='max_unpool' puts values back where max pooling took them, so it "
                f"needs downsampling='max_pool'. Got {self.downsampling!r} instead."
            )
        if n_features not in (None, math.prod(self.image_shape)):
            raise ValueError(
                f"image_shape={tuple(self.image_shape)} has {math.prod(self.image_shape)} "
                f"values, but X has {n_features} features."
            )
        if n_features is not None and _looks_channels_last(self.image_shape):
            warnings.warn(
                f"image_shape={tuple(self.image_shape)} is taken as {self.image_shape[0]} channels "
                f"of {self.image_shape[1]} x {self.image_shape[2]}. Images with the channels last "
                "are to be given as np.moveaxis(X, -1, 1), with the channels first in image_shape.",
                stacklevel=2,
            )


def _looks_channels_last(image_shape):
    """Whether a shape reads as (height, width, 3 or 4 colours)."""
    return len(image_shape) == 3 and image_shape[-1] in (3, 4) and image_shape[0] > 4


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

    def draw(self, modules, generator):
        """Draw the weights of what `build` made.

        Parameters
        ----------
        modules : pair of torch.nn.Module
            Encoder and decoder.
        generator : torch.Generator
            Source of the draws.
        """
        for module in modules:
            draw_weights(module, self.activation, generator, zero_last=self.zero_start)


class DenseStack(Stack):
    """Fully connected layers; the decoder mirrors the encoder."""

    @property
    def is_linear(self):
        """Whether the whole is a linear map, which spans a subspace as PCA does."""
        return not self.hidden_layer_sizes or self.activation == "identity"

    @property
    def widest(self):
        """Numbers that a row takes at most in the layers."""
        return max(self.hidden_layer_sizes, default=0)

    def build(self, n_features, n_components, n_code_outputs):
        """Build encoder and decoder without drawing their weights.

        Parameters
        ----------
        n_features, n_components : int
            Widths of the data and of the code.
        n_code_outputs : int
            Width of the encoder's output.

        Returns
        -------
        encoder, decoder : torch.nn.Module
            The modules.
        """
        sizes = self.hidden_layer_sizes
        encoder = dense(n_features, sizes, n_code_outputs, self.activation)
        decoder = dense(n_components, sizes[::-1], n_features, self.activation)
        return encoder, decoder


class ConvolutionalStack(Stack):
    """The layers of a `Convolutional`.

    Parameters
    ----------
    part : Convolutional
        Its parameters.
    *layers : tuple
        Parameters of `Stack`.
    """

    is_linear = False

    def __init__(self, part, *layers):
        super().__init__(*layers)
        self.part = part
        self.image_shape = full_shape(part.image_shape)

    @property
    def widest(self):
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

    is_linear = False
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
        modules = self.function(n_features, n_components)
        is_pair = isinstance(modules, tuple) and len(modules) == 2
        if not (is_pair and all(isinstance(module, nn.Module) for module in modules)):
            raise TypeError(
                "architecture(n_features, n_components) must return a tuple (encoder, decoder) "
                f"of torch modules; got {in_one_line(modules)}."
            )
        return copy.deepcopy(modules)

    def draw(self, modules, generator):
        """Leave the weights as the user's modules drew them."""


def make_architecture(config):
    """Turn the configuration of a fit into an architecture.

    Parameters
    ----------
    config : dict
        Configuration of a fit.

    Returns
    -------
    DenseStack, ConvolutionalStack or Factory
        The architecture.
    """
    architecture = config["architecture"]
    layers = config["hidden_layer_sizes"], config["activation"], config["linear"]
    if isinstance(architecture, str):
        return DenseStack(*layers)
    if isinstance(architecture, Convolutional):
        return ConvolutionalStack(architecture, *layers)
    return Factory(architecture, config["linear"], config["seed"])


def build_branches(config, n_code_outputs):
    """Encoder and decoder for a configuration, their weights not drawn where that is ours to do.

    Parameters
    ----------
    config : dict
        Configuration of a fit.
    n_code_outputs : int
        Width of the encoder's output.

    Returns
    -------
    encoder, decoder : torch.nn.Module
        The modules.
    """
    return make_architecture(config).build(
        config["n_features"], config["n_components"], n_code_outputs
    )


def draw_branches(network, config, generator):
    """Draw the weights of the encoder and the decoder in a network.

    Parameters
    ----------
    network : AutoencoderNetwork
        The network.
    config : dict
        Configuration of a fit.
    generator : torch.Generator
        Source of the draws.
    """
    architecture = make_architecture(config)
    architecture.draw((network.encoder, network.decoder), generator)
    # with hidden layers between, what goes in and what comes out are not of one kind
    is_shallow = isinstance(architecture, Stack) and not architecture.hidden_layer_sizes
    if is_shallow and isinstance(network.code_activation, KeepLargest):
        tie_to_decoder(network.encoder, network.decoder)


def numbers_per_row(config):
    """Numbers that a row takes at most on its way through the network.

    Parameters
    ----------
    config : dict
        Configuration of a fit.

    Returns
    -------
    int
        The width of the widest layer, of the data, or of two numbers for each component.
    """
    widest = make_architecture(config).widest
    return max(config["n_features"], 2 * config["n_components"], widest)


def check_architecture(architecture, n_features):
    """Check that an architecture fits the data, where it says what it takes.

    Parameters
    ----------
    architecture : str, part or callable
        The parameter of an estimator.
    n_features : int
        Width of the data.

    Raises
    ------
    ValueError
        If it does not fit, or a parameter of the part is not valid.
    TypeError
        If it is a class instead of an instance.
    """
    check_instance("architecture", architecture)
    if isinstance(architecture, Convolutional):
        architecture.check(n_features)


def image_shape_of(architecture):
    """Shape of the images that an architecture is for.

    Parameters
    ----------
    architecture : str, part or callable
        The parameter of an estimator.

    Returns
    -------
    tuple of int or None
        As the part has it; None where it takes tables only.

    Raises
    ------
    InvalidParameterError
        If a parameter of the part is not valid.
    """
    if not isinstance(architecture, Convolutional):
        return None
    architecture.check()
    return tuple(int(size) for size in architecture.image_shape)


def has_positions(architecture):
    """Whether an architecture has a second code, the positions of max pooling.

    Parameters
    ----------
    architecture : str, part or callable
        The parameter of an estimator.

    Returns
    -------
    bool
        Whether it has.
    """
    return isinstance(architecture, Convolutional) and architecture.has_positions
