"""What every blueprint answers, and what those of an encoder and a decoder share."""

import dataclasses
import functools
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
from sklearn_ae._fitting.principal import principal_start, random_start
from sklearn_ae._fitting.scaling import table_scaling
from sklearn_ae._fitting.sparse import SparseRows
from sklearn_ae.networks import LinearPath, OutputLimits
from sklearn_ae.objectives.links import LINKS
from sklearn_ae.utils._parts import is_foreign
from sklearn_ae.utils._sparse import is_sparse

# Values that are compared as they are, numpy's among them.
PLAIN = (Number, np.bool_, str)
# What differs in the repr of a copy.
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def training_only(**kwargs):
    """A field that matters in training only: it may change where a fit goes on."""
    return field(compare=False, **kwargs)


def follows_from(parameter, value, **kwargs):
    """A field that follows from a parameter of another name, whose value another field has."""
    return field(metadata={"parameter": parameter, "value": value}, **kwargs)


@dataclass(kw_only=True)
class Blueprint:
    """What a network and its task are built from, as plain data but for a user's own parts.

    A subclass answers the questions of a fit in the order in which they are asked: `scaling`,
    `start`, `settled`, `tensors`, `build`, `draw`, `for_training`, `code_units`.

    Parameters
    ----------
    seed : int
        Seed of the fit: of its split, its weights and its draws.

    Attributes
    ----------
    width : int
        Numbers that a row takes in the widest layer, from which the rows of a chunk are computed;
        known once settled.
    """

    seed: int
    width: int = field(init=False, default=1, compare=False)

    # "pca" where there is a start in closed form that training has to beat.
    init = "random"
    # Whether the rows held out are to choose among `candidates`.
    is_open = False
    # Whether a user's part takes part, which may draw from torch's global state.
    has_user_code = False
    # Whether a row needs others beside it in training.
    has_neighbors = False
    # Learning rate behind "auto".
    auto_learning_rate = 1e-3
    # Fields that may hold a user's part.
    parts = ()
    # Units of the code, a method ``(fitted, rows, start, device)``, where there are some.
    code_units = None

    def scaling(self, rows):
        """Centre and scale of the rows."""
        raise NotImplementedError

    def start(self, rows, scaling):
        """Where training begins; with ``init="pca"`` it is kept unless it is beaten."""
        return None

    def settled(self, start):
        """The blueprint with what the user leaves to the start, such as the width of the code."""
        return self

    def settled_as(self, other):
        """The blueprint with what the user leaves open as it is in another one."""
        return self

    def candidates(self):
        """Blueprints of which the rows held out choose one; the first where they cannot."""
        return [self]

    def tensors(self, rows, scaling):
        """What batches are made of, by field: tensors on the CPU, floating ones in float32.

        Sparse rows are made dense batch by batch, by what stands for their tensor.
        """
        if is_sparse(rows.x):
            return {"x": SparseRows(rows.x, scaling)}
        tensors = {"x": torch.from_numpy(scaling.to_network(rows.x, np.float32))}
        if rows.target is not None:
            tensors["target"] = torch.from_numpy(scaling.to_network(rows.target, np.float32))
        return tensors

    def with_neighbors(self, everything, places, tasks, trains):
        """Give all rows their neighbours among some of them, and what tasks are to know of them.

        ``tasks`` are those of a first fit, before training; there are none where it goes on. Where
        nothing ``trains``, neighbours are not looked for.
        """

    def most_components(self, n_rows):
        """Directions that a start may take of so many rows, as far as is known."""
        return 0

    def build(self, scaling, start=None):
        """The task, weights not drawn; ``start`` is given where they will be."""
        raise NotImplementedError

    def draw(self, task, start, generator):
        """Draw the weights of a task and lay the start."""
        raise NotImplementedError

    def check(self, X, input_name="X"):
        """Raise ValueError where rows are not such as a fit takes; its scores ask for it too."""

    def for_training(self, task, scaling, start):
        """Give a task what it needs in training only; ``start`` is None where a fit goes on.

        A true result says that training begins at other weights than those of the start, which
        the gate compares it with.
        """

    def keeps_units(self, one_epoch):
        """Whether a network that goes on, for one epoch or more, keeps the units of its code."""
        return True

    def first_change(self, other):
        """Parameter, old and new value of the first fixed field in which another one differs."""
        for one in dataclasses.fields(self):
            if one.compare and not _same(getattr(other, one.name), getattr(self, one.name)):
                value = one.metadata.get("value", one.name)
                name = one.metadata.get("parameter", one.name)
                return name, getattr(self, value), getattr(other, value)
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
    asked_n_components : int, float in (0, 1) or None
        That width as the user gave it.
    hidden_layer_sizes : tuple of int or "auto"
        Widths of the encoder's dense hidden layers.
    activation : str
        Activation of the hidden layers.
    architecture : str, part or callable
        The architecture.
    init : {"pca", "random"}
        Whether there is a linear path that starts at a closed form.
    link : Link
        How outputs relate to data; the loss or the likelihood says it.
    asked : str or part
        That loss or likelihood as the user gave it: for messages, and for the check of rows that
        are scored.
    auto_learning_rate : float
        Learning rate behind "auto".
    obstacle : str or None
        What stands in the way of a start in closed form, for messages.
    """

    n_features: int
    asked_n_components: int | float | None = follows_from(
        "n_components", "asked_n_components", default=None
    )
    n_components: int | float | None
    hidden_layer_sizes: object
    activation: str
    architecture: object
    init: str
    link: object = training_only(default=LINKS["identity"])
    asked: object = training_only(default=None)
    auto_learning_rate: float = training_only(default=1e-3)
    obstacle: str | None = training_only(default=None)

    # Outputs of the encoder for each component of the code.
    outputs_per_component = 1
    # Whether the decoder's columns are kept at unit norm.
    unit_norm = False

    def most_components(self, n_rows):
        """Width of the code, where it is no share of the variance."""
        if self.n_components is None:
            return min(n_rows, self.n_features)
        return self.n_components if isinstance(self.n_components, Integral) else 0

    @property
    def linear(self):
        """Whether a linear path stands beside the network."""
        return self.init == "pca"

    @functools.cached_property
    def branches(self):
        """What builds encoder and decoder."""
        return make_architecture(
            self.architecture, self.hidden_layer_sizes, self.activation, self.linear, self.seed
        )

    @property
    def is_linear(self):
        """Whether the whole is a linear map, which spans a subspace as PCA does."""
        is_flat = self.hidden_layer_sizes == () or self.activation == "identity"
        return isinstance(self.architecture, str) and is_flat

    def auto_hidden_layer_sizes(self, n_components):
        """Widths of the dense hidden layers where the user leaves them to us."""
        return auto_hidden_layer_sizes(self.architecture, self.n_features, n_components)

    def scaling(self, rows):
        """Centre, scale and limits of the rows that outputs are to meet."""
        # limits serve a network that starts at PCA and may leave the plane
        has_limits = self.linear and not self.is_linear
        applied = self.link.scales_rows
        return table_scaling(_wanted(rows), rows.weight, has_limits=has_limits, applied=applied)

    def start(self, rows, scaling):
        """PCA, or random weights with its directions where these say how wide the code is."""
        if self.init == "pca":
            make_start = principal_start
        elif isinstance(self.n_components, Integral):
            return None
        else:
            make_start = random_start
        return make_start(_wanted(rows), scaling, self.n_components, rows.weight, self.seed)

    def settled(self, start):
        """The blueprint with the width of the code and of the hidden layers."""
        n_components = self.n_components
        if not isinstance(n_components, Integral):
            n_components = len(start.directions.components)
        return self._with_width(int(n_components))

    def settled_as(self, other):
        """The blueprint with a width of the code as another one has it, where it has none."""
        is_given = isinstance(self.n_components, Integral)
        return self._with_width(int(self.n_components) if is_given else other.n_components)

    def _with_width(self, n_components):
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            sizes = self.auto_hidden_layer_sizes(n_components)
        settled = dataclasses.replace(self, n_components=n_components, hidden_layer_sizes=sizes)
        settled.width = max(self.n_features, 2 * n_components, settled.branches.widest)
        settled.has_user_code = any(is_foreign(getattr(self, name)) for name in self.parts)
        return settled

    def build(self, scaling, start=None):
        """The task, weights not drawn."""
        n_features, n_components = self.n_features, self.n_components
        encoder, decoder = self.branches.build(
            n_features, n_components, self.outputs_per_component * n_components
        )
        offset, limits = None, scaling.limits
        if not scaling.applied:  # outputs behind a link start at the mean of the data
            offset = self.link.link(torch.from_numpy(scaling.smoothed_mean()))
        beside = {
            "linear": LinearPath(n_features, n_components) if self.linear else None,
            "centre": None if scaling.applied else torch.from_numpy(scaling.mean),
            "scale": 1.0 if scaling.applied else scaling.scale,
            "offset": offset,
            "limits": None,
        }
        if limits is not None:
            beside["limits"] = OutputLimits((limits - scaling.mean) / scaling.scale)
        return self.task(encoder, decoder, beside, scaling, start)

    def task(self, encoder, decoder, beside, scaling, start):
        """The task around encoder and decoder; ``beside`` is what stands beside them."""
        raise NotImplementedError

    def draw(self, task, start, generator):
        """Draw the weights of encoder and decoder, and lay the start."""
        draw_branches(task.network, self.branches, generator)
        if start is not None:
            start.lay(task, generator)
        if self.unit_norm:
            self.centre(task.network)


def _wanted(rows):
    """Rows that outputs are to meet."""
    return rows.x if rows.target is None else rows.target


def _same(new, old):
    """Whether two values of a field, one of them a copy, say the same.

    A user's part is what its repr tells, but for addresses: attributes may be changed by use, such
    as a counter of calls. Of one that tells nothing no change is seen, and the new one goes on.
    """
    if new is old:
        return True
    if isinstance(new, PLAIN) and isinstance(old, PLAIN):
        return bool(new == old or (new != new and old != old))
    if type(new) is not type(old) or isinstance(new, types.FunctionType):
        return False  # a copy of a function is the function itself
    if isinstance(new, (np.ndarray, torch.Tensor)):
        return new.shape == old.shape and new.dtype == old.dtype and bool((new == old).all())
    if isinstance(new, (list, tuple)):
        return len(new) == len(old) and all(map(_same, new, old))
    if isinstance(new, BaseEstimator):  # its repr leaves out what is long
        parameters = (list(part.get_params(deep=False).items()) for part in (new, old))
        return _same(*parameters)
    return ADDRESS.sub("", repr(new)) == ADDRESS.sub("", repr(old))
