"""Random numbers of one fit, apart from the global states of torch and numpy."""

import contextlib
import threading
from typing import NamedTuple

import numpy as np
import torch

from sklearn_ae._compute.caller import own_state

# reentrant: a callback may rebuild the user's module while it is being trained
_GLOBAL_STATE_LOCK = threading.RLock()


class Seeds(NamedTuple):
    """A seed for each purpose.

    Parameters
    ----------
    order : int
        Of the order of the rows, and of what a user's code draws.
    noise : int
        Of what the task draws in training.
    validation : int
        Of the one noise table that all epochs are judged with.
    """

    order: int
    noise: int
    validation: int


def seeds_of_fit(seed, n_epochs_before):
    """Streams of a fit's own, whose numbers a fit that goes on does not meet again."""
    first = seed + 1 + 3 * n_epochs_before
    return Seeds(first, first + 1, first + 2)


def make_generator(seed, device="cpu"):
    """A seeded generator on the device of the draws; streams differ between kinds of device."""
    return torch.Generator(device).manual_seed(seed)


@contextlib.contextmanager
def global_state_guard(seed):
    """Run code that draws from a global state, such as a user's module being built.

    The states of torch and numpy are seeded, and torch's default type and device are those that
    it is imported with; then all are put back as they were. A lock keeps fits in other threads
    from meeting inside.
    """
    with _GLOBAL_STATE_LOCK:
        generators = [torch.default_generator]
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            generators += torch.cuda.default_generators
        before = [generator.get_state() for generator in generators]
        numpy_state = np.random.get_state()
        for generator in generators:
            generator.manual_seed(seed)
        np.random.set_state(np.random.RandomState(seed % 2**32).get_state())
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            with own_state():
                yield
        finally:
            torch.set_default_dtype(default)
            np.random.set_state(numpy_state)
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)
