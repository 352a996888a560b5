"""
======================================
A map whose every point can be decoded
======================================

In two dimensions an autoencoder keeps as much of the images as it can, and puts digits that look
unlike side by side where that costs little. UMAP keeps neighbours and tells the digits apart, but
its way back is slow and rough. With ``penalty="neighbors"`` one network does both: neighbours stay
neighbours, new images have a place, and every place is an image.
"""

# %%
# With and without neighbours
# ---------------------------
#
# Both maps show images that were not in training; the labels colour them and were not used. Above
# each stand what the two numbers of a code hold of the images (explained variance) and how often
# the five nearest training codes name the digit.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_ae import Autoencoder
from sklearn_ae.display import LatentManifoldDisplay, LatentSpaceDisplay
from sklearn_ae.metrics import continuity, knn_accuracy, trustworthiness

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
max_iter = 3 if SMALL else "auto"

fits = {
    "plain": Autoencoder(2, max_iter=max_iter, random_state=0).fit(X_train),
    "neighbours": Autoencoder(2, penalty="neighbors", max_iter=max_iter, random_state=0).fit(
        X_train
    ),
}
figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, (name, fitted) in zip(axes, fits.items(), strict=True):
    LatentSpaceDisplay.from_estimator(fitted, X_test, y_test, ax=ax)
    accuracy = knn_accuracy(fitted.transform(X_train), y_train, fitted.transform(X_test), y_test)
    ax.set_title(
        f"{name}: explained variance {fitted.score(X_test):.2f}, 5-NN accuracy {accuracy:.2f}"
    )

# %%
# Two kinds of error
# ------------------
#
# Trustworthiness falls where codes are neighbours and the images are not; continuity where images
# are neighbours and their codes are not: where a map is torn.

for name, fitted in fits.items():
    Z_test = fitted.transform(X_test)
    print(
        f"{name:11} trustworthiness {trustworthiness(X_test, Z_test):.3f}, "
        f"continuity {continuity(X_test, Z_test):.3f}"
    )

# %%
# What the places of the map are
# ------------------------------
#
# A grid over the map, decoded. Inside a group the digit changes its hand; between groups the
# decoder gives something between two digits.

display = LatentManifoldDisplay.from_estimator(
    fits["neighbours"],
    X_test,
    n_steps=5 if SMALL else 16,
    image_shape=(8, 8),
    im_kwargs={"cmap": "gray_r", "vmin": 0, "vmax": 16},
)

# %%
# From one image to another
# -------------------------
#
# A straight line on the map from a zero to a six, decoded.

zero, six = (X_test[(y_test == digit).argmax()] for digit in (0, 6))
ends = fits["neighbours"].transform([zero, six])
share = np.linspace(0, 1, 10)[:, None]
between = fits["neighbours"].inverse_transform((1 - share) * ends[0] + share * ends[1])
figure, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for ax, image in zip(axes, between, strict=True):
    ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
    ax.axis("off")

plt.show()
