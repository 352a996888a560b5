"""What the detector computes: scores, covariance, robust statistics, neighbours, threshold."""

from sklearn_ae._anomaly.covariance import Standardizer
from sklearn_ae._anomaly.robust import below_median, core_of, down_weights, within_fences
from sklearn_ae._anomaly.scores import AnomalyScores
from sklearn_ae._anomaly.threshold import calibration_rank, rounding

__all__ = [
    "AnomalyScores",
    "Standardizer",
    "below_median",
    "calibration_rank",
    "core_of",
    "down_weights",
    "rounding",
    "within_fences",
]
