"""Convolutional architectures in the estimators: images in and out, the start, positions."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae._fitting.plan import split_rows
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import Compose, Occlusion
from sklearn_ae.metrics import explained_variance_scorer
from sklearn_ae.networks import ConvolutionalDecoder, ConvolutionalEncoder
from sklearn_ae.penalties import L1, Contractive
from tests.checks import check_subsets_and_order_do_not_change_a_row, raises_one_line
from tests.instances import Case

DIGITS = load_digits().images / 16  # (n, 8, 8)
BOTH = pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder])
UNPOOLING = {"downsampling": "max_pool", "upsampling": "max_unpool"}


def coloured(n_rows=60, height=6, width=5, seed=0):
    """Smooth images of three channels."""
    rng = np.random.default_rng(seed)
    i, j = np.mgrid[:height, :width]
    waves = np.stack([np.sin(i), np.cos(j), np.sin(i + j), i / height])
    mixed = rng.normal(size=(n_rows, 3, 4)) @ waves.reshape(4, -1)
    return mixed.reshape(n_rows, 3, height, width) + 0.05 * rng.normal(
        size=(n_rows, 3, height, width)
    )


def part_id(part):
    return " ".join(str(part).split())


def table_of(X):
    return X.reshape(len(X), -1)


def convolutional(image_shape=(8, 8), **parameters):
    return Convolutional(image_shape, **{"channels": (3, 4), **parameters})


def small(cls=Autoencoder, n_components=3, architecture=None, **parameters):
    """An estimator with two small levels that makes two epochs without a gate."""
    architecture = convolutional() if architecture is None else architecture
    parameters = {"max_iter": 2, "early_stopping": False, "random_state": 0, **parameters}
    return cls(n_components, architecture=architecture, **parameters)


# Images in, images out


@BOTH
def test_container_of_images_plays_no_role(cls):
    X = DIGITS[:60]
    table = small(cls).fit(table_of(X))
    codes = table.transform(table_of(X))
    for data in (X, X[:, None], X.tolist(), X[::-1].copy()[::-1]):
        estimator = small(cls).fit(data)
        assert estimator.n_features_in_ == 64
        assert_array_equal(estimator.transform(data), codes)
        assert_array_equal(table.transform(data), codes)
        assert estimator.loss_curve_ == table.loss_curve_
        assert estimator.score(data) == table.score(table_of(X))
        assert_array_equal(
            estimator.reconstruction_error(data), table.reconstruction_error(table_of(X))
        )


@BOTH
@pytest.mark.parametrize("image_shape", [(8, 8), (1, 8, 8), [1, 8, 8], np.array([8, 8])])
def test_shape_of_the_parameter_may_leave_out_the_channel(cls, image_shape):
    X = DIGITS[:40]
    expected = small(cls).fit(X).transform(X)
    estimator = small(cls, architecture=convolutional(image_shape))
    for data in (table_of(X), X, X[:, None]):
        assert_array_equal(estimator.fit(data).transform(data), expected)


@BOTH
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", ["table", "grey", "one channel", "colour"])
def test_decoded_rows_have_the_shape_that_fit_saw(cls, method, name):
    X = coloured() if name == "colour" else DIGITS[:60]
    X = {"table": table_of(X), "one channel": X[:, None]}.get(name, X)
    image_shape = (3, 6, 5) if name == "colour" else (8, 8)
    estimator = getattr(small(cls, architecture=convolutional(image_shape)), method)(X)
    n_features = X[0].size
    assert estimator.n_features_in_ == n_features
    codes = estimator.transform(X)
    assert codes.shape == (60, 3)
    for data in (X, table_of(X)):
        assert estimator.reconstruct(data).shape == X.shape
        assert_array_equal(estimator.transform(data), codes)
    assert estimator.inverse_transform(codes[:4]).shape == (4, *X.shape[1:])
    assert estimator.mean_.shape == (n_features,)
    if cls is VariationalAutoencoder:
        assert estimator.sample(5, random_state=0).shape == (5, *X.shape[1:])
        steps = estimator.interpolate(X[0], X[1], n_steps=7)
        assert steps.shape == (7, *X.shape[1:])
        assert_allclose(steps[[0, -1]], estimator.reconstruct(X[:2]), atol=1e-6)
        assert estimator.score_samples(X[:6]).shape == (6,)
        assert estimator.sample_posterior(X[:6], 2, random_state=0).shape == (2, 6, 3)


def test_last_fit_decides_the_shape_and_later_chunks_do_not():
    X = DIGITS[:60]
    estimator = small().fit(X)
    assert estimator.fit(table_of(X)).reconstruct(X).shape == (60, 64)
    estimator = small().partial_fit(X[:40]).partial_fit(table_of(X[40:]))
    assert estimator.reconstruct(table_of(X)).shape == (60, 8, 8)
    estimator = small(warm_start=True).fit(X).fit(X[:, None])
    assert estimator.reconstruct(X).shape == (60, 8, 8)


@BOTH
def test_images_of_integers_are_taken_as_floats(cls):
    X = (DIGITS[:40] * 16).astype(np.uint8)
    estimator = small(cls).fit(X)
    floats = X.astype(np.float64)
    assert_array_equal(estimator.transform(X), estimator.transform(floats))
    assert estimator.reconstruct(X).dtype == np.float64
    assert_array_equal(small(cls).fit(floats).transform(floats), estimator.transform(X))


def test_data_frame_of_pixels_is_a_table():
    frame = pd.DataFrame(table_of(DIGITS[:40])).rename(columns=lambda i: f"pixel {i}")
    estimator = small().fit(frame)
    assert list(estimator.feature_names_in_) == list(frame.columns)
    assert_array_equal(estimator.transform(frame), small().fit(DIGITS[:40]).transform(DIGITS[:40]))
    assert estimator.reconstruct(frame).shape == (40, 64)


def test_pixels_pass_through_a_pipeline():
    X = table_of(DIGITS[:60])
    pipeline = make_pipeline(StandardScaler(), small()).fit(X)
    assert pipeline.transform(X).shape == (60, 3)
    assert pipeline.inverse_transform(pipeline.transform(X)).shape == X.shape


# The start


STARTS = {
    "defaults": convolutional(),
    "three levels": convolutional(channels=(2, 3, 4), kernel_size=2),
    "max unpool": convolutional(**UNPOOLING),
    "normalised": convolutional(normalization="batch", upsampling="bilinear"),
    "average": convolutional(
        downsampling="average_pool", upsampling="bed_of_nails", normalization="group"
    ),
}


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("whiten", [False, True])
def test_start_of_images_equals_pca(name, whiten):
    X = DIGITS[:200]
    pca = PCA(5, whiten=whiten).fit(table_of(X))
    estimator = Autoencoder(5, architecture=STARTS[name], whiten=whiten, max_iter=0).fit(X)
    codes = pca.transform(table_of(X))
    assert_allclose(estimator.transform(X), codes, rtol=0, atol=1e-5 * np.abs(codes).max())
    assert_allclose(
        estimator.reconstruct(X), pca.inverse_transform(codes).reshape(X.shape), atol=1e-5
    )
    assert estimator.start_kept_


def test_start_of_coloured_images_equals_pca():
    X = coloured()
    estimator = Autoencoder(4, architecture=convolutional((3, 6, 5)), max_iter=0).fit(X)
    pca = PCA(4).fit(table_of(X))
    codes = pca.transform(table_of(X))
    assert_allclose(estimator.transform(X), codes, rtol=0, atol=1e-5 * np.abs(codes).max())
    assert_allclose(estimator.score(X), pca.explained_variance_ratio_.sum(), rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in STARTS if name != "max unpool"])
def test_variational_start_scores_as_pca(name):
    X = coloured(200, 8, 8)[:, 0]
    estimator = VariationalAutoencoder(3, architecture=STARTS[name], max_iter=0).fit(X)
    expected = PCA(3).fit(table_of(X)).score(table_of(X))
    assert abs(estimator.score(X) - expected) <= 1e-3 * max(1, abs(expected))


def test_training_beats_pca_on_held_out_images():
    train, test = DIGITS[:1000], DIGITS[1400:]
    estimator = Autoencoder(
        2, architecture=convolutional(channels=(16, 32)), hidden_layer_sizes=(64,), max_iter=12,
        learning_rate_init=3e-3, random_state=0,
    ).fit(train)  # fmt: skip
    assert not estimator.start_kept_
    start = Autoencoder(2, architecture=convolutional(), max_iter=0).fit(train)
    assert estimator.score(test) > start.score(test) + 0.03


def test_network_is_the_one_asked_for():
    network = small(hidden_layer_sizes=(7,), activation="tanh").fit(DIGITS[:40]).network_
    assert isinstance(network.encoder, ConvolutionalEncoder)
    assert isinstance(network.decoder, ConvolutionalDecoder)
    widths = [m.out_features for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [7, 3, 7, 4 * 2 * 2]
    assert sum(isinstance(m, torch.nn.Tanh) for m in network.modules()) == 2 + 1 + 2 + 1
    plain = small().fit(DIGITS[:40]).network_
    assert [m.out_features for m in plain.modules() if isinstance(m, torch.nn.Linear)] == [3, 16]


# Positions of max pooling


@pytest.fixture(scope="module")
def unpooling():
    """An autoencoder with positions, trained until it uses them, and its images."""
    X = DIGITS[:300]
    estimator = small(
        n_components=4, architecture=convolutional(channels=(6, 8), **UNPOOLING), max_iter=12,
        learning_rate_init=5e-3,
    ).fit(X)  # fmt: skip
    return estimator, X


def test_reconstruct_is_of_the_code_alone(unpooling):
    estimator, X = unpooling
    assert_allclose(estimator.reconstruct(X), estimator.inverse_transform(estimator.transform(X)))
    errors = ((X - estimator.reconstruct(X)) ** 2).sum((1, 2))
    assert_allclose(estimator.reconstruction_error(X), errors, rtol=1e-6)
    total = ((X - X.mean(axis=0)) ** 2).sum()
    assert_allclose(estimator.score(X), 1 - errors.sum() / total, rtol=1e-6)


def test_positions_make_a_better_reconstruction(unpooling):
    estimator, _ = unpooling
    fresh = DIGITS[1000:1300]
    told = estimator.reconstruct(fresh, positions=True)
    assert told.shape == fresh.shape
    lost = ((fresh - told) ** 2).sum()
    assert lost < 0.9 * ((fresh - estimator.reconstruct(fresh)) ** 2).sum()
    assert_allclose(estimator.reconstruct(table_of(fresh), positions=True), told)


def test_positions_of_a_row_do_not_depend_on_the_others(unpooling):
    estimator, X = unpooling
    whole = estimator.reconstruct(X[:50], positions=True)
    pieces = np.concatenate([estimator.reconstruct(X[i : i + 1], positions=True) for i in range(9)])
    assert_allclose(pieces, whole[:9], rtol=0, atol=1e-12)


def test_both_ways_of_decoding_learn(unpooling):
    """Half of the rows of a batch have positions, half have not: the loss lies between."""
    estimator, X = unpooling
    lost = {
        positions: ((X - estimator.reconstruct(X, positions=positions)) ** 2).sum((1, 2)).mean()
        for positions in (False, True)
    }
    assert lost[True] < lost[False]
    assert_allclose(
        estimator.loss_curve_[-1] * estimator.scale_**2,
        (lost[False] + lost[True]) / 2,
        rtol=0.1,
    )
    start = PCA(4).fit(table_of(X))
    kept = start.inverse_transform(start.transform(table_of(X))).reshape(X.shape)
    assert lost[False] < ((X - kept) ** 2).sum((1, 2)).mean()


@pytest.mark.parametrize("init", ["pca", "random"])
def test_rows_held_out_have_the_code_alone(init):
    """What `best_loss_` and the gate judge by is what `reconstruction_error` measures."""
    X = DIGITS[:300]
    estimator = small(
        n_components=4, architecture=convolutional(channels=(6, 8), **UNPOOLING), max_iter=20,
        learning_rate_init=1e-2, early_stopping=True, init=init,
    ).fit(X)  # fmt: skip
    assert not estimator.start_kept_
    ((_, held_out),) = split_rows(300, 30, 1, estimator._fitted.blueprint.seed)
    errors = estimator.reconstruction_error(X[held_out]) / estimator.scale_**2
    assert_allclose(estimator.best_loss_, errors.mean(), rtol=1e-4)
    assert_allclose(-max(estimator.validation_scores_), errors.mean(), rtol=1e-4)
    told = X[held_out] - estimator.reconstruct(X[held_out], positions=True)
    assert (told**2).sum((1, 2)).mean() < 0.9 * estimator.best_loss_ * estimator.scale_**2


@pytest.mark.parametrize(
    "architecture", ["dense", convolutional(), convolutional(downsampling="max_pool")], ids=part_id
)
def test_positions_without_unpooling_raise_one_line(architecture):
    estimator = small(architecture=architecture).fit(table_of(DIGITS[:40]))
    with raises_one_line(ValueError, "max_unpool"):
        estimator.reconstruct(table_of(DIGITS[:3]), positions=True)


@pytest.mark.parametrize("downsampling", ["stride", "average_pool"])
def test_max_unpool_without_max_pool_raises_one_line(downsampling):
    architecture = convolutional(upsampling="max_unpool", downsampling=downsampling)
    with pytest.raises(InvalidParameterError, match="needs downsampling='max_pool'") as caught:
        small(architecture=architecture).fit(DIGITS[:40])
    assert downsampling in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_variational_autoencoder_refuses_max_unpool(method):
    estimator = small(VariationalAutoencoder, architecture=convolutional(**UNPOOLING))
    with raises_one_line(ValueError, r"max_unpool.*VariationalAutoencoder"):
        getattr(estimator, method)(DIGITS[:40])
    assert not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.parametrize("cls", [Autoencoder, Denoiser])
@pytest.mark.parametrize("n_rows, batch_size", [(22, 10), (23, 10), (22, 2), (21, 2), (23, 3)])
def test_small_batches_train_with_positions_and_batch_statistics(cls, n_rows, batch_size):
    """At one pixel the statistics of a batch are those of its rows, and need two of them."""
    X = coloured(n_rows, 4, 3)
    architecture = convolutional(
        (3, 4, 3), channels=(2, 3, 4), normalization="batch", **UNPOOLING
    )  # fmt: skip
    estimator = cls(
        3, architecture=architecture, batch_size=batch_size, max_iter=2, early_stopping=False,
        random_state=0,
    ).fit(X)  # fmt: skip
    assert estimator.network_.decoder.first_shape == (4, 1, 1)
    assert len(estimator.loss_curve_) == 2
    assert np.isfinite(estimator.loss_curve_).all()
    assert np.isfinite(estimator.score(X))


def test_one_row_of_a_batch_trains_with_positions():
    estimator = small(architecture=convolutional(**UNPOOLING), batch_size=1, max_iter=1)
    assert np.isfinite(estimator.fit(DIGITS[:6]).loss_curve_).all()


# Every part of an architecture, in the whole


EVERY = [
    convolutional(downsampling=down, upsampling=up)
    for down in ("stride", "max_pool", "average_pool")
    for up in ("transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool")
    if up != "max_unpool" or down == "max_pool"
]
SOME = [
    convolutional(),
    convolutional(**UNPOOLING, normalization="batch"),
    convolutional(upsampling="bilinear", downsampling="average_pool", normalization="group"),
]
over_every = pytest.mark.parametrize("architecture", EVERY, ids=part_id)
over_some = pytest.mark.parametrize("architecture", SOME, ids=part_id)


@over_every
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_pair_trains(architecture, precision):
    X = DIGITS[:300]
    case = Case(
        small(
            architecture=architecture, precision=precision, max_iter=8, init="random",
            learning_rate_init=1e-2,
        ), X,
    )  # fmt: skip
    estimator = case.fitted
    assert {p.dtype for p in estimator.network_.parameters()} == {torch.float32}
    assert estimator.loss_curve_[-1] < 0.98 * estimator.loss_curve_[0]
    assert np.isfinite(estimator.reconstruct(X)).all()
    check_subsets_and_order_do_not_change_a_row(case)


@over_some
def test_statistics_of_training_are_used_at_inference(architecture):
    X = DIGITS[:70]
    estimator = small(architecture=architecture, init="random").fit(X)
    assert not estimator.network_.training
    codes = estimator.transform(X)
    assert_allclose(estimator.transform(X[:5]), codes[:5], rtol=0, atol=1e-12)
    for layer in estimator.network_.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            assert layer.num_batches_tracked > 0
            assert layer.running_mean.abs().sum() > 0


# Bounded memory


@over_every
@pytest.mark.parametrize("image_shape", [(8, 8), (3, 6, 5), (2, 1, 7)])
def test_no_layer_has_more_numbers_per_row_than_is_said(architecture, image_shape):
    n_features = int(np.prod(image_shape))
    X = np.random.default_rng(0).normal(size=(6, n_features))
    for channels, kernel_size in itertools.product([(5, 2), (1, 40), (1, 1)], [1, 2, 3, 4]):
        part = clone(architecture).set_params(
            image_shape=image_shape, channels=channels, kernel_size=kernel_size
        )
        estimator = Autoencoder(2, architecture=part, hidden_layer_sizes=(9,), max_iter=0).fit(X)
        network, found = estimator.network_, []

        def record(module, inputs, outputs, found=found):
            tensors = outputs if isinstance(outputs, tuple) else (outputs,)
            found.extend(t[:1].numel() for t in tensors if isinstance(t, torch.Tensor))

        for module in network.modules():
            module.register_forward_hook(record)
        with torch.no_grad():
            network.decode(*network.encode(torch.from_numpy(X).float()))
        assert len(found) > 10
        assert n_features <= max(found) <= estimator._fitted.blueprint.width


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
def test_rows_pass_through_in_parts_of_bounded_size(cls, monkeypatch):
    seen, forward = [], ConvolutionalEncoder.forward

    def watched(self, x):
        seen.append((self.training, len(x)))
        return forward(self, x)

    X = DIGITS[:200]
    parameters = {Autoencoder: {"penalty": L1(0.1)}, Denoiser: {"mode": "direct"}}.get(cls, {})
    estimator = small(
        cls, early_stopping=True, batch_size=64, validation_fraction=0.2, **parameters
    )
    whole = clone(estimator).fit(X)
    monkeypatch.setattr(ConvolutionalEncoder, "forward", watched)
    # 3 channels of 8 x 8 are the most that a row takes
    monkeypatch.setattr("sklearn_ae._compute.chunks.CHUNK_NUMBERS", 3 * 64 * 15 + 100)
    fitted = clone(estimator).fit(X)
    assert fitted._fitted.blueprint.width == 3 * 64
    assert max(n for training, n in seen if training) == 64
    judged = [n for training, n in seen if not training]
    assert max(judged) == 15
    assert sum(judged) >= 40 * 2
    for method in ("transform", "score", "reconstruct", "reconstruction_error"):
        if hasattr(fitted, method):
            seen.clear()
            getattr(fitted, method)(X)
            assert sum(n for _, n in seen) == 200
            assert 1 <= max(n for _, n in seen) <= 15
    monkeypatch.undo()
    if cls is Autoencoder:  # the others draw for each part
        assert_allclose(fitted.transform(X), whole.transform(X), rtol=1e-4, atol=1e-4)
        assert_allclose(fitted.best_loss_, whole.best_loss_, rtol=1e-5)


# Other parts beside it


@pytest.mark.parametrize(
    "parameters",
    [
        {"loss": "log_loss"},
        {"penalty": L1(0.1)},
        {"penalty": Contractive(0.1)},
        {"corruption": Compose(["gaussian", Occlusion((8, 8), 3)])},
        {"code_activation": "sigmoid"},
        {"hidden_layer_sizes": (9, 7)},
        {"alpha": 0.1, "weight_decay": 0.0, "activation": "relu"},
        {"learning_rate": "constant", "batch_size": 7},
    ],
    ids=part_id,
)
@over_some
def test_other_parts_train_beside_it(parameters, architecture):
    X = DIGITS[:60]
    if "penalty" in parameters and architecture.normalization:
        with pytest.raises(ValueError, match="normalization=None"):
            small(architecture=architecture, **parameters).fit(X)
        return
    estimator = small(architecture=architecture, **parameters).fit(X)
    assert np.isfinite(estimator.loss_curve_).all()
    assert estimator.reconstruct(X).shape == X.shape


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_variational_likelihoods(likelihood):
    X = (DIGITS[:60] > 0.5).astype(float)
    estimator = small(VariationalAutoencoder, likelihood=likelihood).fit(X)
    assert np.isfinite(estimator.score(X))
    assert estimator.sample(4, random_state=0).shape == (4, 8, 8)
    if likelihood == "bernoulli":
        assert set(np.unique(estimator.sample(4, random_state=0))) <= {0.0, 1.0}


# Search, going on


def test_parameters_of_the_architecture_are_searched_over():
    grid = {"architecture__channels": [(1, 1), (12,)]}
    search = GridSearchCV(
        small(max_iter=20, batch_size=16, init="random", learning_rate_init=1e-2), grid, cv=2,
        error_score="raise",
    ).fit(DIGITS[:120])  # fmt: skip
    narrow, wide = search.cv_results_["mean_test_score"]
    assert wide > narrow + 0.02
    assert search.best_params_ == {"architecture__channels": (12,)}
    assert search.transform(DIGITS[:5]).shape == (5, 3)
    estimator = small().set_params(architecture__channels=(5,), architecture__kernel_size=2)
    network = estimator.fit(DIGITS[:40]).network_
    (layer,) = [m for m in network.encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert (layer.out_channels, layer.kernel_size) == (5, (2, 2))


@BOTH
@pytest.mark.parametrize("fitted_on", ["stacks", "tables"])
def test_explained_variance_takes_stacks_and_tables(cls, fitted_on):
    stacks = DIGITS[:120]
    estimator = small(cls).fit(stacks if fitted_on == "stacks" else table_of(stacks))
    fresh = DIGITS[120:200]
    lost = ((fresh - estimator.reconstruct(fresh).reshape(fresh.shape)) ** 2).sum()
    expected = 1 - lost / ((fresh - fresh.mean(axis=0)) ** 2).sum()
    for X in (fresh, fresh[:, None], table_of(fresh)):
        assert_allclose(explained_variance_scorer(estimator, X), expected, rtol=1e-6)


def test_explained_variance_scores_a_cross_validation_of_images():
    found = cross_validate(
        small(max_iter=0), DIGITS[:120], scoring=explained_variance_scorer, cv=3,
        error_score="raise",
    )["test_score"]  # fmt: skip
    of_pca = cross_validate(
        PCA(3), table_of(DIGITS[:120]), scoring=explained_variance_scorer, cv=3
    )["test_score"]  # fmt: skip
    assert_allclose(found, of_pca, rtol=1e-4)


def test_interpolate_takes_images_of_the_right_shape_only():
    X = coloured(60, 4, 5)
    estimator = small(VariationalAutoencoder, architecture=convolutional((3, 4, 5))).fit(X)
    path = estimator.interpolate(X[0], X[1], n_steps=4)
    assert path.shape == (4, 3, 4, 5)
    assert_array_equal(estimator.interpolate(X[0].ravel(), X[1].ravel(), n_steps=4), path)
    assert_array_equal(estimator.interpolate(X[0].tolist(), X[1].ravel(), n_steps=4), path)
    last = np.moveaxis(X, 1, -1)  # channels last
    for ends in [(last[0], last[1]), (X[0], last[1]), (X[0].ravel(), last[1])]:
        with raises_one_line(ValueError, r"4, 5, 3\).*\(3, 4, 5\)"):
            estimator.interpolate(*ends)
    # a stack or a table of one, too
    for one in (X[:1], X[:1].reshape(1, -1)):
        assert_array_equal(estimator.interpolate(one, X[1], n_steps=4), path)
    with pytest.raises(ValueError, match="59 features"):
        estimator.interpolate(X[0].ravel()[:59], X[1].ravel()[:59])


@BOTH
def test_shape_with_the_channels_last_warns(cls):
    X = np.moveaxis(coloured(40, 8, 8), 1, -1)
    with pytest.warns(UserWarning, match=r"taken as 8 channels of 8 x 3.*moveaxis"):
        small(cls, architecture=convolutional((8, 8, 3))).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(cls, architecture=convolutional((3, 8, 8))).fit(np.moveaxis(X, -1, 1))
        # a few channels of a narrow image
        small(cls, architecture=convolutional((2, 8, 3))).fit(X[:, :2])


@BOTH
def test_class_in_the_place_of_an_instance_raises_one_line(cls):
    with raises_one_line(TypeError, "got the class Convolutional, use Convolutional"):
        small(cls, architecture=Convolutional).fit(DIGITS[:40].reshape(40, -1))


@BOTH
def test_partial_fit_learns_from_chunks_of_images(cls):
    estimator = small(cls, learning_rate_init=5e-3, batch_size=20)
    for _ in range(4):
        for chunk in np.array_split(DIGITS[:120], 3):
            estimator.partial_fit(chunk)
    assert estimator.n_samples_seen_ == 480
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[2]


# Bad input


@pytest.mark.parametrize(
    "X, image_shape, shapes",
    [
        (np.zeros((30, 4, 6)), (5, 6), ["(30, 4, 6)", "(5, 6)"]),
        (np.zeros((30, 3, 5, 6)), (5, 6), ["(30, 3, 5, 6)", "(5, 6)"]),
        (np.zeros((30, 5, 6)), (3, 5, 6), ["(30, 5, 6)", "(3, 5, 6)"]),
        (np.zeros((30, 5, 6, 3)), (3, 5, 6), ["(30, 5, 6, 3)", "(3, 5, 6)"]),
        (np.zeros((30, 1, 1, 5, 6)), (5, 6), ["(30, 1, 1, 5, 6)", "(5, 6)"]),
        (np.zeros((30, 29)), (5, 6), ["29", "(5, 6)", "30"]),
        (np.zeros((30, 30)), (3, 5, 6), ["30", "(3, 5, 6)", "90"]),
    ],
)
@BOTH
def test_mismatch_names_both_shapes(cls, X, image_shape, shapes):
    estimator = small(cls, architecture=Convolutional(image_shape))
    with pytest.raises(ValueError, match="image_shape") as caught:
        estimator.fit(X)
    message = str(caught.value)
    assert "\n" not in message
    assert all(shape in message for shape in shapes)
    assert not [name for name in vars(estimator) if name.endswith("_")]


def test_mismatch_after_fit_names_both_shapes():
    estimator = small().fit(DIGITS[:40])
    for method in (estimator.transform, estimator.reconstruct, estimator.score):
        with pytest.raises(ValueError, match=r"\(3, 8, 7\).*\(8, 8\)"):
            method(np.zeros((3, 8, 7)))
        with pytest.raises(ValueError, match="X has 63 features, but Autoencoder is expecting 64"):
            method(np.zeros((3, 63)))
    with pytest.raises(ValueError, match=r"\(40, 8, 7\).*\(8, 8\)"):
        estimator.partial_fit(DIGITS[:40, :, :7])


def test_images_need_an_architecture_for_images():
    with pytest.raises(ValueError, match="Found array with dim 3"):
        Autoencoder(max_iter=1).fit(DIGITS[:40])


def test_no_images_and_ragged_ones_raise():
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        small().fit(DIGITS[:0])
    with pytest.raises(ValueError, match=r"inhomogeneous|sequence"):
        small().fit([[[1.0, 2.0]], [[1.0]]])
