"""Sparse rows in a fit: centred where they are looked at, dense batch by batch."""

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import LinearOperator


class SparseRows:
    """What batches need of a tensor of rows: those that are asked for, scaled and dense.

    Parameters
    ----------
    table : SparseTable of shape (n_rows, n_features)
        The rows, in the units of the data.
    scaling : Scaling
        To the network's units.
    device : torch.device or str, default="cpu"
        Where batches lie; the rows stay where they are.
    """

    def __init__(self, table, scaling, device="cpu"):
        self.table, self.scaling, self.device = table, scaling, torch.device(device)
        self.shape = table.shape  # by which scikit-learn and skorch know what takes index arrays

    def __len__(self):
        return len(self.table)

    def to(self, device):
        """The same rows, whose batches lie on a device."""
        return SparseRows(self.table, self.scaling, device)

    def index_select(self, dim, indices):
        """Rows at places, of shape (n, n_features), float32."""
        rows = self.table.csr[indices.cpu().numpy()].toarray()
        return torch.from_numpy(self.scaling.to_network(rows, np.float32)).to(self.device)

    def __getitem__(self, key):
        """Rows by number, slice, mask or table of places, and then columns, as a tensor gives."""
        if isinstance(key, tuple):
            rows = self[key[0]]
            return rows[key[1:]] if np.ndim(key[0]) == 0 else rows[:, *key[1:]]
        every = torch.arange(len(self), device="cpu")
        places = every[key.cpu() if isinstance(key, torch.Tensor) else key]
        return self.index_select(0, places.reshape(-1)).reshape(*places.shape, -1)


class CentredRows:
    """A sparse table, centred and scaled, times the roots of its weights: never written out.

    Columns of which more than half is stored are centred cell by cell, at most twice as many as are
    stored. A mean of the others is below their deviation, so that subtracting products of means
    costs no digits.

    Parameters
    ----------
    table : SparseTable of shape (n_rows, n_features)
        The rows.
    scaling : Scaling
        Centre and scale.
    weight : ndarray of shape (n_rows,) or None
        Positive weights.
    """

    def __init__(self, table, scaling, weight):
        columns, centre = table.csr.astype(np.float64).tocsc(), scaling.mean.copy()
        is_full = 2 * np.diff(columns.indptr) > len(table)
        if is_full.any():
            centred = sparse.csc_matrix(columns[:, is_full].toarray() - centre[is_full])
            order = np.argsort(np.r_[np.flatnonzero(~is_full), np.flatnonzero(is_full)])
            columns = sparse.hstack([columns[:, ~is_full], centred], format="csc")[:, order]
            centre[is_full] = 0.0
        self.scaled = columns.tocsr() / scaling.scale
        self.centre = centre / scaling.scale
        self.weight = np.ones(len(table)) if weight is None else weight
        self.roots = np.sqrt(self.weight)

    def covariance(self):
        """Products of the columns with one another, of shape (n_features, n_features)."""
        weighted = self.scaled.multiply(self.weight[:, None]).tocsr()
        sums, total = weighted.T @ np.ones(len(self.weight)), self.weight.sum()
        product = (self.scaled.T @ weighted).toarray()
        mixed = np.outer(self.centre, sums)
        product -= mixed + mixed.T
        product += total * np.outer(self.centre, self.centre)
        return product

    def gram(self):
        """Products of the rows with one another, of shape (n_rows, n_rows)."""
        along = self.scaled @ self.centre
        product = (self.scaled @ self.scaled.T).toarray()
        product -= along
        product -= along[:, None]
        product += self.centre @ self.centre
        product *= self.roots
        product *= self.roots[:, None]
        return product

    def total(self):
        """Sum of all squares."""
        squares = self.scaled.multiply(self.scaled) @ np.ones(len(self.centre))
        squares = squares - 2.0 * (self.scaled @ self.centre) + self.centre @ self.centre
        return float(self.weight @ squares)

    def operator(self):
        """The table as a linear map, for solvers that only multiply."""
        return LinearOperator(
            self.scaled.shape,
            matvec=self.times,
            rmatvec=self.transposed_times,
            matmat=self.times,
            rmatmat=self.transposed_times,
            dtype=np.float64,
        )

    def times(self, vectors):
        """The table times vectors, of shape (n_features,) or (n_features, n)."""
        return (self.roots * (self.scaled @ vectors - self.centre @ vectors).T).T

    def transposed_times(self, vectors):
        """The transposed table times vectors, of shape (n_rows,) or (n_rows, n)."""
        weighted = (self.roots * vectors.T).T
        return self.scaled.T @ weighted - np.multiply.outer(self.centre, weighted.sum(axis=0))
