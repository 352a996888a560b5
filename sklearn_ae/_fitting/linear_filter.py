"""The best linear map from corrupted rows to clean ones within the leading principal directions."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import linalg

from sklearn_ae._fitting.principal import principal_directions
from sklearn_ae.corruptions import corrupting
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._seeds import seed_for

# Ridge weights that are tried, as shares of the mean variance of the corrupted codes.
RIDGES = (0.0, *np.logspace(-6, 1, 8))
SMALLEST_SHARE = 1e-10
# Share of the largest variance of corrupted codes below which a variance is rounding.
ROUNDING_SHARE = 1e-13
# Spread of the corrupted codes, in units of the clean rows, from which float32 has no digits left
# for what is clean.
DROWNED = 1e6
# Rows, or corrupted copies of rows, from which the filter is estimated.
FILTER_ROWS = 20000
# Values of a table that are corrupted and encoded together for it.
VALUES_AT_ONCE = 2**22


@dataclass
class LinearFilter:
    """A linear map through a code, from centred and scaled rows to the same.

    Parameters
    ----------
    encoder : ndarray of shape (n_components, n_features)
        From rows to codes.
    decoder : ndarray of shape (n_features, n_components)
        Back.
    offset : ndarray of shape (n_features,)
        Added to what is decoded.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    offset: np.ndarray


class FilterStart:
    """The best linear map from corrupted rows to clean ones, and what is left of them without it.

    With P the directions, it is ``P' B (P x - mean) + mean of the clean rows``: ridge regression
    B of the clean codes on the corrupted ones, the ridge chosen by the error of each half of the
    rows under the regression of the other. For independent noise of variance s2 on rows whose
    codes have variances lambda, B tends to Wiener's filter, ``lambda / (lambda + s2)``.

    Parameters
    ----------
    corrupted, clean : ndarray of shape (n_rows, n_components)
        Codes of centred and scaled rows along the directions.
    directions : PrincipalDirections
        Directions of the clean rows.
    halves : ndarray of shape (n_rows,)
        0 or 1 for each row, the same for all copies of one.
    weight : ndarray of shape (n_rows,) or None, default=None
        Weights of the rows.
    """

    def __init__(self, corrupted, clean, directions, halves, weight=None):
        everything = _CodeMoments(corrupted, clean, weight)
        parts = [
            _CodeMoments(corrupted[rows], clean[rows], None if weight is None else weight[rows])
            for rows in (halves == 0, halves == 1)
        ]
        errors = [
            sum(
                judge.total * judge.excess(teacher.solve(ridge))
                for teacher, judge in (parts, parts[::-1])
            )
            for ridge in RIDGES
        ]
        self.directions = directions
        self.covariance = everything.corrupted
        self.solution = everything.solve(RIDGES[int(np.argmin(errors))]).T  # (clean, corrupted)
        self.offset = everything.clean_mean - self.solution @ everything.corrupted_mean
        varying = everything.values[everything.values > everything.rounding]
        # whether training has anything to learn from, in some direction
        self.has_signal = 0 < varying.min(initial=np.inf) < DROWNED**2

    def filter(self, residual):
        """The `LinearFilter`, or with ``residual`` the map that gives what is to be added.

        Its codes have at most unit variance.
        """
        solution, components = self.solution, self.directions.components
        if residual:
            solution = solution - np.eye(len(solution))
        # the residual of a direction may vary far more than what is clean: in the unit of that its
        # code would be large and each step of training a leap
        variances = np.maximum(
            self.directions.variances, np.sum(solution @ self.covariance * solution, axis=1)
        )
        # in the unit of a direction that varies by rounding only, codes would be noise
        varies = variances > SMALLEST_SHARE * variances.max(initial=0.0)
        units = np.sqrt(np.where(varies, variances, 1.0))
        return LinearFilter(
            (solution @ components) / units[:, None],
            components.T * units,
            components.T @ self.offset,
        )

    @torch.no_grad()
    def lay(self, task, generator):
        """Set the linear path and the offset of a task's network; codes beyond are drawn."""
        network = task.network
        filter_ = self.filter(network.residual)
        k = len(filter_.encoder)
        network.linear.draw(generator)
        network.linear.encoder[:k] = torch.from_numpy(filter_.encoder)
        network.linear.decoder[:, :k] = torch.from_numpy(filter_.decoder)
        network.offset.copy_(torch.from_numpy(filter_.offset))


