"""The main job: reducers side by side on one split of the data."""

from __future__ import annotations

import contextlib
import math
import operator
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from importlib import metadata
from numbers import Integral, Real
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import check_random_state

from sklearn_ae.comparison._code import CLASSES, pipeline_code
from sklearn_ae.comparison._curve import curve
from sklearn_ae.comparison._data import Dataset, as_dataset, check_target, load_data, split_target
from sklearn_ae.comparison._estimate import expected_seconds, in_words
from sklearn_ae.comparison._measures import MEASURES
from sklearn_ae.comparison._prepare import EPOCH, prepare
from sklearn_ae.comparison._progress import announce, progress
from sklearn_ae.comparison._reducers import DEFAULT_REDUCERS, RAW_DATA, is_ours, pca_of, resolve
from sklearn_ae.comparison._result import ComparisonResult
from sklearn_ae.comparison._rows import shown_rows
from sklearn_ae.comparison._runner import POLL_SECONDS, Job
from sklearn_ae.comparison._splits import Splits
from sklearn_ae.display._images import has_colours
from sklearn_ae.utils._typing import RandomState, StrPath

MIN_SAMPLES = 10
# Of fewer numbers a fit gains nothing from a second thread, and loses much where a processor is
# taken: threads wait for one another at each step. So reducers run beside each other there.
NUMBERS_FOR_THREADS = 2_000_000
# Up to so many different whole numbers, and a fifth of the rows, a target is a label.
MAX_NUMBERED_CLASSES = 1000
PACKAGES = ("sklearn-ae", "scikit-learn", "numpy", "torch", "umap-learn")


