"""The rules of `AutoencoderDetector` against others, on tables that are not ADBench's.

Each class of at least 20 rows is normal in turn, all other rows are anomalies. "one-class": fit on
a random half of the normal rows, test on the other half and on all anomalies. "contaminated": fit
and test on all normal rows and a tenth as many anomalies, if there are so many. Rows are
standardised by the training rows. One parameter is changed at a time, all others stay at their
defaults; "max_iter" is that of ``Autoencoder(0.9)`` on standardised rows. "distance to the 20th
row" is the default's fit with that in place of the mean over 20. A figure is the mean over classes
and seeds; one table can move the mean over tables, so the numbers of tables on which a rule has a
larger and a smaller area than the default stand beside it.

Images are averaged to 7 x 7 pixels; texts are 50 components of tf-idf; categories of `adult` are
indicators.
"""

import numpy as np
import pandas as pd
import torch
from sklearn import datasets as bundled
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score

from benchmarks.cases.adbench import DEFAULT, PROTOCOLS, by_protocol, paired
from benchmarks.data import IMAGES, images
from benchmarks.detectors import SKLEARN, timed
from benchmarks.harness import lines_with
from sklearn_ae import Autoencoder, AutoencoderDetector, datasets
from sklearn_ae._anomaly.scores import LogScale

LIMIT_S = 3600
# name -> the column with the classes
UCI = {
    "parkinsons": "status",
    "raisin": "Class",
    "climate": "20",
    "credit": "15",
    "libras": "90",
}
FEW = ("iris", *UCI)
DATA = (*FEW, "digits", *IMAGES, "reuters_r8", "adult")
SEEDS = (0, 1, 2)
CHANGES = {
    "n_neighbors=5": {"n_neighbors": 5},
    "n_neighbors=60": {"n_neighbors": 60},
    "robust=False": {"robust": False},
    "robust=True": {"robust": True},
    "max_iter=10": {"max_iter": 10},
    "max_iter=200": {"max_iter": 200},
}
OTHER_SCORES = ("mahalanobis", "neighbors", "reconstruction")
OTHERS = ("k-NN distance", "robust Mahalanobis", "IsolationForest", "LocalOutlierFactor")
# name of a figure -> the method that it is of
IN_GUIDE = {
    "ours": DEFAULT,
    "neighbour": "k-NN distance",
    "mahalanobis": "robust Mahalanobis",
    "forest": "IsolationForest",
}
FEWEST_ROWS, MOST_ROWS = 20, 20000


def cells():
    """Cells of the case: three seeds of the small tables."""
    return [
        {"data": data, "seed": seed, "method": "all", "protocol": protocol}
        for data in DATA
        for seed in SEEDS
        for protocol in PROTOCOLS
        if seed == 0 or data in FEW
    ]


def labelled(name):
    """Rows of a table and their classes."""
    if name in IMAGES:
        X, y = images(name, rows=MOST_ROWS)
        return X.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(-1, 49), y
    if name in UCI:
        frame = datasets.load_local(f"uci_imputation/remasker_{name}").frame
        y = frame.pop(UCI[name]).to_numpy()
        return frame, y
    if name == "reuters_r8":
        bunch = datasets.load_local(name)
        return TruncatedSVD(50, random_state=0).fit_transform(
            TfidfVectorizer(sublinear_tf=True, min_df=3).fit_transform(bunch.data)
        ), bunch.target
    if name == "adult":
        frame = datasets.load_local("uci_mixed/adult-train").frame[:MOST_ROWS]
        y = frame.pop("income").to_numpy()
        return pd.get_dummies(frame), y
    return getattr(bundled, f"load_{name}")(return_X_y=True)


