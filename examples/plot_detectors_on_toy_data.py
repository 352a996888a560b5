"""
====================================
Outlier detectors on toy data
====================================

scikit-learn's comparison of outlier detectors, with `AutoencoderDetector` added. The data have two
features and a share of 15 % of outliers, spread evenly; all detectors are told that share.
"""

# %%
# The data and the other detectors are those of scikit-learn's example "Comparing anomaly detection
# algorithms for outlier detection on toy datasets".

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import make_blobs, make_moons
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from sklearn_ae import AutoencoderDetector

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

n_samples = 100 if SMALL else 300
share = 0.15
n_outliers = int(share * n_samples)
n_inliers = n_samples - n_outliers

blobs = {"random_state": 0, "n_samples": n_inliers, "n_features": 2}
datasets = {
    "one blob": make_blobs(centers=[[0, 0], [0, 0]], cluster_std=0.5, **blobs)[0],
    "two blobs": make_blobs(centers=[[2, 2], [-2, -2]], cluster_std=[0.5, 0.5], **blobs)[0],
    "unequal blobs": make_blobs(centers=[[2, 2], [-2, -2]], cluster_std=[1.5, 0.3], **blobs)[0],
    "moons": 4.0
    * (make_moons(n_samples=n_inliers, noise=0.05, random_state=0)[0] - np.array([0.5, 0.25])),
    "no structure": 14.0 * (np.random.RandomState(42).rand(n_inliers, 2) - 0.5),
}
detectors = {
    "EllipticEnvelope": EllipticEnvelope(contamination=share, random_state=42),
    "OneClassSVM": OneClassSVM(nu=share, kernel="rbf", gamma=0.1),
    "IsolationForest": IsolationForest(contamination=share, random_state=42),
    "LocalOutlierFactor": LocalOutlierFactor(n_neighbors=35, contamination=share, novelty=True),
    "AutoencoderDetector": AutoencoderDetector(contamination=share, random_state=42),
}

# %%
# The line is where a detector changes its mind. In the corner stands the area under the ROC curve
# of the rows themselves.

grid_x, grid_y = np.meshgrid(np.linspace(-7, 7, 100), np.linspace(-7, 7, 100))
grid = np.c_[grid_x.ravel(), grid_y.ravel()]
rng = np.random.RandomState(42)

figure, axes = plt.subplots(len(datasets), len(detectors), figsize=(11, 10.5), layout="constrained")
for row, (name, inliers) in enumerate(datasets.items()):
    outliers = rng.uniform(low=-6, high=6, size=(n_outliers, 2))
    X = np.concatenate([inliers, outliers])
    is_outlier = np.repeat([0, 1], [n_inliers, n_outliers])
    for column, (detector_name, detector) in enumerate(detectors.items()):
        ax = axes[row, column]
        detector.fit(X)
        labels = detector.predict(X)
        decision = detector.predict(grid).reshape(grid_x.shape)
        ax.contour(grid_x, grid_y, decision, levels=[0], linewidths=2, colors="black")
        ax.scatter(X[:, 0], X[:, 1], s=8, c=np.where(labels == 1, "C0", "C1"))
        area = roc_auc_score(is_outlier, -detector.decision_function(X))
        ax.text(0.97, 0.03, f"{area:.2f}", transform=ax.transAxes, ha="right")
        ax.set(xlim=(-7, 7), ylim=(-7, 7), xticks=[], yticks=[])
        if row == 0:
            ax.set_title(detector_name, fontsize=11)
        if column == 0:
            ax.set_ylabel(name)

# %%
# With two features there is little to compress: the default autoencoder keeps both, but for the two
# blobs, where one component has nine tenths of the variance. So it is mostly the output that is
# scored, by its distance to the centre together with that to the nearest rows. The first draws one
# hull around both blobs, the second pulls it in where there is a gap. Nobody can tell outliers from
# a uniform square.
