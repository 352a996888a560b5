"""Training: epochs, batches, optimisers and stopping; the only door to skorch."""

from sklearn_ae._training.batches import Batch
from sklearn_ae._training.rules import auto_batch_size, auto_max_iter
from sklearn_ae._training.seeds import seeds_of_fit
from sklearn_ae._training.trainer import Settings, check_callbacks, train

__all__ = [
    "Batch",
    "Settings",
    "auto_batch_size",
    "auto_max_iter",
    "check_callbacks",
    "seeds_of_fit",
    "train",
]
