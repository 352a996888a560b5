"""
==================================
The plane behind the digits
==================================

A variational autoencoder with two components lays the digits out on a plane. This example shows
where the images lie, what each place of the plane decodes to, and what single components do
where there are more than two.
"""

# %%
# Where the images lie
# --------------------
#
# The map shows the means of the posteriors of held-out images. The labels were not used in
# training.

import os

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_ae import VariationalAutoencoder
from sklearn_ae.display import (
    LatentManifoldDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
)

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
max_iter = 3 if SMALL else 80

plane = VariationalAutoencoder(2, max_iter=max_iter, random_state=0).fit(X_train)
display = LatentSpaceDisplay.from_estimator(plane, X_test, y_test)

# %%
# What the plane decodes to
# -------------------------
#
# The prior of the codes is a standard normal distribution. The grid goes through its quantiles
# from 5 % to 95 %, evenly in probability, so that each image stands for as much of the prior as
# any other. Between two digits the decoder gives something between them.

display = LatentManifoldDisplay.from_estimator(
    plane,
    n_steps=5 if SMALL else 15,
    image_shape=(8, 8),
    im_kwargs={"cmap": "gray_r", "vmin": 0, "vmax": 16},
)

# %%
# One component at a time
# -----------------------
#
# With eight components a grid does not do. From the code of one test image each component moves
# by itself through the quantiles of the test codes; each row of images shows what that component
# does to this image.

vae = VariationalAutoencoder(8, max_iter=max_iter, random_state=0).fit(X_train)
display = LatentTraversalDisplay.from_estimator(
    vae,
    X_test,
    row=int((y_test == 0).argmax()),
    image_shape=(8, 8),
    im_kwargs={"cmap": "gray_r", "vmin": 0, "vmax": 16},
)

# %%
# All components at once
# ----------------------
#
# A map of eight components needs a projection, which is made for the picture only. By t-SNE it
# shows which codes are neighbours; the distances between the groups mean nothing.

display = LatentSpaceDisplay.from_estimator(vae, X_test, y_test, projection="tsne")

plt.show()