def split(X, y, protocol, seed):
    """Training and test rows, and labels of the latter; contaminated by a tenth of anomalies."""
    if protocol == "contaminated":
        rng = np.random.default_rng(seed)
        usual, others = (rng.permutation(np.flatnonzero(y == label)) for label in (0, 1))
        drawn = np.concatenate([usual, others[: len(usual) // 10]])
        X, y = X[drawn], y[drawn]
    return by_protocol(X, y, protocol, seed)


def areas(train, test, anomalous, seed, options):
    """Area under the ROC curve of each rule."""

    def fitted(max_iter=0, **parameters):
        estimator = Autoencoder(0.9, max_iter=options.epochs(max_iter), device=options.device)
        detector = AutoencoderDetector(
            estimator, standardize=True, random_state=seed, device=options.device, **parameters
        )
        return detector.fit(train)

    def area(detector, score=None):
        return roc_auc_score(anomalous, -detector.score_samples(test, anomaly_score=score))

    default = fitted()
    found = {DEFAULT: area(default)}
    found |= {f"anomaly_score={score!r}": area(default, score) for score in OTHER_SCORES}
    found["distance to the 20th row"] = roc_auc_score(anomalous, by_the_last(default, train, test))
    for name, change in CHANGES.items():
        if "n_neighbors" in change:  # there may be fewer rows
            change = {"n_neighbors": min(change["n_neighbors"], len(train) - 1)}
        found[name] = area(fitted(**change))
    for name in OTHERS:
        found[name] = roc_auc_score(anomalous, timed(SKLEARN[name], train, test, seed)[0])
    return found


def by_the_last(detector, train, test):
    """The score "auto" with the distance to the last of the nearest rows, not their mean."""
    scores = detector._scores

    def distances(rows):
        scaled = detector._standardizer(rows)
        split = detector.estimator_._fitted.split_errors(scaled, torch.device("cpu"))
        return scores.mahalanobis(split), scores.near.distances(scores.side_by_side(split))[1]

    scales = [LogScale(of_train) for of_train in distances(train)]
    scaled = [scale(of_test) for scale, of_test in zip(scales, distances(test), strict=True)]
    return np.logaddexp(0.0, scaled).mean(axis=0)


def run(cell, options):
    """Mean areas over the classes."""
    X, y = labelled(cell["data"])
    X = np.asarray(X, dtype=np.float64)
    classes = [value for value in np.unique(y) if np.sum(y == value) >= FEWEST_ROWS]
    if options.smoke:
        classes, X, y = classes[:1], X[-500:], y[-500:]
    of_classes = [
        areas(
            *split(X, (y != value).astype(int), cell["protocol"], cell["seed"]),
            cell["seed"],
            options,
        )
        for value in classes
    ]
    return {
        "rows": len(X),
        "features": X.shape[1],
        "classes": len(classes),
        "areas": pd.DataFrame(of_classes).mean().to_dict(),
    }


def by_table(lines, protocol):
    """Areas x 100: a row per table, the mean of its seeds, and a column per rule."""
    found = pd.DataFrame(
        {"data": line["data"], **line["figures"]["areas"]}
        for line in lines_with(lines, protocol=protocol)
    )
    return 100 * found.groupby("data", sort=False).mean()


def tables(lines):
    """Means over tables, and each rule less the default."""
    shown = {}
    for protocol in PROTOCOLS:
        if not lines_with(lines, protocol=protocol):
            continue
        found = by_table(lines, protocol)
        gains = found.sub(found[DEFAULT], axis=0)
        shown[f"{protocol}, {len(found)} tables: AUROC"] = [
            {
                "rule": name,
                "mean": f"{found[name].mean():.1f}",
                "less the default": paired(gains[name].to_numpy(), 1),
                "tables, more and less": f"{(gains[name] > 0).sum()}, {(gains[name] < 0).sum()}",
                **{data: f"{value:.1f}" for data, value in found[name].items()},
            }
            for name in found
        ]
    return shown


def figures(lines):
    """Mean areas in both protocols, and what other rules change."""
    areas = {protocol: by_table(lines, protocol) for protocol in PROTOCOLS}
    # eleven tables
    assert {len(of_protocol) for of_protocol in areas.values()} == {len(DATA)} == {11}
    means = pd.DataFrame({protocol: areas[protocol].mean() for protocol in PROTOCOLS})
    gains = means - means.loc[DEFAULT]
    flat = {
        what: [name for name in CHANGES if name.startswith(parameter)]
        for what, parameter in (("epochs", "max_iter"), ("neighbors", "n_neighbors"))
    }
    found = {
        name: " and ".join(f"{mean:.1f}" for mean in means.loc[method])
        for name, method in IN_GUIDE.items()
    }
    return found | {
        **{what: f"{gains.loc[names].abs().max(axis=None):.1f}" for what, names in flat.items()},
        "not_robust": f"{gains.loc['robust=False', 'one-class']:.1f}",
    }
