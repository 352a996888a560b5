"""Places of the nearest rows, against distances one by one."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sklearn_ae._fitting import neighbors
from sklearn_ae._fitting.neighbors import neighbor_places

DISTANCES = {"euclidean": "euclidean", "cosine": "cosine", "manhattan": "cityblock"}


def table(n=120, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)


def by_hand(x, places, k, metric):
    """The nearest distinct other rows of each row."""
    found = []
    for row in range(len(x)):
        distances = cdist(x[row : row + 1], x[places], DISTANCES[metric])[0]
        order, seen, chosen = np.argsort(distances, kind="stable"), set(), []
        if row in places:
            seen.add(x[row].tobytes())
        for place in places[order]:
            if x[place].tobytes() not in seen:
                seen.add(x[place].tobytes())
                chosen.append(x[place])
        found.append(chosen[:k])
    return np.array(found)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("n_held_out", [0, 30])
def test_places_are_those_of_the_nearest_other_rows(metric, n_held_out):
    x = table()
    places = np.random.default_rng(1).permutation(120)[n_held_out:]
    found = neighbor_places(x, places, 5, metric, 0)
    assert found.shape == (120, 5) and found.dtype == np.int64
    assert {*found.ravel()} <= {*places}
    np.testing.assert_array_equal(x[found], by_hand(x, places, 5, metric))


def test_equal_rows_count_once():
    x = np.repeat(table(20), 9, axis=0)
    found = neighbor_places(x, np.arange(180), 5, "euclidean", 0)
    np.testing.assert_array_equal(x[found], by_hand(x, np.arange(180), 5, "euclidean"))


@pytest.mark.parametrize(("n_distinct", "n_found"), [(1, 1), (2, 1), (4, 3)])
def test_fewer_rows_than_neighbors(n_distinct, n_found):
    x = np.resize(table(n_distinct), (12, 6))
    found = neighbor_places(x, np.arange(12), 15, "euclidean", 0)
    assert found.shape == (12, n_found)
    if n_distinct > 1:
        assert (x[found] != x[:, None]).any(axis=2).all()


def test_images_are_compared_as_rows():
    x = table(40).reshape(40, 1, 2, 3)
    np.testing.assert_array_equal(
        neighbor_places(x, np.arange(40), 3, "euclidean", 0),
        neighbor_places(x.reshape(40, 6), np.arange(40), 3, "euclidean", 0),
    )


@pytest.mark.slow
def test_many_rows_are_searched_approximately(monkeypatch):
    """Compiling takes long."""
    pytest.importorskip("pynndescent")
    x = table(2000)
    exact = neighbor_places(x, np.arange(2000), 10, "euclidean", 0)
    monkeypatch.setitem(neighbors.MOST_EXACT, "euclidean", 0)
    found = neighbor_places(x, np.arange(2000), 10, "euclidean", 0)
    again = neighbor_places(x, np.arange(2000), 10, "euclidean", 0)
    np.testing.assert_array_equal(found, again)
    shared = [len({*a} & {*b}) / 10 for a, b in zip(exact, found, strict=True)]
    assert np.mean(shared) > 0.95
