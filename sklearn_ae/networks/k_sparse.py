"""A code of which only the largest values are kept."""

import torch
from torch import nn


class KeepLargest(nn.Module):
    """Keep the ``k`` largest values of each code, set the others to zero.

    Exactly ``k`` are kept where values are equal too, and only these pass on a gradient.

    Parameters
    ----------
    k : int
        How many are kept, at most the width of the code.
    """

    def __init__(self, k):
        super().__init__()
        self.k = k

    def forward(self, code):
        """Sparse codes: (n, n_components) to the same shape."""
        values, places = code.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(code).scatter(-1, places, values)

    def extra_repr(self):
        """What stands in the brackets of the repr."""
        return f"k={self.k}"
