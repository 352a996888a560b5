"""The gate on small tables: the loss against PCA, by folds and by a single split.

Tables of 50 to 900 rows are drawn from tables of 6000 rows or more (at most 20000 of these, drawn
once) and scaled by `StandardScaler`; all other rows, at most 5000 of them, judge. Beside the
default, where five folds decide whether PCA is kept, stands ``validation_fraction=0.1``, where a
tenth of the rows does. A cell makes ten draws; "excess kurtosis" is that of the rows that judge,
over all features. A difference is the explained variance of `Autoencoder` less that of `PCA`.
"""

import time

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from benchmarks.data import explained_variance, table
from sklearn_ae import Autoencoder, datasets

# name -> number of features
TABLES = {
    "adbench/mammography": 6,
    "adbench/landsat": 36,
    "adbench/campaign": 62,
    "adbench/ALOI": 27,
    "adbench/donors": 10,
    "letter": 16,
    "adult": 6,
}
LOCAL = {"letter": "uci_imputation/gain_letter", "adult": "uci_mixed/adult-train"}
SIZES = (50, 100, 200, 500, 900)
LIMIT_S = 1200
N_COMPONENTS = (2, 8)
DRAWS = 10
SEEDS = (0, 1)
POOL, JUDGES = 20_000, 5_000
METHODS = {"folds": {}, "single split": {"validation_fraction": 0.1}}


def cells():
    """Cells of the case: two times ten draws each."""
    return [
        {"data": data, "seed": seed, "method": "Autoencoder", "n_rows": n, "n_components": k}
        for seed in SEEDS
        for data, width in TABLES.items()
        for n in SIZES
        for k in N_COMPONENTS
        if k < width
    ]


def pool(name):
    """Rows that are drawn from."""
    if name in LOCAL:
        X = datasets.load_local(LOCAL[name]).frame.select_dtypes("number").dropna().to_numpy(float)
        if name == "letter":
            X = X[:, :16]  # without the class
    else:
        X = table(name)
    return X[np.random.default_rng(0).permutation(len(X))[:POOL]]


def run(cell, options):
    """Ten draws."""
    X, n, k = pool(cell["data"]), options.rows(cell["n_rows"]), cell["n_components"]
    draws = [
        one_draw(X, n, k, draw, options)
        for draw in range(DRAWS * cell["seed"], DRAWS * (cell["seed"] + 1))[
            : 1 if options.smoke else None
        ]
    ]
    return {name: [draw[name] for draw in draws] for name in draws[0]}


def one_draw(X, n, k, draw, options):
    """PCA and both ways to judge, on the same rows."""
    order = np.random.default_rng([draw, n]).permutation(len(X))
    train, others = X[order[:n]], X[order[n : n + JUDGES]]
    scaler = StandardScaler().fit(train)
    train, others = scaler.transform(train), scaler.transform(others)
    mean = train.mean(axis=0)
    centred = others - others.mean(axis=0)
    figures = {"kurtosis": float((centred**4).mean() / (centred**2).mean() ** 2 - 3)}

    def explained(reducer):
        output = reducer.inverse_transform(reducer.transform(others))
        return explained_variance(others, output, mean)

    figures["pca"] = explained(PCA(k).fit(train))
    for name, parameters in METHODS.items():
        start = time.process_time()
        ours = options.ours(Autoencoder, n_components=k, random_state=draw, **parameters)
        ours.fit(train)
        figures[f"{name}: cpu_s"] = time.process_time() - start
        figures[f"{name}: difference"] = explained(ours) - figures["pca"]
        figures[f"{name}: start_kept"] = bool(ours.start_kept_)
        figures[f"{name}: n_iter"] = int(ours.n_iter_)
    return figures


def gathered(lines, name):
    """One figure of all draws of some cells."""
    return np.array([value for line in lines for value in line["figures"][name]])


def summary(lines):
    """A row per way to judge."""
    rows = []
    for name in METHODS:
        differences = gathered(lines, f"{name}: difference")
        rows.append(
            {
                "judged by": name,
                "fits": len(differences),
                "mean difference": float(differences.mean()),
                "worst": float(differences.min()),
                "0.5 % quantile": float(np.quantile(differences, 0.005)),
                "below PCA by more than 0.005": int((differences < -0.005).sum()),
                "PCA kept": int(gathered(lines, f"{name}: start_kept").sum()),
                "CPU s per fit": float(gathered(lines, f"{name}: cpu_s").mean()),
            }
        )
    return rows


def tables(lines):
    """All fits, those of one table, and those of one number of rows."""
    found = {"Gate on small tables: Autoencoder less PCA on all other rows": summary(lines)}
    per_table, per_size = [], []
    for data in TABLES:
        group = [line for line in lines if line["data"] == data]
        if group:
            kurtosis = {"excess kurtosis": float(np.median(gathered(group, "kurtosis")))}
            per_table += [{"data": data, **kurtosis, **row} for row in summary(group)]
    for n in SIZES:
        group = [line for line in lines if line["settings"]["n_rows"] == n]
        if group:
            per_size += [{"rows": n, **row} for row in summary(group)]
    return found | {"Gate, per table": per_table, "Gate, per number of rows": per_size}


def figures(lines):
    """How often folds let a network through that is worse than PCA, and by how much at most."""
    folds, split = summary(lines)
    if folds["fits"] < DRAWS * len(cells()) / len(SEEDS):  # not yet once over all tables and sizes
        return {}
    assert folds["mean difference"] > split["mean difference"] - 0.002
    worse = [line for line in lines if min(line["figures"]["folds: difference"]) < -0.005]
    assert {line["data"] for line in worse} == {"adbench/ALOI", "adbench/donors"}
    below = gathered(lines, "folds: difference") < -0.005
    return {
        "fits": f"{folds['fits']}",
        "rate": f"{100 * below.mean():.1f} %",
        "worst": f"{-folds['worst']:.3f}",
        "mean": f"{folds['mean difference']:+.3f}",
    }
