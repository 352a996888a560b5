"""Penalties on the code: terms of shape (n,) added to the reconstruction loss.

A penalty is a part with a method ``term(x, code, encode)``: ``x`` of shape (n, n_features) and
``code`` of shape (n, n_components) are tensors, ``encode`` the function between them. One that
needs the network or random draws has ``bind(network)`` instead, which gives a function
``(x, code, encode, generator)``. Where a smaller code and a larger decoder would void it, it has
``unit_norm_decoder = True``; ``needs_code_activation`` names the code activation that it needs.
The formulas stand first.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, TypeAlias

import torch
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae.utils._parts import check_instance, check_parameters, in_one_line
from sklearn_ae.utils._sklearn import Interval

__all__ = ["L1", "Contractive", "KLSparsity"]

Encode: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
# ``(x, code, encode, generator)`` of shape (n,).
BoundPenalty: TypeAlias = Callable[
    [torch.Tensor, torch.Tensor, Encode, torch.Generator], torch.Tensor
]
# Derivative of each code activation from its value, which is there already.
DERIVATIVES: dict[type, Encode] = {
    type(None): torch.ones_like,
    nn.Sigmoid: lambda code: code * (1.0 - code),
    nn.Tanh: lambda code: 1.0 - code.square(),
    nn.ReLU: lambda code: (code > 0).to(code.dtype),
}


def bernoulli_divergence(code: torch.Tensor, target: float) -> torch.Tensor:
    """Sum over components of KL(Bernoulli(target) || Bernoulli(mean of the batch))."""
    # an activation that is 0 or 1 in the whole batch leaves the divergence finite; tiny ones keep
    # their gradient, without which a unit that is silent would stay so
    numbers = torch.finfo(code.dtype)
    mean = code.mean(0).clamp(numbers.tiny, 1.0 - numbers.eps)
    # logarithms apart: the derivative of a quotient would square a tiny mean
    active = target * (math.log(target) - torch.log(mean))
    silent = (1.0 - target) * (math.log(1.0 - target) - torch.log(1.0 - mean))
    return (active + silent).sum()


def one_layer_jacobian(
    x: object,
    code: torch.Tensor,
    encode: object,
    generator: object,
    *,
    layer: nn.Linear,
    derivative: Encode,
    scale: float,
) -> torch.Tensor:
    """Squared Frobenius norm of d code / d x of one layer, in closed form.

    With ``a = c((W x + b) / scale)`` it is ``sum_k c'_k**2 |W_k|**2 / scale**2``.
    """
    return derivative(code).square() @ layer.weight.square().sum(1) / scale**2


def estimated_jacobian(
    x: torch.Tensor, code: torch.Tensor, encode: Encode, generator: torch.Generator
) -> torch.Tensor:
    """Unbiased estimate of the squared Frobenius norm of d code / d x (Hutchinson).

    With v of independent signs, ``E |J'v|**2 = tr(J J')``: one product for any width.
    """
    x = x.detach().requires_grad_()
    code = encode(x)
    signs = torch.empty_like(code).bernoulli_(0.5, generator=generator).mul_(2.0).sub_(1.0)
    (product,) = torch.autograd.grad(code, x, signs, create_graph=True)
    return product.square().sum(-1)


class L1(BaseEstimator):
    r"""Sum of the absolute values of the code, :math:`\lambda \sum_k |z_k|`.

    It is minus the logarithm of a Laplace prior on the code. The layers of the decoder
    are kept at columns of unit norm: a smaller code and a larger decoder would otherwise void it.
    Behind a code of "sigmoid" or "tanh", which cannot grow, the first layer has longer columns, of
    norm :math:`\sqrt{d / k} / s` for d features and k components, with s a quarter of the
    activation's range: so long that such values of the code, uncorrelated, give the usual variance.
    A hidden layer of width h may still make up for a code that is smaller by a factor of up to
    :math:`\sqrt h`; with ``hidden_layer_sizes=()`` there is none, and the penalty has the same
    meaning for any data in the same units.

    Parameters
    ----------
    weight : float, default=0.1
        The factor :math:`\lambda`, relative to the squared error in units of the mean feature
        variance.

    See Also
    --------
    KLSparsity : Makes mean activations small.
    sklearn_ae.code_activations.KSparse : Keeps the largest values of a code only.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.penalties import L1
    >>> Autoencoder(penalty=L1(0.5)).get_params()["penalty__weight"]
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="left")]
    }

    unit_norm_decoder = True

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def term(self, x: object, code: torch.Tensor, encode: object) -> torch.Tensor:
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


