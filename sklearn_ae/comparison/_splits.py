"""Splits of the rows of a comparison, on disk for the processes of the reducers."""

import math

import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_ae.comparison._measure import MAX_SHOWN_ROWS
from sklearn_ae.comparison._rows import MAX_POINTS, as_images


class Splits:
    """The rows, labels and splits, written once for the processes of the reducers.

    Parameters
    ----------
    folder : Path
        Where they are written.
    preparation : TablePreparation or ArrayPreparation
        Makes numbers of the rows, as learnt from training rows.
    target : ndarray of shape (n_samples,) or None
        Numbers of the classes, or numbers.
    are_labels : bool
        Whether the target is classes.
    test_size : float
        Share of the test rows.
    seeds : list of int
        One for each split.
    image_shape : tuple of int or None
        Shape of a row that is an image.
    """

    def __init__(self, folder, preparation, target, are_labels, test_size, seeds, image_shape=None):
        self.notes, self.folder, fixed = [], folder, None
        n_samples = len(preparation.frame if hasattr(preparation, "frame") else preparation.X)
        labels = target if are_labels else None
        stratify = self._stratification(labels, n_samples, test_size)
        for repeat, seed in enumerate(seeds):
            train, test = train_test_split(
                np.arange(n_samples), test_size=test_size, random_state=seed, stratify=stratify
            )
            if len(train) < 5 or len(test) < 3:
                raise ValueError(
                    f"test_size={test_size} leaves {len(train)} training rows and {len(test)} "
                    "test rows: at least 5 and 3 are needed"
                )
            X, names = preparation.transform(train)
            if repeat == 0:
                self.first, self.n_features, self.names = (train, test), X.shape[1], names
                self.X_test, self.units = X[test[:MAX_SHOWN_ROWS]], preparation.units()
                self.images = self.limits = None
                if image_shape is not None and math.prod(image_shape) == X.shape[1]:
                    self.images, self.limits = as_images(X[test[:MAX_POINTS]], image_shape)
            if X is not fixed:
                np.save(folder / f"X_{repeat}.npy", X)
            elif repeat == 1:
                (folder / "X_0.npy").rename(folder / "X.npy")
            fixed = X
            np.savez(folder / f"split_{repeat}.npz", train=train, test=test)
        if target is not None:
            np.save(folder / "y.npy", target)

    def _stratification(self, labels, n_samples, test_size):
        if labels is None:
            return None
        counts = np.unique(labels, return_counts=True)[1]
        n_test = int(np.ceil(test_size * n_samples))
        if counts.min() >= 2 and len(counts) <= min(n_test, n_samples - n_test):
            return labels
        self.notes.append("splits are not stratified: a class has too few rows")
        return None

    def example(self):
        """Test rows of the first split and the names of their features."""
        return self.X_test, self.names
