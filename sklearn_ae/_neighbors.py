"""Distances to the nearest of many rows."""

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from sklearn.neighbors import KDTree, NearestNeighbors

from sklearn_ae._training import in_chunks

# Rows that the others are compared with.
MOST_NEIGHBORS = 10_000
# Neighbours in a part of the rows, where as many as in all would be farther away: fewer are noise.
FEWEST_NEIGHBORS = 5
# Of a row's length: nearer rows have distances that are known to a few digits only.
INEXACT = 3e-2
# A tree finds neighbours sooner than a comparison with all rows if it has to look at less than this
# share of them, which some rows tell; with more columns than these it is not tried.
TREE_SHARE, TREE_COLUMNS, TREE_ROWS = 0.15, 64, 50
# Cells, passes over the rows that place their centres, and the share of the rows that those of a
# cell are compared with: by measurement two to five times faster, and distances 0.1 to 0.7 % too
# large. Not with fewer rows, in all or for each neighbour, nor with more columns: gathering rows
# would take as long as comparing with all.
CELLS, PASSES, CELL_SHARE = 128, 3, 0.1
FEWEST_ROWS, ROWS_FOR_EACH, CELL_COLUMNS = 2000, 100, 512
# Relative difference of numbers that are equal but for the order of a sum.
ROUNDING = 1e-9


class Neighbors:
    """Distances to the nearest of some rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows, two at least; of more than 10000, that many are drawn.
    n_neighbors : int
        How many of them, all where there are fewer; where rows are drawn, as many times fewer as
        there are rows for each of these, down to five.
    seed : int
        Of the draw.
    """

    def __init__(self, rows, n_neighbors, seed):
        if len(rows) > MOST_NEIGHBORS:
            # of fewer rows a nearer one is as far away
            share = round(n_neighbors * MOST_NEIGHBORS / len(rows))
            n_neighbors = max(share, min(n_neighbors, FEWEST_NEIGHBORS))
            rows = rows[np.random.default_rng(seed).permutation(len(rows))[:MOST_NEIGHBORS]]
        self.n_neighbors = n_neighbors
        # differences of numbers far from zero are little else than rounding
        self.center = np.median(rows, axis=0)
        rows = rows - self.center
        # one more, as a row that is among the rows is no neighbour of its own
        self.n_found = min(n_neighbors + 1, len(rows))
        if Tree.helps(rows, self.n_found):
            self.index = Tree(rows)
        elif Cells.help(rows, self.n_found):
            self.index = Cells(rows, seed)
        else:
            self.index = AllRows(rows)

    def distances(self, rows):
        """Mean and greatest distance to the nearest rows; one at a row's own place is none.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_columns)
            The rows.

        Returns
        -------
        mean, greatest : ndarray of shape (n_samples,)
            The distances.
        """
        rows = rows - self.center
        found, places = self.index.nearest(rows, self.n_found)
        lengths = np.sqrt((rows**2).sum(axis=1))[:, None]
        # small ones are differences of large products: known to rounding only, which depends on
        # how many rows are asked for
        inexact = np.nonzero(found < INEXACT * lengths)

        def chunk(start, stop):
            place, rank = (indices[start:stop] for indices in inexact)
            difference = rows[place] - self.index.rows[places[place, rank]]
            found[place, rank] = np.sqrt((difference**2).sum(axis=1))

        in_chunks(chunk, len(inexact[0]), rows.shape[1])
        found[found <= 1e-7 * lengths] = 0.0
        found.sort(axis=1)
        nearest, others = found[:, : self.n_neighbors], found[:, 1:]
        at_own_place = found[:, 0] == 0
        mean = np.where(at_own_place, others.mean(axis=1), nearest.mean(axis=1))
        return mean, np.where(at_own_place, others[:, -1], nearest[:, -1])


class AllRows:
    """Nearest rows by a comparison with all.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows.
    """

    def __init__(self, rows):
        self.rows = rows
        self._build_index()

    def _build_index(self):
        self.index = NearestNeighbors(algorithm="brute").fit(self.rows)

    def nearest(self, rows, n_found):
        """Distances and places of the nearest rows, in any order.

        Parameters
        ----------
        rows : ndarray of shape (n, n_columns)
            Rows.
        n_found : int
            How many to find for each of them.

        Returns
        -------
        distances, places : ndarray of shape (n, n_found)
            The distances, and which rows these are.
        """
        return self.index.kneighbors(rows, n_found)

    def __getstate__(self):
        # it is built sooner than read
        return {name: value for name, value in vars(self).items() if name != "index"}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._build_index()


