"""What the detector computes: scores, covariance, robust statistics, neighbours, threshold."""

from sklearn_ae._anomaly.covariance import Standardizer
from sklearn_ae._anomaly.robust import core_of, down_weights, low_limit, within_fences
from sklearn_ae._anomaly.scores import AnomalyScores, is_isometric
from sklearn_ae._anomaly.threshold import (
    calibration_rank,
    common_rows,
    equals_any,
    rounding,
)
from sklearn_ae._anomaly.weights import mean_of, of_part, quantile, repeats, value_at

__all__ = [
    "AnomalyScores",
    "Standardizer",
    "calibration_rank",
    "common_rows",
    "core_of",
    "down_weights",
    "equals_any",
    "is_isometric",
    "low_limit",
    "mean_of",
    "of_part",
    "quantile",
    "repeats",
    "rounding",
    "value_at",
    "within_fences",
]
