"""Thresholds of scores."""

import math

import numpy as np

from sklearn_ae._anomaly.robust import ROUNDING


def rounding(threshold, scores):
    """By how much scores of equal rows may differ."""
    return ROUNDING * np.maximum(np.abs(threshold), np.median(np.abs(scores)))


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
