"""Learning rates over the steps of a fit."""

import math

WARM_UP_FRACTION = 0.1
LONGEST_WARM_UP = 100
# Steps in which a constant rate rises.
CONSTANT_WARM_UP = 50


def constant(step):
    """Share of the learning rate at a step: a short linear rise, then all of it."""
    return min(1.0, (step + 1) / CONSTANT_WARM_UP)


def one_cycle(step, n_steps):
    """Share of the largest learning rate at a step: a short linear rise, then a cosine to zero."""
    warm_up = max(1, min(round(WARM_UP_FRACTION * n_steps), LONGEST_WARM_UP))
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, n_steps - warm_up)
    return 0.5 * (1.0 + math.cos(math.pi * progress))
