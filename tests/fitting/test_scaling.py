"""Centre, scale and limits of a table, and rows in the network's units and back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae._fitting import scaling as module
from sklearn_ae._fitting.scaling import row_chunks, table_limits, table_scaling

INF = np.inf


def limits_of(column, weight=None):
    limits = table_limits(np.asarray(column, dtype=float)[:, None], weight)
    return None if limits is None else limits[:, 0].tolist()


def table(n_rows=40, n_features=5, seed=0):
    rng = np.random.default_rng(seed)
    return 3 + rng.normal(size=(n_rows, n_features)) * np.arange(1.0, n_features + 1)


# Centre and scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_centre_and_scale_are_those_of_numpy(dtype):
    X = table().astype(dtype)
    scaling = table_scaling(X)
    exact = X.astype(np.float64)
    assert scaling.mean.dtype == np.float64
    assert_allclose(scaling.mean, exact.mean(axis=0), rtol=1e-12)
    assert_allclose(scaling.scale, np.sqrt(exact.var(axis=0).mean()), rtol=1e-12)
    assert scaling.total_weight == 40 and scaling.limits is None
    assert scaling.unit == scaling.scale


def test_whole_weights_stand_for_repeated_rows():
    X, weight = table(), np.tile([1.0, 2.0, 5.0, 1.0], 10)
    weighted, repeated = table_scaling(X, weight), table_scaling(X.repeat(weight.astype(int), 0))
    assert_allclose(weighted.mean, repeated.mean, rtol=1e-12)
    assert_allclose(weighted.scale, repeated.scale, rtol=1e-12)
    assert weighted.total_weight == repeated.total_weight == 90
    # smaller ones are relative, and no row stands for less than one
    small = table_scaling(X, weight / 100)
    assert_allclose(small.mean, weighted.mean, rtol=1e-12)
    assert_allclose(small.scale, weighted.scale, rtol=1e-12)
    assert small.total_weight == 40


def test_a_large_offset_costs_no_digits():
    X = table()
    shifted = table_scaling(X + 1e9)
    assert_allclose(shifted.scale, table_scaling(X).scale, rtol=1e-6)
    assert_allclose(shifted.mean - 1e9, table_scaling(X).mean, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_a_constant_table_has_scale_one(value):
    scaling = table_scaling(np.full((7, 3), value))
    assert scaling.scale == 1.0
    assert_allclose(scaling.mean, value)


def test_values_too_large_for_a_variance_raise_one_line():
    with pytest.raises(ValueError, match="too large for their variance") as caught:
        table_scaling(1e200 * table())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("has_limits", [False, True])
def test_scaling_across_chunks_is_that_of_the_whole(has_limits, monkeypatch):
    X, weight = np.maximum(table(), 0), np.linspace(0.5, 2, 40)
    whole = table_scaling(X, weight, has_limits=has_limits)
    monkeypatch.setattr(module, "CHUNK_NUMBERS", 17)
    parts = table_scaling(X, weight, has_limits=has_limits)
    assert_allclose(parts.mean, whole.mean, rtol=1e-12)
    assert_allclose(parts.scale, whole.scale, rtol=1e-12)
    assert_array_equal(parts.to_network(X, np.float32), whole.to_network(X, np.float32))
    if has_limits:
        assert_array_equal(parts.limits, whole.limits)


@pytest.mark.parametrize("n_rows, n_features", [(0, 5), (1, 5), (100, 7), (10, 10**9)])
def test_chunks_of_a_table_cover_all_rows_in_order(n_rows, n_features):
    chunks = row_chunks(n_rows, n_features)
    assert [row for chunk in chunks for row in range(chunk.start, chunk.stop)] == [*range(n_rows)]
    limit = max(1, module.CHUNK_NUMBERS // n_features)
    assert all(chunk.stop - chunk.start <= limit for chunk in chunks)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_go_to_the_networks_units_and_back(dtype):
    X = table()
    scaling = table_scaling(X)
    rows = scaling.to_network(X, dtype)
    assert rows.dtype == dtype
    assert_allclose(rows.mean(axis=0), 0.0, atol=1e-6)
    assert_allclose(np.square(rows).mean(), 1.0, rtol=1e-6)
    back = scaling.to_data(rows)
    assert back.dtype == np.float64
    assert_allclose(back, X, rtol=1e-6 if dtype == np.float32 else 1e-12, atol=1e-6)


def test_rows_behind_a_link_stay_as_they_are():
    X = np.abs(table())
    scaling = table_scaling(X, applied=False)
    rows = scaling.to_network(X, np.float64)
    assert_array_equal(rows, X)
    assert not np.shares_memory(rows, X)
    assert_array_equal(scaling.to_data(rows), X)
    assert scaling.unit == 1.0
    assert_allclose(scaling.scale, table_scaling(X).scale)


def test_rows_that_overflow_the_networks_type_raise_one_line():
    scaling = table_scaling(table())
    far = np.full((1, 5), 1e300)
    assert np.isfinite(scaling.to_network(far, np.float64)).all()
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="too large once") as caught:
        scaling.to_network(far, np.float32)
    assert "\n" not in str(caught.value)


def test_smoothed_mean_is_off_the_ends_by_half_a_row():
    X = np.c_[np.zeros(9), np.ones(9), np.r_[np.zeros(5), np.ones(4)]]
    assert_allclose(table_scaling(X).smoothed_mean(), [0.05, 0.95, 0.45])


# Limits


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.arange(500.0), None),  # both ends are met once
        (np.r_[np.zeros(20), np.arange(480.0)], [0.0, INF]),
        (np.r_[np.zeros(250), np.ones(250)], [0.0, 1.0]),  # an indicator
        (np.r_[np.zeros(9), np.arange(1.0, 41.0)], None),  # a large share, but too few rows
        (np.r_[np.zeros(20), np.arange(1.0, 4981.0)], None),  # many rows, but a small share
    ],
)
def test_a_range_ends_where_enough_rows_lie(column, expected):
    assert limits_of(column) == expected


@pytest.mark.parametrize("n", [20, 77, 154, 303, 1000])
@pytest.mark.parametrize("scale", [None, 0.1, 1.0, 1 / 3, 10.0])
def test_ten_rows_in_a_thousand_are_enough_whatever_the_weights(n, scale):
    column = np.r_[np.zeros(10), 1.0 + np.arange(n - 10)]
    for seed in range(5):
        column = np.random.default_rng(seed).permutation(column)
        weight = None if scale is None else np.full(n, scale)
        assert limits_of(column, weight) == [0.0, INF]


def test_one_heavy_row_is_no_end_of_a_range():
    column = np.arange(40.0)
    assert limits_of(column, np.r_[1000.0, np.ones(39)]) is None
    assert limits_of(column, np.full(40, 1000.0)) is None


def test_rows_of_little_weight_are_no_end_of_a_range():
    column = np.r_[np.zeros(20), 1.0 + np.arange(80)]
    assert limits_of(column, np.r_[np.full(20, 0.01), np.ones(80)]) is None


def test_limits_are_found_across_chunks(monkeypatch):
    X = np.maximum(table(300, 12) - 3, 0.0)
    whole = table_limits(X)
    monkeypatch.setattr(module, "CHUNK_NUMBERS", 50)
    assert_array_equal(table_limits(X), whole)
    assert_array_equal(whole[0], np.zeros(12))