def compare(
    X: ArrayLike | Dataset | StrPath,
    y: ArrayLike | str | None = None,
    reducers: Mapping[str, BaseEstimator | str] | Iterable[BaseEstimator | str] | None = None,
    n_components: int | Sequence[int] = 2,
    *,
    test_size: float = 0.25,
    n_repeats: int = 5,
    max_rows: int | None = None,
    scale: Literal["auto", "standard", "none"] = "auto",
    downstream: BaseEstimator | None = None,
    image_shape: tuple[int, ...] | None = None,
    name: str | None = None,
    random_state: RandomState = None,
    verbose: int = 1,
) -> ComparisonResult:
    """Fit several reducers of dimension on the same data and measure them.

    Each repeat splits the rows into a training and a test part, the same for all reducers.
    A reducer is fitted on the training rows, without labels, and judged on the test rows: how
    much of their variance it keeps, whether it keeps their neighbours, whether their labels
    can be told from the codes, what it costs. A reducer without `transform`, such as
    t-SNE, is fitted on the test rows themselves and marked as in-sample.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), DataFrame or str
        The data, the name of a data set or the path of a file, as in `load_data`, which has
        the options of reading. In a DataFrame, whose types are taken at their word, missing
        values are imputed, categories one-hot encoded and numbers standardised, all learnt from
        the training rows, and useless columns are dropped; an array is used as it is, but for
        missing values, and bytes are divided by 255.

    y : array-like of shape (n_samples,) or str, default=None
        Labels or numbers, or the column that holds them. They judge the codes and are not shown
        to any reducer: labels by the accuracy of 5 neighbours and by clusters, many numbers by
        the R² of 5 neighbours.

    reducers : dict, list or None, default=None
        What to compare. None means PCA, UMAP, t-SNE, `Autoencoder`, one that keeps neighbours and
        `VariationalAutoencoder`. A dict maps the name shown to an estimator or to one of
        ``"pca"``, ``"umap"``, ``"tsne"``, ``"autoencoder"``, ``"neighbors"``, ``"vae"``; a list
        holds the same.
        To add one to the defaults, write ``{**DEFAULT_REDUCERS, "mine": estimator}`` with
        ``sklearn_ae.comparison.DEFAULT_REDUCERS``. A ``random_state`` that is None gets the
        seed of the repeat.

    n_components : int or list of int, default=2
        Width of the codes of the default reducers; an estimator passed in keeps its own. Of
        several, the first is compared, and for all of them PCA and the autoencoders are judged by
        the variance that they keep (`curve_`): how many components are enough.

    test_size : float, default=0.25
        Share of the rows in the test part.

    n_repeats : int, default=5
        Number of splits. More of them tell smaller differences apart.

    max_rows : int, default=None
        Largest number of rows used; of more, a random subset. None uses all of them.

    scale : {"auto", "standard", "none"}, default="auto"
        Whether numeric columns are standardised: ``"auto"`` does so in a table only.

    downstream : estimator or None, default=None
        A classifier or regressor whose score on held-out rows is a further measure: it is fitted
        to the codes of the training rows and to their targets, and to the raw data beside.

    image_shape : tuple (height, width) or (channels, height, width), default=None
        Shape of a row that is an image, for the figures. None takes that of an array of three or
        four dimensions, and guesses it for non-negative arrays with a square number of features,
        at least 64.

    name : str, default=None
        Name of the data in the report.

    random_state : int, RandomState instance or None, default=None
        Controls the splits and the seeds of the reducers.

    verbose : int, default=1
        0 is silent, 1 says how long it will take, roughly, and shows a progress bar on a terminal
        and in a notebook, 2 writes a line for each reducer where there is neither.

    Returns
    -------
    result : ComparisonResult
        The table ``results_``, figures and the report.

    See Also
    --------
    sklearn_ae.metrics : The scores themselves.

    Notes
    -----
    Each reducer runs in a process of its own: one after the other, or, where the training part has
    fewer than two million numbers, each in one thread (unless ``OMP_NUM_THREADS`` is set) and as
    many beside each other as there are processors. Its peak memory is counted above what that
    process held with the data loaded, and it is fitted once on 50 rows beforehand, so that
    compilation does not count. A reducer that fails, or whose process is killed, has the reason in
    its row.

    Trustworthiness and continuity are computed on at most 10000 test rows, t-SNE on at most 5000
    (1000 above 3 components), UMAP's inverse on at most 500 (50 where there are many features)
    and up to 3 components.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ae import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> result = compare(X, y, reducers=["pca"], n_repeats=1, random_state=0)
    >>> result.results_["reducer"].tolist()
    ['raw data', 'PCA']
    """
    start = time.perf_counter()
    reducers = resolve(reducers)
    n_components, *widths = _as_widths(n_components, reducers)
    _check_parameters(n_components, test_size, n_repeats, max_rows, scale, verbose)
    n_components, n_repeats, max_rows = map(_as_int, (n_components, n_repeats, max_rows))
    rng = check_random_state(random_state)
    loaded = _load(X, y, name, image_shape)
    data, kept = _drop_rows(loaded, max_rows, rng)
    labels, classes = _labels(data)
    _check_downstream(downstream, labels, classes)
    preparation = prepare(data, scale)
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_repeats).tolist()
    with _temporary_folder() as folder:
        splits = Splits(
            folder, preparation, labels, classes is not None, test_size, seeds, data.image_shape
        )
        widest = max([n_components, *widths])
        _check_n_components(widest, reducers, splits, preparation.notes)
        is_image = splits.images is not None
        jobs = {"is_image": is_image, "downstream": downstream, "widths": widths}
        n_train, n_test = map(len, splits.first)
        is_small = n_train * splits.n_features < NUMBERS_FOR_THREADS
        jobs |= {"n_train": n_train, "has_one_thread": is_small}
        sizes = n_train, n_test, splits.n_features, n_repeats, 1 + len(widths)

        def seconds(reducer):
            return expected_seconds(reducer, *sizes)

        each = [seconds(reducer) for reducer in reducers.values()]
        n_at_once = joblib.cpu_count() if is_small else 1
        announce(in_words(max(sum(each) / n_at_once, *each)), verbose)
        rows, arrays = _run_all(folder, reducers, n_components, seeds, verbose, jobs, seconds)
        example = splits.example()
    names = data.X.index if isinstance(data.X, pd.DataFrame) else kept
    chosen = {
        **_described(reducers, downstream, random_state),
        "components": n_components,
        "further components": widths,
        "repeats": n_repeats,
        "seeds": seeds,
        "seconds": round(time.perf_counter() - start, 1),
    }
    return ComparisonResult(
        results=_table(rows, n_repeats),
        settings={**_sizes(data, labels, classes, splits), **chosen, **_surroundings()},
        notes=_notes(
            data,
            preparation,
            splits,
            has_target=labels is not None,
            is_number=labels is not None and classes is None,
            is_image=is_image,
        ),
        codes=arrays,
        example=example,
        columns=_columns(preparation, data, classes),
        curve=curve(rows, n_components),
        colours=_colours(labels, classes, splits.first[1]),
        image_shape=data.image_shape if is_image else None,
        pca=pca_of(reducers),
        autoencoders=[key for key, value in reducers.items() if is_ours(value)],
        code=_code(loaded, scale, reducers, n_components),
        rows=shown_rows(names, preparation, splits, arrays, _has_dates(data.y)),
    )


