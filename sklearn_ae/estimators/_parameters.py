"""What the parameters may be that estimators share."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal, Protocol, TypeAlias

import torch
from numpy.typing import NDArray
from torch import nn

from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import CORRUPTIONS, Corrupt
from sklearn_ae.losses import LOSSES
from sklearn_ae.networks import ACTIVATIONS
from sklearn_ae.objectives.links import Link
from sklearn_ae.penalties import PENALTIES, BoundPenalty, Encode
from sklearn_ae.utils._sklearn import HasMethods, Interval, RealNotInt, StrOptions

# Names are written out for type checkers; a test holds them against the constraints.
Activation: TypeAlias = Literal["identity", "logistic", "tanh", "relu", "gelu", "silu"]
Init: TypeAlias = Literal["auto", "pca", "random"]


class _LossPart(Protocol):
    """A loss, ours or a user's."""

    @property
    def link(self) -> str | Link:
        """How outputs relate to data."""
        ...

    @property
    def power(self) -> float:
        """Power of the data's unit that the loss has."""
        ...

    def __call__(self, output: torch.Tensor, target: torch.Tensor, /) -> torch.Tensor:
        """Loss of each row."""
        ...


class _LikelihoodPart(Protocol):
    """A likelihood, ours or a user's."""

    @property
    def link(self) -> str | Link:
        """How outputs relate to data."""
        ...

    def check(self, X: NDArray[Any], /) -> object:
        """Raise where it does not suit the data."""
        ...

    def module(self, variance: torch.Tensor, /) -> nn.Module:
        """The torch module."""
        ...


class _CodeActivationPart(Protocol):
    """A code activation, ours or a user's."""

    def module(self) -> nn.Module:
        """The torch module."""
        ...


class _CorruptionPart(Protocol):
    """A corruption, ours or a user's."""

    def make(self) -> Corrupt:
        """The function on tensors."""
        ...


class _PenaltyTerm(Protocol):
    """A penalty that needs neither the network nor draws."""

    def term(self, x: torch.Tensor, code: torch.Tensor, encode: Encode, /) -> torch.Tensor:
        """Penalty of each row."""
        ...


class _PenaltyOfNetwork(Protocol):
    """A penalty that needs the network or draws."""

    def bind(self, network: Any, /) -> BoundPenalty:
        """The penalty for a network."""
        ...


class _PenaltyOfNeighbors(Protocol):
    """The penalty that is given the codes of neighbours."""

    def module(self) -> nn.Module:
        """The torch module."""
        ...


Architecture: TypeAlias = (
    Literal["dense"] | Convolutional | Callable[[int, int], tuple[nn.Module, nn.Module]]
)
CodeActivation: TypeAlias = (
    Literal["identity", "sigmoid", "relu", "tanh"] | _CodeActivationPart | nn.Module
)
Corruption: TypeAlias = (
    Literal["gaussian", "masking", "salt_and_pepper", "swap_noise"] | _CorruptionPart | Corrupt
)
Likelihood: TypeAlias = (
    Literal["gaussian", "laplace", "poisson", "bernoulli", "categorical"] | _LikelihoodPart
)
Loss: TypeAlias = Literal["squared_error", "absolute_error", "huber", "log_loss"] | _LossPart
Penalty: TypeAlias = (
    Literal["contractive", "kl_sparsity", "l1", "neighbors"]
    | _PenaltyOfNeighbors
    | _PenaltyTerm
    | _PenaltyOfNetwork
)

CODE_CONSTRAINTS: dict[str, Any] = {
    "n_components": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="neither"),
        None,
    ]
}

NETWORK_CONSTRAINTS: dict[str, Any] = {
    "hidden_layer_sizes": [StrOptions({"auto"}), "array-like"],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "architecture": [StrOptions({"dense"}), Convolutional, callable],
    "init": [StrOptions({"auto", "pca", "random"})],
}

LOSS_CONSTRAINTS: dict[str, Any] = {"loss": [StrOptions(set(LOSSES)), HasMethods("__call__")]}

CORRUPTION_CONSTRAINTS: list[Any] = [
    None,
    StrOptions(set(CORRUPTIONS)),
    HasMethods("make"),
    callable,
]

PENALTY_CONSTRAINTS: list[Any] = [
    None,
    StrOptions(set(PENALTIES)),
    HasMethods("term"),
    HasMethods("bind"),
    HasMethods("module"),
    list,
    tuple,
]

TRAINING_CONSTRAINTS: dict[str, Any] = {
    "max_iter": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate_init": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "learning_rate": [StrOptions({"constant", "adaptive", "one_cycle"})],
    "average": ["boolean"],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, 1, closed="left")],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "skorch_callbacks": [list, None],
    "device": [str],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
