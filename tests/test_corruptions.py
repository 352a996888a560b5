"""Corruptions: moments and fractions, where the draws come from, and what is refused."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ae import Autoencoder, Denoiser
from sklearn_ae.corruptions import (
    CORRUPTIONS,
    Compose,
    Corruption,
    GaussianNoise,
    Masking,
    Occlusion,
    SaltAndPepper,
    SwapNoise,
    make_corruption,
)
from sklearn_ae.utils._seeds import draw_seed, seed_for

# All take rows of 12 values.
PARTS = [
    GaussianNoise(0.5),
    Masking(0.3),
    SaltAndPepper(0.3),
    SwapNoise(0.3),
    Occlusion((4, 3)),
    Occlusion((3, 2, 2), 1),
    Occlusion((4, 3), 1, 2.0, "rows"),
    Occlusion((4, 3), 1, 2.0, "columns"),
    Compose(["masking", GaussianNoise(0.5), lambda x, generator: 2 * x]),
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def table(n_rows=50, dtype=torch.float32):
    return 5 + torch.randn(n_rows, 12, generator=seeded(1), dtype=dtype)


def assert_share(hits, fraction, n_errors=4.5):
    """A share of independent hits is within so many standard errors of its expectation."""
    error = (fraction * (1 - fraction) / hits.numel()) ** 0.5
    assert abs(hits.double().mean().item() - fraction) <= n_errors * error


# What every corruption does


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("part", PARTS)
def test_corruption_is_drawn_from_the_generator_only(part, dtype):
    x, corrupt = table(dtype=dtype), part.make()
    kept, global_states = x.clone(), (torch.get_rng_state(), np.random.get_state()[1].copy())
    generator = seeded()
    first, second = corrupt(x, generator), corrupt(x, generator)
    assert first.shape == x.shape and first.dtype == dtype
    assert torch.equal(x, kept) and first.data_ptr() != x.data_ptr()
    assert not torch.equal(first, second)
    assert torch.equal(first, corrupt(x, seeded()))
    assert not torch.equal(first, corrupt(x, seeded(1)))
    assert torch.equal(torch.get_rng_state(), global_states[0])
    assert_array_equal(np.random.get_state()[1], global_states[1])


@pytest.mark.parametrize("part", PARTS)
def test_corruption_takes_a_batch_of_one_row(part):
    x = table(1)
    corrupted = part.make()(x, seeded())
    assert corrupted.shape == x.shape
    assert corrupted.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("part", PARTS)
def test_corrupt_gives_a_new_array(part):
    X = table(dtype=torch.float64).numpy()
    X.setflags(write=False)
    kept, state = X.copy(), np.random.get_state()[1].copy()
    corrupted = part.corrupt(X, random_state=0)
    assert corrupted.dtype == np.float64 and corrupted.shape == X.shape
    assert_array_equal(X, kept)
    assert_array_equal(corrupted, part.corrupt(X, random_state=0))
    assert not np.array_equal(corrupted, part.corrupt(X, random_state=1))
    assert not np.array_equal(part.corrupt(X), part.corrupt(X))
    assert_array_equal(np.random.get_state()[1], state)
    source = np.random.RandomState(0)
    assert not np.array_equal(part.corrupt(X, source), part.corrupt(X, source))


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_corrupt_has_a_stream_of_its_own(seed):
    """An estimator with the same random_state draws its weights from that of the bare seed."""
    X = np.zeros((400, 12))
    noise = GaussianNoise(1.0).corrupt(X, random_state=seed)
    drawn = draw_seed(seed)
    for other in (drawn, drawn + 1, seed_for("start", drawn), seed_for("score", drawn)):
        x = torch.from_numpy(X)
        stream = GaussianNoise(1.0).make()(x, torch.Generator().manual_seed(other)).numpy()
        assert abs((noise * stream).mean()) < 4.5 / noise.size**0.5
    assert_array_equal(noise, GaussianNoise(1.0).corrupt(X, random_state=seed))


@pytest.mark.parametrize("part", PARTS)
def test_corrupt_takes_containers_and_types(part):
    X = table(dtype=torch.float64).numpy()
    expected = part.corrupt(X, 0)
    assert_array_equal(part.corrupt(pd.DataFrame(X), 0), expected)
    assert_array_equal(part.corrupt(np.asfortranarray(X), 0), expected)
    assert_array_equal(part.corrupt(X.tolist(), 0), expected)
    assert_array_equal(part.corrupt(X[::-1], 0).shape, X.shape)
    assert part.corrupt(X.astype(np.float32), 0).dtype == np.float32
    assert part.corrupt(X.astype(int), 0).dtype == np.float64
    assert part.corrupt(X[:1], 0).shape == (1, 12)


@pytest.mark.parametrize("shape", [(12,), (4, 3), (1, 4, 3), (3, 2, 2)])
@pytest.mark.parametrize("part", PARTS[:4])
def test_corrupt_gives_images_back_in_their_shape(part, shape):
    X = table(dtype=torch.float64).numpy()
    corrupted = part.corrupt(X.reshape(-1, *shape), 0)
    assert corrupted.shape == (50, *shape)
    assert_array_equal(corrupted.reshape(50, -1), part.corrupt(X, 0))


@pytest.mark.parametrize("part", PARTS[:-1])
def test_corruption_is_an_estimator_part(part):
    twin = clone(part)
    assert twin.get_params() == part.get_params()
    assert repr(twin) == repr(part)
    x = table()
    assert torch.equal(twin.make()(x, seeded()), part.make()(x, seeded()))
    again = pickle.loads(pickle.dumps(part.make()))
    assert torch.equal(again(x, seeded()), part.make()(x, seeded()))


@pytest.mark.gpu
@pytest.mark.parametrize("part", PARTS)
def test_corruption_stays_on_the_device(part):
    x = table().cuda()
    corrupt = part.make()
    generator = torch.Generator("cuda").manual_seed(0)
    corrupt(x, generator)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        corrupted = corrupt(x, generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert corrupted.device == x.device and corrupted.shape == x.shape
    assert not torch.equal(corrupted, x)


# One by one


def test_gaussian_noise_is_normal_with_its_scale():
    x = torch.full((200_000, 2), 7.0, dtype=torch.float64)
    noise = (GaussianNoise(0.5).make()(x, seeded()) - x) / 0.5
    n = noise.numel()
    assert abs(noise.mean().item()) < 4 / n**0.5
    assert abs(noise.square().mean().item() - 1) < 4 * (2 / n) ** 0.5
    assert abs(noise.pow(4).mean().item() - 3) < 4 * (96 / n) ** 0.5
    assert abs((noise[:, 0] * noise[:, 1]).mean().item()) < 4 / len(noise) ** 0.5
    assert torch.equal(GaussianNoise(0.0).make()(x, seeded()), x)


def test_masking_has_its_fraction():
    x = table(50_000)
    x[:, 0] = torch.inf
    corrupted = Masking(0.3).make()(x, seeded())
    hits = corrupted != x
    assert (corrupted[hits] == 0).all()
    assert_share(hits, 0.3)
    assert_share(hits[:, 0] & hits[:, 1], 0.09)
    assert torch.equal(Masking(0.0).make()(x, seeded()), x)
    assert not Masking(1.0).make()(x, seeded()).any()


def test_salt_and_pepper_have_half_of_the_fraction_each():
    x = table(50_000)
    corrupted = SaltAndPepper(0.3, low=-9.0, high=99.0).make()(x, seeded())
    low, high = corrupted == -9.0, corrupted == 99.0
    assert torch.equal(corrupted[~(low | high)], x[~(low | high)])
    assert_share(low, 0.15)
    assert_share(high, 0.15)
    assert torch.equal(SaltAndPepper(0.0).make()(x, seeded()), x)
    assert SaltAndPepper(1.0).make()(x, seeded()).unique().tolist() == [0.0, 1.0]


def test_swap_noise_takes_the_value_of_another_row():
    n_rows = 20_000
    rows = torch.arange(n_rows, dtype=torch.float64)
    x = rows[:, None] + n_rows * torch.arange(3.0, dtype=torch.float64)
    corrupted = SwapNoise(0.4).make()(x, seeded())
    # which row and column each value comes from
    source_column, source_row = corrupted.div(n_rows, rounding_mode="floor"), corrupted % n_rows
    assert torch.equal(source_column, torch.arange(3.0, dtype=torch.float64).expand(n_rows, 3))
    swapped = source_row != rows[:, None]
    assert_share(swapped, 0.4)
    assert_share(swapped[:, 0] & swapped[:, 1], 0.16)
    # independent in each value: two values of a row hardly ever come from the same row
    both = swapped[:, 0] & swapped[:, 1]
    assert (source_row[both, 0] == source_row[both, 1]).sum() < 10


def test_swap_noise_reaches_every_other_row_alike():
    x = torch.arange(4.0)[:, None].expand(4, 30_000)
    corrupted = SwapNoise(1.0).make()(x, seeded())
    for row in range(4):
        assert not (corrupted[row] == row).any()
        for other in {0, 1, 2, 3} - {row}:
            assert_share(corrupted[row] == other, 1 / 3)


def test_swap_noise_needs_another_row():
    x = table(1)
    assert torch.equal(SwapNoise(1.0).make()(x, seeded()), x)
    pair = table(2)
    assert torch.equal(SwapNoise(1.0).make()(pair, seeded()), pair.flip(0))


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize(
    "shape, size, patch, n_places",
    [
        ("square", 2, (2, 2), 4 * 6),
        ("square", 5, (5, 5), 1 * 3),
        ("rows", 2, (2, 7), 4),
        ("rows", 5, (5, 7), 1),
        ("columns", 3, (5, 3), 5),
        ("columns", 7, (5, 7), 1),
    ],
)
def test_occlusion_covers_one_whole_patch_at_every_place_alike(
    channels, shape, size, patch, n_places
):
    n_images, height, width = 6000, 5, 7
    image_shape = (height, width) if channels is None else (channels, height, width)
    x = torch.ones(n_images, np.prod(image_shape))
    corrupted = Occlusion(image_shape, size, -3.0, shape).make()(x, seeded())
    images = corrupted.reshape(n_images, -1, height, width)
    covered = images == -3.0
    assert (covered | (images == 1.0)).all()
    assert (covered == covered[:, :1]).all()  # the same in all channels
    covered = covered[:, 0]
    rows, columns = covered.any(2), covered.any(1)
    # a full rectangle of the right sides ...
    assert torch.equal(covered, rows[:, :, None] & columns[:, None, :])
    assert (rows.sum(1) == patch[0]).all() and (columns.sum(1) == patch[1]).all()
    # ... without gaps
    top, left = rows.double().argmax(1), columns.double().argmax(1)
    for image in range(200):
        assert rows[image, top[image] : top[image] + patch[0]].all()
        assert columns[image, left[image] : left[image] + patch[1]].all()
    counts = (top * width + left).bincount()
    counts = counts[counts > 0]
    assert len(counts) == n_places
    expected = n_images / n_places
    assert (counts - expected).abs().max() <= 4.5 * expected**0.5


def test_occlusion_of_images_in_numpy():
    X = np.ones((20, 3, 4, 5))
    part = Occlusion((3, 4, 5), 2)
    corrupted = part.corrupt(X, 0)
    assert corrupted.shape == X.shape
    assert_array_equal((corrupted == 0).sum(axis=(1, 2, 3)), 12)
    assert_array_equal(corrupted.reshape(20, -1), part.corrupt(X.reshape(20, -1), 0))
    gray = Occlusion((4, 5), 2).corrupt(np.ones((20, 4, 5)), 0)
    assert_array_equal((gray == 0).sum(axis=(1, 2)), 4)
    assert Occlusion((4, 5), 2).corrupt(np.ones((20, 1, 4, 5)), 0).shape == (20, 1, 4, 5)


# Compose


def test_compose_applies_its_members_in_order():
    x = table()
    members = [Masking(1.0), lambda x, generator: x + 2]
    assert (Compose(members).make()(x, seeded()) == 2).all()
    assert not Compose(members[::-1]).make()(x, seeded()).any()
    generator = seeded()
    by_hand = GaussianNoise(0.1).make()(Masking(0.25).make()(x, generator), generator)
    assert torch.equal(Compose(("masking", "gaussian")).make()(x, seeded()), by_hand)
    nested = Compose([Compose(["masking"]), "gaussian"])
    assert torch.equal(nested.make()(x, seeded()), by_hand)
    assert torch.equal(Compose([]).make()(x, seeded()), x)


def test_compose_has_the_parameters_of_its_members():
    first, scale = Masking(0.5), GaussianNoise(0.2)
    part = Compose([first, scale, "masking", lambda x, generator: x])
    params = part.get_params()
    assert params["0__fraction"] == 0.5 and params["1__scale"] == 0.2
    assert params["1"] is scale and params["2"] == "masking"
    assert list(part.get_params(deep=False)) == ["corruptions"]
    assert part.set_params(**{"0__fraction": 0.1}).corruptions[0].fraction == 0.1
    members = part.corruptions
    part.set_params(**{"1": SwapNoise(), "1__fraction": 0.7})
    assert part.corruptions[1].fraction == 0.7
    assert members[1] is scale  # the list that was given stays
    part.set_params(**{"corruptions": (Masking(), "gaussian"), "0__fraction": 0.9})
    assert part.corruptions[0].fraction == 0.9 and len(part.corruptions) == 2
    for unknown in ("5", "0__scale", "5__fraction", "strength"):
        with pytest.raises(ValueError, match=r"Invalid parameter"):
            part.set_params(**{unknown: 1})


@pytest.mark.parametrize(
    "member", ["masking", lambda x, generator: x, torch.nn.Sequential(torch.nn.Tanh())]
)
def test_parameter_of_a_member_without_any_raises_one_line(member):
    part = Compose([GaussianNoise(), member])
    for call in (
        lambda: part.set_params(**{"1__fraction": 0.1}),
        lambda: Autoencoder(corruption=part).set_params(corruption__1__fraction=0.1),
        lambda: Denoiser(corruption=part).set_params(corruption__1__fraction=0.1),
        lambda: Compose([part]).set_params(**{"0__1__fraction": 0.1}),
    ):
        with pytest.raises(ValueError, match=r"1__fraction .*'fraction'") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert part.corruptions[1] is member
    part.set_params(**{"1": Masking(0.5), "1__fraction": 0.1})
    assert part.corruptions[1].fraction == 0.1


def test_compose_is_cloned_and_searched_over():
    estimator = Autoencoder(corruption=Compose([Masking(0.5), GaussianNoise()]))
    twin = clone(estimator)
    assert twin.corruption.corruptions[0] is not estimator.corruption.corruptions[0]
    for params in ParameterGrid({"corruption__0__fraction": [0.1, 0.2]}):
        candidate = clone(estimator).set_params(**clone(params, safe=False))
        assert candidate.corruption.corruptions[0].fraction == params["corruption__0__fraction"]
    assert estimator.corruption.corruptions[0].fraction == 0.5
    assert estimator.corruption._repr_html_()


def test_compose_knows_the_shape_of_its_images():
    part = Compose(["masking", Occlusion((3, 4, 5))])
    assert part.corrupt(np.ones((2, 3, 4, 5)), 0).shape == (2, 3, 4, 5)
    with pytest.raises(ValueError, match=r"X has shape \(2, 4, 5, 3\).*image_shape=\(3, 4, 5\)"):
        part.corrupt(np.ones((2, 4, 5, 3)), 0)


# Of an estimator's parameter


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_string_stands_for_the_part_with_its_defaults(name):
    x = table()
    made = make_corruption(name)(x, seeded())
    assert torch.equal(made, CORRUPTIONS[name]().make()(x, seeded()))
    assert not torch.equal(made, x)


def test_defaults_of_the_parts():
    assert [part().get_params() for part in CORRUPTIONS.values()] == [
        {"scale": 0.1},
        {"fraction": 0.25},
        {"fraction": 0.1, "low": 0.0, "high": 1.0},
        {"fraction": 0.15},
    ]
    assert Occlusion((4, 4)).get_params() == {
        "image_shape": (4, 4), "size": 2, "value": 0.0, "shape": "square",
    }  # fmt: skip


def test_make_corruption_leaves_none():
    assert make_corruption(None) is None
    assert Autoencoder(corruption=None, max_iter=1, hidden_layer_sizes=()).fit(np.eye(5))


def test_callable_of_a_user_is_called_on_a_copy():
    x = table()
    kept, generator = x.clone(), seeded()
    given = []

    def function(x, generator):
        given.extend([x, generator])
        return x.zero_()

    assert not make_corruption(function)(x, generator).any()
    assert torch.equal(x, kept) and given[0] is not x and given[1] is generator
    corrupt = make_corruption(lambda x, generator: x)
    assert torch.equal(corrupt(x, generator), x) and corrupt(x, generator) is not x
    assert corrupt(x.double(), generator).dtype == torch.float64
    double = make_corruption(lambda x, generator: x.double())
    assert double(x, generator).dtype == torch.float32
    # parts of our own keep their word, and are spared the copy
    assert make_corruption(Masking(0.5)).func is Masking._function


class Remembering:
    """Adds the number of its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, generator):
        self.calls += 1
        return x + self.calls


