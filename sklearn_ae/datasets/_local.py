"""Data sets without a stable public address, read from the cache folder only."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.io import loadmat
from sklearn.utils import Bunch

from sklearn_ae.datasets._cache import cache_folder
from sklearn_ae.utils._typing import StrPath

ADULT_COLUMNS = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
]
ABALONE_COLUMNS = [
    "sex",
    "length",
    "diameter",
    "height",
    "whole_weight",
    "shucked_weight",
    "viscera_weight",
    "shell_weight",
    "rings",
]


def load_local(name: str, *, data_home: StrPath | None = None) -> Bunch:
    """Load a data set of the benchmarks that cannot be downloaded.

    The files have no stable public address, so they must lie in the cache folder already.

    Parameters
    ----------
    name : str
        One of ``sklearn_ae.datasets.LOCAL_NAMES``: images (``"olivetti"``, ``"freyfaces"``,
        ``"isbi2012_em"``), texts (``"reuters_r8"``), tables (``"uci_mixed/<table>"``), or
        ``"uci_imputation/<table>"`` with the name of any CSV file of that folder.

    data_home : str or path-like, default=None
        Folder of the cache. None means the environment variable ``SKLEARN_AE_DATA``, or the
        user's cache folder where it is not set.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Images have ``images`` (n_samples, height, width), ``data`` (n_samples, n_pixels),
        both uint8, and ``target`` (people, membrane labels or None). Texts have ``data`` and
        ``target`` for training, ``data_test`` and ``target_test``. Tables have ``frame``,
        missing cells NaN.

    See Also
    --------
    fetch_adbench : Tables with a public address.

    Examples
    --------
    >>> from sklearn_ae.datasets import load_local
    >>> load_local("olivetti").images.shape  # doctest: +SKIP
    (400, 64, 64)
    """
    folder, _, table = name.partition("/")
    if name in LOADERS:
        return LOADERS[name](cache_folder(data_home) / folder)
    if folder == "uci_imputation" and re.fullmatch(r"\w+", table):
        return _uci_imputation(cache_folder(data_home) / folder, table)
    raise ValueError(f"`name` must be one of {list(LOCAL_NAMES)}. Got {name!r} instead.")


def _existing(path):
    if not path.is_file():
        raise OSError(
            f"{path} not found. It has no public address to download it from: set "
            "SKLEARN_AE_DATA to a folder that holds it."
        )
    return path


def _images(images, target, description):
    return Bunch(
        images=images, data=images.reshape(len(images), -1), target=target, DESCR=description
    )


def _olivetti(folder):
    faces = loadmat(_existing(folder / "olivettifaces.mat"))["faces"]  # (4096, 400)
    # MATLAB stores an image column by column.
    images = np.ascontiguousarray(faces.T.reshape(-1, 64, 64).transpose(0, 2, 1))
    return _images(
        images, np.repeat(np.arange(40), 10), "Olivetti faces, AT&T Laboratories Cambridge."
    )


def _freyfaces(folder):
    with np.load(_existing(folder / "freyfaces.npz"), allow_pickle=False) as file:
        return _images(file["X"], None, "Frey faces (Roweis), frames of one video.")


def _isbi2012_em(folder):
    with np.load(_existing(folder / "isbi2012_em.npz"), allow_pickle=False) as file:
        return _images(
            file["image"],
            file["label"],
            "ISBI 2012 electron microscopy, 1 = cell interior; neighbouring slices are "
            "correlated, so split by blocks.",
        )


def _reuters_r8(folder):
    def read(file_name):
        lines = _existing(folder / file_name).read_text(encoding="utf-8").splitlines()
        labels, texts = zip(*(line.split("\t", 1) for line in lines), strict=True)
        return list(texts), np.array(labels)

    (data, target), (data_test, target_test) = read("train.txt"), read("test.txt")
    return Bunch(
        data=data,
        target=target,
        data_test=data_test,
        target_test=target_test,
        DESCR="Reuters-21578, the eight largest classes with one topic.",
    )


def _table(path, description, **how):
    frame = pd.read_csv(_existing(path), **how)
    return Bunch(frame=frame, DESCR=description)


def _uci_imputation(folder, table):
    # Files of this origin open with a nameless column of row numbers.
    index_col = 0 if table.startswith("remasker_") else None
    return _table(folder / f"{table}.csv", f"UCI table {table}.", index_col=index_col)


def _adult(folder, file_name):
    bunch = _table(
        folder / file_name,
        "UCI adult: census income.",
        names=ADULT_COLUMNS,
        na_values="?",
        skipinitialspace=True,
        comment="|",
    )
    # Labels of the test file end in a full stop.
    bunch.frame["income"] = bunch.frame["income"].str.rstrip(".")
    return bunch


def _adult_train(folder):
    return _adult(folder, "adult-train.csv")


def _adult_test(folder):
    return _adult(folder, "adult-test.csv")


def _abalone(folder):
    return _table(folder / "abalone.csv", "UCI abalone: rings by size.", names=ABALONE_COLUMNS)


def _horse_colic(folder):
    return _table(
        folder / "horse-colic.csv",
        "UCI horse colic: many cells truly missing.",
        header=None,
        na_values="?",
    )


LOADERS = {
    "olivetti": _olivetti,
    "freyfaces": _freyfaces,
    "isbi2012_em": _isbi2012_em,
    "reuters_r8": _reuters_r8,
    "uci_mixed/adult-train": _adult_train,
    "uci_mixed/adult-test": _adult_test,
    "uci_mixed/abalone": _abalone,
    "uci_mixed/horse-colic": _horse_colic,
}
LOCAL_NAMES: tuple[str, ...] = (*LOADERS, "uci_imputation/<table>")
