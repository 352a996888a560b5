"""The optimiser beside torch's own."""

import copy

import pytest
import torch
from torch.testing import assert_close

from sklearn_ae._training.optimizer import DecayedAdam


def descend(optimizer_class, n_steps=20, **kwargs):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 3, generator=generator).requires_grad_()
    x, y = torch.randn(40, 5, generator=generator), torch.randn(40, 3, generator=generator)
    optimizer = optimizer_class([weight], lr=0.05, fused=True, **kwargs)
    for _ in range(n_steps):
        optimizer.zero_grad()
        (x @ weight - y).square().mean().backward()
        optimizer.step()
    return weight.detach()


def test_l2_is_that_of_adam():
    ours = descend(DecayedAdam, l2=0.3)
    assert torch.equal(ours, descend(torch.optim.Adam, weight_decay=0.3))


@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_decay_is_that_of_adamw(decay):
    ours = descend(DecayedAdam, decay=decay)
    # torch subtracts lr * decay * w, which is rounded elsewhere
    assert_close(ours, descend(torch.optim.AdamW, weight_decay=decay), rtol=1e-5, atol=1e-6)


def test_only_the_first_parameters_decay():
    weights = [torch.ones(3, requires_grad=True) for _ in range(3)]
    optimizer = DecayedAdam([{"params": weights, "n_decayed": 2, "decay": 0.5}], lr=0.1)
    for weight in weights[1:]:
        weight.grad = torch.zeros(3)
    optimizer.step()
    # the first has no gradient: a step leaves it alone
    assert [float(weight[0].detach()) for weight in weights] == pytest.approx([1.0, 0.95, 1.0])


def test_copies_decay_and_loaded_states_decay_once():
    weight = torch.ones(3, requires_grad=True)
    optimizer = DecayedAdam([weight], lr=0.1, decay=0.5)
    optimizer.load_state_dict(optimizer.state_dict())
    for one in (optimizer, copy.deepcopy(optimizer)):
        (held,) = one.param_groups[0]["params"]
        held.grad = torch.zeros(3)
        one.step()
        assert float(held[0].detach()) == pytest.approx(0.95)
        weight.data.fill_(1.0)
