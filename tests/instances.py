"""The table of small instances that the checks run over, of every estimator and kind of part."""

import dataclasses

import numpy as np
from sklearn.utils import check_array

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.code_activations import KSparse
from sklearn_ae.corruptions import Compose, GaussianNoise, Masking, SaltAndPepper, SwapNoise
from sklearn_ae.likelihoods import Bernoulli, Gaussian
from sklearn_ae.losses import Huber
from sklearn_ae.penalties import L1, Contractive, KLSparsity


class MappedMixin:
    """Map X before the estimator sees it, after scikit-learn's own validation.

    Maps are idempotent, so that it does not matter whether ``fit`` calls other methods.
    """

    def _mapped(self, X):
        X = check_array(X, dtype=[np.float64, np.float32], estimator=self, input_name="X")
        return self._map(X)

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(self._mapped(X), y, sample_weight)

    def partial_fit(self, X, y=None, sample_weight=None):
        return super().partial_fit(self._mapped(X), y, sample_weight)

    def transform(self, X):
        return super().transform(self._mapped(X))

    def score(self, X, y=None, sample_weight=None):
        return super().score(self._mapped(X), y, sample_weight)


class MappedReconstructionMixin(MappedMixin):
    def reconstruct(self, X):
        return super().reconstruct(self._mapped(X))


class UnitIntervalAutoencoder(MappedReconstructionMixin, Autoencoder):
    @staticmethod
    def _map(X):
        return np.clip(X, 0, 1)


class UnitIntervalDenoiser(MappedMixin, Denoiser):
    @staticmethod
    def _map(X):
        return np.clip(X, 0, 1)


class MappedDensityMixin(MappedReconstructionMixin):
    def score_samples(self, X, *args, **kwargs):
        return super().score_samples(self._mapped(X), *args, **kwargs)


class BinaryVariationalAutoencoder(MappedDensityMixin, VariationalAutoencoder):
    @staticmethod
    def _map(X):
        return (X > 0).astype(X.dtype)


class OneHotVariationalAutoencoder(MappedDensityMixin, VariationalAutoencoder):
    @staticmethod
    def _map(X):
        return np.eye(X.shape[1], dtype=X.dtype)[X.argmax(axis=1)]


class StripMixin:
    """Take a row of any width for an image of one line; the parameter itself knows no width."""

    _convolutional = {}  # noqa: RUF012

    def _blueprint(self, rows, seed):
        image_shape = (1, rows.x.shape[1])
        architecture = Convolutional(image_shape, channels=(2,), **self._convolutional)
        return dataclasses.replace(super()._blueprint(rows, seed), architecture=architecture)


class UnpoolingAutoencoder(StripMixin, Autoencoder):
    _convolutional = {"downsampling": "max_pool", "upsampling": "max_unpool"}  # noqa: RUF012


class NormalizedAutoencoder(StripMixin, Autoencoder):
    _convolutional = {"normalization": "batch", "upsampling": "bilinear"}  # noqa: RUF012


class StripVariationalAutoencoder(StripMixin, VariationalAutoencoder):
    pass


def small(**params):
    """Autoencoder with a small network that trains for a few epochs."""
    return Autoencoder(**{"hidden_layer_sizes": (16,), "max_iter": 5, **params})


def small_vae(**params):
    """Variational autoencoder with a small network that trains for a few epochs."""
    return VariationalAutoencoder(**{"hidden_layer_sizes": (16,), "max_iter": 5, **params})


def small_denoiser(**params):
    """Denoiser with a small network that trains for a few epochs."""
    return Denoiser(**{"hidden_layer_sizes": (16,), "max_iter": 5, **params})


DEFAULTS = [Autoencoder(), VariationalAutoencoder(), Denoiser()]

UNTRAINED = [
    Autoencoder(max_iter=0),
    Autoencoder(max_iter=0, whiten=True),
    VariationalAutoencoder(max_iter=0),
    Denoiser(max_iter=0),
]

TRAINED = [
    small(loss="absolute_error"),
    small(loss=Huber(0.5), max_iter=20),
    small(init="random"),
    small(init="random", hidden_layer_sizes=(), code_activation="relu"),
    small(hidden_layer_sizes=(16, 8, 4), activation="tanh"),
    small(code_activation="relu", activation="relu"),
    small(code_activation="sigmoid", activation="silu"),
    small(penalty=L1(0.1)),
    small(corruption=GaussianNoise(0.2)),
    small(corruption=Masking(0.3)),
    small(corruption="masking", early_stopping=False),
    small(corruption=SaltAndPepper(0.2, low=-1.0)),
    small(corruption=SwapNoise(0.2), whiten=True),
    small(corruption=Compose([GaussianNoise(0.1), "swap_noise"])),
    small(penalty=Contractive(0.1)),
    small(penalty=Contractive(0.1), hidden_layer_sizes=(), code_activation="tanh"),
    small(penalty=KLSparsity(), code_activation="sigmoid"),
    small(n_components=4, code_activation=KSparse(1), activation="relu"),
    small(early_stopping=False, alpha=0.01),
    small(learning_rate="constant", max_iter=20, n_iter_no_change=3),
    small(whiten=True, batch_size=16),
    small(n_components=None),
    small(n_components=0.9),
    small(n_components=30),
    small(activation="identity", warm_start=True),
    UnitIntervalAutoencoder(loss="log_loss", hidden_layer_sizes=(16,), max_iter=5),
    small_vae(n_importance_samples=3),
    small_vae(likelihood=Gaussian("per_feature"), beta=2.0),
    small_vae(init="random", kl_warm_up=2, max_iter=20),
    small_vae(n_components=5, learning_rate="constant", early_stopping=False),
    BinaryVariationalAutoencoder(likelihood="bernoulli", hidden_layer_sizes=(16,), max_iter=5),
    BinaryVariationalAutoencoder(
        likelihood=Bernoulli(binarize="dynamic"), hidden_layer_sizes=(16,), max_iter=5
    ),
    OneHotVariationalAutoencoder(likelihood="categorical", hidden_layer_sizes=(16,), max_iter=5),
    small_denoiser(),
    small_denoiser(mode="residual", corruption="masking", early_stopping=False),
    small_denoiser(mode="direct", init="random", loss="huber", n_components=3, batch_size=16),
    small_denoiser(corruption=Compose([GaussianNoise(0.1), SwapNoise(0.1)]), n_components=2),
    UnitIntervalDenoiser(
        loss="log_loss", corruption=SaltAndPepper(), hidden_layer_sizes=(16,), max_iter=5
    ),
    UnpoolingAutoencoder(hidden_layer_sizes=(), max_iter=5),
    NormalizedAutoencoder(hidden_layer_sizes=(), max_iter=5, early_stopping=False),
    StripVariationalAutoencoder(hidden_layer_sizes=(8,), max_iter=5),
]

INSTANCES = UNTRAINED + TRAINED
