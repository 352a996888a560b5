"""Shapes of dense stacks, and the draw of their weights."""

import math

import pytest
import torch
from torch.testing import assert_close

from sklearn_ae.networks import ACTIVATIONS, dense, dense_pair, draw_pair, draw_weights


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("hidden", [(), (7,), (9, 5), (1, 1, 1)])
@pytest.mark.parametrize("n_inputs, n_outputs", [(1, 1), (5, 2), (3, 8)])
def test_shapes(hidden, n_inputs, n_outputs, generator):
    stack = dense(n_inputs, hidden, n_outputs, "gelu")
    draw_weights(stack, "gelu", generator)
    linears = [layer for layer in stack if isinstance(layer, torch.nn.Linear)]
    widths = [linears[0].in_features, *(layer.out_features for layer in linears)]
    assert widths == [n_inputs, *hidden, n_outputs]
    assert stack(torch.ones(4, n_inputs)).shape == (4, n_outputs)
    assert isinstance(stack[-1], torch.nn.Linear)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_is_the_one_asked_for(activation, generator):
    function = {
        "identity": lambda x: x,
        "logistic": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": lambda x: x.clamp(min=0),
        "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))),
        "silu": lambda x: x * torch.sigmoid(x),
    }[activation]
    stack = dense(3, (4,), 2, activation)
    draw_weights(stack, activation, generator)
    x = torch.randn(5, 3, generator=generator)
    first, last = stack[0], stack[-1]
    hidden = function(x @ first.weight.T + first.bias)
    assert_close(stack(x), hidden @ last.weight.T + last.bias)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"logistic"}))
def test_gradient_reaches_every_weight(activation, generator):
    stack = dense(6, (16, 8), 3, activation)
    draw_weights(stack, activation, generator)
    stack(torch.randn(50, 6, generator=generator)).square().sum().backward()
    for name, parameter in stack.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).float().mean() > 0.9, name


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_draws_keep_the_size_of_the_signal(activation, generator):
    stack = dense(200, (200,) * 4, 200, activation)
    draw_weights(stack, activation, generator)
    x = torch.randn(500, 200, generator=generator)
    assert 0.7 < stack(x).square().mean().item() < 1.4


def test_zero_last_makes_the_output_zero(generator):
    stack = dense(4, (8,), 3, "gelu")
    draw_weights(stack, "gelu", generator, zero_last=True)
    assert torch.equal(stack(torch.randn(5, 4, generator=generator)), torch.zeros(5, 3))
    assert stack[0].weight.abs().sum() > 0


def test_draws_depend_on_the_generator_alone():
    def draw(seed):
        torch.randn(3, generator=torch.Generator().manual_seed(seed + 1))
        stack = dense(4, (8,), 3, "gelu")
        draw_weights(stack, "gelu", torch.Generator().manual_seed(seed))
        return torch.cat([p.flatten() for p in stack.parameters()])

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


@pytest.mark.parametrize("hidden", [(), (7,), (9, 5)])
def test_decoder_of_a_pair_mirrors_the_encoder(hidden, generator):
    # a code of two numbers each, such as mean and variance
    encoder, decoder = pair = dense_pair(6, hidden, 4, 2, "tanh")
    for stack, expected in ((encoder, [6, *hidden, 4]), (decoder, [2, *hidden[::-1], 6])):
        linears = [layer for layer in stack if isinstance(layer, torch.nn.Linear)]
        assert [linears[0].in_features, *(layer.out_features for layer in linears)] == expected
        assert sum(isinstance(layer, torch.nn.Tanh) for layer in stack) == len(hidden)
    draw_pair(pair, "tanh", generator)
    assert decoder(encoder(torch.ones(3, 6))[:, :2]).shape == (3, 6)


@pytest.mark.parametrize("zero_last", [False, True])
def test_a_pair_is_drawn_from_one_generator_encoder_first(zero_last):
    pairs = [dense_pair(5, (8,), 3, 3, "relu") for _ in range(2)]
    draw_pair(pairs[0], "relu", torch.Generator().manual_seed(0), zero_last=zero_last)
    generator = torch.Generator().manual_seed(0)
    for stack in pairs[1]:
        draw_weights(stack, "relu", generator, zero_last=zero_last)
    for one, other in zip(*pairs, strict=True):
        for name, weight in one.state_dict().items():
            assert torch.equal(weight, other.state_dict()[name])
        assert one[0].weight.any() and bool(one[-1].weight.any()) != zero_last