class KLSparsity(BaseEstimator):
    r"""Divergence of the mean activations from a small target.

    .. math:: \lambda \sum_k \Big[ \rho \log \frac{\rho}{\hat\rho_k}
        + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_k} \Big]

    where :math:`\rho` is the target and :math:`\hat\rho_k` the mean of component k over the
    batch: the Kullback-Leibler divergence between Bernoulli distributions [1]_. It needs
    ``code_activation="sigmoid"``.

    Parameters
    ----------
    target : float, default=0.05
        The mean activation :math:`\rho`, in (0, 1).

    weight : float, default=0.1
        The factor :math:`\lambda`, relative to the squared error in units of the mean feature
        variance.

    See Also
    --------
    L1 : Makes the values of a code small.
    sklearn_ae.code_activations.KSparse : Keeps the largest values of a code only.

    Notes
    -----
    Means are over the rows of a batch, the last and smaller one too, without ``sample_weight``:
    the penalty is the same number for every row.

    The penalty sees means only. A code that stays near the target in all rows is not sparse and
    costs nothing; the decoder would have to multiply by large weights, which the estimator's
    ``weight_decay`` and ``alpha`` hold back.

    References
    ----------
    .. [1] A. Ng, "Sparse autoencoder", CS294A lecture notes, Stanford University, 2011.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.penalties import KLSparsity
    >>> code = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    >>> KLSparsity(target=0.5, weight=1.0).term(None, code, None)
    tensor([0.2877, 0.2877])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "target": [Interval(Real, 0, 1, closed="neither")],
        "weight": [Interval(Real, 0, None, closed="left")],
    }

    needs_code_activation = "sigmoid"

    def __init__(self, target: float = 0.05, weight: float = 0.1) -> None:
        self.target = target
        self.weight = weight

    def term(self, x: object, code: torch.Tensor, encode: object) -> torch.Tensor:
        """Penalty of each row.

        Parameters
        ----------
        x : tensor of shape (n, n_features)
            Input of the encoder; not used.
        code : tensor of shape (n, n_components)
            The code, in [0, 1].
        encode : callable
            The encoder; not used.

        Returns
        -------
        tensor of shape (n,)
            The penalty, the same for every row.
        """
        return (self.weight * bernoulli_divergence(code, self.target)).expand(len(code))


class Contractive(BaseEstimator):
    r"""Squared Frobenius norm of the encoder's Jacobian [1]_.

    .. math:: \lambda \Big\lVert \frac{\partial z}{\partial x} \Big\rVert_F^2
        = \lambda \sum_{kj} \Big( \frac{\partial z_k}{\partial x_j} \Big)^2

    at each row: codes of near rows shall be near. An encoder of one linear layer, followed by no
    code activation or by "sigmoid", "tanh" or "relu", has it in closed form,
    :math:`\sum_k c'(a_k)^2 \lVert W_k \rVert^2`. For any other it is estimated without bias as
    :math:`\lVert J^\top v \rVert^2` with random signs :math:`v` [2]_, drawn anew for each row at
    each visit: one more pass through the encoder, whatever the width of the code.

    The layers of the decoder are kept at columns of unit norm: a smaller code and a larger
    decoder would otherwise void it. What hidden layers may still make up for is bounded, and a
    bounded code has longer columns: see :class:`L1`.

    Parameters
    ----------
    weight : float, default=0.1
        The factor :math:`\lambda`, relative to the squared error in units of the mean feature
        variance.

    See Also
    --------
    L1 : Makes the values of a code small.
    sklearn_ae.corruptions.GaussianNoise : Near rows, near codes, by noise on the input.

    Notes
    -----
    Derivatives are by the input of the network: by rows that are centred and divided by
    ``scale_``, or as they are for values in [0, 1]. Batch normalisation in the encoder makes
    the code of a row depend on the other rows, and the estimate takes in what it does to them.

    References
    ----------
    .. [1] S. Rifai, P. Vincent, X. Muller, X. Glorot and Y. Bengio, "Contractive auto-encoders:
       explicit invariance during feature extraction", ICML 2011.
    .. [2] M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for
       Laplacian smoothing splines", Communications in Statistics - Simulation and Computation
       18, 1989, :doi:`10.1080/03610918908812806`.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.penalties import Contractive
    >>> Contractive(0.5).get_params()
    {'weight': 0.5}
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="left")]
    }

    unit_norm_decoder = True

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def bind(self, network: nn.Module) -> BoundPenalty:
        """The penalty for a network, in closed form where there is one.

        Parameters
        ----------
        network : AutoencoderNetwork
            The network.

        Returns
        -------
        callable
            ``(x, code, encode, generator)`` of shape (n,).
        """
        layer = _only_layer(network)
        derivative = DERIVATIVES.get(type(network.code_activation))
        norm = estimated_jacobian
        if layer is not None and derivative is not None:
            scale = 1.0 if network.centre is None else float(network.scale)
            norm = functools.partial(
                one_layer_jacobian, layer=layer, derivative=derivative, scale=scale
            )
        return functools.partial(_weighted, norm=norm, weight=self.weight)


