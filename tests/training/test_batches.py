"""Batches: fields of any type and shape, rows in every order asked for."""

import copy
import pickle

import pytest
import torch

from sklearn_ae._compute import make_generator
from sklearn_ae._training import Batch
from sklearn_ae._training.batches import FIELDS, IndexBatches, RowsOnDevice


def rows(n_rows, weight=None):
    everything = Batch(torch.arange(float(n_rows))[:, None], weight=weight)
    return RowsOnDevice(everything, torch.arange(n_rows))


def images(n_rows=12):
    """Images with a class each, and all that may belong to a row."""
    generator = make_generator(0)
    x = torch.randn(n_rows, 2, 3, 4, generator=generator)
    return Batch(
        x,
        target=torch.randint(5, (n_rows,), generator=generator),
        weight=torch.rand(n_rows, generator=generator),
        mask=x > 0,
        group=torch.arange(n_rows, dtype=torch.int32) % 3,
        partners=torch.randint(n_rows, (n_rows, 4), generator=generator),
    )


def assert_rows(found, everything, indices):
    """All fields are those of the rows at ``indices``, of the type and shape they had."""
    for name in FIELDS:
        whole, part = getattr(everything, name), getattr(found, name)
        if name == "partners" and part.dtype != whole.dtype:  # rows in place of their numbers
            whole = everything.x[whole[torch.arange(len(whole)), torch.arange(len(whole)) % 4]]
        assert part.dtype == whole.dtype and part.shape[1:] == whole.shape[1:]
        assert torch.equal(part, whole[indices])


@pytest.mark.parametrize("n_rows", [1, 2, 9, 10, 11, 20, 21, 22])
@pytest.mark.parametrize("batch_size", [2, 10, 50])
def test_batches_visit_every_row_once(n_rows, batch_size):
    batches = IndexBatches(rows(n_rows), batch_size, make_generator(0))
    visited = [batch.x[:, 0].tolist() for batch in batches]
    assert sorted(row for batch in visited for row in batch) == list(range(n_rows))
    assert len(visited) == len(batches)
    if n_rows > 1:
        assert min(map(len, visited)) > 1
    assert max(map(len, visited)) <= batch_size + 1


def test_batches_are_shuffled_anew_in_every_epoch():
    batches = IndexBatches(rows(30), 30, make_generator(0))
    first, second = (next(iter(batches)).x[:, 0].tolist() for _ in range(2))
    assert first != second != list(range(30))
    again = next(iter(IndexBatches(rows(30), 30, make_generator(0)))).x[:, 0].tolist()
    assert again == first


def test_batches_without_generator_keep_the_order():
    visited = torch.cat([batch.x[:, 0] for batch in IndexBatches(rows(25), 10)])
    assert visited.tolist() == list(range(25))


def test_batches_carry_the_weights_of_their_rows():
    weight = 10 * torch.arange(25.0)
    for batch in IndexBatches(rows(25, weight), 10, make_generator(0)):
        assert torch.equal(batch.weight, 10 * batch.x[:, 0])


def test_rows_on_the_device_are_some_of_all():
    weight = 10 * torch.arange(9.0)
    kept = torch.tensor([7, 1, 4])
    some = RowsOnDevice(rows(9, weight).everything, kept)
    assert len(some) == 3
    assert torch.equal(some.weight, 10 * kept.float())
    assert rows(9).weight is None
    visited = [batch.x[:, 0].tolist() for batch in IndexBatches(some, 2)]
    assert visited == [[7.0, 1.0, 4.0]]  # a last row alone joins the batch before


def test_select_keeps_the_type_and_shape_of_every_field():
    everything = images()
    indices = torch.tensor([3, 0, 11, 3])
    found = RowsOnDevice(everything, torch.arange(12)).select(indices)
    assert_rows(found, everything, indices)
    assert found.x.shape == (4, 2, 3, 4) and found.x.dtype == torch.float32
    assert found.target.shape == (4,) and found.target.dtype == torch.int64


@pytest.mark.parametrize("seed", [None, 0])
def test_batches_keep_the_type_and_shape_of_every_field(seed):
    everything, kept = images(), torch.tensor([8, 2, 5, 9, 0, 11, 3])
    generator = None if seed is None else make_generator(seed)
    batches = list(IndexBatches(RowsOnDevice(everything, kept), 3, generator))
    assert [len(batch.x) for batch in batches] == [3, 4]
    order = kept
    if seed is not None:
        order = kept[torch.randperm(7, generator=make_generator(seed))]
    for batch, indices in zip(batches, order.split([3, 4]), strict=True):
        assert_rows(batch, everything, indices)


def test_batch_is_the_pair_that_skorch_knows():
    batch = images()
    assert isinstance(batch, tuple) and len(batch) == 2
    x, target = batch
    assert x is batch.x and target is batch.target
    # without a target a row is its own
    x, target = Batch(batch.x, weight=batch.weight)
    assert x is target is batch.x
    assert Batch(batch.x).target is None


def test_fields_that_were_not_given_are_none():
    batch = Batch(torch.ones(3, 1))
    assert [getattr(batch, name) for name in FIELDS[1:]] == [None] * 5
    doubled = batch.map(lambda field: 2 * field)
    assert torch.equal(doubled.x, torch.full((3, 1), 2.0)) and doubled.target is None
    assert RowsOnDevice(batch, torch.arange(3)).select(torch.tensor([1])).mask is None


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda batch: pickle.loads(pickle.dumps(batch))],
    ids=["copy", "deepcopy", "pickle"],
)  # fmt: skip
def test_copies_of_a_batch_have_its_fields(again):
    batch = images()
    twin = again(batch)
    assert type(twin) is Batch
    assert_rows(twin, batch, torch.arange(12))
    assert twin[0] is twin.x and twin[1] is twin.target
