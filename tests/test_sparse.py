"""Sparse rows: as the same rows in an array, in memory of a batch."""

import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skorch.callbacks import Callback, EpochScoring

from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder
from sklearn_ae._fitting import principal
from sklearn_ae._fitting.scaling import table_limits, table_scaling
from sklearn_ae.losses import CrossEntropy
from sklearn_ae.metrics import continuity, explained_variance_scorer, trustworthiness
from sklearn_ae.penalties import Neighbors
from sklearn_ae.utils._sparse import SparseTable
from tests.checks import raises_one_line

DIGITS = load_digits().data
SMALL = {"hidden_layer_sizes": (16,), "max_iter": 3, "random_state": 0}


def mostly_zero(n_rows=120, n_columns=40, seed=0, density=0.1):
    generator = np.random.default_rng(seed)
    X = generator.random((n_rows, n_columns)) * (generator.random((n_rows, n_columns)) < density)
    X[:, 3] = 0.0
    X[5] = 0.0
    return X


CASES = {
    "pca": (Autoencoder(3, **SMALL), mostly_zero()),
    "start": (Autoencoder(3, max_iter=0), mostly_zero()),
    "share": (Autoencoder(0.5, **SMALL), mostly_zero()),
    "random": (Autoencoder(3, init="random", **SMALL), mostly_zero()),
    "noise": (Autoencoder(3, corruption="masking", **SMALL), mostly_zero()),
    "whitened": (Autoencoder(3, whiten=True, **SMALL), mostly_zero()),
    "log loss": (Autoencoder(3, loss="log_loss", **SMALL), mostly_zero()),
    "sparse code": (Autoencoder(9, penalty="l1", code_activation="relu", **SMALL), mostly_zero()),
    "many rows": (Autoencoder(3, **SMALL), DIGITS),
    "float32": (Autoencoder(3, **SMALL), DIGITS.astype(np.float32)),
    "wide": (Autoencoder(3, **SMALL), mostly_zero(30, 400)),
    "gaussian": (VariationalAutoencoder(3, **SMALL), mostly_zero()),
    "poisson": (
        VariationalAutoencoder(3, likelihood="poisson", **SMALL),
        np.ceil(4 * mostly_zero()),
    ),
    "bernoulli": (
        VariationalAutoencoder(3, likelihood="bernoulli", **SMALL),
        np.ceil(mostly_zero()),
    ),
}


def assert_same(dense, thin, X, S, rtol=1e-4):
    """Whether two estimators, the second fitted to sparse rows, tell the same."""
    codes = dense.transform(X)
    scale = np.abs(codes).max()
    assert_allclose(thin.transform(S), codes, atol=rtol * scale)
    assert thin.transform(S).dtype == codes.dtype
    found, expected = thin.inverse_transform(codes), dense.inverse_transform(codes)
    assert isinstance(found, np.ndarray)
    assert_allclose(found, expected, atol=rtol * np.abs(X).max())
    assert_allclose(thin.reconstruct(S), dense.reconstruct(X), atol=rtol * np.abs(X).max())
    assert_allclose(
        thin.reconstruction_error(S), dense.reconstruction_error(X), rtol=0.01, atol=rtol
    )
    assert_allclose(thin.score(S), dense.score(X), rtol=1e-3)
    assert_allclose(thin.mean_, dense.mean_, atol=1e-12)
    assert_allclose(thin.scale_, dense.scale_)


@pytest.mark.parametrize("name", CASES)
def test_sparse_rows_are_fitted_as_dense_ones(name):
    estimator, X = CASES[name]
    S = sparse.csr_array(X)
    before = S.copy()
    dense, thin = clone(estimator).fit(X), clone(estimator).fit(S)
    assert_same(dense, thin, X, S)
    assert_allclose(thin.loss_curve_, dense.loss_curve_, rtol=1e-4)
    assert (S != before).nnz == 0
    # rows of one kind are taken by an estimator that was fitted to the other
    assert_array_equal(thin.transform(X), thin.transform(S))


@pytest.mark.parametrize(
    "make",
    [
        sparse.csr_matrix,
        sparse.csc_matrix,
        sparse.coo_array,
        sparse.lil_matrix,
        sparse.dok_array,
    ],
)
def test_formats_are_converted(make):
    X = mostly_zero()
    thin = Autoencoder(3, **SMALL).fit(make(X))
    assert_same(Autoencoder(3, **SMALL).fit(X), thin, X, make(X))


