"""Blueprints: what a network and its task are built from, as plain data."""

import dataclasses
import re
import types
from dataclasses import dataclass, field
from numbers import Integral, Number

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklearn_ae._fitting.branches import (
    auto_hidden_layer_sizes,
    draw_branches,
    make_architecture,
)
from sklearn_ae._fitting.principal import PrincipalStart, principal_directions
from sklearn_ae._fitting.scaling import table_limits, table_scaling
from sklearn_ae.networks import LinearPath, OutputLimits
from sklearn_ae.objectives import make_link
from sklearn_ae.utils._parts import is_foreign

# Values that are compared as they are, numpy's among them.
PLAIN = (Number, np.bool_, str)
# What differs in the repr of a copy.
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def training_only(**kwargs):
    """A field that matters in training only: it may change where a fit goes on."""
    return field(compare=False, **kwargs)


@dataclass(kw_only=True)
class Blueprint:
    """What a network and its task are built from, as plain data but for a user's own parts.

    A subclass answers the questions of a fit in the order in which they are asked: `scaling`,
    `start`, `settled`, `build`, `draw`, `for_training`.

    Parameters
    ----------
    seed : int
        Seed of the fit: of its split, its weights and its draws.
    """

    seed: int

    # Learning rate behind "auto".
    auto_learning_rate = 1e-3

    @property
    def has_start(self):
        """Whether there is a start that training has to beat."""
        return False

    @property
    def width(self):
        """Numbers that a row takes at most on its way through the network."""
        raise NotImplementedError

    @property
    def has_user_code(self):
        """Whether a user's part takes part, which may draw from torch's global state."""
        return any(is_foreign(value) for value in self._parts())

    def _parts(self):
        """Parts among the fields, by value."""
        return ()

    def candidates(self):
        """Blueprints of which the rows held out choose one; mostly this one alone."""
        return [self]

    def scaling(self, rows):
        """Centre and scale of the rows."""
        raise NotImplementedError

    def start(self, rows, scaling):
        """Where training begins and what is kept unless it is beaten; None for random weights."""
        return None

    def settled(self, start):
        """The blueprint with what the user leaves to the start, such as the width of the code."""
        return self

    def settled_as(self, other):
        """The blueprint with what the user leaves open as it is in another one."""
        return self

    def build(self, scaling):
        """The task, weights not drawn."""
        raise NotImplementedError

    def draw(self, task, start, generator):
        """Draw the weights of a task and lay the start."""
        raise NotImplementedError

    def for_training(self, task, scaling):
        """Give a task what it needs in training only."""

    def tensors(self, rows, scaling):
        """What batches are made of, by field: tensors on the CPU, floating ones in float32."""
        tables = {"x": rows.x, "target": rows.target}
        return {
            name: torch.from_numpy(scaling.to_network(table, np.float32))
            for name, table in tables.items()
            if table is not None
        }

    def code_units(self, fitted, rows, start, device):
        """Units of the code of a fitted network; None where there are none."""
        return None

    def keeps_units(self, one_epoch):
        """Whether a network that goes on, for one epoch or more, keeps the units of its code."""
        return True

    def seeded(self, seed):
        """The same blueprint with another seed."""
        return dataclasses.replace(self, seed=seed)

    def first_change(self, other):
        """Name, old and new value of the first fixed field in which another one differs."""
        for one in dataclasses.fields(self):
            old, new = getattr(self, one.name), getattr(other, one.name)
            if one.compare and not _same(new, old):
                return one.name, old, new
        return None


