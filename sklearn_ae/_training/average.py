"""Exponential averages of the weights, by which a network is judged and which are kept."""

import copy

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

# Share of the average that a step keeps, once there are enough steps for it.
DECAY = 0.998
# Steps between two looks at the weights; the share that is kept is that of all of them.
STEPS_AT_ONCE = 4


class AveragedWeights:
    """A copy of a task whose weights are exponential averages of those in training.

    After step t the average keeps ``min(DECAY, (t + 1) / (t + 10))`` of itself, so that it spans
    about a tenth of a short fit and 500 steps of a long one (Polyak averaging with a warm-up, as in
    Tarvainen and Valpola 2017, arXiv:1703.01780). Buffers of floats, such as the statistics of
    batch normalisation, are averaged too; all else is copied.

    Parameters
    ----------
    task : torch.nn.Module
        The task in training.
    n_steps : int, default=0
        Steps of earlier fits that this one goes on from.

    Attributes
    ----------
    task : torch.nn.Module
        The copy, in which nothing has a gradient.
    """

    def __init__(self, task, n_steps=0):
        self.task = copy.deepcopy(task).requires_grad_(False)
        self.source = task
        self.n_steps, self.n_unseen = n_steps, 0
        # each once, however many modules share it
        self.averages, self.weights = list(self.task.parameters()), list(task.parameters())

    def after_step(self):
        """Note a step; every few of them the average moves."""
        self.n_unseen += 1
        if self.n_unseen == STEPS_AT_ONCE:
            self.catch_up()

    @torch.no_grad()
    def catch_up(self):
        """Let the average move by all steps since it last did."""
        if not self.n_unseen:
            return
        self.n_steps += self.n_unseen
        kept = min(DECAY, (self.n_steps + 1) / (self.n_steps + 10)) ** self.n_unseen
        self.n_unseen = 0
        get_ema_multi_avg_fn(kept)(self.averages, self.weights, None)
        # looked up anew, as a user's module may have put others in their place
        for average, buffer in zip(self.task.buffers(), self.source.buffers(), strict=True):
            if buffer.is_floating_point():
                # what stays, such as a mask of infinities, stays exactly
                step = torch.where(buffer == average, 0.0, buffer - average)
                average.add_(step, alpha=1.0 - kept)
            else:
                average.copy_(buffer)
