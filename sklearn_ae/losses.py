"""Losses: what a reconstruction is judged by.

A loss is a part with a ``link``, which says how outputs relate to data, a ``power``, the power of
the data's unit that the loss has, and ``__call__(output, target)`` of shape (n,), summed over
features. With the identity link both are centred and divided by ``scale_``; with another link the
target is in the units of the data, and the output is what the link makes of these. A loss may have
``check(X)``, which raises where it does not suit the data.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae.objectives import absolute_error, categorical_log_density, huber, log_loss
from sklearn_ae.objectives import squared_error as sum_of_squares
from sklearn_ae.objectives.links import LINKS, Link, SoftmaxLink, make_link
from sklearn_ae.utils._parts import (
    check_groups,
    check_instance,
    check_parameters,
    check_range,
    in_one_line,
)
from sklearn_ae.utils._sklearn import Interval, StrOptions
from sklearn_ae.utils._sparse import dense_blocks

__all__ = ["AbsoluteError", "CrossEntropy", "Huber", "LogLoss", "SquaredError"]


class SquaredError(BaseEstimator):
    r"""Squared error, :math:`\sum_j (\hat x_j - x_j)^2`.

    Parameters
    ----------
    link : {"identity", "logit"}, default="identity"
        "logit" is for values in [0, 1]: the output passes through a sigmoid before it is compared,
        as in many recipes for images. Training then starts from random weights.

    See Also
    --------
    Huber : Grows linearly beyond a limit.
    sklearn_ae.likelihoods.Gaussian : The same as a density.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.losses import SquaredError
    >>> Autoencoder(loss=SquaredError(link="logit")).get_params()["loss__link"]
    'logit'
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"link": [StrOptions({"identity", "logit"})]}

    power: int = 2

    def __init__(self, link: Literal["identity", "logit"] = "identity") -> None:
        self.link = link

    def __call__(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Sum over features, of shape (n,)."""
        return sum_of_squares(make_link(self.link).inverse(output), target)


class AbsoluteError(BaseEstimator):
    r"""Absolute error, :math:`\sum_j |\hat x_j - x_j|`.

    See Also
    --------
    Huber : Quadratic near zero.
    sklearn_ae.likelihoods.Laplace : The same as a density.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.losses import AbsoluteError
    >>> Autoencoder(loss=AbsoluteError()).loss
    AbsoluteError()
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    link: str = "identity"
    power: int = 1

    def __call__(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Sum over features, of shape (n,)."""
        return absolute_error(output, target)


class Huber(BaseEstimator):
    r"""Huber's loss, quadratic for small errors and linear for large ones [1]_.

    For an error :math:`e` it is :math:`e^2 / 2` up to :math:`|e| = \delta` and
    :math:`\delta (|e| - \delta / 2)` beyond, summed over features.

    Parameters
    ----------
    delta : float, default=1.35
        Where it turns from square to linear, in units of the estimator's ``scale_``.

    See Also
    --------
    AbsoluteError : Linear everywhere.

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical
       Statistics 35, 1964, :doi:`10.1214/aoms/1177703732`.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.losses import Huber
    >>> Autoencoder(loss=Huber(2.0)).get_params()["loss__delta"]
    2.0
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "delta": [Interval(Real, 0, None, closed="neither")]
    }

    link: str = "identity"
    power: int = 2

    def __init__(self, delta: float = 1.35) -> None:
        self.delta = delta

    def __call__(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Sum over features, of shape (n,)."""
        return huber(output, target, delta=float(self.delta))


class LogLoss(BaseEstimator):
    r"""Cross entropy of values in [0, 1], whose logits are the output.

    :math:`-\sum_j \big[ x_j \log \hat x_j + (1 - x_j) \log (1 - \hat x_j) \big]` with
    :math:`\hat x` the sigmoid of the output.

    See Also
    --------
    CrossEntropy : For groups of values that add up to one.
    sklearn_ae.likelihoods.Bernoulli : The same as a probability.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.losses import LogLoss
    >>> Autoencoder(loss=LogLoss()).loss
    LogLoss()
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    link: str = "logit"
    power: int = 0

    def __call__(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Sum over features, of shape (n,)."""
        return log_loss(output, target)


class CrossEntropy(BaseEstimator):
    r"""Cross entropy of one-hot groups, whose logits are the output.

    :math:`-\sum_g \sum_{j \in g} x_j \log \hat x_j` with :math:`\hat x` the softmax of the output
    within each group g.

    Parameters
    ----------
    group_sizes : int, sequence of int or None, default=None
        Widths of the groups, in the order of the columns; an int for equal widths, None for
        one group of all columns.

    See Also
    --------
    LogLoss : For values in [0, 1] each by itself.
    sklearn_ae.likelihoods.Categorical : The same as a probability.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.losses import CrossEntropy
    >>> Autoencoder(loss=CrossEntropy([3, 2])).loss
    CrossEntropy(group_sizes=[3, 2])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "group_sizes": [Interval(Integral, 1, None, closed="left"), "array-like", None]
    }

    power: int = 0

    def __init__(self, group_sizes: Sequence[int] | int | None = None) -> None:
        self.group_sizes = group_sizes

    @property
    def link(self) -> SoftmaxLink:
        """Softmax within each group."""
        return SoftmaxLink(self.group_sizes)

    def check(self, X: NDArray[Any]) -> None:
        """Raise ValueError where the groups do not cover the columns or add up to one.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The data, in [0, 1].
        """
        check_groups(X, self.group_sizes, "loss=CrossEntropy")

    def __call__(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Sum over groups, of shape (n,)."""
        return -categorical_log_density(target, output, self.link)


LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "log_loss": LogLoss,
}


def make_loss(loss: Any) -> Any:
    """The parameter of an estimator as a checked part."""
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"Unknown loss {loss!r}; use one of {sorted(LOSSES)}, or a part.")
        return LOSSES[loss]()
    check_instance("loss", loss)
    missing = [name for name in ("link", "power", "__call__") if not hasattr(loss, name)]
    if missing:
        raise TypeError(
            f"loss must be one of {sorted(LOSSES)} or a part with link, power and "
            f"__call__(output, target); {in_one_line(loss)} has no {missing[0]}."
        )
    if hasattr(loss, "_parameter_constraints"):
        check_parameters(loss)
    return loss


def loss_of_task(loss: Any) -> Any:
    """A loss as a task has it: a module of the user's is copied, and is not trained."""
    if not isinstance(loss, nn.Module):
        return loss
    return copy.deepcopy(loss).requires_grad_(False)


def resolve_loss(loss: Any, X: NDArray[Any], input_name: str = "X") -> tuple[Any, Link]:
    """The loss of an estimator as a part, and its link; ValueError where data do not suit it."""
    part = make_loss(loss)
    link = part.link
    link = LINKS[link] if isinstance(link, str) and link in LINKS else make_link(link)
    if not link.scales_rows:
        check_range(X, link, f"loss={in_one_line(loss)}", input_name)
    if hasattr(part, "check"):
        for rows in dense_blocks(X):
            part.check(rows)
    return part, link
