"""Fully connected stacks of layers and the draw of their weights."""

import math

import torch
from torch import nn
from torch.nn.utils import parametrize, skip_init

# Each activation with the gain that keeps the variance of a layer's output near that of its
# input (He et al. 2015, arXiv:1502.01852, for the rectifiers; 5/3 for tanh as in torch.nn.init).
ACTIVATIONS = {
    "identity": (nn.Identity, 1.0),
    "logistic": (nn.Sigmoid, 1.0),
    "tanh": (nn.Tanh, 5.0 / 3.0),
    "relu": (nn.ReLU, math.sqrt(2.0)),
    "gelu": (nn.GELU, math.sqrt(2.0)),
    "silu": (nn.SiLU, math.sqrt(2.0)),
}
# Networks are built in single precision on the CPU, whatever a caller's defaults are.
FACTORY = {"dtype": torch.float32, "device": "cpu"}
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def dense(n_inputs, hidden_layer_sizes, n_outputs, activation):
    """Stack linear layers with an activation between them, none after the last."""
    make_activation, _ = ACTIVATIONS[activation]
    layers, width = [], n_inputs
    for size in hidden_layer_sizes:
        layers += [linear(width, size), make_activation()]
        width = size
    layers.append(linear(width, n_outputs))
    return nn.Sequential(*layers)


def dense_pair(n_features, hidden_layer_sizes, n_code_outputs, n_components, activation):
    """An encoder to ``n_code_outputs`` and the decoder from ``n_components`` that mirrors it."""
    encoder = dense(n_features, hidden_layer_sizes, n_code_outputs, activation)
    decoder = dense(n_components, hidden_layer_sizes[::-1], n_features, activation)
    return encoder, decoder


def linear(n_inputs, n_outputs):
    """A linear layer whose weights are not drawn: torch would read its global random state."""
    return skip_init(nn.Linear, n_inputs, n_outputs, **FACTORY)


def draw_weights(stack, activation, generator, *, zero_last=False):
    """Draw the weights of a stack of linear and convolutional layers from one generator.

    Weights are normal with standard deviation ``gain / sqrt(fan_in)``, the gain of the
    activation that follows (1 after the last layer); biases are zero.
    """
    _, gain = ACTIVATIONS[activation]
    layers = [layer for layer in stack.modules() if isinstance(layer, WEIGHTED)]
    with torch.no_grad():
        for layer in layers:
            last = layer is layers[-1]
            weight = layer.weight
            if parametrize.is_parametrized(layer, "weight"):
                weight = layer.parametrizations.weight.original
            scale = (1.0 if last else gain) / math.sqrt(_fan_in(layer))
            weight.normal_(0.0, scale, generator=generator)
            layer.bias.zero_()
            if last and zero_last:
                weight.zero_()


def draw_pair(stacks, activation, generator, *, zero_last=False):
    """Draw the weights of an encoder and a decoder: see `draw_weights`."""
    for stack in stacks:
        draw_weights(stack, activation, generator, zero_last=zero_last)


def _fan_in(layer):
    """Inputs that an output is made of."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    fan_in = layer.in_channels * math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):
        # an output meets a kernel's element once in so many places
        fan_in /= math.prod(layer.stride)
    return fan_in * getattr(layer, "input_density", 1.0)
