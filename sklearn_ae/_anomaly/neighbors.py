"""Distances to the nearest of many rows."""

import numpy as np
import torch
from scipy.spatial import cKDTree
from sklearn.neighbors import KDTree, NearestNeighbors

# Rows that the others are compared with to find their neighbours, one by one or by a tree.
MOST_NEIGHBORS, MOST_IN_TREE = 1000, 10_000
# Neighbours in a part of the rows, where as many as in all would be farther away: fewer are noise.
FEWEST_NEIGHBORS = 5
# A tree finds neighbours sooner than a comparison with all rows if it has to look at less than this
# share of them, which some rows tell; with more columns than these it is not tried.
TREE_SHARE, TREE_COLUMNS, TREE_ROWS = 0.15, 64, 50
# Of a row's length: nearer rows have distances that are known to a few digits only.
INEXACT = 3e-2
# Numbers that are computed again together.
VALUES_AT_ONCE = 2**22


class Neighbors:
    """Distances to the nearest of some rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows, two at least; of more than 1000, that many are drawn, or 10000 where a tree finds
        neighbours sooner.
    n_neighbors : int
        How many of them, all where there are fewer; where rows are drawn, as many times fewer as
        there are rows for each of these, down to five.
    seed : int
        Of the draw.

    Attributes
    ----------
    drawn : ndarray of shape (n_drawn,)
        Places of the rows that are compared with.
    """

    def __init__(self, rows, n_neighbors, seed):
        order = np.random.default_rng(seed).permutation(len(rows))
        self.axes = None
        if rows.shape[1] <= TREE_COLUMNS:
            self._draw(rows, n_neighbors, order, MOST_IN_TREE)
            self.axes = self._axes_of_tree()
        if self.axes is None:
            self._draw(rows, n_neighbors, order, MOST_NEIGHBORS)
        self._build_index()

    def _draw(self, rows, n_neighbors, order, most):
        """Draw so many rows, and take as many times fewer of them."""
        self.drawn = np.arange(len(rows)) if len(rows) <= most else order[:most]
        if len(rows) > most:
            # among fewer rows the k-th nearest is farther away, so k shrinks in proportion
            share = round(n_neighbors * most / len(rows))
            n_neighbors = max(share, min(n_neighbors, FEWEST_NEIGHBORS))
        self.n_neighbors = n_neighbors
        rows = rows[self.drawn]
        # differences of numbers far from zero are little else than rounding
        self.center = np.median(rows, axis=0)
        self.rows = rows - self.center
        # two more, as a row that is among the rows is no neighbour of its own, nor would be another
        # one at its place were it left out
        self.n_found = min(n_neighbors + 2, len(rows))

    def _axes_of_tree(self):
        """Principal axes, which a tree splits along; None where it is no help."""
        axes = np.ascontiguousarray(np.linalg.eigh(self.rows.T @ self.rows)[1][:, ::-1])
        rows = self.rows @ axes
        # scipy's is faster, but does not count
        tree = KDTree(rows)
        some = rows[:: -(-len(rows) // TREE_ROWS)]
        tree.query(some, self.n_found)
        return axes if tree.get_n_calls() < TREE_SHARE * len(some) * len(rows) else None

    def _build_index(self):
        if self.axes is None:
            self.index = NearestNeighbors(algorithm="brute").fit(self.rows)
        else:
            self.index = cKDTree(self.rows @ self.axes)

    def _nearest(self, rows):
        """Distances and places of the nearest rows, two more than the neighbours asked for."""
        if self.axes is None:
            return self.index.kneighbors(rows, self.n_found)
        ranks = np.arange(1, self.n_found + 1)
        return self.index.query(rows @ self.axes, ranks, workers=torch.get_num_threads())

    def __getstate__(self):
        # a tree is built sooner than read
        return {name: value for name, value in vars(self).items() if name != "index"}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._build_index()

    def distances(self, rows):
        """Mean and greatest distance to the nearest rows; one at a row's own place is none.

        The result has shape (n_samples,).
        """
        return self.nearest(rows)[:2]

    def nearest(self, rows):
        """The `distances` of rows, the place of the nearest, and a mean distance.

        The place is a row's own where it is one. The mean distance is what the first would be of a
        row that is among the rows were it not.
        """
        rows = rows - self.center
        found, places = self._nearest(rows)
        lengths = np.sqrt((rows**2).sum(axis=1))[:, None]
        # small ones are differences of large products: known to rounding only, which depends on
        # how many rows are asked for
        inexact = np.nonzero(found < INEXACT * lengths)

        step = max(1, VALUES_AT_ONCE // rows.shape[1])
        for first in range(0, len(inexact[0]), step):
            place, rank = (indices[first : first + step] for indices in inexact)
            difference = rows[place] - self.rows[places[place, rank]]
            found[place, rank] = np.sqrt((difference**2).sum(axis=1))
        found[found <= 1e-7 * lengths] = 0.0
        found.sort(axis=1)
        n_others = min(self.n_neighbors, len(self.rows) - 1)
        n_zero = (found[:, :2] == 0).sum(axis=1)
        nearest, others = found[:, : self.n_neighbors], found[:, 1 : 1 + n_others]
        mean = np.where(n_zero > 0, others.mean(axis=1), nearest.mean(axis=1))
        greatest = np.where(n_zero > 0, others[:, -1], nearest[:, -1])
        # there is always a next one but where all rows were asked for
        next_ones = found[:, 2:] if self.n_found > 2 else others
        without_itself = np.where(n_zero > 1, next_ones.mean(axis=1), mean)
        return mean, greatest, places[:, 0], without_itself
