"""The linear path beside the network, centring, and the distribution of the code."""

import pytest
import torch
from torch.testing import assert_close

from sklearn_ae.networks import (
    AutoencoderNetwork,
    DenoisingNetwork,
    LinearPath,
    VariationalNetwork,
    dense,
    draw_weights,
)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def stack(n_inputs, n_outputs, generator, zero_last=False):
    module = dense(n_inputs, (8,), n_outputs, "gelu")
    draw_weights(module, "gelu", generator, zero_last=zero_last)
    return module


def fill(module, generator):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    return module


@pytest.mark.parametrize("n_features, n_components", [(1, 1), (5, 2), (3, 7)])
@pytest.mark.parametrize("with_linear", [False, True])
def test_shapes(n_features, n_components, with_linear, generator):
    linear = LinearPath(n_features, n_components) if with_linear else None
    network = AutoencoderNetwork(
        stack(n_features, n_components, generator),
        stack(n_components, n_features, generator),
        linear=linear,
    )
    x = torch.randn(6, n_features, generator=generator)
    code, state = network.encode(x)
    assert code.shape == (6, n_components)
    assert state is None
    assert network.decode(code).shape == network(x).shape == (6, n_features)
    assert_close(network(x), network.decode(code, state))


def test_network_adds_to_the_linear_path(generator):
    linear = fill(LinearPath(5, 2), generator)
    encoder, decoder = stack(5, 2, generator), stack(2, 5, generator)
    network = AutoencoderNetwork(encoder, decoder, linear=linear)
    x = torch.randn(6, 5, generator=generator)
    code = x @ linear.encoder.T + encoder(x)
    assert_close(network.encode(x)[0], code)
    assert_close(network.decode(code), code @ linear.decoder.T + decoder(code))


def test_a_network_that_starts_at_zero_is_the_linear_path(generator):
    linear = fill(LinearPath(5, 2), generator)
    network = AutoencoderNetwork(
        stack(5, 2, generator, zero_last=True),
        stack(2, 5, generator, zero_last=True),
        linear=linear,
    )
    x = torch.randn(6, 5, generator=generator)
    assert_close(network(x), x @ linear.encoder.T @ linear.decoder.T)


def test_code_activation_acts_on_the_whole_code(generator):
    linear = fill(LinearPath(5, 2), generator)
    encoder = stack(5, 2, generator)
    network = AutoencoderNetwork(
        encoder, stack(2, 5, generator), linear=linear, code_activation=torch.nn.ReLU()
    )
    x = torch.randn(6, 5, generator=generator)
    assert_close(network.encode(x)[0], (x @ linear.encoder.T + encoder(x)).clamp(min=0))


def test_centre_and_scale_change_the_encoders_input_only(generator):
    encoder, decoder = stack(5, 2, generator), stack(2, 5, generator)
    centre = torch.randn(5, generator=generator)
    network = AutoencoderNetwork(encoder, decoder, centre=centre, scale=3.0)
    x, code = torch.randn(6, 5, generator=generator), torch.randn(6, 2, generator=generator)
    assert_close(network.encode(x)[0], encoder((x - centre) / 3.0))
    assert_close(network.decode(code), decoder(code))


def test_gradient_reaches_every_weight(generator):
    network = AutoencoderNetwork(
        stack(5, 2, generator), stack(2, 5, generator), linear=fill(LinearPath(5, 2), generator)
    )
    network(torch.randn(40, 5, generator=generator)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(), name


def test_gradient_reaches_every_weight_of_a_variational_network(generator):
    network = VariationalNetwork(
        stack(5, 4, generator),
        stack(2, 5, generator),
        torch.zeros(2),
        linear=fill(LinearPath(5, 2), generator),
    )
    mean, log_variance = network.encode_distribution(torch.randn(40, 5, generator=generator))
    noise = torch.randn(40, 2, generator=generator)
    output = network.decode(mean + torch.exp(log_variance / 2) * noise)
    (output.square().sum() + mean.square().sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(), name


def test_distribution_is_the_encoders_output_plus_the_start(generator):
    encoder, linear = stack(5, 4, generator), fill(LinearPath(5, 2), generator)
    base = torch.tensor([-1.0, 2.0])
    network = VariationalNetwork(encoder, stack(2, 5, generator), base, linear=linear)
    x = torch.randn(6, 5, generator=generator)
    mean, log_variance = network.encode_distribution(x)
    assert_close(mean, x @ linear.encoder.T + encoder(x)[:, :2])
    assert_close(log_variance, base + encoder(x)[:, 2:])
    assert_close(network.encode(x)[0], mean)


def test_reduced_precision_leaves_the_linear_path(generator):
    linear = fill(LinearPath(5, 2), generator)
    network = AutoencoderNetwork(
        stack(5, 2, generator, zero_last=True),
        stack(2, 5, generator, zero_last=True),
        linear=linear,
    )
    x = torch.randn(6, 5, generator=generator)
    expected = network(x)
    network.autocast_dtype = torch.bfloat16
    assert network(x).dtype == torch.float32
    assert torch.equal(network(x), expected)


def test_reduced_precision_is_used_by_the_linear_path_of_a_denoising_network(generator):
    linear = fill(LinearPath(5, 2), generator)
    parts = (stack(5, 2, generator, zero_last=True), stack(2, 5, generator, zero_last=True))
    network = DenoisingNetwork(*parts, residual=False, linear=linear)
    x = torch.randn(6, 5, generator=generator)
    expected = network(x)
    network.autocast_dtype = torch.bfloat16
    assert network(x).dtype == torch.float32
    assert not torch.equal(network(x), expected)
    assert_close(network(x), expected, rtol=0.05, atol=0.05)


def test_reduced_precision_is_used_by_the_network(generator):
    network = AutoencoderNetwork(stack(5, 2, generator), stack(2, 5, generator))
    x = torch.randn(6, 5, generator=generator)
    expected = network(x)
    network.autocast_dtype = torch.bfloat16
    assert not torch.equal(network(x), expected)
    assert_close(network(x), expected, rtol=0.05, atol=0.05)
