"""From scikit-learn's ``random_state`` to a seed, without numpy's global state."""

import numpy as np
from sklearn.utils import check_random_state


def draw_seed(random_state):
    """A seed for one call.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None takes fresh entropy and leaves numpy's global state alone.

    Returns
    -------
    int
        The seed.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(2**31 - 1))
