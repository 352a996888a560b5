"""The parameters of training against others, on data that are not those of `pca_floor`.

Constant rate, averages of the weights and patience, beside the course of the learning rate that was
the default before, and each parameter changed by itself. "the rule before" is that of the commits
before 1deca71: one cycle over 20000 steps in at most 200 epochs, the weights in training, Adam at
1e-3, a decay of 5e-4 a step; "one_cycle, average=False" is one cycle with today's rate and decay.
Noise has a standard deviation of a tenth of the scale by which `Autoencoder` divides the data.

Tables: nine of uci_imputation (not spam, iris and wine, which `pca_floor` has by name), abalone and
the numeric columns of adult; class labels are left out. A quarter of the rows is held out and not
read, a quarter of the rest judges, as in `auto_rules`; `StandardScaler`. Olivetti, in [0, 1]: the
same, by people. Fashion-MNIST: the first n of the training images, judged on the last 10000 of
them. Seconds of the processor are those of all threads during a fit.
"""

import time

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler

from benchmarks.cases.detector_rules import UCI
from benchmarks.data import explained_variance, images
from benchmarks.harness import seconds
from sklearn_ae import Autoencoder, datasets
from sklearn_ae._fitting.plan import FEWEST_DECAY_STEPS, auto_batch_size
from sklearn_ae.corruptions import GaussianNoise
from sklearn_ae.estimators._base import LARGEST_RATE, RATE_OF_WIDTH

LIMIT_S = 1200
# name -> (file, n_rows, columns that are used)
TABLES = {
    "letter": ("uci_imputation/gain_letter", 20000, 16),
    "airfoil": ("uci_imputation/remasker_airfoil", 1503, 6),
    "climate": ("uci_imputation/remasker_climate", 540, 20),
    "compression": ("uci_imputation/remasker_compression", 1030, 9),
    "credit": ("uci_imputation/remasker_credit", 690, 15),
    "libras": ("uci_imputation/remasker_libras", 360, 90),
    "parkinsons": ("uci_imputation/remasker_parkinsons", 195, 22),
    "raisin": ("uci_imputation/remasker_raisin", 900, 7),
    "yacht": ("uci_imputation/remasker_yacht", 308, 7),
    "abalone": ("uci_mixed/abalone", 4177, 8),
    "adult": ("uci_mixed/adult-train", 32561, 6),
}
FACES = "olivetti"
# name -> training images
FASHION = {"fashion_mnist[:2000]": 2000, "fashion_mnist[:10000]": 10_000}
# Sets of fewer rows have two seeds.
SMALL = 2000
N_COMPONENTS = (2, 8)
DEFAULT, BEFORE = "default", "the rule before"
METHODS = (
    DEFAULT,
    BEFORE,
    "one_cycle, average=False",
    "adaptive",
    "average=False",
    "learning_rate_init x 0.5",
    "learning_rate_init x 2",
    "n_iter_no_change=5",
    "n_iter_no_change=30",
    "batch_size x 2",
    "weight_decay x 4",
    "noise of 0.1",
)
# name of a figure -> the method that it is of
IN_DOCS = {
    "one_cycle": "one_cycle, average=False",
    "adaptive": "adaptive",
    "patience": "n_iter_no_change=30",
    "decay": "weight_decay x 4",
}


def cells():
    """Cells of the case: two seeds where there are few rows."""
    sizes = {name: (n_rows, width) for name, (_, n_rows, width) in TABLES.items()}
    sizes |= {FACES: (400, 4096)} | {name: (n, 784) for name, n in FASHION.items()}
    return [
        {"data": data, "seed": seed, "method": method, "n_components": k}
        for data, (n_rows, width) in sizes.items()
        for k in N_COMPONENTS
        for seed in (0, 1)
        for method in METHODS
        if k < width and (seed == 0 or n_rows < SMALL)
    ]


def rows(name):
    """All rows of a table or of the faces, and what no two parts share."""
    if name == FACES:
        bunch = datasets.load_local(name)
        return bunch.data / np.float32(255), bunch.target
    frame = datasets.load_local(TABLES[name][0]).frame.select_dtypes("number")
    X = frame.drop(columns=UCI.get(name, [])).to_numpy(dtype=np.float64)
    return X, np.arange(len(X))


def split(cell, options):
    """Training rows and the rows that judge, both from the training part of the data."""
    if cell["data"] in FASHION:
        X, _ = images("fashion_mnist")
        return X[: options.rows(FASHION[cell["data"]])], X[-10000:]
    X, groups = rows(cell["data"])
    rest, _ = without_a_quarter(groups, cell["seed"])
    train, judge = (rest[part] for part in without_a_quarter(groups[rest], cell["seed"]))
    if cell["data"] == FACES:
        return X[train], X[judge]
    scaler = StandardScaler().fit(X[train])
    return scaler.transform(X[train]), scaler.transform(X[judge])


def without_a_quarter(groups, seed):
    """Positions of three quarters of the groups and of the other one."""
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
    return next(splitter.split(groups, groups=groups))


