"""Negative log-likelihood of the MNIST test images, in nats, 784-200-200-50 tanh.

Burda et al. (2016, arXiv:1509.00519), table 1, one stochastic layer, images binarised anew at each
visit: 86.76 (one sample in training) and 85.54 (five). Test images are binarised once with seed 0
(static training images with seed 1); importance-weighted bound with 5000 samples, three seeds of
its noise. Training takes hours: it is made in stages (``warm_start``), most at a constant learning
rate, the last with the default schedule, and each stage leaves its estimator in the cache folder,
so that a run that was stopped goes on from the last one. A training cell writes the last stage,
the evaluation cells read it (or train, where there is none). The rows "defaults" set the
components and the likelihood only. A Bernoulli likelihood has no PCA start, so all rows start from
drawn weights, as with ``init="random"``.
"""

import os
import re

import joblib
import numpy as np

from benchmarks.data import images
from benchmarks.harness import seconds
from sklearn_ae import VariationalAutoencoder, __version__
from sklearn_ae.likelihoods import Bernoulli

LIMIT_S = 12 * 3600
N_SAMPLES = 5000
NOISE_SEEDS = (0, 1, 2)
STAGE_EPOCHS = 50
# Part of the cells, so another choice is another cell.
NETWORK = {
    "hidden_layer_sizes": (200, 200),
    "activation": "tanh",
    "init": "random",
    "early_stopping": False,
    "warm_start": True,
    "precision": "bfloat16",
    "batch_size": 512,
    "weight_decay": 0.0,
}
TRAINING = {
    "one sample": {"learning_rate_init": 1e-3, "constant_epochs": 2000, "falling_epochs": 500},
    "five samples": {"learning_rate_init": 1e-3, "constant_epochs": 1000, "falling_epochs": 250},
}
METHODS = {
    "one sample": {**NETWORK, "n_importance_samples": 1},
    "five samples": {**NETWORK, "n_importance_samples": 5},
    "defaults": {},
    "defaults, static": {},
}


def cells():
    """Cells of the case: training, then evaluation; defaults with one seed of the noise."""
    return [
        {"data": "mnist", "seed": 0, "method": method, "step": step, **TRAINING.get(method, {})}
        for method in METHODS
        for step in ("train", *(NOISE_SEEDS if method in TRAINING else NOISE_SEEDS[:1]))
    ]


def binarise(X, seed):
    """Black and white images, drawn once with the grey values as probabilities."""
    return (np.random.default_rng(seed).random(X.shape, dtype=np.float32) < X).astype(np.float32)


def stages(cell):
    """Epochs so far and parameters of each stage of a training, in order; one for defaults."""
    if cell["method"] not in TRAINING:
        return [("all", {})]
    constant, falling = cell["constant_epochs"], cell["falling_epochs"]
    found = [
        (epochs, {"max_iter": STAGE_EPOCHS, "learning_rate": "constant", "random_state": epochs})
        for epochs in range(STAGE_EPOCHS, constant + 1, STAGE_EPOCHS)
    ]
    last = {"max_iter": falling, "learning_rate": "one_cycle", "random_state": constant + falling}
    return [*found, (f"{constant}+{falling}", last)]


def stage_file(cell, epochs, options):
    """Where the estimator is kept after a stage."""
    parts = [cell["method"], cell["seed"], cell.get("learning_rate_init", ""), epochs]
    name = "_".join(map(str, [*parts, options.device, __version__]))
    return options.cache / "mnist_nll" / (re.sub(r"[^\w.+-]", "-", name) + ".joblib")


def trained(cell, options):
    """Seconds of all fits, and the estimator after the last stage; a finished stage is read."""
    todo = stages(cell)
    done = [i for i, (epochs, _) in enumerate(todo) if stage_file(cell, epochs, options).is_file()]
    if done:
        fit_s, estimator = joblib.load(stage_file(cell, todo[done[-1]][0], options))
        todo = todo[done[-1] + 1 :]
    else:
        static = "static" in cell["method"]
        rate = {name: cell[name] for name in ("learning_rate_init",) if name in cell}
        fit_s = 0.0
        estimator = options.ours(
            VariationalAutoencoder,
            n_components=50,
            likelihood=Bernoulli(binarize=None if static else "dynamic"),
            random_state=cell["seed"],
            **METHODS[cell["method"]] | rate,
        )
    X, _ = images("mnist", rows=options.rows(60000))
    if "static" in cell["method"]:
        X = binarise(X, seed=1)
    for epochs, parameters in todo[-2:] if options.smoke else todo:
        if options.smoke and "max_iter" in parameters:
            parameters["max_iter"] = 1
        stage_s, _ = seconds(estimator.set_params(**parameters).fit, X)
        fit_s += stage_s
        path = stage_file(cell, epochs, options)
        path.parent.mkdir(parents=True, exist_ok=True)
        # written aside, so that a run that is stopped leaves no half of a file
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        joblib.dump((fit_s, estimator), unfinished)
        os.replace(unfinished, path)
    return fit_s, estimator


def run(cell, options):
    """Train, or evaluate with one seed of the noise."""
    fit_s, fitted = trained(cell, options)
    epochs = cell["constant_epochs"] + cell["falling_epochs"] if cell["method"] in TRAINING else 0
    figures = {"fit_s": fit_s, "n_iter": epochs or int(fitted.n_iter_)}
    if cell["step"] == "train":
        return figures | {"active_units": int(np.sum(fitted.active_units_))}
    X_test = binarise(images("mnist", "test", rows=options.rows(10000))[0], seed=0)
    n_samples = 20 if options.smoke else N_SAMPLES
    evaluation_s, scores = seconds(
        fitted.score_samples, X_test, n_samples=n_samples, random_state=cell["step"]
    )
    return figures | {"nats": -float(np.mean(scores)), "evaluation_s": evaluation_s}


def tables(lines):
    """Nats per method: mean and spread over the noise seeds."""
    rows = []
    for method in METHODS:
        group = [line for line in lines if line["method"] == method]
        nats = [line["figures"]["nats"] for line in group if "nats" in line["figures"]]
        if group:
            figures = group[0]["figures"]
            rows.append(
                {
                    "row": method,
                    "nats": f"{np.mean(nats):.2f}" if nats else None,
                    "lowest": f"{min(nats):.3f}" if nats else None,
                    "highest": f"{max(nats):.3f}" if nats else None,
                    "noise seeds": len(nats),
                    "active units": figures.get("active_units"),
                    "epochs": figures.get("n_iter"),
                    "fit (min)": figures.get("fit_s", np.nan) / 60,
                }
            )
    return {f"MNIST, minus log-likelihood, {N_SAMPLES} samples": rows}
