"""Scores by which any reducer of dimension can be judged.

They see an estimator through `transform` and `inverse_transform` only, or look at the
codes themselves, so they work for `PCA`, for a `Pipeline` and for UMAP as well as for the
estimators of this package.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import manifold
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors
from sklearn.utils import Bunch, check_array, check_consistent_length, check_random_state

from sklearn_ae.utils._typing import MatrixLike, RandomState

__all__ = [
    "continuity",
    "explained_variance",
    "explained_variance_scorer",
    "kmeans_scores",
    "knn_accuracy",
    "knn_r2",
    "trustworthiness",
]


def explained_variance(X: ArrayLike, X_reconstructed: ArrayLike) -> float:
    r"""Share of the variance of ``X`` that a reconstruction keeps.

    .. math:: 1 - \frac{\sum_i \lVert x_i - \hat x_i \rVert^2}{\sum_i \lVert x_i - \bar x \rVert^2}

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The data; :math:`\bar x` is the vector of its column means.

    X_reconstructed : array-like of shape (n_samples, n_features)
        The reconstruction of each row.

    Returns
    -------
    score : float
        At most 1; 0 is the reconstruction of every row by the mean. It is 1 where constant
        data are reconstructed exactly.

    Examples
    --------
    >>> from sklearn_ae.metrics import explained_variance
    >>> explained_variance([[0.0], [2.0]], [[0.0], [1.0]])
    0.5
    """
    X = check_array(X, dtype=np.float64)
    X_reconstructed = check_array(X_reconstructed, dtype=np.float64)
    if X.shape != X_reconstructed.shape:
        raise ValueError(
            f"X and its reconstruction differ in shape: {X.shape} and {X_reconstructed.shape}"
        )
    lost = np.sum((X - X_reconstructed) ** 2)
    total = np.sum((X - X.mean(axis=0)) ** 2)
    if total == 0:
        return 1.0 if lost == 0 else -np.inf
    return float(1 - lost / total)


def explained_variance_scorer(estimator: BaseEstimator, X: MatrixLike, y: object = None) -> float:
    """Explained variance of a fitted reducer on given rows.

    It has the signature of a scorer: pass it as ``scoring`` to a search or to
    `cross_val_score` to compare reducers of different families on one scale.

    Parameters
    ----------
    estimator : estimator instance
        A fitted estimator with `transform` and `inverse_transform`, such as
        `PCA`, a `Pipeline` of transformers, or `Autoencoder`.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, or images, to encode and to reconstruct.

    y : None
        Ignored.

    Returns
    -------
    score : float
        See `explained_variance`; the reference is the column means of ``X``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae.metrics import explained_variance_scorer
    >>> X = load_iris().data
    >>> round(explained_variance_scorer(PCA(2).fit(X), X), 3)
    0.978
    """
    reconstructed = estimator.inverse_transform(estimator.transform(X))
    # images as rows, whichever of the two has them so
    return explained_variance(*(_flat(rows) for rows in (X, reconstructed)))


def _flat(rows):
    """Images and sparse rows as rows of a table; anything else as it is."""
    if sparse.issparse(rows):
        return rows.toarray()
    shape = np.shape(rows)
    return rows if len(shape) < 3 else np.reshape(rows, (shape[0], -1))


def trustworthiness(
    X: MatrixLike,
    Z: ArrayLike,
    *,
    n_neighbors: int = 5,
    max_samples: int = 10000,
    random_state: RandomState = 0,
) -> float:
    """Trustworthiness of codes, whether neighbours among them are neighbours in the data.

    `sklearn.manifold.trustworthiness` on at most ``max_samples`` rows, since its memory
    grows with the square of their number.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data.

    Z : array-like of shape (n_samples, n_components)
        The codes of the same rows.

    n_neighbors : int, default=5
        Size of the neighbourhoods; it has to be smaller than half of the number of rows.

    max_samples : int, default=10000
        Largest number of rows looked at; of more, a random subset of this size is taken.

    random_state : int, RandomState instance or None, default=0
        Selects that subset.

    Returns
    -------
    score : float
        Between 0 and 1, 1 being best.

    See Also
    --------
    continuity : Whether neighbours in the data are neighbours among the codes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ae.metrics import trustworthiness
    >>> X = load_iris().data
    >>> round(trustworthiness(X, X[:, :2]), 2)
    0.92
    """
    X, Z = _few_rows(X, Z, max_samples, random_state)
    return float(manifold.trustworthiness(X, Z, n_neighbors=n_neighbors))


def continuity(
    X: MatrixLike,
    Z: ArrayLike,
    *,
    n_neighbors: int = 5,
    max_samples: int = 10000,
    random_state: RandomState = 0,
) -> float:
    r"""Continuity of codes, whether neighbours in the data are neighbours among them.

    .. math::

        1 - \frac{2}{n k (2n - 3k - 1)} \sum_{i=1}^{n} \sum_{j \in N_k(x_i)}
        \max(0, r(z_i, z_j) - k)

    where :math:`N_k(x_i)` are the :math:`k` nearest neighbours of row :math:`i` in the data and
    :math:`r(z_i, z_j)` is the rank of :math:`j` among the rows by their distance to :math:`i`
    among the codes, 1 being the nearest.

    It is `trustworthiness` with ``X`` and ``Z`` swapped [1]_ [2]_, on at most
    ``max_samples`` rows as well.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data.

    Z : array-like of shape (n_samples, n_components)
        The codes of the same rows.

    n_neighbors : int, default=5
        Size of the neighbourhoods; it has to be smaller than half of the number of rows.

    max_samples : int, default=10000
        Largest number of rows looked at; of more, a random subset of this size is taken, the same
        as that of `trustworthiness`.

    random_state : int, RandomState instance or None, default=0
        Selects that subset.

    Returns
    -------
    score : float
        Between 0 and 1, 1 being best.

    Raises
    ------
    ValueError
        Where ``X`` and ``Z`` differ in their number of rows, or ``n_neighbors`` is not smaller
        than half of it.

    See Also
    --------
    trustworthiness : Whether neighbours among the codes are neighbours in the data.

    Notes
    -----
    Codes that tear neighbours apart lose continuity, codes that fold strangers together lose
    trustworthiness; read the two together. PCA brings no two rows further apart, so it folds
    rather than tears; t-SNE and UMAP tear rather than fold.

    References
    ----------
    .. [1] S. Kaski, J. Nikkilä, M. Oja, J. Venna, P. Törönen and E. Castrén, "Trustworthiness and
       metrics in visualizing similarity of gene expression", BMC Bioinformatics 4:48, 2003,
       :doi:`10.1186/1471-2105-4-48`.
    .. [2] J. Venna and S. Kaski, "Local multidimensional scaling", Neural Networks 19, 2006,
       :doi:`10.1016/j.neunet.2006.05.014`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ae.metrics import continuity
    >>> X = load_iris().data
    >>> round(continuity(X, X[:, :2]), 2)
    0.97
    """
    X, Z = _few_rows(X, Z, max_samples, random_state)
    return float(manifold.trustworthiness(Z, X, n_neighbors=n_neighbors))


def _few_rows(X, Z, max_samples, random_state):
    """Data and codes of a random subset where there are more rows than are looked at."""
    check_consistent_length(X, Z)
    X, Z = X.tocsr() if sparse.issparse(X) else np.asarray(X), np.asarray(Z)
    if len(Z) > max_samples:
        chosen = check_random_state(random_state).permutation(len(Z))[:max_samples]
        X, Z = X[chosen], Z[chosen]
    return X, Z


def _n_available(name, Z, y, Z_test, y_test, n_neighbors):
    """Neighbours that a row can have: no more than there are other rows."""
    if (Z_test is None) != (y_test is None):
        raise ValueError("pass both of Z_test and y_test, or none of them")
    check_consistent_length(Z, y)
    available = len(y) - (1 if Z_test is None else 0)
    if available < 1:
        raise ValueError(f"{name} needs more rows, got n_samples = {len(y)}")
    return min(n_neighbors, available)


def knn_accuracy(
    Z: ArrayLike,
    y: ArrayLike,
    Z_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    *,
    n_neighbors: int = 5,
) -> float:
    """Accuracy of a nearest-neighbour classifier on codes.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes that the classifier searches.

    y : array-like of shape (n_samples,)
        Their labels.

    Z_test : array-like of shape (n_test_samples, n_components), default=None
        Codes to classify. If None, each row of ``Z`` is classified by the others
        (leave-one-out).

    y_test : array-like of shape (n_test_samples,), default=None
        Their labels.

    n_neighbors : int, default=5
        Number of neighbours that vote.

    Returns
    -------
    accuracy : float
        Share of the rows classified correctly.

    Examples
    --------
    >>> from sklearn_ae.metrics import knn_accuracy
    >>> knn_accuracy([[0], [1], [10], [11]], [0, 0, 1, 1], n_neighbors=1)
    1.0
    """
    y = np.asarray(y)
    n_neighbors = _n_available("knn_accuracy", Z, y, Z_test, y_test, n_neighbors)
    if Z_test is not None:
        model = KNeighborsClassifier(n_neighbors=n_neighbors).fit(Z, y)
        return float(model.score(Z_test, y_test))
    classes, labels = np.unique(y, return_inverse=True)
    neighbours = NearestNeighbors(n_neighbors=n_neighbors).fit(Z).kneighbors(return_distance=False)
    votes = np.zeros((len(y), len(classes)), dtype=int)
    np.add.at(votes, (np.arange(len(y))[:, None], labels[neighbours]), 1)
    return float(np.mean(votes.argmax(axis=1) == labels))


def knn_r2(
    Z: ArrayLike,
    y: ArrayLike,
    Z_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    *,
    n_neighbors: int = 5,
) -> float:
    """R² of a nearest-neighbour regression on codes.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes that the regression searches.

    y : array-like of shape (n_samples,)
        Their targets, numbers.

    Z_test : array-like of shape (n_test_samples, n_components), default=None
        Codes to predict for. If None, each row of ``Z`` is predicted by the others
        (leave-one-out).

    y_test : array-like of shape (n_test_samples,), default=None
        Their targets.

    n_neighbors : int, default=5
        Number of neighbours whose mean is taken.

    Returns
    -------
    r2 : float
        Coefficient of determination: 1 where all is predicted, 0 where the mean does as well.

    Examples
    --------
    >>> from sklearn_ae.metrics import knn_r2
    >>> knn_r2([[0], [1], [10], [11]], [0, 0, 5, 5], n_neighbors=1)
    1.0
    """
    y = np.asarray(y, dtype=np.float64)
    n_neighbors = _n_available("knn_r2", Z, y, Z_test, y_test, n_neighbors)
    if Z_test is not None:
        model = KNeighborsRegressor(n_neighbors=n_neighbors).fit(Z, y)
        return float(model.score(Z_test, y_test))
    neighbours = NearestNeighbors(n_neighbors=n_neighbors).fit(Z).kneighbors(return_distance=False)
    return float(r2_score(y, y[neighbours].mean(axis=1)))


def kmeans_scores(
    Z: ArrayLike,
    y: ArrayLike,
    *,
    n_clusters: int | None = None,
    n_init: int = 10,
    random_state: RandomState = None,
) -> Bunch:
    """Agreement of the clusters that k-means finds in codes with given labels.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes to cluster.

    y : array-like of shape (n_samples,)
        Labels; the clusters are found without them.

    n_clusters : int, default=None
        Number of clusters; None means the number of different labels.

    n_init : int, default=10
        Number of starts of k-means, of which the best is kept.

    random_state : int, RandomState instance or None, default=None
        Seed of k-means.

    Returns
    -------
    scores : :class:`~sklearn.utils.Bunch`
        ``ari``, the adjusted Rand index, and ``ami``, the adjusted mutual information: both are
        about 0 for clusters that have nothing to do with the labels, and 1 for equal ones.

    Examples
    --------
    >>> from sklearn_ae.metrics import kmeans_scores
    >>> kmeans_scores([[0.0], [0.1], [9.0], [9.1]], ["a", "a", "b", "b"], random_state=0)
    {'ari': 1.0, 'ami': 1.0}
    """
    check_consistent_length(Z, y)
    if n_clusters is None:
        n_clusters = len(np.unique(y))
    model = KMeans(n_clusters=min(n_clusters, len(y)), n_init=n_init, random_state=random_state)
    clusters = model.fit_predict(check_array(Z, dtype=[np.float64, np.float32]))
    return Bunch(
        ari=float(adjusted_rand_score(y, clusters)),
        ami=float(adjusted_mutual_info_score(y, clusters)),
    )
