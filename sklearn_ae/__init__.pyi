from sklearn_ae import architectures as architectures
from sklearn_ae import code_activations as code_activations
from sklearn_ae import comparison as comparison
from sklearn_ae import corruptions as corruptions
from sklearn_ae import datasets as datasets
from sklearn_ae import display as display
from sklearn_ae import exceptions as exceptions
from sklearn_ae import likelihoods as likelihoods
from sklearn_ae import losses as losses
from sklearn_ae import metrics as metrics
from sklearn_ae import penalties as penalties
from sklearn_ae._version import __version__ as __version__
from sklearn_ae.comparison import compare as compare
from sklearn_ae.estimators._autoencoder import Autoencoder as Autoencoder
from sklearn_ae.estimators._denoiser import Denoiser as Denoiser
from sklearn_ae.estimators._detector import AutoencoderDetector as AutoencoderDetector
from sklearn_ae.estimators._variational import VariationalAutoencoder as VariationalAutoencoder

__all__ = ["Autoencoder", "AutoencoderDetector", "Denoiser", "VariationalAutoencoder", "compare"]