class Tree(AllRows):
    """Nearest rows by a tree along their principal axes.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows.
    """

    def _build_index(self):
        self.axes = _principal_axes(self.rows)
        self.index = cKDTree(self.rows @ self.axes)

    @staticmethod
    def helps(rows, n_found):
        """Whether a tree has to look at few of the rows."""
        if rows.shape[1] > TREE_COLUMNS:
            return False
        rows = rows @ _principal_axes(rows)
        # scipy's is faster, but does not count
        tree = KDTree(rows)
        some = rows[:: -(-len(rows) // TREE_ROWS)]
        tree.query(some, n_found)
        return tree.get_n_calls() < TREE_SHARE * len(some) * len(rows)

    def nearest(self, rows, n_found):
        """As of `AllRows`."""
        ranks = np.arange(1, n_found + 1)
        return self.index.query(rows @ self.axes, ranks, workers=torch.get_num_threads())


class Cells(AllRows):
    """Nearly the nearest rows: a row is compared with the tenth of them nearest to its cell.

    Cells belong to centres by k-means, as in an inverted file [1]_. What lies farther from its
    centre than all of that tenth is compared with all rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows.
    seed : int
        Of the draw of the rows that k-means starts from.

    References
    ----------
    .. [1] J. Sivic and A. Zisserman, "Video Google: a text retrieval approach to object matching
       in videos", ICCV 2003, :doi:`10.1109/ICCV.2003.1238663`.
    """

    def __init__(self, rows, seed):
        super().__init__(rows)
        self.centers = rows[np.random.default_rng(seed).permutation(len(rows))[:CELLS]]
        for _ in range(PASSES):
            cells, _ = self._cells(rows)
            sums = np.zeros_like(self.centers)
            np.add.at(sums, cells, rows)
            counts = np.bincount(cells, minlength=len(sums))[:, None]
            self.centers = np.where(counts, sums / np.maximum(counts, 1), self.centers)
        n_candidates = round(CELL_SHARE * len(rows))
        distances, self.candidates = _nearest_among(rows, self.centers, n_candidates)
        self.radii = distances.max(axis=1)
        self.candidates.sort(axis=1)

    @staticmethod
    def help(rows, n_found):
        """Whether cells are faster and have enough rows to choose from."""
        enough = len(rows) >= max(FEWEST_ROWS, ROWS_FOR_EACH * (n_found - 1))
        return enough and rows.shape[1] <= CELL_COLUMNS

    def _cells(self, rows):
        """Cell of each row, and its distance from the centre."""
        distances, places = _nearest_among(self.centers, rows, 2)
        cells = places[np.arange(len(rows)), distances.argmin(axis=1)]
        # nearly as near: not by rounding, which depends on how many rows are asked for
        tied = np.ptp(distances, axis=1) <= ROUNDING * np.sqrt((rows**2).sum(axis=1))
        cells[tied] = cdist(rows[tied], self.centers).argmin(axis=1)
        return cells, np.sqrt(((rows - self.centers[cells]) ** 2).sum(axis=1))

    def nearest(self, rows, n_found):
        """As of `AllRows`."""
        cells, apart = self._cells(rows)
        # the last is not a cell
        cells[apart >= self.radii[cells] * (1 - ROUNDING)] = len(self.centers)
        distances = np.empty((len(rows), n_found))
        places = np.empty((len(rows), n_found), dtype=np.intp)
        order = np.argsort(cells, kind="stable")
        firsts = np.searchsorted(cells[order], np.arange(1, len(self.centers) + 1))
        *parts, others = np.split(order, firsts)
        for candidates, part in zip(self.candidates, parts, strict=True):
            if len(part):
                found = _nearest_among(self.rows[candidates], rows[part], n_found)
                distances[part], places[part] = found[0], candidates[found[1]]
        if len(others):
            distances[others], places[others] = super().nearest(rows[others], n_found)
        return distances, places


def _nearest_among(others, rows, n_found):
    """Distances and places of the nearest of other rows, in any order, by products."""
    squares = torch.from_numpy((others**2).sum(axis=1))
    transposed = torch.from_numpy(others).T

    def chunk(start, stop):
        products = torch.addmm(squares, torch.from_numpy(rows[start:stop]), transposed, alpha=-2)
        return products.topk(n_found, largest=False, sorted=False)

    found = in_chunks(chunk, len(rows), len(others))
    least, places = (np.concatenate([part.numpy() for part in p]) for p in zip(*found, strict=True))
    least += (rows**2).sum(axis=1)[:, None]
    return np.sqrt(np.maximum(least, 0.0)), places


def _principal_axes(rows):
    """Directions of falling variance."""
    return np.ascontiguousarray(np.linalg.eigh(rows.T @ rows)[1][:, ::-1])
