"""Code activations: what is applied to the code, in training and at inference.

A code activation is a string, a torch module on tensors of shape (n, n_components), or a part
with a method ``module()`` that makes such a module. A part may have ``check(n_components)``,
which raises where it does not suit the width of the code.
"""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae.networks.k_sparse import KeepLargest
from sklearn_ae.utils._parts import check_instance, check_parameters, in_one_line
from sklearn_ae.utils._sklearn import Interval

__all__ = ["KSparse"]

CODE_ACTIVATIONS = {
    "identity": None,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}
# Bounded modules, with the standard deviation of values that use their range: a quarter of it.
USUAL_SPREAD = {nn.Sigmoid: 0.25, nn.Tanh: 0.5}


class KSparse(BaseEstimator):
    r"""Only the ``k`` largest values of each code are kept, the others are zero [1]_.

    With :math:`a` the output of the encoder and :math:`S_k(a)` the places of its ``k`` largest
    values (exactly ``k``, where values are equal too), :math:`z_j = a_j` for
    :math:`j \in S_k(a)` and 0 elsewhere. The same ``k`` holds at inference.

    Parameters
    ----------
    k : int, default=10
        How many values are kept, at most ``n_components``.

    See Also
    --------
    sklearn_ae.penalties.L1 : Makes codes sparse by a penalty.
    sklearn_ae.penalties.KLSparsity : Makes mean activations small.

    Notes
    -----
    Largest means largest in value, not in size: a code of negative values keeps those nearest to
    zero. The paper keeps a multiple of ``k`` values at inference; here codes are as sparse as in
    training.

    Components that are never among the largest never learn. So that there are few of them, the
    layer that gives the code starts as the transpose of the one that takes it [2]_ where
    ``hidden_layer_sizes`` is ``()`` and the layers are ours.

    References
    ----------
    .. [1] A. Makhzani and B. Frey, "k-sparse autoencoders", ICLR 2014, :arxiv:`1312.5663`.
    .. [2] L. Gao, T. Dupré la Tour, H. Tillman, G. Goh, R. Troll, A. Radford, I. Sutskever,
       J. Leike and J. Wu, "Scaling and evaluating sparse autoencoders", 2024,
       :arxiv:`2406.04093`.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.code_activations import KSparse
    >>> Autoencoder(64, code_activation=KSparse(5)).get_params()["code_activation__k"]
    5
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "k": [Interval(Integral, 1, None, closed="left")]
    }

    # zeros are what it is for: `whiten` would mix them with the other values
    is_sparse = True

    def __init__(self, k: int = 10) -> None:
        self.k = k

    def check(self, n_components: int) -> None:
        """Check the parameters for a width of the code.

        Parameters
        ----------
        n_components : int
            The width.

        Raises
        ------
        InvalidParameterError
            If ``k`` is not a positive integer.
        ValueError
            If ``k`` is greater than the width.
        """
        check_parameters(self)
        if self.k > n_components:
            raise ValueError(
                f"k={self.k} of KSparse is greater than n_components={n_components}; keep at most "
                "as many values as the code has."
            )

    def module(self) -> nn.Module:
        """The torch module.

        Returns
        -------
        torch.nn.Module
            The code activation.

        Raises
        ------
        InvalidParameterError
            If ``k`` is not a positive integer.
        """
        check_parameters(self)
        return KeepLargest(int(self.k))


def make_code_activation(code_activation: Any, n_components: int | None = None) -> nn.Module | None:
    """The parameter of an estimator as a torch module, for a code of that width.

    None stands for the identity. A module of the user's is copied, so that training does not
    change it.
    """
    if isinstance(code_activation, str):
        if code_activation not in CODE_ACTIVATIONS:
            raise ValueError(
                f"Unknown code_activation {code_activation!r}; use one of "
                f"{sorted(CODE_ACTIVATIONS)}, a part or a torch module."
            )
        made = CODE_ACTIVATIONS[code_activation]
        return None if made is None else made()
    check_instance("code_activation", code_activation)
    if n_components is not None and hasattr(code_activation, "check"):
        code_activation.check(n_components)
    if isinstance(code_activation, nn.Module):
        return copy.deepcopy(code_activation)
    if not hasattr(code_activation, "module"):
        raise TypeError(
            f"code_activation must be one of {sorted(CODE_ACTIVATIONS)}, a part with a method "
            f"module() or a torch module; got {in_one_line(code_activation)}."
        )
    # a part of the user's may hand out the same module each time
    return copy.deepcopy(code_activation.module())
