"""What `compare` can read: named data sets, files, and what the caller holds in memory."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import datasets as bundled

from sklearn_ae.comparison._files import (
    ARRAY_SUFFIXES,
    EXCEL_SUFFIXES,
    SUFFIXES,
    OptionError,
    Options,
    enumerate_names,
    first_line,
    is_path,
    read_arrays,
    read_table,
    refuse,
    suffix_of,
)
from sklearn_ae.display._images import has_colours
from sklearn_ae.utils._typing import StrPath

BUNDLED_TABLES = {
    "breast_cancer": bundled.load_breast_cancer,
    "diabetes": bundled.load_diabetes,
    "iris": bundled.load_iris,
    "wine": bundled.load_wine,
}
NAMED_SETS = ("digits", "mnist", "fashion_mnist", *BUNDLED_TABLES)
DATA_KEYS = ("X", "data", "x", "images", "arr_0", "x_train", "X_train", "train_images")
TARGET_KEYS = ("y", "target", "label", "labels", "y_train", "train_labels")
TEXT_OPTIONS = ("sep", "encoding")
SEPARATOR_NAMES = {
    "tab": "\t",
    "\\t": "\t",
    "space": " ",
    "spaces": " ",
    "comma": ",",
    "semicolon": ";",
}
CHANNELS = (1, 3, 4)
MAX_LISTED = 12


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

    image_shape : tuple (height, width) or (channels, height, width) or None
        Shape of a row that is an image.

    target_names : tuple of str or None
        Names of the classes 0, 1, ...

    notes : tuple of str
        What was done to the data on the way.

    remarks : dict of str
        What was done to single columns, by their names.

    target_name : str
        Column of the labels.

    n_without_label : int
        Rows that were left out, as they have no label.

    call : str
        Python that loads the data; empty where the caller holds them.

    is_changed : bool
        Whether the rows are others than those that the caller holds.
    """

    X: pd.DataFrame | NDArray[Any]
    y: NDArray[Any] | None = None
    name: str = "data"
    image_shape: tuple[int, ...] | None = None
    target_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    remarks: dict[str, str] = field(default_factory=dict)
    target_name: str = "target"
    n_without_label: int = 0
    call: str = ""
    is_changed: bool = False


def load_data(
    source: StrPath,
    target: str | int | None = None,
    *,
    features: Iterable[str | int] | None = None,
    drop: Iterable[str | int] = (),
    categorical_features: Iterable[str | int] = (),
    header: bool | Literal["infer"] = "infer",
    sep: str | None = None,
    encoding: str | None = None,
    na_values: Iterable[str] = (),
    skip_rows: int = 0,
) -> Dataset:
    """Read a named data set or a file.

    In text and Excel files the cells of a column say what it is: numbers where nine tenths of them
    are, with the usual marks (thousands, decimal commas, currency, percent), or dates, or yes and
    no; other cells of such a column are missing. Lines above and below the table, a line of
    units, the separator and the encoding are found. Whatever is done is said in ``notes`` and
    ``remarks``. In a Parquet file the types of the columns are taken at their word.

    Parameters
    ----------
    source : str or path-like
        One of ``digits``, ``mnist``, ``fashion_mnist``, ``breast_cancer``, ``diabetes``,
        ``iris``, ``wine``, the name of a table of ADBench (also as ``adbench:<name>``), or
        the path of a file: CSV, TSV, TXT, DAT or DATA (packed by gz, bz2, xz or zip too), Excel,
        Parquet, NPY or NPZ. An array of more than two dimensions is a stack of images.

    target : str or int, default=None
        Column that holds the labels, by its name or its place from 0 on, -1 for the last; in an
        NPZ file an array. Named data sets bring their own.

    features : list of str or int, default=None
        Columns that are used, by name or place; None for all.

    drop : list of str or int, default=()
        Columns that are left out.

    categorical_features : list of str or int, default=()
        Columns whose values are categories, also where they are numbers.

    header : bool or "infer", default="infer"
        Whether a text or Excel file has a line of names. By ``"infer"`` it has none where its first
        line reads like the others.

    sep : str, default=None
        What parts the cells of a text file: one character, ``"tab"`` or ``"spaces"``. None finds
        it.

    encoding : str, default=None
        Of a text file. None takes UTF-8, what the first bytes say, or else cp1252.

    na_values : list of str, default=()
        Further cells that stand for missing values, such as ``"-999"``.

    skip_rows : int, default=0
        Lines at the top of a text or Excel file that are left out.

    Returns
    -------
    data : Dataset
        With attributes ``X``, ``y``, ``name``, ``image_shape``, ``target_names``, ``notes``,
        ``remarks``.

    Raises
    ------
    ValueError
        If the file cannot be read, or an option does not fit it.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from sklearn_ae.comparison import load_data
    >>> digits = load_data("digits")
    >>> digits.X.shape, digits.image_shape
    ((1797, 64), (8, 8))
    """
    options = _options(header, sep, encoding, na_values, skip_rows)
    features = None if features is None else _as_list(features, "features")
    drop = _as_list(drop, "drop")
    categorical = _as_list(categorical_features, "categorical_features")
    target = target.item() if isinstance(target, np.generic) else target
    if not isinstance(target, str | Integral | None):
        raise OptionError("target", f"one column is expected, not {target!r}")
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"a path or the name of a data set is expected, not {source!r}")
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(f"cannot read {source}: {first_line(error)}") from error
    # A folder that is called like a data set does not hide it.
    if is_path(source, path) or (path.exists() and not _is_named(str(source))):
        data = _load_file(path, target, options, (features, drop, categorical))
    else:
        if target is not None:
            raise OptionError(
                "target", f"the named data set {str(source)!r} has its own labels: drop the target"
            )
        if options != Options():
            raise OptionError(
                _first_given(options), f"the named data set {str(source)!r} is no file: drop it"
            )
        data = _load_named(str(source))
        data = _of_columns(data, features, drop, categorical)
    given = {
        "features": features,
        "drop": drop,
        "categorical_features": categorical,
        "header": None if options.header == "infer" else options.header,
        "sep": sep,
        "encoding": encoding,
        "na_values": list(options.na_values),
        "skip_rows": options.skip_rows or None,
    }
    said = [f"{name}={value!r}" for name, value in given.items() if value not in (None, [])]
    first = [repr(str(source)), *([] if target is None else [repr(target)])]
    return replace(data, is_changed=False, call=f"load_data({', '.join([*first, *said])})")


