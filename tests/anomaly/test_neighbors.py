"""Distances to the nearest rows, by a tree and by a comparison with all."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from sklearn_ae._anomaly import neighbors as module
from sklearn_ae._anomaly.neighbors import Neighbors


def test_a_row_is_no_neighbour_of_its_own(by_sort):
    rows = np.random.default_rng(0).normal(size=(30, 4)) + 3
    neighbors = Neighbors(rows, 5, 0)
    assert_allclose(neighbors.distances(rows), by_sort(rows, 5), rtol=1e-6)
    new = rows + 0.5
    assert_allclose(neighbors.distances(new), by_sort(rows, 5, new), rtol=1e-6)
    # of equal rows one is left out, and more than there are cannot be found
    assert_array_equal(Neighbors(np.repeat(rows[:2], 2, axis=0), 1, 0).distances(rows[:2]), 0)
    length = np.sqrt(np.sum((rows[0] - rows[1]) ** 2))
    assert_allclose(Neighbors(rows[:2], 9, 0).distances(rows[:2]), length)
    assert_allclose(Neighbors(rows[:2], 9, 0).distances(rows[2:]), by_sort(rows[:2], 2, rows[2:]))


def test_distances_are_those_of_rows_far_from_the_origin():
    rows = np.random.default_rng(0).normal(size=(60, 4))
    far = Neighbors(rows + 1e8, 5, 0).distances(rows + 1e8)
    assert_allclose(far, Neighbors(rows, 5, 0).distances(rows), rtol=1e-5)


@pytest.mark.parametrize(("n_directions", "tree"), [(2, True), (20, False)])
def test_a_tree_and_a_comparison_with_all_rows_find_the_same(n_directions, tree, monkeypatch):
    monkeypatch.setattr(module, "MOST_NEIGHBORS", 3000)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, n_directions)) @ rng.normal(size=(n_directions, 20)) + 7
    # equal rows, and some at one place
    rows[::5], rows[:40] = rows[1::5], rows[0]
    new = np.vstack([rows[:500], rng.normal(size=(100, 20)) * 9])
    chosen = Neighbors(rows, 20, 0)
    assert isinstance(chosen.index, cKDTree) == tree
    monkeypatch.setattr(module, "TREE_SHARE", 0 if tree else 2)
    other = Neighbors(rows, 20, 0)
    assert isinstance(other.index, cKDTree) != tree
    assert_allclose(chosen.distances(new), other.distances(new), rtol=1e-9)
    loaded = pickle.loads(pickle.dumps(chosen))
    assert isinstance(loaded.index, cKDTree) == tree
    assert_array_equal(loaded.distances(new), chosen.distances(new))


def test_large_tables_have_a_part_of_their_rows_as_neighbours(monkeypatch, by_sort):
    rows = np.random.default_rng(0).normal(size=(4000, 3))
    whole = Neighbors(rows, 40, 0).distances(rows)
    monkeypatch.setattr(module, "MOST_IN_TREE", 1000)
    first, second = Neighbors(rows, 40, 0), Neighbors(rows, 40, 0)
    assert len(first.rows) == 1000
    assert_array_equal(first.distances(rows), second.distances(rows))
    # the tenth of a quarter of the rows is as far as the fortieth of all
    ratios = np.median(np.divide(first.distances(rows), whole), axis=1)
    assert_allclose(ratios, 1, atol=0.05)
    for asked, taken in ((8, 5), (3, 3)):
        few = by_sort(first.rows + first.center, taken, rows + 9)
        assert_allclose(Neighbors(rows, asked, 0).distances(rows + 9), few)


def test_distances_in_tight_groups_are_exact_alone_and_in_a_batch():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 100))[rng.integers(4, size=400)] + rng.normal(
        scale=1e-4, size=(400, 100)
    )
    neighbors = Neighbors(rows[:300], 10, 0)
    assert not isinstance(neighbors.index, cKDTree)
    exact = np.sort(cdist(rows[300:], rows[:300]), axis=1)[:, :10]
    found = neighbors.distances(rows[300:])
    assert_allclose(found, (exact.mean(axis=1), exact[:, -1]), rtol=1e-9)
    alone = [neighbors.distances(row[None]) for row in rows[300:]]
    assert_allclose(np.hstack(alone), found, rtol=1e-11)
    # that much nearer, only rounding tells which is nearest
    tight = Neighbors(
        rows[:300] * 1e-3 + rng.normal(size=(4, 100))[rng.integers(4, size=300)], 10, 0
    )
    mean, greatest = tight.distances(tight.rows + tight.center)
    assert (mean <= greatest * (1 + 1e-12)).all()


def test_distance_of_a_row_that_is_left_out_is_that_by_the_others():
    rng = np.random.default_rng(0)
    for rows in (rng.integers(4, size=(300, 3)).astype(float), rng.normal(size=(100, 3))):
        found = Neighbors(rows, 7, 0).nearest(rows)[3]
        for place in range(0, len(rows), 7):
            others = Neighbors(np.delete(rows, place, axis=0), 7, 0)
            assert_allclose(found[place], others.distances(rows[[place]])[0][0], atol=1e-12)


def test_a_tree_looks_at_more_rows():
    rng = np.random.default_rng(0)
    assert len(Neighbors(rng.normal(size=(12000, 2)), 20, 0).rows) == module.MOST_IN_TREE
    assert len(Neighbors(rng.normal(size=(12000, 30)), 20, 0).rows) == module.MOST_NEIGHBORS
