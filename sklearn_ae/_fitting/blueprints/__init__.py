"""Blueprints: what a network and its task are built from, one file for each kind of task."""

from sklearn_ae._fitting.blueprints.denoising import DenoisingBlueprint
from sklearn_ae._fitting.blueprints.evidence_bound import EvidenceBoundBlueprint
from sklearn_ae._fitting.blueprints.reconstruction import ReconstructionBlueprint

__all__ = ["DenoisingBlueprint", "EvidenceBoundBlueprint", "ReconstructionBlueprint"]
