"""
====================================
Five ways to make an image larger
====================================

An encoder halves an image several times, a decoder has to double it again. `Convolutional` has
five ways to do so, and this example shows them side by side on the digits of scikit-learn.
"""

# %%
# The operations
# --------------
#
# Max pooling keeps the largest value of each window of 2 x 2 pixels, and forgets where in the
# window it stood. Four ways back are fixed maps, each with a convolution behind it. The fifth, the
# transposed convolution, is trained itself; with a kernel of 3 x 3 ones it shows how often
# its windows overlap. Each panel runs from zero to its own largest value.

import os

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from torch.nn import functional

from sklearn_ae import Autoencoder
from sklearn_ae.architectures import Convolutional

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8) / 16
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)

image = torch.tensor(X_test[3])[None, None]  # (1, 1, height, width)
pooled, positions = functional.max_pool2d(image, 2, return_indices=True)
nails = torch.zeros_like(image)
nails[:, :, ::2, ::2] = pooled
ones = torch.ones(1, 1, 3, 3, dtype=image.dtype)
results = {
    "image": image,
    "max pooling": pooled,
    "transpose\n(kernel of ones)": functional.conv_transpose2d(
        pooled, ones, stride=2, padding=1, output_padding=1
    ),
    "nearest": functional.interpolate(pooled, scale_factor=2, mode="nearest"),
    "bilinear": functional.interpolate(pooled, scale_factor=2, mode="bilinear"),
    "bed_of_nails": nails,
    "max_unpool": functional.max_unpool2d(pooled, positions, 2),
}

fig, axes = plt.subplots(1, len(results), figsize=(10, 1.9), layout="constrained")
for ax, (name, result) in zip(axes, results.items(), strict=True):
    ax.imshow(result[0, 0], cmap="gray_r", vmin=0)
    ax.set_title(name, fontsize=9)
    ax.set(xticks=[], yticks=[])

# %%
# In an autoencoder
# -----------------
#
# Five autoencoders with the same encoder and eight components. The architecture gives the shape of
# an image, so `fit` takes the stack of images as it is, and `reconstruct` gives one back. There are
# few epochs, at a higher rate than the default.


def explained(reconstructed):
    """Explained variance of the test images."""
    return 1 - ((X_test - reconstructed) ** 2).sum() / ((X_test - X_train.mean(axis=0)) ** 2).sum()


kinds = ["transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool"]
models = {}
for upsampling in kinds:
    architecture = Convolutional(
        (8, 8), channels=(16, 32), downsampling="max_pool", upsampling=upsampling
    )
    models[upsampling] = Autoencoder(
        n_components=8,
        architecture=architecture,
        learning_rate_init=0.01,
        max_iter=3 if SMALL else 30,
        random_state=0,
    ).fit(X_train)

flat = PCA(8).fit(X_train.reshape(-1, 64))
rows = {
    "image": X_test,
    "PCA": flat.inverse_transform(flat.transform(X_test.reshape(-1, 64))).reshape(X_test.shape),
    **{name: model.reconstruct(X_test) for name, model in models.items()},
}
with_positions = models["max_unpool"].reconstruct(X_test, positions=True)
rows["max_unpool\nand positions"] = with_positions

for name, reconstructed in list(rows.items())[1:]:
    print(f"{' '.join(name.split()):<25} {explained(reconstructed):.3f}")

first = [(y_test == digit).argmax() for digit in range(10)]
fig, axes = plt.subplots(len(rows), 10, figsize=(8.5, 6.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, one in zip(line, images[first], strict=True):
        ax.imshow(one, cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")

# %%
# Positions are a second code
# ---------------------------
#
# The last row is told where max pooling took its values. That is far more than the eight numbers of
# the code: with 16 channels of 4 x 4 windows and 32 of 2 x 2, there are 384 positions with four
# choices each. `inverse_transform` does not have them, and neither do `score` and `reconstruct`
# unless it is asked. So the decoder trains with them on half of the rows of each batch and
# without them, as with `"bed_of_nails"`, on the other half. The row `max_unpool` above shows what
# the code alone is worth, which is what the other rows can be compared with.

codes = models["max_unpool"].transform(X_test)
print("width of the code:", codes.shape[1])
print(f"from the code alone  {models['max_unpool'].score(X_test):.3f}")
print(f"with the positions   {explained(with_positions):.3f}")

# %%
# Which one to take
# -----------------
#
# From the code alone the five differ little, and PCA is behind all of them. The transposed
# convolution, which is the default, has no work to do on zeros or repeated values. Choose by
# `GridSearchCV` over `architecture__upsampling` where the difference matters, and take
# `"max_unpool"` for its positions.

plt.show()
