"""Random numbers of one fit, apart from the global states of torch and numpy."""

import contextlib
import threading

import numpy as np
import torch

# reentrant: a callback may rebuild the user's module while it is being trained
_GLOBAL_STATE_LOCK = threading.RLock()


def make_generator(seed, device="cpu"):
    """Make a generator on a device, seeded.

    Parameters
    ----------
    seed : int
        Seed.
    device : str or torch.device, default="cpu"
        Where the draws are to be made; streams differ between kinds of device.

    Returns
    -------
    torch.Generator
        The generator.
    """
    return torch.Generator(device).manual_seed(seed)


@contextlib.contextmanager
def global_state_guard(seed):
    """Run code that draws from a global state, such as a user's module being built.

    The states of torch and numpy are seeded, then put back as they were; a lock keeps fits in
    other threads from meeting inside.

    Parameters
    ----------
    seed : int
        Seed in force inside.
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
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)
