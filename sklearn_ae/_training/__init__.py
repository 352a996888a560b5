"""Training: epochs, batches, optimisers, stopping, seeds and devices; the only door to skorch."""

from sklearn_ae._training.device import (
    WeightedRows,
    in_chunks,
    resolve_device,
    rows_at_once,
    supports_float64,
)
from sklearn_ae._training.rules import auto_batch_size, auto_max_iter
from sklearn_ae._training.seeds import global_state_guard, make_generator
from sklearn_ae._training.tasks import (
    SAMPLES_AT_ONCE,
    DenoisingTask,
    EvidenceBoundTask,
    ReconstructionTask,
)
from sklearn_ae._training.trainer import Settings, check_callbacks, train

__all__ = [
    "SAMPLES_AT_ONCE",
    "DenoisingTask",
    "EvidenceBoundTask",
    "ReconstructionTask",
    "Settings",
    "WeightedRows",
    "auto_batch_size",
    "auto_max_iter",
    "check_callbacks",
    "global_state_guard",
    "in_chunks",
    "make_generator",
    "resolve_device",
    "rows_at_once",
    "supports_float64",
    "train",
]
