"""The rules behind ``"auto"`` against fixed batch sizes, epochs and widths, from 45 to 50000 rows.

One parameter is changed at a time, all others stay at their defaults. Epochs are a bound since
training ends by patience, so that more of them change little. Tables: the training three
quarters of `pca_floor`'s split with the same seed, split again in the same way, `StandardScaler`;
the test quarter is not read. MNIST: the first n of the training images, judged on the last 10000
of them; the test images are not read.
"""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks.data import MAX_ROWS, SHAPES, explained_variance, images, split_table
from benchmarks.harness import encoder_sizes, fit_time, seconds, span
from sklearn_ae import Autoencoder
from sklearn_ae._fitting.plan import auto_batch_size, auto_max_iter

TABLES = (
    "adbench/Hepatitis",
    "wine",
    "adbench/Stamps",
    "breast_cancer",
    "digits",
    "adbench/SpamBase",
    "adbench/landsat",
    "adbench/campaign",
)
MNIST_ROWS = (1000, 10000, 50000)
METHODS = (
    "auto",
    "batch_size=32",
    "batch_size=256",
    "batch_size=1024",
    "max_iter x 0.25",
    "max_iter x 4",
    "hidden_layer_sizes x 0.5",
    "hidden_layer_sizes x 2",
)
# name of a figure -> the method that it is of
IN_GUIDE = {
    "epochs_quarter": "max_iter x 0.25",
    "epochs_times_4": "max_iter x 4",
    "batches_32": "batch_size=32",
    "batches_256": "batch_size=256",
    "batches_1024": "batch_size=1024",
    "width_half": "hidden_layer_sizes x 0.5",
    "width_double": "hidden_layer_sizes x 2",
}
SMALL = 2000


def cells():
    """Cells of the case: three seeds where there are few rows."""
    sets = [*TABLES, *(f"mnist[:{n}]" for n in MNIST_ROWS)]
    return [
        {"data": data, "seed": seed, "method": method}
        for data in sets
        for seed in (0, 1, 2)
        for method in METHODS
        if seed == 0 or SHAPES.get(data, (SMALL,))[0] < SMALL
    ]


def split(cell, options):
    """Training rows and the rows that judge, both from the training part of the data."""
    if cell["data"] in SHAPES:
        rows, _ = split_table(cell["data"], cell["seed"], rows=options.rows(MAX_ROWS))
        train, judge = train_test_split(rows, test_size=0.25, random_state=cell["seed"])
        scaler = StandardScaler().fit(train)
        return scaler.transform(train), scaler.transform(judge)
    n_rows = int(cell["data"].removeprefix("mnist[:").removesuffix("]"))
    X, _ = images("mnist")
    return X[: options.rows(n_rows)], X[-10000:]


def auto_epochs(n_rows):
    """Epochs that ``max_iter="auto"`` makes at most with `n_rows` given to `fit`."""
    n_train = n_rows - max(5, n_rows // 10)
    return auto_max_iter(max(1, n_train // auto_batch_size(n_train)))


def changed(method, X, n_components, options):
    """The one parameter that a method sets."""
    if method == "auto":
        return {}
    if method.startswith("batch_size"):
        return {"batch_size": int(method.split("=")[1])}
    name, factor = method.split(" x ")
    if name == "max_iter":
        return {"max_iter": max(1, round(auto_epochs(len(X)) * float(factor)))}
    start = options.ours(Autoencoder, n_components=n_components, max_iter=0).fit(X)
    sizes = encoder_sizes(start)[:-1]
    return {"hidden_layer_sizes": tuple(max(1, round(size * float(factor))) for size in sizes)}


def run(cell, options):
    """Fit with the parameter changed."""
    train, judge = split(cell, options)
    n_components = 2 if train.shape[1] < 10 else 8 if train.shape[1] < 500 else 32
    parameters = changed(cell["method"], train, n_components, options)
    estimator = options.ours(
        Autoencoder, n_components=n_components, random_state=cell["seed"], **parameters
    )
    clone(estimator).set_params(max_iter=1).fit(train[:50])  # late imports do not count
    fit_s, fitted = seconds(estimator.fit, train)
    output = fitted.inverse_transform(fitted.transform(judge))
    return {
        "fit_s": fit_s,
        "explained_variance": explained_variance(judge, output, train.mean(axis=0)),
        "n_components": n_components,
        "n_rows": len(train),
        "n_iter": int(fitted.n_iter_),
        "sizes": encoder_sizes(fitted),
        "start_kept": bool(fitted.start_kept_),
    }


def tables(lines):
    """Explained variance and seconds: a row per data set, a column per method."""
    scores, times = {}, {}
    for line in lines:
        figures, data = line["figures"], line["data"]
        for found in (scores, times):
            found.setdefault(data, {"data": data, "training rows": figures["n_rows"]})
        scores[data].setdefault(line["method"], []).append(figures["explained_variance"])
        times[data].setdefault(line["method"], []).append(fit_time(figures))
    for row in scores.values():
        row |= {m: float(np.mean(row[m])) for m in METHODS if m in row}
    for row in times.values():
        row |= {m: slowest(row[m]) for m in METHODS if m in row}
    return {
        "Held-out explained variance (mean over seeds)": list(scores.values()),
        "Seconds of the slowest fit": list(times.values()),
    }


def slowest(times):
    """Longest time, or "over limit"."""
    return "over limit" if "over limit" in times else max(times)


def figures(lines):
    """How far each rule moves the explained variance, over the sets of rows."""
    found = pd.DataFrame(
        {"data": line["data"], "method": line["method"], **line["figures"]} for line in lines
    )
    n_rows = found.groupby("data")["n_rows"].last()
    # eleven sets of 45 to 50000 rows
    assert (len(n_rows), n_rows.min(), n_rows.max()) == (11, 45, 50000)
    means = found.pivot_table(
        index="data", columns="method", values=["explained_variance", "fit_s"]
    )
    scores, times = means["explained_variance"], means["fit_s"]
    changes = scores.sub(scores["auto"], axis=0)
    # gains of small batches: 1000 to 10000 rows, up to four times the time, none from 23000 on
    small = changes["batch_size=32"]
    gains = small.index[small > 0.001]
    assert n_rows[gains].between(1000, 10000).all()
    assert (small[n_rows >= 23000] < 0).all()
    assert (times["batch_size=32"] / times["auto"])[gains].max() < 4.05
    return {name: span(changes[method].dropna(), "+.2f") for name, method in IN_GUIDE.items()}
