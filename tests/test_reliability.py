"""Threads, processes, interruptions, divergence, odd shapes and hard numbers."""

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import GaussianNoise
from tests.checks import check_subsets_and_order_do_not_change_a_row, raises_and_changes_nothing
from tests.instances import Case

BOTH = pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder])
ALL = pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
NORMALISED = Convolutional((3, 4), channels=(4,), normalization="batch")
UNPOOLING = Convolutional((3, 4), channels=(4,), downsampling="max_pool", upsampling="max_unpool")


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, (300, 2))
    curve = np.column_stack([t, t**2, t[:, 0] * t[:, 1], np.sin(3 * t)])
    return curve @ rng.normal(size=(7, 12)) + 0.05 * rng.normal(size=(300, 12))


# Parallelism


def test_threaded_fits_of_a_users_factory_are_bit_equal(X):
    def fit(_):
        estimator = Autoencoder(
            3, architecture=dropout_factory, init="random", max_iter=2, random_state=0
        )
        return estimator.fit(X).network_.state_dict()

    before = torch.get_rng_state()
    serial = fit(0)
    with ThreadPoolExecutor(8) as pool:
        for state in pool.map(fit, range(8)):
            assert all(torch.equal(state[name], serial[name]) for name in serial)
    assert torch.equal(torch.get_rng_state(), before)


