"""Held-out explained variance beside PCA, all defaults, on 27 tables.

scikit-learn's bundled tables and the tables of ADBench (at most 50000 rows), three splits with
a quarter of the rows held out; `StandardScaler`, fitted on the training part, before both.
"""

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.data import ADBENCH, BUNDLED, MAX_ROWS, SHAPES, explained_variance, split_table
from benchmarks.harness import fit_time, readme_row, seconds
from sklearn_ae import Autoencoder

N_COMPONENTS = (2, 8, 32)
SPLITS = (0, 1, 2)


def cells():
    """Cells of the case."""
    return [
        {"data": data, "seed": split, "method": "Autoencoder, PCA", "n_components": k}
        for data in BUNDLED + ADBENCH
        for k in N_COMPONENTS
        for split in SPLITS
        if k < min(0.75 * min(SHAPES[data][0], MAX_ROWS), SHAPES[data][1])
    ]


def run(cell, options):
    """Fit both on the same training rows."""
    train, test = split_table(cell["data"], cell["seed"], rows=options.rows(MAX_ROWS))
    figures, mean = {}, train.mean(axis=0)
    pca_s, pca = seconds(PCA(cell["n_components"], random_state=cell["seed"]).fit, train)
    ours = options.ours(Autoencoder, n_components=cell["n_components"], random_state=cell["seed"])
    figures["fit_s"], ours = seconds(ours.fit, train)
    figures["pca_fit_s"] = pca_s
    for name, fitted in {"pca": pca, "ours": ours}.items():
        output = fitted.inverse_transform(fitted.transform(test))
        figures[name] = explained_variance(test, output, mean)
    figures["difference"] = figures["ours"] - figures["pca"]
    return figures | {"start_kept": bool(ours.start_kept_), "n_iter": int(ours.n_iter_)}


def tables(lines):
    """All in one row, then per table and number of components."""
    differences = np.array([line["figures"]["difference"] for line in lines])
    summary = {
        "fits": len(lines),
        "fits over 300 s": sum(fit_time(line["figures"]) == "over limit" for line in lines),
        "mean difference": float(differences.mean()),
        "worst": float(differences.min()),
        "below PCA by more than 0.005": int((differences < -0.005).sum()),
        "better by more than 0.005": int((differences > 0.005).sum()),
        "start kept": sum(line["figures"]["start_kept"] for line in lines),
    }
    groups = {}
    for line in lines:
        groups.setdefault((line["data"], line["settings"]["n_components"]), []).append(line)
    rows = []
    for (data, k), group in groups.items():
        figures = [line["figures"] for line in group]
        rows.append(
            {
                "data": data,
                "components": k,
                "splits": len(group),
                "PCA": float(np.mean([f["pca"] for f in figures])),
                "Autoencoder": float(np.mean([f["ours"] for f in figures])),
                "mean difference": float(np.mean([f["difference"] for f in figures])),
                "worst": min(f["difference"] for f in figures),
                "start kept": sum(f["start_kept"] for f in figures),
                "slowest fit (s)": max(f["fit_s"] for f in figures),
            }
        )
    title = "Held-out explained variance, Autoencoder less PCA"
    return {f"{title}, all": [summary], f"{title}, per table": rows}


def figures(lines):
    """Mean difference, how often it is below zero, and how often PCA is kept."""
    differences = np.array([line["figures"]["difference"] for line in lines])
    assert len(lines) == 162
    ours, pca = (np.mean([line["figures"][name] for line in lines]) for name in ("ours", "pca"))
    return {
        "mean": f"{differences.mean():.3f}",
        "below": f"{(differences < -0.005).sum()}",
        "worst": f"{max(0, -differences.min()):.3f}",
        "kept": f"{sum(line['figures']['start_kept'] for line in lines)}",
        "README": [readme_row(".3f", ours, pca)],
    }
