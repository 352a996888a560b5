"""Penalties on the code: terms of shape (n,) added to the reconstruction loss.

A penalty is a part with a method ``term(x, code, encode)``: ``x`` of shape (n, n_features) and
``code`` of shape (n, n_components) are tensors, ``encode`` the function between them. One that
needs the network or random draws has ``bind(network)`` instead, which gives a function
``(x, code, encode, generator)``. Where a smaller code and a larger decoder would void it, it has
``unit_norm_decoder = True``; ``needs_code_activation`` names the code activation that it needs.
`Neighbors` is another kind: it is given the code of a neighbour beside that of each row, and keeps
the start in closed form. The formulas stand first.
"""

from __future__ import annotations

import copy
import functools
import math
import operator
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae.utils._parts import check_instance, check_parameters, in_one_line
from sklearn_ae.utils._sklearn import Interval, InvalidParameterError, StrOptions

__all__ = ["L1", "Contractive", "KLSparsity", "Neighbors"]

# Share of the start's loss that a unit of the contrastive loss of neighbours weighs.
NEIGHBORS_SHARE = 3.0
# Rows among which a row that is held out is told from others.
ROWS_TO_CONTRAST = 256
# Distances that scikit-learn and pynndescent both know.
METRICS = {"euclidean", "manhattan", "chebyshev", "cosine", "correlation"}

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


def contrastive_loss(
    code: torch.Tensor, partner: torch.Tensor, log_scale: torch.Tensor
) -> torch.Tensor:
    """Minus the log probability of telling each row's partner from all other codes: InfoNCE.

    Codes of rows and partners, of shape (n, n_components), are 2 n points. With the Cauchy kernel
    ``q = 1 / (1 + |z_i - z_j|**2 / scale**2)`` a point has the loss
    ``-log(q of its counterpart / sum of q over all other points)``; a row has the mean of its two.
    """
    points = torch.cat([code, partner])
    points = points - points.mean(0).detach()  # squares of distances are differences below
    lengths = points.square().sum(1)
    squares = torch.addmm(lengths[:, None] + lengths, points, points.T, alpha=-2.0).clamp_min(0.0)
    kernel = 1.0 / (1.0 + squares * torch.exp(-2.0 * log_scale))
    order = torch.arange(len(points), device=points.device)
    counterpart = kernel[order, order.roll(len(code))]
    others = (kernel * (order != order[:, None])).sum(1)
    return (others.log() - counterpart.log()).unflatten(0, (2, len(code))).mean(0)


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


class Neighbors(BaseEstimator):
    r"""Codes of neighbouring rows near one another, and away from all others.

    The contrastive form of t-SNE and UMAP [1]_ [2]_: with each row :math:`x_i` of a batch comes one
    of its nearest neighbours among the training rows, drawn at random. Among the codes of n rows
    and of these partners, 2 n in all, the partner :math:`p` of a code is to be told from the rest:

    .. math::
        \lambda \, c \, r \Big( - \log \frac{q(z_i, z_p)}{\sum_{j \neq i} q(z_i, z_j)} \Big),
        \qquad q(z, z') = \frac{1}{1 + \lVert z - z' \rVert^2 / s^2}

    The scale :math:`s` is learnt, so the size of the code changes nothing. The factor
    :math:`r` is the mean loss of the reconstruction before training, for the PCA start what PCA
    leaves over, and c = 3: the two parts of the objective keep their proportion whatever the
    number of features and the loss. The loss of the reconstruction stays as it is, so every point
    of the map can be decoded. Training begins at PCA; nothing is promised against it.

    Parameters
    ----------
    n_neighbors : int, default=15
        Nearest rows of which one is drawn at each visit. Equal rows count once, and none is its own
        neighbour. Fewer are taken where there are fewer other rows.

    weight : float, default=1.0
        The factor :math:`\lambda`.

    metric : {"euclidean", "manhattan", "chebyshev", "cosine", "correlation"}, default="euclidean"
        Distance of rows, centred and divided by ``scale_``.

    noise : float, default=0.3
        Standard deviation, in units of ``scale_``, of the normal noise that rows and their partners
        get in training: a row and what lies near it are to have one code. The ``corruption`` of
        the estimator, where it has one, stands in for it.

    See Also
    --------
    Contractive : Codes of near rows near one another, by derivatives.
    sklearn.manifold.TSNE : A map without a way back, and none for new rows.

    Notes
    -----
    The graph of neighbours is exact up to ``n_samples**2 * n_features`` of 1e12 ("euclidean",
    "cosine") or 3e10; beyond, pynndescent finds it where it is installed (with the extra
    ``compare``), else the exact search takes its time. In `partial_fit` neighbours are those of
    the chunk. The weight of a row weighs its own term.

    A row that is held out has always the same neighbour, a training row, and is told from the same
    255 others; a row in training is told from those of its batch, so the two curves of losses
    compare where batches have 256 rows. Neighbours are told apart slowly, so
    ``n_iter_no_change="auto"`` is twice as many epochs as without, and ``max_iter="auto"`` is
    20000 steps in at most 400 epochs.

    References
    ----------
    .. [1] S. Damrich, J. N. Böhm, F. A. Hamprecht and D. Kobak, "From t-SNE to UMAP with
       contrastive learning", ICLR 2023, :arxiv:`2206.01816`.
    .. [2] T. Sainburg, L. McInnes and T. Q. Gentner, "Parametric UMAP embeddings for
       representation and semisupervised learning", Neural Computation 33, 2021,
       :doi:`10.1162/neco_a_01434`.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.penalties import Neighbors
    >>> Autoencoder(penalty=Neighbors(n_neighbors=5)).get_params()["penalty__n_neighbors"]
    5
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "weight": [Interval(Real, 0, None, closed="left")],
        "metric": [StrOptions(METRICS)],
        "noise": [Interval(Real, 0, None, closed="left")],
    }

    keeps_start = True

    def __init__(
        self,
        n_neighbors: int = 15,
        weight: float = 1.0,
        metric: Literal[
            "euclidean", "manhattan", "chebyshev", "cosine", "correlation"
        ] = "euclidean",
        noise: float = 0.3,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weight = weight
        self.metric = metric
        self.noise = noise

    def module(self) -> nn.Module:
        """The torch module, which has the scale of the kernel as its parameter.

        Returns
        -------
        torch.nn.Module
            ``module(code, partner)`` of shape (n,), for two tensors of shape (n, n_components).
        """
        return _NeighborsTerm(self.weight)


class _NeighborsTerm(nn.Module):
    """The penalty `Neighbors` of a batch and of one neighbour of each row.

    Its buffer ``left`` is the loss of a row before training.

    Parameters
    ----------
    weight : float
        Factor of the contrastive loss.
    """

    def __init__(self, weight):
        super().__init__()
        self.weight = weight
        kind = {"dtype": torch.float32, "device": "cpu"}
        self.log_scale = nn.Parameter(torch.zeros((), **kind))
        self.register_buffer("left", torch.ones((), **kind))

    def forward(self, code, partner):
        """The penalty of each row, of shape (n,)."""
        size = len(code) if self.training else ROWS_TO_CONTRAST
        parts = zip(code.split(size), partner.split(size), strict=True)
        loss = torch.cat([contrastive_loss(*part, self.log_scale) for part in parts])
        return self.weight * NEIGHBORS_SHARE * self.left * loss


PENALTIES: dict[str, type[BaseEstimator]] = {
    "contractive": Contractive,
    "kl_sparsity": KLSparsity,
    "l1": L1,
    "neighbors": Neighbors,
}


def penalty_parts(penalty: Any) -> list[Any]:
    """The parts of an estimator's penalty: of None, a name, a part, or a list of these two."""
    if penalty is None:
        return []
    entries = penalty if isinstance(penalty, (list, tuple)) else [penalty]
    return [_part_of(entry) for entry in entries]


