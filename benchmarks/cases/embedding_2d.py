"""MNIST and Fashion-MNIST in two dimensions, all defaults, and groups of digits in ten.

Fitted on the 60000 training images. Trustworthiness and continuity (5 neighbours) on the first
10000 training images; accuracy of 5 nearest neighbours fitted on the embedded training images and
scored on the embedded test images; normalised mutual information of 10-means on the embedded test
images with the labels; explained variance of the test images, of UMAP, whose way back is slow, of
the first 500 of them. t-SNE has no `transform`: it is fitted on the first 10000 training images,
its neighbours are judged by 5-fold cross-validation and its clusters on these rows ("in-sample").
"Autoencoder, neighbours" has ``penalty="neighbors"``. UMAP is given all cores, so no seed.

With ten components a mixture of ten normal distributions (full covariances, five starts) is fitted
on the codes of the training images; "accuracy of clusters" is the share of test images whose
cluster is matched to their label, one to one, at best (Hungarian method). "PCA-50, UMAP-10" is UMAP
on 50 principal components.
"""

from functools import partial

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.data import explained_variance, images
from benchmarks.harness import fit_time, lines_with, readme_row, seconds
from sklearn_ae import Autoencoder, VariationalAutoencoder

# A fit may take 20 minutes.
LIMIT_S = 2400
NEIGHBORS = "Autoencoder, neighbours"
OURS = {
    "Autoencoder": Autoencoder,
    NEIGHBORS: partial(Autoencoder, penalty="neighbors"),
    "VariationalAutoencoder": VariationalAutoencoder,
}
DATA = ("mnist", "fashion_mnist")
METHODS = ("PCA", "t-SNE", "UMAP", *OURS)
IN_TEN = ("PCA", "UMAP", "PCA-50, UMAP-10", "Autoencoder", NEIGHBORS)
SEEDED = (*OURS, "UMAP", "PCA-50, UMAP-10")
TRUST_ROWS = 10000
# UMAP's way back takes about a second for ten rows.
INVERSE_ROWS = 500


def cells():
    """Cells of the case: three seeds of ours and of UMAP, one of the others."""
    in_two = [
        {"data": data, "seed": seed, "method": method}
        for data in DATA
        for seed in (0, 1, 2)
        for method in METHODS
        if seed == 0 or method in SEEDED
    ]
    in_ten = [
        {"data": "mnist", "seed": seed, "method": method, "n_components": 10}
        for seed in (0, 1, 2)
        for method in IN_TEN
        if seed == 0 or method in SEEDED
    ]
    return in_two + in_ten


def make(cell, options):
    """Reducer of a cell."""
    seed, k = cell["seed"], cell.get("n_components", 2)
    if cell["method"] in OURS:
        return options.ours(OURS[cell["method"]], n_components=k, random_state=seed)
    if "UMAP" in cell["method"]:
        from umap import UMAP

        # A seed would make UMAP single-threaded; it is given all cores instead.
        umap = UMAP(n_components=k)
        wide = cell["method"] == "UMAP"
        return umap if wide else make_pipeline(PCA(50, random_state=seed), umap)
    return {"PCA": PCA(k, random_state=seed), "t-SNE": TSNE(k, random_state=seed)}[cell["method"]]


def run(cell, options):
    """Embed, then judge the embedding."""
    X, y = images(cell["data"], rows=options.rows(60000))
    reducer = make(cell, options)
    warm_up(reducer, X[:100])
    if cell["method"] == "t-SNE":
        return in_sample(reducer, X[:TRUST_ROWS], y[:TRUST_ROWS])
    X_test, y_test = images(cell["data"], "test", rows=options.rows(10000))
    fit_s, _ = seconds(reducer.fit, X)
    Z = reducer.transform(X)
    transform_s, Z_test = seconds(reducer.transform, X_test)
    neighbours = KNeighborsClassifier(5).fit(Z, y)
    figures = {
        "fit_s": fit_s,
        "transform_s": transform_s,
        "accuracy": neighbours.score(Z_test, y_test),
        "nmi": nmi(Z_test, y_test),
        "in_sample": False,
    }
    if "n_iter_" in vars(reducer):
        figures["n_iter"] = int(reducer.n_iter_)
    if cell.get("n_components") == 10:
        return figures | clusters(Z, y, Z_test, y_test)
    rows = X_test[:INVERSE_ROWS] if cell["method"] == "UMAP" else X_test
    output = reducer.inverse_transform(Z_test[: len(rows)])
    figures["explained_variance"] = explained_variance(rows, output, X.mean(axis=0))
    trusted = X[:TRUST_ROWS], Z[:TRUST_ROWS]
    return figures | {
        "trustworthiness": trustworthiness(*trusted, n_neighbors=5),
        "continuity": trustworthiness(*reversed(trusted), n_neighbors=5),
    }