def filter_start(rows, scaling, n_components, corruption, seed):
    """The `FilterStart` of pairs, or of rows and copies that ``corruption`` makes of them."""
    n_rows, paired = len(rows.x), rows.target is not None
    clean = rows.target if paired else rows.x
    directions = principal_directions(clean, scaling, n_components, rows.weight, seed)
    seed = seed_for("start", seed)
    chosen = _rows_of_filter(n_rows, seed, paired)
    codes = _codes_of_filter(rows, chosen, scaling, directions, corruption, seed)
    if not np.isfinite(codes).all():
        if np.isnan(rows.x).any():
            raise ValueError("Input X contains NaN.")
        culprit = "X has" if paired else f"corruption={in_one_line(corruption)} makes"
        raise ValueError(f"{culprit} values that are not finite in units of the clean rows.")
    halves = np.random.default_rng(seed).permutation(n_rows)[chosen] % 2
    weight = None if rows.weight is None else rows.weight[chosen]
    return FilterStart(*codes, directions, halves, weight)


def _rows_of_filter(n_rows, seed, paired):
    """Rows of which each is corrupted once, or several times where there are few."""
    if n_rows >= FILTER_ROWS:
        return np.random.default_rng(seed).choice(n_rows, FILTER_ROWS, replace=False)
    n_copies = 1 if paired else min(FILTER_ROWS // n_rows, 20)
    return np.tile(np.arange(n_rows), n_copies)


def _codes_of_filter(rows, chosen, scaling, directions, corruption, seed):
    """Codes of corrupted rows and of clean ones; of all the copies these alone are kept."""
    corrupt = None if rows.target is not None else corrupting(corruption, seed)
    codes = np.empty((2, len(chosen), len(directions.components)))
    at_once = max(1, VALUES_AT_ONCE // rows.x.shape[1])
    for first in range(0, len(chosen), at_once):
        part = slice(first, first + at_once)
        some = rows.x[chosen[part]]
        pair = (corrupt(some), some) if corrupt else (some, rows.target[chosen[part]])
        for code, one in zip(codes, pair, strict=True):
            scaled = (one.astype(np.float64) - scaling.mean) / scaling.scale
            np.matmul(scaled, directions.components.T, out=code[part])
    return codes


class _CodeMoments:
    """Weighted means and products of corrupted and clean codes."""

    def __init__(self, corrupted, clean, weight):
        share = np.ones(len(corrupted)) if weight is None else weight
        self.total = share.sum()
        share = share / self.total
        self.corrupted_mean, self.clean_mean = share @ corrupted, share @ clean
        a, b = corrupted - self.corrupted_mean, clean - self.clean_mean
        weighted = a * share[:, None]
        self.corrupted = weighted.T @ a
        self.mixed = weighted.T @ b  # (corrupted, clean)
        self.values, self.vectors = linalg.eigh(self.corrupted)
        # what rows that are all equal seem to vary by: their mean is a sum
        rounding = np.finfo(np.float64).eps * float(np.abs(corrupted).max(initial=0.0))
        self.rounding = corrupted.size * rounding**2
        self.turned = self.vectors.T @ self.mixed

    def solve(self, ridge):
        """Regression of clean on corrupted codes: (corrupted, clean)."""
        values = self.values
        weight = ridge * values.mean()
        # without a ridge, directions that the rows do not have are left out
        tiny = max(ROUNDING_SHARE * values.max(initial=0.0), self.rounding)
        inverse = np.where(values > tiny, 1.0 / np.maximum(values + weight, 1e-300), 0.0)
        return (self.vectors * inverse) @ self.turned

    def excess(self, solution):
        """Mean squared error of a regression, but for a term that is the same for all."""
        return np.sum(solution * (self.corrupted @ solution - 2.0 * self.mixed))
