"""Units of rows and of codes: to the network's and back."""

from dataclasses import dataclass

import numpy as np

from sklearn_ae.utils._parts import check_finite
from sklearn_ae.utils._sparse import is_sparse, stored_numbers

# Numbers of a chunk of a table, in float64.
CHUNK_NUMBERS = 2**21
# The range of a feature ends where at least this share and this number of rows lie.
LIMIT_SHARE = 0.01
FEWEST_ON_LIMIT = 10
# Codes whose variance is below this share of the largest are not divided by it in whitening.
SMALLEST_SHARE = 1e-10


@dataclass
class Scaling:
    """Centre, scale and limits of a table.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Column means, float64.
    scale : float
        Root of the mean feature variance; 1 for a constant table.
    total_weight : float
        Number of rows that the table stands for: the sum of the weights, and no fewer than
        there are, so that weights below one are taken as relative.
    limits : ndarray of shape (2, n_features) or None
        See `table_limits`; None also where a network has no use for them.
    applied : bool
        Whether rows are centred and scaled before the network sees them. Without, only the
        encoder's input is, and outputs are in the units of the data or behind a link.
    """

    mean: np.ndarray
    scale: float
    total_weight: float
    limits: np.ndarray | None = None
    applied: bool = True

    def __post_init__(self):
        # one unit of the network in units of the data
        self.unit = self.scale if self.applied else 1.0

    def to_network(self, X, dtype):
        """Rows as the network takes them: a new array."""
        table = np.empty(X.shape, dtype=dtype)
        if self.applied:
            scale_rows(X, self, table)
        else:
            table[:] = X
        if not np.isfinite(table).all():
            check_finite(
                X,
                "Input X contains values that are too large once centred and scaled for "
                f"{np.dtype(dtype)}.",
            )
        return table

    def to_data(self, output):
        """Outputs of the network in the units of the data, computed in float64."""
        return output.astype(np.float64) * self.scale + self.mean if self.applied else output

    def smoothed_mean(self):
        """Column means of data with a lower end at zero, kept off it by half a row of each kind."""
        return (self.mean * self.total_weight + 0.5) / (self.total_weight + 1.0)


@dataclass
class CodeUnits:
    """An affine map of codes.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
        Subtracted from the network's code.
    scale, unscale : ndarray of shape (n_components,) or (n_components, n_components)
        What is multiplied with behind it, and its inverse: one number each, or a matrix.
    """

    mean: np.ndarray
    scale: np.ndarray
    unscale: np.ndarray

    @classmethod
    def diagonal(cls, scale):
        """Each component times a number."""
        return cls(np.zeros(len(scale)), scale, 1.0 / scale)

    @classmethod
    def principal(cls, directions, n_components, scale, whiten):
        """PCA's: standard deviations along the directions, or 1 with ``whiten``."""
        units, variances = directions.units, directions.variances
        largest = units.max(initial=0.0)
        units = np.where(units > 0, units, 1.0)  # of a constant table
        if whiten:  # a direction without variance stays next to nothing
            deviations = np.sqrt(variances)
            units = np.divide(units, deviations, out=np.ones_like(units), where=deviations > 0)
            return cls.diagonal(np.concatenate([units, np.ones(n_components - len(units))]))
        rest = units[units > 1e-5 * largest].min(initial=largest) if largest > 0 else 1.0
        rest = np.full(n_components - len(units), rest)
        return cls.diagonal(np.concatenate([units, rest]) * scale)

    @classmethod
    def whitening(cls, fitted, rows, device):
        """Uncorrelated codes of unit variance on the training rows of a fitted network."""

        def moments(task, x, share):
            code, _ = task.network.encode(x)
            return share @ code, (share[:, None] * code).T @ code

        mean, second = (sums.cpu().double().numpy() for sums in fitted.sums(rows, moments, device))
        n_rows = fitted.scaling.total_weight
        covariance = second - np.outer(mean, mean)
        values, vectors = np.linalg.eigh(covariance * n_rows / max(n_rows - 1, 1))
        tiny = SMALLEST_SHARE * max(values.max(), 0.0)
        roots = np.sqrt(np.where(values > tiny, values, 1.0))
        return cls(mean, (vectors / roots) @ vectors.T, (vectors * roots) @ vectors.T)

    def to_user(self, code):
        """Codes as `transform` gives them."""
        code = code - self.mean
        return code * self.scale if self.scale.ndim == 1 else code @ self.scale

    def from_user(self, code):
        """Codes as the network takes them."""
        code = code * self.unscale if self.unscale.ndim == 1 else code @ self.unscale
        return code + self.mean


