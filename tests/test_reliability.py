"""Threads, processes, interruptions, divergence, odd shapes and hard numbers."""

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
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

BOTH = pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder])
ALL = pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
NORMALISED = Convolutional((3, 4), channels=(4,), normalization="batch")
UNPOOLING = Convolutional((3, 4), channels=(4,), downsampling="max_pool", upsampling="max_unpool")
TEMPLATES = {
    "autoencoder": Autoencoder(3, hidden_layer_sizes=(32, 16), max_iter=5, random_state=0),
    "vae": VariationalAutoencoder(3, hidden_layer_sizes=(32, 16), max_iter=5, random_state=0),
    "denoiser": Denoiser(hidden_layer_sizes=(32,), max_iter=5, random_state=0),
    "images": Autoencoder(3, architecture=UNPOOLING, max_iter=3, random_state=0),
    "normalised images": Autoencoder(3, architecture=NORMALISED, max_iter=3, random_state=0),
}
over_templates = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)


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


def state_of(estimator):
    return {name: joblib.hash(value) for name, value in vars(estimator).items()}


# Parallelism


@over_templates
def test_threaded_fits_are_bit_equal(template, X):
    def fit(_):
        return clone(template).fit(X).transform(X)

    serial = fit(0)
    with ThreadPoolExecutor(8) as pool:
        for codes in pool.map(fit, range(8)):
            assert_array_equal(codes, serial)


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


@over_templates
def test_concurrent_transform_equals_serial(template, X):
    estimator = clone(template).fit(X)
    serial = estimator.transform(X)
    with ThreadPoolExecutor(4) as pool:
        for codes in pool.map(lambda _: estimator.transform(X), range(20)):
            assert_array_equal(codes, serial)


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
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subsets_and_order_do_not_change_a_row(cls, width, dtype):
    rng = np.random.default_rng(width)
    X = (rng.normal(size=(200, 5)) @ rng.normal(size=(5, width))).astype(dtype)
    X += 0.1 * rng.normal(size=X.shape).astype(dtype)
    estimator = cls(
        4, init="random", hidden_layer_sizes=(width,), max_iter=1, early_stopping=False,
        random_state=0,
    ).fit(X)  # fmt: skip
    # float64 leaves only the rounding of a matrix product.
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    order = rng.permutation(len(X))
    rows = [estimator.transform, estimator.reconstruct]
    rows.append(estimator.reconstruction_error if cls is Autoencoder else estimator.score_samples)
    for method in rows:
        whole = method(X)
        atol = tolerance * np.abs(whole).max()
        assert_allclose(method(X[order]), whole[order], rtol=0, atol=atol)
        pieces = np.concatenate([method(X[i : i + 1]) for i in range(20)])
        assert_allclose(pieces, whole[:20], rtol=0, atol=atol)
        assert_allclose(method(X[3:104]), whole[3:104], rtol=0, atol=atol)


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
    estimator = cls(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    fresh = clone(estimator).set_params(**broken)
    before = state_of(fresh)
    with pytest.raises(KeyboardInterrupt):
        getattr(fresh, method)(X)
    assert state_of(fresh) == before

    fitted = clone(estimator).fit(X)
    codes = fitted.transform(X)
    fitted.set_params(**broken)
    before = state_of(fitted)
    # For fit a table of another width, so that n_features_in_ would be seen to change.
    with pytest.raises(KeyboardInterrupt):
        getattr(fitted, method)(X[:, :7] if method == "fit" else X)
    assert state_of(fitted) == before
    assert_array_equal(fitted.transform(X), codes)


def test_keyboard_interrupt_leaves_feature_names(X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0).fit(frame)
    estimator.set_params(corruption=interrupting_corruption)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(frame.rename(columns=str.upper).iloc[:, :5])
    assert estimator.n_features_in_ == 12
    assert list(estimator.feature_names_in_) == list(frame.columns)


def test_invalid_data_leave_a_fitted_estimator_as_it_was(X):
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0).fit(X)
    before = state_of(estimator)
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(np.full((30, 3), np.nan))
    with pytest.raises(ValueError, match="sample_weight"):
        estimator.fit(X[:, :5], sample_weight=np.ones(3))
    assert state_of(estimator) == before


