"""Gradients far longer than usual, as those of batches with outliers, are shortened."""

import math

import torch

# How many times the usual norm a gradient may have.
LARGEST_RATIO = 2.0
# Share that the usual norm keeps of itself in a step, once there are enough steps for it.
DECAY = 0.99


class GradientClipping:
    """A hook before the steps of an optimiser: norms of at most twice the usual one.

    The usual norm is an exponential average of the norms so far, as they are after clipping, so
    that one long gradient does not raise it much. Adam divides by the root mean square of what it
    was given: without clipping, a batch with an outlier moves the weights by several times the
    learning rate, and then holds them nearly still for about ``1 / (1 - 0.999)`` steps. The limit
    follows the gradients, as no fixed one suits data of every scale (Seetharaman et al. 2020,
    "AutoClip", arXiv:2007.14469, take a percentile of the norms for it).
    """

    def __init__(self):
        self.usual, self.n_steps = 0.0, 0

    @torch.no_grad()
    def __call__(self, optimizer, args, kwargs):
        """Shorten the gradients of all groups together."""
        groups = optimizer.param_groups
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        if not gradients:
            return
        norm = torch.linalg.vector_norm(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        if norm.device.type == "cpu":
            self._by_floats(gradients, float(norm))
        else:
            self._by_tensors(gradients, norm)

    def state(self):
        """What a fit that goes on needs: the usual norm and the number of steps behind it."""
        return [float(self.usual), int(self.n_steps)]

    def load_state(self, state):
        """Go on from the state of another."""
        self.usual, self.n_steps = state

    def _by_floats(self, gradients, norm):
        """Clip where that is needed, which is rare, with the fewest calls of torch."""
        # a gradient of zeros says nothing about those that follow
        limit = LARGEST_RATIO * self.usual or math.inf
        self.n_steps += 1
        share = max(1.0 - DECAY, 1.0 / self.n_steps)
        self.usual += share * (min(norm, limit) - self.usual)
        if not norm <= limit:
            _scale(gradients, limit / norm)

    def _by_tensors(self, gradients, norm):
        """The same without a read of the norm, so that a CUDA graph can hold it."""
        if isinstance(self.n_steps, int):
            self.usual = torch.full_like(norm, self.usual)
            self.n_steps = torch.full_like(norm, self.n_steps)
        limit = torch.where(self.usual > 0, LARGEST_RATIO * self.usual, math.inf)
        self.n_steps += 1
        share = (1.0 / self.n_steps).clamp(min=1.0 - DECAY)
        self.usual.lerp_(torch.minimum(norm, limit), share)
        _scale(gradients, (limit / norm).clamp(max=1.0))


def _scale(gradients, factor):
    """Multiply all gradients, in place."""
    for gradient in gradients:
        gradient.mul_(factor)
