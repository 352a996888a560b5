"""Batches, schedules, automatic rules, seeds, chunks and devices."""

import numpy as np
import pytest
import torch

from sklearn_ae._compute import (
    chunks,
    global_state_guard,
    in_chunks,
    make_generator,
    resolve_device,
)
from sklearn_ae._training import auto_batch_size, auto_max_iter
from sklearn_ae._training.batches import IndexBatches, Part
from sklearn_ae._training.schedule import one_cycle


def part(n_rows, weight=None):
    data = torch.arange(float(n_rows))[:, None]
    return Part(data, weight, torch.arange(n_rows))


@pytest.mark.parametrize("n_rows", [1, 2, 9, 10, 11, 20, 21, 22])
@pytest.mark.parametrize("batch_size", [2, 10, 50])
def test_batches_visit_every_row_once(n_rows, batch_size):
    batches = IndexBatches(part(n_rows), batch_size, make_generator(0))
    rows = [batch[0][:, 0].tolist() for batch in batches]
    assert sorted(row for batch in rows for row in batch) == list(range(n_rows))
    assert len(rows) == len(batches)
    if n_rows > 1:
        assert min(map(len, rows)) > 1
    assert max(map(len, rows)) <= batch_size + 1


def test_batches_are_shuffled_anew_at_every_pass():
    batches = IndexBatches(part(30), 30, make_generator(0))
    first, second = (next(iter(batches))[0][:, 0].tolist() for _ in range(2))
    assert first != second != list(range(30))
    again = next(iter(IndexBatches(part(30), 30, make_generator(0))))[0][:, 0].tolist()
    assert again == first


def test_batches_without_generator_keep_the_order():
    rows = torch.cat([batch[0][:, 0] for batch in IndexBatches(part(25), 10)])
    assert rows.tolist() == list(range(25))


def test_batches_carry_the_weights_of_their_rows():
    weight = 10 * torch.arange(25.0)
    for batch in IndexBatches(part(25, weight), 10, make_generator(0)):
        assert torch.equal(batch.weight, 10 * batch[0][:, 0])


@pytest.mark.parametrize("n_steps", [1, 2, 10, 1000, 20_000])
def test_one_cycle_rises_to_one_and_falls_to_zero(n_steps):
    rates = np.array([one_cycle(step, n_steps) for step in range(n_steps)])
    assert rates.max() == 1.0
    assert (rates > 0).all()
    peak = rates.argmax()
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak + 1 :]) < 0).all()
    assert peak <= min(max(1, 0.1 * n_steps), 100)
    if n_steps >= 1000:
        assert rates[-1] < 1e-4


@pytest.mark.parametrize("n_samples", [2, 19, 80, 500, 1797, 60_000, 10**6])
def test_automatic_rules_are_bounded(n_samples):
    batch_size = auto_batch_size(n_samples)
    epochs = auto_max_iter(n_samples, batch_size)
    assert isinstance(batch_size, int) and isinstance(epochs, int)
    assert 1 <= batch_size <= 1024
    assert epochs >= 1
    steps = epochs * max(1, n_samples // batch_size)
    assert steps <= max(30_000, n_samples // batch_size)
    if n_samples >= 80:
        assert steps >= 1000


def test_automatic_batches_grow_with_the_data():
    sizes = [auto_batch_size(n) for n in (10, 80, 500, 2000, 60_000)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize("n_rows, width", [(0, 5), (1, 5), (100, 5), (100, 10**9), (10**4, 3000)])
def test_chunks_cover_all_rows_in_order(n_rows, width):
    spans = in_chunks(lambda start, stop: (start, stop), n_rows, width)
    covered = [row for start, stop in spans for row in range(start, stop)]
    assert covered == list(range(n_rows))
    limit = max(1, chunks.CHUNK_NUMBERS // width)
    assert all(stop - start <= limit for start, stop in spans)


def test_guard_seeds_inside_and_restores_outside():
    before = torch.get_rng_state()
    with global_state_guard(5):
        first = torch.randn(3)
    assert torch.equal(torch.get_rng_state(), before)
    with global_state_guard(5):
        assert torch.equal(torch.randn(3), first)
    with pytest.raises(KeyboardInterrupt), global_state_guard(5):
        torch.randn(3)
        raise KeyboardInterrupt
    assert torch.equal(torch.get_rng_state(), before)


def test_device_names():
    assert resolve_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type in (expected, "mps")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_cuda_device_is_an_error():
    with pytest.raises(ValueError, match="device='cuda'"):
        resolve_device("cuda")
