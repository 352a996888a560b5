"""Medians and spreads, fences, and which rows lie far from their neighbours."""

import numpy as np
from scipy.stats import norm

from sklearn_ae._anomaly.weights import (
    Sorted,
    mean_of,
    median,
    of_part,
    quantile,
    total_of,
    value_at,
)

# Share of the rows that are closest to their neighbours: what most rows are like.
CORE_FRACTION = 0.75
# Deviations above the median from which a row lies far from its neighbours, and the least weight
# that such a row has in training.
FAR_APART, SMALLEST_WEIGHT = 3.0, 0.05
# Fences lie FENCE times as far from the median of a feature as the quantile of FENCE_SHARE.
FENCE_SHARE, FENCE = 0.05, 5.0
# Deviations below the median where the threshold "auto" lies, and the share of rows below it at
# least.
THRESHOLD_DEVIATIONS, LOWEST = 3.0, 0.015
# Median absolute deviation to standard deviation of a normal distribution.
MAD_TO_STD = 1.4826
# Relative difference of numbers that are equal but for the order of a sum.
ROUNDING = 1e-9


def median_and_spread(values, weight=None):
    """Median, and the standard deviation by the median absolute deviation from it.

    Where half of the values or more are equal, as in a table with few different rows, it is the
    median of the deviations of the others.
    """
    center = float(median(values, weight))
    deviations = np.abs(values - center)
    spread = MAD_TO_STD * float(median(deviations, weight))
    apart = deviations > ROUNDING * abs(center)
    if spread <= ROUNDING * abs(center):
        others = deviations[apart], of_part(weight, apart)
        spread = MAD_TO_STD * float(median(*others)) if apart.any() else 0.0
    return center, spread


def within_fences(rows, weight=None):
    """Rows with what lies far out in one feature moved to a fence.

    The fences lie five times as far from the median as the 5th and the 95th percentile do. There
    is none on a side where that percentile is the median, as of a rare indicator.

    The result has shape (n_samples, n_features).
    """
    # values of the data: one between the 0 and the 1 of an indicator would be a fence before the 1
    values = Sorted(rows, weight)
    lower = values.quantile(FENCE_SHARE, "higher")
    upper = values.quantile(1 - FENCE_SHARE, "lower")
    center = values.quantile(0.5)
    with np.errstate(over="ignore"):
        least = np.where(lower < center, center - FENCE * (center - lower), -np.inf)
        most = np.where(upper > center, center + FENCE * (upper - center), np.inf)
    return np.clip(rows, least, most)


def usual_distance(distances, weight=None):
    """Distance to the k-th neighbour from which a row lies far: 3 deviations above the median."""
    center, spread = median_and_spread(distances, weight)
    return center + max(FAR_APART * spread, ROUNDING * center)


def down_weights(distances, weight=None):
    """Weight of each row in training, one but for rows far from their neighbours.

    Beyond the usual distance it falls with the square of the distance: a loss that grows with it
    is then bounded.

    The result has shape (n_samples,).
    """
    limit = usual_distance(distances, weight)
    if distances.max() <= limit:
        return None
    return np.maximum((limit / np.maximum(distances, limit)) ** 2, SMALLEST_WEIGHT)


def usual(distances, weight=None):
    """Which rows are not far from their neighbours, of shape (n_samples,)."""
    return distances <= usual_distance(distances, weight)


def closest(distances, weight=None):
    """Which three quarters of the rows have the smallest distances, more where there are ties.

    The result has shape (n_samples,).
    """
    last = quantile(distances, CORE_FRACTION, weight, method="higher")
    return distances <= last * (1 + ROUNDING)


def low_limit(scores, weight=None):
    """Three deviations below the median of scores, or their lowest 1.5 % where that is higher.

    The deviation is taken from the scores below the median, as they have a longer tail on that
    side: their median distance to it over that of as large a share of a normal distribution.
    """
    center = float(median(scores, weight))
    rounding = ROUNDING * abs(center)
    below = scores < center - rounding
    spread = 0.0
    if below.any():
        usual_distance_below = median(center - scores[below], of_part(weight, below))
        spread = float(usual_distance_below) / norm.isf(mean_of(below, weight) / 2)
    n_lowest = int(LOWEST * (total_of(weight, len(scores)) + 1))
    lowest = value_at(scores, n_lowest, weight) if n_lowest else -np.inf
    return max(center - max(THRESHOLD_DEVIATIONS * spread, rounding), float(lowest) - rounding)


def core_of(distances, robust, weight=None):
    """Which rows spreads and covariances are taken from, by their distance to the k-th neighbour.

    ``robust`` is False for all rows, "auto" for those that are not far from their neighbours, and
    True for the three quarters that are closest to theirs.
    """
    if not robust:
        return np.full(len(distances), True)
    return (usual if isinstance(robust, str) else closest)(distances, weight)
