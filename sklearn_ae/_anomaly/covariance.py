"""Moments of rows: centre and scale of features, and the covariance, shrunk."""

import numpy as np
from sklearn.utils.extmath import randomized_svd

from sklearn_ae._compute import slices
from sklearn_ae.utils._parts import check_finite

# Directions whose variances are kept one by one; the others share one.
MOST_DIRECTIONS = 2000
# Least variance of a direction, as a share of the mean variance.
SMALLEST_VARIANCE = 1e-10
# Share of the rows that differ from a value that the others have in common, below which their
# variance is that of few rows.
SPARSE = 0.2
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
        self.sparse = None
        if standardize:
            self.sparse = SparseFeatures(rows)
            rows, everything = self.sparse(rows), self.sparse(everything)
            self.mean, scale = mean_and_scale(rows)
            # constant in these rows only: what leaves the constant is rare, not huge
            constant = np.ptp(rows, axis=0) == 0
            self.scale = np.where(constant, mean_and_scale(everything)[1], scale)
        spread = mean_and_scale(self._centred(rows))[1].max()
        self.farthest = FARTHEST * min(spread, LARGEST / FARTHEST)

    def __call__(self, rows):
        """Scaled rows."""
        rows = rows if self.sparse is None else self.sparse(rows)
        return np.clip(self._centred(rows), -self.farthest, self.farthest)

    def _centred(self, rows):
        with np.errstate(over="ignore"):
            return (rows - self.mean) / self.scale


class SparseFeatures:
    """Square roots of what features with one common value differ from it by.

    Amounts that are mostly zero and counts of rare events have a long tail beside a variance that
    comes from few rows. The root keeps the order and the usual difference, the median of those
    that are none of zero.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows that common values, those of more than four fifths of them, are taken from.
    """

    def __init__(self, rows):
        # a value that most rows have is their median
        common = np.median(rows, axis=0)
        differs = rows != common
        share = differs.mean(axis=0)
        self.places = np.flatnonzero((share > 0) & (share < SPARSE))
        self.common = common[self.places]
        distances = np.abs(self._quarters(rows))
        distances[~differs[:, self.places]] = np.nan
        self.usual = np.nanmedian(distances, axis=0) if len(self.places) else self.common

    def __call__(self, rows):
        """The rows with the roots in place of these features."""
        if not len(self.places):
            return rows
        rows = rows.copy()
        difference = self._quarters(rows)
        root = np.sqrt(np.abs(difference)) * np.sqrt(self.usual)
        rows[:, self.places] = self.common + 4 * np.sign(difference) * root
        return rows

    def _quarters(self, rows):
        """A quarter of the differences from the common values: those of numbers may be none."""
        return rows[:, self.places] / 4 - self.common / 4


