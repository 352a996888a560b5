"""Groups of rows that lie apart from each other."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

# Neighbours of a row that it is joined to where it is one of theirs; with as many different rows or
# fewer there are no groups.
N_JOINED, FEWEST_ROWS = 20, 30
# Share of the rows that groups hold together at least, where there are several, and where one.
COVERED, COVERED_BY_ONE = 0.85, 0.5
# Standard deviations that the centres of groups are apart: what surrounds a group is none.
APART = 3.0
# Relative difference of sums of equal rows.
ROUNDING = 1e-12


def groups_of(rows, smallest_share, seed, weight=None):
    """Group of each row, and which rows are strays: many alike, but too few for a group.

    Rows are joined where each is among the nearest of the other, so that what is joined lies apart
    from all else. What has more rows than the neighbours that it was joined by is a group if it has
    a certain share of all, else strays. Groups whose centres are less than three standard
    deviations apart, such as a group and what surrounds it, are one. Rows that are left over go
    with the nearest. Where groups would hold too little of all there is one, as of rows with few
    values.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        The rows.
    smallest_share : float
        Share of the rows from which on there is a group; where as many or more would be strays,
        there are none.
    seed : int
        Of what equal rows are found by.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows, for the shares.

    Returns
    -------
    group : ndarray of shape (n_rows,), int
        From 0 on.
    stray : ndarray of shape (n_rows,), bool
        The strays, which have the group of the nearest row that is none.
    """
    first, of_row = distinct_rows(rows, seed)
    one = np.zeros(len(rows), dtype=int), np.zeros(len(rows), dtype=bool)
    if len(first) < FEWEST_ROWS:
        return one
    different = rows[first]
    index = NearestNeighbors(n_neighbors=N_JOINED + 1).fit(different)
    component = _joined(index.kneighbors(different, return_distance=False))
    sizes = np.bincount(component)
    shares = np.bincount(component[of_row], weights=weight)
    shares = shares / shares.sum()
    is_closed = sizes > N_JOINED
    is_group = is_closed & (shares >= smallest_share)
    is_small = is_closed & ~is_group
    covered = shares[is_group].sum()
    if covered < (COVERED if is_group.sum() > 1 else COVERED_BY_ONE):
        return one
    if shares[is_small].sum() >= smallest_share:
        is_small[:] = False
    stray = is_small[component]
    number = _numbers(different, component, is_group, shares)[component]
    missing = number < 0
    if missing.any():
        index = NearestNeighbors(n_neighbors=1).fit(different[~missing])
        place = index.kneighbors(different[missing], return_distance=False)[:, 0]
        number[missing] = number[~missing][place]
    return number[of_row], stray[of_row]


def _numbers(rows, component, is_group, shares):
    """Number of the group of each component, -1 for none; those that are not apart have one."""
    numbers, kept = np.full(len(shares), -1), []
    for one in sorted(np.flatnonzero(is_group), key=lambda one: -shares[one]):
        of_one = rows[component == one]
        apart = [_separation(of_one, rows[component == other]) for other in kept]
        if min(apart, default=np.inf) < APART:
            numbers[one] = numbers[kept[int(np.argmin(apart))]]
        else:
            numbers[one] = len(kept)
            kept.append(one)
    return numbers


def _separation(some, others):
    """Distance of two centres over the larger standard deviation along the way between them."""
    way = some.mean(axis=0) - others.mean(axis=0)
    spread = max((some @ way).std(), (others @ way).std())
    # both times the length of the way
    return np.inf if spread == 0 else float(way @ way / spread)


def distinct_rows(rows, seed):
    """The first of each set of equal rows, and the set of each row."""
    rows = rows - np.median(rows, axis=0)
    products = rows @ np.random.default_rng(seed).normal(size=rows.shape[1])
    order = np.argsort(products, kind="stable")
    # of each row's own size: one that is far out must not make equals of all others
    size = np.sqrt((rows[order] ** 2).sum(axis=1))
    least = ROUNDING * np.minimum(size[1:], size[:-1])
    is_new = np.r_[True, np.diff(products[order]) > least]
    of_row = np.empty(len(rows), dtype=int)
    of_row[order] = np.cumsum(is_new) - 1
    return order[is_new], of_row


def _joined(places):
    """Number of the component of each row, where rows are joined that are near for each other."""
    n_rows, n_nearest = places.shape
    of_row = np.repeat(np.arange(n_rows), n_nearest)
    near = csr_array((np.ones(places.size), (of_row, places.ravel())), shape=(n_rows, n_rows))
    return connected_components(near.multiply(near.T), directed=False)[1]
