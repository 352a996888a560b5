"""Columns of unit norm, and that no rescaling gets around them."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.testing import assert_close

from sklearn_ae.networks import dense, draw_weights
from sklearn_ae.networks.unit_norm import constrain_columns

CODE_WIDTH = 3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(module, seed=0):
    """A module with weights drawn apart from torch's global state."""
    for parameter in module.parameters():
        parameter.data.normal_(generator=seeded(seed))
    return module


def dense_decoder():
    decoder = dense(CODE_WIDTH, (8, 6), 10, "relu")
    draw_weights(decoder, "relu", seeded())
    return decoder


def convolutional_decoder():
    return drawn(
        nn.Sequential(
            nn.Linear(CODE_WIDTH, 16),
            nn.ReLU(),
            nn.Unflatten(1, (4, 2, 2)),
            nn.ConvTranspose2d(4, 5, 3, stride=2),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(5, 2, 3, padding=1),
            nn.Flatten(),
        )
    )


DECODERS = [dense_decoder, convolutional_decoder]
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def column_norms(module):
    """Norm of what each weighted layer does with each of its inputs."""
    norms = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            norms.append(layer.weight.square().sum((0, 2, 3)).sqrt())
        elif isinstance(layer, nn.ConvTranspose2d):
            norms.append(layer.weight.square().sum((1, 2, 3)).sqrt())
        elif isinstance(layer, nn.Linear):
            norms.append(layer.weight.square().sum(0).sqrt())
    return norms


def assert_unit_columns(module, n_layers):
    norms = column_norms(module)
    assert len(norms) == n_layers
    for norm in norms:
        assert_close(norm, torch.ones_like(norm))


@pytest.mark.parametrize("make", DECODERS)
def test_columns_have_unit_norm(make):
    decoder = make()
    shapes = {name: p.shape for name, p in decoder.named_parameters()}
    constrain_columns(decoder)
    assert_unit_columns(decoder, 3)
    assert decoder(torch.ones(4, CODE_WIDTH)).ndim == 2
    originals = {
        name.replace("parametrizations.weight.original", "weight"): p.shape
        for name, p in decoder.named_parameters()
    }
    assert originals == shapes


