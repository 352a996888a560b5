"""Tables with columns that have the same values, in fewer columns."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from sklearn_ae import Autoencoder, AutoencoderDetector
from sklearn_ae._anomaly.covariance import ShrunkCovariance, Standardizer
from sklearn_ae.utils import _columns
from sklearn_ae.utils._columns import DistinctColumns

PLACES = np.array([2, 0, 1, 1, 0, 1, 3, 1, 4])


@pytest.fixture
def table():
    return np.random.default_rng(0).normal(size=(300, 5))[:, PLACES]


def test_distances_are_those_in_all_columns(table):
    columns = DistinctColumns(table)
    assert columns.repeat and columns.n_distinct == 5
    assert_array_equal(columns.repeated(columns.first_of(table)), table)
    folded = columns.of_table(table)
    assert_allclose(cdist(folded, folded), cdist(table, table), rtol=1e-12)
    # of other rows these columns may differ
    others = np.r_[table[:3], np.random.default_rng(1).normal(size=(50, 9))]
    found = cdist(columns(others), np.c_[folded, np.zeros(300)])
    assert_allclose(found, cdist(others, table), rtol=1e-12, atol=1e-12)
    # a row does not depend on those beside it
    assert_array_equal(columns(others)[5:6], columns(others[5:6]))


def test_a_table_with_few_equal_columns_is_left_as_it_is():
    table = np.random.default_rng(0).normal(size=(30, 20))
    table[:, 1] = table[:, 0]
    columns = DistinctColumns(table)
    assert not columns.repeat and columns.n_distinct == 20
    for name in ("of_table", "first_of", "repeated", "weighed", "widened", "__call__"):
        assert getattr(columns, name)(table) is table


def test_columns_that_differ_by_rounding_are_different():
    table = np.repeat([[1.0, -2.0, 3.0]], 4, axis=0).T * np.ones((3, 1))
    table[0, 3] += 2e-16
    columns = DistinctColumns(table)
    assert columns.n_distinct == 2
    assert_array_equal(columns.repeated(columns.first_of(table)), table)


def test_covariance_is_that_of_all_columns(table):
    columns = DistinctColumns(table)
    whole = ShrunkCovariance(table, 0)
    folded = ShrunkCovariance(columns(table), 0, n_columns=9)
    others = np.random.default_rng(1).normal(size=(50, 9))
    expected = whole.squared_distances(others)
    assert_allclose(folded.squared_distances(columns(others)), expected, rtol=1e-9)
    widened = folded.widened(columns)
    assert_allclose(widened.center, whole.center)
    assert_allclose(widened.squared_distances(others), expected, rtol=1e-9)
    assert_allclose(widened.inverse_diagonal(), whole.inverse_diagonal(), rtol=1e-9)
    assert_allclose(widened.scaled(others, -0.5), whole.scaled(others, -0.5), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_standardizer_is_that_of_all_columns(table, weighted):
    table = np.where(table > 1, table, 0.0)
    weight = np.linspace(0.5, 2.0, 300) if weighted else None
    columns = DistinctColumns(table)
    whole = Standardizer(table, True, table, weight, weight)
    some = columns.first_of(table)
    found = Standardizer(some, True, some, weight, weight).repeated(columns)
    assert len(found.sparse.places) > 4
    others = np.random.default_rng(1).normal(size=(50, 9))
    assert_allclose(found(others), whole(others), rtol=1e-9)


@pytest.mark.parametrize("parameters", [{}, {"robust": True}, {"estimator": Autoencoder(3)}])
def test_detector_is_that_of_all_columns(table, parameters, monkeypatch):
    X = np.random.default_rng(2).normal(size=(300, 1)) + table
    X[:, PLACES == 1] = X[:, [2]]
    rows = np.r_[X[:20], np.random.default_rng(1).normal(size=(30, 9))]

    def found():
        detector = AutoencoderDetector(**parameters, random_state=0).fit(X)
        return [detector.score_samples(rows), detector.score_features(rows), detector.offset_]

    folded = found()
    monkeypatch.setattr(_columns, "MOST_DISTINCT", 0.0)
    for some, of_all in zip(folded, found(), strict=True):
        assert_allclose(some, of_all, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_rows", [300, 2400])
def test_pca_is_that_of_all_columns(n_rows, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 400))[:, rng.integers(400, size=1100)]
    for n_components in (0.9, 350, None):
        folded = Autoencoder(n_components, max_iter=0, random_state=0).fit(X)
        with monkeypatch.context() as patch:
            patch.setattr(_columns, "MOST_DISTINCT", 0.0)
            whole = Autoencoder(n_components, max_iter=0, random_state=0).fit(X)
        assert_allclose(folded.explained_variance_, whole.explained_variance_, rtol=1e-9, atol=1e-9)
        assert_allclose(folded.reconstruct(X), whole.reconstruct(X), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("values", ["normal", "few", "large"])
def test_equal_columns_are_found_wherever_they_stand(values, order, dtype):
    generator = np.random.default_rng(0)
    table = generator.normal(size=(2000, 60))
    if values == "few":
        table = generator.integers(0, 3, size=(2000, 60)).astype(float)
        table[:, 5] = np.where(table[:, 5] == 0, -0.0, table[:, 5])
    elif values == "large":
        table *= 1e37
    places = generator.permutation(np.r_[np.arange(60), generator.integers(60, size=300)])
    repeated = np.asarray(table[:, places], dtype=dtype, order=order)
    first, place = _columns.sets_of_equal_columns(repeated)
    assert len(first) == 60
    assert_array_equal(repeated[:, first][:, place], repeated)


def test_equal_columns_are_found_without_a_copy_of_the_table():
    table = np.random.default_rng(0).normal(size=(100_000, 29)).astype(np.float32)
    table[:, 21:] = table[:, :8]
    tracemalloc.start()
    try:
        columns = DistinctColumns(table)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert columns.n_distinct == 21
    assert peak < 0.5 * table.nbytes