def _weighted(x, code, encode, generator, *, norm, weight):
    return weight * norm(x, code, encode, generator)


def _only_layer(network):
    """The linear layer that is all of the encoder, or None."""
    encoder = network.encoder
    if type(encoder) is nn.Sequential and len(encoder) == 1:
        encoder = encoder[0]
    return encoder if type(encoder) is nn.Linear and network.linear is None else None


def _without_draws(x, code, encode, generator, *, term):
    return term(x, code, encode)


def _on_device(x, code, encode, generator, *, bound, module):
    """Call a user's module, which is kept apart from what is trained, where the code is."""
    module.to(code.device)
    return bound(x, code, encode, generator)


def check_penalty(penalty: Any, code_activation: Any) -> None:
    """Raise where the penalty of an estimator is none, or needs another code activation."""
    if penalty is None:
        return
    check_instance("penalty", penalty)
    if not (hasattr(penalty, "bind") or hasattr(penalty, "term")):
        raise TypeError(
            "penalty must be None or a part with a method term(x, code, encode) or bind(network); "
            f"got {in_one_line(penalty)}."
        )
    if hasattr(penalty, "_parameter_constraints"):
        check_parameters(penalty)
    needed = getattr(penalty, "needs_code_activation", None)
    if needed not in (None, code_activation):
        raise ValueError(
            f"penalty={in_one_line(penalty)} needs code_activation={needed!r}; got "
            f"{in_one_line(code_activation)}."
        )


def make_penalty(penalty: Any, network: nn.Module) -> BoundPenalty | None:
    """A checked penalty as a function ``(x, code, encode, generator)`` of shape (n,).

    None without a penalty. A user's part is copied, so that training does not change it.
    """
    if penalty is None:
        return None
    penalty = copy.deepcopy(penalty)
    if hasattr(penalty, "bind"):
        bound = penalty.bind(network)
        module = bound
    else:
        bound = functools.partial(_without_draws, term=penalty.term)
        module = penalty
    if not isinstance(module, nn.Module):
        return bound
    for parameter in {*module.parameters()} - {*network.parameters()}:
        parameter.requires_grad_(False)  # a penalty is not trained
    return functools.partial(_on_device, bound=bound, module=module)
