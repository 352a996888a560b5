"""Pictures of fitted estimators, as scikit-learn's Display classes draw them.

``from_estimator`` computes and draws, ``plot`` draws again; the axes and the artists are kept as
attributes. All need matplotlib, which is imported when something is drawn.
"""

from sklearn_ae.display._anomaly_score import AnomalyScoreDisplay
from sklearn_ae.display._dictionary import DictionaryDisplay
from sklearn_ae.display._feature_anomaly import FeatureAnomalyDisplay
from sklearn_ae.display._latent_manifold import LatentManifoldDisplay
from sklearn_ae.display._latent_space import LatentSpaceDisplay
from sklearn_ae.display._latent_traversal import LatentTraversalDisplay
from sklearn_ae.display._loss_curve import LossCurveDisplay
from sklearn_ae.display._reconstruction import ReconstructionDisplay

__all__ = [
    "AnomalyScoreDisplay",
    "DictionaryDisplay",
    "FeatureAnomalyDisplay",
    "LatentManifoldDisplay",
    "LatentSpaceDisplay",
    "LatentTraversalDisplay",
    "LossCurveDisplay",
    "ReconstructionDisplay",
]
