"""Parts of a table that go through a network together."""

import pytest
import torch
from torch.testing import assert_close

from sklearn_ae._compute import WeightedRows, in_chunks, rows_at_once
from sklearn_ae._compute.chunks import CHUNK_NUMBERS, MOST_ROWS


@pytest.mark.parametrize("width", [0, 1, 64, 1025, 50_000, CHUNK_NUMBERS, 10 * CHUNK_NUMBERS])
def test_rows_at_once_are_of_bounded_size(width):
    n_rows = rows_at_once(width)
    assert 1 <= n_rows <= MOST_ROWS
    assert n_rows == 1 or n_rows * width <= CHUNK_NUMBERS
    assert n_rows == MOST_ROWS or (n_rows + 1) * width > CHUNK_NUMBERS


def test_chunks_cover_every_row_once(monkeypatch):
    monkeypatch.setattr("sklearn_ae._compute.chunks.CHUNK_NUMBERS", 100)
    chunks = in_chunks(lambda start, stop: list(range(start, stop)), 23, 12)
    assert [len(chunk) for chunk in chunks] == [8, 8, 7]
    assert [row for chunk in chunks for row in chunk] == list(range(23))
    assert in_chunks(lambda start, stop: stop - start, 3, 1000) == [1, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("at_once, sizes", [(4, [4, 4, 2]), (10, [10]), (99, [10]), (1, [1] * 10)])
def test_weighted_rows_come_in_parts_whose_shares_add_up_to_one(weighted, at_once, sizes, dtype):
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(10, 3, generator=generator)
    weight = 7 * torch.rand(10, generator=generator, dtype=torch.float64) if weighted else None
    rows = WeightedRows(data, weight, at_once, dtype)
    assert len(rows) == 10
    for _ in range(2):  # they can be passed through more than once
        parts = list(rows)
        assert [(len(x), len(share)) for x, share in parts] == [(size, size) for size in sizes]
        assert {tensor.dtype for part in parts for tensor in part} == {dtype}
        assert torch.equal(torch.cat([x for x, _ in parts]), data.to(dtype))
        share = torch.cat([share for _, share in parts])
        assert_close(share.sum().item(), 1.0)
        expected = torch.full((10,), 0.1) if weight is None else weight / weight.sum()
        assert_close(share, expected.to(dtype))
