"""Batches by index selection from tensors that stay on the device."""

import torch
from skorch.dataset import Dataset
from torch.utils.data import Subset


class Batch(tuple):
    """A pair (x, x) as skorch expects, with the weights of its rows beside it.

    Parameters
    ----------
    x : tensor of shape (n, n_features)
        Rows.
    weight : tensor of shape (n,) or None
        Their weights.
    """

    def __new__(cls, x, weight=None):
        batch = super().__new__(cls, (x, x))
        batch.weight = weight
        return batch


class Part(Subset):
    """Some rows of a table on the device, as a skorch data set.

    Parameters
    ----------
    data : tensor of shape (n, n_features)
        The whole table; it is not copied.
    weight : tensor of shape (n,) or None
        Weights of its rows.
    indices : tensor of int64
        Rows of this part, on the device of ``data``.
    """

    def __init__(self, data, weight, indices):
        # skorch selects rows by a numpy array, batches by a tensor on the device
        super().__init__(Dataset(data, data), indices.cpu().numpy())
        self.rows = indices
        self.data = data
        self.weight = weight

    def select(self, indices):
        """The rows at ``indices``, positions in the whole table, as a batch."""
        weight = None if self.weight is None else self.weight.index_select(0, indices)
        return Batch(self.data.index_select(0, indices), weight)


class IndexBatches:
    """Batches of a part; a last batch of one row is merged with the one before.

    Parameters
    ----------
    part : Part
        The rows.
    batch_size : int
        Rows per batch.
    generator : torch.Generator or None
        On the CPU; shuffles the rows at each pass. None keeps their order.
    """

    def __init__(self, part, batch_size, generator=None):
        self.part = part
        self.generator = generator
        n_rows = len(part)
        self.sizes = [batch_size] * (n_rows // batch_size)
        tail = n_rows % batch_size
        if tail == 1 and self.sizes:
            self.sizes[-1] += 1
        elif tail:
            self.sizes.append(tail)

    def __len__(self):
        return len(self.sizes)

    def order(self):
        """Indices of this pass, in order of visit, on the device."""
        indices = self.part.rows
        if self.generator is None:
            return indices
        permutation = torch.randperm(len(indices), generator=self.generator)
        return indices.index_select(0, permutation.to(indices.device))

    def __iter__(self):
        for indices in self.order().split(self.sizes):
            yield self.part.select(indices)
