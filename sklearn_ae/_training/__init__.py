"""Training: epochs, batches, optimisers and stopping; the only door to skorch."""

from sklearn_ae._training.batches import Batch
from sklearn_ae._training.settings import Settings, TrainingState
from sklearn_ae._training.trainer import check_callbacks, shapes_steps, train

__all__ = ["Batch", "Settings", "TrainingState", "check_callbacks", "shapes_steps", "train"]