def _part_of(entry):
    if not isinstance(entry, str):
        return entry
    if entry not in PENALTIES:
        raise InvalidParameterError(
            f"Unknown penalty {entry!r}; use one of {sorted(PENALTIES)}, a part, or a list of them."
        )
    return PENALTIES[entry]()


def check_penalty(penalty: Any, code_activation: Any) -> None:
    """Raise where the penalty of an estimator is none, or needs another code activation."""
    parts = penalty_parts(penalty)
    if sum(isinstance(part, Neighbors) for part in parts) > 1:
        raise ValueError(
            f"penalty={in_one_line(penalty)} holds Neighbors more than once; a row has one set of "
            "neighbours."
        )
    for part in parts:
        check_instance("penalty", part)
        if not (isinstance(part, Neighbors) or hasattr(part, "bind") or hasattr(part, "term")):
            raise TypeError(
                f"A penalty must be one of {sorted(PENALTIES)}, a part with a method "
                f"term(x, code, encode) or bind(network), or a list of these; got "
                f"{in_one_line(part)}."
            )
        if hasattr(part, "_parameter_constraints"):
            check_parameters(part)
        needed = getattr(part, "needs_code_activation", None)
        if needed not in (None, code_activation):
            raise ValueError(
                f"penalty={in_one_line(part)} needs code_activation={needed!r}; got "
                f"{in_one_line(code_activation)}."
            )


def keeps_start(part: Any) -> bool:
    """Whether a penalty leaves the start in closed form where it is."""
    return bool(getattr(part, "keeps_start", False))


def neighbors_of(penalty: Any) -> Any:
    """The part `Neighbors` of an estimator's penalty, if there is one with a weight."""
    parts = (part for part in penalty_parts(penalty) if isinstance(part, Neighbors))
    return next((part for part in parts if part.weight), None)


def make_penalty(penalty: Any, network: nn.Module) -> BoundPenalty | None:
    """A checked penalty as a function ``(x, code, encode, generator)`` of shape (n,).

    None without a penalty, the sum of several. A user's part is copied, so that training does not
    change it.
    """
    parts = (part for part in penalty_parts(penalty) if not isinstance(part, Neighbors))
    functions = [_bound(part, network) for part in parts]
    if len(functions) < 2:
        return functions[0] if functions else None
    return functools.partial(_sum, functions=functions)


def _sum(x, code, encode, generator, *, functions):
    terms = (function(x, code, encode, generator) for function in functions)
    return functools.reduce(operator.add, terms)


def _bound(penalty, network):
    """One part as a function."""
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
