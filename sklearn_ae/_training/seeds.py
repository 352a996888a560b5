"""Random numbers of one fit, apart from the global states of torch."""

import contextlib
import threading

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
    """Run code that draws from torch's global state, such as a user's module being built.

    The state is seeded, then put back as it was; a lock keeps fits in other threads from
    meeting inside.

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
        for generator in generators:
            generator.manual_seed(seed)
        try:
            yield
        finally:
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)
