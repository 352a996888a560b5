"""Moments of rows: centre and scale of features, and the covariance, shrunk."""

import numpy as np
from sklearn.utils.extmath import randomized_svd

from sklearn_ae.utils._parts import check_finite

# Directions whose variances are kept one by one; the others share one.
MOST_DIRECTIONS = 2000
# Least variance of a direction, as a share of the mean variance.
SMALLEST_VARIANCE = 1e-10
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


class ShrunkCovariance:
    r"""Centre of rows, and Ledoit and Wolf's shrunk covariance about it.

    .. math:: \Sigma = (1 - \delta) S + \delta \bar\lambda I

    with :math:`\bar\lambda` the mean eigenvalue of the covariance :math:`S` and :math:`\delta` by
    [1]_. Of more than 2000 columns, the directions after the first share their mean variance.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows.
    seed : int
        Of the randomised decomposition that very wide tables take.

    References
    ----------
    .. [1] O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", Journal of Multivariate Analysis 88, 2004,
       :doi:`10.1016/S0047-259X(03)00096-4`.
    """

    def __init__(self, rows, seed):
        n_columns = rows.shape[1]
        self.center = rows.mean(axis=0)
        centred = rows - self.center
        values, self.directions = _principal_directions(centred, seed)
        total = float(np.mean(centred**2)) * n_columns
        mean = total / n_columns if total > 0 else 1.0
        n_left = n_columns - len(values)
        left = max(total - values.sum(), 0.0) / n_left if n_left else 0.0
        shrinkage = _shrinkage(centred, values, left) if total > 0 else 0.0
        least = SMALLEST_VARIANCE * mean

        def shrunk(variances):
            return np.maximum((1 - shrinkage) * variances + shrinkage * mean, least)

        self.variances, self.other_variance = shrunk(values), float(shrunk(left))

    def scaled(self, vectors, power):
        """Vectors times a power of the covariance, of shape (n, n_columns)."""
        along = vectors @ self.directions.T
        other = self.other_variance**power
        return other * vectors + (along * (self.variances**power - other)) @ self.directions

    def squared_distances(self, rows):
        """Squared Mahalanobis distance of rows from the centre.

        The result has shape (n_samples,).
        """
        centred = rows - self.center
        along = centred @ self.directions.T
        # what lies along no direction kept; none does where all are kept
        beside = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        if len(self.variances) == rows.shape[1]:
            beside = 0.0
        return (along**2 / self.variances).sum(axis=1) + beside / self.other_variance


def shrunk_covariances(tables, seed):
    """The `ShrunkCovariance` of each table."""
    return [ShrunkCovariance(rows, seed) for rows in tables]


def _shrinkage(centred, values, left):
    """Ledoit and Wolf's delta from the eigenvalues; the last ones share the value ``left``."""
    n_rows, n_columns = centred.shape
    n_left = n_columns - len(values)
    mean = (values.sum() + n_left * left) / n_columns
    # scaled to a mean of one: squares of tiny or huge variances leave the range of numbers
    squares = np.sum((values / mean) ** 2) + n_left * (left / mean) ** 2
    dispersion = squares - n_columns
    lengths = (centred**2).sum(axis=1) / mean
    noise = (np.mean(lengths**2) - squares) / n_rows
    return float(np.clip(noise / dispersion, 0.0, 1.0)) if dispersion > 0 else 0.0


def _principal_directions(centred, seed):
    """Variances in falling order and unit directions, 2000 at most."""
    n_rows, n_columns = centred.shape
    if n_columns <= MOST_DIRECTIONS:
        values, vectors = np.linalg.eigh(centred.T @ centred / n_rows)
        return np.maximum(values[::-1], 0.0), vectors.T[::-1]
    if n_rows <= MOST_DIRECTIONS:
        # far faster than a singular value decomposition; directions of tiny variance are inexact
        values, of_rows = np.linalg.eigh(centred @ centred.T / n_rows)
        kept = values > SMALLEST_VARIANCE * max(values[-1], 0.0)
        values, of_rows = values[kept][::-1], of_rows[:, kept].T[::-1]
        return values, of_rows @ centred / np.sqrt(values * n_rows)[:, None]
    _, values, directions = randomized_svd(centred, MOST_DIRECTIONS, random_state=seed % 2**32)
    return values**2 / n_rows, directions
