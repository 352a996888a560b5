"""Convolutional against dense layers at equal code size, 30 components.

First the pairs of `downsampling` and `upsampling`: 15 epochs of the first 15000 training images
of MNIST, judged on the last 10000 training images, one seed. ``max_unpool`` is judged as the
others are, from the code alone, without the positions of pooling.

Then the best two pairs, taken from these results by the least error, beside PCA and dense layers,
judged on test images: MNIST and Fashion-MNIST (60000 training images), Olivetti (300 images of 30
people, judged on 10 other people) and Frey faces (three quarters of the blocks of 25 successive
frames, judged on the others). Convolutions are in bfloat16 throughout, and make 20 epochs on MNIST
and 10 on Fashion-MNIST for the sake of time; dense layers have a row with as many epochs, and on
MNIST one with all defaults. On the faces all make the default number of epochs. Seconds of fits are
those of one thread while the other core was at work too: they can be compared with each other only.
The test images and the faces held out are read once, after that choice.
"""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from benchmarks.cases.embedding_2d import spread
from benchmarks.choices import check_finished, earlier_lines
from benchmarks.data import (
    IMAGE_SHAPES,
    explained_variance,
    images,
    split_images,
    squared_error,
)
from benchmarks.harness import figures_with, fit_time, lines_with, seconds, span
from sklearn_ae import Autoencoder
from sklearn_ae.architectures import Convolutional

LIMIT_S = 3600
N_COMPONENTS = 30
PAIRS_ROWS = 15000
PAIRS_DATA = f"mnist[:{PAIRS_ROWS}]"
PAIRS_EPOCHS = 15
PAIRS = [
    (downsampling, upsampling)
    for downsampling in ("stride", "max_pool", "average_pool")
    for upsampling in ("transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool")
    if upsampling != "max_unpool" or downsampling == "max_pool"
]
RANKS = {"Convolutional, best pair": 0, "Convolutional, second pair": 1}
DENSE = "dense, all defaults"
METHODS = ("PCA", DENSE, "dense", *RANKS)
# Passes of the rows that do not make the default number.
PASSES = {"mnist": 20, "fashion_mnist": 10}


def cells():
    """Cells of the case, the pairs first."""
    pairs = [
        {
            "data": PAIRS_DATA,
            "seed": 0,
            "method": f"{downsampling}, {upsampling}",
            "downsampling": downsampling,
            "upsampling": upsampling,
            "max_iter": PAIRS_EPOCHS,
        }
        for downsampling, upsampling in PAIRS
    ]
    return pairs + [
        {"data": data, "seed": 0, "method": method}
        | ({"max_iter": PASSES[data]} if data in PASSES and method in ("dense", *RANKS) else {})
        for data in IMAGE_SHAPES
        for method in METHODS
        # one dense row on the others: of as many epochs, or of the default number on the faces
        if data == "mnist" or method != (DENSE if data in PASSES else "dense")
    ]


def ranked_pairs(lines):
    """Figures of each pair, the pair of the least mean error on the validation rows first."""
    groups = {}
    for line in lines:
        if line["data"] == PAIRS_DATA and not line["figures"].get("over_limit"):
            groups.setdefault(line["method"], []).append(line["figures"])
    return sorted(groups.items(), key=lambda group: np.mean([f["squared_error"] for f in group[1]]))


def convolutional(image_shape, downsampling, upsampling):
    """Parameters of a convolutional row."""
    part = Convolutional(image_shape, downsampling=downsampling, upsampling=upsampling)
    return {"architecture": part, "precision": "bfloat16"}


def chosen_pair(cell, options):
    """The pair of a row of the second part."""
    lines = earlier_lines("conv_vs_dense", options, data=PAIRS_DATA, max_iter=PAIRS_EPOCHS)
    check_finished(lines, len(PAIRS), options)
    ranked = ranked_pairs(lines)
    pair, _ = ranked[min(RANKS[cell["method"]], len(ranked) - 1)]
    return pair


