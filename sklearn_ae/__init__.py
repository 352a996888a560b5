"""Autoencoders and variational autoencoders as scikit-learn estimators."""

from sklearn_ae._autoencoder import Autoencoder
from sklearn_ae._variational import VariationalAutoencoder
from sklearn_ae.comparison import compare

__version__ = "0.1.0"

__all__ = ["Autoencoder", "VariationalAutoencoder", "compare"]
