"""Time until the test error of the Keras introductions' autoencoder is reached.

Fashion-MNIST, 32 components. Keras: Dense 32 relu, Dense 784 sigmoid, Adam, batches of 256, 100
epochs, with the mean squared error as its loss (and binary cross-entropy in a row of its own,
which optimises something else). Ours: `Autoencoder(32)`, one default fit; an epoch callback takes
the time since `fit` was called, the validation rows and the PCA included and its own evaluation
on the test images taken out. Both were warmed up by a fit of one epoch.
"""

import time

import numpy as np
import torch
from skorch.callbacks import Callback

from benchmarks.data import images, squared_error
from benchmarks.harness import encoder_sizes, figures_with, seconds
from benchmarks.worker import Remote, peer_versions
from sklearn_ae import Autoencoder

LIMIT_S = 1200
EPOCHS = 100
OUR_LAYERS_S = 300
SEEDS = (0, 1, 2)
METHODS = ("ours beside Keras", "Keras, binary cross-entropy", "Keras, our layers")


def cells():
    """Cells of the case; the peers' other rows are made with one seed."""
    return [
        {"data": "fashion_mnist", "seed": seed, "method": method}
        for seed in SEEDS
        for method in METHODS
        if seed == 0 or method == METHODS[0]
    ]


class TestCurve(Callback):
    """Time and test error after each epoch.

    Parameters
    ----------
    X, X_test : ndarray of shape (n, n_features)
        The rows given to `fit`, for their mean and scale, and the rows to judge by.
    """

    def __init__(self, X, X_test):
        self.mean = X.mean(axis=0, dtype="float64")
        self.scale = float(X.var(axis=0, dtype="float64").mean() ** 0.5)
        self.x = torch.from_numpy(((X_test - self.mean) / self.scale).astype("float32"))
        self.curve, self.evaluation_s = [], 0.0

    def __deepcopy__(self, memo):
        return self  # the estimator copies callbacks; the curve is to be read after the fit

    def start(self):
        """Take the moment before `fit`."""
        self.begin = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        """Add a point."""
        now = time.perf_counter()
        training = net.module_.training
        net.module_.eval()
        with torch.no_grad():
            difference = net.infer(self.x).cpu() - self.x
        net.module_.train(training)
        error = float(difference.double().square().mean()) * self.scale**2
        self.curve.append([now - self.begin - self.evaluation_s, error])
        self.evaluation_s += time.perf_counter() - now


def ours(cell, X, X_test, options):
    """Figures of our default fit."""
    options.ours(Autoencoder, n_components=32, max_iter=1).fit(X[:300])
    curve = TestCurve(X, X_test)
    estimator = options.ours(
        Autoencoder, n_components=32, random_state=cell["seed"], skorch_callbacks=[curve]
    )
    curve.start()
    taken, _ = seconds(estimator.fit, X)
    output = estimator.inverse_transform(estimator.transform(X_test))
    return {
        "fit_s": taken - curve.evaluation_s,
        "test_mse": squared_error(X_test, output) / X.shape[1],
        "n_iter": int(estimator.n_iter_),
        "curve": curve.curve,
    }


def run(cell, options):
    """Keras, and where the cell says so ours after it."""
    X, _ = images("fashion_mnist", rows=options.rows(60000))
    X_test, _ = images("fashion_mnist", "test", rows=options.rows(10000))
    keras = Remote("KerasRecipe", torch.get_num_threads(), X=X, X_test=X_test, seed=cell["seed"])
    keras.call("recipe", epochs=1, loss="mean_squared_error")
    figures = {"peers": peer_versions()}
    if cell["method"] == "Keras, our layers":
        start = options.ours(Autoencoder, n_components=32, max_iter=0).fit(X)
        figures["sizes"] = encoder_sizes(start)
        figures |= keras.call(
            "our_layers",
            epochs=options.epochs(EPOCHS),
            sizes=figures["sizes"],
            batch_size=256,
            limit_s=OUR_LAYERS_S,
        )
    else:
        loss = "binary_crossentropy" if "binary" in cell["method"] else "mean_squared_error"
        figures |= keras.call("recipe", epochs=options.epochs(EPOCHS), loss=loss)
        if cell["method"] == METHODS[0]:
            figures["ours"] = ours(cell, X, X_test, options)
    keras.close()
    return figures


def time_to(curve, target):
    """First moment at which the error is at most `target`, or None."""
    return next((moment for moment, error in curve if error <= target), None)


def tables(lines):
    """Times and ratios per seed, and the other rows of Keras."""
    by_method = {method: [ln for ln in lines if ln["method"] == method] for method in METHODS}
    rows, target = [], None
    for line in by_method[METHODS[0]]:
        keras, own = line["figures"], line["figures"]["ours"]
        target = keras["test_mse"]
        reached = time_to(own["curve"], target)
        rows.append(
            {
                "seed": line["seed"],
                "Keras test MSE": target,
                "Keras (s)": keras["fit_s"],
                "ours until that error (s)": reached,
                "ours / Keras": None if reached is None else reached / keras["fit_s"],
                "Keras / ours": None if reached is None else keras["fit_s"] / reached,
                "our default fit (s)": own["fit_s"],
                "its test MSE": own["test_mse"],
                "its epochs": own["n_iter"],
            }
        )
    others = []
    for line in by_method[METHODS[1]]:
        others.append({"row": METHODS[1], "s": line["figures"]["fit_s"]})
        others[-1]["test MSE"] = line["figures"]["test_mse"]
    for line in by_method[METHODS[2]]:
        curve = line["figures"]["curve"]
        sizes = "-".join(map(str, line["figures"]["sizes"]))
        others.append({"row": f"Keras, our layers ({sizes})", "s": curve[-1][0]})
        others[-1]["test MSE"] = curve[-1][1]
        others[-1]["until the recipe's error (s)"] = target and time_to(curve, target)
    found = {"Fashion-MNIST, 32 components": rows, "Other rows of Keras": others}
    return {title: rows for title, rows in found.items() if rows}


def figures(lines):
    """Our time as a share of the recipe's, mean of three fits, and of Keras's with our layers."""
    recipes = [figures_with(lines, method=METHODS[0], seed=seed) for seed in SEEDS]
    times = [time_to(one["ours"]["curve"], one["test_mse"]) for one in recipes]
    shares = [taken / one["fit_s"] for taken, one in zip(times, recipes, strict=True)]
    theirs = figures_with(lines, method="Keras, our layers")
    ratio = time_to(theirs["curve"], recipes[0]["test_mse"]) / times[0]
    return {"README": f"1/{1 / np.mean(shares):.0f} of its time; 1/{ratio:.0f}"}
