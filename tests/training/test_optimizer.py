"""The optimiser beside torch's own."""

import pytest
import torch

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
    ours = descend(DecayedAdam, l2=0.3, weight_decay=0.0)
    assert torch.equal(ours, descend(torch.optim.Adam, weight_decay=0.3))


@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_decay_is_that_of_adamw(decay):
    ours = descend(DecayedAdam, weight_decay=decay)
    assert torch.equal(ours, descend(torch.optim.AdamW, weight_decay=decay))


def test_a_closure_is_called_before_the_term_is_added():
    weight = torch.ones(3, requires_grad=True)
    optimizer = DecayedAdam([weight], lr=0.1, l2=1.0, weight_decay=0.0)

    def closure():
        optimizer.zero_grad()
        loss = 0.0 * weight.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 0.0
    assert (weight < 1.0).all()
