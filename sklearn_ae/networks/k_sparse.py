"""A code of which only the largest values are kept."""

import torch
from torch import nn
from torch.nn.utils import parametrize


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


@torch.no_grad()
def tie_to_decoder(encoder, decoder):
    """Let the layer that gives the code start as the transpose of the layer that takes it.

    Columns of the decoder have unit norm then. With independent draws many components are never
    among the largest, and what is never kept never learns; that a component is large where its
    column helps keeps them alive (Gao et al. 2024, arXiv:2406.04093).
    """
    last = [layer for layer in encoder.modules() if isinstance(layer, nn.Linear)][-1]
    first = next(layer for layer in decoder.modules() if isinstance(layer, nn.Linear))
    columns = nn.functional.normalize(first.weight, dim=0)
    last.weight.copy_(columns.T)
    if not parametrize.is_parametrized(first, "weight"):  # else they have that norm already
        first.weight.copy_(columns)
