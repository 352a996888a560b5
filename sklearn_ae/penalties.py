"""Penalties on the code: terms of shape (n,) added to the reconstruction loss.

A penalty is a part with a method ``term(x, code, encode)``: ``x`` of shape (n, n_features) and
``code`` of shape (n, n_components) are tensors, ``encode`` the function between them.
"""

from numbers import Real

from sklearn.base import BaseEstimator

from sklearn_ae.utils._sklearn import Interval


class L1(BaseEstimator):
    r"""Sum of the absolute values of the code, :math:`\lambda \sum_k |z_k|`.

    It is minus the logarithm of a Laplace prior on the code. The linear layers of the decoder
    are kept at columns of unit norm: a smaller code and a larger decoder would otherwise void it.

    Parameters
    ----------
    weight : float, default=0.1
        The factor :math:`\lambda`, relative to the squared error in units of the mean feature
        variance.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.penalties import L1
    >>> Autoencoder(penalty=L1(0.5)).get_params()["penalty__weight"]
    0.5
    """

    _parameter_constraints = {"weight": [Interval(Real, 0, None, closed="left")]}  # noqa: RUF012

    unit_norm_decoder = True

    def __init__(self, weight=0.1):
        self.weight = weight

    def term(self, x, code, encode):
        """Penalty of each row.

        Parameters
        ----------
        x : tensor of shape (n, n_features)
            Input of the encoder; not used.
        code : tensor of shape (n, n_components)
            The code.
        encode : callable
            The encoder; not used.

        Returns
        -------
        tensor of shape (n,)
            The penalty.
        """
        return self.weight * code.abs().sum(-1)