@dataclass(kw_only=True)
class EncoderDecoderBlueprint(Blueprint):
    """An encoder and a decoder with a code between them, and a linear path beside both.

    Parameters
    ----------
    n_features : int
        Width of the data.
    n_components : int, float in (0, 1) or None
        Width of the code; what is no int is settled by PCA's rule.
    hidden_layer_sizes : tuple of int or "auto"
        Widths of the encoder's dense hidden layers.
    activation : str
        Activation of the hidden layers.
    architecture : str, part or callable
        The architecture.
    init : {"pca", "random"}
        Whether there is a linear path that starts at a closed form.
    """

    n_features: int
    n_components: int | float | None
    hidden_layer_sizes: object
    activation: str
    architecture: object
    init: str

    @property
    def link(self):
        """How outputs relate to data."""
        return make_link("identity")

    @property
    def linear(self):
        """Whether a linear path stands beside the network."""
        return self.init == "pca"

    @property
    def has_start(self):
        """Whether there is a start that training has to beat."""
        return self.linear

    @property
    def branches(self):
        """What builds encoder and decoder."""
        return make_architecture(
            self.architecture, self.hidden_layer_sizes, self.activation, self.linear, self.seed
        )

    @property
    def width(self):
        """Numbers that a row takes at most: of the data, the code twice, the widest layer."""
        return max(self.n_features, 2 * self.n_components, self.branches.widest)

    def _parts(self):
        return (self.architecture,)

    def auto_hidden_layer_sizes(self, n_components):
        """Widths of the dense hidden layers where the user leaves them to us."""
        return auto_hidden_layer_sizes(self.architecture, self.n_features, n_components)

    def scaling(self, rows):
        """Centre, scale and limits of the rows that are to be met."""
        scaling = table_scaling(rows.wanted, rows.weight)
        scaling.applied = self.link.scales_rows
        # only a network that starts at PCA and may leave the plane
        if self.linear and not self.branches.is_linear:
            scaling.limits = table_limits(rows.wanted, rows.weight)
        return scaling

    def start(self, rows, scaling):
        """PCA, which also says how wide the code is where that is no int."""
        if self.linear or not isinstance(self.n_components, Integral):
            return PrincipalStart(self.directions(rows, scaling))
        return None

    def directions(self, rows, scaling):
        """Principal directions of the rows that are to be met."""
        return principal_directions(rows.wanted, scaling, self.n_components, rows.weight, self.seed)

    def settled(self, start):
        """The blueprint with the width of the code and of the hidden layers."""
        n_components = self.n_components
        if not isinstance(n_components, Integral):
            n_components = len(start.directions)
        return self._with_width(int(n_components))

    def settled_as(self, other):
        """The blueprint with a width of the code as another one has it, where it has none."""
        is_given = isinstance(self.n_components, Integral)
        return self._with_width(int(self.n_components) if is_given else other.n_components)

    def _with_width(self, n_components):
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            sizes = self.auto_hidden_layer_sizes(n_components)
        return dataclasses.replace(self, n_components=n_components, hidden_layer_sizes=sizes)

    def beside_the_branches(self, scaling):
        """Parts of every network that stand beside its encoder and decoder."""
        rescales = not scaling.applied
        offset = None
        if rescales:  # outputs behind a link start at the mean of the data
            offset = self.link.link(torch.from_numpy(scaling.smoothed_mean()))
        return {
            "linear": LinearPath(self.n_features, self.n_components) if self.linear else None,
            "centre": torch.from_numpy(scaling.mean) if rescales else None,
            "scale": scaling.scale if rescales else 1.0,
            "offset": offset,
            "limits": None if scaling.limits is None else OutputLimits(scaling.scaled_limits()),
        }

    def draw(self, task, start, generator):
        """Draw the weights of encoder and decoder, and lay the start."""
        draw_branches(task.network, self.branches, generator)
        if self.linear:
            start.lay(task, generator)


def _same(new, old):
    """Whether two values of a field, one of them a copy, say the same.

    A user's part is what its repr tells, but for addresses: of one that tells nothing, the copy
    that the first fit made goes on.
    """
    if new is old:
        return True
    if isinstance(new, PLAIN) and isinstance(old, PLAIN):
        return bool(new == old)
    if type(new) is not type(old) or isinstance(new, types.FunctionType):
        return False  # a copy of a function is the function itself
    if isinstance(new, (list, tuple)):
        return len(new) == len(old) and all(map(_same, new, old))
    if isinstance(new, BaseEstimator):  # its repr leaves out what is long
        parameters = (list(part.get_params(deep=False).items()) for part in (new, old))
        return _same(*parameters)
    return ADDRESS.sub("", repr(new)) == ADDRESS.sub("", repr(old))
