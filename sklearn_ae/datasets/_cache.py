"""Where data files lie, how they get there, and the Bunch they come back in."""

import os
from pathlib import Path

import pandas as pd
import pooch
from sklearn.utils import Bunch

from sklearn_ae.utils._parts import in_one_line


def cache_folder(data_home=None):
    """Folder of the data: `data_home`, else SKLEARN_AE_DATA, else the user's cache folder."""
    if data_home is not None:
        return Path(data_home)
    return Path(os.environ.get("SKLEARN_AE_DATA") or pooch.os_cache("sklearn_ae"))


def fetch_file(folder, name, *, base_url, sha256, data_home, download_if_missing):
    """Path of one verified file of the cache, downloaded where it is missing or damaged."""
    path = cache_folder(data_home) / folder / name
    if path.is_file() and pooch.file_hash(str(path)) == sha256:
        return path
    if not download_if_missing:
        problem = "has another sha256 than expected" if path.is_file() else "not found"
        raise OSError(f"{path} {problem} and `download_if_missing` is False.")
    url = f"{base_url}/{name}"
    try:
        pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=name, path=path.parent)
    except OSError as error:
        raise OSError(
            f"{url} could not be downloaded to {path}: {in_one_line(error)}. Try again, or put "
            "the file there by other means."
        ) from error
    return path


def make_bunch(data, target, *, target_column="target", return_X_y, as_frame, **extra):
    """Bunch with scikit-learn's keys, or the pair (data, target)."""
    frame = None
    if as_frame:
        data = pd.DataFrame(data, columns=extra["feature_names"], copy=False)
        target = pd.Series(target, name=target_column)
        frame = pd.concat([data, target], axis=1)
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, frame=frame, **extra)
