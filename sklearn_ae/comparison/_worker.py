"""The process in which one reducer runs: ``python -m sklearn_ae.comparison._worker FOLDER``.

A process of its own keeps peak memory apart and survives, from the caller's point of view, a
crash of the reducer. It is started as a module and not by `multiprocessing`, so that it never
runs the caller's script a second time.
"""

import inspect
import json
import os
import pickle
import re
import sys
import threading
import traceback
import warnings
from pathlib import Path

import numpy as np

from sklearn_ae.comparison._files import first_line
from sklearn_ae.comparison._measure import N_WARM_UP_ROWS, MemoryMeter, at_width, measure, warm_up
from sklearn_ae.comparison._reducers import RAW_DATA, make

MAX_WARNINGS = 3
# Parameters of UMAP's functions that are functions themselves.
FUNCTION_NAME = re.compile(r"dist|.*metric.*|.*func.*")


def main(folder):
    """Run the job written in `folder`, one result file for each repeat."""
    folder = Path(folder)
    sys.excepthook = _reporter(folder)
    job = json.loads((folder / "job.json").read_text())
    data, seeds = Path(job["data"]), job["seeds"]
    if job["is_umap"]:
        _keep_compiled()
    estimator, downstream = _receive(job)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    first_notes = []
    if estimator is not None:
        X_train, X_test, _ = _load_split(data, 0, N_WARM_UP_ROWS)
        first_notes += filter(None, [warm_up(estimator, X_train, X_test, job["n_train"])])
    meter = None
    for repeat, seed in enumerate(seeds):
        X_train, X_test, target = _load_split(data, repeat)
        notes = [] if repeat else first_notes
        meter = meter or MemoryMeter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            figures, arrays = measure(
                estimator,
                X_train,
                X_test,
                target,
                seed,
                meter,
                is_first=repeat == 0,
                is_image=job["is_image"],
                downstream=downstream,
            )
        figures["curve"] = [
            {"n_components": width, **at_width(make(job["key"], width), X_train, X_test, seed)}
            for width in job["widths"]
        ]
        failed = [
            f"{found['n_components']} components: {found.pop('note')}"
            for found in figures["curve"]
            if "note" in found
        ]
        figures["notes"] = notes + figures["notes"] + failed + _messages(caught)
        if repeat == 0:
            np.savez(folder / "arrays.npz", **arrays)
        _write(folder / f"result_{repeat}.json", figures)
        # Two splits at once would count as memory of the next fit.
        del X_train, X_test


def _keep_compiled():
    """Let numba keep what it compiles for UMAP on disk, which is paid once per machine then."""
    try:
        import numba
    except ImportError:  # the import of UMAP will say so
        return
    plain = numba.njit

    def compiled(function, *args, **kwargs):
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        # each function that is handed over would be kept anew; `distances` are numbers
        if not any(FUNCTION_NAME.fullmatch(name) for name in names):
            kwargs = {"cache": True, **kwargs}
        try:
            return plain(*args, **kwargs)(function)
        except RuntimeError:  # there is no folder that can be written
            return plain(*args, **{**kwargs, "cache": False})(function)

    def njit(*args, **kwargs):
        if args and inspect.isfunction(args[0]):
            return compiled(*args, **kwargs)
        return lambda function: compiled(function, *args, **kwargs)

    numba.njit = njit


def _die_with_parent():
    # The parent holds the other end: it closes when that process ends, however it ends.
    # (os.read: a thread inside a Python stream would hold its lock at exit.)
    os.read(0, 1)
    os._exit(1)


def _reporter(folder):
    def report(kind, error, trace):
        message = first_line(error)
        name = kind.__name__
        _write(
            folder / "error.json", {"error": message if name == message else f"{name}: {message}"}
        )
        traceback.print_exception(kind, error, trace)

    return report


def _write(path, content):
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content))
    draft.replace(path)


def _receive(job):
    """The reducer, a name or the caller's own, and what is fitted to its codes, from the caller."""
    reducer, downstream = pickle.Unpickler(sys.stdin.buffer).load()
    if not isinstance(reducer, str):
        return reducer, downstream
    return None if reducer == RAW_DATA else make(reducer, job["n_components"]), downstream


def _load_split(data, repeat, most=None):
    """Training and test rows, and their targets; the first of them only."""
    split = np.load(data / f"split_{repeat}.npz")
    own = data / f"X_{repeat}.npy"
    X = np.load(own if own.exists() else data / "X.npy", mmap_mode="r")
    train, test = split["train"][:most], split["test"][:most]
    y = np.load(data / "y.npy") if (data / "y.npy").exists() else None
    return X[train], X[test], None if y is None else (y[train], y[test])


def _messages(caught):
    messages = dict.fromkeys(
        f"warning: {first_line(item.message)}"
        for item in caught
        if issubclass(item.category, UserWarning)
    )
    return list(messages)[:MAX_WARNINGS]


if __name__ == "__main__":
    main(sys.argv[1])
