"""Seconds until the best peer network's final explained variance, by number of rows and columns.

Contenders: `Autoencoder` with all defaults; Keras and `MLPRegressor`, fitted to their input, with
the same layers and batches, Adam at its default rate and 200 epochs at most. Keras has early
stopping with a patience of 10 epochs on a tenth of the rows. `MLPRegressor` ends by its training
loss, which is its default, and in another row by early stopping with the same patience: its score
is a mean over columns of R2, which columns of little variance can dominate. It has relu throughout,
on the code too. All get rows centred and divided by one scale, float32. A peer's epoch that ends
after 300 seconds is its last one; ours is bounded by its own rule.

The goal is what the best of the peers explains of 5000 rows held out, whatever the number of rows
fitted, with the weights that it keeps. The time until then is the first moment at which a network
does, on the way or at its end; one that in the end keeps weights that explain less by more than
.005 has not reached it. Peers are looked at after each epoch, ours at the start and every 50 steps,
and the time of looking is taken out. Each was warmed up by a short fit before; what Keras compiles
anew for each model is part of its time.

The networks take turns, another one first in each round, in three rounds of the same fits, or
fewer where a round is long; ratios are taken within a round. PCA, `KernelPCA` with an rbf kernel
(to 5000 rows) and UMAP stand beside them for information. UMAP has 2 components everywhere, as its
inverse triangulates the codes, which more dimensions forbid, and is judged on 500 rows.

Rows are drawn without replacement, those of a smaller number among those of a larger. Data: the
donors table of ADBench, 10 columns in [0, 1] as they are; it repeats rows, so that some are in both
parts. The training images of MNIST and Fashion-MNIST together, as one set has 60000, of 784 pixels,
and as 8 x 8 block means of their 32 x 32 with a black margin, as scikit-learn's digits are; images
are judged on test images. With 2, 32 and 8 components, of which 32 is the code of the Keras
introductions, PCA explains .5 to .8 of the variance, so that there is something to gain.
"""

import time

import numpy as np
import torch
from sklearn.decomposition import PCA, KernelPCA

from benchmarks.cases.seed_recipe import TestCurve
from benchmarks.data import IMAGES, explained_variance, images
from benchmarks.fits import SklearnFit, SklearnStoppedFit, mean_square, time_to
from benchmarks.harness import FIT_LIMIT_S, encoder_sizes, lines_with, seconds, show
from benchmarks.worker import Remote, peer_versions
from sklearn_ae import Autoencoder
from sklearn_ae._fitting.plan import auto_batch_size
from sklearn_ae.datasets import fetch_adbench

LIMIT_S = 3600
N_ROWS = (200, 1000, 5000, 20_000, 100_000)
# name -> number of components
DATA = {"donors": 2, "images 8x8": 8, "images 28x28": 32}
TURNS, UMAP = "in turn", "UMAP"
SEEDS, FEW_ROWS = (0, 1, 2), 1000
OURS, KERAS = "Autoencoder", "Keras"
SKLEARN = {"MLPRegressor": SklearnFit, "MLPRegressor, early stopping": SklearnStoppedFit}
NETWORKS = (OURS, KERAS, *SKLEARN)
OTHERS = ("PCA", "KernelPCA", UMAP)
EPOCHS = 200
JUDGED_ROWS, INVERTED_ROWS, KERNEL_ROWS = 5000, 500, 5000
ROUNDS, ENOUGH_S = 3, 60
# A network that ends further below the goal has not kept it.
TOLERANCE = 0.005
# Points of a curve that are kept in a line.
MOST_POINTS = 200


def cells():
    """Cells of the case: three seeds of the networks where there are few rows."""
    return [
        {"data": data, "seed": seed, "method": method, "n_rows": n_rows}
        for data in DATA
        for n_rows in N_ROWS
        for seed in SEEDS
        for method in (TURNS, UMAP)
        if seed == 0 or (method == TURNS and n_rows <= FEW_ROWS)
    ]


def both_sets(subset, form):
    """Images of both sets, as pixels or as block means."""
    X = np.concatenate([images(name, subset)[0] for name in IMAGES])
    if form == "28x28":
        return X
    padded = np.pad(X.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    return padded.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64)


def rows(name, n_rows, seed):
    """Rows to fit and to judge by, scaled by the former as `Autoencoder` scales them."""
    rng = np.random.default_rng(seed)
    if name == "donors":
        X = fetch_adbench(name).data
        order = rng.permutation(len(X))
        test, train = X[order[:JUDGED_ROWS]], X[order[JUDGED_ROWS:][:n_rows]]
    else:
        train, test = (both_sets(subset, name.split()[1]) for subset in ("train", "test"))
        test = test[rng.permutation(len(test))[:JUDGED_ROWS]]
        train = train[rng.permutation(len(train))[:n_rows]]
    mean = train.mean(axis=0, dtype=np.float64)
    scale = np.sqrt(train.var(axis=0, dtype=np.float64).mean())
    return tuple(((part - mean) / scale).astype(np.float32) for part in (train, test))