def _options(header, sep, encoding, na_values, skip_rows):
    if sep is not None:
        sep = SEPARATOR_NAMES.get(sep, sep)
        if not isinstance(sep, str) or len(sep) != 1 or not sep.isascii() or sep in '\r\n"':
            raise OptionError("sep", f"one character, 'tab' or 'spaces' is expected, not {sep!r}")
    if encoding is not None:
        try:
            "".encode(encoding)
        except (LookupError, TypeError) as error:
            raise OptionError("encoding", f"{first_line(error)}") from error
    if not isinstance(header, bool | np.bool_) and not (
        isinstance(header, str) and header == "infer"
    ):
        raise OptionError("header", f"True, False or 'infer' is expected, not {header!r}")
    if not isinstance(skip_rows, Integral) or skip_rows < 0:
        raise OptionError("skip_rows", f"a number of lines is expected, not {skip_rows!r}")
    header = header if isinstance(header, str) else bool(header)
    na_values = tuple(str(value) for value in _as_list(na_values, "na_values"))
    return Options(header, sep, encoding, na_values, int(skip_rows))


def _as_list(values, option):
    if isinstance(values, str | Real):
        values = [values]
    if not isinstance(values, Iterable):
        raise OptionError(option, f"a list is expected, not {values!r}")
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _first_given(options):
    """The first option that is not at its default; None where all are."""
    names = ("header", "sep", "encoding", "na_values", "skip_rows")
    given = (name for name in names if getattr(options, name) != getattr(Options(), name))
    return next(given, None)


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


def _load_file(path, target, options, chosen):
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"cannot read {path}: {reason}")
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        refuse(path)
    is_typed = suffix in ARRAY_SUFFIXES or suffix == ".parquet"
    given = _first_given(replace(options, na_values=()))
    if given is not None and (is_typed or (suffix in EXCEL_SUFFIXES and given in TEXT_OPTIONS)):
        raise OptionError(given, f"it has no meaning for {path.name}")
    if suffix in ARRAY_SUFFIXES:
        X, y = (_of_npy if suffix == ".npy" else _of_npz)(path, target)
        X = _without_values(X, options.na_values)
        return _of_columns(as_dataset(X, y, name=path.name), *chosen)
    frame, notes, remarks = read_table(path, options, target, categorical=chosen[2])
    data, y = Dataset(frame, name=path.name, notes=tuple(notes), remarks=remarks), None
    name = None if target is None else find_column(frame, target, "target")
    data = _of_columns(data, *chosen, target=name)
    if name is not None:
        rows, y = split_target(data.X, name)
        data = replace(data, X=rows, target_name=str(name))
        if name in remarks:
            data = replace(data, notes=(*data.notes, f"target {str(name)!r}: {remarks[name]}"))
    made = as_dataset(data.X, y, name=path.name)
    return replace(data, X=made.X, y=made.y)


def _without_values(X, na_values):
    """An array in which some numbers stand for missing values."""
    if not na_values or X.dtype.kind not in "fiu":
        return X
    try:
        values = [float(value) for value in na_values]
    except ValueError as error:
        raise OptionError("na_values", f"an array holds numbers only: {error}") from error
    return np.where(np.isin(X, values), np.nan, X)