def test_state_of_a_users_callable_stays_in_the_copy():
    part, x = Remembering(), table()
    corrupt = make_corruption(part)
    assert torch.equal(corrupt(x, seeded()), x + 1)
    assert torch.equal(corrupt(x, seeded()), x + 2)
    assert torch.equal(make_corruption(part)(x, seeded()), x + 1)
    assert part.calls == 0


def global_noise(x, generator):
    return x + torch.randn_like(x)


def flattened(x, generator):
    return x.ravel()


class Unseeded(Corruption):
    """A user's part that draws from the global state."""

    def make(self):
        return global_noise


@pytest.mark.parametrize("part", [Unseeded(), Compose([global_noise])], ids=["part", "member"])
def test_corrupt_with_a_users_function_repeats_and_leaves_the_global_state(part):
    X, before = table().numpy(), torch.get_rng_state()
    first = part.corrupt(X, random_state=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(part.corrupt(X, random_state=0), first)
    assert not np.array_equal(part.corrupt(X, random_state=1), first)


def test_corrupt_checks_what_a_users_function_gives():
    with pytest.raises(ValueError, match="must return a tensor of the shape") as caught:
        Compose([flattened]).corrupt(table().numpy())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scale", [1e-40, 1e-33, 1e33, 1e40])
@pytest.mark.parametrize("part", [SwapNoise(0.3), Masking(0.3)], ids=str)
def test_corruption_does_not_overflow_float32(part, scale):
    """The objective is relative to the scale, so that the fit is the same up to rounding."""
    X = np.random.default_rng(0).normal(size=(60, 6)) @ np.diag(np.arange(1.0, 7.0))
    fitted = Denoiser(corruption=part, max_iter=3, random_state=0)
    scores = [clone(fitted).fit(X * factor).score(X * factor) for factor in (1.0, scale)]
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_module_of_a_user_gets_rows_of_its_precision(dtype):
    module = torch.nn.Bilinear(12, 1, 12).to(dtype)

    class Second(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x, generator):
            return self.inner(x, torch.ones_like(x[:, :1]))

    for x in (table(), table(dtype=torch.float64)):
        corrupted = make_corruption(Second())(x, seeded())
        assert corrupted.dtype == x.dtype and not corrupted.requires_grad
        expected = module(x.to(dtype), torch.ones(50, 1, dtype=dtype)).detach()
        assert torch.equal(corrupted, expected.to(x.dtype))


@pytest.mark.parametrize(
    "function, error, message",
    [
        (lambda x, generator: x.numpy(), TypeError, "must return a tensor; got ndarray"),
        (lambda x, generator: x[:, 1:], ValueError, r"\(50, 12\); got \(50, 11\)"),
        (lambda x, generator: x[1:], ValueError, r"\(50, 12\); got \(49, 12\)"),
        (lambda x, generator: x[0], ValueError, r"\(50, 12\); got \(12,\)"),
    ],
)
def test_callable_that_gives_something_else_raises_one_line(function, error, message):
    for corrupt in (make_corruption(function), Compose(["masking", function]).make()):
        with pytest.raises(error, match=message) as caught:
            corrupt(table(), seeded())
        assert "\n" not in str(caught.value)


class Doubled(Corruption):
    """A throw-away corruption of somebody else's."""

    def make(self):
        return lambda x, generator: 2 * x


def test_corruption_of_a_user_needs_make_only():
    assert_array_equal(Doubled().corrupt([[1.0, 2.0]]), [[2.0, 4.0]])
    assert_array_equal(Compose([Doubled(), Doubled()]).corrupt([[1.0]]), [[4.0]])


def test_function_that_writes_in_place_does_not_reach_the_users_array():
    X = np.ones((3, 2))
    corrupted = Compose([lambda x, generator: x.zero_()]).corrupt(X)
    assert not corrupted.any() and X.all()


# Bad input


@pytest.mark.parametrize(
    "part, message",
    [
        (GaussianNoise(-0.1), "'scale' parameter of GaussianNoise"),
        (GaussianNoise(np.nan), "'scale' parameter of GaussianNoise"),
        (GaussianNoise(np.inf), "'scale' parameter of GaussianNoise"),
        (Masking(1.5), r"'fraction' parameter of Masking must be a float in .*\[0.0, 1.0\]"),
        (Masking("half"), "'fraction' parameter of Masking"),
        (SaltAndPepper(-0.1), "'fraction' parameter of SaltAndPepper"),
        (SaltAndPepper(0.1, low=np.inf), "'low' parameter of SaltAndPepper"),
        (SaltAndPepper(0.1, high=None), "'high' parameter of SaltAndPepper"),
        (SwapNoise(1.01), "'fraction' parameter of SwapNoise"),
        (Occlusion((4, 4), 0), "'size' parameter of Occlusion"),
        (Occlusion((4, 4), 1.5), "'size' parameter of Occlusion"),
        (Occlusion((4, 4), value="black"), "'value' parameter of Occlusion"),
        (Occlusion((4, 4), shape="disc"), "'shape' parameter of Occlusion"),
        (Occlusion(16), "'image_shape' parameter of Occlusion"),
        (Occlusion((16,)), r"'image_shape' parameter of Occlusion .*Got \(16,\)"),
        (Occlusion((1, 1, 4, 4)), "'image_shape' parameter of Occlusion"),
        (Occlusion((4, 0)), "'image_shape' parameter of Occlusion"),
        (Occlusion((4.0, 4)), "'image_shape' parameter of Occlusion"),
        (Compose("masking"), "'corruptions' parameter of Compose"),
        (Compose([Masking(2.0)]), "'fraction' parameter of Masking"),
    ],
    ids=str,
)
def test_bad_parameter_raises_one_line(part, message):
    for call in (part.make, lambda: part.corrupt(np.ones((2, 16)))):
        with pytest.raises(InvalidParameterError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (Occlusion((4, 6), 5).make, ValueError,
         r"size=5 .*shape='square'.*image_shape=\(4, 6\).*at most 4"),
        (Occlusion((3, 4, 6), 5, shape="rows").make, ValueError,
         r"size=5 .*image_shape=\(3, 4, 6\).*at most 4"),
        (Occlusion((4, 6), 7, shape="columns").make, ValueError, r"size=7 .*at most 6"),
        (lambda: Occlusion((4, 4)).make()(torch.ones(2, 12), seeded()), ValueError,
         r"X has 12 features, but image_shape=\(4, 4\) of Occlusion needs 16"),
        (lambda: Occlusion((4, 4)).corrupt(np.ones((2, 12))), ValueError,
         r"X has 12 features, but image_shape=\(4, 4\)"),
        (lambda: Occlusion((4, 4)).corrupt(np.ones((2, 8, 2))), ValueError,
         r"X has shape \(2, 8, 2\), but image_shape=\(4, 4\)"),
        (lambda: make_corruption("gauss"), ValueError, r"Unknown corruption 'gauss'.*'masking'"),
        (lambda: make_corruption(Masking), TypeError, r"class Masking, use Masking\(...\)"),
        (lambda: make_corruption(0.3), TypeError, "must be one of .*got 0.3"),
        (lambda: make_corruption(np.eye(3)), TypeError, r"got array\(\[\[1., 0., 0.\], \[0., 1"),
        (Compose(["gauss"]).make, ValueError, "Unknown corruption 'gauss'"),
        (Compose([None]).make, TypeError, "got None"),
        (Compose([Masking]).make, TypeError, "class Masking"),
        (Compose([3]).make, TypeError, "got 3"),
        (lambda: Masking().corrupt([[np.nan, 1.0]]), ValueError, "Input X contains NaN"),
        (lambda: Masking().corrupt([[np.inf, 1.0]]), ValueError, "Input X contains infinity"),
        (lambda: Masking().corrupt([1.0, 2.0]), ValueError, "Expected .*2D .*got 1D"),
        (lambda: Masking().corrupt(np.ones((2,) * 5)), ValueError, "dim 5, while dim <= 4"),
        (lambda: Masking().corrupt(np.ones((0, 3))), ValueError, "0 sample"),
        (lambda: Masking().corrupt(csr_array(np.eye(3))), TypeError, "[Ss]parse"),
        (lambda: Masking().corrupt([["a", "b"]]), ValueError, "could not convert string|dtype"),
        (lambda: Masking().corrupt(np.eye(2) * 1j), ValueError, "Complex data not supported"),
        (lambda: Masking().corrupt([[1.0]], random_state="x"), ValueError, "seed"),
    ],
)  # fmt: skip
def test_bad_input_raises(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_noise_of_many_draws_covers_every_visit():
    """Each call draws anew: over visits every value of a row is masked at its rate."""
    x, corrupt, generator = torch.ones(1, 12), Masking(0.5).make(), seeded()
    visits = torch.cat([corrupt(x, generator) for _ in range(2000)])
    assert_allclose((visits == 0).double().mean(0).numpy(), 0.5, atol=4.5 * 0.5 / 2000**0.5)