def run(cell, options):
    """Fit and reconstruct."""
    figures, parameters = {}, {name: cell[name] for name in ("max_iter",) if name in cell}
    if cell["data"] == PAIRS_DATA:
        X, _ = images("mnist")
        train, judge = X[: options.rows(PAIRS_ROWS)], X[-options.rows(10000) :]
        shape, pair = IMAGE_SHAPES["mnist"], (cell["downsampling"], cell["upsampling"])
        parameters |= convolutional(shape, *pair)
    else:
        train, judge = split_images(cell["data"], cell["seed"], options.rows(60000))
        if cell["method"] == "PCA":
            return judged(PCA(N_COMPONENTS, random_state=cell["seed"]), train, judge)
        if cell["method"] in RANKS:
            figures["pair"] = chosen_pair(cell, options)
            parameters |= convolutional(IMAGE_SHAPES[cell["data"]], *figures["pair"].split(", "))
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
        found[f"Pairs, {PAIRS_DATA}, {PAIRS_EPOCHS} epochs, judged on mnist[50000:60000]"] = [
            {
                "downsampling, upsampling": pair,
                "seeds": len(figures),
                "squared error per image": spread(figures, "squared_error"),
                "explained variance": spread(figures, "explained_variance"),
                "parameters": figures[0]["n_parameters"],
                "fit (s), mean": float(np.mean([f["fit_s"] for f in figures])),
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
        "epochs": first.get("n_iter"),
        "fit (s)": fit_time({"fit_s": max(f["fit_s"] for f in figures)}),
    }


def figures(lines):
    """Errors beside dense layers, and what ``upsampling="nearest"`` gains in the pairs."""
    best = "Convolutional, best pair"
    compared = {
        "mnist.convolutional": ("mnist", best),
        "mnist.dense": ("mnist", "dense"),
        "mnist.dense_default": ("mnist", DENSE),
        "freyfaces.convolutional": ("freyfaces", best),
        "freyfaces.dense": ("freyfaces", DENSE),
        "fashion_mnist.convolutional": ("fashion_mnist", best),
        "fashion_mnist.dense": ("fashion_mnist", "dense"),
    }
    found = {
        name: figures_with(lines, data=data, method=method)
        for name, (data, method) in compared.items()
    }
    error = {name: of_name["squared_error"] for name, of_name in found.items()}
    # with as many epochs convolutions are ahead on MNIST, of dense layers with twice the weights
    ours, dense = found["mnist.convolutional"], found["mnist.dense"]
    assert "nearest" in ours["pair"] and round(dense["n_parameters"] / ours["n_parameters"]) == 2
    assert error["mnist.dense_default"] < error["mnist.convolutional"] < error["mnist.dense"]
    assert error["freyfaces.dense"] < error["freyfaces.convolutional"]
    # on Olivetti both keep the PCA start
    for method in (best, DENSE):
        assert figures_with(lines, data="olivetti", method=method)["start_kept"]
    return {
        "epochs": f"{found['mnist.dense_default']['n_iter']}",
        "slower": span(slower_epochs(lines), ".0f"),
        "nearest_gain": nearest_gain(lines_with(lines, data=PAIRS_DATA)),
        **{name: f"{value:.2f}" for name, value in error.items()},
    }


def slower_epochs(lines):
    """Seconds of an epoch of convolutions over those of dense layers, on each data set."""
    ratios = []
    for data in ("mnist", "fashion_mnist", "freyfaces", "olivetti"):
        seconds = {
            line["method"]: line["figures"]["fit_s"] / line["figures"]["n_iter"]
            for line in lines_with(lines, data=data)
            if line["figures"].get("n_iter")
        }
        dense = min(seconds[name] for name in seconds if name.startswith("dense"))
        ratios += [seconds[name] / dense for name in seconds if name.startswith("Conv")]
    return pd.Series(ratios)


def nearest_gain(lines):
    """Percent of error that "nearest" takes off that of "transpose", by kind of downsampling."""
    pairs = pd.DataFrame({**line["settings"], **line["figures"]} for line in lines)
    assert len(pairs) == len(PAIRS)
    errors = pairs.pivot(index="downsampling", columns="upsampling", values="squared_error")
    # the least with each kind of downsampling, and the greatest
    assert (errors.idxmin(axis=1) == "nearest").all() and errors.max().idxmax() == "max_unpool"
    fastest = pairs.loc[pairs["fit_s"].idxmin(), ["downsampling", "upsampling"]]
    assert [*fastest] == ["stride", "transpose"]
    return span(100 * (1 - errors["nearest"] / errors["transpose"]), ".0f")