def test_cells_that_are_stored_twice_and_zeros_that_are_stored():
    X = mostly_zero()
    S = sparse.csr_matrix(X)
    # a half of each cell, twice, and a zero in column 3
    rows = np.r_[np.repeat(np.arange(len(X)), np.diff(S.indptr)), np.arange(len(X))]
    columns = np.r_[S.indices, np.full(len(X), 3)]
    cells = np.r_[0.5 * S.data, np.zeros(len(X))]
    order = np.argsort(np.r_[rows, rows], kind="stable")
    starts = np.r_[0, np.cumsum(np.bincount(np.r_[rows, rows]))]
    twice = sparse.csr_matrix(
        (np.r_[cells, cells][order], np.r_[columns, columns][order], starts), shape=X.shape
    )
    assert twice.nnz == 2 * len(cells)
    assert_same(Autoencoder(3, **SMALL).fit(X), Autoencoder(3, **SMALL).fit(twice), X, twice)
    assert twice.nnz == 2 * len(cells)


@pytest.mark.parametrize("make", [Autoencoder, VariationalAutoencoder])
def test_weights_groups_chunks_and_further_fits(make):
    X = mostly_zero(300)
    X[:, 3] = X[:, 4][::-1]  # of what never varies, training has rounding alone to go by
    S = sparse.csr_array(X)
    generator = np.random.default_rng(0)
    given = {
        "sample_weight": generator.integers(0, 3, 300).astype(float),
        "groups": np.arange(300) // 5,
    }
    dense, thin = make(3, **SMALL).fit(X, **given), make(3, **SMALL).fit(S, **given)
    assert_same(dense, thin, X, S)
    assert_allclose(
        thin.score(S, sample_weight=given["sample_weight"]),
        dense.score(X, sample_weight=given["sample_weight"]),
        rtol=1e-3,
    )
    dense, thin = make(3, random_state=0), make(3, random_state=0)
    for start in (0, 100, 200):
        dense.partial_fit(X[start : start + 100])
        thin.partial_fit(S[start : start + 100])
    assert_same(dense, thin, X, S)
    dense, thin = (make(3, warm_start=True, **SMALL) for _ in range(2))
    assert_same(dense.fit(X).fit(X), thin.fit(S).fit(X), X, S)


# Centre, limits, start


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["mostly zero", "negative", "filled", "one value"])
def test_scaling_is_that_of_an_array(kind, weighted):
    X = mostly_zero()
    if kind == "negative":
        X = -np.ceil(2 * X) * np.where(np.arange(40) % 2, 1, -1)
    elif kind == "filled":
        X = np.round(1.0 + X, 1)
    elif kind == "one value":
        X = np.full((50, 3), 2.0)
    weight = np.random.default_rng(0).integers(1, 4, len(X)).astype(float) if weighted else None
    found = table_scaling(SparseTable(sparse.csr_matrix(X)), weight, has_limits=True)
    expected = table_scaling(X, weight, has_limits=True)
    assert_allclose(found.mean, expected.mean, atol=1e-15)
    assert_allclose(found.scale, expected.scale)
    if expected.limits is None:
        assert found.limits is None
    else:
        assert_array_equal(found.limits, expected.limits)
    assert_array_equal(table_limits(SparseTable(sparse.csr_array(DIGITS))), table_limits(DIGITS))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("way", ["one decomposition", "covariance", "products of rows", "solver"])
def test_start_is_pca(way, weighted, monkeypatch):
    X = mostly_zero(*((90, 200) if way == "products of rows" else (200, 90)))
    X[:, :4] += 3.0 * np.random.default_rng(1).normal(size=(len(X), 1))
    if way != "one decomposition":
        monkeypatch.setattr(principal, "SMALL_TABLE", 0)
    if way == "solver":
        monkeypatch.setattr(principal, "LARGE_DIMENSION", 50)
    weight = np.random.default_rng(0).integers(1, 4, len(X)) if weighted else np.ones(len(X), int)
    thin = Autoencoder(3, max_iter=0).fit(sparse.csr_array(X), sample_weight=weight)
    pca = PCA(3, svd_solver="full").fit(np.repeat(X, weight, axis=0))
    assert_allclose(thin.transform(X), pca.transform(X), atol=1e-6)
    assert_allclose(thin.explained_variance_, pca.explained_variance_)
    variational = VariationalAutoencoder(3, max_iter=0)
    variational.fit(sparse.csr_array(X), sample_weight=weight)
    assert_allclose(variational.noise_variance_, pca.noise_variance_, rtol=1e-6)


