"""Outlier detectors behind one function: scores of test rows, the higher the more anomalous.

This file is also imported in the environment of the peers, so it imports a package only where it
is used. All get rows standardised by the training rows. Parameters are the packages' defaults, but
for what stands here.
"""

import time

import numpy as np

# Rows that methods of quadratic cost learn from.
QUADRATIC_ROWS = 10000


def isolation_forest(train, seed):
    """scikit-learn's."""
    from sklearn.ensemble import IsolationForest

    return negated(IsolationForest(random_state=seed).fit(train).score_samples)


def local_outlier_factor(train, seed):
    """scikit-learn's, 20 neighbours; a training row is none of its own."""
    from sklearn.neighbors import LocalOutlierFactor

    detector = LocalOutlierFactor(novelty=True).fit(train)

    def score(rows):
        # scikit-learn scores the rows of `fit` in `fit` only
        found = detector.negative_outlier_factor_ if rows is train else detector.score_samples(rows)
        return -found

    return score


def one_class_svm(train, seed):
    """scikit-learn's, on 10000 rows at most."""
    from sklearn.svm import OneClassSVM

    return negated(OneClassSVM().fit(few(train, seed)).score_samples)


def elliptic_envelope(train, seed):
    """scikit-learn's: the minimum covariance determinant."""
    import warnings

    from sklearn.covariance import EllipticEnvelope

    with warnings.catch_warnings():
        # one at each step where the columns of a table depend on each other
        warnings.filterwarnings("ignore", "Determinant has increased", RuntimeWarning)
        warnings.filterwarnings("ignore", "The covariance matrix", UserWarning)
        return negated(EllipticEnvelope(random_state=seed).fit(train).score_samples)


def knn_distance(train, seed):
    """Distance to the fifth neighbour, a training row being none of its own."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=5).fit(train)
    return lambda rows: index.kneighbors(None if rows is train else rows)[0][:, -1]


def pca_error(train, seed):
    """Squared error of as many components as hold nine tenths of the variance."""
    from sklearn.decomposition import PCA

    pca = PCA(0.9, svd_solver="full").fit(train)
    return lambda rows: ((rows - pca.inverse_transform(pca.transform(rows))) ** 2).sum(axis=1)


def mahalanobis(train, seed):
    """Squared distance under Ledoit and Wolf's covariance of all rows."""
    from sklearn.covariance import LedoitWolf

    return LedoitWolf().fit(train).mahalanobis


def robust_mahalanobis(train, seed):
    """The same with the closest three quarters of the rows, three times."""
    from sklearn.covariance import LedoitWolf

    covariance = LedoitWolf().fit(train)
    for _ in range(3):
        distances = covariance.mahalanobis(train)
        covariance = LedoitWolf().fit(train[distances <= np.quantile(distances, 0.75)])
    return covariance.mahalanobis


def negated(score_samples):
    """Anomaly from a score that is higher for normal rows."""
    return lambda rows: -score_samples(rows)


def few(train, seed):
    """At most 10000 of the rows."""
    if len(train) <= QUADRATIC_ROWS:
        return train
    return train[np.random.default_rng(seed).permutation(len(train))[:QUADRATIC_ROWS]]


def timed(make, train, test, seed):
    """Scores of the test rows, and what fitting and scoring took."""
    start = time.perf_counter()
    score = make(train, seed)
    fitted = time.perf_counter()
    scores = np.asarray(score(test), dtype=float)
    return scores, fitted - start, time.perf_counter() - fitted


SKLEARN = {
    "IsolationForest": isolation_forest,
    "LocalOutlierFactor": local_outlier_factor,
    "OneClassSVM": one_class_svm,
    "EllipticEnvelope": elliptic_envelope,
    "k-NN distance": knn_distance,
    "PCA error": pca_error,
    "Mahalanobis": mahalanobis,
    "robust Mahalanobis": robust_mahalanobis,
}
# name in the tables -> module and class of PyOD; those with a random state or a network
PYOD = {
    "PyOD AutoEncoder": ("auto_encoder", "AutoEncoder"),
    "PyOD VAE": ("vae", "VAE"),
    "PyOD DeepSVDD": ("deep_svdd", "DeepSVDD"),
    "PyOD ECOD": ("ecod", "ECOD"),
    "PyOD COPOD": ("copod", "COPOD"),
    "PyOD HBOS": ("hbos", "HBOS"),
    "PyOD MCD": ("mcd", "MCD"),
    "PyOD KNN": ("knn", "KNN"),
    "PyOD CBLOF": ("cblof", "CBLOF"),
    "PyOD INNE": ("inne", "INNE"),
}
# These give the same scores for the same rows.
DETERMINISTIC = {
    "LocalOutlierFactor",
    "k-NN distance",
    "PCA error",
    "Mahalanobis",
    "robust Mahalanobis",
    "PyOD ECOD",
    "PyOD COPOD",
    "PyOD HBOS",
    "PyOD KNN",
}


class PyODDetectors:
    """PyOD's detectors on one pair of training and test rows.

    Parameters
    ----------
    train : ndarray of shape (n_train, n_features)
        Standardised rows.
    test : ndarray of shape (n_test, n_features) or None, default=None
        Rows to be scored; None are the training rows, whose scores PyOD's detectors have from
        `fit`: a row is no neighbour of its own there.
    """

    def __init__(self, train, test=None):
        self.train, self.test = train, train if test is None else test

    def scores(self, name, seed):
        """Scores of the test rows, and what fitting and scoring took."""
        import importlib
        import inspect
        import warnings

        module, class_name = PYOD[name]
        make = getattr(importlib.import_module(f"pyod.models.{module}"), class_name)
        known = inspect.signature(make).parameters
        given = {"random_state": seed, "verbose": 0, "n_features": self.train.shape[1]}
        np.random.seed(seed)

        def fitted(train, seed):
            detector = make(**{k: v for k, v in given.items() if k in known}).fit(train)
            if self.test is train:
                return lambda rows: detector.decision_scores_
            return detector.decision_function

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores, fit_s, score_s = timed(fitted, self.train, self.test, seed)
        return {"scores": scores.tolist(), "fit_s": fit_s, "score_s": score_s}
