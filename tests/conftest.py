"""Fixtures and rules for all tests."""

import os
import re
from pathlib import Path

import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors

os.environ.setdefault("MPLBACKEND", "Agg")


ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def pytest_make_parametrize_id(val):
    """Name estimators and parts as they print, without the addresses of functions in them."""
    if isinstance(val, BaseEstimator):
        return ADDRESS.sub("", " ".join(str(val).split()))


def pytest_collection_modifyitems(items):
    # an address differs between the processes of pytest-xdist, which then run nothing
    unstable = [item.nodeid for item in items if ADDRESS.search(item.nodeid)]
    if unstable:
        raise pytest.UsageError(f"A test's name has an address: {unstable[0]}")
    if torch.cuda.is_available():
        return
    no_device = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(no_device)


@pytest.fixture
def by_sort():
    """Mean and greatest distance to the nearest rows by scikit-learn; a row is none of its own."""

    def distances(rows, n_neighbors, new=None):
        found = NearestNeighbors(n_neighbors=n_neighbors).fit(rows).kneighbors(new)[0]
        return found.mean(axis=1), found[:, -1]

    return distances


@pytest.fixture
def data_folder():
    """Folder named by SKLEARN_AE_DATA, with the layout of the cache."""
    folder = os.environ.get("SKLEARN_AE_DATA")
    if folder is None or not Path(folder).is_dir():
        pytest.skip("SKLEARN_AE_DATA does not name a folder")
    return Path(folder)