def find_column(frame, wanted, option):
    """Name of a column that is given by its name or its place."""
    names = [str(column) for column in frame.columns]
    if str(wanted) in names:
        if names.count(str(wanted)) > 1:
            raise OptionError(option, f"two columns are called {str(wanted)!r}")
        return frame.columns[names.index(str(wanted))]
    try:
        return frame.columns[range(len(names))[int(wanted)]]
    except (ValueError, IndexError):
        pass
    near = difflib.get_close_matches(str(wanted).lower(), [name.lower() for name in names], 1, 0.6)
    meant = [name for name in names if near and name.lower() == near[0]]
    proposal = f"; did you mean {meant[0]!r}?" if meant else ";"
    shown = ", ".join(" ".join(name.split()) for name in names[:MAX_LISTED]) + (
        ", ..." if len(names) > MAX_LISTED else ""
    )
    raise OptionError(option, f"no column {str(wanted)!r}{proposal} the columns are: {shown}")


def _of_columns(data, features, drop, categorical, target=None):
    """The data with those columns and the target only, some of them as categories."""
    if features is None and not drop and not categorical:
        return data
    if not isinstance(data.X, pd.DataFrame):
        option = "features" if features else "drop" if drop else "categorical_features"
        raise OptionError(option, f"{data.name} is an array: its columns have no names")
    frame = data.X
    asked = {"drop": drop, "features": features or (), "categorical_features": categorical}
    for option, names in asked.items():
        if target is not None and target in [find_column(frame, name, option) for name in names]:
            raise OptionError(option, f"column {str(target)!r} is the target")
    dropped = [find_column(frame, name, "drop") for name in drop]
    categories = [find_column(frame, name, "categorical_features") for name in categorical]
    kept = list(frame.columns)
    if features is not None:
        kept = [find_column(frame, name, "features") for name in features]
    kept = [name for name in dict.fromkeys(kept) if name not in dropped and name != target]
    if not kept:
        raise OptionError("drop" if drop else "features", "no column is left")
    categories = [name for name in categories if name in kept]
    left_out = [str(name) for name in frame.columns if name not in kept and name != target]
    notes = [f"left out as asked: {enumerate_names(left_out)}"] if left_out else []
    kept += [] if target is None else [target]
    frame = frame[kept].astype(dict.fromkeys(categories, "category"))
    return replace(data, X=frame, notes=(*data.notes, *notes))


def split_target(frame, target):
    """The columns of a table without its target, and the target."""
    column = find_column(frame, target, "target")
    return frame.drop(columns=column), frame[column].to_numpy()


def _of_npy(path, target):
    X = read_arrays(path)
    if target is None:
        return X, None
    _check_matrix(X)
    try:
        column = range(X.shape[1])[int(target)]
    except (ValueError, IndexError) as error:
        raise OptionError(
            "target",
            f"no column {target!r}: {path} has {X.shape[1]} columns, numbered from 0",
        ) from error
    return np.delete(X, column, axis=1), X[:, column]


def _of_npz(path, target):
    arrays = read_arrays(path)
    wanted = TARGET_KEYS if target is None else (target,)
    label = next((key for key in wanted if key in arrays), None)
    if target is not None and label is None:
        held = ", ".join(arrays) or "nothing"
        raise OptionError("target", f"no array {target!r}; {path} holds: {held}")
    others = [key for key in arrays if key != label]
    key = next((key for key in DATA_KEYS if key in others), others[0] if len(others) == 1 else None)
    if key is None:
        raise ValueError(
            f"cannot tell which array of {path} holds the rows: name it X "
            f"(it holds: {', '.join(arrays) or 'nothing'})"
        )
    return arrays[key], None if label is None else arrays[label]


def as_dataset(X, y=None, *, name="data", image_shape=None):
    """Check what the caller holds in memory and make a `Dataset` of it."""
    if isinstance(X, Dataset):
        return X
    if issparse(X):
        raise TypeError("sparse data are not supported: pass X.toarray()")
    notes, given = (), X
    if not isinstance(X, pd.DataFrame):
        X = X.to_pandas() if hasattr(X, "to_pandas") else np.asarray(X)
    if not isinstance(X, pd.DataFrame):
        X, image_shape = _as_matrix(X, image_shape)
        if X.dtype.kind in "OUS":
            X = pd.DataFrame(X).infer_objects()
        elif X.dtype.kind not in "fiub":
            raise ValueError(f"values of type {X.dtype} are not supported")
        elif X.dtype == np.uint8 and X.max(initial=0) > 1:
            X = np.divide(X, 255, dtype=np.float32)
            notes = ("bytes divided by 255, so they lie in [0, 1]; not standardised",)
    if y is not None:
        y = check_target(y, len(X))
    shape = image_shape or _guess_image_shape(X)
    return Dataset(X, y, name, shape, notes=notes, is_changed=X is not given)


def _as_matrix(X, image_shape):
    """Rows of an array, and their shape where they are images, channels first."""
    if X.ndim not in (3, 4) or X.dtype.kind not in "fiub":
        _check_matrix(X)
        return X, image_shape
    if X.ndim == 4 and X.shape[3] in CHANNELS:
        X = np.moveaxis(X, 3, 1)
    shape = X.shape[2:] if X.ndim == 4 and X.shape[1] == 1 else X.shape[1:]
    return X.reshape(len(X), -1), image_shape or (shape if has_colours(shape) else None)


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
