"""Fixtures and rules for all tests."""

import os
from pathlib import Path

import pytest
import torch

os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    no_device = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(no_device)


@pytest.fixture
def data_folder():
    """Folder named by SKLEARN_AE_DATA, with the layout of the cache."""
    folder = os.environ.get("SKLEARN_AE_DATA")
    if folder is None or not Path(folder).is_dir():
        pytest.skip("SKLEARN_AE_DATA does not name a folder")
    return Path(folder)