def clusters(Z, y, Z_test, y_test):
    """Accuracy of a mixture's clusters, of the rows that it was fitted to and of others."""
    mixture = GaussianMixture(10, n_init=5, random_state=0).fit(Z)
    figures = {}
    for name, codes, labels in (("", Z_test, y_test), (" in-sample", Z, y)):
        counts = contingency_matrix(labels, mixture.predict(codes))
        matched = counts[linear_sum_assignment(counts, maximize=True)].sum()
        figures[f"accuracy of clusters{name}"] = float(matched / len(labels))
    return figures


def warm_up(reducer, X):
    """Fit a few rows, so that compilation and late imports do not count."""
    clone(reducer).fit(X)
    if isinstance(reducer, Pipeline):
        return
    if "force_approximation_algorithm" in reducer.get_params():
        # UMAP takes this path, compiled apart, from 4096 rows on
        clone(reducer).set_params(force_approximation_algorithm=True).fit(X).transform(X)


def in_sample(reducer, X, y):
    """Figures of a reducer without `transform`."""
    fit_s, Z = seconds(reducer.fit_transform, X)
    return {
        "fit_s": fit_s,
        "trustworthiness": trustworthiness(X, Z, n_neighbors=5),
        "continuity": trustworthiness(Z, X, n_neighbors=5),
        "accuracy": cross_val_score(KNeighborsClassifier(5), Z, y).mean(),
        "nmi": nmi(Z, y),
        "in_sample": True,
    }


def nmi(Z, y):
    """Agreement of 10-means with the labels."""
    clusters = KMeans(10, n_init=10, random_state=0).fit_predict(Z)
    return normalized_mutual_info_score(y, clusters)


def tables(lines):
    """One table per data set, mean and spread over the seeds."""
    found = {}
    for data in dict.fromkeys(line["data"] for line in lines):
        rows = found[f"{data} in two dimensions"] = []
        for method in METHODS:
            group = [
                line["figures"]
                for line in lines
                if (line["data"], line["method"]) == (data, method) and not line["settings"]
            ]
            if group:
                in_sample = " (in-sample, 10000 rows)" if group[0]["in_sample"] else ""
                rows.append(
                    {
                        "method": method + in_sample,
                        "seeds": len(group),
                        "explained variance": spread(group, "explained_variance"),
                        "trustworthiness": spread(group, "trustworthiness"),
                        "continuity": spread(group, "continuity"),
                        "5-NN accuracy": spread(group, "accuracy"),
                        "10-means NMI": spread(group, "nmi"),
                        "fit (s)": fit_time(group[0], 1200),
                        "transform (s)": group[0].get("transform_s"),
                    }
                )
    rows = []
    for method in IN_TEN:
        group = [line["figures"] for line in lines if line["method"] == method and line["settings"]]
        if group:
            rows.append(
                {
                    "method": method,
                    "seeds": len(group),
                    "accuracy of clusters": spread(group, "accuracy of clusters"),
                    "in-sample": spread(group, "accuracy of clusters in-sample"),
                    "5-NN accuracy": spread(group, "accuracy"),
                    "fit (s)": fit_time(group[0], 1200),
                }
            )
    return found | ({"mnist, ten components": rows} if rows else {})


def spread(group, name):
    """Mean and standard deviation over the seeds."""
    values = [figures[name] for figures in group if name in figures]
    if not values:
        return ""
    deviation = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{deviation}"


def figures(lines):
    """Accuracies in two dimensions, means over seeds, and seconds of the fits on MNIST."""
    in_two = [line for line in lines if not line["settings"]]
    accuracy, fit_s = (
        pd.DataFrame(
            {"data": line["data"], "method": line["method"], "figure": line["figures"][name]}
            for line in in_two
        ).pivot_table(index="data", columns="method", values="figure")
        for name in ("accuracy", "fit_s")
    )
    assert len(lines_with(in_two, data="mnist", method="Autoencoder")) == 3
    (mnist, fashion), of_mnist = accuracy.loc[list(DATA)].to_dict("records"), fit_s.loc["mnist"]
    # what the guide says
    assert mnist[NEIGHBORS] > mnist["UMAP"]
    named = {"plain": "Autoencoder", "neighbours": NEIGHBORS, "pca": "PCA", "umap": "UMAP"}
    found = {name: f"{mnist[method]:.3f}" for name, method in named.items()}
    found |= {f"fashion_{name}": f"{fashion[method]:.3f}" for name, method in named.items()}
    found |= {f"{name}_s": f"{of_mnist[method]:.3g}" for name, method in named.items()}
    return found | {
        "README": [
            readme_row(form, one[NEIGHBORS], one["PCA"], {"UMAP": one["UMAP"]}, best)
            for form, one, best in ((".3f", mnist, max), (".3g", of_mnist, min))
        ]
    }
