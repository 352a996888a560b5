"""Principal directions of a table, and the starts that are made of them: PCA, probabilistic PCA."""

from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from scipy import linalg
from scipy.sparse.linalg import svds
from sklearn.utils.extmath import randomized_svd, svd_flip

from sklearn_ae._fitting.scaling import row_chunks
from sklearn_ae._fitting.sparse import CentredRows
from sklearn_ae.objectives.likelihoods import SMALLEST_VARIANCE
from sklearn_ae.utils._columns import DistinctColumns
from sklearn_ae.utils._sparse import is_sparse

# Codes are in units of the standard deviation along their direction, or of one that has this
# share of the largest variance: the rounding of float32 rows would drown what is smaller.
SMALLEST_SHARE = 1e-10
# Share of the variance from which what is left over is more than the rounding of a difference.
EXACT_SHARE = 1e-6
# What a share of the variance may be met by, for a direction to be left out as PCA does.
EQUAL_SHARE = 1e-12
EPS = np.finfo(np.float64).eps
# Numbers of a table up to which one singular value decomposition is cheap: it loses least.
SMALL_TABLE = 2**18
# Least dimension beyond which few components are found by random projection.
LARGE_DIMENSION = 3000


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

    def __post_init__(self):
        # unit of the code along each direction, in units of `scale`
        largest = self.variances.max(initial=0.0)
        self.units = np.sqrt(np.maximum(self.variances, SMALLEST_SHARE * largest))


class RandomStart:
    """Random weights, with the directions that say how wide the code is.

    Parameters
    ----------
    directions : PrincipalDirections
        The directions.
    """

    def __init__(self, directions):
        self.directions = directions

    def lay(self, task, generator):
        """Leave the weights as they were drawn."""


class PrincipalStart(RandomStart):
    """PCA: codes of unit variance along the principal directions."""

    @torch.no_grad()
    def lay(self, task, generator):
        """Set the linear path of a task's network; rows of no direction are drawn."""
        directions, linear = self.directions, task.network.linear
        linear.draw(generator)
        for k, (variance, unit) in enumerate(
            zip(directions.variances, directions.units, strict=True)
        ):
            if variance > 0:
                direction = torch.from_numpy(directions.components[k].copy())
                linear.encoder[k] = direction / unit
                linear.decoder[:, k] = direction * unit


class ProbabilisticStart(RandomStart):
    """Probabilistic PCA and its exact posterior.

    With eigenvalues lambda and noise variance s2, W = U (lambda - s2)^(1/2); the posterior has
    mean lambda^-1 W' x and variance s2 / lambda (Tipping and Bishop 1999).

    Parameters
    ----------
    directions : PrincipalDirections
        The directions.
    noise_variance : float
        s2, in units of ``scale**2``.
    """

    def __init__(self, directions, noise_variance):
        super().__init__(directions)
        self.noise_variance = noise_variance

    @torch.no_grad()
    def lay(self, task, generator, least=0.0):
        """Set the linear path and the posterior's variances, for a noise variance of at least."""
        network, noise = task.network, max(self.noise_variance, least)
        for tensor in (network.linear.encoder, network.linear.decoder, network.base_log_variance):
            tensor.zero_()
        for k, variance in enumerate(self.directions.variances):
            if variance > noise:
                direction = self.directions.components[k]
                weight = torch.from_numpy(direction * (variance - noise) ** 0.5)
                network.linear.encoder[k] = weight / variance
                network.linear.decoder[:, k] = weight
                network.base_log_variance[k] = np.log(noise / variance)


def random_start(*table):
    """The `RandomStart` of a table; see `principal_directions`."""
    return RandomStart(principal_directions(*table))


def principal_start(*table):
    """The `PrincipalStart` of a table; see `principal_directions`."""
    return PrincipalStart(principal_directions(*table))


def probabilistic_start(*table):
    """The `ProbabilisticStart` of a table; see `principal_directions`."""
    directions = principal_directions(*table)
    noise = directions.noise_variance
    if noise <= 0:  # nothing is left out: next to nothing beside what is kept
        positive = directions.variances[directions.variances > 0]
        noise = SMALLEST_VARIANCE * positive.min(initial=1.0)
    return ProbabilisticStart(directions, noise)


def principal_directions(X, scaling, n_components, weight=None, seed=0):
    """Leading principal directions by the cheapest method that is exact enough.

    ``n_components`` is an int, a float in (0, 1) or None, by PCA's rule; of more than
    min(n_rows, n_features) there are as many. ``seed`` is that of the random projection for very
    wide tables.
    """
    # of the table that the weighted rows stand for, which may have more rows
    rank = min(max(int(scaling.total_weight), 1), X.shape[1])
    n_wanted = rank if not isinstance(n_components, Integral) else min(n_components, rank)
    found = _decompose(X, scaling, min(n_wanted, *X.shape), weight, seed)
    missing = n_wanted - len(found.squares)
    squares = np.pad(found.squares, (0, missing))
    components = np.pad(found.vectors, ((0, missing), (0, 0)))
    # PCA divides by n - 1
    total_weight = float(len(X)) if weight is None else float(weight.sum())
    divisor = total_weight * max(scaling.total_weight - 1, 1) / scaling.total_weight
    variances = np.maximum(squares, 0.0) / divisor
    total = found.total / divisor
    n_kept = _n_kept(n_components, variances, total, rank)
    _, components = svd_flip(None, components, u_based_decision=False)
    left_over = max(total - variances[:n_kept].sum(), 0.0)
    if left_over < EXACT_SHARE * total and found.others is not None:
        left_over = variances[n_kept:].sum() + found.others / divisor
    noise = left_over / (rank - n_kept) if n_kept < rank else 0.0
    noise = noise if noise > found.rounding * variances[0] else 0.0
    variances = np.where(variances > found.rounding * variances[0], variances, 0.0)
    return PrincipalDirections(components[:n_kept], variances[:n_kept], noise)