class OurFit:
    """`Autoencoder`, all defaults, behind the same ``fit`` as the peers."""

    def __init__(self, X, X_test, n_components, seed, options):
        self.X, self.X_test, self.options = X, X_test, options
        self.parameters = {"n_components": n_components, "random_state": seed}

    def fit(self, epochs, limit_s):
        """Fit anew; its own rule ends it."""
        curve = TestCurve(self.X, self.X_test)
        estimator = self.options.ours(Autoencoder, skorch_callbacks=[curve], **self.parameters)
        curve.start()
        estimator.fit(self.X)
        fit_s = curve.taken()
        output = estimator.inverse_transform(estimator.transform(self.X_test))
        return {
            "fit_s": fit_s,
            "n_iter": int(estimator.n_iter_),
            "start_kept": bool(estimator.start_kept_),
            "error": mean_square(self.X_test - output),
            "curve": curve.points,
        }


def networks(X, X_test, cell, options):
    """The networks by name, what they have in common, and why one is missing."""
    n_components, seed = DATA[cell["data"]], cell["seed"]
    # layers follow from the columns; what is loaded late is loaded now
    small = options.ours(Autoencoder, n_components=n_components, max_iter=1).fit(X[:300])
    n_trained = len(X) - max(5, len(X) // 10)
    common = {"sizes": encoder_sizes(small), "batch_size": auto_batch_size(n_trained)}
    of_all = {"X": X, "X_test": X_test, "seed": seed}
    found = {OURS: OurFit(**of_all, n_components=n_components, options=options)}
    found |= {name: make(**of_all, **common) for name, make in SKLEARN.items()}
    try:
        keras = Remote("KerasFit", torch.get_num_threads(), **of_all, **common)
    except RuntimeError as error:
        return found, common, {KERAS: {"not_available": str(error)}}
    found[KERAS] = Follower(keras)
    return found, common, {}


class Follower:
    """A network of the peers' environment."""

    def __init__(self, remote):
        self.remote = remote

    def fit(self, epochs, limit_s):
        """Fit anew there."""
        return self.remote.call("fit", epochs=epochs, limit_s=limit_s)


def run(cell, options):
    """The networks in turn, PCA and `KernelPCA`, or UMAP."""
    n_rows = options.rows(cell["n_rows"])
    X, X_test = rows(cell["data"], n_rows, cell["seed"])
    X_test = X_test[: options.rows(len(X_test))]
    if cell["method"] == UMAP:
        return {UMAP: of_umap(X, X_test[:INVERTED_ROWS], cell["seed"])}
    figures, about = in_turn(X, X_test, cell, options)
    reducers = {"PCA": PCA(DATA[cell["data"]], random_state=cell["seed"])}
    if n_rows <= KERNEL_ROWS:
        reducers["KernelPCA"] = KernelPCA(
            DATA[cell["data"]],
            kernel="rbf",
            fit_inverse_transform=True,
            random_state=cell["seed"],
        )
    return figures | {name: of_reducer(one, X, X_test) for name, one in reducers.items()} | about


def of_reducer(reducer, X, X_test):
    """Seconds of a fit and explained variance of a reducer."""
    fit_s, _ = seconds(reducer.fit, X)
    output = reducer.inverse_transform(reducer.transform(X_test))
    return {"fit_s": fit_s, "explained_variance": explained_variance(X_test, output, 0.0)}


def of_umap(X, X_test, seed):
    """The same of UMAP, with one thread as the seed asks for, and the seconds of its inverse."""
    from umap import UMAP

    seeded = {"n_jobs": 1, "random_state": seed}
    # from 4096 rows on it takes another path, compiled apart
    warm = UMAP(force_approximation_algorithm=len(X) >= 4096, **seeded).fit(X[:100])
    warm.inverse_transform(warm.transform(X_test[:10]))
    fit_s, fitted = seconds(UMAP(**seeded).fit, X)
    transform_s, codes = seconds(fitted.transform, X_test)
    inverse_s, output = seconds(fitted.inverse_transform, codes)
    return {
        "fit_s": fit_s,
        "transform_s": transform_s,
        "inverse_s": inverse_s,
        "judged_rows": len(X_test),
        "explained_variance": explained_variance(X_test, output, 0.0),
    }


def in_turn(X, X_test, cell, options):
    """Figures of the networks, and what holds for all of them."""
    running, common, missing = networks(X, X_test, cell, options)
    for name in running.keys() - {OURS}:
        running[name].fit(epochs=1, limit_s=FIT_LIMIT_S)
    rounds, begin = [], time.perf_counter()
    while go_on(len(rounds), time.perf_counter() - begin, options.smoke):
        first = len(rounds) % len(running)
        order = [*running][first:] + [*running][:first]
        how = {"epochs": options.epochs(EPOCHS), "limit_s": FIT_LIMIT_S}
        rounds.append({name: running[name].fit(**how) for name in order})
    if KERAS in running:
        running[KERAS].remote.close()
    shares = [in_shares(one, mean_square(X_test)) for one in rounds]
    figures = {name: of_network(name, shares) for name in running} | missing
    return figures, {
        "goal": shares[0]["goal"],
        "rounds": len(rounds),
        "peers": peer_versions(),
        **common,
    }


def go_on(rounds, taken, smoke):
    """Whether another round is to be made."""
    return rounds < 1 or (rounds < ROUNDS and taken < ENOUGH_S and not smoke)


def in_shares(found, total):
    """A round in shares of the variance, with the goal and the seconds until it."""
    goal = min(one["error"] for name, one in found.items() if name != OURS)
    shares = {}
    for name, one in found.items():
        passed_s = time_to([*one["curve"], [one["fit_s"], one["error"]]], goal)
        keeps = one["error"] <= goal + TOLERANCE * total
        shares[name] = one | {
            "passed_s": passed_s,
            "until_s": passed_s if keeps else None,
            "explained_variance": 1 - one["error"] / total,
            "curve": [[moment, 1 - error / total] for moment, error in one["curve"]],
        }
    return {"goal": 1 - goal / total, "networks": shares}


def of_network(name, rounds):
    """Figures of a network: medians of the times, the rest of the first round."""
    found = [one["networks"] for one in rounds]
    first = {key: value for key, value in found[0][name].items() if key != "error"}
    # within a round: ours over it where it gets there too
    ratios = [over(one[OURS]["until_s"], one[name]["until_s"]) for one in found]
    first |= {
        "fit_s": float(np.median([one[name]["fit_s"] for one in found])),
        "passed_s": median([one[name]["passed_s"] for one in found]),
        "until_s": median([one[name]["until_s"] for one in found]),
        "ours_over_it": median(ratios),
        "ours_over_it_in_rounds": ratios,
    }
    step = max(1, -(-len(first["curve"]) // MOST_POINTS))
    first["curve"] = [[round(t, 4), round(share, 5)] for t, share in first["curve"][::step]]
    return first


def over(ours, its):
    """Ratio of two times; None where one is not reached."""
    return None if ours is None or its is None else ours / its


def median(values):
    """Median, or None where a value is missing."""
    return None if None in values else float(np.median(values))


def tables(lines):
    """Seconds until the goal, and what all contenders end with."""
    until, ends = [], {}
    for line in lines:
        figures, n_rows = line["figures"], line["settings"]["n_rows"]
        place = {"data": line["data"], "rows": n_rows, "seed": line["seed"]}
        end = ends.setdefault(tuple(place.values()), dict(place))
        for name in (*NETWORKS, *OTHERS):
            if "explained_variance" in figures.get(name, {}):
                end[name] = figures[name]["explained_variance"]
                end[f"{name} (s)"] = figures[name]["fit_s"]
        if line["method"] == TURNS:
            until.append(place | of_goal(figures))
    found = {
        "Seconds until the final explained variance of the best peer": until,
        "Explained variance of rows held out, and seconds of the fit": list(ends.values()),
    }
    return {title: rows for title, rows in found.items() if rows}


def of_goal(figures):
    """Row of the goal: who sets it, and when each network gets there."""
    times = {name: figures[name].get("until_s") for name in NETWORKS}
    peers = {name: taken for name, taken in times.items() if name != OURS and taken is not None}
    fastest = min(peers, key=peers.get, default=OURS)
    reached = {name: taken for name, taken in times.items() if taken is not None}
    return {
        "goal": figures["goal"],
        **{f"{name} (s)": when(figures[name]) for name in NETWORKS},
        "first": min(reached, key=reached.get, default="none"),
        "ours / fastest peer (median of rounds)": figures[fastest]["ours_over_it"],
        "rounds": figures["rounds"],
        "note": figures[KERAS].get("not_available"),
    }


def when(figures):
    """Seconds until the goal, or that it is not reached, or not kept."""
    if figures.get("until_s") is not None:
        return figures["until_s"]
    passed_s = figures.get("passed_s")
    return "never" if passed_s is None else f"not kept, passed at {show(passed_s)}"


def figures(lines):
    """How often ours is the first at the goal, of the runs that there are."""
    first = [of_goal(line["figures"])["first"] for line in lines_with(lines, method=TURNS)]
    return {"first": f"{first.count(OURS)} of {len(first)}"}