def _notes(data, preparation, splits, has_target, is_number, is_image):
    """How the data were prepared, in lines."""
    notes = [*data.notes, *preparation.notes, *splits.notes]
    if data.y is not None and not has_target:
        notes.append("the target has one value only: codes are not judged by it")
    if is_number:
        notes.append("the target is a number: it colours the maps, and codes are judged by R²")
    if data.image_shape is not None and not is_image:
        left = f"{splits.n_features} features are left of {data.X.shape[1]}"
        notes.append(f"not shown as images: {left}")
    return notes


def _code(data, scale, reducers, n_components):
    """Python that fits each of the default reducers, by its name."""
    if data.is_changed:  # not what the caller holds
        return {}
    return {
        name: pipeline_code(data, scale, key, n_components)
        for name, key in reducers.items()
        if isinstance(key, str) and key in CLASSES
    }


def _has_dates(y):
    """Whether a target is dates."""
    return y is not None and pd.api.types.is_datetime64_any_dtype(pd.Series(y).infer_objects())


def _columns(preparation, data, classes):
    """A line for each column of a table, and for its target."""
    lines = [
        {
            "name": column.name,
            "kind": column.kind,
            "done": "; ".join(column.done),
            "missing": column.missing,
            "range": column.range,
        }
        for column in preparation.columns
    ]
    if lines and data.y is not None:
        y = pd.Series(data.y).infer_objects()
        shown = f"{y.min()} to {y.max()}" if classes is None else _classes_shown(classes)
        done = "judges the codes" if y.nunique() > 1 else "has one value only"
        said = data.remarks.get(data.target_name)
        lines.append(
            {
                "name": data.target_name,
                "kind": "target",
                "done": f"{said}; {done}" if said else done,
                "missing": data.n_without_label,
                "range": shown,
            }
        )
    return pd.DataFrame(lines, columns=["name", "kind", "done", "missing", "range"])


def _classes_shown(classes, most=3):
    more = ", ..." if len(classes) > most else ""
    return f"{len(classes)} classes: {', '.join(map(str, classes[:most]))}{more}"


def _check_parameters(n_components, test_size, n_repeats, max_rows, scale, verbose):
    for key, value, smallest in (
        ("n_components", n_components, 1),
        ("n_repeats", n_repeats, 1),
        ("max_rows", MIN_SAMPLES if max_rows is None else max_rows, MIN_SAMPLES),
        ("verbose", verbose, 0),
    ):
        if not isinstance(value, Integral) or value < smallest:
            raise ValueError(
                f"The {key!r} parameter of compare must be an int in the range "
                f"[{smallest}, inf). Got {value!r} instead."
            )
    if not isinstance(test_size, Real) or not 0 < test_size < 1:
        raise ValueError(
            "The 'test_size' parameter of compare must be a float in the range (0, 1). "
            f"Got {test_size!r} instead."
        )
    if scale not in ("auto", "standard", "none"):
        raise ValueError(
            "The 'scale' parameter of compare must be a str among {'auto', 'none', 'standard'}. "
            f"Got {scale!r} instead."
        )


def _as_widths(n_components, reducers):
    """The widths of the codes, each once, in the given order."""
    if isinstance(n_components, str) or not isinstance(n_components, Iterable):
        return [n_components]
    widths = list(dict.fromkeys(n_components))
    if not widths or not all(isinstance(width, Integral) and width >= 1 for width in widths):
        raise ValueError(
            "The 'n_components' parameter of compare must be an int in the range [1, inf) or a "
            f"list of such. Got {n_components!r} instead."
        )
    keys = [reducer for reducer in reducers.values() if isinstance(reducer, str)]
    if len(widths) > 1 and not any(key in CLASSES for key in keys):
        raise ValueError(
            f"n_components={widths}: several widths are for the default reducers, and there is "
            "none of them"
        )
    return [operator.index(width) for width in widths]


def _as_int(value):
    """Python's own integer, which JSON can hold; NumPy's cannot. None stays None."""
    return None if value is None else operator.index(value)


