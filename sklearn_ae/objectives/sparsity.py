"""How sparse a code is."""

from __future__ import annotations

from torch import Tensor


def hoyer(code: Tensor) -> Tensor:
    """Sparsity of each code (Hoyer 2004, https://www.jmlr.org/papers/v5/hoyer04a.html).

    Gives, of shape (n,), ``(sqrt(d) - l1 / l2) / (sqrt(d) - 1)`` with the norms of the code: 0
    where all values are equally large, 1 where all but one are zero; 1 for a code of zeros or
    of one component.
    """
    width = code.shape[-1] ** 0.5
    if width == 1:
        return code.new_ones(code.shape[:-1])
    # a code of zeros has no direction: it counts as one that has a single one
    ratio = code.abs().sum(-1) / code.norm(dim=-1).clamp(min=1e-30)
    return ((width - ratio) / (width - 1.0)).clamp(max=1.0)
