"""Convolutional against dense layers at equal code size, 30 components.

First the pairs of `downsampling` and `upsampling`: 15 passes over the first 15000 training images
of MNIST, judged on the last 10000 training images, three seeds. ``max_unpool`` is judged as the
others are, from the code alone, without the positions of pooling.

Then the best two pairs, taken from these results by the least mean error, beside PCA and dense
layers, all else at defaults, judged on test images: MNIST and Fashion-MNIST (60000 training
images), Olivetti (300 images of 30 people, judged on 10 other people) and Frey faces (three
quarters of the blocks of 25 successive frames, judged on the others), the latter two with three
splits. Dense rows make the default number of passes; a convolutional one makes at most as
many as take 280 s at the pair's seconds per pass and value in the first table, and the result
names them. The test images of MNIST and Fashion-MNIST and the rows of the faces held out are read
once, after that choice.
"""

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.cases.auto_rules import auto_epochs
from benchmarks.cases.embedding_2d import spread
from benchmarks.choices import check_finished, earlier_lines
from benchmarks.data import (
    IMAGE_SHAPES,
    explained_variance,
    images,
    split_images,
    squared_error,
)
from benchmarks.harness import fit_time, seconds
from sklearn_ae import Autoencoder
from sklearn_ae.architectures import Convolutional

# For a machine with less than two free cores; see README.md for the times.
LIMIT_S = 1200
N_COMPONENTS = 30
SEEDS = (0, 1, 2)
PAIRS_ROWS = 15000
PAIRS_DATA = f"mnist[:{PAIRS_ROWS}]"
PAIRS_PASSES = 15
PAIRS = [
    (downsampling, upsampling)
    for downsampling in ("stride", "max_pool", "average_pool")
    for upsampling in ("transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool")
    if upsampling != "max_unpool" or downsampling == "max_pool"
]
RANKS = {"Convolutional, best pair": 0, "Convolutional, second pair": 1}
METHODS = ("PCA", "dense", *RANKS)
# Seconds of a fit of the second part, by the figures of the first.
FULL_FIT_S = 280


def cells():
    """Cells of the case, the pairs first."""
    pairs = [
        {
            "data": PAIRS_DATA,
            "seed": seed,
            "method": f"{downsampling}, {upsampling}",
            "downsampling": downsampling,
            "upsampling": upsampling,
            "max_iter": PAIRS_PASSES,
        }
        for seed in SEEDS
        for downsampling, upsampling in PAIRS
    ]
    return pairs + [
        {"data": data, "seed": seed, "method": method}
        for data, shape in IMAGE_SHAPES.items()
        for seed in SEEDS
        for method in METHODS
        # three splits of the small sets
        if seed == 0 or shape != IMAGE_SHAPES["mnist"]
    ]


def ranked_pairs(lines):
    """Figures of each pair, the pair of the least mean error on the validation rows first."""
    groups = {}
    for line in lines:
        if line["data"] == PAIRS_DATA and not line["figures"].get("over_limit"):
            groups.setdefault(line["method"], []).append(line["figures"])
    return sorted(groups.items(), key=lambda group: np.mean([f["squared_error"] for f in group[1]]))


def passes(figures, train):
    """Passes over `train` that take `FULL_FIT_S`, where those are fewer than the default."""
    pairs_values = PAIRS_ROWS * np.prod(IMAGE_SHAPES["mnist"])
    per_value = np.mean([f["fit_s"] / f["n_iter"] for f in figures]) / pairs_values
    affordable = max(1, int(FULL_FIT_S / (per_value * train.size)))
    return {} if affordable >= auto_epochs(len(train)) else {"max_iter": affordable}


