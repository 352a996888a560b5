"""
==========================
PCA or an autoencoder?
==========================

The digits of scikit-learn, 8 x 8 pixels, in a few numbers: by PCA, and by an autoencoder that
starts there. Two questions are asked of each. How much of a held-out image can be
reconstructed? And does a classifier find the digits in the codes?
"""

# %%
# Two-dimensional maps
# --------------------
#
# Both reducers see the same half of the images; the maps below show the other half.

import os

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder
from sklearn_ae.metrics import explained_variance_scorer

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
max_iter = 5 if SMALL else "auto"

pca = PCA(n_components=2).fit(X_train)
autoencoder = Autoencoder(n_components=2, max_iter=max_iter, random_state=0).fit(X_train)

fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for ax, name, reducer in zip(axes, ["PCA", "Autoencoder"], [pca, autoencoder], strict=True):
    codes = reducer.transform(X_test)
    score = explained_variance_scorer(reducer, X_test)
    points = ax.scatter(*codes.T, c=y_test, s=8, cmap="tab10", vmin=-0.5, vmax=9.5)
    ax.set(title=f"{name}: {score:.0%} of the variance", xticks=[], yticks=[])
fig.colorbar(points, ax=axes, ticks=range(10), label="digit")

# %%
# `explained_variance_scorer` needs `transform` and `inverse_transform` only, so it judges both by
# the same rule. Whether the autoencoder has left its start is written in `start_kept_`:

print("the start was kept:", autoencoder.start_kept_)

# %%
# With the number of components
# -----------------------------
#
# The more components there are, the closer PCA comes.

widths = [2, 8] if SMALL else [1, 2, 4, 8, 16, 32]
scores = {"PCA": [], "Autoencoder": []}
for n_components in widths:
    reducers = {
        "PCA": PCA(n_components),
        "Autoencoder": Autoencoder(n_components, max_iter=max_iter, random_state=0),
    }
    for name, reducer in reducers.items():
        scores[name].append(explained_variance_scorer(reducer.fit(X_train), X_test))

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for name, values in scores.items():
    ax.plot(widths, values, "o-", label=name)
ax.set(xlabel="number of components", ylabel="explained variance, held out", xscale="log")
ax.set_xticks(widths, labels=widths, minor=False)
ax.minorticks_off()
ax.legend()

# %%
# What is left of the images
# --------------------------
#
# The first held-out image of each digit, reconstructed from two numbers.

first = [(y_test == digit).argmax() for digit in range(10)]
rows = {"image": X_test[first]}
for name, reducer in {"PCA": pca, "autoencoder": autoencoder}.items():
    rows[name] = reducer.inverse_transform(reducer.transform(X_test[first]))

fig, axes = plt.subplots(3, 10, figsize=(9, 3), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)

# %%
# In a Pipeline, under a grid search
# ----------------------------------
#
# The reducer is a step like any other, and the step itself can be searched over. Here the
# classifier decides.

pipeline = Pipeline(
    [
        ("reduce", PCA()),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(max_iter=1000)),
    ]
)
search = GridSearchCV(
    pipeline,
    {
        "reduce": [PCA(), Autoencoder(max_iter=max_iter, random_state=0)],
        "reduce__n_components": [2, 8],
    },
    cv=2 if SMALL else 3,
)
search.fit(X_train, y_train)

for parameters, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    name = type(parameters["reduce"]).__name__
    print(f"{name:<12} {parameters['reduce__n_components']} components: {score:.3f}")
print(f"held-out accuracy of the best: {search.score(X_test, y_test):.3f}")

plt.show()
