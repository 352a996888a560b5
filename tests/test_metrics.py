import numpy as np
import pytest
from sklearn import manifold
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import metrics


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_explained_variance_of_pca_is_its_ratio(iris):
    X, _ = iris
    pca = PCA(2).fit(X)
    expected = pca.explained_variance_ratio_.sum()
    assert metrics.explained_variance_scorer(pca, X) == pytest.approx(expected, abs=1e-12)


def test_explained_variance_works_for_a_pipeline_in_a_search(iris):
    X, _ = iris
    pipeline = make_pipeline(StandardScaler(), PCA())
    search = GridSearchCV(
        pipeline, {"pca__n_components": [1, 3]}, scoring=metrics.explained_variance_scorer
    ).fit(X)
    assert search.best_params_ == {"pca__n_components": 3}


def test_explained_variance_of_the_mean_is_zero(iris):
    X, _ = iris
    assert metrics.explained_variance(X, np.tile(X.mean(axis=0), (len(X), 1))) == pytest.approx(0)


def test_explained_variance_of_constant_data_is_one():
    assert metrics.explained_variance(np.ones((4, 2)), np.ones((4, 2))) == 1.0
    assert metrics.explained_variance(np.ones((4, 2)), np.zeros((4, 2))) == -np.inf


def test_explained_variance_refuses_another_shape():
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.explained_variance(np.ones((4, 2)), np.ones((4, 3)))


def test_trustworthiness_is_scikit_learns(iris):
    X, _ = iris
    Z = PCA(2).fit_transform(X)
    assert metrics.trustworthiness(X, Z) == manifold.trustworthiness(X, Z, n_neighbors=5)


def test_trustworthiness_looks_at_few_rows_only(iris):
    X, _ = iris
    Z = PCA(1).fit_transform(X)
    chosen = np.random.RandomState(3).permutation(len(X))[:40]
    expected = manifold.trustworthiness(X[chosen], Z[chosen], n_neighbors=5)
    assert metrics.trustworthiness(X, Z, max_samples=40, random_state=3) == expected


def ranks(X):
    """Place of each row among the neighbours of each, 0 being itself, (n, n)."""
    distances = ((X[:, None] - X) ** 2).sum(axis=2)
    return distances.argsort(axis=1).argsort(axis=1)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_continuity_is_the_formula(k):
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(40, 6)), rng.normal(size=(40, 2))
    in_data, in_codes = ranks(X), ranks(Z)
    lost = sum(
        in_codes[i, j] - k
        for i in range(40)
        for j in range(40)
        if i != j and in_data[i, j] <= k < in_codes[i, j]
    )
    expected = 1 - 2 / (40 * k * (2 * 40 - 3 * k - 1)) * lost
    assert metrics.continuity(X, Z, n_neighbors=k) == pytest.approx(expected, abs=1e-12)


def test_continuity_is_trustworthiness_of_the_data_among_the_codes(iris):
    X, _ = iris
    Z = PCA(1).fit_transform(X)
    assert metrics.continuity(X, Z) == manifold.trustworthiness(Z, X, n_neighbors=5)
    chosen = np.random.RandomState(3).permutation(len(X))[:40]
    expected = manifold.trustworthiness(Z[chosen], X[chosen], n_neighbors=4)
    options = {"n_neighbors": 4, "max_samples": 40, "random_state": 3}
    assert metrics.continuity(X, Z, **options) == expected


def test_codes_that_are_the_data_have_all_neighbours():
    X = np.random.default_rng(0).normal(size=(50, 3))
    assert metrics.continuity(X, X) == metrics.trustworthiness(X, X) == 1.0


def test_tearing_costs_continuity_and_folding_trustworthiness():
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(200, 2))
    torn = whole + 100 * rng.integers(2, size=(200, 1))
    assert metrics.continuity(whole, torn) < 0.8 and metrics.trustworthiness(whole, torn) > 0.97
    assert metrics.continuity(torn, whole) > 0.97 and metrics.trustworthiness(torn, whole) < 0.8


@pytest.mark.parametrize("metric", [metrics.trustworthiness, metrics.continuity])
def test_neighbours_of_what_does_not_fit_are_refused(metric):
    X = np.random.default_rng(0).normal(size=(12, 3))
    with pytest.raises(ValueError, match=r"n_neighbors \(6\) should be less than n_samples / 2"):
        metric(X, X, n_neighbors=6)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metric(X, X[:11])
    with pytest.raises(ValueError, match="contains NaN"):
        metric(X, np.full((12, 2), np.nan))
    with pytest.raises(ValueError, match="Expected 2D array"):
        metric(X, X[:, 0])


def test_knn_accuracy_is_the_classifiers(iris):
    X, y = iris
    expected = KNeighborsClassifier(5).fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    assert metrics.knn_accuracy(X[::2], y[::2], X[1::2], y[1::2]) == expected


def test_knn_accuracy_without_test_rows_is_leave_one_out():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(60, 2)), rng.integers(3, size=60)
    expected = cross_val_score(KNeighborsClassifier(5), Z, y, cv=LeaveOneOut()).mean()
    assert metrics.knn_accuracy(Z, y) == pytest.approx(expected)


def test_knn_accuracy_needs_rows_and_both_test_arrays():
    with pytest.raises(ValueError, match="more rows"):
        metrics.knn_accuracy([[1.0]], [0])
    with pytest.raises(ValueError, match="both of"):
        metrics.knn_accuracy([[1.0], [2.0]], [0, 1], Z_test=[[1.0]])


def test_kmeans_scores_find_blobs_and_not_noise():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 30)
    Z = rng.normal(size=(90, 2))
    far = metrics.kmeans_scores(Z + 20 * y[:, None], y, random_state=0)
    noise = metrics.kmeans_scores(Z, y, random_state=0)
    assert far == {"ari": 1.0, "ami": pytest.approx(1.0)}
    assert abs(noise.ari) < 0.1 and abs(noise.ami) < 0.1


def test_metrics_leave_the_global_random_state_alone(iris):
    X, y = iris
    before = np.random.get_state()[1].copy()
    metrics.trustworthiness(X, X, max_samples=50, random_state=0)
    metrics.continuity(X, X, max_samples=50, random_state=0)
    metrics.kmeans_scores(X, y, random_state=0)
    assert np.array_equal(before, np.random.get_state()[1])


def test_knn_r2_is_the_regressors():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(80, 2))
    y = Z[:, 0] + rng.normal(size=80) / 5
    model = KNeighborsRegressor(n_neighbors=5).fit(Z[:60], y[:60])
    expected = model.score(Z[60:], y[60:])
    assert metrics.knn_r2(Z[:60], y[:60], Z[60:], y[60:]) == pytest.approx(expected)


def test_knn_r2_without_test_rows_is_leave_one_out():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    rows = np.arange(30)
    left_out = [
        KNeighborsRegressor(n_neighbors=5).fit(Z[rows != i], y[rows != i]).predict(Z[[i]])[0]
        for i in rows
    ]
    expected = 1 - np.sum((y - left_out) ** 2) / np.sum((y - y.mean()) ** 2)
    assert metrics.knn_r2(Z, y) == pytest.approx(expected)
    with pytest.raises(ValueError, match="needs more rows"):
        metrics.knn_r2([[1.0]], [0.0])
    with pytest.raises(ValueError, match="both of Z_test and y_test"):
        metrics.knn_r2(Z, y, Z)
