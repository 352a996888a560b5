"""Sizes, pooling and unpooling, and the draw of weights of convolutional encoders and decoders."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sklearn_ae.networks import ConvolutionalDecoder, ConvolutionalEncoder, draw_weights
from sklearn_ae.networks.convolutional import (
    BedOfNails,
    MaxPool,
    MaxUnpool,
    level_sizes,
    same_convolution,
    transposed_convolution,
)
from sklearn_ae.networks.dense import WEIGHTED

DOWNSAMPLINGS = ("stride", "max_pool", "average_pool")
UPSAMPLINGS = ("transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool")
PAIRS = [
    (down, up)
    for down, up in itertools.product(DOWNSAMPLINGS, UPSAMPLINGS)
    if up != "max_unpool" or down == "max_pool"
]
KERNELS = (1, 2, 3, 4, 5)

over_pairs = pytest.mark.parametrize("downsampling, upsampling", PAIRS)
over_kernels = pytest.mark.parametrize("kernel_size", KERNELS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_encoder(
    image_shape, downsampling="stride", *, channels=(2, 3), kernel_size=3, normalization=None,
    hidden=(), width=4, activation="relu", positions=False, zero_last=False, seed=1,
):  # fmt: skip
    encoder = ConvolutionalEncoder(
        image_shape, channels, kernel_size, downsampling, normalization, hidden, width, activation,
        positions,
    )  # fmt: skip
    draw_weights(encoder, activation, seeded(seed), zero_last=zero_last)
    return encoder


def make_decoder(
    image_shape, upsampling="transpose", *, channels=(2, 3), kernel_size=3, normalization=None,
    hidden=(), width=4, activation="relu", zero_last=False, seed=2,
):  # fmt: skip
    decoder = ConvolutionalDecoder(
        image_shape, channels, kernel_size, upsampling, normalization, hidden, width, activation
    )
    draw_weights(decoder, activation, seeded(seed), zero_last=zero_last)
    return decoder


def make_pair(image_shape, downsampling, upsampling, **kwargs):
    positions = upsampling == "max_unpool"
    encoder = make_encoder(image_shape, downsampling, positions=positions, **kwargs)
    return encoder, make_decoder(image_shape, upsampling, **kwargs)


def code_and_positions(encoder, x):
    made = encoder(x)
    return made if isinstance(made, tuple) else (made, None)


def images(image_shape, n_rows=6, seed=3):
    return torch.randn(n_rows, math.prod(image_shape), generator=seeded(seed))


def sizes():
    """Every height and width from 5 to 64, beside one of the same and one of the other parity."""
    return [(s, s) for s in range(5, 65)] + [(s, 69 - s) for s in range(5, 65)]


# Sizes


def test_level_sizes_halve_rounding_up():
    assert level_sizes(28, 28, 3) == [(28, 28), (14, 14), (7, 7), (4, 4)]
    assert level_sizes(5, 64, 2) == [(5, 64), (3, 32), (2, 16)]
    assert level_sizes(1, 2, 2) == [(1, 2), (1, 1), (1, 1)]
    assert level_sizes(9, 8, 0) == [(9, 8)]


@over_kernels
@pytest.mark.parametrize("stride", [1, 2])
def test_same_convolution_gives_every_size(stride, kernel_size):
    x = torch.zeros(1, 1, 64, 64)
    for height, width in sizes():
        layer = same_convolution(1, 1, kernel_size, (height, width), stride)
        expected = (1, 1, -(-height // stride), -(-width // stride))
        assert layer(x[:, :, :height, :width]).shape == expected, (height, width)


@over_kernels
def test_transposed_convolution_gives_back_every_size(kernel_size):
    x = torch.zeros(1, 1, 32, 32)
    for size in sizes():
        halves = [-(-s // 2) for s in size]
        layer = transposed_convolution(1, 1, kernel_size, size)
        assert layer(x[:, :, : halves[0], : halves[1]]).shape[2:] == size
        for s, m, p, extra in zip(size, halves, layer.padding, layer.output_padding, strict=True):
            assert s == 2 * (m - 1) + kernel_size - 2 * p + extra
            assert extra in (0, 1)
            assert p >= 0


@over_kernels
@over_pairs
def test_pair_gives_back_every_size(downsampling, upsampling, kernel_size):
    # heights and widths of both parities at each of the two levels, and the ends of the range
    for height, width in [(5, 64), (64, 5), (6, 9), (7, 13), (8, 8), (11, 11), (63, 10), (1, 2)]:
        encoder, decoder = make_pair(
            (1, height, width), downsampling, upsampling, kernel_size=kernel_size
        )
        x = images((1, height, width), 2)
        with torch.no_grad():
            code, positions = code_and_positions(encoder, x)
            assert code.shape == (2, 4)
            assert decoder(code).shape == x.shape
            if positions is not None:
                assert decoder(code, positions).shape == x.shape


@pytest.mark.parametrize("part", [*DOWNSAMPLINGS, *UPSAMPLINGS])
def test_every_size_from_5_to_64_comes_back(part):
    for height, width in sizes():
        shape = (1, height, width)
        with torch.no_grad():
            if part in DOWNSAMPLINGS:
                assert make_encoder(shape, part, channels=(1, 1))(images(shape, 1)).shape == (1, 4)
            else:
                decoder = make_decoder(shape, part, channels=(1, 1))
                assert decoder(torch.ones(1, 4)).shape == (1, height * width)


@pytest.mark.parametrize("size", [(5, 5), (9, 14), (31, 6)])
@over_kernels
def test_max_unpool_has_the_size_of_every_pooling(size, kernel_size):
    encoder, decoder = make_pair((3, *size), "max_pool", "max_unpool", channels=(2, 3, 4))
    x = images((3, *size))
    code, positions = encoder(x)
    down = level_sizes(*size, 3)[1:]
    assert [tuple(where.shape[1:]) for where in positions] == [
        (channels, *inner) for channels, inner in zip((2, 3, 4), down, strict=True)
    ]
    assert decoder(code, positions).shape == x.shape


@pytest.mark.parametrize("hidden", [(), (7,), (9, 5)])
def test_dense_layers_stand_between_features_and_code(hidden):
    encoder, decoder = make_pair((1, 8, 6), "stride", "transpose", hidden=hidden)
    shapes = [
        [(m.in_features, m.out_features) for m in stack.head if isinstance(m, nn.Linear)]
        for stack in (encoder, decoder)
    ]
    ends = [3 * 2 * 2, *hidden, 4]
    assert shapes[0] == list(itertools.pairwise(ends))
    ends = [4, *hidden, 3 * 2 * 2]
    assert shapes[1] == list(itertools.pairwise(ends))


def test_channels_are_the_first_dimension_of_an_image():
    """A change of one channel of one pixel reaches the same place of the rows, in C order."""
    encoder = make_encoder((3, 4, 5), channels=(2,), kernel_size=1, activation="identity")
    x = torch.zeros(1, 3, 4, 5)
    x[0, 1, 2, 4] = 1.0
    features = encoder.levels[0](x)
    convolution = encoder.levels[0][0]
    expected = torch.zeros_like(features)
    expected[0, :, 1, 2] = convolution.weight[:, 1, 0, 0]
    assert_close(features, expected)
    assert_close(encoder(x.flatten(1)), encoder.head(features.flatten(1)))


# Pooling and unpooling


def windows(size):
    """Slices of the windows of 2 x 2, cut at the border, by row and column of the result."""
    for i, j in itertools.product(range(-(-size[0] // 2)), range(-(-size[1] // 2))):
        yield i, j, slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)


@pytest.mark.parametrize("size", [(4, 4), (5, 6), (7, 3), (1, 1)])
def test_max_pool_and_unpool_put_values_back_where_they_were_taken(size):
    x = torch.randn(3, 2, *size, generator=seeded())
    pooled, positions = MaxPool()(x)
    image = MaxUnpool(size)(pooled, positions)
    assert image.shape == x.shape
    for i, j, rows, columns in windows(size):
        window = x[:, :, rows, columns]
        largest = window.amax((2, 3))
        assert torch.equal(pooled[:, :, i, j], largest)
        kept = torch.where(window == largest[..., None, None], window, torch.zeros(()))
        assert torch.equal(image[:, :, rows, columns], kept)


@pytest.mark.parametrize("size", [(4, 4), (5, 6), (7, 3), (1, 1)])
@pytest.mark.parametrize("layer", [BedOfNails, MaxUnpool])
def test_bed_of_nails_stands_at_the_upper_left(layer, size):
    x = torch.randn(3, 2, -(-size[0] // 2), -(-size[1] // 2), generator=seeded())
    image = layer(size)(x)
    expected = torch.zeros(3, 2, *size)
    for i, j in itertools.product(range(x.shape[2]), range(x.shape[3])):
        expected[:, :, 2 * i, 2 * j] = x[:, :, i, j]
    assert torch.equal(image, expected)


@pytest.mark.parametrize("size", [(4, 4), (5, 6), (7, 3), (1, 1)])
def test_positions_may_be_of_the_first_images_only(size):
    x = torch.randn(5, 2, -(-size[0] // 2), -(-size[1] // 2), generator=seeded())
    _, positions = MaxPool()(torch.randn(5, 2, *size, generator=seeded(1)))
    layer = MaxUnpool(size)
    told, nails = layer(x, positions), layer(x)
    for known in range(6):
        image = layer(x, positions[:known])
        assert torch.equal(image[:known], told[:known])
        assert torch.equal(image[known:], nails[known:])
    assert torch.equal(layer(x.double(), positions[:2]), layer(x, positions[:2]).double())
    assert not layer.state_dict()


def test_decoder_takes_positions_of_the_first_rows_at_every_level():
    encoder, decoder = make_pair((3, 9, 6), "max_pool", "max_unpool", channels=(2, 3, 4))
    code, positions = encoder(images((3, 9, 6)))
    first = decoder(code, [where[:2] for where in positions])
    assert_close(first[:2], decoder(code, positions)[:2])
    assert_close(first[2:], decoder(code)[2:])
    assert not torch.allclose(first[:2], decoder(code)[:2])


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_average_pool_is_the_mean_of_what_the_window_holds(size):
    encoder = make_encoder((1, *size), "average_pool", channels=(1,), activation="identity")
    x = torch.randn(2, 1, *size, generator=seeded())
    pooled = encoder.levels[0][-1](x)
    for i, j, rows, columns in windows(size):
        assert_close(pooled[:, :, i, j], x[:, :, rows, columns].mean((2, 3)))


@pytest.mark.parametrize("size", [(8, 8), (9, 6), (11, 13)])
def test_positions_of_each_level_reach_the_level_that_mirrors_it(size):
    """Convolutions that pass everything on: what was largest twice is back in its place."""
    encoder, decoder = make_pair(
        (1, *size), "max_pool", "max_unpool", channels=(1, 1), kernel_size=1, activation="identity"
    )
    for layer in [m for stack in (encoder, decoder) for m in stack.levels.modules()]:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    encoder.head, decoder.head = nn.Identity(), nn.Identity()
    x = torch.randn(5, 1, *size, generator=seeded())
    code, positions = encoder(x.flatten(1))
    image = decoder(code, positions).reshape(x.shape)
    for i, j in itertools.product(range(-(-size[0] // 4)), range(-(-size[1] // 4))):
        block = (slice(None), 0, slice(4 * i, 4 * i + 4), slice(4 * j, 4 * j + 4))
        largest = x[block].amax((1, 2))[:, None, None]
        kept = torch.where(x[block] == largest, x[block], torch.zeros(()))
        assert torch.equal(image[block], kept)
    nails = decoder(code).reshape(x.shape)
    assert torch.equal(nails[:, :, ::4, ::4].flatten(1), code)
    assert (nails != 0).sum() == code.numel()


def test_unpooling_passes_the_gradient_to_the_values():
    x = torch.randn(2, 3, 4, 4, generator=seeded(), requires_grad=True)
    weight = torch.randn(2, 3, 8, 7, generator=seeded(1))
    _, positions = MaxPool()(torch.randn(2, 3, 8, 7, generator=seeded(2)))
    for known in (positions, None):
        (gradient,) = torch.autograd.grad((MaxUnpool((8, 7))(x, known) * weight).sum(), x)
        expected = weight[:, :, ::2, ::2]
        if known is not None:
            expected = weight.flatten(2).gather(2, known.flatten(2)).reshape(x.shape)
        assert torch.equal(gradient, expected)


@over_pairs
def test_encoder_gives_positions_only_where_they_are_used(downsampling, upsampling):
    encoder, decoder = make_pair((1, 9, 8), downsampling, upsampling)
    x = images((1, 9, 8))
    made = encoder(x)
    assert isinstance(made, tuple) == (upsampling == "max_unpool")
    if isinstance(made, tuple):
        code, positions = made
        assert not torch.equal(decoder(code, positions), decoder(code))
        # the code itself does not depend on who asks for positions
        plain = make_encoder((1, 9, 8), downsampling)
        assert torch.equal(plain(x), code)


# The draw of the weights


@over_pairs
@pytest.mark.parametrize("normalization", [None, "batch", "group"])
def test_weights_come_from_the_generator_alone(downsampling, upsampling, normalization):
    def draw(seed):
        torch.manual_seed(seed)
        pair = make_pair((1, 7, 6), downsampling, upsampling, normalization=normalization)
        return torch.cat([p.flatten() for stack in pair for p in stack.parameters()])

    state = torch.get_rng_state()
    try:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        make_pair((1, 7, 6), downsampling, upsampling, normalization=normalization)
        assert torch.equal(torch.get_rng_state(), before)
        weights = draw(0)
        assert weights.isfinite().all()
        assert torch.equal(draw(1), weights)
    finally:
        torch.set_rng_state(state)
    decoders = [make_decoder((1, 7, 6), upsampling, seed=seed) for seed in (2, 2, 9)]
    first, same, other = (decoder.head[0].weight for decoder in decoders)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@over_pairs
@pytest.mark.parametrize("normalization", [None, "batch", "group"])
def test_zero_start_gives_zero(downsampling, upsampling, normalization):
    encoder, decoder = make_pair(
        (3, 9, 6), downsampling, upsampling, normalization=normalization, zero_last=True
    )
    code, positions = code_and_positions(encoder, images((3, 9, 6)))
    assert torch.equal(code, torch.zeros(6, 4))
    spread = torch.randn(6, 4, generator=seeded())
    for arguments in [(spread,), *([(spread, positions)] if positions else [])]:
        assert torch.equal(decoder(*arguments), torch.zeros(6, 3 * 9 * 6))
    layers = [m for stack in (encoder, decoder) for m in stack.modules() if isinstance(m, WEIGHTED)]
    assert sum(not layer.weight.any() for layer in layers) == 2


def mean_squares(stack, *inputs):
    """Mean square of what each layer with weights gives."""
    found, hooks = [], []
    for layer in stack.modules():
        if isinstance(layer, WEIGHTED):
            hooks.append(
                layer.register_forward_hook(
                    lambda module, args, output: found.append(output.square().mean().item())
                )
            )
    with torch.no_grad():
        stack(*inputs)
    for hook in hooks:
        hook.remove()
    return found


@over_pairs
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("size", [(32, 32), (27, 21)])
def test_draws_keep_the_size_of_the_signal(downsampling, upsampling, activation, size):
    encoder, decoder = make_pair(
        (3, *size), downsampling, upsampling, channels=(16, 32, 64), width=64,
        activation=activation,
    )  # fmt: skip
    x = images((3, *size), 32)
    code = torch.randn(32, 64, generator=seeded())
    through = [*mean_squares(encoder, x), *mean_squares(decoder, code)]
    if upsampling == "max_unpool":
        through += mean_squares(decoder, code, encoder(x)[1])
    assert len(through) in (8, 12)
    # pooling white noise is the worst case: the largest of four is large, their mean is small
    assert min(through) > 0.05
    assert max(through) < 20.0


@pytest.mark.parametrize("size", [(16, 16), (25, 25)])
@over_kernels
@pytest.mark.parametrize("upsampling", ["transpose", "nearest", "bed_of_nails"])
def test_linear_decoder_keeps_the_variance(upsampling, kernel_size, size):
    decoder = make_decoder(
        (16, *size), upsampling, channels=(64, 64), width=64, kernel_size=kernel_size,
        activation="identity",
    )  # fmt: skip
    through = mean_squares(decoder, torch.randn(16, 64, generator=seeded()))
    # zeros around the image take some away
    assert all(0.4 < value < 2.0 for value in through)


# Gradients


@over_pairs
@pytest.mark.parametrize("normalization", [None, "batch", "group"])
def test_gradient_reaches_every_weight(downsampling, upsampling, normalization):
    encoder, decoder = make_pair(
        (2, 11, 8), downsampling, upsampling, normalization=normalization, hidden=(8,),
        activation="gelu", channels=(4, 6),
    )  # fmt: skip
    x = images((2, 11, 8), 16)
    code, positions = code_and_positions(encoder, x)
    output = decoder(code) if positions is None else decoder(code, positions)
    (output - x).square().sum().backward()
    for name, parameter in [*encoder.named_parameters(), *decoder.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # a bias before a normalisation is taken out by it
        if parameter.ndim > 1:
            assert (parameter.grad != 0).float().mean() > 0.9, name


@over_pairs
def test_gradient_by_finite_differences(downsampling, upsampling):
    encoder, decoder = make_pair((1, 5, 4), downsampling, upsampling, activation="tanh")
    encoder.double()
    decoder.double()
    x = images((1, 5, 4), 2).double().requires_grad_()

    def through(x):
        code, positions = code_and_positions(encoder, x)
        return decoder(code) if positions is None else decoder(code, positions)

    assert torch.autograd.gradcheck(through, (x,))


# Normalisation


@pytest.mark.parametrize("kind, name", [(nn.BatchNorm2d, "batch"), (nn.GroupNorm, "group")])
def test_normalization_stands_behind_every_convolution_but_the_last(kind, name):
    encoder, decoder = make_pair((1, 9, 9), "stride", "nearest", normalization=name)
    for level in [*encoder.levels, *decoder.levels[:-1]]:
        kinds = [type(layer) for layer in level]
        assert kinds.index(kind) == kinds.index(nn.Conv2d) + 1
        assert kinds[-1] is nn.ReLU
    assert kind not in [type(layer) for layer in decoder.levels[-1]]
    plain = make_encoder((1, 9, 9))
    assert not [m for m in plain.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]


def test_batch_normalization_takes_the_batch_in_training_and_not_at_inference():
    encoder = make_encoder((1, 8, 8), normalization="batch")
    x = images((1, 8, 8), 40)
    norm = encoder.levels[0][1]
    convolved = encoder.levels[0][0](x.unflatten(1, (1, 8, 8)))
    normalized = norm(convolved)
    assert_close(normalized.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    assert_close(normalized.var((0, 2, 3), correction=0), torch.ones(2), atol=1e-3, rtol=0)
    assert not torch.allclose(encoder(x)[:3], encoder(x[:3]))
    encoder.eval()
    assert_close(encoder(x)[:3], encoder(x[:3]))


@pytest.mark.parametrize("n_channels, n_groups", [(64, 8), (32, 8), (12, 4), (6, 2), (3, 1)])
def test_group_normalization_is_of_eight_groups_or_fewer(n_channels, n_groups):
    encoder = make_encoder((1, 6, 6), channels=(n_channels,), normalization="group")
    assert encoder.levels[0][1].num_groups == n_groups
    x = images((1, 6, 6), 9)
    assert_close(encoder(x)[:2], encoder(x[:2]))
    groups = encoder.levels[0][:2](x.unflatten(1, (1, 6, 6))).unflatten(1, (n_groups, -1))
    assert_close(groups.mean((2, 3, 4)), torch.zeros(9, n_groups), atol=1e-5, rtol=0)