@pytest.mark.parametrize("shape", [(300, 20), (40, 400), (300, 200)])
@pytest.mark.parametrize("n_filled", [1, 20])
def test_a_large_offset_of_sparse_columns_costs_no_digits(n_filled, shape, monkeypatch):
    monkeypatch.setattr(principal, "SMALL_TABLE", 0)
    if shape == (300, 200):
        monkeypatch.setattr(principal, "LARGE_DIMENSION", 50)
    X = mostly_zero(*shape)
    spread = np.random.default_rng(0).normal(size=(len(X), n_filled))
    X[:, :n_filled] = spread * np.linspace(1, 3, n_filled)
    expected = PCA(3, svd_solver="full").fit(X)
    X[:, :n_filled] += 1e8
    thin = Autoencoder(3, max_iter=0).fit(sparse.csr_array(X))
    assert_allclose(thin.explained_variance_, expected.explained_variance_, rtol=1e-6)
    assert_allclose(thin.mean_, X.mean(axis=0), rtol=3e-15)
    noise = VariationalAutoencoder(3, max_iter=0).fit(sparse.csr_array(X)).noise_variance_
    assert_allclose(noise, expected.noise_variance_, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("way", ["covariance", "products of rows", "solver"])
def test_constant_tables_have_no_directions(way, value, monkeypatch):
    monkeypatch.setattr(principal, "SMALL_TABLE", 0)
    monkeypatch.setattr(principal, "LARGE_DIMENSION", 50 if way == "solver" else 3000)
    X = np.full((70, 300) if way == "products of rows" else (300, 70), value)
    X[:, 4:] = 0.0
    thin = Autoencoder(2, max_iter=0).fit(sparse.csr_array(X))
    assert thin.scale_ == 1.0
    assert_allclose(thin.transform(X), 0.0, atol=1e-12)
    assert_allclose(thin.reconstruct(sparse.csr_array(X)), X, atol=1e-12)
    assert_array_equal(thin.explained_variance_, 0.0)


def test_many_equal_cells_are_a_constant():
    X = np.full((5000, 5), 0.1)
    thin = VariationalAutoencoder(2, **SMALL).fit(sparse.csr_array(X))
    assert thin.scale_ == 1.0
    assert_allclose(thin.transform(X + 1e-3), 0.0, atol=1e-2)


def test_memory_is_that_of_the_rows_and_a_batch():
    generator = np.random.default_rng(0)
    n_rows = n_columns = 20_000
    places = generator.integers(n_rows * n_columns, size=400_000)
    S = sparse.csr_array(
        (np.ones(len(places), np.float32), (places // n_columns, places % n_columns)),
        shape=(n_rows, n_columns),
    )
    estimator = Autoencoder(2, hidden_layer_sizes=(), max_iter=1, batch_size=1000, random_state=0)
    clone(estimator).fit(S[:100, :50])  # what torch imports at the first fit is none of the data
    tracemalloc.start()
    try:
        codes = estimator.fit(S).transform(S)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert codes.shape == (n_rows, 2) and estimator.n_iter_ == 1
    # as float32 these rows would take 1600 MB, a batch in float64 takes 160
    assert peak < 4 * 160e6
    assert len(pickle.dumps(estimator)) < 20 * 8 * n_columns


# Where such rows come from


def test_words_and_categories_go_the_way_that_pca_takes():
    texts = [f"the {a} sees the {b}" for a in "cat dog cow hen fox".split() for b in "abcde"]
    words = make_pipeline(TfidfVectorizer(token_pattern=r"\w+"), Autoencoder(2, **SMALL))
    codes = words.fit_transform(texts)
    assert codes.shape == (25, 2) and np.isfinite(codes).all()
    assert words[-1].inverse_transform(codes).shape == (25, 12)
    rows = np.array([text.split() for text in texts], dtype=object)[:, [1, 4]]
    encoder = make_column_transformer((OneHotEncoder(), [0, 1]), sparse_threshold=1.0)
    assert sparse.issparse(encoder.fit_transform(rows))
    search = GridSearchCV(
        make_pipeline(encoder, Autoencoder(**SMALL)),
        {"autoencoder__n_components": [1, 3]},
        cv=KFold(3, shuffle=True, random_state=0),
        error_score="raise",
    )
    assert search.fit(rows).transform(rows).shape[0] == 25


def test_fitted_estimators_hold_no_rows():
    S = sparse.random(400, 3000, 0.01, format="csr", random_state=0)
    estimator = Autoencoder(2, hidden_layer_sizes=(), max_iter=0).fit(S)
    copy = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(copy.transform(S), estimator.transform(S))
    assert len(pickle.dumps(estimator)) < 12 * 8 * 3000


def test_callbacks_get_rows_by_number_slice_and_mask():
    X = mostly_zero(1200)
    seen = {}

    class Look(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            mask = np.arange(len(X)) % 100 == 0
            seen.update(row=X[0], last=X[-1], rows=X[3:5], masked=X[mask], cells=X[[1, 2], ..., 4])
            seen["table"] = X[torch.tensor([[0, 1], [2, 3]])]

        def on_epoch_end(self, net, dataset_train=None, **kwargs):
            seen["pair"] = dataset_train[0]

    scoring = EpochScoring(
        lambda net, X, y: float(len(net.predict(X))), name="rows", use_caching=False
    )
    both = [
        Autoencoder(2, skorch_callbacks=[Look(), scoring], **SMALL).fit(rows).history_
        for rows in (X, sparse.csr_array(X))
    ]
    assert both[1][0]["rows"] == both[0][0]["rows"] == 120
    assert seen["row"].shape == seen["last"].shape == (40,)
    assert seen["rows"].shape == (2, 40) and seen["masked"].shape == (12, 40)
    assert seen["cells"].shape == (2,) and seen["table"].shape == (2, 2, 40)
    assert torch.equal(seen["table"][1, 1], seen["rows"][0])
    assert len(seen["pair"]) == 2


def test_scikit_learns_callbacks_get_the_matrix_of_the_user():
    assert type(SparseTable(sparse.csr_array(mostly_zero())).matrix) is sparse.csr_array


def test_measures_and_lines_take_sparse_rows():
    X = mostly_zero()
    S = sparse.csr_array(X)
    fitted = VariationalAutoencoder(2, **SMALL).fit(S)
    assert_allclose(explained_variance_scorer(fitted, S), explained_variance_scorer(fitted, X))
    codes = fitted.transform(S)
    for measure in (trustworthiness, continuity):
        assert_allclose(measure(S, codes), measure(X, codes))
        assert_allclose(measure(S, codes, max_samples=50), measure(X, codes, max_samples=50))
    assert_array_equal(fitted.interpolate(S[[0]], S[[1]]), fitted.interpolate(X[0], X[1]))


# Refusals


def test_others_refuse_sparse_rows_in_one_line():
    S = sparse.csr_array(mostly_zero())
    for estimator in (Denoiser(), AutoencoderDetector()):
        with raises_one_line(TypeError, "dense data is required"):
            estimator.fit(S)
    with raises_one_line(ValueError, "looks for neighbours among dense rows"):
        Autoencoder(penalty=Neighbors()).fit(S)


def test_values_that_do_not_suit_are_refused():
    X = mostly_zero()
    negative, nan = sparse.csr_array(-X), sparse.csr_array(X)
    nan.data[0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        Autoencoder().fit(nan)
    with raises_one_line(ValueError, "not negative"):
        VariationalAutoencoder(likelihood="poisson").fit(negative)
    with raises_one_line(ValueError, r"in \[0, 1\]"):
        Autoencoder(loss="log_loss").fit(sparse.csr_array(3 * X))
    with raises_one_line(ValueError, "one-hot groups"):
        Autoencoder(loss=CrossEntropy(group_sizes=[20, 20])).fit(sparse.csr_array(X))
    with raises_one_line(ValueError, "too large"):
        Autoencoder().fit(sparse.csr_array(1e308 * X))
    fitted = Autoencoder(2, **SMALL).fit(sparse.csr_array(X))
    with raises_one_line(ValueError, "is expecting 40 features"):
        fitted.transform(sparse.csr_array(X[:, :7]))
    with pytest.warns(UserWarning, match="strictly between 0 and 1"):
        VariationalAutoencoder(likelihood="bernoulli", **SMALL).fit(sparse.csr_array(X))


def test_a_chosen_row_and_slices_are_arrays():
    X = mostly_zero()
    table = SparseTable(sparse.csc_array(X))
    assert (len(table), table.shape, table.size) == (120, (120, 40), 4800)
    assert_array_equal(table[7], X[7])
    assert_array_equal(table[3:9], X[3:9])
    assert_array_equal(table[np.array([4, 4, 1])][:], X[[4, 4, 1]])
    assert_array_equal(table[X[:, 0] > 0][:], X[X[:, 0] > 0])
    assert (table.min(), table.max()) == (X.min(), X.max())
