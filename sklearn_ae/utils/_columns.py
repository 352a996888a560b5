"""Columns that have the same values."""

import numpy as np

# Share of the columns that are different ones, from which on it does not pay to leave out others.
MOST_DISTINCT = 0.8
# Numbers of a table that are compared at once.
CHUNK_NUMBERS = 2**17


class DistinctColumns:
    """A table in fewer columns, where many have the same values, at the same distances.

    For distances, k equal columns are one, times the root of k. Rows of other tables, of which
    these columns may differ, have their mean in its place, and one column more at the end: the
    length of all differences from these means.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_columns)
        The table.

    Attributes
    ----------
    repeat : bool
        Whether so many columns have the values of others that there will be fewer.
    n_distinct : int
        How many columns there will be, but for the last one.
    """

    def __init__(self, table):
        first, self.place = sets_of_equal_columns(table)
        self.repeat = len(first) <= MOST_DISTINCT * table.shape[1]
        if not self.repeat:
            first = self.place = np.arange(table.shape[1])
        self.first, self.n_distinct = first, len(first)
        self.counts = np.bincount(self.place, minlength=self.n_distinct)
        self.roots = np.sqrt(self.counts)

    def first_of(self, table):
        """The first of each set of columns that are equal, of shape (n_rows, n_distinct)."""
        return table[:, self.first] if self.repeat else table

    def repeated(self, table):
        """Columns as often as the table has them, of shape (n_rows, n_columns)."""
        return table[:, self.place] if self.repeat else table

    def weighed(self, table):
        """The first of each set times the root of how many these are."""
        return table * self.roots if self.repeat else table

    def of_table(self, table):
        """The table, or another with the same columns equal, of shape (n_rows, n_distinct)."""
        return self.weighed(self.first_of(table))

    def __call__(self, rows):
        """Rows of any table, of shape (n_rows, n_distinct + 1); themselves if no columns repeat."""
        if not self.repeat:
            return rows
        folded = np.zeros((len(rows), self.n_distinct + 1))
        folded[:, :-1] = self.first_of(rows)
        difference = rows - self.repeated(folded)
        differs = difference.any(axis=1)
        if differs.any():
            mean = self._sums(difference[differs]) / self.counts
            folded[differs, :-1] += mean
            beside = difference[differs] - self.repeated(mean)
            folded[differs, -1] = np.sqrt((beside**2).sum(axis=1))
        folded[:, :-1] *= self.roots
        return folded

    def _sums(self, rows):
        """Sums over equal columns, of shape (n_rows, n_distinct)."""
        order, starts = np.argsort(self.place, kind="stable"), np.cumsum(self.counts) - self.counts
        return np.add.reduceat(rows[:, order], starts, axis=1)

    def widened(self, directions):
        """Directions in the columns of the table, of shape (n_directions, n_columns)."""
        if not self.repeat:
            return directions
        return self.repeated(directions[:, : self.n_distinct] / self.roots)


def sets_of_equal_columns(table):
    """The first column of each set of columns with the same values, and the set of each column."""
    _, first, place = np.unique(_hashes(table), return_index=True, return_inverse=True)
    if len(first) < table.shape[1]:
        differs = np.zeros(table.shape[1], dtype=bool)
        for rows, _ in _chunks(table):
            differs |= (rows[:, first[place]] != rows).any(axis=0)
        others = np.flatnonzero(differs)
        place[others] = len(first) + np.arange(len(others))
        first = np.append(first, others)
    return first, place


def _hashes(table):
    """A number of each column that all have whose values are equal, and hardly another."""
    weights = np.random.default_rng(0).integers(2**64, size=len(table), dtype=np.uint64)
    hashes = np.zeros(table.shape[1], dtype=np.uint64)
    for rows, places in _chunks(table):
        # whole numbers, as their sums are the same in whatever order; both zeros become one
        bits = (rows + table.dtype.type(0)).view(f"u{table.itemsize}").astype(np.uint64)
        bits ^= bits >> np.uint64(32)  # digits of short numbers stand in the upper half alone
        hashes += np.einsum("i,ij->j", weights[places], bits)
    return hashes


def _chunks(table):
    """A few rows of a table at once, and where they are."""
    step = max(1, CHUNK_NUMBERS // table.shape[1])
    for start in range(0, len(table), step):
        places = slice(start, start + step)
        yield table[places], places
