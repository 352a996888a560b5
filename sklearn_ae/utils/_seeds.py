"""From scikit-learn's ``random_state`` to seeds, without numpy's global state."""

import zlib

import numpy as np
from sklearn.utils import check_random_state


def draw_seed(random_state):
    """A seed for one call."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(2**31 - 1))


def draw_seeds(random_state, purposes):
    """A seed for one call, and a dict with a seed of its own for each purpose."""
    seed = draw_seed(random_state)
    return seed, {purpose: seed_for(purpose, seed) for purpose in purposes}


def seed_for(purpose, seed):
    """A seed of its own for one purpose: its stream has nothing in common with that of another."""
    sequence = np.random.SeedSequence([zlib.crc32(purpose.encode()), seed])
    # an int before the shift: numpy < 2 cannot shift its own 64 bits by a Python int
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1
