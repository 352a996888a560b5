"""Decoders that run in the page of the report: layers, or decoded codes on a grid."""

import base64
import math
import time

import numpy as np
from sklearn.decomposition import PCA

from sklearn_ae.comparison._reducers import is_from, is_ours
from sklearn_ae.display._estimators import decode

# What a decoder takes in the page at most, as text, and points along a side of a grid.
MAX_CHARACTERS = 2_000_000
MAX_GRID, MIN_GRID = 48, 6
# Seconds that a grid may take, and codes by which that is judged.
MAX_SECONDS, N_TIMED = 5.0, 20


def page_decoder(model, codes):
    """What decodes points of a map in the page, as a dict for JSON; None where nothing can.

    Parameters
    ----------
    model : estimator
        A fitted reducer with `inverse_transform`.
    codes : ndarray of shape (n_samples, 2)
        The codes of the map.
    """
    layers = _layers(model)
    if layers is not None:
        packed = [_packed(layer) for layer in layers]
        if sum(map(_length, packed)) <= MAX_CHARACTERS:
            return {"layers": packed}
    return _grid(model, codes.astype(np.float64))


def as_text(array):
    """Numbers as base64 text, for the page."""
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    return {"type": kind, "shape": list(array.shape), "data": data}


def _layers(model):
    """Layers of a decoder; None for a model that does not say them."""
    if type(model) is PCA:
        weight = model.components_.T
        if model.whiten:
            weight = weight * np.sqrt(model.explained_variance_)
        return [{"kind": "dense", "weight": weight, "bias": model.mean_}]
    if not is_ours(model):
        return None
    from sklearn_ae import Autoencoder  # not before: it imports torch

    names = ("decoder_layers", "inverse_transform")
    if any(getattr(type(model), name, None) != getattr(Autoencoder, name) for name in names):
        return None  # it decodes in a way of its own
    try:
        return model.decoder_layers()
    except ValueError:  # it says that it has others
        return None


def _packed(layer):
    """A layer whose arrays are text."""
    if layer["kind"] == "sum":
        paths = [[_packed(part) for part in path] for path in layer["paths"]]
        return {"kind": "sum", "paths": paths}
    packed = {}
    for name, value in layer.items():
        if name == "weight":
            packed |= _in_halves(value, 1 if layer["kind"] == "transposed_convolution" else 0)
        elif isinstance(value, np.ndarray):
            packed[name] = as_text(value.astype(np.float64))
        else:
            packed[name] = float(value) if isinstance(value, np.floating) else value
    return packed


def _in_halves(weight, axis):
    """A weight in half precision, and the unit of each output in full: these may be of any size."""
    others = tuple(place for place in range(weight.ndim) if place != axis)
    units = np.abs(weight).max(axis=others, keepdims=True)
    units = np.where(units > 0, units, 1.0)
    return {
        "weight": as_text((weight / units).astype(np.float16)),
        "units": as_text(units.ravel().astype(np.float64)),
    }


def _length(layer):
    if layer["kind"] == "sum":
        return sum(_length(part) for path in layer["paths"] for part in path)
    return sum(len(value["data"]) for value in layer.values() if isinstance(value, dict))


def _grid(model, codes):
    """Decoded codes on a grid over the map, as dense as space and time allow."""
    if is_from(model, "umap"):  # its inverse is slow, and knows its own codes' hull only
        return None
    low, high = codes.min(axis=0), codes.max(axis=0)
    start = time.perf_counter()
    n_features = decode(model, codes[:N_TIMED]).shape[-1]
    row_seconds = (time.perf_counter() - start) / min(len(codes), N_TIMED)
    n_values = 3 * MAX_CHARACTERS // (4 * 2)  # numbers of two bytes in base64
    n_points = min(n_values // n_features, int(MAX_SECONDS / max(row_seconds, 1e-9)))
    size = min(MAX_GRID, math.isqrt(n_points))
    if size < MIN_GRID:
        return None
    first, second = (np.linspace(*ends, size) for ends in zip(low, high, strict=True))
    places = np.stack(np.meshgrid(first, second), axis=-1)  # (size, size, 2), second by row
    values = decode(model, places).reshape(-1, n_features).astype(np.float64)
    least = values.min(axis=0)
    span = np.ptp(values, axis=0)
    shares = (values - least) / np.where(span > 0, span, 1.0)
    return {
        "grid": as_text(np.round(shares * (2**16 - 1)).astype(np.uint16)),
        "factor": as_text(span / (2**16 - 1)),
        "shift": as_text(least),
        "low": low.tolist(),
        "high": high.tolist(),
        "size": size,
    }
