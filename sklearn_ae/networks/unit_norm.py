"""Weights whose columns have unit norm, so that no layer can undo a rescaling of the code."""

import torch
from torch import nn
from torch.nn.utils import parametrize

# Dimension of the weight that belongs to the inputs of a layer.
INPUT_DIMS = {
    nn.Linear: 1,
    nn.Conv1d: 1,
    nn.Conv2d: 1,
    nn.Conv3d: 1,
    nn.ConvTranspose1d: 0,
    nn.ConvTranspose2d: 0,
    nn.ConvTranspose3d: 0,
}
# Layers whose output does not change, or changes by a trained gain, where the input is rescaled.
NORMALIZATIONS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
)


class UnitColumns(nn.Module):
    """Give what a weight does with each input a fixed norm.

    Parameters
    ----------
    input_dim : int, default=1
        Dimension of the weight that belongs to the inputs; the norm is over all others.
    length : float, default=1.0
        The norm.
    """

    def __init__(self, input_dim=1, length=1.0):
        super().__init__()
        self.input_dim = input_dim
        self.length = length

    def forward(self, weight):
        """Weight with columns of that norm, of the same shape."""
        others = [dim for dim in range(weight.ndim) if dim != self.input_dim]
        norm = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
        return weight * (self.length / norm.clamp(min=1e-12))

    def right_inverse(self, weight):
        """Any weight stands for itself."""
        return weight


@torch.no_grad()
def centre_first_layer(module, code):
    """Let the first layer of a decoder start at zero for a code, where it is a linear one.

    Long columns and a code that is not about zero, as a sigmoid's, would give an output far from
    the data, and its offset is all that would be learnt at first.
    """
    first = next(layer for layer in module.modules() if isinstance(layer, tuple(INPUT_DIMS)))
    if isinstance(first, nn.Linear) and first.bias is not None:
        first.bias.sub_(nn.functional.linear(code.to(first.weight), first.weight)[0])


def constrain_columns(module, length=1.0):
    """Give every linear and convolutional layer of a module columns of a fixed norm, mostly one.

    A penalty on the size of the code is void when the decoder may multiply: a code half as
    large and a decoder twice as large give the same output. Unit columns bound what *every*
    layer can make up for: one of h inputs multiplies by at most the square root of h, and only
    where all its columns are alike; a decoder of one layer cannot multiply a component at all.
    A column of a convolution is what it does with one input channel: all elements of its kernels,
    for all output channels.
    """
    layers = {}
    for layer in module.modules():
        if isinstance(layer, NORMALIZATIONS):
            raise ValueError(
                "This penalty needs a decoder without normalisation layers, which undo a "
                f"rescaling of the code; got {type(layer).__name__}. Use normalization=None."
            )
        input_dim = next((dim for kind, dim in INPUT_DIMS.items() if isinstance(layer, kind)), None)
        if input_dim is None:
            continue
        if getattr(layer, "groups", 1) != 1:
            raise ValueError(
                "This penalty needs a decoder whose convolutions have groups=1; got "
                f"groups={layer.groups}."
            )
        layers[layer] = input_dim
    if not layers:
        raise ValueError(
            "This penalty needs a decoder with linear or convolutional layers, whose columns are "
            f"kept at unit norm; got {type(module).__name__} without one."
        )
    for number, (layer, input_dim) in enumerate(layers.items()):
        unit_columns = UnitColumns(input_dim, 1.0 if number else length)
        with torch.no_grad():
            layer.weight.copy_(unit_columns(layer.weight))
        parametrize.register_parametrization(layer, "weight", unit_columns)
