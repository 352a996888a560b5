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
    def principal(cls, variances, n_components, scale):
        """PCA's: whitened codes times the standard deviations along the directions."""
        units = np.sqrt(variances)
        largest = units.max(initial=0.0)
        # directions without variance come out as next to nothing, as PCA's do
        units[units == 0] = 1e-5 * largest if largest > 0 else 1.0
        rest = units[units > 1e-5 * largest].min(initial=largest) if largest > 0 else 1.0
        units = np.concatenate([units, np.full(n_components - len(units), rest)])
        return cls.diagonal(units * scale)

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
