"""
=============================
Sparse codes of image patches
=============================

A linear decoder writes a row as a sum of atoms, its columns, with the code as the weights. If
only a few weights may differ from zero, the atoms change: here, on patches of photographs, they
become edges.
"""

# %%
# Patches
# -------
#
# 10 x 10 pixels of the two photographs that come with scikit-learn, in grey and at half their
# size. Each patch gets mean 0 and standard deviation 1; patches with hardly any contrast are left
# out.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d

from sklearn_ae import Autoencoder
from sklearn_ae.code_activations import KSparse
from sklearn_ae.display import DictionaryDisplay
from sklearn_ae.metrics import explained_variance_scorer
from sklearn_ae.penalties import L1

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

n_patches = 500 if SMALL else 10000
patches = []
for photograph in load_sample_images().images:
    grey = photograph.mean(axis=2)[:426] / 255
    half = grey.reshape(213, 2, 320, 2).mean(axis=(1, 3))
    found = extract_patches_2d(half, (10, 10), max_patches=n_patches, random_state=0)
    patches.append(found.reshape(-1, 100))
X = np.concatenate(patches)
X = X - X.mean(axis=1, keepdims=True)
spread = X.std(axis=1, keepdims=True)
X = (X / spread)[spread.ravel() > 0.05]
print(f"{len(X)} patches")

# %%
# Four dictionaries
# -----------------
#
# All have 64 atoms. `hidden_layer_sizes=()` leaves one linear layer each way.
#
# - PCA: orthogonal directions, all of them used by each patch.
# - A code that is cut off below zero (`"relu"`), without any call to be sparse.
# - `KSparse(5)`: the five largest values of each code are kept.
# - `L1`: the sum of the absolute values of the code is added to the loss. The decoder is kept at
#   columns of unit norm, or it would multiply and the code shrink.

shared = {
    "n_components": 64,
    "hidden_layer_sizes": (),
    "learning_rate_init": 0.01,
    "max_iter": 3 if SMALL else 40,
    "random_state": 0,
}
models = {
    "PCA": PCA(64),
    "relu": Autoencoder(code_activation="relu", **shared),
    "KSparse(5)": Autoencoder(code_activation=KSparse(5), **shared),
    "relu and L1(3)": Autoencoder(code_activation="relu", penalty=L1(3), **shared),
}
for model in models.values():
    model.fit(X)

fig, axes = plt.subplots(2, 2, figsize=(9.5, 8.6), layout="constrained")
for ax, (name, model) in zip(axes.flat, models.items(), strict=True):
    DictionaryDisplay.from_estimator(model, X, image_shape=(10, 10), order="use", ax=ax)
    ax.set_title(name)

# %%
# Atoms are sorted by their use, the product of norm and mean absolute code. PCA begins with slow
# waves and ends with fine ones. The cut-off alone gives atoms that look like noise: hardly
# anything is cut off, and then any basis of the same space does as well. Where codes are sparse, an
# atom must be worth its place by itself, and edges and bars appear, at one place and in one
# direction, as Olshausen and Field found with natural images (:doi:`10.1038/381607a0`).
#
# What sparsity costs
# -------------------
#
# `sparsity_` is Hoyer's measure, 0 where all values of a code are equally large and 1 where a
# single one is not zero. A sparse code explains less of the variance than PCA with as many
# components. It should be compared with one of as many numbers for each patch: `KSparse(5)` with
# PCA of five components. (To say which five of the 64 they are takes some more.)

for name, model in {**models, "PCA(5)": PCA(5).fit(X)}.items():
    codes = model.transform(X)
    used = (np.abs(codes) > 1e-6).sum(axis=1).mean()
    sparsity = getattr(model, "sparsity_", None)
    print(
        f"{name:<15} explained variance {explained_variance_scorer(model, X):.3f}, "
        f"{used:4.1f} in use" + ("" if sparsity is None else f", sparsity {sparsity:.2f}")
    )

# %%
# One patch
# ---------
#
# The codes of the first patch: most bars of the sparse codes are missing.

fig, axes = plt.subplots(len(models), 1, figsize=(8, 5.5), layout="constrained", sharex=True)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    ax.bar(np.arange(64), model.transform(X[:1])[0], width=0.8)
    ax.axhline(0, color="0.6", linewidth=0.6)
    ax.set_title(name, loc="left", fontsize=10)
axes[-1].set_xlabel("component")

plt.show()
