"""Gradients far longer than usual, as those of batches with outliers, are shortened."""

import math

import torch

# How many times the usual norm a gradient may have.
LARGEST_RATIO = 2.0
# Norms before the first is clipped; from then on a norm has this share of the usual one.
FIRST_NORMS = 20


class GradientClipping:
    """Shortens the gradients of an optimiser to at most twice their usual norm.

    The usual norm is an exponential average of the norms so far, as they are after clipping, so
    that one long gradient hardly raises it; of the first 20, of which none is clipped, it is the
    mean. Norms that are zero or not finite are left out. Adam divides by the root mean square of
    what it was given: without clipping, a batch with an outlier moves the weights by several times
    the learning rate, and then holds them nearly still for about ``1 / (1 - 0.999)`` steps. The
    limit follows the gradients, as no fixed one suits data of every scale; a level that rises for
    good is caught up with by 5 % a step (Seetharaman et al. 2020, "AutoClip", arXiv:2007.14469,
    take a percentile of the norms).
    """

    def __init__(self):
        self.usual, self.n_norms = 0.0, 0

    @torch.no_grad()
    def __call__(self, optimizer):
        """Shorten the gradients of all groups together."""
        gradients = _gradients(optimizer)
        if not gradients:
            return
        norm = torch.linalg.vector_norm(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        if norm.device.type == "cpu":
            factor = self.factor(float(norm))
            if factor < 1.0:  # which is rare
                _scale(gradients, factor)
        else:
            self._by_tensors(gradients, norm)

    def state(self):
        """What a fit that goes on needs: the usual norm and the number of norms behind it."""
        return [float(self.usual), int(self.n_norms)]

    def load_state(self, state):
        """Go on from the state of another."""
        self.usual, self.n_norms = state

    def factor(self, norm):
        """By how much a gradient of this norm, a float, is shortened; it counts from here on."""
        if not 0.0 < norm < math.inf:
            return 1.0
        limit = LARGEST_RATIO * self.usual if self.n_norms >= FIRST_NORMS else math.inf
        self.n_norms += 1
        share = 1.0 / min(self.n_norms, FIRST_NORMS)
        self.usual += share * (min(norm, limit) - self.usual)
        return min(1.0, limit / norm)

    def _by_tensors(self, gradients, norm):
        """The same without a read of the norm, so that a CUDA graph can hold it."""
        if isinstance(self.n_norms, int):
            self.usual = torch.full_like(norm, self.usual)
            self.n_norms = torch.full_like(norm, self.n_norms)
        counts = (norm > 0.0) & (norm < math.inf)
        limit = torch.where(self.n_norms >= FIRST_NORMS, LARGEST_RATIO * self.usual, math.inf)
        self.n_norms += counts
        share = counts / self.n_norms.clamp(1.0, FIRST_NORMS)
        held = torch.where(counts, torch.minimum(norm, limit), self.usual)
        self.usual.lerp_(held, share)
        _scale(gradients, torch.where(counts, (limit / norm).clamp(max=1.0), 1.0))


class StackedClipping:
    """The same for gradients of several networks, stacked: each is clipped by itself.

    Parameters
    ----------
    n_networks : int
        Length of the first dimension of each gradient.
    """

    def __init__(self, n_networks):
        self.each = [GradientClipping() for _ in range(n_networks)]

    @torch.no_grad()
    def __call__(self, optimizer):
        """Shorten the gradients of each network."""
        gradients = _gradients(optimizer)
        rows = [gradient.reshape(len(gradient), -1) for gradient in gradients]
        norms = torch.linalg.vector_norm(torch.cat(rows, dim=1), dim=1)
        for k, (clipping, norm) in enumerate(zip(self.each, norms.tolist(), strict=True)):
            factor = clipping.factor(norm)
            if factor < 1.0:
                _scale([gradient[k] for gradient in gradients], factor)


def _gradients(optimizer):
    """Gradients of all groups."""
    groups = optimizer.param_groups
    return [p.grad for group in groups for p in group["params"] if p.grad is not None]


def _scale(gradients, factor):
    """Multiply all gradients, in place."""
    for gradient in gradients:
        gradient.mul_(factor)
