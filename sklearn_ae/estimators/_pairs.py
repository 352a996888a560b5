"""Checks of pairs of corrupted and clean rows."""

import itertools

import numpy as np
from sklearn.utils import check_array

from sklearn_ae.utils._images import flatten_images


def columns_of(X, estimator):
    """Names of the columns of rows, as given or as a fit has seen them; None without."""
    columns = getattr(X, "columns", None)
    return getattr(estimator, "feature_names_in_", None) if columns is None else columns


def check_pairs(X, clean, columns, image_shape):
    """The clean rows of checked rows ``X``, checked; ``columns`` are the names of those of X."""
    names = getattr(clean, "columns", None)
    if names is not None and columns is not None and list(names) != list(columns):
        pairs = itertools.zip_longest(names, columns)
        name, column = next(pair for pair in pairs if pair[0] != pair[1])
        raise ValueError(
            f"X_clean has {len(names)} columns and X has {len(columns)}, and the first that "
            f"differ are {name!r} of X_clean and {column!r} of X; a pair is a value of X and "
            "one of the same column of X_clean."
        )
    clean, _ = flatten_images(clean, image_shape, "X_clean")
    clean = check_array(clean, dtype=[np.float64, np.float32], order="C", input_name="X_clean")
    if clean.shape != X.shape:
        raise ValueError(
            f"X_clean has shape {clean.shape}, but X has shape {X.shape}; a pair is a row of "
            "X and the same row of X_clean."
        )
    return clean