def test_parallel_grid_search_equals_serial(one_thread):
    X = np.random.default_rng(0).normal(size=(4000, 40))
    assert X.nbytes > 2**20  # joblib hands such arrays to workers as read-only memmaps
    grid = {"n_components": [2, 5], "corruption__scale": [0.0, 0.5]}
    estimator = Autoencoder(
        hidden_layer_sizes=(16,), corruption=GaussianNoise(), max_iter=2, random_state=0
    )
    searches = [
        GridSearchCV(estimator, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X)
        for n_jobs in (1, 2)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert_allclose(scores[0], scores[1], rtol=1e-6)
    assert len(set(np.round(scores[0], 12))) > 1
    assert_allclose(
        searches[0].transform(X[:100]), searches[1].transform(X[:100]), rtol=1e-4, atol=1e-5
    )


# Inference does not depend on what else is in the batch


@BOTH
@pytest.mark.parametrize("width", [8, 16, 64, 512])
def test_rows_of_any_width_do_not_depend_on_the_others(cls, width):
    rng = np.random.default_rng(width)
    X = rng.normal(size=(200, 5)) @ rng.normal(size=(5, width))
    X += 0.1 * rng.normal(size=X.shape)
    estimator = cls(
        4, init="random", hidden_layer_sizes=(width,), max_iter=1, early_stopping=False
    )  # fmt: skip
    check_subsets_and_order_do_not_change_a_row(Case(estimator, X))


GRADIENT = """
import sys
import numpy as np
import skorch
import torch
from sklearn_ae import Autoencoder

kept = []

class Keep(skorch.callbacks.Callback):
    def on_grad_computed(self, net, named_parameters=None, **kwargs):
        kept.append(np.concatenate(
            [p.grad.double().numpy().ravel() for _, p in net.module_.named_parameters()]))

X = np.random.default_rng(0).normal(size=(2000, 64)) ** 3
for threads in (1, 2):
    torch.set_num_threads(threads)
    Autoencoder(8, hidden_layer_sizes=(256,), max_iter=1, batch_size=2000, early_stopping=False,
                init="random", skorch_callbacks=[Keep()], random_state=0).fit(X)
    assert torch.get_num_threads() == threads
np.save(sys.argv[1], kept)
"""


def test_one_gradient_agrees_over_thread_counts(tmp_path):
    path = tmp_path / "gradients.npy"
    subprocess.run([sys.executable, "-c", GRADIENT, path], check=True, timeout=300)
    one, two = np.load(path)
    assert_allclose(one, two, rtol=0, atol=1e-6 * np.abs(one).max())
    assert np.abs(one).max() > 0


# A fit that does not end leaves no trace


class InterruptAtEpochEnd(skorch.callbacks.Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


class InterruptAtBatchEnd(skorch.callbacks.Callback):
    def on_batch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def interrupting_corruption(x, generator):
    raise KeyboardInterrupt


INTERRUPTIONS = {
    "epoch": (Autoencoder, {"skorch_callbacks": [InterruptAtEpochEnd()]}),
    "batch": (Autoencoder, {"skorch_callbacks": [InterruptAtBatchEnd()]}),
    "corruption": (Autoencoder, {"corruption": interrupting_corruption}),
    "vae epoch": (VariationalAutoencoder, {"skorch_callbacks": [InterruptAtEpochEnd()]}),
    "vae batch": (VariationalAutoencoder, {"skorch_callbacks": [InterruptAtBatchEnd()]}),
    "denoiser epoch": (Denoiser, {"skorch_callbacks": [InterruptAtEpochEnd()]}),
    "denoiser corruption": (Denoiser, {"corruption": interrupting_corruption}),
}


@pytest.mark.parametrize("name", INTERRUPTIONS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_keyboard_interrupt_propagates_and_changes_nothing(name, method, X):
    cls, broken = INTERRUPTIONS[name]
    # a fit whose start folds keep has no epochs that callbacks see
    estimator = cls(2, hidden_layer_sizes=(8,), max_iter=3, validation_fraction=0.2, random_state=0)
    fresh = clone(estimator).set_params(**broken)
    with raises_and_changes_nothing(fresh, KeyboardInterrupt):
        getattr(fresh, method)(X)

    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    fitted = clone(estimator).fit(frame)
    codes = fitted.transform(frame)
    fitted.set_params(**broken)
    # For fit a table of another width, so that n_features_in_ would be seen to change.
    with raises_and_changes_nothing(fitted, KeyboardInterrupt):
        getattr(fitted, method)(frame.iloc[:, :7] if method == "fit" else frame)
    assert_array_equal(fitted.transform(frame), codes)


@ALL
@pytest.mark.parametrize("early_stopping", [True, False])
def test_non_finite_loss_raises_with_advice(cls, early_stopping, X):
    estimator = cls(
        2, hidden_layer_sizes=(64, 64), activation="relu", learning_rate_init=1e30,
        learning_rate="constant", max_iter=30, early_stopping=early_stopping, init="random",
        random_state=0,
    )  # fmt: skip
    with raises_and_changes_nothing(estimator, FloatingPointError, "learning_rate_init"):
        estimator.fit(X)


# Odd shapes


def batch_norm_factory(n_features, n_components):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(n_features, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, n_components)
    )
    decoder = torch.nn.Sequential(
        torch.nn.Linear(n_components, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, n_features)
    )
    return encoder, decoder


def dropout_factory(n_features, n_components):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(n_features, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, n_components)
    )
    return encoder, torch.nn.Linear(n_components, n_features)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(
    "architecture",
    ["dense", batch_norm_factory, NORMALISED, UNPOOLING],
    ids=["dense", "norm", "normalised images", "images"],
)
def test_batch_tail_of_one_row(k, architecture, X):
    n, batch = 16 * k + 1, 16
    estimator = Autoencoder(
        2, architecture=architecture, hidden_layer_sizes=(8,), init="random", batch_size=batch,
        max_iter=3, early_stopping=False, random_state=0,
    )  # fmt: skip
    codes = estimator.fit(X[:n]).transform(X)
    assert estimator.n_iter_ == 3
    assert np.isfinite(codes).all()


class BatchSizes(skorch.callbacks.Callback):
    seen: list = []  # noqa: RUF012 - shared on purpose: fit trains a copy of the callback

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        if training:
            self.seen.append(len(batch[0]))


def test_every_row_is_visited_once_an_epoch_and_no_batch_has_one_row(X):
    BatchSizes.seen.clear()
    Autoencoder(
        2, hidden_layer_sizes=(8,), batch_size=16, max_iter=2, early_stopping=False,
        skorch_callbacks=[BatchSizes()], random_state=0,
    ).fit(X[:49])  # fmt: skip
    assert sum(BatchSizes.seen) == 2 * 49
    assert min(BatchSizes.seen) > 1


@ALL
@pytest.mark.parametrize("batch_size", [7, 200, 10_000])
def test_any_batch_size_trains(cls, batch_size, X):
    estimator = cls(
        2, hidden_layer_sizes=(8,), batch_size=batch_size, max_iter=4, init="random",
        early_stopping=False, random_state=0,
    ).fit(X[:50])  # fmt: skip
    assert len(estimator.loss_curve_) == 4
    assert len(set(estimator.loss_curve_)) == 4


# Hard numbers


@pytest.mark.parametrize("max_iter", [0, 5])
def test_a_large_offset_survives(max_iter):
    X = np.repeat([[1e8], [1e8 + 1], [1e8 + 2]], 20, axis=0)
    estimator = Autoencoder(
        1, hidden_layer_sizes=(8,), max_iter=max_iter, random_state=0
    ).fit(X)  # fmt: skip
    assert_allclose(np.abs(estimator.transform(X)), np.abs(X - X.mean()), atol=1e-4)
    assert_allclose(estimator.reconstruct(X), X, rtol=0, atol=1e-3)
    assert estimator.score(X) > 0.9999


@BOTH
@pytest.mark.parametrize("value", [0.0, 3.5, 1e8])
@pytest.mark.parametrize("max_iter", [0, 5])
def test_constant_X_fits(cls, value, max_iter):
    X = np.full((40, 4), value)
    estimator = cls(2, hidden_layer_sizes=(8,), max_iter=max_iter, random_state=0)
    with warnings.catch_warnings():
        # A code of constant data rightly says that it carries nothing and leaves nothing over.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X)
    assert np.isfinite(estimator.transform(X)).all()
    assert_allclose(estimator.reconstruct(X), X, rtol=1e-6, atol=1e-3)
    assert np.isfinite(estimator.score(X))
    if cls is Autoencoder:
        assert estimator.score(X) == 1.0


@BOTH
def test_a_constant_column_is_reconstructed(cls, X):
    X = X.copy()
    X[:, 4] = -17.25
    estimator = cls(2, hidden_layer_sizes=(8,), max_iter=0, random_state=0).fit(X)
    assert_allclose(estimator.reconstruct(X)[:, 4], -17.25, rtol=1e-6)
    estimator.set_params(max_iter=5).fit(X)
    assert np.isfinite(estimator.transform(X)).all()
    assert_allclose(estimator.reconstruct(X)[:, 4], -17.25, atol=0.5)


@BOTH
@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150, 1e300])
def test_extreme_scales_fit_or_raise(cls, scale, X):
    data = X * scale
    estimator = cls(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    try:
        estimator.fit(data)
    except ValueError as error:
        assert abs(np.log10(scale)) > 100, "ordinary magnitudes must fit"
        assert "large" in str(error) or "small" in str(error) or "scale" in str(error)
        return
    codes, images = estimator.transform(data), estimator.reconstruct(data)
    assert np.isfinite(codes).all()
    assert np.isfinite(images).all()
    # The objective is relative to the scale, so the fit is the same up to rounding.
    plain = clone(estimator).fit(X)
    unit = scale if cls is Autoencoder else 1.0  # a VAE's codes keep the prior's
    assert_allclose(codes / unit, plain.transform(X), atol=1e-2)


def test_values_beyond_the_training_range_stay_finite(X):
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0).fit(X)
    assert np.isfinite(estimator.transform(X * 1e12)).all()


