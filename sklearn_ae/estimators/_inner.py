"""The autoencoder inside the detector, and the scores that it has."""

import copy
from typing import Literal, TypeAlias, get_args

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_ae.estimators._autoencoder import Autoencoder
from sklearn_ae.estimators._variational import VariationalAutoencoder
from sklearn_ae.likelihoods import make_likelihood
from sklearn_ae.losses import make_loss
from sklearn_ae.objectives import make_link
from sklearn_ae.utils._parts import check_parameters, in_one_line

# Share of the variance that the code of the default autoencoder has. It makes no epochs: these
# lower the errors of tables, but do not raise the areas under the curve (benchmark detector_rules).
CODE_VARIANCE = 0.9
AnomalyScore: TypeAlias = Literal[
    "auto",
    "reconstruction",
    "standardized",
    "mahalanobis",
    "latent",
    "likelihood",
    "neighbors",
]
SCORES: tuple[str, ...] = get_args(AnomalyScore)
# Scores that stay what they are where errors and outputs are at right angles, as those of PCA,
# whatever its number of components, and so whether or not it has learnt from a row.
ISOMETRIC_SCORES = ("auto", "mahalanobis", "neighbors")
# Sums of one term for each feature.
ADDITIVE_SCORES = ("reconstruction", "standardized")


def is_frozen(estimator):
    """Whether the estimator is used as it is."""
    return isinstance(estimator, FrozenEstimator)


def new_estimator(detector):
    """The estimator that a detector will fit, or the fitted one that is frozen."""
    if detector.estimator is None:
        return Autoencoder(CODE_VARIANCE, max_iter=0, device=detector.device)
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


def makes_epochs(estimator):
    """Whether the estimator of a detector will learn by epochs."""
    return not (estimator is None or is_frozen(estimator) or estimator.max_iter == 0)


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


def check_score(score, estimator, default=None):
    """The name of a score that the estimator has; the default for None."""
    if score is None:
        return default
    if not isinstance(score, str) or score not in SCORES:
        got = repr(score) if isinstance(score, str) else f"a {type(score).__name__}"
        raise ValueError(f"anomaly_score must be one of {list(SCORES)}; got {got}.")
    if score == "likelihood" and not isinstance(estimator, VariationalAutoencoder):
        raise ValueError(
            "anomaly_score='likelihood' needs a VariationalAutoencoder as estimator; got "
            f"{type(estimator).__name__}."
        )
    return score


def check_takes_any_rows(estimator):
    """Raise where an autoencoder, fitted or not, is for values in [0, 1] alone."""
    check_parameters(estimator)
    if isinstance(estimator, VariationalAutoencoder):
        link = make_link(make_likelihood(estimator.likelihood).link)
    else:
        link = make_link(make_loss(estimator.loss).link)
    if not link.scales_rows:
        raise ValueError(
            "standardize=True takes features out of [0, 1], which the loss or likelihood "
            f"of {in_one_line(estimator)} needs; use standardize=False."
        )
