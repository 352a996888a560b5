"""Negative log-likelihood of the MNIST test images, in nats, 784-200-200-50 tanh.

Burda et al. (2016, arXiv:1509.00519), table 1, one stochastic layer, images binarised anew at each
visit: 86.76 (one sample in training) and 85.54 (five). Test images are binarised once with seed 0
(static training images with seed 1); importance-weighted bound with 5000 samples, three seeds of
its noise. A training cell keeps its estimator in the cache folder, under a name that holds the
device, the version and the commit, and the evaluation cells with the same ones read it (or train,
where there is none). The rows "defaults" set the components and the likelihood only. A Bernoulli
likelihood has no PCA start, so all rows start from drawn weights, as with ``init="random"``.
"""

import os
import re

import joblib
import numpy as np

from benchmarks.data import images
from benchmarks.harness import commit, seconds
from sklearn_ae import VariationalAutoencoder, __version__
from sklearn_ae.likelihoods import Bernoulli

LIMIT_S = 6 * 3600
N_SAMPLES = 5000
NOISE_SEEDS = (0, 1, 2)
# Part of the cells, so another choice is another cell.
TRAINING = {"max_iter": 300, "learning_rate_init": 1e-3, "early_stopping": False}
NETWORK = {"hidden_layer_sizes": (200, 200), "activation": "tanh", "init": "random"}
METHODS = {
    "one sample": {**NETWORK, "n_importance_samples": 1},
    "five samples": {**NETWORK, "n_importance_samples": 5},
    "defaults": {},
    "defaults, static": {},
}


def cells():
    """Cells of the case: training, then evaluation."""
    found = []
    for method, parameters in METHODS.items():
        training = TRAINING if parameters else {}
        for step in ("train", *NOISE_SEEDS):
            found.append({"data": "mnist", "seed": 0, "method": method, "step": step, **training})
    return found


def binarise(X, seed):
    """Black and white images, drawn once with the grey values as probabilities."""
    return (np.random.default_rng(seed).random(X.shape, dtype=np.float32) < X).astype(np.float32)


def train(cell, options):
    """Fitted estimator and the seconds of its fit."""
    X, _ = images("mnist", rows=options.rows(60000))
    parameters = {name: cell[name] for name in TRAINING if name in cell} | METHODS[cell["method"]]
    static = "static" in cell["method"]
    estimator = options.ours(
        VariationalAutoencoder,
        n_components=50,
        likelihood=Bernoulli(binarize=None if static else "dynamic"),
        random_state=cell["seed"],
        **parameters,
    )
    fit_s, fitted = seconds(estimator.fit, binarise(X, seed=1) if static else X)
    return fit_s, fitted


def trained(cell, options):
    """As `train`, kept in the cache folder."""
    parts = [value for name, value in cell.items() if name not in ("step", "data")]
    name = "_".join(map(str, [*parts, options.device, __version__, commit()]))
    name = re.sub(r"[^\w.-]", "-", name)
    path = options.cache / "mnist_nll" / f"{name}.joblib"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        # written aside, so that a run that is stopped leaves no half of a file
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        joblib.dump(train(cell, options), unfinished)
        os.replace(unfinished, path)
    return joblib.load(path)


def run(cell, options):
    """Train, or evaluate with one seed of the noise."""
    fit_s, fitted = trained(cell, options)
    figures = {"fit_s": fit_s, "n_iter": int(fitted.n_iter_)}
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
