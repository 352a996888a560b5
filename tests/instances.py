"""The tables that the checks run over: small instances of every estimator and kind of part.

scikit-learn's checks take estimators and have rows of their own; ours take cases, which know
their rows. An estimator that is added here gets all checks that apply to it.
"""

import dataclasses
import functools

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_array

from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.code_activations import KSparse
from sklearn_ae.corruptions import Compose, GaussianNoise, Masking, SaltAndPepper, SwapNoise
from sklearn_ae.likelihoods import Bernoulli, Gaussian
from sklearn_ae.losses import CrossEntropy, Huber, SquaredError
from sklearn_ae.penalties import L1, Contractive, KLSparsity


class MappedMixin:
    """Map X before the estimator sees it, after scikit-learn's own validation.

    Maps are idempotent, so that it does not matter whether ``fit`` calls other methods.
    """

    _takes_sparse_rows = False

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


DEFAULTS = [Autoencoder(), VariationalAutoencoder(), Denoiser(), AutoencoderDetector()]
# The same without folds, which on the few rows of scikit-learn's checks take six times as long.
UNFOLDED = [
    Autoencoder(validation_fraction=0.1),
    VariationalAutoencoder(validation_fraction=0.1),
    Denoiser(validation_fraction=0.1),
    AutoencoderDetector(),
]

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
    small(learning_rate="one_cycle", average=False),
    small(max_iter=20, n_iter_no_change=3),
    small(whiten=True, batch_size=16),
    small(n_components=None),
    small(n_components=0.9),
    small(n_components=30),
    # without folds and gate a further fit goes on, and scikit-learn compares two fits
    small(activation="identity", warm_start=True, validation_fraction=0.1),
    UnitIntervalAutoencoder(loss="log_loss", hidden_layer_sizes=(16,), max_iter=5),
    small_vae(n_importance_samples=3),
    small_vae(likelihood=Gaussian("per_feature"), beta=2.0),
    small_vae(init="random", kl_warm_up=2, max_iter=20),
    small_vae(n_components=5, early_stopping=False),
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

DETECTORS = [
    AutoencoderDetector(Autoencoder(max_iter=0)),
    AutoencoderDetector(small(), standardize=True, robust=False),
    AutoencoderDetector(small_vae(), anomaly_score="likelihood"),
    AutoencoderDetector(small(), anomaly_score="standardized", robust=True),
]


@dataclasses.dataclass
class Case:
    """An estimator, the rows that it is fitted to, and what else `fit` is given.

    Parameters
    ----------
    estimator : BaseEstimator
        It trains for a few epochs.
    X : ndarray of shape (n_rows, ...)
        A table, or images.
    fit_params : dict of str to ndarray
        More arguments of `fit`, with one entry a row.
    """

    estimator: BaseEstimator
    X: np.ndarray
    fit_params: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        kinds = [f"of images {self.X.shape[1:]}"] if self.takes_images else []
        kinds += [f"with {name}" for name in self.fit_params]
        return " ".join([*repr(self.estimator).split(), *kinds])

    @property
    def takes_images(self):
        return self.X.ndim > 2

    @property
    def is_trained(self):
        return self.parameter("max_iter") not in (None, 0)

    def parameter(self, name):
        """A parameter of the estimator or of the one inside it; None where neither has it."""
        parameters = self.estimator.get_params()
        return parameters.get(name, parameters.get(f"estimator__{name}"))

    def new(self, **parameters):
        """An unfitted copy with other parameters, its own or those of the estimator inside it."""
        own = self.estimator.get_params()
        if "random_state" in own:
            parameters = {"random_state": 0, **parameters}
        parameters = {
            name if name in own else f"estimator__{name}": value
            for name, value in parameters.items()
        }
        return clone(self.estimator).set_params(**parameters)

    def data(self, rows=slice(None)):
        """Arguments of `fit`, copies, for some of the rows."""
        return {name: value[rows].copy() for name, value in self.arguments.items()}

    def wider(self, rows=slice(None)):
        """The same with one more column, of zeros; only of a table."""
        return {
            name: np.hstack([value, np.zeros((len(value), 1))]) if value.ndim > 1 else value
            for name, value in self.data(rows).items()
        }

    @property
    def arguments(self):
        return {"X": self.X, **self.fit_params}

    @property
    def table(self):
        """Rows as a table."""
        return self.X.reshape(len(self.X), -1)

    def fit(self, **parameters):
        """A copy with other parameters, fitted to all rows."""
        return self.new(**parameters).fit(**self.data())

    @functools.cached_property
    def fitted(self):
        """The estimator, fitted once for all checks, which copy it before they change it."""
        return self.fit()


