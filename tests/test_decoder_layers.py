"""`decoder_layers` against `inverse_transform`, by a reading of its own of the documented list."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_iris
from torch import nn

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.likelihoods import Bernoulli, Categorical, Poisson

FUNCTIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "exp": np.exp,
}


def run(layers, x):
    """What a list of layers makes of one row."""
    for layer in layers:
        x = RUN[layer["kind"]](layer, x)
    return x


def softmax(layer, x):
    sizes = layer["group_sizes"]
    sizes = [len(x)] if sizes is None else sizes
    sizes = [sizes] * (len(x) // sizes) if isinstance(sizes, int) else sizes
    groups = np.split(np.exp(x), np.cumsum(sizes)[:-1])
    return np.concatenate([group / group.sum() for group in groups])


def limits(layer, x):
    lower, upper = layer["lower"], layer["upper"]
    width = np.where(upper > lower, upper - lower, np.inf)
    near = np.clip(x, lower - width, upper + width)
    clipped = np.clip(x, lower, upper)
    return clipped + layer["slope"] * (near - clipped) + (x - near)


def convolution(layer, x):
    (_, height, width), weight = layer["output_shape"], layer["weight"]
    image = x.reshape(layer["input_shape"])
    (p, q), (s, t) = layer["padding"], layer["stride"]
    image = np.pad(image, ((0, 0), (p, p), (q, q)))
    out = np.zeros(layer["output_shape"])
    for i in range(height):
        for j in range(width):
            window = image[:, i * s : i * s + weight.shape[2], j * t : j * t + weight.shape[3]]
            out[:, i, j] = np.einsum("ochw,chw->o", weight, window) + layer["bias"]
    return out.ravel()


def transposed_convolution(layer, x):
    (_, height, width), weight = layer["output_shape"], layer["weight"]
    image = x.reshape(layer["input_shape"])
    (p, q), (s, t) = layer["padding"], layer["stride"]
    full = np.zeros((weight.shape[1], height + 2 * p + 9, width + 2 * q + 9))
    for i in range(image.shape[1]):
        for j in range(image.shape[2]):
            stamp = np.einsum("c,cohw->ohw", image[:, i, j], weight)
            full[:, i * s : i * s + weight.shape[2], j * t : j * t + weight.shape[3]] += stamp
    out = full[:, p : p + height, q : q + width] + layer["bias"][:, None, None]
    return out.ravel()


def nearest(layer, x):
    (_, h, w), (_, height, width) = layer["input_shape"], layer["output_shape"]
    rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
    return x.reshape(layer["input_shape"])[:, rows][:, :, columns].ravel()


RUN = {
    "dense": lambda layer, x: layer["weight"] @ x + layer["bias"],
    "scale": lambda layer, x: x * layer["factor"] + layer["shift"],
    "activation": lambda layer, x: FUNCTIONS[layer["function"]](x),
    "softmax": softmax,
    "sum": lambda layer, x: sum(run(path, x) for path in layer["paths"]),
    "limits": limits,
    "convolution": convolution,
    "transposed_convolution": transposed_convolution,
    "pad": lambda layer, x: np.pad(
        x.reshape(layer["input_shape"]), ((0, 0), *layer["padding"])
    ).ravel(),
    "nearest": nearest,
}

IRIS = load_iris().data
DIGITS = load_digits().data[:400]
COUNTS = np.random.default_rng(0).poisson(3.0, size=(200, 6)).astype(float)
ONE_HOT = np.eye(3)[np.random.default_rng(0).integers(0, 3, size=(200, 2))].reshape(200, 6)


def own(n_features, n_components):
    encoder = nn.Linear(n_features, n_components)
    return encoder, nn.Sequential(
        nn.Linear(n_components, 5), nn.Tanh(), nn.Linear(5, n_features, bias=False)
    )


FITS = {
    "start": (Autoencoder(max_iter=0), IRIS),
    "trained": (Autoencoder(3, max_iter=3, early_stopping=False), IRIS),
    "limits": (Autoencoder(max_iter=5, early_stopping=False), DIGITS),
    "random": (Autoencoder(init="random", max_iter=2, early_stopping=False), IRIS),
    "whiten": (Autoencoder(3, init="random", whiten=True, max_iter=2), IRIS),
    "cross entropy": (Autoencoder(loss="log_loss", max_iter=2, early_stopping=False), DIGITS / 16),
    "unit columns": (Autoencoder(penalty="l1", max_iter=2), IRIS),
    "own": (Autoencoder(architecture=own, max_iter=2, early_stopping=False), IRIS),
    "variational": (VariationalAutoencoder(max_iter=3, early_stopping=False), IRIS),
    "poisson": (VariationalAutoencoder(likelihood=Poisson(), max_iter=2), COUNTS),
    "bernoulli": (VariationalAutoencoder(likelihood=Bernoulli(), max_iter=2), 1.0 * (DIGITS > 8)),
    "categorical": (VariationalAutoencoder(likelihood=Categorical(3), max_iter=2), ONE_HOT),
    **{
        activation: (Autoencoder(activation=activation, max_iter=2, early_stopping=False), IRIS)
        for activation in ("identity", "tanh", "relu", "logistic", "silu")
    },
    **{
        f"convolutional, {options}": (
            Autoencoder(
                architecture=Convolutional((8, 8), channels=(4, 6), **options),
                max_iter=2,
                early_stopping=False,
            ),
            DIGITS,
        )
        for options in (
            {},
            {"kernel_size": 4, "normalization": "batch"},
            {"upsampling": "nearest"},
            {"upsampling": "nearest", "kernel_size": 4},
        )
    },
}


@pytest.mark.parametrize("name", FITS)
def test_layers_give_what_inverse_transform_gives(name):
    estimator, X = FITS[name]
    estimator.set_params(random_state=0).fit(X)
    Z = np.random.default_rng(1).normal(size=(4, estimator.n_components_))
    Z = Z * estimator.transform(X).std(axis=0)
    layers = estimator.decoder_layers()
    found = np.array([run(layers, row) for row in Z])
    assert_allclose(found, estimator.inverse_transform(Z), rtol=1e-9, atol=1e-9 * np.ptp(X))
    # arrays of their own: what a caller does with them leaves the estimator as it is
    for layer in layers:
        for array in layer.values():
            if isinstance(array, np.ndarray):
                array[:] = 0.0
    assert_allclose(found, estimator.inverse_transform(Z), rtol=1e-9, atol=1e-9 * np.ptp(X))


def test_odd_images():
    X = np.random.default_rng(0).normal(size=(60, 2 * 7 * 5))
    part = Convolutional((2, 7, 5), channels=(3, 4))
    estimator = Autoencoder(
        architecture=part, max_iter=1, early_stopping=False, random_state=0
    ).fit(X)
    row = run(estimator.decoder_layers(), np.array([0.3, -0.2]))
    decoded = estimator.inverse_transform([[0.3, -0.2]])
    assert_allclose(row, decoded[0], rtol=1e-9, atol=1e-12)


class Folded(nn.Linear):
    """A layer that does more than its base."""

    def forward(self, x):
        return super().forward(x).abs()


@pytest.mark.parametrize(
    "estimator",
    [
        Autoencoder(architecture=lambda d, k: (nn.Linear(d, k), Folded(k, d)), max_iter=1),
        Autoencoder(architecture=Convolutional((8, 8), (4,), upsampling="bilinear"), max_iter=1),
        Autoencoder(architecture=Convolutional((8, 8), (8,) * 2, normalization="group")),
        Autoencoder(
            architecture=lambda d, k: (nn.Linear(d, k), nn.Sequential(nn.Linear(k, d), nn.ELU()))
        ),
    ],
)
def test_other_layers_are_refused(estimator):
    estimator.set_params(max_iter=1, early_stopping=False).fit(DIGITS)
    with pytest.raises(ValueError, match=r"decoder_layers knows .* use inverse_transform"):
        estimator.decoder_layers()
