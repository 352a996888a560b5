"""How often detectors flag new normal rows, and planted outliers, on tables of seven kinds.

Sixty of the tables of 50, 200, 1000 and 5000 rows by 2, 10, 30, 100 and 500 columns, drawn once;
ten draws of each, all rows of training normal. Flagged are 1000 new rows of the same distribution,
and 200 outliers: in a fifth of the columns, two at least, these have values of other rows, three
times as far from the column's median.

- "Gauss": five factors and noise; "t5" the same, each row over the root of a chi-squared variable;
  "log-normal" its exponential; "counts": Poisson with a factor for each row; "mixture": four normal
  groups of 40, 30, 20 and 10 %, of which the last is four times as spread as the first;
  "one-hot": variables of two to six categories; "mostly-zero": exponential amounts in 2 to 15 % of
  the rows.

`AutoencoderDetector` has its defaults: contamination="auto", and calibration_fraction="folds" at
false positive rates of .02, .05 and .1. The others have their own "auto", where there is one, and
contamination=.05: a quantile of the scores of training rows, which is PyOD's threshold too (two
draws). `EllipticEnvelope` is fitted where there are more than two rows for each column, in two
draws of tables of more than a million values, and has no result of rows that are mostly equal.
"""

import time
import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from benchmarks.worker import Remote, peer_versions
from sklearn_ae import AutoencoderDetector

LIMIT_S = 3600
N_CELLS, N_DRAWS, N_DRAWS_OF_PYOD = 60, 10, 2
# Values of a table from which on what takes minutes is fitted to as few draws.
LARGE = 1_000_000
N_NEW, N_OUTLIERS = 1000, 200
ROWS, COLUMNS = (50, 200, 1000, 5000), (2, 10, 30, 100, 500)
LIGHT = ("Gauss", "counts", "mixture")
KINDS = ("Gauss", "t5", "log-normal", "mixture", "one-hot", "counts", "mostly-zero")
RATES = (0.02, 0.05, 0.1)
# Expected flagged rows of training from which on a rate is judged.
FEWEST_FLAGGED = 5
OURS = "AutoencoderDetector"
AUTO = f"{OURS}, auto"
FOLDS = {rate: f"{OURS}, folds at {rate:g}" for rate in RATES}
ELLIPTIC = "EllipticEnvelope, .05"
PEERS = {
    "IsolationForest, auto": lambda seed: IsolationForest(random_state=seed),
    "IsolationForest, .05": lambda seed: IsolationForest(contamination=0.05, random_state=seed),
    "LocalOutlierFactor, auto": lambda seed: LocalOutlierFactor(novelty=True),
    "LocalOutlierFactor, .05": lambda seed: LocalOutlierFactor(contamination=0.05, novelty=True),
    ELLIPTIC: lambda seed: EllipticEnvelope(contamination=0.05, random_state=seed),
}
PYOD = ("PyOD ECOD", "PyOD KNN")
# name of a figure -> the method that it is of
IN_GUIDE = {"forest": "IsolationForest, .05", "lof": "LocalOutlierFactor, .05"}


def cells():
    """Sixty of all tables, the same ones each time; ten draws in each cell."""
    of_all = [
        {"data": kind, "seed": 0, "method": "all", "n_rows": n_rows, "n_columns": n_columns}
        for kind in KINDS
        for n_rows in ROWS
        for n_columns in COLUMNS
    ]
    drawn = np.random.default_rng(0).permutation(len(of_all))[:N_CELLS]
    return [of_all[place] for place in sorted(drawn)]