def _load(X, y, name, image_shape):
    column = y if isinstance(y, str) else None
    if isinstance(X, str | os.PathLike):
        data, y = load_data(X, column), None if column is not None else y
    else:
        data = as_dataset(X)
    if isinstance(y, str):
        if not isinstance(data.X, pd.DataFrame):
            raise ValueError(f"y={column!r} names a column, but X is not a DataFrame")
        rows, y = split_target(data.X, column)
        data = replace(data, X=rows, target_name=column)
    if y is not None:
        data = replace(data, y=check_target(y, len(data.X)), target_names=None)
    if image_shape is not None:
        sides = image_shape if np.ndim(image_shape) == 1 else ()
        whole = all(isinstance(side, Integral) for side in sides)
        if len(sides) not in (2, 3) or not whole or not has_colours(sides):
            raise ValueError(
                "The 'image_shape' parameter of compare must be ints (height, width) or (channels, "
                f"height, width), with 1 or 3 channels. Got {image_shape!r} instead."
            )
        image_shape = tuple(map(_as_int, sides))
        if math.prod(image_shape) != data.X.shape[1]:
            raise ValueError(f"image_shape={image_shape} does not fit {data.X.shape[1]} features")
    return replace(data, name=name or data.name, image_shape=image_shape or data.image_shape)


def _drop_rows(data, max_rows, rng):
    """Without rows that have no label, nor more than `max_rows`; places of those that stay."""
    keep, notes = np.arange(len(data.X)), list(data.notes)
    if data.y is not None:
        missing = pd.isna(data.y)
        if data.y.dtype.kind == "f":
            missing |= np.isinf(data.y)
        keep = np.flatnonzero(~missing)
        if len(keep) < len(data.X):
            n_without = len(data.X) - len(keep)
            notes.append(f"{n_without} row{'s' * (n_without > 1)} without a label left out")
            data = replace(data, n_without_label=n_without)
    if max_rows is not None and len(keep) > max_rows:
        notes.append(f"a random subset of {max_rows} of {len(keep)} rows")
        keep = np.sort(rng.choice(keep, max_rows, replace=False))
    if len(keep) < MIN_SAMPLES:
        raise ValueError(
            f"Found array with {len(keep)} sample(s) while a minimum of {MIN_SAMPLES} is "
            "required by compare."
        )
    if len(keep) == len(data.X):
        return data, keep
    X = data.X.iloc[keep] if isinstance(data.X, pd.DataFrame) else data.X[keep]
    y = None if data.y is None else data.y[keep]
    return replace(data, X=X, y=y, notes=tuple(notes)), keep


def _labels(data):
    """Class of each row as a number, and the classes as text.

    Of a target that is no label, its values and None; None and None without a target, or with one
    of a single value.
    """
    if data.y is None:
        return None, None
    y = pd.Series(data.y).infer_objects()
    if pd.api.types.is_datetime64_any_dtype(y):
        y = (y.dt.tz_localize(None) - EPOCH) / pd.Timedelta(days=1)
    numeric = pd.api.types.is_numeric_dtype(y) and not pd.api.types.is_bool_dtype(y)
    n_classes = y.nunique()
    if n_classes < 2:  # nothing to tell apart
        return None, None
    if not numeric:
        if n_classes > len(y) / 2:
            raise ValueError(f"the target has {n_classes} classes in {len(y)} rows: it is no label")
        classes, codes = np.unique(y.astype(str).to_numpy(dtype=object), return_inverse=True)
        return codes, classes.astype(str)
    values = y.to_numpy(dtype=np.float64)
    most = max(20, min(len(y) / 5, MAX_NUMBERED_CLASSES))
    if n_classes > most or np.any(values != np.round(values)):
        return values, None
    classes, codes = np.unique(values, return_inverse=True)
    classes, names = [int(value) for value in classes], data.target_names
    if names is not None and classes[0] >= 0 and classes[-1] < len(names):
        return codes, np.array([names[value] for value in classes])
    return codes, np.array([str(value) for value in classes])


def _check_downstream(downstream, labels, classes):
    if downstream is None:
        return
    if isinstance(downstream, type) or not (
        hasattr(downstream, "fit") and hasattr(downstream, "score")
    ):
        raise TypeError(f"downstream should be an estimator with fit and score, got {downstream!r}")
    if labels is None:
        raise ValueError("downstream needs a target: pass y")
    if classes is None and is_classifier(downstream):
        raise ValueError("the target is a number, not a label: downstream should be a regressor")
    if classes is not None and is_regressor(downstream):
        raise ValueError("the target is a label, not a number: downstream should be a classifier")


