"""Convolutional encoders and decoders that halve and double an image, of any size.

Each level halves height and width, rounded up, so that a size M comes from 2M or 2M - 1; the
decoder goes back to the size that the encoder had.
"""

import math

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import skip_init

from sklearn_ae.networks.dense import ACTIVATIONS, FACTORY, linear

STRIDE = 2
# Groups of GroupNorm, or fewer where the channels cannot be divided by it.
GROUPS = 8


def level_sizes(height, width, n_levels):
    """Heights and widths from the image down to the last level."""
    sizes = [(height, width)]
    for _ in range(n_levels):
        sizes.append(tuple(-(-size // STRIDE) for size in sizes[-1]))
    return sizes


def convolution(n_inputs, n_outputs, kernel_size, stride, padding=0):
    """A convolution whose weights are not drawn, in the order of memory that is fast for it."""
    layer = skip_init(
        nn.Conv2d,
        n_inputs,
        n_outputs,
        kernel_size,
        stride=stride,
        padding=padding,
        **FACTORY,
    )
    if stride == 1:  # on a CPU up to a third faster so, but not with a stride or transposed
        layer.to(memory_format=torch.channels_last)
    return layer


def same_convolution(n_inputs, n_outputs, kernel_size, size, stride=1):
    """A convolution from ``size`` to ``ceil(size / stride)``."""
    before = (kernel_size - 1) // 2
    after = [(-(-s // stride) - 1) * stride + kernel_size - s - before for s in size]
    if max(after) <= before:  # what is left over on the far side is not visited
        return convolution(n_inputs, n_outputs, kernel_size, stride, before)
    padding = (before, max(after[1], 0), before, max(after[0], 0))
    return nn.Sequential(
        nn.ZeroPad2d(padding), convolution(n_inputs, n_outputs, kernel_size, stride)
    )


def transposed_convolution(n_inputs, n_outputs, kernel_size, size):
    """A transposed convolution from ``ceil(size / 2)`` to ``size``.

    The output has ``s (M - 1) + k - 2 p`` rows, plus an output padding of at most one: p is the
    least padding that does not overshoot.
    """
    padding, output_padding = [], []
    for s in size:
        full = STRIDE * (-(-s // STRIDE) - 1) + kernel_size
        p = max(-(-(full - s) // 2), 0)
        padding.append(p)
        output_padding.append(s - (full - 2 * p))
    return skip_init(
        nn.ConvTranspose2d,
        n_inputs,
        n_outputs,
        kernel_size,
        stride=STRIDE,
        padding=tuple(padding),
        output_padding=tuple(output_padding),
        **FACTORY,
    )


class MaxPool(nn.Module):
    """Largest value of each window of 2 x 2, and where it stood in the image."""

    def forward(self, x):
        return functional.max_pool2d(x, STRIDE, ceil_mode=True, return_indices=True)


class BedOfNails(nn.Module):
    """Values at the upper left of their windows, zeros around them.

    Parameters
    ----------
    size : (int, int)
        Height and width of the output.
    """

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        image = x.new_zeros((*x.shape[:2], *self.size))
        image[:, :, ::STRIDE, ::STRIDE] = x
        return image


class MaxUnpool(BedOfNails):
    """Values where max pooling took them, or at the upper left where that is not known.

    ``positions`` may be of fewer images than there are: they are those of the first.
    """

    def __init__(self, size):
        super().__init__(size)
        height, width = size
        rows, columns = (torch.arange(0, size, STRIDE, device="cpu") for size in (height, width))
        corners = rows[:, None] * width + columns
        self.register_buffer("corners", corners, persistent=False)

    def forward(self, x, positions=None):
        if positions is None:
            return super().forward(x)
        rest = self.corners.expand(len(x) - len(positions), *x.shape[1:])
        positions = torch.cat([positions, rest])
        image = x.new_zeros((*x.shape[:2], self.size[0] * self.size[1]))
        image = image.scatter(2, positions.flatten(2), x.flatten(2))
        return image.unflatten(2, self.size)


def _normalization(name, n_channels):
    if name is None:
        return []
    if name == "batch":
        return [nn.BatchNorm2d(n_channels, **FACTORY)]
    return [nn.GroupNorm(math.gcd(GROUPS, n_channels), n_channels, **FACTORY)]


class ConvolutionalEncoder(nn.Module):
    """Levels that halve an image, then dense layers to the code.

    Parameters
    ----------
    image_shape : (int, int, int)
        Channels, height and width.
    channels : sequence of int
        Channels of each level.
    kernel_size : int
        Height and width of the kernels.
    downsampling : {"stride", "max_pool", "average_pool"}
        How a level halves.
    normalization : {None, "batch", "group"}
        Layer between convolution and activation.
    hidden_layer_sizes : sequence of int
        Widths of the dense layers before the last.
    n_outputs : int
        Width of the output.
    activation : str
        Key of ``ACTIVATIONS``.
    gives_positions : bool
        Whether the places of the largest values are handed over beside the code.
    """

    def __init__(
        self,
        image_shape,
        channels,
        kernel_size,
        downsampling,
        normalization,
        hidden_layer_sizes,
        n_outputs,
        activation,
        gives_positions,
    ):
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.gives_positions = gives_positions
        make_activation, _ = ACTIVATIONS[activation]
        sizes = level_sizes(*image_shape[1:], len(channels))
        n_channels, levels = image_shape[0], []
        for n_next, size in zip(channels, sizes[:-1], strict=True):
            stride = STRIDE if downsampling == "stride" else 1
            layers = [
                same_convolution(n_channels, n_next, kernel_size, size, stride),
                *_normalization(normalization, n_next),
                make_activation(),
            ]
            if downsampling == "max_pool":
                layers.append(MaxPool())
            elif downsampling == "average_pool":
                layers.append(nn.AvgPool2d(STRIDE, ceil_mode=True))
            levels.append(nn.Sequential(*layers))
            n_channels = n_next
        self.levels = nn.ModuleList(levels)
        width = n_channels * math.prod(sizes[-1])
        head = []
        for size in hidden_layer_sizes:
            head += [linear(width, size), make_activation()]
            width = size
        self.head = nn.Sequential(*head, linear(width, n_outputs))

    def forward(self, x):
        """Code of rows of images: (n, channels * height * width) to (n, n_outputs)."""
        x = x.unflatten(1, self.image_shape)  # (n, channels, height, width)
        positions = []
        for level in self.levels:
            x = level(x)
            if isinstance(x, tuple):
                x, where = x
                positions.append(where)
        code = self.head(x.flatten(1))
        return (code, positions) if self.gives_positions else code


class ConvolutionalDecoder(nn.Module):
    """Dense layers from the code, then levels that double an image.

    Parameters
    ----------
    image_shape : (int, int, int)
        Channels, height and width.
    channels : sequence of int
        Channels of each level of the encoder.
    kernel_size : int
        Height and width of the kernels.
    upsampling : {"transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool"}
        How a level doubles.
    normalization : {None, "batch", "group"}
        Layer between convolution and activation; none after the last convolution.
    hidden_layer_sizes : sequence of int
        Widths of the dense layers after the code.
    n_inputs : int
        Width of the code.
    activation : str
        Key of ``ACTIVATIONS``.
    """

    def __init__(
        self,
        image_shape,
        channels,
        kernel_size,
        upsampling,
        normalization,
        hidden_layer_sizes,
        n_inputs,
        activation,
    ):
        super().__init__()
        make_activation, _ = ACTIVATIONS[activation]
        sizes = level_sizes(*image_shape[1:], len(channels))
        self.first_shape = (channels[-1], *sizes[-1])
        head, width = [], n_inputs
        for size in (*hidden_layer_sizes, math.prod(self.first_shape)):
            head += [linear(width, size), make_activation()]
            width = size
        self.head = nn.Sequential(*head)
        outputs = [image_shape[0], *channels[:-1]]
        levels = []
        for n_channels, n_next, size in reversed(list(zip(channels, outputs, sizes, strict=False))):
            layers = _doubling(upsampling, n_channels, n_next, kernel_size, size)
            if len(levels) < len(channels) - 1:
                layers += [*_normalization(normalization, n_next), make_activation()]
            levels.append(nn.Sequential(*layers))
        self.levels = nn.ModuleList(levels)

    def forward(self, code, positions=None):
        """Rows of images: (n, n_inputs) to (n, channels * height * width)."""
        x = self.head(code).unflatten(1, self.first_shape)  # (n, channels, height, width)
        for number, level in enumerate(self.levels, 1):
            if positions is None:
                x = level(x)
            else:
                unpool, *rest = level
                x = unpool(x, positions[-number])
                for layer in rest:
                    x = layer(x)
        return x.flatten(1)


def _doubling(upsampling, n_inputs, n_outputs, kernel_size, size):
    """Layers from ``ceil(size / 2)`` to ``size``."""
    if upsampling == "transpose":
        return [transposed_convolution(n_inputs, n_outputs, kernel_size, size)]
    convolution = same_convolution(n_inputs, n_outputs, kernel_size, size)
    if upsampling in ("nearest", "bilinear"):
        return [nn.Upsample(size=size, mode=upsampling), convolution]
    nails = MaxUnpool(size) if upsampling == "max_unpool" else BedOfNails(size)
    for layer in convolution.modules():
        # three inputs of four are zero: the draw of the weights makes up for it
        layer.input_density = 1.0 / STRIDE**2
    return [nails, convolution]