def source(kind, n_columns, rng):
    """A function that draws rows of one distribution."""
    n_factors = max(1, min(5, n_columns // 2))
    mix = rng.normal(size=(n_factors, n_columns)) / np.sqrt(n_factors)

    def correlated(n):
        noise = 0.7 * rng.normal(size=(n, n_columns))
        return rng.normal(size=(n, n_factors)) @ mix + noise

    if kind == "Gauss":
        return correlated
    if kind == "t5":
        return lambda n: correlated(n) / np.sqrt(rng.chisquare(5, size=(n, 1)) / 5)
    if kind == "log-normal":
        return lambda n: np.exp(0.8 * correlated(n))
    if kind == "counts":
        means = rng.uniform(0.3, 4, n_columns)
        return lambda n: rng.poisson(means * rng.gamma(2, 0.5, size=(n, 1))).astype(float)
    if kind == "mostly-zero":
        shares = rng.uniform(0.02, 0.15, n_columns)
        size = n_columns
        return lambda n: (rng.random((n, size)) < shares) * rng.exponential(size=(n, size))
    if kind == "mixture":
        centres, spread = 4 * rng.normal(size=(4, n_columns)), np.array([0.5, 1.0, 1.0, 2.0])

        def grouped(n):
            group = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
            return centres[group] + spread[group, None] * rng.normal(size=(n, n_columns))

        return grouped
    sizes = rng.integers(2, 7, size=n_columns)
    shares = [rng.dirichlet(np.full(size, 2.0)) for size in sizes]

    def categories(n):
        levels = (
            np.eye(size)[rng.choice(size, n, p=share)]
            for size, share in zip(sizes, shares, strict=True)
        )
        return np.hstack([*levels])[:, :n_columns]

    return categories


def outliers_of(rows, others, rng):
    """Rows of which a fifth of the values are those of others, three times as far out."""
    n_rows, n_columns = rows.shape
    n_changed = min(max(2, n_columns // 5), n_columns)
    far = np.median(others, axis=0) + 3 * (rng.permutation(others) - np.median(others, axis=0))
    is_changed = rng.permuted(np.arange(n_columns) < n_changed + np.zeros((n_rows, 1)), axis=1)
    return np.where(is_changed, far, rows)


def run(cell, options):
    """Shares flagged by each method, of each draw, and what fits took."""
    found, n_draws = {}, 1 if options.smoke else N_DRAWS
    n_rows, n_columns = options.rows(cell["n_rows"]), cell["n_columns"]
    for seed in range(n_draws):
        rng = np.random.default_rng([seed, n_columns, KINDS.index(cell["data"])])
        draw = source(cell["data"], n_columns, rng)
        X, new = draw(n_rows), draw(N_NEW)
        outliers = outliers_of(draw(N_OUTLIERS), draw(N_OUTLIERS), rng)
        scaler = StandardScaler().fit(X)
        scaled = [scaler.transform(rows) for rows in (X, new, outliers)]
        for name, figures in in_folds(seed, X, new, outliers, options).items():
            found.setdefault(name, []).append(figures)
        for name, make in detectors(n_rows, n_columns, seed, options):
            rows = (X, new, outliers) if name.startswith(OURS) else scaled
            try:
                found.setdefault(name, []).append(judged(make(seed), *rows))
            except ValueError:  # of rows that are mostly equal it has no covariance
                if name != ELLIPTIC:
                    raise
        if seed < N_DRAWS_OF_PYOD:
            for name, figures in of_pyod(*scaled, seed).items():
                found.setdefault(name, []).append(figures)
    return {
        "methods": {name: pd.DataFrame(rows).to_dict("list") for name, rows in found.items()},
        "peers": peer_versions(),
    }


def detectors(n_rows, n_columns, draw, options):
    """Names, and how each is made of a seed."""

    def ours(**parameters):
        return lambda seed: AutoencoderDetector(
            device=options.device, random_state=seed, **parameters
        )

    yield AUTO, ours()
    for name, make in PEERS.items():
        is_short = n_rows * n_columns <= LARGE or draw < N_DRAWS_OF_PYOD
        if name != ELLIPTIC or (n_rows > 2 * n_columns and is_short):
            yield name, make


def in_folds(seed, X, new, outliers, options):
    """Shares flagged at each rate, of one fit: by p-values, which say what `predict` would."""
    detector = AutoencoderDetector(
        calibration_fraction="folds",
        false_positive_rate=RATES[-1],
        device=options.device,
        random_state=seed,
    )
    fit_s = judged(detector, X, new, outliers)["fit_s"]
    values = [detector.p_values(rows) for rows in (new, outliers)]
    return {
        name: {"fit_s": fit_s}
        | {
            what: float(np.mean(of_rows <= rate))
            for what, of_rows in zip(("alarms", "hits"), values, strict=True)
        }
        for rate, name in FOLDS.items()
        if rate * (len(X) + 1) >= 1
    }


def judged(detector, X, new, outliers):
    """Shares flagged, and seconds of the fit."""
    with warnings.catch_warnings():
        # that determinants increase, of few neighbours, of rates that do not hold for new rows
        warnings.simplefilter("ignore")
        begin = time.perf_counter()
        detector.fit(X)
        fit_s = time.perf_counter() - begin
        alarms, hits = (float(np.mean(detector.predict(rows) == -1)) for rows in (new, outliers))
    return {"alarms": alarms, "hits": hits, "fit_s": fit_s}


def of_pyod(X, new, outliers, seed):
    """Shares flagged by PyOD's threshold, a quantile of the scores of training rows."""
    try:
        of_train = Remote("PyODDetectors", torch.get_num_threads(), train=X)
    except RuntimeError:  # the table says so
        return {}
    of_test = Remote(
        "PyODDetectors", torch.get_num_threads(), train=X, test=np.vstack([new, outliers])
    )
    found = {}
    for name in PYOD:
        train, test = (
            np.array(remote.call("scores", name=name, seed=seed)["scores"])
            for remote in (of_train, of_test)
        )
        flagged = test > np.quantile(train, 0.95)
        found[f"{name}, .05"] = {
            "alarms": float(np.mean(flagged[: len(new)])),
            "hits": float(np.mean(flagged[len(new) :])),
            "fit_s": None,
        }
    of_train.close()
    of_test.close()
    return found


def by_method(lines):
    """A row for each cell and method, means over draws."""
    return pd.DataFrame(
        {
            "kind": line["data"],
            "rows": line["settings"]["n_rows"],
            "columns": line["settings"]["n_columns"],
            "method": name,
            "alarms": np.mean(figures["alarms"]),
            "hits": np.mean(figures["hits"]),
        }
        for line in lines
        for name, figures in line["figures"]["methods"].items()
    )


def tables(lines):
    """Means by kind, and of each cell."""
    found = by_method(lines)
    if found.empty:
        return {}
    shown = {}
    for what, title in (("alarms", "new normal rows"), ("hits", "outliers")):
        means = found.pivot_table(index="method", columns="kind", values=what, sort=False)
        means.insert(0, "all", found.groupby("method")[what].mean())
        shown[f"% of {title} flagged, means over cells"] = [
            {"method": name, **{kind: f"{100 * value:.1f}" for kind, value in row.items()}}
            for name, row in means.iterrows()
        ]
    wide = found.pivot_table(
        index=["kind", "rows", "columns"], columns="method", values="alarms", sort=False
    )
    shown["% of new normal rows flagged"] = [
        dict(zip(wide.index.names, place, strict=True))
        | {name: f"{100 * value:.1f}" for name, value in row.items()}
        for place, row in wide.iterrows()
    ]
    return shown


def figures(lines):
    """Spans and means of the shares of new rows flagged."""
    found = by_method(lines)
    shares = found.pivot_table(index=["kind", "rows", "columns"], columns="method", values="alarms")
    n_rows = shares.index.get_level_values("rows")
    named = {}
    for rate, name in FOLDS.items():
        judged_cells = shares[name][n_rows * rate >= FEWEST_FLAGGED].dropna() / rate
        within = judged_cells.between(0.5, 2.0)
        named[f"folds_{rate:g}"] = f"{within.sum()} of {len(within)}"
        named[f"span_{rate:g}"] = (
            f"{100 * rate * judged_cells.min():.1f} to {100 * rate * judged_cells.max():.1f} %"
        )
    named["tables"] = f"{len(shares)}"
    is_light = shares.index.get_level_values("kind").isin(LIGHT)
    named["auto_light"] = f"{100 * shares.loc[is_light, AUTO].mean():.1f} %"
    named["auto"] = f"{100 * shares[AUTO].mean():.1f} %"
    hits = found.groupby("method")["hits"].mean()
    for name, method in IN_GUIDE.items():
        named[name] = f"{100 * shares[method].mean():.1f} %"
        named[f"{name}_most"] = f"{100 * shares[method].max():.0f} %"
        named[f"{name}_hits"] = f"{100 * hits[method]:.0f} %"
    named["hits"] = f"{100 * hits[AUTO]:.0f} %"
    return named
