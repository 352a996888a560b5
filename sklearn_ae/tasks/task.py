"""What training and inference ask of a task."""

from torch import nn


def check_rows(values, n_rows, what):
    """Values of a user's function; ValueError where they are not one number for each row."""
    if tuple(values.shape) != (n_rows,):
        raise ValueError(
            f"{what} must give one number per row, of shape ({n_rows},); got shape "
            f"{tuple(values.shape)}."
        )
    return values


class Task(nn.Module):
    """A network and the terms of its objective.

    A subclass has ``forward(batch, generator)``, which gives a dict of terms of shape (n,) whose
    sum is minimised, ``predict(x)`` and ``expected(output)``. A batch has the fields ``x``,
    ``target``, ``weight``, ``mask``, ``group`` and ``partners``, tensors with rows first; all but
    ``x`` may be None.

    It has the network as its attribute ``network``.
    """

    # Each has an optimiser of its own; in every step they take turns. The first one's objective
    # is that of the fit: it is recorded, and judged on the validation rows.
    players = ("network",)

    @property
    def is_stackable(self):
        """Whether several networks may be computed in one call: no term is a derivative."""
        return True

    def terms(self, player, batch, generator):
        """Terms that a player minimises, of shape (n,), by name."""
        return self(batch, generator)

    def modules_of(self, player):
        """Modules whose parameters a player's optimiser moves."""
        return self.modules()

    def begin_epoch(self, epoch):
        """Prepare for an epoch, counted from 0 over all fits that went on."""

    def predict(self, x):
        """Output of the network for a batch of rows."""
        return self.network(x)

    def expected(self, output):
        """Data that an output stands for."""
        return output