def row_chunks(n_rows, n_features):
    """Slices of the rows of a table, in order, of which each fits into little memory."""
    step = max(1, CHUNK_NUMBERS // max(n_features, 1))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]


def table_scaling(X, weight=None, *, has_limits=False, applied=True):
    """The `Scaling` of a table; ``weight`` is positive, of shape (n_rows,), or None."""
    n_rows, n_features = X.shape
    total = float(n_rows) if weight is None else float(weight.sum())
    moments = _sparse_moments if is_sparse(X) else _moments
    with np.errstate(over="ignore", invalid="ignore"):
        mean, squares = moments(X, weight, total)
        variance = float(squares.mean() / total)
    if not np.isfinite(variance):
        check_finite(
            stored_numbers(X),
            "Input X contains values too large for their variance to be computed in float64; "
            "rescale the features.",
        )
    # a variance at the level of rounding is none
    tiny = n_features * np.finfo(np.float64).eps ** 2 * float(np.square(mean).mean())
    scale = np.sqrt(variance) if variance > tiny else 1.0
    limits = table_limits(X, weight) if has_limits else None
    return Scaling(mean, scale, max(total, float(n_rows)), limits, applied)


def _moments(X, weight, total):
    """Means of columns, and sums of squares about them."""
    chunks = row_chunks(*X.shape)

    def weighted_sum(values, rows):
        # sums of a weighted and of a repeated row agree to rounding
        return values.sum(axis=0) if weight is None else weight[rows] @ values

    # about the first row, so that a large offset costs no digits
    origin = X[0].astype(np.float64)
    mean = origin + (
        sum(weighted_sum(X[rows].astype(np.float64) - origin, rows) for rows in chunks) / total
    )
    squares = sum(weighted_sum((X[rows].astype(np.float64) - mean) ** 2, rows) for rows in chunks)
    return mean, squares


def _sparse_moments(X, weight, total):
    """The same for a `SparseTable`: what is not stored lies as far from the mean as zero does."""
    cells, columns = X.csr.data.astype(np.float64), X.csr.indices
    shares = np.ones(len(cells)) if weight is None else X.per_cell(weight)
    rest = np.maximum(total - X.column_sums(shares), 0.0)
    mean = X.column_sums(shares * cells) / total
    # once more about the first result, so that a large offset costs no digits
    mean += (X.column_sums(shares * (cells - mean[columns])) - rest * mean) / total
    squares = X.column_sums(shares * (cells - mean[columns]) ** 2)
    return mean, squares + rest * mean**2


def table_limits(X, weight=None):
    """Values on which the range of a feature ends: enough rows lie on its least or largest.

    A pixel, an indicator or a count has many rows on the end of its range; the least of
    continuous values is met once, and a later row may lie beyond it. The result has shape
    (2, n_features), the lower and upper limits, infinite where a feature has none; None where no
    feature has any.
    """
    met = _sparse_ends if is_sparse(X) else _ends
    extremes, n_met, share = met(X, weight)
    share = share / (len(X) if weight is None else weight.sum())
    # rows are counted whatever their weight: one heavy row is no end of a range
    ends = (n_met >= FEWEST_ON_LIMIT) & (share >= LIMIT_SHARE * (1 - 1e-9))
    limits = np.where(ends, extremes.astype(np.float64), [[-np.inf], [np.inf]])
    return limits if ends.any() else None


def _ends(X, weight):
    """Least and greatest of each column, how many rows lie on them, and their weight."""
    chunks = row_chunks(*X.shape)
    # one chunk at a time: a wide table has chunks of one row
    least, greatest = X[0], X[0]
    for rows in chunks:
        least = np.minimum(least, X[rows].min(axis=0))
        greatest = np.maximum(greatest, X[rows].max(axis=0))
    n_met, share = np.zeros((2, X.shape[1])), np.zeros((2, X.shape[1]))
    for rows in chunks:
        for end, extreme in enumerate((least, greatest)):
            met = X[rows] == extreme
            n_met[end] += met.sum(axis=0)
            share[end] += met.sum(axis=0) if weight is None else weight[rows] @ met
    return np.asarray([least, greatest]), n_met, share


def _sparse_ends(X, weight):
    """The same for a `SparseTable`."""
    extremes = np.concatenate([X.csr.min(axis=0).toarray(), X.csr.max(axis=0).toarray()])
    weight = np.ones(len(X)) if weight is None else weight
    shares, cells = X.per_cell(weight), X.csr.data
    n_met, share = np.zeros(extremes.shape), np.zeros(extremes.shape)
    for end, extreme in enumerate(extremes):
        met = (cells == extreme[X.csr.indices]).astype(np.float64)
        is_zero = extreme == 0  # of cells that are not stored too
        n_met[end] = X.column_sums(met) + is_zero * (len(X) - X.column_sums(np.ones(len(cells))))
        share[end] = X.column_sums(shares * met)
        share[end] += is_zero * np.maximum(weight.sum() - X.column_sums(shares), 0.0)
    return extremes, n_met, share


def scale_rows(X, scaling, out):
    """Write ``(X - mean) / scale`` into ``out`` and return it; by chunks, computed in float64."""
    for rows in row_chunks(*X.shape):
        centred = X[rows].astype(np.float64) - scaling.mean
        out[rows] = centred / scaling.scale
    return out
