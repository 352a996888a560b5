"""Seconds per epoch of convolutions beside a hand-written loop and Keras, same layers and batches.

The first 10000 training images of MNIST, scaled as `Autoencoder` scales them. Levels of 3 x 3
convolutions with stride 2 and GELU, 32 components, no dense layers but the two at the code;
transposed convolutions back. Contenders take turns as in `throughput`: a round is one short fit of
each, whose first epoch is dropped, and ratios are taken within a round. The hand-written loop
runs with both orders of memory, as which one is faster depends on the machine.
"ours / it" is `Autoencoder` with ``init="random"`` and ``early_stopping=False``.
"""

import time

import numpy as np
import torch

from benchmarks.cases.throughput import EPOCHS, OURS, OURS_FROM_PCA, figures_of, go_on
from benchmarks.contenders import CONTENDERS
from benchmarks.data import images
from benchmarks.harness import figures_with
from benchmarks.worker import Remote, peer_versions

LIMIT_S = 900
N_ROWS = 10000
NETS = ((32, 64),)
N_COMPONENTS = 32
BATCH_SIZES = (256,)
REMOTE = ("KerasConvolutional",)
PRECISIONS = ("float32", "bfloat16")
# name of the line-up -> name of the row -> class
LINE_UP = {
    "loops in turn": {
        "hand-written": "HandWrittenConvolutional",
        "hand-written, channels last": "HandWrittenChannelsLast",
        OURS: "OursConvolutional",
    },
    "Keras in turn": {
        OURS: "OursConvolutional",
        OURS_FROM_PCA: "OursConvolutionalFromPCA",
        "Keras": "KerasConvolutional",
    },
}
MIN_ROUNDS = {"loops in turn": 10, "Keras in turn": 5}


def cells():
    """Cells of the case."""
    return [
        {
            "data": f"mnist[:{N_ROWS}]",
            "seed": 0,
            "method": method,
            "channels": "-".join(map(str, channels)),
            "batch_size": batch_size,
            "precision": precision,
        }
        for channels in NETS
        for batch_size in BATCH_SIZES
        for precision in PRECISIONS
        for method in LINE_UP
    ]


def start(class_name, **arguments):
    """Contender of that class, in its own process where it needs one, or why there is none."""
    try:
        if class_name in REMOTE:
            # The peers' environment has the CPU builds; a card is for the others.
            arguments["device"] = "cpu"
            return Remote(class_name, torch.get_num_threads(), **arguments), None
        return CONTENDERS[class_name](**arguments), None
    except RuntimeError as error:
        return None, str(error)


def run(cell, options):
    """Time all contenders in turn."""
    X, _ = images("mnist", rows=options.rows(N_ROWS))
    X = X - X.mean(axis=0)
    X /= np.sqrt(X.var(axis=0).mean())
    channels = [int(number) for number in cell["channels"].split("-")]
    running, missing = {}, {}
    for name, class_name in LINE_UP[cell["method"]].items():
        one, problem = start(
            class_name,
            X=X,
            sizes=[*channels, N_COMPONENTS],
            batch_size=cell["batch_size"],
            precision=cell["precision"],
            device=options.device,
        )
        if problem:
            missing[name] = {"not_available": problem}
        else:
            running[name] = one
    rounds, begin = [], time.perf_counter()
    fewest = MIN_ROUNDS[cell["method"]]
    while go_on(len(rounds), time.perf_counter() - begin, fewest, options.smoke):
        first = len(rounds) % len(running)
        order = [*running][first:] + [*running][:first]
        rounds.append({name: running[name].epochs(EPOCHS)[1:] for name in order})
    figures = {name: figures_of(name, rounds) for name in running} | missing
    figures["n_parameters"] = {
        name: one.n_parameters for name, one in running.items() if not isinstance(one, Remote)
    }
    for one in running.values():
        if isinstance(one, Remote):
            one.close()
    return figures | {"rounds": len(rounds), "peers": peer_versions()}


def tables(lines):
    """Per net, batch size and precision: milliseconds per epoch and ratios."""
    found = {}
    for line in lines:
        settings = line["settings"]
        title = (
            f"Convolutional(channels=({settings['channels'].replace('-', ', ')})), "
            f"batch {settings['batch_size']}, {settings['precision']}, {line['method']}"
        )
        found[title] = [
            {
                "contender": name,
                "ms per epoch (median)": 1e3 * figures.get("epoch_s", np.nan),
                "fastest": 1e3 * figures.get("epoch_s_min", np.nan),
                "ours / it (median of rounds)": figures.get("ours_over_it"),
                "lowest": figures.get("ours_over_it_lowest"),
                "highest": figures.get("ours_over_it_highest"),
                "of fastest epochs": figures.get("ours_over_it_of_minima"),
                "note": figures.get("not_available"),
            }
            for name in LINE_UP[line["method"]]
            for figures in [line["figures"].get(name, {})]
        ]
    return found


def figures(lines):
    """Ours over the hand-written loop at either precision, and over Keras in float32."""
    single, half = (
        figures_with(lines, method="loops in turn", precision=precision)["hand-written"]
        for precision in PRECISIONS
    )
    keras, keras_half = (
        figures_with(lines, method="Keras in turn", precision=precision)["Keras"]
        for precision in PRECISIONS
    )
    # its faster precision
    assert keras["epoch_s"] < keras_half["epoch_s"]
    found = {"loop_float32": single, "loop_bfloat16": half, "keras": keras}
    return {name: f"{one['ours_over_it']:.2f}" for name, one in found.items()}
