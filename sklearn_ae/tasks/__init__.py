"""Tasks: what one batch is put through, a network and the terms of its objective."""

from sklearn_ae.tasks.denoising import DenoisingTask
from sklearn_ae.tasks.evidence_bound import SAMPLES_AT_ONCE, EvidenceBoundTask
from sklearn_ae.tasks.reconstruction import ReconstructionTask
from sklearn_ae.tasks.task import Task

__all__ = ["SAMPLES_AT_ONCE", "DenoisingTask", "EvidenceBoundTask", "ReconstructionTask", "Task"]
