"""One class of images is normal, all others are anomalies: MNIST and Fashion-MNIST.

Fit on all training images of one class, test on all 10000 test images; area under the ROC curve.
`AutoencoderDetector` gets pixels in [0, 1] as they are, with a dense autoencoder,
`Autoencoder(0.9)`, and with a convolutional one, `Convolutional((28, 28))` with 32 components in
bfloat16. The others get those pixels too: PCA keeps nine tenths of the variance, and `OneClassSVM`
gets its codes. Some rows are on standardised pixels.
"""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks.data import IMAGE_SHAPES, images
from benchmarks.detectors import isolation_forest, negated, pca_error, timed
from sklearn_ae import Autoencoder, AutoencoderDetector
from sklearn_ae.architectures import Convolutional

LIMIT_S = 1800
DATA = ("mnist", "fashion_mnist")
CLASSES = range(10)
DENSE, CONVOLUTIONAL = "AutoencoderDetector, dense", "AutoencoderDetector, convolutional"
STANDARDISED = ", standardised"
METHODS = (
    DENSE,
    CONVOLUTIONAL,
    "IsolationForest",
    "PCA error",
    "OneClassSVM on PCA codes",
    f"{DENSE}{STANDARDISED}",
    f"PCA error{STANDARDISED}",
    f"OneClassSVM on PCA codes{STANDARDISED}",
)


def cells():
    """Cells of the case: each class of both sets is normal once."""
    return [
        {"data": data, "seed": 0, "method": method, "normal": normal}
        for method in METHODS
        for data in DATA
        for normal in CLASSES
    ]


def maker(cell, options):
    """Function from training rows and a seed to a function from rows to anomaly."""
    if cell["method"].endswith(STANDARDISED):
        plain = maker({**cell, "method": cell["method"].removesuffix(STANDARDISED)}, options)
        return lambda rows, seed: on_standardised(plain, rows, seed)
    if cell["method"] == "PCA error":
        return pca_error
    if cell["method"] == "IsolationForest":
        return isolation_forest
    if cell["method"].startswith("OneClassSVM"):
        pipeline = make_pipeline(PCA(0.9, svd_solver="full"), OneClassSVM())
        return lambda rows, seed: negated(pipeline.fit(rows).score_samples)
    estimator = options.ours(Autoencoder, n_components=0.9)
    if cell["method"] == CONVOLUTIONAL:
        estimator = options.ours(
            Autoencoder,
            n_components=32,
            architecture=Convolutional(IMAGE_SHAPES[cell["data"]]),
            precision="bfloat16",
        )

    def make(rows, seed):
        detector = AutoencoderDetector(estimator, device=options.device, random_state=seed)
        return negated(detector.fit(rows).score_samples)

    return make


def on_standardised(make, rows, seed):
    """A detector behind a `StandardScaler`."""
    scaler = StandardScaler().fit(rows)
    score = make(scaler.transform(rows), seed)
    return lambda new: score(scaler.transform(new))


def run(cell, options):
    """Fit on one class, judge by all test images."""
    X, y = images(cell["data"])
    train = X[y == cell["normal"]]
    train = train[: options.rows(len(train))].astype(np.float64)
    X_test, y_test = images(cell["data"], "test", rows=options.rows(10000))
    anomaly = y_test != cell["normal"]
    scores, fit_s, score_s = timed(
        maker(cell, options), train, X_test.astype(np.float64), cell["seed"]
    )
    return {
        "auroc": roc_auc_score(anomaly, scores),
        "ap": average_precision_score(anomaly, scores),
        "fit_s": fit_s,
        "score_s": score_s,
    }


def tables(lines):
    """Area under the curve for each class, and means."""
    shown = {}
    for data in DATA:
        rows = []
        for method in METHODS:
            group = [li for li in lines if (li["data"], li["method"]) == (data, method)]
            if not group:
                continue
            areas = {li["settings"]["normal"]: li["figures"]["auroc"] for li in group}
            row = {"method": method, "mean AUROC": f"{100 * np.mean(list(areas.values())):.1f}"}
            row |= {str(normal): f"{100 * areas[normal]:.1f}" for normal in sorted(areas)}
            row["fit (s), median"] = float(np.median([li["figures"]["fit_s"] for li in group]))
            rows.append(row)
        if rows:
            shown[f"{data}: AUROC by the class that is normal"] = rows
    return shown


def figures(lines):
    """Mean areas of ours and of the best of the others, over the classes that all methods have."""
    found = pd.DataFrame(
        {
            "data": line["data"],
            "normal": line["settings"]["normal"],
            "method": line["method"],
            "area": 100 * line["figures"]["auroc"],
        }
        for line in lines
    ).pivot(index=["data", "normal"], columns="method", values="area")
    others = [method for method in METHODS if not method.startswith("AutoencoderDetector")]
    areas = found[[CONVOLUTIONAL, DENSE, *others]].dropna()
    found = {}
    for data in DATA:
        means = areas.loc[data].mean()
        # convolutional comes first on both
        assert means.idxmax() == CONVOLUTIONAL
        named = {"convolutional": means[CONVOLUTIONAL], "dense": means[DENSE]}
        named["others"] = means[others].max()
        found |= {f"{data}.{name}": f"{value:.1f}" for name, value in named.items()}
        found[f"{data}.classes"] = f"{len(areas.loc[data])}"
    # and dense second on the mean of both
    assert areas.drop(columns=CONVOLUTIONAL).mean().idxmax() == DENSE
    return found
