"""Time to fit and to score against rows and features, beside IsolationForest and PyOD.

Tables of ADBench, their first rows of one random order: donors (10 features), campaign (62), musk
(166) and InternetAds (1555, half of which repeat others); and normal rows of falling variances
along random directions, small and wide or large and narrow. Fit on these rows, then score them; all
have as many threads (`OMP_NUM_THREADS`) and their defaults. Rows are standardised before all. Three
runs, interleaved, the least time of each; one run of more than 50000 rows. PyOD's autoencoder has
no result with fewer rows than a batch, 32.
"""

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import StandardScaler

from benchmarks.detectors import SKLEARN, negated, timed
from benchmarks.harness import span
from benchmarks.worker import Remote, peer_versions
from sklearn_ae import AutoencoderDetector, datasets

LIMIT_S = 3600
RUNS, ROWS_OF_ONE_RUN, PEER_BATCH = 3, 50000, 32
SIZES = {
    "donors": (1000, 10000, 100000, 600000),
    "campaign": (1000, 10000, 40000),
    "musk": (3000,),
    "InternetAds": (1900,),
}
# of normal rows, and features
SHAPES = ((30, 768), (100, 1000), (100000, 20))
OURS, FOREST, PEER = "AutoencoderDetector", "IsolationForest", "PyOD AutoEncoder"
# name of a figure -> the column that it is of
RATIOS = {
    "fit": "fit, ours over PyOD's",
    "score": "score, ours over PyOD's",
    "forest_fit": "fit, ours over the forest's",
    "forest_score": "score, ours over the forest's",
}


def cells():
    """Cells of the case: all three methods in one, so that they can be compared."""
    return [
        {"data": f"adbench/{name}", "seed": 0, "method": "all", "rows": rows}
        for name, sizes in SIZES.items()
        for rows in sizes
    ] + [
        {"data": "normal", "seed": 0, "method": "all", "rows": rows, "features": features}
        for rows, features in SHAPES
    ]


def table(cell, options):
    """Rows of a cell, standardised."""
    rows, rng = options.rows(cell["rows"]), np.random.default_rng(0)
    if cell["data"] == "normal":
        deviations = np.linspace(0.1, 1.0, cell["features"])
        mixed = rng.normal(size=(len(deviations), len(deviations)))
        X = rng.normal(size=(rows, len(deviations))) * deviations @ mixed
    else:
        X = datasets.fetch_adbench(cell["data"].removeprefix("adbench/")).data
        X = np.asarray(X[rng.permutation(len(X))[:rows]], dtype=np.float64)
    return StandardScaler().fit_transform(X)


def run(cell, options):
    """Seconds of each method, the least of the runs."""
    X = table(cell, options)
    rows = len(X)

    def ours(train, seed):
        detector = AutoencoderDetector(device=options.device, random_state=seed)
        return negated(detector.fit(train).score_samples)

    taken = {name: [] for name in (OURS, FOREST, PEER)}
    has_peer = rows >= PEER_BATCH
    remote = Remote("PyODDetectors", torch.get_num_threads(), train=X, test=X)
    for seed in range(1 if options.smoke or rows > ROWS_OF_ONE_RUN else RUNS):
        taken[OURS].append(timed(ours, X, X, seed)[1:])
        taken[FOREST].append(timed(SKLEARN[FOREST], X, X, seed)[1:])
        if has_peer:
            found = remote.call("scores", name=PEER, seed=seed)
            taken[PEER].append((found["fit_s"], found["score_s"]))
    remote.close()
    figures = {
        name: dict(zip(("fit_s", "score_s"), np.min(times, axis=0).tolist(), strict=True))
        for name, times in taken.items()
        if times
    }
    return {"n_features": X.shape[1], "times": figures, "peers": peer_versions()}


def tables(lines):
    """Seconds, and ours over PyOD's."""
    rows = []
    for line in lines:
        times = line["figures"]["times"]
        row = {
            "data": line["data"].removeprefix("adbench/"),
            "rows": line["settings"]["rows"],
            "features": line["figures"]["n_features"],
        }
        for name, of_name in times.items():
            row[f"{name}: fit (s)"] = of_name["fit_s"]
            row[f"{name}: score (s)"] = of_name["score_s"]
        for name, column in RATIOS.items():
            other, of_what = (FOREST if "forest" in name else PEER), f"{name.split('_')[-1]}_s"
            if other in times:
                row[column] = times[OURS][of_what] / times[other][of_what]
        rows.append(row)
    return {"Seconds of fit and of scores": rows}


def figures(lines):
    """Ours over PyOD's and the forest's, on most tables and apart on the widest of ADBench."""
    (rows,) = tables(lines).values()
    ratios = pd.DataFrame(rows)
    is_wide = (ratios["features"] > 1000) & (ratios["rows"] > 1000)
    (widest,) = ratios[is_wide].to_dict("records")
    usual, small = ratios[~is_wide], ratios["rows"] <= 1000
    narrow = usual[usual["features"] <= 200]
    assert len(usual) == 11
    # what the guide says of them
    assert narrow[RATIOS["fit"]].max() <= 0.5
    assert narrow[RATIOS["forest_score"]].max() <= 3
    assert widest[RATIOS["fit"]] <= 1
    assert ratios.loc[small, RATIOS["forest_fit"]].max() <= 5
    assert ratios.loc[~small, RATIOS["forest_fit"]].min() > 1
    found = {
        "features": span(narrow["features"], ""),
        "features_wide": f"{widest['features']}",
        "small": span(ratios.loc[small, RATIOS["forest_fit"]], ".2g"),
    }
    for name in ("fit", "forest_score"):
        found[name] = span(narrow[RATIOS[name]], ".2g")
    return found | {"fit_wide": f"{widest[RATIOS['fit']]:.1f}"}
