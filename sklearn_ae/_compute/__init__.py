"""Devices, random generators, rows in chunks: what computing with torch needs everywhere."""

from sklearn_ae._compute.chunks import WeightedRows, in_chunks, rows_at_once
from sklearn_ae._compute.device import resolve_device, supports_float64
from sklearn_ae._compute.generators import global_state_guard, make_generator

__all__ = [
    "WeightedRows",
    "global_state_guard",
    "in_chunks",
    "make_generator",
    "resolve_device",
    "rows_at_once",
    "supports_float64",
]
