"""Networks: shapes and tensors, no losses, data, seeds or devices."""

from sklearn_ae.networks.autoencoder import (
    AutoencoderNetwork,
    DenoisingNetwork,
    LinearPath,
    VariationalNetwork,
)
from sklearn_ae.networks.convolutional import (
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    level_sizes,
)
from sklearn_ae.networks.dense import ACTIVATIONS, dense, dense_pair, draw_pair, draw_weights
from sklearn_ae.networks.output_limits import OutputLimits

__all__ = [
    "ACTIVATIONS",
    "AutoencoderNetwork",
    "ConvolutionalDecoder",
    "ConvolutionalEncoder",
    "DenoisingNetwork",
    "LinearPath",
    "OutputLimits",
    "VariationalNetwork",
    "dense",
    "dense_pair",
    "draw_pair",
    "draw_weights",
    "level_sizes",
]
