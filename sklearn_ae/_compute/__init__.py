"""Devices, generators, rows in chunks, guards: what computing with torch needs everywhere."""

from sklearn_ae._compute.caller import own_state
from sklearn_ae._compute.chunks import rows_at_once, slices
from sklearn_ae._compute.device import (
    inference_device,
    resolve_device,
    resolve_precision,
    supports_float64,
)
from sklearn_ae._compute.generators import global_state_guard, make_generator
from sklearn_ae._compute.warn import warn_user

__all__ = [
    "global_state_guard",
    "inference_device",
    "make_generator",
    "own_state",
    "resolve_device",
    "resolve_precision",
    "rows_at_once",
    "slices",
    "supports_float64",
    "warn_user",
]
