"""Time until the test error of the Keras introductions' autoencoder is reached.

Fashion-MNIST, 32 components. Keras: Dense 32 relu, Dense 784 sigmoid, Adam, batches of 256, 100
epochs, with the mean squared error as its loss (and binary cross-entropy in a row of its own,
which optimises something else). Ours: `Autoencoder(32)`, one default fit, whose error is taken at
the start and every 50 steps, as an epoch is longer than most of the way. Time is that since `fit`
was called, the validation rows and the PCA included and the evaluations on the test images taken
out. Both were warmed up by a fit of one epoch. Another row is Keras with our layers until 300
seconds; the time until the error that it has then is of all seeds of ours.
"""

import numpy as np
import torch
from skorch.callbacks import Callback

from benchmarks.data import images, squared_error
from benchmarks.fits import Curve, time_to
from benchmarks.harness import encoder_sizes, figures_with, readme_row
from benchmarks.worker import Remote, peer_versions
from sklearn_ae import Autoencoder

LIMIT_S = 1200
EPOCHS = 100
OUR_LAYERS_S = 300
STEPS_BETWEEN = 50
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


class TestCurve(Curve, Callback):
    """Time and test error at the start and every 50 steps of a fit of ours.

    The error is that of the weights that are judged, and kept: the averaged ones, which move every
    4 steps, so that those of step 50 are the averages after step 48. A callback with hooks at every
    batch would let the net read the loss at every step, and so be slower than a fit without one:
    here `after_step` of this one net, which its fast epochs call, is followed by the evaluation.
    What is looked at is not changed, so that the fit is the same as without.

    Parameters
    ----------
    X, X_test : ndarray of shape (n, n_features)
        The rows given to `fit`, for their mean and scale, and the rows to judge by.
    """

    def __init__(self, X, X_test):
        self.mean = X.mean(axis=0, dtype="float64")
        self.scale = float(X.var(axis=0, dtype="float64").mean() ** 0.5)
        self.x = torch.from_numpy(((X_test - self.mean) / self.scale).astype("float32"))

    def __deepcopy__(self, memo):
        return self  # the estimator copies callbacks; the curve is to be read after the fit

    def on_train_begin(self, net, **kwargs):
        """Add the point of the start, and follow the steps."""
        self.measure(net)
        after_step = net.after_step

        def followed():
            after_step()
            if (net.steps[0] - net.first_step) % STEPS_BETWEEN == 0:
                self.measure(net)

        net.after_step = followed

    def on_train_end(self, net, **kwargs):
        """Leave the net as it was."""
        del net.after_step

    def measure(self, net):
        """Add a point."""
        if net.noise.device.type == "cuda":  # what was asked for before is no part of it
            torch.cuda.synchronize(net.noise.device)
        self.add(lambda: self.error(net))

    @torch.no_grad()
    def error(self, net):
        """Squared error per value, in the units of the data."""
        task = net.judged
        training = task.training
        task.eval()
        difference = net.infer(self.x).cpu() - self.x
        task.train(training)
        return float(difference.double().square().mean()) * self.scale**2


def ours(cell, X, X_test, options):
    """Figures of our default fit."""
    options.ours(Autoencoder, n_components=32, max_iter=1).fit(X[:300])
    curve = TestCurve(X, X_test)
    estimator = options.ours(
        Autoencoder, n_components=32, random_state=cell["seed"], skorch_callbacks=[curve]
    )
    curve.start()
    estimator.fit(X)
    fit_s = curve.taken()
    output = estimator.inverse_transform(estimator.transform(X_test))
    return {
        "fit_s": fit_s,
        "test_mse": squared_error(X_test, output) / X.shape[1],
        "n_iter": int(estimator.n_iter_),
        "curve": curve.points,
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


def tables(lines):
    """Times and ratios per seed, and the other rows of Keras."""
    by_method = {method: [ln for ln in lines if ln["method"] == method] for method in METHODS}
    rows, target, end = [], None, None
    for line in by_method[METHODS[2]]:
        end = line["figures"]["curve"][-1]
    for line in by_method[METHODS[0]]:
        keras, own = line["figures"], line["figures"]["ours"]
        target = keras["test_mse"]
        reached = time_to(own["curve"], target)
        reached_end = end and time_to(own["curve"], end[1])
        rows.append(
            {
                "seed": line["seed"],
                "Keras test MSE": target,
                "Keras (s)": keras["fit_s"],
                "ours until that error (s)": reached,
                "ours / Keras": None if reached is None else reached / keras["fit_s"],
                "Keras / ours": None if reached is None else keras["fit_s"] / reached,
                "ours until that of Keras with our layers (s)": reached_end,
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
    """Seconds of ours and of the recipe, means of three fits, and our time as a share of theirs.

    That of Keras with our layers until the recipe's error, and, the mean of three again, until its
    own at its end.
    """
    recipes = [figures_with(lines, method=METHODS[0], seed=seed) for seed in SEEDS]
    times = [time_to(one["ours"]["curve"], one["test_mse"]) for one in recipes]
    shares = [taken / one["fit_s"] for taken, one in zip(times, recipes, strict=True)]
    theirs = figures_with(lines, method="Keras, our layers")
    ratio = time_to(theirs["curve"], recipes[0]["test_mse"]) / times[0]
    end_s, end = theirs["curve"][-1]
    share = np.mean([time_to(one["ours"]["curve"], end) for one in recipes]) / end_s
    keras_s = np.mean([one["fit_s"] for one in recipes])
    return {
        "recipe": f"1/{1 / np.mean(shares):.0f}",
        "our_layers": f"1/{ratio:.0f}",
        "our_layers_end": f"1/{1 / share:.0f}",
        "README": [readme_row(".1f", np.mean(times), peers={"Keras": keras_s}, best=min)],
    }
