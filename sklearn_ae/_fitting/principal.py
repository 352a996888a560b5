"""Principal directions of a table, and the starts that are made of them: PCA, probabilistic PCA."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch
from scipy import linalg
from sklearn.utils.extmath import randomized_svd, svd_flip

from sklearn_ae._fitting.scaling import row_chunks
from sklearn_ae.objectives.likelihoods import SMALLEST_VARIANCE

# Directions with less than this share of the largest variance count as none.
SMALLEST_SHARE = 1e-10
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
        linear = task.network.linear
        linear.draw(generator)
        for k, variance in enumerate(self.directions.variances):
            if variance > 0:
                direction = torch.from_numpy(self.directions.components[k].copy())
                linear.encoder[k] = direction / variance**0.5
                linear.decoder[:, k] = direction * variance**0.5


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
    def lay(self, task, generator):
        """Set the linear path and the posterior's variances of a task's network."""
        network, noise = task.network, self.noise_variance
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
    return ProbabilisticStart(directions, max(directions.noise_variance, SMALLEST_VARIANCE))


def principal_directions(X, scaling, n_components, weight=None, seed=0):
    """Leading principal directions by the cheapest method that is exact enough.

    ``n_components`` is an int, a float in (0, 1) or None, by PCA's rule; of more than
    min(n_rows, n_features) there are as many. ``seed`` is that of the random projection for very
    wide tables.
    """
    # of the table that the weighted rows stand for, which may have more rows
    rank = min(max(int(scaling.total_weight), 1), X.shape[1])
    n_wanted = rank if not isinstance(n_components, Integral) else min(n_components, rank)
    n_found = min(n_wanted, *X.shape)
    total_variance, squares, components = _decompose(X, scaling, n_found, weight, seed)
    squares = np.pad(squares, (0, n_wanted - n_found))
    components = np.pad(components, ((0, n_wanted - n_found), (0, 0)))
    # PCA divides by n - 1
    total_weight = float(len(X)) if weight is None else float(weight.sum())
    divisor = total_weight * max(scaling.total_weight - 1, 1) / scaling.total_weight
    variances = np.maximum(squares, 0.0) / divisor
    total = total_variance / divisor
    n_kept = _n_kept(n_components, variances, total, rank)
    _, components = svd_flip(None, components, u_based_decision=False)
    left_over = max(total - variances[:n_kept].sum(), 0.0)
    noise = left_over / (rank - n_kept) if n_kept < rank else 0.0
    variances = np.where(variances > SMALLEST_SHARE * variances[0], variances, 0.0)
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
    # as PCA: the fewest components whose share exceeds the number
    return min(int(np.searchsorted(ratios, n_components, side="right")) + 1, rank)


def _scaled_rows(X, scaling, weight, rows):
    """Some rows, scaled, times the roots of their weights."""
    scaled = (X[rows].astype(np.float64) - scaling.mean) / scaling.scale
    if weight is not None:
        scaled *= np.sqrt(weight[rows])[:, None]
    return scaled


def _decompose(X, scaling, n_wanted, weight, seed):
    """Total sum of squares, leading eigenvalues of X'X (descending) and eigenvectors (rows)."""
    n_rows, n_features = X.shape
    smaller = min(n_rows, n_features)
    everything = slice(0, n_rows)
    if X.size <= SMALL_TABLE:
        table = _scaled_rows(X, scaling, weight, everything)
        _, values, vectors = linalg.svd(table, full_matrices=False)
        return float(np.square(table).sum()), values[:n_wanted] ** 2, vectors[:n_wanted]
    if smaller > LARGE_DIMENSION and n_wanted < smaller // 10:
        table = _scaled_rows(X, scaling, weight, everything)
        _, values, vectors = randomized_svd(table, n_wanted, n_iter=7, random_state=seed)
        return float(np.square(table).sum()), values**2, vectors
    if n_features <= n_rows:
        product = np.zeros((n_features, n_features))
        for rows in row_chunks(n_rows, n_features):
            table = _scaled_rows(X, scaling, weight, rows)
            product += table.T @ table
        values, vectors = _leading_eigen(product, n_wanted)
        return float(np.trace(product)), values, vectors.T
    table = _scaled_rows(X, scaling, weight, everything)
    product = table @ table.T
    values, vectors = _leading_eigen(product, n_wanted)
    vectors = (table.T @ vectors).T
    # rows of directions without variance come out as noise; normalised they are harmless
    norms = linalg.norm(vectors, axis=1, keepdims=True)
    return float(np.trace(product)), values, vectors / np.where(norms > 0, norms, 1.0)


def _leading_eigen(product, n_wanted):
    """Leading eigenvalues in descending order, and eigenvectors in columns."""
    size = len(product)
    if n_wanted < size:
        values, vectors = linalg.eigh(product, subset_by_index=[size - n_wanted, size - 1])
    else:
        values, vectors = linalg.eigh(product)
    return values[::-1], vectors[:, ::-1]
