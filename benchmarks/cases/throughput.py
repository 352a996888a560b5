"""Seconds per epoch beside a hand-written loop and other packages, same layers and batches.

The first 20000 training images of MNIST, scaled as `Autoencoder` scales them. All contenders
of a cell take turns, another one first in each round: a round is one short fit of each, whose
first epoch is dropped, and ratios are taken within a round, so that a slow minute of the machine
hits all of them. Ours and the hand-written loop take turns alone, in more rounds, because they
differ by less than the machine does from minute to minute. "ours / it" is
`Autoencoder` with ``init="random"`` and ``early_stopping=False``: no linear path and no held-out
rows, as the others have none. Another row has the linear path of ``init="pca"``. Peers with an
environment of their own run in processes that stay alive and idle between their turns.
"""

import time

import numpy as np
import torch

from benchmarks.contenders import CONTENDERS
from benchmarks.data import images
from benchmarks.harness import span
from benchmarks.worker import Remote, peer_versions

LIMIT_S = 900
NETS = ([32], [128, 64, 32, 10], [1000, 500, 250, 30])
BATCH_SIZES = (256, 1024)
REMOTE = ("PyOD", "Keras")
# Rows of ours are named by the settings that are not defaults, but for the shared ones.
OURS = "Autoencoder, init=random, early_stopping=False"
OURS_FROM_PCA = "Autoencoder, init=pca, early_stopping=False"
# name -> (class, precision); the peers in float32 are the yardstick in both tables.
PEERS = {name: (name, "float32") for name in ("PlainSkorch", "SklearnMLP", "PyOD", "Keras")}
LINE_UP = {
    "two in turn, float32": {"hand-written": ("HandWritten", "float32"), OURS: ("Ours", "float32")},
    "two in turn, bfloat16": {
        "hand-written": ("HandWritten", "bfloat16"),
        OURS: ("Ours", "bfloat16"),
    },
    "all in turn, float32": {
        OURS: ("Ours", "float32"),
        OURS_FROM_PCA: ("OursFromPCA", "float32"),
    }
    | PEERS,
    "all in turn, bfloat16": {
        OURS: ("Ours", "bfloat16"),
        OURS_FROM_PCA: ("OursFromPCA", "bfloat16"),
        "Keras bfloat16": ("Keras", "bfloat16"),
    }
    | PEERS,
}
EPOCHS = 3
# Rounds at least, by who takes turns.
MIN_ROUNDS = {"two": 15, "all": 5}
MAX_ROUNDS, ENOUGH_S, STOP_S = 120, 90, 400


def cells():
    """Cells of the case."""
    return [
        {
            "data": "mnist[:20000]",
            "seed": 0,
            "method": method,
            "net": "-".join(map(str, net)),
            "batch_size": batch_size,
        }
        for net in NETS
        for batch_size in BATCH_SIZES
        for method in LINE_UP
    ]


def start(name, **arguments):
    """Contender of that class, in its own process where it needs one, or why there is none."""
    try:
        if name in REMOTE:
            return Remote(name, torch.get_num_threads(), **arguments), None
        return CONTENDERS[name](**arguments), None
    except RuntimeError as error:
        return None, str(error)


def go_on(rounds, taken, fewest, smoke):
    """Whether another round is to be made."""
    if smoke:
        return rounds < 1
    return rounds < 3 or (
        taken < STOP_S and (rounds < fewest or (taken < ENOUGH_S and rounds < MAX_ROUNDS))
    )


def run(cell, options):
    """Time all contenders in turn."""
    X, _ = images("mnist", rows=options.rows(20000))
    X = X - X.mean(axis=0)
    X /= np.sqrt(X.var(axis=0).mean())
    sizes, batch_size = [int(size) for size in cell["net"].split("-")], cell["batch_size"]
    running, missing = {}, {}
    for name, (class_name, precision) in LINE_UP[cell["method"]].items():
        running[name], problem = start(
            class_name,
            X=X,
            sizes=sizes,
            batch_size=batch_size,
            precision=precision,
            # The peers' environment has the CPU builds; a card is for the others.
            device="cpu" if class_name in REMOTE else options.device,
        )
        if problem:
            missing[name] = {"not_available": problem}
            del running[name]
    rounds, begin = [], time.perf_counter()
    fewest = MIN_ROUNDS[cell["method"].partition(" ")[0]]
    while go_on(len(rounds), time.perf_counter() - begin, fewest, options.smoke):
        first = len(rounds) % len(running)
        order = [*running][first:] + [*running][:first]
        rounds.append({name: running[name].epochs(EPOCHS)[1:] for name in order})
    figures = {name: figures_of(name, rounds) for name in running} | missing
    figures["n_parameters"] = {
        name: running[name].n_parameters
        for name in ("hand-written", OURS, OURS_FROM_PCA)
        if name in running
    }
    for one in running.values():
        if isinstance(one, Remote):
            one.close()
    return figures | {"rounds": len(rounds), "peers": peer_versions()}


def figures_of(name, rounds):
    """Seconds per epoch of a contender, and the ratios of `OURS` to it within the rounds."""
    epochs = np.concatenate([one[name] for one in rounds])
    ratios = [np.median(one[OURS]) / np.median(one[name]) for one in rounds]
    return {
        "epoch_s": float(np.median(epochs)),
        "epoch_s_min": float(epochs.min()),
        "ours_over_it": float(np.median(ratios)),
        "ours_over_it_lowest": float(min(ratios)),
        "ours_over_it_highest": float(max(ratios)),
        "ours_over_it_of_minima": float(
            np.concatenate([one[OURS] for one in rounds]).min() / epochs.min()
        ),
        "epochs": len(epochs),
    }


def tables(lines):
    """Per net and batch size, milliseconds per epoch and ratios."""
    found = {}
    for line in lines:
        settings = line["settings"]
        title = f"{settings['net']}, batch {settings['batch_size']}, {line['method']}"
        rows = found[title] = []
        for name in LINE_UP[line["method"]]:
            figures = line["figures"].get(name, {})
            rows.append(
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
            )
    return found


def figures(lines):
    """Ours over the loop, in turn with it alone, over the peers, and from PCA over without."""

    def ratios(turns, names):
        return [
            line["figures"][name]["ours_over_it"]
            for line in lines
            if line["method"].startswith(turns)
            for name in names
        ]

    assert len(lines) == 24
    assert all(
        line["figures"]["rounds"] >= MIN_ROUNDS["two"]
        for line in lines
        if line["method"].startswith("two")
    )
    loop, peers = ratios("two", ["hand-written"]), ratios("all", PEERS)
    linear = [1 / ratio for ratio in ratios("all", [OURS_FROM_PCA])]
    found = {"loop": loop, "peers": peers, "linear_path": linear}
    return {name: span(values, ".2f") for name, values in found.items()}
