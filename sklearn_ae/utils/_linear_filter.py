"""The best linear map from spoilt rows to clean ones within the leading principal directions."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

# Ridge weights that are tried, as shares of the mean variance of the spoilt codes.
RIDGES = (0.0, *np.logspace(-6, 1, 8))
SMALLEST_SHARE = 1e-10


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

    def fitted_attributes(self, scale):
        """What an estimator tells of it.

        Parameters
        ----------
        scale : float
            Unit of the table.

        Returns
        -------
        dict
            Nothing.
        """
        return {}


class _CodeMoments:
    """Weighted means and products of spoilt and clean codes."""

    def __init__(self, spoilt, clean, weight):
        share = np.ones(len(spoilt)) if weight is None else weight
        self.total = share.sum()
        share = share / self.total
        self.spoilt_mean, self.clean_mean = share @ spoilt, share @ clean
        a, b = spoilt - self.spoilt_mean, clean - self.clean_mean
        weighted = a * share[:, None]
        self.spoilt = weighted.T @ a
        self.mixed = weighted.T @ b  # (spoilt, clean)
        self.values, self.vectors = linalg.eigh(self.spoilt)
        self.turned = self.vectors.T @ self.mixed

    def solve(self, ridge):
        """Regression of clean on spoilt codes: (spoilt, clean)."""
        values = self.values
        weight = ridge * values.mean()
        # without a ridge, directions that the rows do not have are left out
        tiny = SMALLEST_SHARE * max(values.max(initial=0.0), 0.0)
        inverse = np.where(values > tiny, 1.0 / np.maximum(values + weight, 1e-300), 0.0)
        return (self.vectors * inverse) @ self.turned

    def excess(self, solution):
        """Mean squared error of a regression, but for a term that is the same for all."""
        return np.sum(solution * (self.spoilt @ solution - 2.0 * self.mixed))


def linear_filter(spoilt, clean, directions, halves, *, weight=None, residual=False):
    """Regress clean rows on spoilt ones in the space of the leading principal directions.

    With P the directions, it is ``P' B (P x - mean) + mean of the clean rows``: ridge regression
    B of the clean codes on the spoilt ones, the ridge chosen by the error of each half of the
    rows under the regression of the other. For independent noise of variance s2 on rows whose
    codes have variances lambda, B tends to Wiener's filter, ``lambda / (lambda + s2)``.

    Parameters
    ----------
    spoilt, clean : ndarray of shape (n_rows, n_components)
        Codes of centred and scaled rows along the directions.
    directions : PrincipalDirections
        Directions of the clean rows.
    halves : ndarray of shape (n_rows,)
        0 or 1 for each row, the same for all copies of one.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.
    residual : bool, default=False
        Whether the spoilt row is added to the result, so that the map has to give the
        difference.

    Returns
    -------
    LinearFilter
        The map, its codes with at most unit variance.
    """
    everything = _CodeMoments(spoilt, clean, weight)
    parts = [
        _CodeMoments(spoilt[rows], clean[rows], None if weight is None else weight[rows])
        for rows in (halves == 0, halves == 1)
    ]
    errors = [
        sum(
            judge.total * judge.excess(teacher.solve(ridge))
            for teacher, judge in (parts, parts[::-1])
        )
        for ridge in RIDGES
    ]
    solution = everything.solve(RIDGES[int(np.argmin(errors))]).T  # (clean, spoilt)
    offset = everything.clean_mean - solution @ everything.spoilt_mean
    if residual:
        solution = solution - np.eye(len(solution))
    # the residual of a direction may vary far more than what is clean: in the unit of that its
    # code would be large and each step of training a leap
    variances = np.maximum(
        directions.variances, np.sum(solution @ everything.spoilt * solution, axis=1)
    )
    units = np.sqrt(np.where(variances > 0, variances, 1.0))
    components = directions.components
    return LinearFilter(
        (solution @ components) / units[:, None], components.T * units, components.T @ offset
    )