# Sample weights


def test_scale_of_weights_plays_no_role_in_the_start(X):
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    one = Autoencoder(2, max_iter=0).fit(X, sample_weight=weight)
    other = Autoencoder(2, max_iter=0).fit(X, sample_weight=weight * 1024)
    assert_allclose(other.transform(X), one.transform(X), rtol=1e-6, atol=1e-9)


def test_sample_weight_statistically_equals_repetition(X):
    """Weights and repeated rows agree within noise over seeds; no weights do not."""
    weight = np.where(X[:, 0] > np.median(X[:, 0]), 1, 6)
    heavy = X[weight == 6]

    def errors(data, weights):
        values = []
        for seed in range(5):
            # As many steps an epoch for either table.
            estimator = Autoencoder(
                1, hidden_layer_sizes=(16,), max_iter=20, batch_size=len(data) // 10,
                early_stopping=False, random_state=seed,
            )  # fmt: skip
            estimator.fit(data, sample_weight=weights)
            values.append(estimator.reconstruction_error(heavy).mean())
        return np.array(values)

    weighted = errors(X, weight)
    repeated = errors(np.repeat(X, weight, axis=0), None)
    ignored = errors(X, None)
    noise = np.sqrt((weighted.var(ddof=1) + repeated.var(ddof=1)) / 5)
    gap = abs(weighted.mean() - repeated.mean())
    assert gap < 4 * noise + 0.05 * repeated.mean()
    assert abs(ignored.mean() - repeated.mean()) > 2 * gap


def test_fits_leave_the_number_of_threads(X):
    before = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    Autoencoder(2, hidden_layer_sizes=(8,), max_iter=1).fit(X)
    assert (torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")) == before
