"""What `compare` can read: named data sets, files, and what the caller holds in memory."""

from __future__ import annotations

import lzma
import warnings
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import datasets as bundled

from sklearn_ae.utils._typing import StrPath

BUNDLED_TABLES = {
    "breast_cancer": bundled.load_breast_cancer,
    "diabetes": bundled.load_diabetes,
    "iris": bundled.load_iris,
    "wine": bundled.load_wine,
}
NAMED_SETS = ("digits", "mnist", "fashion_mnist", *BUNDLED_TABLES)
SUFFIXES = (".csv", ".tsv", ".parquet", ".npy", ".npz")
DATA_KEYS = ("X", "data", "x", "images", "arr_0")
TARGET_KEYS = ("y", "target", "label", "labels")
MISSING_MARKS = ("", "?", "NA", "N/A", "nan", "NaN", "None", "null")
# What the readers raise on a damaged file.
READ_ERRORS = (
    ValueError,
    OSError,
    EOFError,
    ArithmeticError,
    RuntimeError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Dataset:
    """Rows, their labels, and what a reader of the report should know about them.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_features)
        The rows: a table keeps its columns, arrays and images are matrices.

    y : ndarray of shape (n_samples,) or None
        Labels, used to judge the codes and never to fit.

    name : str
        Name shown in the report.

    image_shape : tuple (height, width) or None
        Shape of a row that is a grey image.

    target_names : tuple of str or None
        Names of the classes 0, 1, ...

    notes : tuple of str
        What was done to the data on the way.
    """

    X: pd.DataFrame | NDArray[Any]
    y: NDArray[Any] | None = None
    name: str = "data"
    image_shape: tuple[int, int] | None = None
    target_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def first_line(error):
    """First line of an exception's message, or its type where it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def load_data(source: StrPath, target: str | None = None) -> Dataset:
    """Read a named data set or a file.

    Parameters
    ----------
    source : str or path-like
        One of ``digits``, ``mnist``, ``fashion_mnist``, ``breast_cancer``, ``diabetes``,
        ``iris``, ``wine``, the name of a table of ADBench (also as ``adbench:<name>``), or
        the path of a CSV, TSV, Parquet, NPY or NPZ file.

    target : str, default=None
        Column of a table, array of an NPZ file or number of a column of an NPY file that
        holds the labels. Named data sets bring their own.

    Returns
    -------
    data : Dataset
        With attributes ``X``, ``y``, ``name``, ``image_shape``, ``target_names``, ``notes``.

    Examples
    --------
    >>> from sklearn_ae.comparison import load_data
    >>> digits = load_data("digits")
    >>> digits.X.shape, digits.image_shape
    ((1797, 64), (8, 8))
    """
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(f"cannot read {source}: {first_line(error)}") from error
    is_path = path.suffix.lower() in SUFFIXES or len(path.parts) > 1
    # A folder that is called like a data set does not hide it.
    if is_path or (path.exists() and not _is_named(str(source))):
        return _load_file(path, target)
    if target is not None:
        raise ValueError(f"the named data set {source!r} has its own labels: drop the target")
    return _load_named(str(source))


def _is_named(name):
    if name in NAMED_SETS:
        return True
    # The fetchers need pooch, which nothing else of the comparison does.
    from sklearn_ae import datasets

    table = name.removeprefix("adbench:")
    return bool({table, table.partition("_")[2]} & {*datasets.ADBENCH_NAMES})


def _load_named(name):
    if name == "digits":
        digits = bundled.load_digits()
        return Dataset(
            digits.data / 16,
            digits.target,
            name,
            image_shape=(8, 8),
            notes=("pixels divided by 16, so they lie in [0, 1]; not standardised",),
        )
    if name in BUNDLED_TABLES:
        table = BUNDLED_TABLES[name]()
        names = tuple(map(str, table.target_names)) if "target_names" in table else None
        return Dataset(
            pd.DataFrame(table.data, columns=list(table.feature_names)),
            table.target,
            name,
            target_names=names,
        )
    from sklearn_ae import datasets

    if name in ("mnist", "fashion_mnist"):
        images = getattr(datasets, f"fetch_{name}")(subset="all")
        return Dataset(
            images.data,
            images.target,
            name,
            image_shape=(28, 28),
            target_names=tuple(images.target_names),
            notes=("pixels divided by 255, so they lie in [0, 1]; not standardised",),
        )
    if not _is_named(name):
        raise ValueError(
            f"{name!r} is neither a file nor a named data set ({', '.join(NAMED_SETS)}, "
            "or a table of ADBench such as Pima)"
        )
    bunch = datasets.fetch_adbench(name.removeprefix("adbench:"), as_frame=True)
    return Dataset(
        bunch.data,
        np.asarray(bunch.target),
        name,
        target_names=("normal", "anomaly"),
    )


def _load_file(path, target):
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"cannot read {path}: {reason}")
    readers = {".npy": _read_npy, ".npz": _read_npz, ".parquet": _read_table}
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES and ".csv" not in path.suffixes and ".tsv" not in path.suffixes:
        raise ValueError(
            f"cannot read {path}: unknown kind of file (CSV, TSV, Parquet, NPY and NPZ are read)"
        )
    X, y = readers.get(suffix, _read_table)(path, target)
    data = as_dataset(X, y, name=path.name)
    if isinstance(X, pd.DataFrame) and suffix != ".parquet":
        names = [*X.columns] if target is None else [*X.columns, target]
        if names and pd.to_numeric(pd.Series(names), errors="coerce").notna().all():
            data = replace(data, notes=(*data.notes, "first row taken as header"))
    return data


def _read_table(path, target):
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = _read_csv(path)
    except ImportError as error:
        raise ImportError(
            f"cannot read {path}: pip install 'sklearn-ae[compare]' for Parquet files"
        ) from error
    except READ_ERRORS as error:
        raise ValueError(f"cannot read {path}: {first_line(error)}") from error
    return (frame, None) if target is None else split_target(frame, target)


def _read_csv(path):
    separator = "\t" if ".tsv" in path.suffixes else ","
    heads = pd.read_csv(path, sep=separator, skipinitialspace=True, nrows=0).columns
    if len(heads) == 1:
        found = (other for other in (";", "\t", "|") if other in str(heads[0]))
        separator = next(found, separator)
    with warnings.catch_warnings():
        # Cells beyond the header would be lost; without index_col they would shift the others.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame = pd.read_csv(
                path, sep=separator, skipinitialspace=True, low_memory=False, index_col=False
            )
        except pd.errors.ParserWarning as error:
            raise ValueError("its rows have more cells than its header") from error
    return frame if separator == "," else frame.apply(_decimal_commas)


def _decimal_commas(column):
    """The column as numbers where it holds numbers written 1,5; else as it is."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    text = column.astype(object)
    text = text.map(lambda value: value.strip() if isinstance(value, str) else value)
    text = text.mask(text.isin(MISSING_MARKS))
    present = text.dropna().astype(str)
    number = r"[-+]?(\d+,?\d*|,\d+)([eE][-+]?\d+)?"
    if present.empty or not present.str.fullmatch(number).all():
        return column
    return text.str.replace(",", ".").astype(np.float64)


def split_target(frame, target):
    """The columns of a table without its target, and the target."""
    names = {str(column): column for column in frame.columns}
    if str(target) not in names:
        shown = ", ".join(list(names)[:12]) + (", ..." if len(names) > 12 else "")
        raise ValueError(f"no column {str(target)!r} for the target; the columns are: {shown}")
    column = names[str(target)]
    return frame.drop(columns=column), frame[column].to_numpy()


def _read_npy(path, target):
    X = _read_arrays(path)
    if target is None:
        return X, None
    _check_matrix(X)
    try:
        column = range(X.shape[1])[int(target)]
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"no column {target!r} for the target: {path} has {X.shape[1]} columns, numbered from 0"
        ) from error
    return np.delete(X, column, axis=1), X[:, column]


