"""MNIST and Fashion-MNIST in two dimensions, all defaults.

Fitted on the 60000 training images. Trustworthiness (5 neighbours) on the first 10000 training
images; accuracy of 5 nearest neighbours fitted on the embedded training images and scored on the
embedded test images; normalised mutual information of 10-means on the embedded test images with
the labels. t-SNE has no `transform`: it is fitted on the first 10000 training images, its
neighbours are judged by 5-fold cross-validation and its clusters on these rows ("in-sample").
"""

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.data import images
from benchmarks.harness import fit_time, lines_with, seconds
from sklearn_ae import Autoencoder, VariationalAutoencoder

LIMIT_S = 1200
OURS = {"Autoencoder": Autoencoder, "VariationalAutoencoder": VariationalAutoencoder}
METHODS = ("PCA", "t-SNE", "UMAP", *OURS)
TRUST_ROWS = 10000


def cells():
    """Cells of the case: three seeds of ours, one of the others."""
    return [
        {"data": data, "seed": seed, "method": method}
        for data in ("mnist", "fashion_mnist")
        for seed in (0, 1, 2)
        for method in METHODS
        if seed == 0 or method in OURS
    ]


def make(cell, options):
    """Reducer of a cell."""
    seed = cell["seed"]
    if cell["method"] in OURS:
        return options.ours(OURS[cell["method"]], random_state=seed)
    if cell["method"] == "UMAP":
        from umap import UMAP

        # A seed would make UMAP single-threaded; it is given all cores instead.
        return UMAP()
    return {"PCA": PCA(2, random_state=seed), "t-SNE": TSNE(2, random_state=seed)}[cell["method"]]


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
    return {
        "fit_s": fit_s,
        "transform_s": transform_s,
        "trustworthiness": trustworthiness(X[:TRUST_ROWS], Z[:TRUST_ROWS], n_neighbors=5),
        "accuracy": neighbours.score(Z_test, y_test),
        "nmi": nmi(Z_test, y_test),
        "in_sample": False,
    }


def warm_up(reducer, X):
    """Fit a few rows, so that compilation and late imports do not count."""
    clone(reducer).fit(X)
    if "force_approximation_algorithm" in reducer.get_params():
        # UMAP takes this path, compiled apart, from 4096 rows on
        clone(reducer).set_params(force_approximation_algorithm=True).fit(X).transform(X)


def in_sample(reducer, X, y):
    """Figures of a reducer without `transform`."""
    fit_s, Z = seconds(reducer.fit_transform, X)
    return {
        "fit_s": fit_s,
        "trustworthiness": trustworthiness(X, Z, n_neighbors=5),
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
                if (line["data"], line["method"]) == (data, method)
            ]
            if group:
                in_sample = " (in-sample, 10000 rows)" if group[0]["in_sample"] else ""
                rows.append(
                    {
                        "method": method + in_sample,
                        "seeds": len(group),
                        "trustworthiness": spread(group, "trustworthiness"),
                        "5-NN accuracy": spread(group, "accuracy"),
                        "10-means NMI": spread(group, "nmi"),
                        "fit (s)": fit_time(group[0]),
                    }
                )
    return found


def spread(group, name):
    """Mean and standard deviation over the seeds."""
    values = [figures[name] for figures in group]
    deviation = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{deviation}"


def figures(lines):
    """Accuracies on MNIST: mean of three fits, beside PCA and UMAP."""
    accuracies = {
        method: [
            line["figures"]["accuracy"] for line in lines_with(lines, data="mnist", method=method)
        ]
        for method in ("Autoencoder", "PCA", "UMAP")
    }
    assert len(accuracies["Autoencoder"]) == 3
    return {"README": "; ".join(f"{np.mean(values):.2f}" for values in accuracies.values())}