def _check_n_components(n_components, reducers, splits, notes):
    largest = min(len(splits.first[0]), splits.n_features)
    if n_components > largest and any(isinstance(value, str) for value in reducers.values()):
        dropped = "".join(f"; {note}" for note in notes if note.startswith("dropped "))
        raise ValueError(
            f"n_components={n_components} must be between 1 and min(n_samples, n_features)="
            f"{largest}, counted on the training rows{dropped}"
        )


@contextlib.contextmanager
def _temporary_folder():
    folder = Path(tempfile.mkdtemp(prefix="sklearn_ae_compare_"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _run_all(folder, reducers, n_components, seeds, verbose, options, seconds):
    """Figures and arrays of all reducers; small ones beside each other, the longest first."""
    wanted = {RAW_DATA: RAW_DATA, **reducers} if (folder / "y.npy").exists() else reducers
    jobs = {}
    for number, (name, reducer) in enumerate(wanted.items()):
        has_curve = isinstance(reducer, str) and reducer in CLASSES
        own = {**options, "widths": options["widths"] if has_curve else ()}
        jobs[name] = Job(folder / f"job_{number}", folder, reducer, n_components, seeds, **own)
    n_at_once = joblib.cpu_count() if options["has_one_thread"] else 1
    order = sorted(jobs, key=lambda name: -seconds(wanted[name])) if n_at_once > 1 else list(jobs)
    with (
        ThreadPoolExecutor(n_at_once) as pool,
        contextlib.ExitStack() as at_end,
        progress(len(jobs) * len(seeds), verbose) as shown,
    ):
        # whatever happens here, no process stays
        for job in jobs.values():
            at_end.callback(job.stop)
        at_end.callback(pool.shutdown, wait=False, cancel_futures=True)

        def run(name):
            shown.start(name)
            rows, arrays = jobs[name].run(shown.step)
            shown.finish(name, sum(row["error"] is not None for row in rows))
            return rows, arrays

        running = {name: pool.submit(run, name) for name in order}
        # a signal is heard between waits only
        while wait(running.values(), POLL_SECONDS, FIRST_EXCEPTION).not_done:
            if any(one.done() and one.exception() for one in running.values()):
                break
        found = {name: running[name].result() for name in jobs}
    return tuple({name: parts[i] for name, parts in found.items()} for i in range(2))


def _table(rows, n_repeats):
    keys = [measure.key for measure in MEASURES]
    records = [
        {
            "reducer": name,
            "repeat": repeat,
            **{key: row.get(key, np.nan) for key in keys},
            "in_sample": bool(row.get("in_sample", False)),
            "notes": "; ".join(row["notes"]),
            "error": row["error"],
        }
        for name, repeats in rows.items()
        for repeat, row in enumerate(repeats)
    ]
    table = pd.DataFrame.from_records(records)
    table["error"] = table["error"].astype(object).where(table["error"].notna(), None)
    return table.astype(dict.fromkeys(keys, np.float64))


def _colours(labels, classes, test):
    """What colours the points of a map: names of classes, or numbers; None without labels."""
    if labels is None:
        return None
    return labels[test] if classes is None else classes[labels[test]]


def _described(reducers, downstream, random_state):
    """What the caller has chosen, as text and numbers."""
    return {
        "random state": _as_int(random_state) if isinstance(random_state, Integral) else None,
        "reducers": {key: _describe(value) for key, value in reducers.items()},
        "downstream": None if downstream is None else _describe(downstream),
    }


def _describe(reducer):
    if not isinstance(reducer, str):
        return " ".join(repr(reducer).split())
    shown = {key: name for name, key in DEFAULT_REDUCERS.items()}[reducer]
    return f"{shown} with its defaults"


def _sizes(data, labels, classes, splits):
    train, test = splits.first
    return {
        "data": data.name,
        "rows": len(data.X),
        "columns": data.X.shape[1],
        "features": splits.n_features,
        "classes": None if classes is None else len(classes),
        "majority share": None
        if classes is None
        else float(np.bincount(labels).max() / len(labels)),
        "training rows": len(train),
        "test rows": len(test),
    }


def _surroundings():
    """The machine and the versions of what ran on it."""
    versions = {"Python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return {"machine": machine, "versions": versions}
