"""Learning rates over the steps of a fit."""

import math
from typing import NamedTuple

WARM_UP_FRACTION = 0.1
LONGEST_WARM_UP = 100
# Steps in which a constant rate rises.
CONSTANT_WARM_UP = 50
# An adaptive rate falls where the epochs that patience takes brought less than this share of all
# gain since the first epoch, over so many times the epochs before.
LEAST_GAIN, LENGTH_OF_FALL = 0.05, 1.5


class Fall(NamedTuple):
    """The fall of an adaptive rate.

    Parameters
    ----------
    n_before, n_epochs : int
        Epochs at the full rate, and those in which it then falls.
    is_early : bool
        Whether it began because little was gained, and not to end in time.
    """

    n_before: int
    n_epochs: int
    is_early: bool

    @classmethod
    def after(cls, losses, max_iter, patience, may_be_early, has_stalled=False):
        """The fall that begins after epochs with these losses, or None; it ends by ``max_iter``."""
        n_made = len(losses)
        is_early = may_be_early and (has_stalled or _gains_little(losses, patience))
        if is_early or n_made >= max_iter / (1.0 + LENGTH_OF_FALL):
            n_epochs = min(math.ceil(LENGTH_OF_FALL * n_made), max_iter - n_made)
            return cls(n_made, n_epochs, is_early)
        return None

    @property
    def end(self):
        """Epochs after which the rate is zero."""
        return self.n_before + self.n_epochs


def _gains_little(losses, patience):
    """Whether little of all gain came in the last epochs, where there are enough to tell."""
    if len(losses) <= patience:
        return False
    return losses[-1 - patience] - losses[-1] <= LEAST_GAIN * (losses[0] - losses[-1])


def constant(step):
    """Share of the learning rate at a step: a short linear rise, then all of it."""
    return min(1.0, (step + 1) / CONSTANT_WARM_UP)


def falling(step, n_steps):
    """Share of an adaptive rate at a step of its fall: linear from all of it to none."""
    return max(0.0, 1.0 - step / max(1, n_steps))


def one_cycle(step, n_steps):
    """Share of the largest learning rate at a step: a short linear rise, then a cosine to zero."""
    warm_up = max(1, min(round(WARM_UP_FRACTION * n_steps), LONGEST_WARM_UP))
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, n_steps - warm_up)
    return 0.5 * (1.0 + math.cos(math.pi * progress))
