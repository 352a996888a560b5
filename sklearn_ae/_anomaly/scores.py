"""How far a row lies from the others, by its error, its output and its code."""

import numpy as np

from sklearn_ae._anomaly.covariance import shrunk_covariances
from sklearn_ae._anomaly.neighbors import Neighbors
from sklearn_ae._anomaly.robust import ROUNDING, core_of, median_and_spread

# Least spread of a feature's error, as a share of the feature's standard deviation.
SMALLEST_SPREAD = 1e-6


class LogScale:
    """Logarithm on the scale of its median and spread over some values.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Distances, not negative.
    """

    def __init__(self, values):
        positive = values[(values > 0) & np.isfinite(values)]
        self.least = 1e-6 * np.median(positive) if len(positive) else 1.0
        logarithms = self._log(values)
        median = np.median(logarithms)
        apart = logarithms[np.abs(logarithms - median) > ROUNDING]
        if len(apart) and 2 * len(apart) <= len(logarithms):
            # half are equal, such as distances of zero: the others tell how far is far
            logarithms = apart
        self.center, self.spread = median_and_spread(logarithms)
        if self.spread == 0:
            self.spread = 1.0

    def _log(self, values):
        return np.log(np.clip(values, self.least, np.finfo(float).max))

    def __call__(self, values):
        """Scale values, of shape (n_samples,)."""
        return (self._log(values) - self.center) / self.spread


class AnomalyScores:
    """All scores that errors, outputs and codes of rows give, learnt from those of training rows.

    Errors and outputs stand side by side: a code may be rescaled or bent at will, its output is
    in the units of the data.

    Parameters
    ----------
    split : SplitErrors
        Of the training rows: ``errors`` that the autoencoder leaves over, of shape (n_rows,
        n_features), ``outputs``, which are the rows less the errors, and ``codes`` of shape
        (n_rows, n_components).
    robust : bool or "auto"
        Which rows spreads and covariances are taken from; see `core_of`.
    n_neighbors : int
        Nearest rows that the distance is taken to.
    seed : int
        Of what is drawn for large tables.
    left_out : ndarray of shape (n_rows,), bool, or None, default=None
        Rows that spreads and covariances are not learnt from, see `learn`.

    Attributes
    ----------
    core : ndarray of shape (n_rows,), bool
        The rows that spreads and covariances are taken from, but for those left out.
    """

    def __init__(self, split, robust, n_neighbors, seed, left_out=None):
        joined = _joined(split)
        self.seed = seed
        self.near, mean, greatest = Neighbors.among(joined, n_neighbors, seed)
        # the greatest: rows of a group with fewer than the neighbours asked for are far from theirs
        self.core = core_of(greatest, robust)
        self.near_scale = LogScale(mean)
        self.learn(split, left_out)

    def learn(self, split, left_out=None):
        """Learn spreads, covariances and their scale, with or without some of the training rows.

        To the nearest rows of those that are left out nothing changes: no row is its own.
        """
        kept = np.full(len(self.core), True) if left_out is None else ~left_out
        core = self.core & kept
        self.spread = _spread_of_errors(split.errors[core], split.outputs[core])
        joined = _joined(split)
        tables = joined[core], split.codes[core]
        self.covariance, self.code_covariance = shrunk_covariances(tables, self.seed)
        self.scale = LogScale(self.covariance.squared_distances(joined[kept]))

    def reconstruction(self, split):
        """Squared error, the sum over features."""
        return (split.errors**2).sum(axis=1)

    def standardized(self, split):
        """Squared error over the mean squared error of each feature, the sum over features."""
        return ((split.errors / self.spread) ** 2).sum(axis=1)

    def mahalanobis(self, split):
        """Squared Mahalanobis distance of error and output together."""
        return self.covariance.squared_distances(_joined(split))

    def latent(self, split):
        """Squared Mahalanobis distance of the code."""
        return self.code_covariance.squared_distances(split.codes)

    def neighbors(self, split):
        """Mean distance of error and output together to the nearest rows."""
        return self.near.distances(_joined(split))[0]

    def auto(self, split):
        """Mean of log(1 + exp l) over the scaled logarithms l of both distances."""
        scaled = (
            self.scale(self.mahalanobis(split)),
            self.near_scale(self.neighbors(split)),
        )
        # a row near the centre of a ring is not the more normal for that
        return np.logaddexp(0.0, scaled).mean(axis=0)


def _joined(split):
    """Errors and outputs side by side."""
    return np.hstack([split.errors, split.outputs])


def _spread_of_errors(errors, outputs):
    """Root mean square of each feature's error, which is not taken to be less than rounding."""
    # no errors where outputs are scored alone
    feature_spread = (errors + outputs[:, : errors.shape[1]]).std(axis=0)
    varying = feature_spread > 0
    typical = np.median(feature_spread[varying]) if varying.any() else 1.0
    # some features are never reconstructed wrongly, such as one that is constant
    least = SMALLEST_SPREAD * np.where(varying, feature_spread, typical)
    return np.maximum(np.sqrt(np.mean(errors**2, axis=0)), least)