def chosen_parameters(cell, train, options):
    """Parameters of a row of the second part, and what is told of the choice."""
    if cell["method"] == "dense":
        return {}, {}
    lines = earlier_lines("conv_vs_dense", options, data=PAIRS_DATA)
    check_finished(lines, len(PAIRS) * len(SEEDS), options)
    ranked = ranked_pairs(lines)
    pair, figures = ranked[min(RANKS[cell["method"]], len(ranked) - 1)]
    downsampling, upsampling = pair.split(", ")
    part = Convolutional(
        IMAGE_SHAPES[cell["data"]], downsampling=downsampling, upsampling=upsampling
    )
    number = passes(figures, train)
    return {"architecture": part, **number}, {"pair": pair, "max_iter": number.get("max_iter")}


def run(cell, options):
    """Fit and reconstruct."""
    figures = {}
    if cell["data"] == PAIRS_DATA:
        X, _ = images("mnist")
        train, judge = X[: options.rows(PAIRS_ROWS)], X[-options.rows(10000) :]
        part = Convolutional(
            IMAGE_SHAPES["mnist"],
            downsampling=cell["downsampling"],
            upsampling=cell["upsampling"],
        )
        parameters = {"architecture": part, "max_iter": cell["max_iter"]}
    else:
        train, judge = split_images(cell["data"], cell["seed"], options.rows(60000))
        if cell["method"] == "PCA":
            return judged(PCA(N_COMPONENTS, random_state=cell["seed"]), train, judge)
        parameters, figures = chosen_parameters(cell, train, options)
    estimator = options.ours(
        Autoencoder, n_components=N_COMPONENTS, random_state=cell["seed"], **parameters
    )
    options.ours(Autoencoder, **parameters | {"max_iter": 1}).fit(train[:50])  # late imports
    figures |= judged(estimator, train, judge)
    network = estimator.network_
    return figures | {
        "n_iter": int(estimator.n_iter_),
        "start_kept": bool(estimator.start_kept_),
        "n_parameters": sum(p.numel() for p in network.parameters()),
    }


def judged(estimator, train, judge):
    """Seconds of the fit and errors on other rows."""
    fit_s, fitted = seconds(estimator.fit, train)
    output = fitted.inverse_transform(fitted.transform(judge))
    return {
        "fit_s": fit_s,
        "squared_error": squared_error(judge, output),
        "explained_variance": explained_variance(judge, output, train.mean(axis=0)),
        "n_rows": len(train),
    }


def tables(lines):
    """The pairs, then each set of images."""
    found = {}
    ranked = ranked_pairs(lines)
    if ranked:
        found[f"Pairs, {PAIRS_DATA}, {PAIRS_PASSES} passes, judged on mnist[50000:60000]"] = [
            {
                "downsampling, upsampling": pair,
                "seeds": len(figures),
                "squared error per image": spread(figures, "squared_error"),
                "explained variance": spread(figures, "explained_variance"),
                "parameters": figures[0]["n_parameters"],
                "fit (s), mean": fit_time({"fit_s": np.mean([f["fit_s"] for f in figures])}),
            }
            for pair, figures in ranked
        ]
    for data in IMAGE_SHAPES:
        rows = [row for method in METHODS if (row := row_of(lines, data, method))]
        if rows:
            found[f"{data}, {N_COMPONENTS} components, test images"] = rows
    return found


def row_of(lines, data, method):
    """Row of a method in the second part."""
    figures = [ln["figures"] for ln in lines if (ln["data"], ln["method"]) == (data, method)]
    if not figures:
        return None
    first = figures[0]
    return {
        "method": method,
        "pair": first.get("pair"),
        "seeds": len(figures),
        "squared error per image": spread(figures, "squared_error"),
        "explained variance": spread(figures, "explained_variance"),
        "start kept": sum(f.get("start_kept", False) for f in figures),
        "parameters": first.get("n_parameters"),
        "max_iter": first.get("max_iter") or (None if method == "PCA" else "auto"),
        "epochs": first.get("n_iter"),
        "fit (s)": fit_time({"fit_s": max(f["fit_s"] for f in figures)}),
    }
