"""Generators of one fit, and the guard around code that draws from global states."""

import contextlib
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from sklearn_ae._compute import global_state_guard, make_generator


def test_generator_repeats_its_draws_and_leaves_the_global_state():
    before = torch.get_rng_state()
    draws = [torch.randn(3, generator=make_generator(seed)) for seed in (5, 5, 6)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), before)


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


def test_guard_seeds_numpy_inside_and_restores_it_outside():
    before = np.random.get_state()
    # a seed may be larger than numpy takes
    draws = []
    for seed in (5, 5, 6, 5 + 2**32):
        with global_state_guard(seed):
            draws.append(np.random.normal(size=3))
        for old, new in zip(before, np.random.get_state(), strict=True):
            assert_array_equal(new, old)
    assert_array_equal(draws[0], np.random.RandomState(5).normal(size=3))
    assert_array_equal(draws[1], draws[0])
    assert not np.array_equal(draws[2], draws[0])
    assert_array_equal(draws[3], draws[0])


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_guard_gives_code_of_a_user_torchs_own_defaults(error):
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"), torch.no_grad():
            with contextlib.suppress(RuntimeError), global_state_guard(0):
                layer = torch.nn.Linear(2, 3)
                output = layer(torch.ones(1, 2))
                if error is not None:
                    raise error
            assert torch.get_default_dtype() == torch.float64
            assert torch.get_default_device().type == "meta"
            assert not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
    for made in (layer.weight, output):
        assert made.dtype == torch.float32 and made.device.type == "cpu" and made.requires_grad


def test_guards_nest_in_one_thread():
    before = torch.get_rng_state()
    with global_state_guard(1):
        with global_state_guard(2):
            inner = torch.randn(3)
        outer = torch.randn(3)
    assert torch.equal(inner, torch.randn(3, generator=make_generator(2)))
    assert torch.equal(outer, torch.randn(3, generator=make_generator(1)))
    assert torch.equal(torch.get_rng_state(), before)


def test_guards_of_two_threads_do_not_meet_inside():
    inside, left = threading.Event(), threading.Event()
    drawn = []

    def other():
        inside.wait(10)
        with global_state_guard(2):
            drawn.append((left.is_set(), torch.randn(3)))

    thread = threading.Thread(target=other)
    thread.start()
    with global_state_guard(1):
        inside.set()
        # the other thread would draw in this time if it could
        thread.join(0.2)
        first = torch.randn(3)
        left.set()
    thread.join(10)
    assert torch.equal(first, torch.randn(3, generator=make_generator(1)))
    ((came_later, second),) = drawn
    assert came_later
    assert torch.equal(second, torch.randn(3, generator=make_generator(2)))
