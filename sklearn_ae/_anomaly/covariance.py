"""Moments of rows: centre and scale of features, and the covariance, shrunk."""

import copy

import numpy as np
from sklearn.utils.extmath import randomized_svd

from sklearn_ae._anomaly.weights import mean_of, median, of_part, repeats
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
    weight, all_weight : ndarray of shape (n_rows,) or None
        Weights of ``rows`` and of ``everything``.
    """

    def __init__(self, rows, standardize, everything, weight=None, all_weight=None):
        n_features = rows.shape[1]
        self.mean, self.scale = np.zeros(n_features), np.ones(n_features)
        self.sparse = None
        if standardize:
            self.sparse = SparseFeatures(rows, weight)
            is_all = everything is rows
            rows = self.sparse(rows)
        mean, spread = mean_and_spread(rows, weight)
        if standardize:
            self.mean, rare = mean, spread
            if not (is_all or spread.all()):
                # constant in these rows only: what leaves the constant is rare, not huge
                of_all = mean_and_spread(self.sparse(everything), all_weight)[1]
                rare = np.where(spread > 0, spread, of_all)
            self.scale = np.where(rare > 0, rare, 1.0)
        largest = (spread / self.scale).max()
        self.farthest = FARTHEST * min(largest or 1.0, LARGEST / FARTHEST)

    def __call__(self, rows):
        """Scaled rows."""
        rows = rows if self.sparse is None else self.sparse(rows)
        scaled = centred_and_scaled(rows, self.mean, self.scale)
        return np.clip(scaled, -self.farthest, self.farthest, out=scaled)

    def repeated(self, columns):
        """The same for a table whose `DistinctColumns` these rows were the first of."""
        other = copy.copy(self)
        other.mean, other.scale = columns.repeated(np.array([self.mean, self.scale]))
        if self.sparse is not None:
            other.sparse = self.sparse.repeated(columns)
        return other


class SparseFeatures:
    """Square roots of what features with one common value differ from it by.

    Amounts that are mostly zero and counts of rare events have a long tail beside a variance that
    comes from few rows. The root keeps the order and the usual difference, the median of those
    that are none of zero.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows that common values, those of more than four fifths of them, are taken from.
    weight : ndarray of shape (n_rows,) or None
        Their weights.
    """

    def __init__(self, rows, weight=None):
        # a value that most rows have is their median
        common = median(rows, weight)
        differs = rows != common
        share = mean_of(differs, weight)
        self.places = np.flatnonzero((share > 0) & (share < SPARSE))
        self.common = common[self.places]
        distances = np.abs(self._quarters(rows))
        self.usual = np.array(
            [
                median(of_feature[which], of_part(weight, which))
                for of_feature, which in zip(distances.T, differs.T[self.places], strict=True)
            ]
        )

    def __call__(self, rows):
        """The rows with the roots in place of these features."""
        if not len(self.places):
            return rows
        rows = rows.copy()
        difference = self._quarters(rows)
        root = np.sqrt(np.abs(difference))
        root *= 4 * np.sqrt(self.usual)
        rows[:, self.places] = np.copysign(root, difference, out=root) + self.common
        return rows

    def repeated(self, columns):
        """The same for a table whose `DistinctColumns` these rows were the first of."""
        other, which = copy.copy(self), np.full((1, columns.n_distinct), -1)
        which[0, self.places] = np.arange(len(self.places))
        which = columns.repeated(which)[0]
        other.places = np.flatnonzero(which >= 0)
        other.common, other.usual = (of[which[other.places]] for of in (self.common, self.usual))
        return other

    def _quarters(self, rows):
        """A quarter of the differences from the common values: those of numbers may be none."""
        quarters = rows[:, self.places] / 4
        quarters -= self.common / 4
        return quarters


def mean_and_spread(rows, weight=None):
    """Mean and standard deviation of each feature, zero where it is constant up to rounding."""
    size = np.maximum(rows.max(axis=0), -rows.min(axis=0))
    if not np.isfinite(size).all():
        check_finite(rows, "Input X contains values that are no numbers.")
    size[size == 0] = 1.0
    # tiny and huge numbers have squares that are none
    unit = rows / size
    mean = mean_of(unit, weight)
    is_one = (unit == unit[0]).all(axis=0)
    unit -= mean
    spread = np.sqrt(mean_of(np.square(unit, out=unit), weight))
    # what sums and differences leave of a constant is rounding, as for StandardScaler
    rounding = len(rows) * np.finfo(float).eps * np.abs(mean)
    constant = is_one | (spread * size == 0) | (spread <= rounding)
    return np.where(constant, rows[0], mean * size), np.where(constant, 0.0, spread * size)


def standardise(rows, weight=None):
    """Rows less their mean, over their standard deviation where there is any."""
    mean, spread = mean_and_spread(rows, weight)
    return centred_and_scaled(rows, mean, np.where(spread > 0, spread, 1.0))


def centred_and_scaled(rows, mean, scale):
    """Rows less a mean, over a scale; differences are no larger than numbers can be."""
    largest = np.finfo(float).max
    with np.errstate(over="ignore"):
        centred = rows - mean
        np.clip(centred, -largest, largest, out=centred)
        centred /= scale
    return centred


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
    weight : ndarray of shape (n_samples,) or None
        Positive weights; the table stands for as many rows as they add up to.
    n_columns : int or None
        Columns of the table that the rows are coordinates in, where these are more; the others
        have no variance.

    References
    ----------
    .. [1] O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", Journal of Multivariate Analysis 88, 2004,
       :doi:`10.1016/S0047-259X(03)00096-4`.
    """

    def __init__(self, rows, seed, weight=None, n_columns=None):
        self.n_columns = n_columns = n_columns or rows.shape[1]
        weight = np.ones(len(rows)) if weight is None else repeats(weight)
        total = weight.sum()
        self.center = np.average(rows, axis=0, weights=weight)
        centred = rows - self.center
        lengths = (centred**2).sum(axis=1)
        variance = float(weight @ lengths) / (total * n_columns)
        # squares of tiny or huge variances leave the range of numbers
        self.unit = variance if variance > 0 else 1.0
        values, self.directions = _principal_directions(centred, weight / total, seed)
        self.values = values / self.unit
        self.n_left = n_columns - len(values)
        rest = n_columns * variance / self.unit - self.values.sum()
        self.left = max(rest, 0.0) / self.n_left if self.n_left else 0.0
        mean = (self.values.sum() + self.n_left * self.left) / n_columns
        squares = np.sum(self.values**2) + self.n_left * self.left**2
        fourth = weight @ (lengths / self.unit) ** 2 / total
        shrinkage = _shrinkage(total, n_columns, mean, squares, fourth)
        self.variances = self.unit * _shrunk(self.values, shrinkage, mean)
        self.other_variance = float(self.unit * _shrunk(self.left, shrinkage, mean))

    def widened(self, columns):
        """The same over the columns of a table that is learnt from as `DistinctColumns`."""
        other = copy.copy(self)
        other.center = columns.widened(self.center[None])[0]
        other.directions = columns.widened(self.directions)
        return other

    def scaled(self, vectors, power):
        """Vectors times a power of the covariance, of shape (n, n_columns)."""
        along = vectors @ self.directions.T
        other = self.other_variance**power
        return other * vectors + (along * (self.variances**power - other)) @ self.directions

    def inverse_diagonal(self):
        """Diagonal of the inverse, of shape (n_columns of the rows,)."""
        gains = 1.0 / self.variances - 1.0 / self.other_variance
        return np.maximum(1.0 / self.other_variance + gains @ self.directions**2, 0.0)

    def squared_distances(self, rows):
        """Squared Mahalanobis distance of rows from the centre.

        The result has shape (n_samples,).
        """
        centred = rows - self.center
        along = (centred @ self.directions.T) ** 2
        beside = self._beside(centred, along)
        return along @ (1.0 / self.variances) + beside / self.other_variance

    def _beside(self, centred, along):
        """Squared length of rows along no direction that was kept, by squares along these."""
        if len(self.directions) == centred.shape[1]:
            return np.zeros(len(centred))
        return np.maximum((centred**2).sum(axis=1) - along.sum(axis=1), 0.0)

    def left_out_distances(self, rows, weight=None):
        """Squared distance of each of the rows learnt from, by what the others alone would give.

        Leaving a row out, as often as its weight says, changes the sample covariance by a product
        of the row with itself, so that one decomposition does for all (Sherman and Morrison). The
        result has shape (n_samples,).
        """
        weight = np.ones(len(rows)) if weight is None else repeats(weight)
        centred = (rows - self.center) / np.sqrt(self.unit)
        lengths = (centred**2).sum(axis=1)
        sums = weight.sum(), (weight * lengths) @ centred, weight @ lengths, weight @ lengths**2
        return np.concatenate(
            [
                self._left_out(centred[part], lengths[part], weight[part], sums)
                for part in slices(len(rows), rows.shape[1])
            ]
        )

    def _left_out(self, centred, lengths, weight, sums):
        """The same for some rows, centred and of one unit; sums are those of all rows."""
        n_columns = self.n_columns
        # one row may have next to all the weight
        others = np.maximum(sums[0] - weight, SMALLEST_VARIANCE * sums[0])
        along = (centred @ self.directions.T) ** 2
        beside = self._beside(centred, along)
        quadratic = along @ self.values + beside * self.left  # x' S x
        # S of the others is grown * S - taken * x x', about a mean that lies w x / others away
        grown, taken = sums[0] / others, sums[0] * weight / others**2
        total = self.values.sum() + self.n_left * self.left
        squares = np.sum(self.values**2) + self.n_left * self.left**2
        mean = np.maximum(grown * total - taken * lengths, 0.0) / n_columns
        squares = grown**2 * squares - 2 * grown * taken * quadratic + (taken * lengths) ** 2
        fourth = _fourth_powers(centred, lengths, weight, quadratic, others, sums) / others
        shrinkage = _shrinkage(others, n_columns, mean, squares, fourth)
        left = grown * self.left - taken * beside / max(self.n_left, 1)
        variances = _shrunk(grown[:, None] * self.values, shrinkage[:, None], mean[:, None])
        distances = (along / variances).sum(axis=1)
        distances /= np.maximum(1 - (1 - shrinkage) * taken * distances, SMALLEST_VARIANCE)
        distances += beside / _shrunk(left, shrinkage, mean)
        return grown**2 * distances


