"""Checks of pairs of corrupted and clean rows."""

import itertools

import numpy as np
from sklearn.utils import check_array

from sklearn_ae.utils._images import flatten_images


def labels_of(X, estimator):
    """Names of the columns of rows, as given or as a fit has seen them, and their index.

    Each is None where there is none; ``estimator`` is None where a fit starts anew.
    """
    columns = getattr(X, "columns", None)
    if columns is None and estimator is not None:
        columns = getattr(estimator, "feature_names_in_", None)
    return columns, _index_of(X)


def _index_of(X):
    """The index of a data frame; None of what has none, such as a list."""
    index = getattr(X, "index", None)
    return None if callable(index) else index


def check_pairs(X, clean, labels, image_shape):
    """The clean rows of checked rows ``X``, checked; for ``labels`` see `labels_of`."""
    columns, index = labels
    names = getattr(clean, "columns", None)
    if names is not None and columns is not None and list(names) != list(columns):
        name, column = _first_difference(names, columns)
        raise ValueError(
            f"X_clean has {len(names)} columns and X has {len(columns)}, and the first that "
            f"differ are {name!r} of X_clean and {column!r} of X; a pair is a value of X and "
            "one of the same column of X_clean."
        )
    clean_index = _index_of(clean)
    is_other = index is not None and clean_index is not None and not index.equals(clean_index)
    if is_other:
        label, other = _first_difference(clean_index, index)
        raise ValueError(
            f"X_clean has another index than X: the first labels that differ are {label!r} of "
            f"X_clean and {other!r} of X. A pair is a row of X and the row of X_clean at the same "
            "place; use X_clean.loc[X.index], or arrays."
        )
    clean, _ = flatten_images(clean, image_shape, "X_clean")
    clean = check_array(clean, dtype=[np.float64, np.float32], order="C", input_name="X_clean")
    if np.isnan(clean).any():  # scikit-learn does not look under assume_finite
        raise ValueError("Input X_clean contains NaN.")
    if clean.shape != X.shape:
        raise ValueError(
            f"X_clean has shape {clean.shape}, but X has shape {X.shape}; a pair is a row of "
            "X and the same row of X_clean."
        )
    return clean


def _first_difference(labels, others):
    """The first two labels that differ; None stands for one that is missing."""
    pairs = itertools.zip_longest(labels, others)
    return next(pair for pair in pairs if pair[0] != pair[1])
