"""Centre, scale, limits and principal directions of a table, in float64, with weights."""

import functools
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy import linalg
from sklearn.utils.extmath import randomized_svd, svd_flip

# Directions with less than this share of the largest variance count as none.
SMALLEST_SHARE = 1e-10
# Numbers of a table up to which one singular value decomposition is cheap: it loses least.
SMALL_TABLE = 2**18
# Least dimension beyond which few components are found by random projection.
LARGE_DIMENSION = 3000
CHUNK_NUMBERS = 2**21
# The range of a feature ends where at least this share and this number of rows lie.
LIMIT_SHARE = 0.01
FEWEST_ON_LIMIT = 10


@dataclass
class Moments:
    """Centre, scale and limits of a table.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Column means, float64.
    scale : float
        Root of the mean feature variance; 1 for a constant table.
    n_rows : float
        Number of rows that the table stands for: the sum of the weights, and no fewer than
        there are, so that weights below one are taken as relative.
    limits : ndarray of shape (2, n_features) or None
        See `table_limits`; None also where a network has no use for them.
    """

    mean: np.ndarray
    scale: float
    n_rows: float
    limits: np.ndarray | None = None

    def scaled_limits(self):
        """The two rows of ``limits`` for centred and scaled data."""
        return (self.limits - self.mean) / self.scale


@dataclass
class PrincipalDirections:
    """Leading principal directions of a centred and scaled table.

    Parameters
    ----------
    components : ndarray of shape (n_components, n_features)
        Orthonormal rows, signs as `sklearn.decomposition.PCA` chooses them.
    variances : ndarray of shape (n_components,)
        Variance along each, in units of ``scale**2``, by PCA's divisor; zero for directions
        that the table does not have.
    noise_variance : float
        Mean variance of the directions left out, in units of ``scale**2``.
    """

    components: np.ndarray
    variances: np.ndarray
    noise_variance: float

    def fitted_attributes(self, scale):
        """What an estimator tells of them.

        Parameters
        ----------
        scale : float
            Unit of the table.

        Returns
        -------
        dict
            The variances in the units of the data.
        """
        return {"explained_variance_": self.variances * scale**2}


