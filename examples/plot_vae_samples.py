"""
==========================================
New digits from a variational autoencoder
==========================================

A variational autoencoder is a model of the data: it draws new images, walks from one image to
another, and its score is a log-likelihood that stands beside that of probabilistic PCA.
"""

# %%
# Score
# -----
#
# `VariationalAutoencoder.score` is a lower bound of the mean log-likelihood, in nats and in the
# units of the data. It is comparable with `PCA.score`, which is exact. At `max_iter=0` the two
# are the same number, because training starts there.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_ae import VariationalAutoencoder

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)

n_components = 8
max_iter = 5 if SMALL else "auto"
pca = PCA(n_components).fit(X_train)
start = VariationalAutoencoder(n_components, max_iter=0, random_state=0).fit(X_train)
vae = VariationalAutoencoder(n_components, max_iter=max_iter, random_state=0).fit(X_train)

for name, model in {"PCA": pca, "start": start, "trained": vae}.items():
    print(f"{name:<8} {model.score(X_test):8.2f} nats per image")

# %%
# The two parts of the bound say where the nats go: how well an image is reconstructed, and how
# far its posterior is from the prior.

parts = vae.elbo(X_test)
print(f"reconstruction {parts.reconstruction.mean():.2f}, KL divergence {parts.kl.mean():.2f}")
print("components in use:", vae.active_units_)

# %%
# Samples
# -------
#
# Codes are drawn from the prior and decoded. The samples of PCA's model, below, are drawn in
# the same way from the start.


def show(images, title, n_columns=12):
    """Draw images in a grid."""
    n_rows = -(-len(images) // n_columns)
    fig, axes = plt.subplots(
        n_rows, n_columns, figsize=(9, 0.8 * n_rows + 0.5), layout="constrained"
    )
    for ax, image in zip(axes.flat, images, strict=False):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
    for ax in axes.flat:
        ax.set_axis_off()
    fig.suptitle(title)


show(X_test[:24], "held-out images")
show(vae.sample(24, random_state=0), "samples of the variational autoencoder")
show(start.sample(24, random_state=0), "samples of probabilistic PCA")

# %%
# From one digit to another
# -------------------------
#
# `interpolate` encodes two images, walks between the codes, and decodes each step.

zero, one, two, three = (X_test[(y_test == digit).argmax()] for digit in range(4))
walks = np.concatenate([vae.interpolate(a, b, n_steps=12) for a, b in [(zero, one), (two, three)]])
show(walks, "from 0 to 1, from 2 to 3")

plt.show()
