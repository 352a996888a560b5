"""What a caller has set in torch: reset inside, put back outside, in every thread."""

import contextlib
import itertools
import threading

import pytest
import torch

from sklearn_ae._compute import own_state


@contextlib.contextmanager
def gradients_off():
    """Gradients switched off by a call, not by a context."""
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        yield
    finally:
        torch.set_grad_enabled(before)


SETTINGS = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.float16),
    "no_grad": torch.no_grad,
    "set_grad_enabled": gradients_off,
    "inference_mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),
}
PAIRS = [*([name] for name in SETTINGS), *map(list, itertools.permutations(SETTINGS, 2))]
ALL = [list(SETTINGS), list(SETTINGS)[::-1]]


def state():
    """All that a caller can set for a thread, as torch tells it."""
    return {
        "autocast": torch.is_autocast_enabled("cpu"),
        "type of autocast": torch.get_autocast_dtype("cpu"),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "device": torch.get_default_device().type,
    }


OWN = {"autocast": False, "gradients": True, "inference": False, "device": "cpu"}


def assert_works_as_imported():
    """A layer computes in float32 on the CPU and can be trained."""
    assert OWN.items() <= state().items()
    layer = torch.nn.Linear(2, 2)
    output = layer(torch.ones(3, 2))
    assert output.dtype == torch.float32 and output.device.type == "cpu"
    assert not output.is_inference()
    output.sum().backward()
    assert layer.weight.grad is not None


def check(names, error=None):
    """The settings of a caller are away inside, and back outside."""
    outside = state()
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(SETTINGS[name]())
        before = state()
        assert not OWN.items() <= before.items()
        try:
            with own_state():
                assert_works_as_imported()
                if error is not None:
                    raise error
        except (ValueError, KeyboardInterrupt):
            assert error is not None
        assert state() == before
    assert state() == outside


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("names", [*PAIRS, *ALL], ids="-".join)
def test_own_state_resets_what_was_set_and_puts_it_back(names, error):
    check(names, error)


@pytest.mark.parametrize("error", [None, ValueError])
@pytest.mark.parametrize("names", [*([name] for name in SETTINGS), *ALL], ids="-".join)
def test_own_state_of_a_thread_is_its_own(names, error):
    caught, before = [], state()

    def run():
        try:
            check(names, error)
        except BaseException as failure:
            caught.append(failure)

    thread = threading.Thread(target=run)
    with torch.no_grad():
        thread.start()
        thread.join()
        assert not torch.is_grad_enabled()
    assert caught == []
    assert state() == before


def test_a_default_device_that_was_set_by_a_call_is_put_back():
    try:
        torch.set_default_device("meta")
        with own_state():
            assert_works_as_imported()
        assert torch.get_default_device().type == "meta"
        assert torch.ones(2).is_meta
    finally:
        torch.set_default_device(None)
    assert torch.ones(2).device.type == "cpu"


def test_own_states_nest():
    with torch.inference_mode(), torch.device("meta"):
        before = state()
        with own_state():
            with own_state(), torch.no_grad(), own_state():
                assert_works_as_imported()
            assert_works_as_imported()
        assert state() == before


def test_nothing_is_entered_where_nothing_is_set():
    assert isinstance(own_state(), contextlib.nullcontext)
    with torch.no_grad(), torch.enable_grad():
        assert isinstance(own_state(), contextlib.nullcontext)
    with own_state():
        assert_works_as_imported()
