"""The rows that a fit was given."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass
class Rows:
    """What `fit` was given, checked by the estimator. All but ``x`` may be None.

    Parameters
    ----------
    x : ndarray of shape (n_rows, ...) or SparseTable
        Rows that the network sees.
    target : ndarray of shape (n_rows, ...) or None
        What is to be made of them, where that is not the rows themselves.
    weight : ndarray of shape (n_rows,) or None
        Positive weights.
    mask : ndarray of the shape of ``x`` or None
        Which values count.
    group : ndarray of shape (n_rows,) or None
        Group or domain of each row.
    partners : ndarray of shape (n_rows, ...) or None
        Places of other rows that belong to a row, such as its neighbours.
    """

    x: np.ndarray
    target: np.ndarray | None = None
    weight: np.ndarray | None = None
    mask: np.ndarray | None = None
    group: np.ndarray | None = None
    partners: np.ndarray | None = None

    def select(self, kept):
        """The rows at a boolean index, or at places, with all that belongs to them."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return Rows(**{name: None if part is None else part[kept] for name, part in parts.items()})
