"""Fits of other packages that are followed: time and error on other rows as they go.

This file is also imported in the environment of the peers, so it imports a package only where it
is used.
"""

import time
import warnings

import numpy as np

from benchmarks.contenders import keras_model

# Epochs without gain after which Keras stops; that is `MLPRegressor`'s default too.
PATIENCE = 10


class Curve:
    """Moments of a fit and the errors at them; the time of the evaluations is taken out."""

    def start(self):
        """Forget earlier points; the fit begins."""
        self.points, self.evaluation_s = [], 0.0
        self.begin = time.perf_counter()

    def taken(self):
        """Seconds of the fit so far."""
        return time.perf_counter() - self.begin - self.evaluation_s

    def add(self, judge):
        """Add a point; ``judge()`` is the error. Returns its moment."""
        now, moment = time.perf_counter(), self.taken()
        self.points.append([moment, judge()])
        self.evaluation_s += time.perf_counter() - now
        return moment


def mean_square(difference):
    """Mean of the squares of all values."""
    return float(np.mean(np.square(difference), dtype=np.float64))


def time_to(curve, target):
    """First moment at which the error is at most `target`, or None."""
    return next((moment for moment, error in curve if error <= target), None)


def keras_error(model, X):
    """Squared error per value of a Keras autoencoder."""
    return mean_square(X - model.predict(X, batch_size=1000, verbose=0))


def keras_curve(curve, X_test, limit_s):
    """Keras callback that adds a point after each epoch, and ends the fit at a limit."""
    import keras

    class Follow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if curve.add(lambda: keras_error(self.model, X_test)) > limit_s:
                self.model.stop_training = True

    return Follow()


class KerasRecipe:
    """The autoencoder of the Keras introductions: Dense 32 relu, Dense 784 sigmoid, Adam.

    Parameters
    ----------
    X, X_test : ndarray of shape (n, n_features)
        Pixels in [0, 1].
    seed : int
        Seed of Keras's random state.
    """

    def __init__(self, X, X_test, seed):
        import keras

        self.X, self.X_test = X, X_test
        keras.utils.set_random_seed(seed)

    def recipe(self, epochs, loss):
        """Seconds of the fit and the test error."""
        model = keras_model(self.X.shape[1], [32], loss=loss, code="relu", output="sigmoid")
        start = time.perf_counter()
        model.fit(self.X, self.X, batch_size=256, epochs=epochs, shuffle=True, verbose=0)
        taken = time.perf_counter() - start
        return {"fit_s": taken, "test_mse": keras_error(model, self.X_test)}

    def our_layers(self, epochs, sizes, batch_size, limit_s):
        """Seconds and test error after each epoch with our layers, until `limit_s`."""
        model = keras_model(self.X.shape[1], sizes, loss="mean_squared_error")
        curve = Curve()
        follow = keras_curve(curve, self.X_test, limit_s)
        how = {"batch_size": batch_size, "epochs": epochs, "shuffle": True, "verbose": 0}
        curve.start()
        model.fit(self.X, self.X, callbacks=[follow], **how)
        return {"curve": curve.points}


class Fit:
    """A network that is fitted until its own rule ends it.

    Parameters
    ----------
    X, X_test : ndarray of shape (n, n_features)
        Scaled rows to fit and to judge by, float32.
    sizes : list of int
        Widths of the encoder's layers, the code last; the decoder mirrors them.
    batch_size : int
        Rows per step.
    seed : int
        Seed of the weights and of the order of rows, the same in every fit.
    """

    def __init__(self, X, X_test, sizes, batch_size, seed):
        self.X, self.X_test, self.sizes = X, X_test, list(sizes)
        self.batch_size, self.seed = batch_size, seed

    def fit(self, epochs, limit_s):
        """Fit anew.

        Parameters
        ----------
        epochs : int
            Epochs at most.
        limit_s : float
            Seconds after which an epoch is the last one.

        Returns
        -------
        dict
            Seconds, epochs, error at the end and ``curve``, moments and errors on the way.
        """
        raise NotImplementedError


class KerasFit(Fit):
    """Keras with early stopping, which keeps the best weights, on the last tenth of the rows.

    That a new model's step is compiled is part of the time.
    """

    def fit(self, epochs, limit_s):
        import keras

        keras.utils.set_random_seed(self.seed)
        model = keras_model(self.X.shape[1], self.sizes, loss="mean_squared_error")
        curve = Curve()
        stopping = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
        curve.start()
        history = model.fit(
            self.X,
            self.X,
            validation_split=0.1,
            batch_size=self.batch_size,
            epochs=epochs,
            shuffle=True,
            verbose=0,
            callbacks=[stopping, keras_curve(curve, self.X_test, limit_s)],
        )
        return {
            "fit_s": curve.taken(),
            "n_iter": len(history.epoch),
            "error": keras_error(model, self.X_test),
            "curve": curve.points,
        }


class SklearnFit(Fit):
    """`MLPRegressor` fitted to its input.

    Its activation is relu, on the code too. `partial_fit` knows no end, so that a method that one
    `fit` calls after each epoch is the place to look from; Ctrl-C there ends a fit as it does for
    a user.
    """

    early_stopping = False

    def fit(self, epochs, limit_s):
        from sklearn.neural_network import MLPRegressor

        curve, X_test = Curve(), self.X_test

        class Followed(MLPRegressor):
            def _update_no_improvement_count(self, *arguments):
                super()._update_no_improvement_count(*arguments)
                if curve.add(lambda: mean_square(X_test - self.predict(X_test))) > limit_s:
                    raise KeyboardInterrupt

        net = Followed(
            hidden_layer_sizes=(*self.sizes, *self.sizes[-2::-1]),
            batch_size=self.batch_size,
            early_stopping=self.early_stopping,
            max_iter=epochs,
            random_state=self.seed,
        )
        curve.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an end by the limits
            net.fit(self.X, self.X)
        return {
            "fit_s": curve.taken(),
            "n_iter": net.n_iter_,
            "error": mean_square(X_test - net.predict(X_test)),
            "curve": curve.points,
        }


class SklearnStoppedFit(SklearnFit):
    """The same with early stopping, which keeps the best weights on a tenth of the rows."""

    early_stopping = True
