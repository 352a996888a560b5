"""Batches by index selection from tensors that stay on the device."""

import functools

import torch
from skorch.dataset import Dataset
from torch.utils.data import Subset

FIELDS = ("x", "target", "weight", "mask", "group", "partners")


class Batch(tuple):
    """Rows and what belongs to them, as tensors of any dtype and rank with rows first.

    To skorch and its callbacks it is the pair (x, target), or (x, x) where there is no target.

    Parameters
    ----------
    x : tensor of shape (n, ...)
        Rows.
    target, weight, mask, group, partners : tensors of shape (n, ...) or None
        What belongs to them; see `Rows`.
    """

    def __new__(cls, x, **fields):
        target = fields.get("target")
        batch = super().__new__(cls, (x, x if target is None else target))
        batch.x = x
        for name in FIELDS[1:]:
            setattr(batch, name, fields.get(name))
        return batch

    def __getnewargs_ex__(self):
        return (self.x,), {name: getattr(self, name) for name in FIELDS[1:]}

    def map(self, function):
        """A batch of what ``function`` makes of each tensor."""
        fields = {name: getattr(self, name) for name in FIELDS}
        return Batch(
            **{name: None if field is None else function(field) for name, field in fields.items()}
        )


class RowsOnDevice(Subset):
    """Some of the rows on the device, as a skorch data set.

    Parameters
    ----------
    everything : Batch
        All rows; they are not copied.
    indices : tensor of int64
        The rows meant, on the device of ``everything``.
    """

    def __init__(self, everything, indices):
        # skorch selects rows by a numpy array, batches by a tensor on the device
        super().__init__(Dataset(*everything), indices.cpu().numpy())
        self.rows = indices
        self.everything = everything

    @property
    def weight(self):
        """Weights of these rows; None where all are one."""
        return self._field("weight")

    @property
    def group(self):
        """Groups of these rows; None where each is its own."""
        return self._field("group")

    def _field(self, name):
        field = getattr(self.everything, name)
        return None if field is None else field.index_select(0, self.rows)

    @functools.cached_property
    def total_weight(self):
        """Sum of the weights of these rows, or their number."""
        return float(len(self)) if self.weight is None else self.weight.double().sum().item()

    def select(self, indices, noise=None):
        """The rows at ``indices``, positions among all rows, as a batch.

        Partners are given as places. Of those of a row ``noise``, a generator, draws one; without
        it the row is always given the same. The batch holds these rows themselves.
        """
        batch = self.everything.map(lambda field: field.index_select(0, indices))
        if batch.partners is not None:
            size = batch.partners.shape
            if noise is None:
                column = indices % size[1]
            else:
                column = torch.randint(size[1], size[:1], generator=noise, device=indices.device)
            places = batch.partners.gather(1, column[:, None])[:, 0]
            batch.partners = self.everything.x.index_select(0, places)
        return batch


class IndexBatches:
    """Batches of rows on the device; a last batch of one row is merged with the one before.

    Parameters
    ----------
    rows : RowsOnDevice
        The rows.
    batch_size : int
        Rows per batch.
    generator : torch.Generator or None
        On the CPU; shuffles the rows in each epoch. None keeps their order.
    noise : torch.Generator or None
        On the device; draws one of the partners of a row.
    """

    def __init__(self, rows, batch_size, generator=None, noise=None):
        self.rows = rows
        self.generator = generator
        self.noise = noise
        n_rows = len(rows)
        self.sizes = [batch_size] * (n_rows // batch_size)
        tail = n_rows % batch_size
        if tail == 1 and self.sizes:
            self.sizes[-1] += 1
        elif tail:
            self.sizes.append(tail)

    def __len__(self):
        return len(self.sizes)

    def order(self):
        """Indices of this epoch, in order of visit, on the device."""
        indices = self.rows.rows
        if self.generator is None:
            return indices
        permutation = torch.randperm(len(indices), generator=self.generator, device="cpu")
        return indices.index_select(0, permutation.to(indices.device))

    def __iter__(self):
        for indices in self.order().split(self.sizes):
            yield self.rows.select(indices, self.noise)
