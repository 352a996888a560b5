"""Training: epochs, batches, optimisers and stopping; the only door to skorch."""

from sklearn_ae._training.rules import auto_batch_size, auto_max_iter
from sklearn_ae._training.trainer import Settings, check_callbacks, train

__all__ = ["Settings", "auto_batch_size", "auto_max_iter", "check_callbacks", "train"]
