"""Units of the code: from the network's codes to those that the user sees, and back."""

from dataclasses import dataclass

import numpy as np

# Codes whose variance is below this share of the largest are not divided by it in whitening.
SMALLEST_SHARE = 1e-10


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
