"""Weights whose columns have unit norm, so that no layer can undo a rescaling of the code."""

import torch
from torch import nn
from torch.nn.utils import parametrize


class UnitColumns(nn.Module):
    """Divide each column of a weight matrix by its norm."""

    def forward(self, weight):
        return weight / weight.norm(dim=0, keepdim=True).clamp(min=1e-12)

    def right_inverse(self, weight):
        return weight


def constrain_columns(module):
    """Give every linear layer of a module columns of unit norm.

    A penalty on the size of the code is void when the decoder may multiply: a code half as
    large and a decoder twice as large give the same output. With unit columns in *every* layer
    the layers behind cannot make up for it either.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.

    Raises
    ------
    ValueError
        If it has no linear layer.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        raise ValueError(
            "This penalty needs a decoder with linear layers, whose columns are kept at unit "
            f"norm; got {type(module).__name__} without one."
        )
    for layer in layers:
        with torch.no_grad():
            layer.weight /= layer.weight.norm(dim=0, keepdim=True).clamp(min=1e-12)
        parametrize.register_parametrization(layer, "weight", UnitColumns())