def curve():
    """A closed curve in six dimensions, with some noise."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 60)
    rows = np.column_stack([np.cos(angle), np.sin(angle), np.sin(2 * angle), angle / 3])
    return rows @ rng.normal(size=(4, 6)) + 0.1 * rng.normal(size=(60, 6))


def images(*image_shape):
    """Smooth images."""
    rng = np.random.default_rng(0)
    waves = np.sin(np.arange(np.prod(image_shape)) * rng.uniform(0.1, 1, (4, 1)))
    return (rng.normal(size=(60, 4)) @ waves).reshape(60, *image_shape)


def case_of(instance):
    """The case of an instance: the estimator itself in place of one that maps X, few epochs."""
    X = instance._map(curve()) if isinstance(instance, MappedMixin) else curve()
    cls = next(one for one in type(instance).__mro__ if one.__module__.startswith("sklearn_ae"))
    case = Case(cls(**instance.get_params(deep=False)), X)
    # the checks that go on after a fit say so themselves
    changed = {"max_iter": 2 * case.is_trained, "warm_start": False}
    changed = {name: value for name, value in changed.items() if case.parameter(name) is not None}
    case.estimator = clone(case.new(**changed)).set_params(random_state=None)
    return case


def image_case(estimator, *image_shape, **convolutional):
    """A case of images; the architecture has two small levels."""
    architecture = Convolutional(image_shape, **{"channels": (2, 3), **convolutional})
    case = Case(estimator, images(*image_shape))
    case.estimator = case.new(architecture=architecture, max_iter=2, random_state=None)
    return case


UNPOOL = {"downsampling": "max_pool", "upsampling": "max_unpool"}
NOISE = np.random.default_rng(1).normal(size=(60, 6))

CASES = [
    *(case_of(one) for one in INSTANCES + DETECTORS if not isinstance(one, StripMixin)),
    *(
        Case(small_denoiser(max_iter=2, **params), curve() + 0.3 * NOISE, {"X_clean": curve()})
        for params in ({}, {"mode": "residual"}, {"mode": "direct", "early_stopping": False})
    ),
    case_of(AutoencoderDetector(small(), calibration_fraction=0.4)),
    case_of(small_vae(likelihood="laplace")),
    Case(small_vae(likelihood="poisson", max_iter=2), np.exp(curve()).round()),
    Case(small(loss=SquaredError("logit"), max_iter=2), np.clip(curve(), 0, 1)),
    Case(small(loss=CrossEntropy(), max_iter=2), np.eye(6)[curve().argmax(axis=1)]),
    image_case(small(hidden_layer_sizes="auto"), 4, 6),
    image_case(small(hidden_layer_sizes=(7,)), 2, 4, 3, **UNPOOL, normalization="batch"),
    image_case(
        small(init="random", early_stopping=False), 4, 6,
        upsampling="bilinear", downsampling="average_pool", normalization="group",
    ),
    image_case(small_vae(), 4, 6),
    image_case(small_denoiser(), 2, 4, 3, **UNPOOL),
    image_case(AutoencoderDetector(small(), contamination=0.1), 4, 6),
]  # fmt: skip