def methods(X):
    """Parameters that each method sets."""
    n_train = len(X) - max(5, len(X) // 10)
    batch_size = auto_batch_size(n_train)
    n_steps = max(1, n_train // batch_size)
    rate = min(LARGEST_RATE, RATE_OF_WIDTH / X.shape[1] ** 0.5)
    one_cycle = {"learning_rate": "one_cycle", "average": False}
    # weight_decay is now the share of an epoch
    before = {
        "learning_rate_init": 1e-3,
        "weight_decay": 5e-4 * max(n_steps, FEWEST_DECAY_STEPS),
    }
    scale = float(X.var(axis=0, dtype=np.float64).mean() ** 0.5)
    changes = (
        {},
        one_cycle | before,
        one_cycle,
        {"learning_rate": "adaptive"},
        {"average": False},
        {"learning_rate_init": rate / 2},
        {"learning_rate_init": rate * 2},
        {"n_iter_no_change": 5},
        {"n_iter_no_change": 30},
        {"batch_size": 2 * batch_size},
        {"weight_decay": 4 * Autoencoder().weight_decay},
        {"corruption": GaussianNoise(0.1 * scale)},
    )
    return dict(zip(METHODS, changes, strict=True))


def run(cell, options):
    """Fit with the parameters of the method, and PCA."""
    train, judge = split(cell, options)
    shared = {"n_components": cell["n_components"], "random_state": cell["seed"]}
    parameters = methods(train)[cell["method"]]
    options.ours(Autoencoder, **shared, max_iter=1).fit(train[:50])  # late imports do not count
    estimator = options.ours(Autoencoder, **shared, **parameters)
    begin = time.process_time()
    fit_s, fitted = seconds(estimator.fit, train)
    cpu_s = time.process_time() - begin
    scores = {}
    for name, reducer in {"explained_variance": fitted, "pca": PCA(**shared).fit(train)}.items():
        output = reducer.inverse_transform(reducer.transform(judge))
        scores[name] = explained_variance(judge, output, train.mean(axis=0))
    return scores | {
        "cpu_s": cpu_s,
        "fit_s": fit_s,
        "n_rows": len(train),
        "n_iter": int(fitted.n_iter_),
        "start_kept": bool(fitted.start_kept_),
    }


def by_set(lines, figure):
    """A figure: a row per set and number of components, the mean of its seeds, by method."""
    found = pd.DataFrame(
        {
            "data": line["data"],
            "components": line["settings"]["n_components"],
            "method": line["method"],
            "figure": float(line["figures"][figure]),
        }
        for line in lines
    )
    means = found.groupby(["data", "components", "method"], sort=False)["figure"].mean()
    sets, wide = means.index.droplevel("method").unique(), means.unstack()
    return wide.loc[sets, [name for name in METHODS if name in wide]]


def tables(lines):
    """Methods over the sets that all of them have, then each set."""
    scores = by_set(lines, "explained_variance")
    times = by_set(lines, "cpu_s")
    complete = scores.dropna().index
    found = {
        "Explained variance of the rows that judge (mean over seeds)": records(
            of_pca(lines).join(scores)
        ),
        "CPU seconds of a fit (mean over seeds)": records(times),
    }
    if DEFAULT not in scores or not len(complete):
        return found
    scores, times = scores.loc[complete], times.loc[complete]
    epochs, kept = (by_set(lines, name).loc[complete] for name in ("n_iter", "start_kept"))
    changes = scores.sub(scores[DEFAULT], axis=0)
    summary = [
        {
            "method": name,
            "mean explained variance": f"{scores[name].mean():.4f}",
            "less the default": f"{changes[name].mean():+.4f}",
            "worst": f"{changes[name].min():+.4f}",
            "where": "{}, {}".format(*changes[name].idxmin()) if name != DEFAULT else "",
            "sets, more and less by .001": (
                f"{(changes[name] > 0.001).sum()}, {(changes[name] < -0.001).sum()}"
            ),
            "CPU seconds": float(times[name].sum()),
            "over the default's": float(times[name].sum() / times[DEFAULT].sum()),
            "epochs (mean)": float(epochs[name].mean()),
            "start kept (share)": float(kept[name].mean()),
        }
        for name in scores
    ]
    return {f"{len(complete)} sets of rows and numbers of components": summary} | found


def figures(lines):
    """What other values gain over the defaults, and their time over the defaults'."""
    (title, summary), *_ = tables(lines).items()
    rows = {row["method"]: row for row in summary}
    found = {"sets": title.split()[0]}
    for name, method in IN_DOCS.items():
        gain, share = (rows[method][title] for title in ("less the default", "over the default's"))
        found |= {name: gain, f"{name}_time": f"{share:.2f}"}
    return found


def of_pca(lines):
    """Training rows and what PCA explains, by set and number of components."""
    found = pd.DataFrame(
        {
            "data": line["data"],
            "components": line["settings"]["n_components"],
            "training rows": line["figures"]["n_rows"],
            "PCA": line["figures"]["pca"],
        }
        for line in lines
    )
    means = found.groupby(["data", "components"], sort=False).mean()
    return means.astype({"training rows": int})


def records(frame):
    """Rows of a table, the index as its first columns."""
    return frame.reset_index().to_dict("records")
