"""Medians and spreads, fences, and which rows lie far from their neighbours."""

import numpy as np
from scipy.stats import norm

# Share of the rows that are closest to their neighbours: what most rows are like.
CORE_FRACTION = 0.75
# Deviations above the median from which a row lies far from its neighbours, and the least weight
# that such a row has in training.
FAR_APART, SMALLEST_WEIGHT = 3.0, 0.05
# Fences lie FENCE times as far from the median of a feature as its FENCE_PERCENT-th percentile.
FENCE_PERCENT, FENCE = 5, 5.0
# Deviations below the median where the threshold "auto" lies, and the share of rows below it at
# least.
THRESHOLD_DEVIATIONS, LOWEST = 3.0, 0.015
# Median absolute deviation to standard deviation of a normal distribution.
MAD_TO_STD = 1.4826
# Relative difference of numbers that are equal but for the order of a sum.
ROUNDING = 1e-9


def median_and_spread(values):
    """Median, and the standard deviation by the median absolute deviation from it.

    Where half of the values or more are equal, as in a table with few different rows, it is the
    median of the deviations of the others.
    """
    median = float(np.median(values))
    deviations = np.abs(values - median)
    spread = MAD_TO_STD * float(np.median(deviations))
    apart = deviations[deviations > ROUNDING * abs(median)]
    if spread <= ROUNDING * abs(median):
        spread = MAD_TO_STD * float(np.median(apart)) if len(apart) else 0.0
    return median, spread


def within_fences(rows):
    """Rows with what lies far out in one feature moved to a fence.

    The fences lie five times as far from the median as the 5th and the 95th percentile do. There
    is none on a side where that percentile is the median, as of a rare indicator.

    The result has shape (n_samples, n_features).
    """
    # values of the data: one between the 0 and the 1 of an indicator would be a fence before the 1
    lower = np.percentile(rows, FENCE_PERCENT, axis=0, method="higher")
    upper = np.percentile(rows, 100 - FENCE_PERCENT, axis=0, method="lower")
    median = np.median(rows, axis=0)
    least = np.where(lower < median, median - FENCE * (median - lower), -np.inf)
    most = np.where(upper > median, median + FENCE * (upper - median), np.inf)
    return np.clip(rows, least, most)


def usual_distance(distances):
    """Distance to the k-th neighbour from which a row lies far: 3 deviations above the median."""
    median, spread = median_and_spread(distances)
    return median + max(FAR_APART * spread, ROUNDING * median)


def down_weights(distances):
    """Weight of each row in training, one but for rows far from their neighbours.

    Beyond the usual distance it falls with the square of the distance: a loss that grows with it
    is then bounded.

    The result has shape (n_samples,).
    """
    limit = usual_distance(distances)
    if distances.max() <= limit:
        return None
    return np.maximum((limit / np.maximum(distances, limit)) ** 2, SMALLEST_WEIGHT)


def usual(distances):
    """Which rows are not far from their neighbours, of shape (n_samples,)."""
    return distances <= usual_distance(distances)


def closest(distances):
    """Which three quarters of the rows have the smallest distances, more where there are ties.

    The result has shape (n_samples,).
    """
    last = np.quantile(distances, CORE_FRACTION, method="higher")
    return distances <= last * (1 + ROUNDING)


def low_limit(scores):
    """Three deviations below the median of scores, or their lowest 1.5 % where that is higher.

    The deviation is taken from the scores below the median, as they have a longer tail on that
    side: their median distance to it over that of as large a share of a normal distribution.
    """
    median = float(np.median(scores))
    rounding = ROUNDING * abs(median)
    below = median - scores[scores < median - rounding]
    spread = float(np.median(below)) / norm.isf(len(below) / len(scores) / 2) if len(below) else 0.0
    n_lowest = int(LOWEST * (len(scores) + 1))
    lowest = np.partition(scores, n_lowest)[n_lowest] if n_lowest else -np.inf
    return max(median - max(THRESHOLD_DEVIATIONS * spread, rounding), float(lowest) - rounding)


def core_of(distances, robust):
    """Which rows spreads and covariances are taken from, by their distance to the k-th neighbour.

    ``robust`` is False for all rows, "auto" for those that are not far from their neighbours, and
    True for the three quarters that are closest to theirs.
    """
    if not robust:
        return np.full(len(distances), True)
    return usual(distances) if isinstance(robust, str) else closest(distances)