def _fourth_powers(centred, lengths, weight, quadratic, others, sums):
    """Sum of the fourth powers of the other rows' lengths about their own mean, for each row."""
    total, weighted, all_lengths, all_fourth = sums
    # about a point u = part * x away: |x_j + u|^2 = l_j + 2 x_j u + |u|^2
    part = weight / others
    shift = part**2 * lengths
    products = part * (centred @ weighted - weight * lengths**2)
    squares = part**2 * (total * quadratic - weight * lengths**2)
    sum_of_products = -part * weight * lengths
    return (
        (all_fourth - weight * lengths**2)
        + 4 * (products + squares)
        + 2 * shift * (all_lengths - weight * lengths)
        + 4 * shift * sum_of_products
        + others * shift**2
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


def _principal_directions(centred, shares, seed):
    """Variances in falling order and unit directions, 2000 at most; shares of rows add up to 1."""
    rows = centred * np.sqrt(shares)[:, None]
    if min(rows.shape) > MOST_DIRECTIONS:
        _, values, directions = randomized_svd(rows, MOST_DIRECTIONS, random_state=seed % 2**32)
        return values**2, directions
    if rows.shape[1] <= len(rows):
        values, vectors = np.linalg.eigh(rows.T @ rows)
        return np.maximum(values[::-1], 0.0), vectors.T[::-1]
    # far faster than a singular value decomposition; directions of tiny variance are inexact
    values, of_rows = np.linalg.eigh(rows @ rows.T)
    kept = values > SMALLEST_VARIANCE * max(values[-1], 0.0)
    values, of_rows = values[kept][::-1], of_rows[:, kept].T[::-1]
    return values, of_rows @ rows / np.sqrt(values)[:, None]