def _read_npz(path, target):
    arrays = _read_arrays(path)
    wanted = TARGET_KEYS if target is None else (target,)
    label = next((key for key in wanted if key in arrays), None)
    if target is not None and label is None:
        raise ValueError(
            f"no array {target!r} for the target; {path} holds: {', '.join(arrays) or 'nothing'}"
        )
    others = [key for key in arrays if key != label]
    key = next((key for key in DATA_KEYS if key in others), others[0] if len(others) == 1 else None)
    if key is None:
        raise ValueError(
            f"cannot tell which array of {path} holds the rows: name it X "
            f"(it holds: {', '.join(arrays) or 'nothing'})"
        )
    return arrays[key], None if label is None else arrays[label]


def _read_arrays(path):
    try:
        with open(path, "rb") as file:
            # allow_pickle stays off: a file of objects could run code.
            content = np.load(file, allow_pickle=False)
            return content if isinstance(content, np.ndarray) else dict(content.items())
    except READ_ERRORS as error:
        reason = first_line(error)
        if "allow_pickle" in reason or "pickled" in reason:
            reason = "it holds Python objects or is damaged; only plain arrays are read"
        raise ValueError(f"cannot read {path}: {reason}") from error


def as_dataset(X, y=None, *, name="data", image_shape=None):
    """Check what the caller holds in memory and make a `Dataset` of it."""
    if isinstance(X, Dataset):
        return X
    if issparse(X):
        raise TypeError("sparse data are not supported: pass X.toarray()")
    notes = ()
    if not isinstance(X, pd.DataFrame):
        X = X.to_pandas() if hasattr(X, "to_pandas") else np.asarray(X)
    if not isinstance(X, pd.DataFrame):
        _check_matrix(X)
        if X.dtype.kind in "OUS":
            X = pd.DataFrame(X).infer_objects()
        elif X.dtype.kind not in "fiub":
            raise ValueError(f"values of type {X.dtype} are not supported")
        elif X.dtype == np.uint8 and X.max(initial=0) > 1:
            X = np.divide(X, 255, dtype=np.float32)
            notes = ("bytes divided by 255, so they lie in [0, 1]; not standardised",)
    if y is not None:
        y = check_target(y, len(X))
    return Dataset(X, y, name, image_shape or _guess_image_shape(X), notes=notes)


def _check_matrix(X):
    if X.ndim == 2:
        return
    advice = (
        "flatten it with X.reshape(len(X), -1)"
        if X.ndim > 2
        else "reshape it with X.reshape(-1, 1) if it is a single feature"
    )
    raise ValueError(f"Expected 2D array, got {X.ndim}D array of shape {X.shape}: {advice}")


def check_target(y, n_samples):
    """The labels as a vector of that length."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {y.shape} instead.")
    if len(y) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n_samples, len(y)]}"
        )
    if y.dtype.kind == "O" and any(map(pd.api.types.is_list_like, y)):
        raise ValueError("the target holds lists: only numbers and text are read")
    return y


def _guess_image_shape(X):
    """Side lengths of square grey images: non-negative arrays of 64, 81, 100, ... features."""
    if isinstance(X, pd.DataFrame) or X.dtype.kind != "f" or not len(X):
        return None
    side = round(X.shape[1] ** 0.5)
    if side < 8 or side**2 != X.shape[1] or not np.min(X) >= 0:
        return None
    return (side, side)
