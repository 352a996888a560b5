"""Corruptions: how rows are spoilt in training, in the units of the data."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator

from sklearn_ae.utils._sklearn import Interval, check_parameters


def gaussian_noise(x, generator, scale):
    """Add independent normal noise of standard deviation ``scale`` to every value."""
    return x + scale * torch.empty_like(x).normal_(generator=generator)


def masking(x, generator, fraction):
    """Set each value to zero with probability ``fraction``."""
    return x * (torch.empty_like(x).uniform_(generator=generator) >= fraction)


class GaussianNoise(BaseEstimator):
    """Independent normal noise on every value.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, in the units of the data.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.corruptions import GaussianNoise
    >>> Autoencoder(corruption=GaussianNoise(0.3)).get_params()["corruption__scale"]
    0.3
    """

    _parameter_constraints = {"scale": [Interval(Real, 0, None, closed="left")]}  # noqa: RUF012

    def __init__(self, scale=0.1):
        self.scale = scale

    def make(self):
        """Check the parameters and give the function ``(x, generator) -> x``.

        Returns
        -------
        callable
            The corruption of tensors of shape (n, n_features).
        """
        check_parameters(self)
        scale = self.scale
        return lambda x, generator: gaussian_noise(x, generator, scale)


class Masking(BaseEstimator):
    """Values set to zero at random.

    Parameters
    ----------
    fraction : float, default=0.25
        Probability with which a value is set to zero, in [0, 1].

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.corruptions import Masking
    >>> Autoencoder(corruption=Masking(0.5)).get_params()["corruption__fraction"]
    0.5
    """

    _parameter_constraints = {"fraction": [Interval(Real, 0, 1, closed="both")]}  # noqa: RUF012

    def __init__(self, fraction=0.25):
        self.fraction = fraction

    def make(self):
        """Check the parameters and give the function ``(x, generator) -> x``.

        Returns
        -------
        callable
            The corruption of tensors of shape (n, n_features).
        """
        check_parameters(self)
        fraction = self.fraction
        return lambda x, generator: masking(x, generator, fraction)


CORRUPTIONS = {"gaussian": GaussianNoise, "masking": Masking}


def make_corruption(corruption):
    """Turn the parameter of an estimator into a function on tensors.

    Parameters
    ----------
    corruption : None, str, part or callable
        The parameter.

    Returns
    -------
    callable or None
        ``(x, generator) -> x`` in the units of the data.
    """
    if corruption is None:
        return None
    if isinstance(corruption, str):
        corruption = CORRUPTIONS[corruption]()
    return corruption.make() if hasattr(corruption, "make") else corruption
