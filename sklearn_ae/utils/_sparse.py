"""Rows of a sparse matrix, of which a few are dense at a time."""

import numpy as np
from scipy import sparse

# Numbers that are dense at a time.
BLOCK_NUMBERS = 2**22


class SparseTable:
    """A sparse matrix whose rows are read as those of an array are: dense, a slice at a time.

    One row and a slice of rows are arrays; rows at an index array are another table.

    Parameters
    ----------
    matrix : sparse matrix or array of shape (n_rows, n_columns)
        The matrix, of floats; it is neither changed nor copied, but where a cell is stored twice.

    Attributes
    ----------
    matrix : sparse matrix or array
        As it was given.
    csr : scipy.sparse.csr_matrix
        The rows.
    """

    def __init__(self, matrix):
        csr = sparse.csr_matrix(matrix)
        if not csr.has_canonical_format:
            csr = csr.copy()
            csr.sum_duplicates()
        self.matrix, self.csr = matrix, csr
        self.shape, self.dtype = csr.shape, csr.dtype

    @property
    def size(self):
        """Numbers that the table would have as an array."""
        return self.shape[0] * self.shape[1]

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            return self.csr[rows].toarray()
        if np.ndim(rows) == 0:
            return self.csr[[rows]].toarray()[0]
        return SparseTable(self.csr[rows])

    def min(self):
        """The least number, zero among them where a cell is empty."""
        return self.csr.min()

    def max(self):
        """The greatest number, zero among them where a cell is empty."""
        return self.csr.max()

    def column_sums(self, values):
        """Sums over each column of values that belong to the stored cells, float64."""
        return np.bincount(self.csr.indices, weights=values, minlength=self.shape[1])

    def per_cell(self, weight):
        """What belongs to rows, for each stored cell."""
        return np.repeat(weight, np.diff(self.csr.indptr))


def as_table(X):
    """Checked rows: an array as it is, a sparse matrix as a `SparseTable`."""
    return SparseTable(X) if sparse.issparse(X) else X


def is_sparse(X):
    """Whether rows are those of a sparse matrix."""
    return isinstance(X, SparseTable)


def as_array(X):
    """Rows as an array, sparse ones among them."""
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


def stored_numbers(X):
    """The numbers of an array, or those that a `SparseTable` stores."""
    return X.csr.data if is_sparse(X) else X


def dense_blocks(X):
    """All rows as arrays: an array itself, a `SparseTable` a few rows at a time."""
    if not is_sparse(X):
        yield X
        return
    step = max(1, BLOCK_NUMBERS // max(X.shape[1], 1))
    for start in range(0, len(X), step):
        yield X[start : start + step]
