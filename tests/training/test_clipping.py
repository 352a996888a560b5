"""Gradients that are far longer than usual."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sklearn_ae._training import train
from sklearn_ae._training.clipping import (
    FIRST_NORMS,
    GradientClipping,
    StackedClipping,
    _gradients,
)
from tests.training.toys import FitLine, settings

# the first are not clipped; of the others only the long one is
FIRST = [0.0, 3.0, np.inf, 3.0, 4.0, *17 * [3.0]]
NORMS = [*FIRST, 5.0, 100.0, 3.0, 0.0, 5.0, 3.0]


class OnCard(GradientClipping):
    """The rule of a card, on the CPU."""

    def __call__(self, optimizer):
        gradients = _gradients(optimizer)
        norm = torch.linalg.vector_norm(torch.cat([g.reshape(-1) for g in gradients]))
        self._by_tensors(gradients, norm)


def clipped(norms, make=GradientClipping):
    """Norms that the gradients of two groups together have after clipping."""
    weights = [torch.ones(2, requires_grad=True), torch.ones(1, 2, requires_grad=True)]
    weights.append(torch.ones(1, requires_grad=True))  # never has a gradient
    optimizer = torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:]}])
    clipping, found = make(), []
    for norm in norms:
        for weight in weights[:2]:
            weight.grad = torch.full_like(weight, norm / 2.0)
        clipping(optimizer)
        found.append(float(torch.cat([weight.grad.ravel() for weight in weights[:2]]).norm()))
    return found


def by_hand(norms):
    """The rule, in numpy."""
    seen, found, usual = 0, [], 0.0
    for norm in norms:
        if not (norm and np.isfinite(norm)):
            found.append(norm)
            continue
        found.append(min(norm, 2.0 * usual) if seen >= 20 else norm)
        seen += 1
        share = max(0.05, 1.0 / seen)
        usual = (1.0 - share) * usual + share * found[-1]
    return found


def test_each_of_stacked_networks_is_clipped_by_itself():
    curves = np.array([NORMS, NORMS[::-1], 7.0 * np.array(NORMS)])
    weight = torch.ones(3, 5, requires_grad=True)
    number = torch.ones(3, requires_grad=True)
    optimizer, clipping, found = torch.optim.SGD([weight, number]), StackedClipping(3), []
    for norms in curves.T:
        norms = torch.as_tensor(norms, dtype=torch.float32)
        number.grad = 0.6 * norms
        weight.grad = (0.8 / 5**0.5 * norms)[:, None].expand(3, 5).clone()
        clipping(optimizer)
        found.append(torch.cat([weight.grad, number.grad[:, None]], dim=1).norm(dim=1).tolist())
    for norms, expected in zip(np.transpose(found), curves, strict=True):
        assert norms == pytest.approx(by_hand(expected))


RULES = pytest.mark.parametrize("make", [GradientClipping, OnCard])


@RULES
def test_norms_are_those_of_the_rule_and_only_the_outlier_is_short(make):
    found = clipped(NORMS, make)
    assert found == pytest.approx(by_hand(NORMS))
    short = [i for i, norm in enumerate(NORMS) if found[i] != pytest.approx(norm)]
    assert short == [NORMS.index(100.0)]
    assert found[NORMS.index(100.0)] == pytest.approx(2.0 * 3.15, abs=0.1)


@RULES
def test_rule_on_long_courses(make):
    rng = np.random.default_rng(0)
    norms = [*rng.lognormal(0.0, 1.5, 200), *[1e-3] * 200, 1.0, *rng.lognormal(3.0, 1.0, 200)]
    assert clipped(norms, make) == pytest.approx(by_hand(norms), rel=1e-5)


@RULES
@pytest.mark.parametrize("before", [[0.0] * 100, [1e-6], [1e-2] * 100])
def test_a_level_that_rises_is_caught_up_with(before, make):
    found = clipped([*before, *[1.0] * 120], make)
    assert found[len(before) + 100 :] == pytest.approx([1.0] * 20)


@RULES
def test_a_gradient_that_is_not_finite_is_left_alone(make):
    weight = torch.ones(2, requires_grad=True)
    optimizer, clipping = torch.optim.SGD([weight]), make()
    for value in (torch.nan, torch.inf, 3e38):  # the norm of the last overflows
        weight.grad = torch.full((2,), value)
        clipping(optimizer)
        assert_close(weight.grad, torch.full((2,), value), equal_nan=True)
    assert clipping.state() == [0.0, 0]


def test_scale_of_the_objective_does_not_matter():
    norms = list(np.random.default_rng(2).lognormal(0.0, 1.5, 100))
    small = clipped([1e-12 * norm for norm in norms])
    assert_close(torch.tensor(small) * 1e12, torch.tensor(clipped(norms)), rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("clips", [True, False])
def test_an_outlier_does_not_hold_the_weights(clips):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=1.0)
    clipping = GradientClipping() if clips else lambda optimizer: None
    steps = []
    for gradient in [1.0] * 2000 + [1e4] + [-1.0] * 100:
        before = weight.item()
        weight.grad = torch.full((1,), gradient)
        clipping(optimizer)
        optimizer.step()
        steps.append(before - weight.item())
    assert (abs(steps[2000]) < 1.5) == clips
    assert (steps[-1] < -0.5) == clips


def test_every_fit_clips_and_a_later_one_goes_on(data):
    first = train(FitLine(), data, settings(max_iter=2, keeps_state=True))
    assert first.state.clippings == [[pytest.approx(first.net.clippings[0].usual), 14]]
    later = train(first.task, data, settings(max_iter=1, keeps_state=True), first.state)
    assert later.state.clippings[0][1] == 21
    known = dataclasses.replace(first.state, clippings=None)  # as stored before there was clipping
    anew = train(first.task, data, settings(max_iter=1, keeps_state=True), known)
    assert anew.state.clippings[0][1] == 7


def test_a_fit_is_clipped(data, monkeypatch):
    ratios = []

    class Watched(GradientClipping):
        def __call__(self, optimizer):
            gradients = [weight.grad for weight in optimizer.param_groups[0]["params"]]
            before, usual = torch.nn.utils.get_total_norm(gradients), self.usual
            super().__call__(optimizer)
            if self.n_norms > FIRST_NORMS:
                ratios.append((before / usual, torch.nn.utils.get_total_norm(gradients) / usual))

    monkeypatch.setattr("sklearn_ae._training.net.GradientClipping", Watched)
    data.target[:3] = 1e4
    train(FitLine(), data, settings(max_iter=10, batch_size=8))
    before, after = torch.tensor(ratios).T
    assert before.max() > 5.0
    assert after.max() == pytest.approx(2.0)


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
