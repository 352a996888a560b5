"""The optimiser: Adam with decoupled weight decay, and L2 in the objective where asked for."""

import torch


class DecayedAdam(torch.optim.Adam):
    """Adam whose first weights decay beside the objective, and may have an L2 term in it.

    Each step of a weight begins with ``w = (1 - lr * decay) * w`` (AdamW, Loshchilov and Hutter
    2019, arXiv:1711.05101); ``l2 * w``, the gradient of ``l2 / 2 * ||w||**2``, is added to the
    gradient of the objective. Parameters of one learning rate stay in one group, as the kernel of a
    step is called once per group. `step` takes no closure.

    Parameters
    ----------
    params : iterable of tensor or of dict
        Parameters, or groups of them.
    n_decayed : int or None, default=None
        The first so many parameters of a group have decay and L2; None stands for all.
    decay, l2 : float, default=0.0
        The two factors.
    **kwargs : dict
        Parameters of `torch.optim.Adam`, whose ``weight_decay`` is not used.
    """

    def __init__(self, params, *, n_decayed=None, decay=0.0, l2=0.0, **kwargs):
        super().__init__(params, **kwargs)
        for group in self.param_groups:
            group.setdefault("n_decayed", n_decayed)
            group.setdefault("decay", decay)
            group.setdefault("l2", l2)
        # a hook, since a step of its own around Adam's would run all that torch wraps a step in
        # twice
        self.register_step_pre_hook(_decay)

    def forget_gradients(self):
        """What `zero_grad` does, without what torch wraps it in: that takes a tenth of a step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def __setstate__(self, state):
        super().__setstate__(state)
        # torch copies no hooks; a state that is loaded into a living optimiser keeps its own
        if not self._optimizer_step_pre_hooks:
            self.register_step_pre_hook(_decay)


@torch.no_grad()
def _decay(optimizer, args, kwargs):
    """Add L2 to the gradients and let the weights decay, before a step."""
    for group in optimizer.param_groups:
        decay, l2 = group["decay"], group["l2"]
        if not (decay or l2):
            continue
        kept = 1.0 - group["lr"] * decay
        weights = [w for w in group["params"][: group["n_decayed"]] if w.grad is not None]
        if l2 and weights:
            torch._foreach_add_([weight.grad for weight in weights], weights, alpha=l2)
        if decay and weights:
            torch._foreach_mul_(weights, kept)
