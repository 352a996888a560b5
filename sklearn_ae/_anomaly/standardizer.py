"""Centre and scale of features whose squares stay numbers."""

import numpy as np

from sklearn_ae.utils._parts import check_finite

# Values are clipped this many standard deviations out, so that their squares stay finite, and at
# this size at most.
FARTHEST, LARGEST = 1e100, 1e150


class Standardizer:
    """Rows as the autoencoder gets them: standardised or not, and clipped far out.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows that centre and scale are taken from.
    standardize : bool
        Whether features are centred and divided by their standard deviation.
    everything : ndarray of shape (n_rows, n_features)
        More rows, which give the scale of features that are constant in ``rows``.
    """

    def __init__(self, rows, standardize, everything):
        n_features = rows.shape[1]
        self.mean, self.scale = np.zeros(n_features), np.ones(n_features)
        if standardize:
            self.mean, scale = mean_and_scale(rows)
            # constant in these rows only: what leaves the constant is rare, not huge
            constant = np.ptp(rows, axis=0) == 0
            self.scale = np.where(constant, mean_and_scale(everything)[1], scale)
        spread = mean_and_scale(self._centred(rows))[1].max()
        self.farthest = FARTHEST * min(spread, LARGEST / FARTHEST)

    def __call__(self, rows):
        """Scaled rows."""
        return np.clip(self._centred(rows), -self.farthest, self.farthest)

    def _centred(self, rows):
        with np.errstate(over="ignore"):
            return (rows - self.mean) / self.scale


def mean_and_scale(rows):
    """Mean and standard deviation of each feature; 1 where it is constant."""
    size = np.abs(rows).max(axis=0)
    if not np.isfinite(size).all():
        check_finite(rows, "Input X contains values that are no numbers.")
    size[size == 0] = 1.0
    # tiny and huge numbers have squares that are none
    unit = rows / size
    constant = (np.ptp(unit, axis=0) == 0) | (unit.std(axis=0) * size == 0)
    mean = np.where(constant, rows[0], unit.mean(axis=0) * size)
    return mean, np.where(constant, 1.0, unit.std(axis=0) * size)


def standardise(rows):
    """Rows less their mean, over their standard deviation."""
    mean, scale = mean_and_scale(rows)
    return (rows - mean) / scale
