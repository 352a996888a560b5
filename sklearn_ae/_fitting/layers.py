"""Decoders as lists of layers with plain arrays, for use without torch."""

import math

import numpy as np
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from sklearn_ae._compute import own_state
from sklearn_ae._fitting.fitted import NoBranch, without_idle_branches
from sklearn_ae.networks import ConvolutionalDecoder
from sklearn_ae.networks.autoencoder import LinearPath, ZeroStart
from sklearn_ae.networks.dense import ACTIVATIONS
from sklearn_ae.networks.output_limits import LEAST_SLOPE
from sklearn_ae.objectives.links import IdentityLink, LogitLink, LogLink, SoftmaxLink

FUNCTIONS = {kind: name for name, (kind, _) in ACTIVATIONS.items()}
LINK_FUNCTIONS = {LogitLink: "logistic", LogLink: "exp"}


def decoder_layers(fitted):
    """Layers from codes to data, both in the user's units.

    The result is a list of dicts; ValueError for a decoder that has other layers than these.
    """
    with own_state():
        task = without_idle_branches(fitted._fresh_task().eval().requires_grad_(False))
        network, link = task.network, fitted.blueprint.link
        layers = [*_code_layers(fitted.units), *_network_layers(network), *_link_layers(task, link)]
    scaling = fitted.scaling
    if scaling.applied:
        layers.append({"kind": "scale", "factor": scaling.scale, "shift": scaling.mean.copy()})
    return layers


def _code_layers(units):
    if units is None:
        return []
    if units.unscale.ndim == 1:
        return [{"kind": "scale", "factor": units.unscale.copy(), "shift": units.mean.copy()}]
    return [{"kind": "dense", "weight": units.unscale.T.copy(), "bias": units.mean.copy()}]


def _network_layers(network):
    """The branch and the linear path side by side, and what follows their sum."""
    paths = [] if isinstance(network.decoder, NoBranch) else [_layers(network.decoder)]
    if network.linear is not None:
        paths.append(_layers(network.linear))
    layers = paths[0] if len(paths) == 1 else [{"kind": "sum", "paths": paths}]
    if network.offset is not None:
        layers.append({"kind": "scale", "factor": 1.0, "shift": _array(network.offset)})
    if network.limits is not None:
        limits = network.limits
        slope = LEAST_SLOPE + (1.0 - LEAST_SLOPE) * math.exp(-float(limits.bend))
        bounds = {name: _array(getattr(limits, name)) for name in ("lower", "upper")}
        layers.append({"kind": "limits", **bounds, "slope": slope})
    return layers


def _link_layers(task, link):
    is_own = getattr(task, "likelihood", link).__class__.__module__.startswith("sklearn_ae.")
    if is_own and isinstance(link, SoftmaxLink):
        sizes = link.group_sizes
        sizes = sizes if sizes is None or hasattr(sizes, "__index__") else list(map(int, sizes))
        return [{"kind": "softmax", "group_sizes": sizes}]
    if is_own and type(link) in LINK_FUNCTIONS:
        return [{"kind": "activation", "function": LINK_FUNCTIONS[type(link)]}]
    if is_own and type(link) is IdentityLink:
        return []
    raise ValueError(
        f"decoder_layers knows the links of this package, not {type(link).__name__} with "
        f"{type(getattr(task, 'likelihood', task)).__name__}; use inverse_transform."
    )


def _layers(module):
    """Layers of a module that takes rows."""
    if isinstance(module, LinearPath):
        return [_dense(_array(module.decoder))]
    if isinstance(module, ZeroStart):
        return [
            *_layers(module.module),
            {"kind": "scale", "factor": _array(module.gain), "shift": 0.0},
        ]
    kind = type_before_parametrizations(module)  # what derives from a layer may do otherwise
    if kind is nn.Sequential:
        return [layer for part in module for layer in _layers(part)]
    if kind is nn.Linear:
        return [_dense(_array(module.weight), module.bias)]
    if isinstance(module, ConvolutionalDecoder):
        layers, shape = _layers(module.head), module.first_shape
        for level in module.levels:
            for part in level:
                found, shape = _image_layers(part, shape)
                layers += found
        return layers
    if kind in FUNCTIONS and getattr(module, "approximate", "none") == "none":
        return _activation(module)
    raise _unknown(module)


def _image_layers(module, shape):
    """Layers of a module that takes images of a shape (channels, height, width), and the next."""
    n_channels, height, width = shape
    if isinstance(module, nn.Sequential):
        layers = []
        for part in module:
            found, shape = _image_layers(part, shape)
            layers += found
        return layers, shape
    if isinstance(module, nn.ZeroPad2d):
        left, right, top, bottom = module.padding
        after = (n_channels, top + height + bottom, left + width + right)
        padding = [[top, bottom], [left, right]]
        return [{"kind": "pad", "padding": padding, "input_shape": list(shape)}], after
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.groups == 1:
        return _convolution(module, shape)
    if isinstance(module, nn.Upsample) and module.mode == "nearest":
        after = (n_channels, *module.size)
        layer = {"kind": "nearest", "input_shape": list(shape), "output_shape": list(after)}
        return [layer], after
    if isinstance(module, nn.BatchNorm2d):
        factor = _array(module.weight) / np.sqrt(_array(module.running_var) + module.eps)
        shift = _array(module.bias) - _array(module.running_mean) * factor
        pixels = height * width
        return [
            {"kind": "scale", "factor": factor.repeat(pixels), "shift": shift.repeat(pixels)}
        ], shape
    if type(module) in FUNCTIONS:
        return _activation(module), shape
    raise _unknown(module)


def _convolution(module, shape):
    transposed = isinstance(module, nn.ConvTranspose2d)
    extra = getattr(module, "output_padding", (0, 0))
    sizes = []
    for place, size in enumerate(shape[1:]):
        kernel, stride, padding = (
            getattr(module, name)[place] for name in ("kernel_size", "stride", "padding")
        )
        sizes.append(
            (size - 1) * stride + kernel - 2 * padding + extra[place]
            if transposed
            else (size + 2 * padding - kernel) // stride + 1
        )
    after = (module.out_channels, *sizes)
    layer = {
        "kind": "transposed_convolution" if transposed else "convolution",
        "weight": _array(module.weight),
        "bias": _array(module.bias),
        "stride": list(module.stride),
        "padding": list(module.padding),
        "input_shape": list(shape),
        "output_shape": list(after),
    }
    return [layer], after


def _dense(weight, bias=None):
    bias = np.zeros(len(weight)) if bias is None else _array(bias)
    return {"kind": "dense", "weight": weight, "bias": bias}


def _activation(module):
    name = FUNCTIONS[type(module)]
    return [] if name == "identity" else [{"kind": "activation", "function": name}]


def _array(tensor):
    return tensor.detach().cpu().contiguous().numpy().copy()


def _unknown(module):
    return ValueError(
        "decoder_layers knows dense layers, convolutions with transposed or nearest upsampling "
        f"and the activations of this package, not {type(module).__name__}; use inverse_transform."
    )
