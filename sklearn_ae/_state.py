"""What an estimator keeps: numpy arrays on disk, torch modules beside it in memory."""

import copy
import functools
import platform
import threading
import weakref

import numpy as np
import sklearn
import torch

from sklearn_ae._version import __version__
from sklearn_ae.utils._pca_start import Moments

FORMAT_VERSION = 1

# Modules and nets of live estimators. They stay out of the estimators' own dictionaries, so that
# a pickle, a copy or a clone holds plain arrays only.
_RUNTIME = weakref.WeakKeyDictionary()
_RUNTIME_LOCK = threading.RLock()


class Frame:
    """Centre, scale, limits, start and configuration: what a first fit fixes.

    Parameters
    ----------
    moments : Moments
        Centre, scale and limits.
    start : PrincipalDirections, LinearFilter or None
        The linear map that training starts from; None where there is none, or where a fitted
        model goes on.
    config : dict
        What a network is built from, as plain data but for a user's own parts.
    fitted : bool, default=False
        Whether the frame is that of a fitted estimator.
    """

    def __init__(self, moments, start, config, fitted=False):
        self.moments = moments
        self.start = start
        self.config = config
        self.fitted = fitted

    @classmethod
    def of(cls, estimator):
        """The frame of a fitted estimator.

        Parameters
        ----------
        estimator : BaseTorchEstimator
            A fitted estimator.

        Returns
        -------
        Frame
            Its frame.
        """
        moments = Moments(estimator.mean_, estimator.scale_, estimator._n_rows, estimator._limits)
        return cls(moments, None, estimator._config, fitted=True)


class Runtime:
    """Torch objects of one fitted estimator.

    Parameters
    ----------
    weights : dict
        The arrays that the modules were made from; another dictionary means another fit.
    """

    def __init__(self, weights):
        self.weights = weights
        self.modules = {}
        self.net = None


def runtime_of(estimator):
    """Torch objects that belong to the present fit of an estimator.

    Parameters
    ----------
    estimator : BaseTorchEstimator
        A fitted estimator.

    Returns
    -------
    Runtime
        Its torch objects.
    """
    with _RUNTIME_LOCK:
        runtime = _RUNTIME.get(estimator)
        if runtime is None or runtime.weights is not estimator._weights:
            runtime = _RUNTIME[estimator] = Runtime(estimator._weights)
        return runtime


def cached_module(estimator, key, make):
    """A module of an estimator's present fit, made at the first call.

    Parameters
    ----------
    estimator : BaseTorchEstimator
        A fitted estimator.
    key : hashable
        Device and dtype of the module.
    make : callable
        Makes it.

    Returns
    -------
    torch.nn.Module
        The module.
    """
    runtime = runtime_of(estimator)
    if key not in runtime.modules:
        # made outside the lock: a user's module may have to wait for another fit
        module = make()
        with _RUNTIME_LOCK:
            runtime.modules.setdefault(key, module)
    return runtime.modules[key]


def to_numpy(tensors):
    """Copy tensors to arrays on the CPU.

    Parameters
    ----------
    tensors : dict of str to tensor
        The tensors.

    Returns
    -------
    dict of str to ndarray
        The arrays.
    """
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}


def load_arrays(module, arrays):
    """Put arrays into a module, strictly.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    arrays : dict of str to ndarray
        One for each entry of the module's state.
    """
    module.load_state_dict(
        {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, strict=True
    )


def optimizer_arrays(optimizer):
    """Moments of an optimiser, as arrays.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        The optimiser.

    Returns
    -------
    dict of int to dict of str to ndarray
        Its state per parameter.
    """
    state = optimizer.state_dict()["state"]
    return {index: to_numpy(entry) for index, entry in state.items()}


def optimizer_tensors(arrays):
    """The inverse of `optimizer_arrays`.

    Parameters
    ----------
    arrays : dict of int to dict of str to ndarray
        State per parameter.

    Returns
    -------
    dict of int to dict of str to tensor
        The same as tensors.
    """
    return {
        index: {name: torch.from_numpy(np.array(array)) for name, array in entry.items()}
        for index, entry in arrays.items()
    }


def plain_history(net):
    """Epochs of a skorch net, as plain numbers.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.

    Returns
    -------
    list of dict
        One entry per epoch, what was recorded of its batches left out.
    """
    return [
        {
            key: value.item() if hasattr(value, "item") else value
            for key, value in epoch.items()
            if key != "batches"
        }
        for epoch in net.history
    ]


def restore_on_failure(method):
    """Decorate a method so that an exception leaves the estimator as it was before the call.

    Parameters
    ----------
    method : callable
        A method that fits.

    Returns
    -------
    callable
        The method.
    """

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        before = self.__dict__.copy()
        succeeded = False
        try:
            result = method(self, *args, **kwargs)
            succeeded = True
            return result
        finally:
            if not succeeded:
                self.__dict__ = before

    return wrapper


def versions():
    """Versions that a saved estimator is marked with.

    Returns
    -------
    dict of str to str
        Versions of this package and of those that matter for loading.
    """
    return {
        "sklearn_ae": __version__,
        "torch": str(torch.__version__),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def add_format(state):
    """Mark a state with the version of its format.

    Parameters
    ----------
    state : dict
        State of an estimator.

    Returns
    -------
    dict
        A marked copy.
    """
    return {**state, "_format_version": FORMAT_VERSION, "_versions": versions()}


def check_format(state, name):
    """Take the mark off a state.

    Parameters
    ----------
    state : dict
        State made by `add_format`.
    name : str
        Class of the estimator, for the message.

    Returns
    -------
    dict
        The state without the mark.

    Raises
    ------
    ValueError
        If a newer release saved it.
    """
    state = copy.copy(state)
    version = state.pop("_format_version", FORMAT_VERSION)
    saved_with = state.pop("_versions", {})
    if version > FORMAT_VERSION:
        raise ValueError(
            f"This {name} was saved in format {version} (with {saved_with}), but this release of "
            f"sklearn_ae reads formats up to {FORMAT_VERSION}; upgrade sklearn_ae."
        )
    return state
