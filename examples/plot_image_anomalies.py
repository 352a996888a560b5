"""
================================
Images that do not belong
================================

One digit is normal, and images of others are to be found. A convolutional autoencoder is the
estimator of the detector; the error of each pixel shows what it could not explain.
"""

# %%
# Fit on sevens
# -------------
#
# `standardize` stays off for an estimator that is given: pixels share a unit.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from sklearn_ae import Autoencoder, AutoencoderDetector
from sklearn_ae.architectures import Convolutional
from sklearn_ae.display import AnomalyScoreDisplay

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
sevens, others = images[labels == 7], images[labels != 7]
train, test = sevens[:120], sevens[120:]

estimator = Autoencoder(
    8, architecture=Convolutional((8, 8), channels=(16, 32)), max_iter=3 if SMALL else 150
)
detector = AutoencoderDetector(estimator, random_state=0).fit(train)

# %%
# The scores of one fit
# ---------------------

X_test = np.concatenate([test, others])
is_other = np.repeat([0, 1], [len(test), len(others)])
for name in ("auto", "reconstruction", "mahalanobis", "neighbors", "latent"):
    scores = detector.score_samples(X_test, anomaly_score=name)
    print(f"{name:15} area under the ROC curve {roc_auc_score(is_other, -scores):.3f}")

# %%
figure, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
groups = np.where(is_other, "other digits", "sevens, held out")
_ = AnomalyScoreDisplay.from_estimator(detector, X_test, groups, ax=ax)

# %%
# Where the error is
# ------------------
#
# `score_features` with "reconstruction" is the squared error of each pixel. The least normal of the
# other digits, then those that come nearest to a seven; last the least normal seven.

scores = detector.score_samples(others)
order = np.argsort(scores)
odd_seven = test[[np.argmin(detector.score_samples(test))]]
shown = np.concatenate([others[order[:4]], others[order[-4:]], odd_seven])
maps = detector.score_features(shown, "reconstruction").reshape(-1, 8, 8)
rebuilt = detector.estimator_.reconstruct(shown).reshape(shown.shape)

figure, axes = plt.subplots(3, len(shown), figsize=(10, 3.6), layout="constrained")
for column, pictures in enumerate(zip(shown, rebuilt, maps, strict=True)):
    for row, picture in enumerate(pictures):
        ax = axes[row, column]
        colours = {"cmap": "magma", "vmax": maps.max()} if row == 2 else {"cmap": "gray_r"}
        ax.imshow(picture, vmin=0, **colours)
        ax.set(xticks=[], yticks=[])
for ax, name in zip(axes[:, 0], ("image", "reconstruction", "squared error"), strict=True):
    ax.set_ylabel(name)
for start, title in ((0, "least normal"), (4, "nearest to a seven"), (8, "a seven")):
    axes[0, start].set_title(title, loc="left")
