"""The optimiser: Adam with decoupled weight decay, and L2 in the objective where asked for."""

import torch


class DecayedAdam(torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) whose groups may have an L2 term.

    The gradient of ``l2 / 2 * ||w||**2`` is added to that of the objective; the decay of AdamW
    stands beside the objective and does not depend on its scale.

    Parameters
    ----------
    params : iterable of dict
        Groups, each with ``params`` and perhaps ``l2``.
    l2 : float, default=0.0
        Weight of the term in groups that do not say.
    **kwargs : dict
        Parameters of `torch.optim.AdamW`.
    """

    def __init__(self, params, *, l2=0.0, **kwargs):
        super().__init__(params, **kwargs)
        for group in self.param_groups:
            group.setdefault("l2", l2)

    @torch.no_grad()
    def step(self, closure=None):
        """Make one step: see `torch.optim.AdamW.step`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["l2"]:
                for weight in group["params"]:
                    if weight.grad is not None:
                        weight.grad.add_(weight, alpha=group["l2"])
        super().step()
        return loss
