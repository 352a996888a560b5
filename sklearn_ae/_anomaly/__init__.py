"""What the detector computes: scores, covariance, robust statistics, neighbours, threshold."""

from sklearn_ae._anomaly.covariance import Standardizer
from sklearn_ae._anomaly.robust import below_median, core_of, down_weights, within_fences
from sklearn_ae._anomaly.scores import AnomalyScores, is_isometric
from sklearn_ae._anomaly.threshold import calibration_rank, common_rows, rounding

__all__ = [
    "AnomalyScores",
    "Standardizer",
    "below_median",
    "calibration_rank",
    "common_rows",
    "core_of",
    "down_weights",
    "is_isometric",
    "rounding",
    "within_fences",
]
