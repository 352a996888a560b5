"""Rows that go through a network together."""

import pytest

from sklearn_ae._compute import chunks, rows_at_once, slices
from sklearn_ae._compute.chunks import CHUNK_NUMBERS, MOST_ROWS


@pytest.mark.parametrize("width", [0, 1, 64, 1025, 50_000, CHUNK_NUMBERS, 10 * CHUNK_NUMBERS])
def test_rows_at_once_are_of_bounded_size(width):
    n_rows = rows_at_once(width)
    assert 1 <= n_rows <= MOST_ROWS
    assert n_rows == 1 or n_rows * width <= CHUNK_NUMBERS
    assert n_rows == MOST_ROWS or (n_rows + 1) * width > CHUNK_NUMBERS


def test_slices_cover_every_row_once(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_NUMBERS", 100)
    parts = [list(range(23))[part] for part in slices(23, 12)]
    assert [len(part) for part in parts] == [8, 8, 7]
    assert [row for part in parts for row in part] == list(range(23))
    assert [part.stop - part.start for part in slices(3, 1000)] == [1, 1, 1]


@pytest.mark.parametrize("n_rows, width", [(0, 5), (1, 5), (100, 5), (100, 10**9), (10**4, 3000)])
def test_slices_cover_all_rows_in_order(n_rows, width):
    parts = slices(n_rows, width)
    covered = [row for part in parts for row in range(part.start, part.stop)]
    assert covered == list(range(n_rows))
    limit = max(1, CHUNK_NUMBERS // width)
    assert all(part.stop - part.start <= limit for part in parts)
