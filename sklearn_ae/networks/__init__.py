"""Networks: shapes and tensors, no losses, data, seeds or devices."""

from sklearn_ae.networks.autoencoder import AutoencoderNetwork, LinearPath, VariationalNetwork
from sklearn_ae.networks.dense import ACTIVATIONS, dense, draw_weights

__all__ = [
    "ACTIVATIONS",
    "AutoencoderNetwork",
    "LinearPath",
    "VariationalNetwork",
    "dense",
    "draw_weights",
]
