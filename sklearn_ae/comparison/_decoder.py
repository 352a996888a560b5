"""Decoders that run in the page of the report: layers, or decoded codes on a grid."""

import base64
import math

import numpy as np

from sklearn_ae.comparison._reducers import is_from
from sklearn_ae.display._estimators import decode

# What a decoder takes in the page at most, as text, and points along a side of a grid.
MAX_CHARACTERS = 2_000_000
MAX_GRID, MIN_GRID = 48, 6
LARGEST_HALF = 6e4


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
    """Numbers as base64 text in the least type that holds them, for the page."""
    array = np.asarray(array)
    if array.dtype.kind == "f":
        finite = np.abs(array[np.isfinite(array)])
        # factors and shifts are few and carry the units
        half = array.ndim > 1 and finite.max(initial=0.0) < LARGEST_HALF
        array = array.astype("<f2" if half else "<f4")
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    return {"type": kind, "shape": list(array.shape), "data": data}


def _layers(model):
    """Layers of a decoder; None for a model that does not say them."""
    if hasattr(model, "decoder_layers"):
        try:
            return model.decoder_layers()
        except ValueError:  # it says that it has others
            return None
    if is_from(model, "sklearn") and type(model).__name__ == "PCA":
        weight = model.components_.T
        if model.whiten:
            weight = weight * np.sqrt(model.explained_variance_)
        return [{"kind": "dense", "weight": weight, "bias": model.mean_}]
    return None


def _packed(layer):
    """A layer whose arrays are text."""
    if layer["kind"] == "sum":
        return {
            "kind": "sum",
            "paths": [[_packed(part) for part in path] for path in layer["paths"]],
        }
    return {
        name: as_text(value) if isinstance(value, np.ndarray) else value
        for name, value in layer.items()
    }


def _length(layer):
    if layer["kind"] == "sum":
        return sum(_length(part) for path in layer["paths"] for part in path)
    return sum(len(value["data"]) for value in layer.values() if isinstance(value, dict))


def _grid(model, codes):
    """Decoded codes on a grid over the map, as dense as the space allows."""
    if is_from(model, "umap"):  # its inverse is slow, and knows its own codes' hull only
        return None
    low, high = codes.min(axis=0), codes.max(axis=0)
    n_features = decode(model, codes[None, :1]).shape[-1]
    n_values = 3 * MAX_CHARACTERS // (4 * 2)  # half floats in base64
    size = min(MAX_GRID, math.isqrt(n_values // n_features))
    if size < MIN_GRID:
        return None
    first, second = (np.linspace(*ends, size) for ends in zip(low, high, strict=True))
    places = np.stack(np.meshgrid(first, second), axis=-1)  # (size, size, 2), second by row
    values = decode(model, places)
    return {
        "grid": as_text(values),
        "low": low.tolist(),
        "high": high.tolist(),
        "size": size,
    }
