"""The autoencoder inside the detector."""

import copy

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._fitting.plan import FEWEST_ROWS_TO_SPLIT
from sklearn_ae.estimators._autoencoder import Autoencoder
from sklearn_ae.estimators._variational import VariationalAutoencoder
from sklearn_ae.utils._parts import in_one_line

# Share of the variance that the default autoencoder's code has at the start, and its epochs: more
# of them lower the errors but not the areas under the curve (benchmark detector_rules).
CODE_VARIANCE, EPOCHS = 0.9, 10


def is_frozen(estimator):
    """Whether the estimator is used as it is."""
    return isinstance(estimator, FrozenEstimator)


def new_estimator(detector, n_rows=None):
    """The estimator that a detector will fit to so many rows, or the fitted one that is frozen."""
    if detector.estimator is None:
        # few rows would not tell whether epochs gain
        is_few = n_rows is not None and n_rows < FEWEST_ROWS_TO_SPLIT
        return Autoencoder(
            CODE_VARIANCE,
            max_iter=0 if is_few else EPOCHS,
            device=detector.device,
            precision=detector.precision,
            verbose=detector.verbose,
        )
    if not is_frozen(detector.estimator):
        return clone(detector.estimator)
    fitted = detector.estimator.estimator
    if not isinstance(fitted, (Autoencoder, VariationalAutoencoder)):
        raise TypeError(
            "AutoencoderDetector needs an Autoencoder or a VariationalAutoencoder in the "
            f"FrozenEstimator; got {in_one_line(fitted)}."
        )
    check_is_fitted(fitted)
    # the user's may be fitted again
    return copy.deepcopy(fitted)


def check_columns(frozen, n_features, names):
    """Raise where rows are not in the columns that a fitted estimator knows; names may be None."""
    kind = type(frozen).__name__
    if n_features != frozen.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but the frozen {kind} is expecting "
            f"{frozen.n_features_in_} features as input."
        )
    known = getattr(frozen, "feature_names_in_", None)
    if names is None or known is None or np.array_equal(names, known):
        return
    name, other = next(pair for pair in zip(names, known, strict=True) if pair[0] != pair[1])
    raise ValueError(
        f"X has the columns of the frozen {kind} in another order or with other names: the first "
        f"that differ are {name!r} of X and {other!r} that it was fitted with."
    )