def _n_kept(n_components, variances, total, rank):
    """How many components are kept, by PCA's rule."""
    if n_components is None:
        return rank
    if isinstance(n_components, Integral):
        return min(n_components, rank)
    if total <= 0:
        return 1
    ratios = np.cumsum(variances / total)
    # as PCA: the fewest components whose share exceeds the number, and not by rounding only
    share = n_components * (1.0 + EQUAL_SHARE)
    return min(int(np.searchsorted(ratios, share, side="right")) + 1, rank)


def _scaled_rows(X, scaling, weight, rows):
    """Some rows, scaled, times the roots of their weights."""
    scaled = (X[rows].astype(np.float64) - scaling.mean) / scaling.scale
    if weight is not None:
        scaled *= np.sqrt(weight[rows])[:, None]
    return scaled


class _Decomposition(NamedTuple):
    """Leading eigenvalues of X'X in descending order, and what is known of the others.

    ``vectors`` are rows, ``total`` is the sum of all eigenvalues, ``others`` that of those left out
    where it is known by itself; what is below ``rounding`` times the largest is none.
    """

    squares: np.ndarray
    vectors: np.ndarray
    total: float
    rounding: float
    others: float | None = None


def _decompose(X, scaling, n_wanted, weight, seed):
    """The `_Decomposition` of a table, scaled and weighted."""
    n_rows, n_features = X.shape
    size, everything = max(n_rows, n_features), slice(0, n_rows)
    if X.size <= SMALL_TABLE:
        table = _scaled_rows(X, scaling, weight, everything)
        _, values, vectors = linalg.svd(table, full_matrices=False)
        squares, total = values**2, float(np.square(table).sum())
        others, rounding = float(squares[n_wanted:].sum()), (size * EPS) ** 2
        return _Decomposition(squares[:n_wanted], vectors[:n_wanted], total, rounding, others)
    if is_sparse(X):
        return _decompose_sparse(X, scaling, n_wanted, weight, seed)
    columns = DistinctColumns(X)
    smaller = min(n_rows, columns.n_distinct)
    n_found = min(n_wanted, smaller)
    if smaller > LARGE_DIMENSION and n_wanted < smaller // 10:
        table = columns.of_table(_scaled_rows(X, scaling, weight, everything))
        _, values, vectors = randomized_svd(table, n_wanted, n_iter=7, random_state=seed)
        squares, total, rounding = values**2, float(np.square(table).sum()), size * EPS
        return _Decomposition(squares, columns.widened(vectors), total, rounding)
    if columns.n_distinct <= n_rows:
        product = np.zeros((columns.n_distinct, columns.n_distinct))
        for rows in row_chunks(n_rows, n_features):
            table = columns.of_table(_scaled_rows(X, scaling, weight, rows))
            product += table.T @ table
        values, vectors = _leading_eigen(product, n_found)
        vectors = columns.widened(vectors.T)
        return _Decomposition(values, vectors, float(np.trace(product)), size * EPS)
    table = columns.of_table(_scaled_rows(X, scaling, weight, everything))
    product = table @ table.T
    values, vectors = _leading_eigen(product, n_found)
    vectors = _normalized(columns.widened((table.T @ vectors).T))
    return _Decomposition(values, vectors, float(np.trace(product)), size * EPS)


def _decompose_sparse(X, scaling, n_wanted, weight, seed):
    """The same for a `SparseTable`, which is centred without being written out."""
    n_rows, n_features = X.shape
    smaller, rounding = min(X.shape), max(X.shape) * EPS
    centred = CentredRows(X, scaling, weight)
    # a variance at the level of rounding is none, as in `table_scaling`
    if centred.total() <= X.size * EPS**2 * np.square(scaling.mean).mean():
        vectors = np.zeros((n_wanted, n_features))
        return _Decomposition(np.zeros(n_wanted), vectors, 0.0, rounding)
    if smaller > LARGE_DIMENSION and n_wanted < smaller // 10:
        start = np.random.default_rng(seed).normal(size=smaller)
        _, values, vectors = svds(centred.operator(), k=n_wanted, v0=start)
        return _Decomposition(values[::-1] ** 2, vectors[::-1], centred.total(), rounding)
    if n_features <= n_rows:
        product = centred.covariance()
        values, vectors = _leading_eigen(product, n_wanted)
        return _Decomposition(values, vectors.T, float(np.trace(product)), rounding)
    product = centred.gram()
    values, vectors = _leading_eigen(product, n_wanted)
    vectors = _normalized(centred.transposed_times(vectors).T)
    return _Decomposition(values, vectors, float(np.trace(product)), rounding)


def _normalized(vectors):
    """Rows of unit length; those of directions without variance are noise, and then harmless."""
    norms = linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)


def _leading_eigen(product, n_wanted):
    """Leading eigenvalues in descending order, and eigenvectors in columns."""
    size = len(product)
    if n_wanted < size:
        values, vectors = linalg.eigh(product, subset_by_index=[size - n_wanted, size - 1])
    else:
        values, vectors = linalg.eigh(product)
    return values[::-1], vectors[:, ::-1]
