"""Fitted networks: a blueprint, a scaling, units of the code and weights as arrays."""

import contextlib
import dataclasses
import threading
import weakref
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from sklearn_ae._compute import (
    global_state_guard,
    own_state,
    rows_at_once,
    slices,
    supports_float64,
)

# Modules and nets of living fitted networks. They stay out of these networks' own dictionaries,
# so that a pickle or a copy holds plain arrays only.
_BESIDE = weakref.WeakKeyDictionary()
_BESIDE_LOCK = threading.RLock()


def load_arrays(module, arrays):
    """Put one array for each entry of a module's state into it."""
    module.load_state_dict(
        {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, strict=True
    )


class NoBranch(nn.Module):
    """Zeros, of shape (n, width), for a branch beside a linear path that adds nothing to it."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        return x.new_zeros((len(x), self.width))


def without_idle_branches(task):
    """A task for inference that does not compute branches which still add nothing, as at a start.

    These are stacks of dense layers whose last layer gives zeros, beside a linear path.
    """
    network = task.network
    if getattr(network, "linear", None) is None:
        return task
    for name in ("encoder", "decoder"):
        branch = getattr(network, name)
        last = branch[-1] if isinstance(branch, nn.Sequential) else None
        if isinstance(last, nn.Linear) and not (last.weight.any() or last.bias.any()):
            setattr(network, name, NoBranch(last.out_features))
    return task


class SplitErrors(NamedTuple):
    """What a network leaves over of rows and what it does not, in the units of the data.

    Parameters
    ----------
    errors, outputs : ndarray of shape (n_rows, n_features)
        They add up to the rows; outputs may be the number 0 where only the sum is asked for.
    codes : ndarray of shape (n_rows, n_components)
        Codes in the user's units.
    """

    errors: np.ndarray
    outputs: np.ndarray
    codes: np.ndarray


class FittedNetwork:
    """A network that was fitted: all that inference needs, as plain data.

    Always kept: the blueprint, the scaling, the units of the code, the weights as arrays and the
    course of the fit. Never kept: torch objects, the device, the rows. Modules are made from the
    arrays when they are asked for and stay beside this object in memory.

    Parameters
    ----------
    blueprint : Blueprint
        What the network is built from.
    scaling : Scaling
        To the network's units and back.
    weights : dict of str to ndarray
        The state of the task.
    course : Course or None
        How training went.
    exact : Task or None
        The task in float64 on the CPU, in evaluation mode, kept beside this in memory.
    net : skorch.NeuralNet or None
        What trained it, kept in memory too.
    """

    def __init__(self, blueprint, scaling, weights, course=None, exact=None, net=None):
        self.blueprint = blueprint
        self.scaling = scaling
        self.weights = weights
        self.course = course
        self.units = None
        beside = self._beside()
        beside["net"] = net
        if exact is not None:
            beside["modules"][torch.float64, torch.device("cpu")] = without_idle_branches(exact)

    def __getstate__(self):
        # a blueprint without what it has cached
        return {**vars(self), "blueprint": dataclasses.replace(self.blueprint)}

    def __setstate__(self, state):
        vars(self).update(state)
        self.blueprint = self.blueprint.settled(None)

    # ------------------------------------------------------------------ modules

    def task(self, dtype, device):
        """The task in evaluation mode, of an exact type on a device; kept for the next call."""
        key = dtype, torch.device(device)
        modules = self._beside()["modules"]
        if key not in modules:
            # made outside the lock: a user's module may have to wait for another fit
            task = without_idle_branches(self._fresh_task()).to(device=device, dtype=dtype)
            task = task.eval().requires_grad_(False)
            with _BESIDE_LOCK:
                modules.setdefault(key, task)
        return modules[key]

    def exact_task(self, device):
        """The task in the most exact type that a device computes in, and that type."""
        exact = self._beside()["modules"].get((torch.float64, device))
        if exact is None and not supports_float64(device):
            return self.task(torch.float32, device), torch.float32
        return exact or self.task(torch.float64, device), torch.float64

    def _fresh_task(self):
        with own_state():
            task = self.blueprint.build(self.scaling).double()
            load_arrays(task, self.weights)
        return task

    def _beside(self):
        with _BESIDE_LOCK:
            return _BESIDE.setdefault(self, {"net": None, "modules": {}})

    @property
    def network(self):
        """The network in float32 on the CPU, built anew at each access."""
        with own_state():
            return self._fresh_task().float().eval().network

    @property
    def net(self):
        """The skorch net that was trained; None where that was in another process."""
        return self._beside()["net"]

    def module(self):
        """A module on rows and codes in the user's units, in float32 on the CPU, for export."""
        with own_state():
            return DataUnitsModule(self)

    # ------------------------------------------------------------------ rows through it

    def map(self, X, function, device, n_draws=1):
        """Apply ``function(task, x)`` to chunks of rows.

        ``function`` gives a tuple of tensors with rows first, of which a list of arrays is
        handed back; ``n_draws`` codes of a row are decoded together.
        """
        chunks = []
        with own_state():
            task, dtype = self._task_for(X.dtype, device)
            for rows in slices(len(X), n_draws * self.blueprint.width):
                x = torch.from_numpy(self.scaling.to_network(X[rows], dtype)).to(device)
                with torch.no_grad():
                    results = function(task, x)
                chunks.append([tensor.cpu().numpy() for tensor in results])
        return [np.concatenate(arrays) for arrays in zip(*chunks, strict=True)]

    def _task_for(self, dtype, device):
        """The task for rows of a numpy type, and the type in which it takes them."""
        if dtype == np.float64:
            task, exact = self.exact_task(device)
            return task, np.float64 if exact == torch.float64 else np.float32
        return self.task(torch.float32, device), np.float32

    def encode(self, X, device):
        """Codes of rows in the user's units, of the type of the rows."""
        (code,) = self.map(X, lambda task, x: (task.network.encode(x)[0],), device)
        return self._in_user_units(code).astype(X.dtype, copy=False)

    def _in_user_units(self, code):
        return code if self.units is None else self.units.to_user(code)

    def decode(self, Z, device):
        """Data of codes in the user's units, of the type of the codes."""
        codes = Z if self.units is None else self.units.from_user(Z)

        def function(task, rows):
            like = next(task.parameters())
            code = torch.as_tensor(codes[rows]).to(like)
            return task.expected(task.network.decode(code))

        return self._decode(function, len(Z), Z.dtype, device)

    def sample(self, n_samples, generator, device, observation_noise=True):
        """Data of codes drawn from the prior, drawn about their means or these means; float64."""

        def function(task, rows):
            like = next(task.parameters())
            shape = (rows.stop - rows.start, self.blueprint.n_components)
            code = like.new_empty(shape).normal_(generator=generator)
            output = task.network.decode(code)
            if observation_noise:
                return task.likelihood.sample(output, generator)
            return task.expected(output)

        guard = contextlib.nullcontext()
        if self.blueprint.has_user_code:  # it may draw from a global state
            guard = global_state_guard(generator.initial_seed())
        with guard:
            return self._decode(function, n_samples, np.dtype(np.float64), device)

    def _decode(self, function, n_rows, dtype, device):
        """Data from ``function(task, rows)`` over slices of rows."""
        decoded = np.empty((n_rows, self.blueprint.n_features), dtype=dtype)
        with own_state():
            task, _ = self._task_for(dtype, device)
            for rows in slices(n_rows, self.blueprint.width):
                with torch.no_grad():
                    output = function(task, rows)
                decoded[rows] = self.scaling.to_data(output.cpu().numpy())
        return decoded

    def reconstruct(self, X, device, positions=False):
        """Rows encoded and decoded, in the units of the data."""

        def function(task, x):
            code, state = task.network.encode(x)
            return (task.expected(task.network.decode(code, state if positions else None)),)

        (output,) = self.map(X, function, device)
        return self.scaling.to_data(output)

    def predict(self, X, device):
        """What the task makes of rows, in the units of the data."""
        (output,) = self.map(X, lambda task, x: (task.expected(task.predict(x)),), device)
        return self.scaling.to_data(output)

    def row_errors(self, X, device):
        """Loss of each row, float64, in the units of the data."""

        def function(task, x):
            return (task.row_error(task.network(x), x).double(),)

        (errors,) = self.map(X, function, device)
        return errors * self.scaling.unit**self.blueprint.power

    def split_errors(self, X, device, limited=True):
        """What is left over of each row and what is not, and its code: `SplitErrors`.

        Outputs are held near the range of the data only where they are to be limited.
        """

        def function(task, x):
            code, output = task.network.split(x, limited)
            return code, task.expected(output)

        code, output = self.map(X, function, device)
        output = self.scaling.to_data(output)
        return SplitErrors(X - output, output, self._in_user_units(code))

    def vector_jacobian(self, X, weigh, device):
        """Gradient over the rows of a score of their errors and outputs, of the shape of ``X``.

        ``weigh(errors, outputs)`` gives the score's gradients over these, in the units of the
        data.
        """
        # rows and outputs have one unit, so that the derivative of one over the other has none
        unit = self.scaling.unit

        def function(task, x):
            with torch.enable_grad():
                x = x.clone().requires_grad_()
                output = task.expected(task.network(x))
            left, outputs = (t.detach().cpu().double().numpy() for t in (x - output, output))
            over_errors, over_outputs = weigh(unit * left, self.scaling.to_data(outputs))
            # an error is the row less the output
            over = torch.from_numpy(over_outputs - over_errors).to(x)
            (gradient,) = torch.autograd.grad(output, x, over)
            return (gradient + torch.from_numpy(over_errors).to(x),)

        (gradient,) = self.map(X, function, device)
        return gradient.astype(np.float64, copy=False)

    def sums(self, rows, function, device):
        """Sums of what ``function(task, x, share)`` gives over chunks of the training rows.

        Rows have the rounding of float32, as training saw them, and an exact type; shares of the
        weight add up to one. It gives a tuple of tensors, as many as are handed back.
        """
        task, dtype = self.exact_task(device)
        share = relative_weight(rows)
        share = (
            torch.ones(len(rows.x), dtype=torch.float32, device="cpu") if share is None else share
        )
        share = (share / share.sum()).to(dtype)
        at_once, totals = rows_at_once(self.blueprint.width), None
        for start in range(0, len(rows.x), at_once):
            part = slice(start, start + at_once)
            x = torch.from_numpy(self.scaling.to_network(rows.x[part], np.float32))
            # sums only: small results kept between large ones would fragment the memory
            with torch.no_grad():
                found = function(task, x.to(device).to(dtype), share[part].to(device))
            totals = (
                found if totals is None else [a + b for a, b in zip(totals, found, strict=True)]
            )
        return totals


def relative_weight(rows, mean_weight=None):
    """Weights of rows over their mean, or another one, as a tensor; None where all are one."""
    if rows.weight is None:
        return None
    share = rows.weight / (rows.weight.mean() if mean_weight is None else mean_weight)
    return None if np.allclose(share, 1.0, rtol=1e-12, atol=0) else torch.from_numpy(share)


class DataUnitsModule(nn.Module):
    """Encoder and decoder of a fitted network with scaling and units of the code inside.

    Parameters
    ----------
    fitted : FittedNetwork
        The network, which is copied.
    """

    def __init__(self, fitted):
        super().__init__()
        self.task = fitted._fresh_task().float().eval().requires_grad_(False)
        scaling, units = fitted.scaling, fitted.units
        self.scale = scaling.unit
        center = scaling.mean if scaling.applied else np.zeros_like(scaling.mean)
        tensors = {"center": center}
        if units is not None:
            tensors |= {"code_mean": units.mean, "code_scale": units.scale}
            tensors |= {"code_unscale": units.unscale}
        for name in ("center", "code_mean", "code_scale", "code_unscale"):
            tensor = torch.from_numpy(tensors[name]).float() if name in tensors else None
            self.register_buffer(name, tensor)

    def encode(self, x):
        """Codes as `transform` gives them: (n, n_features) to (n, n_components)."""
        code = self.task.network.encode((x - self.center) / self.scale)[0]
        if self.code_mean is None:
            return code
        code = code - self.code_mean
        return code * self.code_scale if self.code_scale.ndim == 1 else code @ self.code_scale

    def decode(self, code):
        """Data as `inverse_transform` gives them: (n, n_components) to (n, n_features)."""
        if self.code_mean is not None:
            scale = self.code_unscale
            code = (code * scale if scale.ndim == 1 else code @ scale) + self.code_mean
        return self.task.expected(self.task.network.decode(code)) * self.scale + self.center

    def forward(self, x):
        """Reconstructions of rows."""
        return self.decode(self.encode(x))
