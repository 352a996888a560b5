"""Seeds of the streams of one fit."""

from typing import NamedTuple


class Seeds(NamedTuple):
    """A seed for each purpose.

    Parameters
    ----------
    split : int
        Of the rows held out: the same for all fits that go on.
    order : int
        Of the order of the rows, and of what a user's code draws.
    noise : int
        Of what the task draws in training.
    validation : int
        Of the one noise table that all epochs are judged with.
    """

    split: int
    order: int
    noise: int
    validation: int


def seeds_of_fit(seed, n_epochs_before):
    """Streams of a fit's own, whose numbers a fit that goes on does not meet again."""
    first = seed + 1 + 3 * n_epochs_before
    return Seeds(seed, first, first + 1, first + 2)
