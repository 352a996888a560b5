"""Places of the nearest rows, for what draws neighbours together."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sklearn_ae.utils._rows import sets_of_equal_rows

# Pairs of numbers above which neighbours are found approximately, where pynndescent is installed:
# about a minute of one core, by products of matrices and one by one.
MOST_EXACT = {"euclidean": 1e12, "cosine": 1e12}
MOST_EXACT_ELSE = 3e10


def neighbor_places(x, places, n_neighbors, metric, seed):
    """Places of the nearest among some rows, for every row.

    Equal rows count once, and no row is its own neighbour: the neighbours of a row that is given
    many times are other rows.

    Parameters
    ----------
    x : ndarray of shape (n_rows, ...)
        Rows.
    places : ndarray of int
        Places of the rows among which neighbours are looked for.
    n_neighbors : int
        How many; fewer where there are no more.
    metric : str
        A distance that scikit-learn and pynndescent know.
    seed : int
        Of the approximate search.

    Returns
    -------
    neighbors : ndarray of int64 of shape (n_rows, n_found)
        Places in ``x``, the nearest first. Where all rows are equal each has one of them.
    """
    x = np.ascontiguousarray(x.reshape(len(x), -1))
    first, which = sets_of_equal_rows(x[places])
    distinct = places[first]
    own = np.full(len(x), -1)
    own[places] = which
    n_found = min(n_neighbors, len(distinct) - 1)
    if n_found == 0:
        return np.broadcast_to(distinct, (len(x), 1)).astype(np.int64)
    found = _nearest(x, x[distinct], n_found + 1, metric, seed)
    is_own = found == own[:, None]
    # of rows that are not among these the farthest is left out
    is_own[~is_own.any(axis=1), -1] = True
    return distinct[found[~is_own].reshape(len(x), n_found)].astype(np.int64)


def _nearest(x, among, n_neighbors, metric, seed):
    """Numbers of the nearest rows ``among`` others, exact where that is quick."""
    if len(x) * len(among) * x.shape[1] > MOST_EXACT.get(metric, MOST_EXACT_ELSE):
        try:
            from pynndescent import NNDescent
        except ImportError:  # the exact search takes longer, and finds the same
            pass
        else:
            index = NNDescent(among, metric, n_neighbors=n_neighbors, random_state=seed % 2**31)
            return index.query(x, k=n_neighbors)[0]
    search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute", metric=metric)
    return search.fit(among).kneighbors(x, return_distance=False)