@ALL
@pytest.mark.parametrize("early_stopping", [True, False])
def test_non_finite_loss_raises_with_advice(cls, early_stopping, X):
    estimator = cls(
        2, hidden_layer_sizes=(64, 64), activation="relu", learning_rate_init=1e30,
        learning_rate="constant", max_iter=30, early_stopping=early_stopping, init="random",
        random_state=0,
    )  # fmt: skip
    before = state_of(estimator)
    with pytest.raises(FloatingPointError, match="learning_rate_init"):
        estimator.fit(X)
    assert state_of(estimator) == before


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


@BOTH
def test_three_rows_give_the_start(cls, X):
    estimator = cls(2, random_state=0).fit(X[:3])
    assert estimator.start_kept_
    assert np.isfinite(estimator.transform(X)).all()
    assert np.isfinite(estimator.reconstruct(X)).all()


@ALL
@pytest.mark.parametrize("parameters", [{}, {"max_iter": 0}, {"init": "random"}])
def test_one_row_raises(cls, parameters, X):
    with pytest.raises(ValueError, match=r"1 sample|n_samples=1|minimum of 2"):
        cls(2, **parameters).fit(X[:1])


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


@BOTH
@pytest.mark.parametrize("max_iter", [0, 4])
def test_zero_weights_equal_dropping_the_rows(cls, max_iter, X):
    weight = np.tile([0.0, 1.0, 2.0], len(X) // 3)
    estimator = cls(2, hidden_layer_sizes=(16,), max_iter=max_iter, random_state=0)
    weighted = clone(estimator).fit(X, sample_weight=weight)
    dropped = clone(estimator).fit(X[weight > 0], sample_weight=weight[weight > 0])
    assert_array_equal(weighted.transform(X), dropped.transform(X))
    assert_array_equal(weighted.inverse_transform(np.eye(2)), dropped.inverse_transform(np.eye(2)))
    assert weighted.loss_curve_ == dropped.loss_curve_
    assert weighted.start_kept_ == dropped.start_kept_


@ALL
def test_unit_weights_equal_no_weights(cls, X):
    estimator = cls(2, hidden_layer_sizes=(16,), max_iter=3, random_state=0)
    plain = clone(estimator).fit(X)
    weighted = clone(estimator).fit(X, sample_weight=np.ones(len(X)))
    assert_allclose(weighted.transform(X), plain.transform(X), rtol=1e-4, atol=1e-5)


def test_scale_of_weights_plays_no_role_in_the_start(X):
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    one = Autoencoder(2, max_iter=0).fit(X, sample_weight=weight)
    other = Autoencoder(2, max_iter=0).fit(X, sample_weight=weight * 1024)
    assert_allclose(other.transform(X), one.transform(X), rtol=1e-6, atol=1e-9)


def test_bad_weights_raise(X):
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        Autoencoder(max_iter=0).fit(X, sample_weight=-np.ones(len(X)))
    with pytest.raises(ValueError, match=r"sample_weight|zero|1 sample|n_samples"):
        Autoencoder(max_iter=0).fit(X, sample_weight=np.zeros(len(X)))


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


def test_weighted_score_equals_score_of_repeated_rows(X):
    weight = np.random.default_rng(1).integers(0, 4, len(X))
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0).fit(X)
    assert_allclose(
        estimator.score(X, sample_weight=weight), estimator.score(np.repeat(X, weight, axis=0))
    )


def test_fits_leave_the_number_of_threads(X):
    before = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    Autoencoder(2, hidden_layer_sizes=(8,), max_iter=1).fit(X)
    assert (torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")) == before
