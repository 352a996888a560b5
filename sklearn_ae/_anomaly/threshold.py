"""Thresholds of scores."""

import math

import numpy as np

from sklearn_ae._anomaly.groups import distinct_rows
from sklearn_ae._anomaly.robust import ROUNDING
from sklearn_ae._anomaly.weights import mean_of, of_part

# Share of the rows with the same values from which on these are no anomaly, and the rows that are
# drawn to find such values.
COMMON, ROWS_TO_LOOK_AT = 0.05, 4000


def rounding(threshold, scores):
    """By how much scores of equal rows may differ."""
    return ROUNDING * np.maximum(np.abs(threshold), np.median(np.abs(scores)))


def common_rows(rows, scaled, seed, weight=None):
    """Different rows of whose exact values a twentieth of all rows is or more."""
    drawn = np.random.default_rng(seed).permutation(len(rows))[:ROWS_TO_LOOK_AT]
    first, of_row = distinct_rows(scaled[drawn], seed)
    shares = np.bincount(of_row, weights=of_part(weight, drawn))
    # half as many among those drawn is a chance that hardly any of them misses
    is_likely = (shares >= COMMON / 2 * shares.sum()) & (np.bincount(of_row) > 1)
    likely = rows[drawn[first[is_likely]]]
    return likely[[mean_of((rows == row).all(axis=1), weight) >= COMMON for row in likely]]


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
