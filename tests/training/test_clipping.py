"""Gradients that are far longer than usual."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sklearn_ae._training import train
from sklearn_ae._training.clipping import GradientClipping
from tests.training.toys import FitLine, settings

NORMS = [0.0, 3.0, 3.0, 4.0, 100.0, 3.0, 5.0, 3.0]


class OnCard(GradientClipping):
    """The rule of a card, on the CPU."""

    def _by_floats(self, gradients, norm):
        self._by_tensors(gradients, torch.tensor(norm))


def clipped(norms, make=GradientClipping):
    """Norms that the gradients of two groups together have after the hook."""
    weights = [torch.ones(2, requires_grad=True), torch.ones(1, 2, requires_grad=True)]
    weights.append(torch.ones(1, requires_grad=True))  # never has a gradient
    optimizer = torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:]}])
    clipping, found = make(), []
    for norm in norms:
        for weight in weights[:2]:
            weight.grad = torch.full_like(weight, norm / 2.0)
        clipping(optimizer, (), {})
        found.append(float(torch.cat([weight.grad.ravel() for weight in weights[:2]]).norm()))
    return found


def by_hand(norms):
    """The rule, in numpy."""
    usual, found = 0.0, []
    for n_before, norm in enumerate(norms):
        found.append(min(norm, 2.0 * usual) if usual else norm)
        share = max(0.01, 1.0 / (n_before + 1))
        usual = (1.0 - share) * usual + share * found[-1]
    return found


def test_norms_are_those_of_the_rule_and_only_the_outlier_is_short():
    found = clipped(NORMS)
    assert found == pytest.approx(by_hand(NORMS))
    assert [i for i, norm in enumerate(NORMS) if found[i] != pytest.approx(norm)] == [4]


def test_long_courses_forget():
    norms = list(np.random.default_rng(0).lognormal(0.0, 1.5, 400)) + [1e-3] * 400 + [1.0]
    found = clipped(norms)
    assert found == pytest.approx(by_hand(norms), rel=1e-5)
    assert found[-1] < 0.1  # long beside those before it


def test_a_card_and_the_cpu_have_one_rule():
    norms = [*NORMS, 0.0, *np.random.default_rng(1).lognormal(0.0, 1.0, 300)]
    assert clipped(norms, OnCard) == pytest.approx(clipped(norms), rel=1e-5)


def test_a_gradient_that_is_not_finite_stays_so():
    weight = torch.ones(2, requires_grad=True)
    for value in (torch.nan, torch.inf):
        clipping = GradientClipping()
        for gradient in (torch.ones(2), torch.full((2,), value)):
            weight.grad = gradient
            clipping(torch.optim.SGD([weight]), (), {})
        assert not torch.isfinite(weight.grad).any()


def test_scale_of_the_objective_does_not_matter():
    norms = list(np.random.default_rng(2).lognormal(0.0, 1.5, 100))
    small = clipped([1e-12 * norm for norm in norms])
    assert_close(torch.tensor(small) * 1e12, torch.tensor(clipped(norms)), rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("clips", [True, False])
def test_an_outlier_does_not_hold_the_weights(clips):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=1.0)
    if clips:
        optimizer.register_step_pre_hook(GradientClipping())
    steps = []
    for gradient in [1.0] * 2000 + [1e4] + [-1.0] * 100:
        before = weight.item()
        weight.grad = torch.full((1,), gradient)
        optimizer.step()
        steps.append(before - weight.item())
    assert (abs(steps[2000]) < 1.5) == clips
    assert (steps[-1] < -0.5) == clips


def test_every_fit_clips_and_a_later_one_goes_on(data):
    first = train(FitLine(), data, settings(max_iter=2, keeps_state=True))
    assert first.state.clippings == [[pytest.approx(first.net.clippings[0].usual), 14]]
    hooks = first.net.optimizer_._optimizer_step_pre_hooks.values()
    assert first.net.clippings[0] in hooks
    later = train(first.task, data, settings(max_iter=1, keeps_state=True), first.state)
    assert later.state.clippings[0][1] == 21


@pytest.mark.parametrize("make", [GradientClipping, OnCard])
def test_state_goes_on(make):
    norms = list(np.random.default_rng(3).lognormal(0.0, 1.5, 60))
    kept = []

    def first():
        kept.append(make())
        return kept[0]

    def second():
        later = make()
        later.load_state(kept[0].state())
        return later

    halves = clipped(norms[:30], first) + clipped(norms[30:], second)
    assert halves == pytest.approx(clipped(norms), rel=1e-5)
