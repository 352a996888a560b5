"""Thresholds of scores."""

import math

import numpy as np

from sklearn_ae._anomaly.robust import ROUNDING
from sklearn_ae._anomaly.weights import repeats
from sklearn_ae.utils._rows import sets_of_equal_rows

# Share of the rows with the same values from which on these are no anomaly, and the rows that are
# drawn to find such values.
COMMON, ROWS_TO_LOOK_AT = 0.05, 4000


def rounding(threshold, scores):
    """By how much scores of equal rows may differ."""
    return ROUNDING * np.maximum(np.abs(threshold), np.median(np.abs(scores)))


def common_rows(rows, seed, weight=None):
    """Different rows of whose exact values a twentieth of all rows is or more, two at least."""
    times = np.ones(len(rows)) if weight is None else repeats(weight)
    places, counted = np.arange(len(rows)), times
    if len(rows) > ROWS_TO_LOOK_AT:
        rng = np.random.default_rng(seed)
        places = rng.choice(len(rows), ROWS_TO_LOOK_AT, p=times / times.sum())
        counted = np.ones(len(places))
    first, of_row = sets_of_equal_rows(rows[places])
    counts = np.bincount(of_row, weights=counted)
    # half as many among those drawn is a chance that hardly any of them misses
    likely = rows[places[first[counts >= COMMON / 2 * counts.sum()]]]
    found = np.array([times[(rows == row).all(axis=1)].sum() for row in likely])
    return likely[found >= max(2.0, COMMON * times.sum())]


def equals_any(rows, others):
    """Which of the rows have the exact values of one of the others."""
    found = np.full(len(rows), False)
    for other in others:
        found |= (rows == other).all(axis=1)
    return found


def calibration_rank(rate, n_rows):
    """Which of the sorted scores of calibration rows is the threshold of a rate, from 1 on."""
    # 0.05 * 20 is to be 1, not a little less
    rank = math.floor(rate * (n_rows + 1) * (1 + 1e-12))
    if rank < 1:
        raise ValueError(
            f"false_positive_rate={rate} needs at least "
            f"{math.ceil(1 / rate * (1 - 1e-12)) - 1} calibration rows; got {n_rows}."
        )
    return rank