@pytest.mark.parametrize(
    "layer, sums",
    [
        (nn.Linear(3, 5), (0,)),
        (nn.Conv1d(3, 5, 2), (0, 2)),
        (nn.Conv2d(3, 5, 2), (0, 2, 3)),
        (nn.Conv3d(3, 5, 2), (0, 2, 3, 4)),
        (nn.ConvTranspose1d(3, 5, 2), (1, 2)),
        (nn.ConvTranspose2d(3, 5, 2), (1, 2, 3)),
        (nn.ConvTranspose3d(3, 5, 2), (1, 2, 3, 4)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_norm_is_over_all_that_an_input_channel_does(layer, sums):
    before = layer.weight.detach().clone()
    constrain_columns(nn.Sequential(layer))
    norm = before.square().sum(sums, keepdim=True).sqrt()
    assert norm.numel() == 3
    assert_close(layer.weight.detach(), before / norm)


@pytest.mark.parametrize("make", DECODERS)
def test_columns_stay_at_unit_norm_under_an_optimiser(make):
    """Adam steps of an L1 penalty and a reconstruction, with every layer free to move."""
    decoder = make()
    constrain_columns(decoder)
    before = copy.deepcopy(decoder.state_dict())
    encoder = drawn(nn.Linear(10, CODE_WIDTH), 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.05)
    x = torch.randn(20, 10, generator=seeded(2))
    for _ in range(30):
        optimizer.zero_grad()
        code = encoder(x)
        output = decoder(code)
        ((output[:, :10] - x).square().sum(1) + code.abs().sum(1)).mean().backward()
        optimizer.step()
        assert_unit_columns(decoder, 3)
    changed = [not torch.equal(before[name], value) for name, value in decoder.state_dict().items()]
    assert all(changed)


@pytest.mark.parametrize("make", DECODERS)
def test_larger_weights_do_not_make_the_decoder_multiply(make):
    """The way around an L1 penalty: a smaller code, larger weights behind it, equal output."""
    free, held = make(), make()
    constrain_columns(held)
    for decoder in (free, held):
        for layer in decoder.modules():
            if isinstance(layer, WEIGHTED):
                layer.bias.data.zero_()
    code = torch.rand(6, CODE_WIDTH, generator=seeded(3))
    outputs = [decoder(code).detach() for decoder in (free, held)]
    for decoder in (free, held):
        for layer in decoder.modules():
            if isinstance(layer, WEIGHTED):
                is_held = parametrize.is_parametrized(layer)
                weight = layer.parametrizations.weight.original if is_held else layer.weight
                weight.data *= 10
    assert_close(free(code / 1000), outputs[0])
    assert_close(held(code), outputs[1])
    assert_close(held(code / 1000), outputs[1] / 1000)


def test_training_cannot_void_l1():
    """On a line through the origin |z| is at least |x| at equal output, with unit columns."""
    t = torch.randn(100, 1, generator=seeded(), dtype=torch.float64)
    direction = nn.functional.normalize(torch.ones(1, 4, dtype=torch.float64))
    x = t @ direction

    def train(held):
        encoder, decoder = drawn(nn.Linear(4, 1), 1).double(), drawn(nn.Linear(1, 4), 2).double()
        if held:
            constrain_columns(decoder)
        optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.05)
        for _ in range(400):
            optimizer.zero_grad()
            code = encoder(x)
            error = (decoder(code) - x).square().sum(1).mean()
            size = code.abs().mean()
            (error + 0.05 * size).backward()
            optimizer.step()
        return error.item(), size.item()

    largest = t.abs().mean().item()
    error, size = train(held=True)
    assert error < 0.01 and size > 0.9 * largest
    error, size = train(held=False)
    assert error < 0.01 and size < 0.6 * largest


@pytest.mark.parametrize("n_inputs, n_outputs", [(1, 5), (4, 4), (9, 3), (16, 20)])
def test_layer_multiplies_by_at_most_the_root_of_its_inputs(n_inputs, n_outputs):
    def largest_factor(weight):
        layer = nn.Linear(n_inputs, n_outputs, bias=False).double()
        layer.weight.data.copy_(weight)
        constrain_columns(layer)
        return torch.linalg.matrix_norm(layer.weight, ord=2).item()

    for seed in range(20):
        weight = torch.randn(n_outputs, n_inputs, generator=seeded(seed)) ** 3
        assert largest_factor(weight) <= n_inputs**0.5 + 1e-12
    # reached where all columns are alike
    alike = torch.randn(n_outputs, 1, generator=seeded()) * torch.arange(1.0, n_inputs + 1)
    assert largest_factor(alike) == pytest.approx(n_inputs**0.5)


def test_hidden_layer_makes_up_for_no_more_than_its_root():
    """The least |z| at equal output is that of one layer over the root of the hidden width."""
    n_hidden = 4
    t = torch.randn(100, 1, generator=seeded(), dtype=torch.float64)
    x = t @ nn.functional.normalize(torch.ones(1, 4, dtype=torch.float64))

    def train(widths):
        decoder = nn.Sequential(*(nn.Linear(*pair) for pair in itertools.pairwise((1, *widths, 4))))
        encoder, decoder = drawn(nn.Linear(4, 1), 1).double(), drawn(decoder, 2).double()
        constrain_columns(decoder)
        optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.1)
        for _ in range(400):
            optimizer.zero_grad()
            code = encoder(x)
            error = (decoder(code) - x).square().sum(1).mean()
            size = code.abs().mean()
            (error + 0.1 * size).backward()
            optimizer.step()
        assert error < 0.01
        return size.item()

    alone, behind_hidden = train(()), train((n_hidden,))
    assert behind_hidden > 0.95 * alone / n_hidden**0.5
    assert behind_hidden < 1.2 * alone / n_hidden**0.5


def test_gradient_is_at_right_angles_to_the_columns():
    """Only directions of the columns are learnt: the length of the weight has no gradient."""
    layer = drawn(nn.Conv2d(3, 5, 2))
    constrain_columns(nn.Sequential(layer))
    layer(torch.randn(2, 3, 6, 6, generator=seeded(1))).square().sum().backward()
    original = layer.parametrizations.weight.original
    along = (original.grad * original).sum((0, 2, 3))
    assert original.grad.abs().sum() > 1
    assert_close(along, torch.zeros(3), atol=1e-3, rtol=0)


def test_column_of_zeros_stays_finite():
    layer = drawn(nn.Linear(3, 4))
    layer.weight.data[:, 1] = 0
    constrain_columns(layer)
    assert layer.weight.isfinite().all()


@pytest.mark.parametrize(
    "extra, message",
    [
        (nn.BatchNorm1d(4), "without normalisation layers.*got BatchNorm1d"),
        (nn.BatchNorm2d(4), "got BatchNorm2d"),
        (nn.GroupNorm(2, 4), "got GroupNorm"),
        (nn.LayerNorm(4), "got LayerNorm"),
        (nn.InstanceNorm2d(4), "got InstanceNorm2d"),
        (nn.RMSNorm(4), "got RMSNorm"),
        (nn.Conv2d(4, 4, 1, groups=2), "groups=1; got groups=2"),
    ],
    ids=str,
)
def test_layers_that_would_undo_it_raise_one_line(extra, message):
    decoder = nn.Sequential(nn.Linear(3, 4), nn.Sequential(extra))
    with pytest.raises(ValueError, match=message) as caught:
        constrain_columns(decoder)
    assert "\n" not in str(caught.value)
    assert not parametrize.is_parametrized(decoder[0])


def test_decoder_without_weights_raises_one_line():
    with pytest.raises(ValueError, match=r"linear or convolutional layers.*got Sequential"):
        constrain_columns(nn.Sequential(nn.Tanh(), nn.ChannelShuffle(2)))
