"""Codes and data of a fitted estimator, through its public methods only."""

import numpy as np
from scipy.stats import norm
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted


def check_methods(estimator, *methods):
    """Raise unless an estimator is fitted and has some methods."""
    check_is_fitted(estimator)
    missing = [method for method in methods if not hasattr(estimator, method)]
    if missing:
        raise TypeError(
            f"The estimator passed should have {' and '.join(methods)}; "
            f"{type(estimator).__name__} has no {' and no '.join(missing)}."
        )


def final_estimator(estimator):
    """The reducer itself, out of searches, pipelines and frozen estimators."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(getattr(estimator, "steps", None), list):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        else:
            return estimator


def is_variational(estimator):
    """Whether codes have a standard normal prior."""
    return hasattr(final_estimator(estimator), "encode_distribution")


def image_shape_of(estimator):
    """Image shape of an estimator's architecture, or None."""
    architecture = getattr(final_estimator(estimator), "architecture", None)
    return getattr(architecture, "image_shape", None)


def needed_image_shape(estimator, image_shape):
    """The image shape that is given, or that of the architecture; raise where there is none."""
    image_shape = image_shape_of(estimator) if image_shape is None else image_shape
    if image_shape is None:
        raise ValueError(
            "image_shape is needed, (height, width) or (channels, height, width): the estimator "
            "has no architecture with one."
        )
    return image_shape


def count_components(estimator):
    """Width of an estimator's codes."""
    estimator = final_estimator(estimator)
    if hasattr(estimator, "n_components_"):
        return int(estimator.n_components_)
    return len(estimator.get_feature_names_out())


def encode(estimator, X):
    """Codes as a two-dimensional array."""
    return check_array(estimator.transform(X), input_name="codes", dtype=np.float64)


def decode(estimator, codes):
    """Data of codes of shape (..., n_components), each flattened to a row."""
    codes = np.asarray(codes)
    decoded = np.asarray(estimator.inverse_transform(codes.reshape(-1, codes.shape[-1])))
    return decoded.reshape(*codes.shape[:-1], -1)


def prior_quantiles(estimator, probabilities):
    """Quantiles of each component under the prior, (n_probabilities, n_components)."""
    quantiles = norm.ppf(probabilities)[:, None]
    return np.tile(quantiles, count_components(estimator))


def check_components(components, n_components):
    """Numbers of components as a tuple; raise where there is no such component."""
    numbers = np.atleast_1d(components)
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise TypeError(f"components must be an int or a tuple of ints, got {components!r}.")
    if numbers.size == 0 or numbers.min() < 0 or numbers.max() >= n_components:
        raise ValueError(
            f"components={components!r} is out of range: the codes have {n_components} "
            f"component{'s' if n_components > 1 else ''}, numbered from 0."
        )
    return tuple(numbers.tolist())


def check_quantile_range(quantile_range):
    """Two probabilities in ascending order."""
    values = tuple(np.ravel(quantile_range).tolist())
    low, high = values if len(values) == 2 else (0, 0)
    if not 0 < low < high < 1:
        raise ValueError(
            f"quantile_range must be two numbers with 0 < low < high < 1, got {quantile_range!r}."
        )
    return low, high
