"""Fetchers of public data sets, and a loader of those without a public address."""

from sklearn_ae.datasets._adbench import ADBENCH_NAMES, fetch_adbench
from sklearn_ae.datasets._images import fetch_fashion_mnist, fetch_mnist
from sklearn_ae.datasets._local import LOCAL_NAMES, load_local

__all__ = [
    "ADBENCH_NAMES",
    "LOCAL_NAMES",
    "fetch_adbench",
    "fetch_fashion_mnist",
    "fetch_mnist",
    "load_local",
]