def row_chunks(n_rows, n_features):
    """Slices of rows of bounded size.

    Parameters
    ----------
    n_rows, n_features : int
        Shape of the table.

    Returns
    -------
    list of slice
        The slices, in order.
    """
    step = max(1, CHUNK_NUMBERS // max(n_features, 1))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]


def table_moments(X, weight=None):
    """Weighted mean and scale of a table.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The table.
    weight : ndarray of shape (n_samples,) or None
        Positive weights.

    Returns
    -------
    Moments
        Mean and scale.

    Raises
    ------
    ValueError
        If the variance overflows.
    """
    n_rows, n_features = X.shape
    chunks = row_chunks(n_rows, n_features)
    total = float(n_rows) if weight is None else float(weight.sum())

    def weighted_sum(values, rows):
        # sums of a weighted and of a repeated row agree to rounding
        return values.sum(axis=0) if weight is None else weight[rows] @ values

    with np.errstate(over="ignore", invalid="ignore"):
        # about the first row, so that a large offset costs no digits
        origin = X[0].astype(np.float64)
        mean = origin + (
            sum(weighted_sum(X[rows].astype(np.float64) - origin, rows) for rows in chunks) / total
        )
        squares = sum(
            weighted_sum((X[rows].astype(np.float64) - mean) ** 2, rows) for rows in chunks
        )
        variance = float(squares.mean() / total)
    if not np.isfinite(variance):
        raise ValueError(
            "Input X contains values too large for their variance to be computed in float64; "
            "rescale the features."
        )
    # a variance at the level of rounding is none
    tiny = n_features * np.finfo(np.float64).eps ** 2 * float(np.square(mean).mean())
    scale = np.sqrt(variance) if variance > tiny else 1.0
    return Moments(mean, scale, max(total, float(n_rows)))


def table_limits(X, weight=None):
    """Values on which the range of a feature ends: enough rows lie on its least or largest.

    A pixel, an indicator or a count has many rows on the end of its range; the least of
    continuous values is met once, and a later row may lie beyond it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The table.
    weight : ndarray of shape (n_samples,) or None
        Positive weights.

    Returns
    -------
    ndarray of shape (2, n_features) or None
        Lower and upper limits, infinite where a feature has none; None where no feature has
        any.
    """
    chunks = row_chunks(*X.shape)
    # one chunk at a time: a wide table has chunks of one row
    extremes = [
        functools.reduce(pick, (reduce(X[rows], axis=0) for rows in chunks))
        for pick, reduce in ((np.minimum, np.min), (np.maximum, np.max))
    ]
    n_met, share = np.zeros((2, X.shape[1])), np.zeros((2, X.shape[1]))
    for rows in chunks:
        for end, extreme in enumerate(extremes):
            met = X[rows] == extreme
            n_met[end] += met.sum(axis=0)
            share[end] += met.sum(axis=0) if weight is None else weight[rows] @ met
    share /= len(X) if weight is None else weight.sum()
    # rows are counted whatever their weight: one heavy row is no end of a range
    ends = (n_met >= FEWEST_ON_LIMIT) & (share >= LIMIT_SHARE * (1 - 1e-9))
    limits = np.where(ends, np.asarray(extremes, dtype=np.float64), [[-np.inf], [np.inf]])
    return limits if ends.any() else None


def scale_rows(X, moments, out):
    """Write ``(X - mean) / scale`` into ``out``, by chunks, computed in float64.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The table; it is not changed.
    moments : Moments
        Mean and scale.
    out : ndarray of shape (n_samples, n_features)
        Where the result goes.

    Returns
    -------
    ndarray
        ``out``.
    """
    for rows in row_chunks(*X.shape):
        centred = X[rows].astype(np.float64) - moments.mean
        out[rows] = centred / moments.scale
    return out


def principal_directions(X, moments, n_components, weight=None, seed=0):
    """Leading principal directions by the cheapest method that is exact enough.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The table.
    moments : Moments
        Its mean and scale.
    n_components : int, float in (0, 1) or None
        How many: PCA's rule, but more than min(n, d) directions give what there is.
    weight : ndarray of shape (n_samples,) or None
        Positive weights.
    seed : int, default=0
        Seed of the random projection for very wide tables.

    Returns
    -------
    PrincipalDirections
        Directions and variances.
    """
    # of the table that the weighted rows stand for, which may have more rows
    rank = min(max(int(moments.n_rows), 1), X.shape[1])
    n_wanted = rank if not isinstance(n_components, Integral) else min(n_components, rank)
    n_found = min(n_wanted, *X.shape)
    total_variance, squares, components = _decompose(X, moments, n_found, weight, seed)
    squares = np.pad(squares, (0, n_wanted - n_found))
    components = np.pad(components, ((0, n_wanted - n_found), (0, 0)))
    # PCA divides by n - 1
    total_weight = float(len(X)) if weight is None else float(weight.sum())
    divisor = total_weight * max(moments.n_rows - 1, 1) / moments.n_rows
    variances = np.maximum(squares, 0.0) / divisor
    total = total_variance / divisor
    n_kept = _n_kept(n_components, variances, total, rank)
    _, components = svd_flip(None, components, u_based_decision=False)
    left_over = max(total - variances[:n_kept].sum(), 0.0)
    noise = left_over / (rank - n_kept) if n_kept < rank else 0.0
    variances = np.where(variances > SMALLEST_SHARE * variances[0], variances, 0.0)
    return PrincipalDirections(components[:n_kept], variances[:n_kept], noise)


def _n_kept(n_components, variances, total, rank):
    if n_components is None:
        return rank
    if isinstance(n_components, Integral):
        return min(n_components, rank)
    if total <= 0:
        return 1
    ratios = np.cumsum(variances / total)
    # as PCA: the fewest components whose share exceeds the number
    return min(int(np.searchsorted(ratios, n_components, side="right")) + 1, rank)


def _scaled(X, moments, weight, rows):
    scaled = (X[rows].astype(np.float64) - moments.mean) / moments.scale
    if weight is not None:
        scaled *= np.sqrt(weight[rows])[:, None]
    return scaled


def _decompose(X, moments, n_wanted, weight, seed):
    """Total sum of squares, leading eigenvalues of X'X (descending) and eigenvectors (rows)."""
    n_rows, n_features = X.shape
    smaller = min(n_rows, n_features)
    everything = slice(0, n_rows)
    if X.size <= SMALL_TABLE:
        table = _scaled(X, moments, weight, everything)
        _, values, vectors = linalg.svd(table, full_matrices=False)
        return float(np.square(table).sum()), values[:n_wanted] ** 2, vectors[:n_wanted]
    if smaller > LARGE_DIMENSION and n_wanted < smaller // 10:
        table = _scaled(X, moments, weight, everything)
        _, values, vectors = randomized_svd(table, n_wanted, n_iter=7, random_state=seed)
        return float(np.square(table).sum()), values**2, vectors
    if n_features <= n_rows:
        product = np.zeros((n_features, n_features))
        for rows in row_chunks(n_rows, n_features):
            table = _scaled(X, moments, weight, rows)
            product += table.T @ table
        values, vectors = _leading_eigen(product, n_wanted)
        return float(np.trace(product)), values, vectors.T
    table = _scaled(X, moments, weight, everything)
    product = table @ table.T
    values, vectors = _leading_eigen(product, n_wanted)
    vectors = (table.T @ vectors).T
    # rows of directions without variance come out as noise; normalised they are harmless
    norms = linalg.norm(vectors, axis=1, keepdims=True)
    return float(np.trace(product)), values, vectors / np.where(norms > 0, norms, 1.0)


def _leading_eigen(product, n_wanted):
    size = len(product)
    if n_wanted < size:
        values, vectors = linalg.eigh(product, subset_by_index=[size - n_wanted, size - 1])
    else:
        values, vectors = linalg.eigh(product)
    return values[::-1], vectors[:, ::-1]