def mean_and_scale(rows):
    """Mean and standard deviation of each feature; 1 where it is constant."""
    size = np.abs(rows).max(axis=0)
    if not np.isfinite(size).all():
        check_finite(rows, "Input X contains values that are no numbers.")
    size[size == 0] = 1.0
    # tiny and huge numbers have squares that are none
    unit = rows / size
    spread = unit.std(axis=0)
    # what sums and differences leave of a constant is rounding, as for StandardScaler
    rounding = len(rows) * np.finfo(float).eps * np.abs(unit.mean(axis=0))
    constant = (np.ptp(unit, axis=0) == 0) | (spread * size == 0) | (spread <= rounding)
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
        n_rows, n_columns = rows.shape
        self.center = rows.mean(axis=0)
        centred = rows - self.center
        values, self.directions = _principal_directions(centred, seed)
        variance = float(np.mean(centred**2))
        # squares of tiny or huge variances leave the range of numbers
        self.unit = variance if variance > 0 else 1.0
        self.values = values / self.unit
        self.n_left = n_columns - len(values)
        rest = n_columns * variance / self.unit - self.values.sum()
        self.left = max(rest, 0.0) / self.n_left if self.n_left else 0.0
        mean = (self.values.sum() + self.n_left * self.left) / n_columns
        squares = np.sum(self.values**2) + self.n_left * self.left**2
        lengths = (centred**2).sum(axis=1) / self.unit
        shrinkage = _shrinkage(n_rows, n_columns, mean, squares, np.mean(lengths**2))
        self.variances = self.unit * _shrunk(self.values, shrinkage, mean)
        self.other_variance = float(self.unit * _shrunk(self.left, shrinkage, mean))

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

    def left_out_distances(self, rows):
        """Squared distance of each of the rows learnt from, by what the others alone would give.

        Leaving a row out changes the sample covariance by a product of the row with itself, so
        that one decomposition does for all (Sherman and Morrison). The result has shape
        (n_samples,).
        """
        n_rows, n_columns = rows.shape
        centred = (rows - self.center) / np.sqrt(self.unit)
        lengths = (centred**2).sum(axis=1)
        sums = lengths @ centred, lengths.sum(), (lengths**2).sum()
        return np.concatenate(
            [
                self._left_out(centred[part], lengths[part], sums, n_rows)
                for part in slices(n_rows, n_columns)
            ]
        )

    def _left_out(self, centred, lengths, sums, n_rows):
        """The same for some rows, centred and of one unit; sums are those of all rows."""
        n_columns, n_others = centred.shape[1], n_rows - 1
        along = (centred @ self.directions.T) ** 2
        beside = np.maximum(lengths - along.sum(axis=1), 0.0) if self.n_left else 0.0 * lengths
        quadratic = along @ self.values + beside * self.left  # x' S x
        # S of the others is grown * S - taken * x x', about a mean that lies x / n_others away
        grown, taken = n_rows / n_others, n_rows / n_others**2
        total = self.values.sum() + self.n_left * self.left
        squares = np.sum(self.values**2) + self.n_left * self.left**2
        mean = np.maximum(grown * total - taken * lengths, 0.0) / n_columns
        squares = grown**2 * squares - 2 * grown * taken * quadratic + (taken * lengths) ** 2
        fourth = _fourth_powers(centred, lengths, quadratic, sums, n_rows) / n_others
        shrinkage = _shrinkage(n_others, n_columns, mean, squares, fourth)[:, None]
        mean = mean[:, None]
        left = grown * self.left - taken * beside / max(self.n_left, 1)
        variances = _shrunk(grown * self.values, shrinkage, mean)
        distances = (along / variances).sum(axis=1)
        distances /= np.maximum(1 - (1 - shrinkage[:, 0]) * taken * distances, SMALLEST_VARIANCE)
        other = _shrunk(left, shrinkage[:, 0], mean[:, 0])
        distances += beside / other
        return grown**2 * distances


def _fourth_powers(centred, lengths, quadratic, sums, n_rows):
    """Sum of the fourth powers of the other rows' lengths about their own mean, for each row."""
    weighted, all_lengths, all_fourth = sums
    n_others = n_rows - 1
    # about a point u = x / n_others away: |x_j + u|^2 = l_j + 2 x_j u + |u|^2
    shift = lengths / n_others**2
    products = (centred @ weighted - lengths**2) / n_others
    squares = (n_rows * quadratic - lengths**2) / n_others**2
    sum_of_products = -lengths / n_others
    return (
        (all_fourth - lengths**2)
        + 4 * (products + squares)
        + 2 * shift * (all_lengths - lengths)
        + 4 * shift * sum_of_products
        + n_others * shift**2
    )


def _shrinkage(n_rows, n_columns, mean, squares, fourth):
    """Ledoit and Wolf's delta.

    From mean and sum of squares of the eigenvalues, and the mean fourth power of the lengths of
    rows; numbers, or arrays for as many tables.
    """
    dispersion = squares - n_columns * mean**2
    noise = (fourth - squares) / n_rows
    share = np.divide(noise, dispersion, out=np.zeros_like(noise), where=dispersion > 0)
    return np.clip(share, 0.0, 1.0)


def _shrunk(variances, shrinkage, mean):
    """Variances drawn towards their mean, of which each is a certain share; that of 1 for 0."""
    least = SMALLEST_VARIANCE * np.where(mean > 0, mean, 1.0)
    return np.maximum((1 - shrinkage) * variances + shrinkage * mean, least)


def _principal_directions(centred, seed):
    """Variances in falling order and unit directions, 2000 at most."""
    n_rows, n_columns = centred.shape
    if min(n_rows, n_columns) > MOST_DIRECTIONS:
        _, values, directions = randomized_svd(centred, MOST_DIRECTIONS, random_state=seed % 2**32)
        return values**2 / n_rows, directions
    if n_columns <= n_rows:
        values, vectors = np.linalg.eigh(centred.T @ centred / n_rows)
        return np.maximum(values[::-1], 0.0), vectors.T[::-1]
    # far faster than a singular value decomposition; directions of tiny variance are inexact
    values, of_rows = np.linalg.eigh(centred @ centred.T / n_rows)
    kept = values > SMALLEST_VARIANCE * max(values[-1], 0.0)
    values, of_rows = values[kept][::-1], of_rows[:, kept].T[::-1]
    return values, of_rows @ centred / np.sqrt(values * n_rows)[:, None]
