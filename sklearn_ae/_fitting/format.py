"""Version and schema of what is stored."""

import copy
import platform

import numpy as np
import sklearn
import torch

from sklearn_ae._version import __version__

FORMAT_VERSION = 1


def versions():
    """Versions of this package and of those that matter for loading."""
    return {
        "sklearn_ae": __version__,
        "torch": str(torch.__version__),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def add_format(state):
    """A copy of the state of an estimator, marked with the version of its format."""
    return {**state, "_format_version": FORMAT_VERSION, "_versions": versions()}


def check_format(state, name):
    """A state without its mark; ValueError where a newer release saved it."""
    state = copy.copy(state)
    version = state.pop("_format_version", FORMAT_VERSION)
    saved_with = state.pop("_versions", {})
    if version > FORMAT_VERSION:
        raise ValueError(
            f"This {name} was saved in format {version} (with {saved_with}), but this release of "
            f"sklearn_ae reads formats up to {FORMAT_VERSION}; upgrade sklearn_ae."
        )
    return state
