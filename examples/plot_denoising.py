"""
========================
Noisy digits made clean
========================

A `Denoiser` learns from clean images, which it corrupts itself, or from pairs of corrupted and
clean images. Here it cleans the digits of scikit-learn, beside PCA and a median filter.
"""

# %%
# Learning from clean images
# --------------------------
#
# Pixels are divided by 16, so that they lie in [0, 1]. Corruptions are in the units of the data:
# this noise has a standard deviation of 0.3. `fit` draws it anew at each visit; `corrupt` corrupts
# the test images once.

import os

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from sklearn_ae import Denoiser
from sklearn_ae.corruptions import GaussianNoise
from sklearn_ae.display import LossCurveDisplay, ReconstructionDisplay

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)
max_iter = 5 if SMALL else 100

noise = GaussianNoise(scale=0.3)
X_noisy = noise.corrupt(X_test, random_state=0)
denoiser = Denoiser(corruption=noise, max_iter=max_iter, random_state=0).fit(X_train)

display = ReconstructionDisplay.from_estimator(
    denoiser, X_test, X_corrupted=X_noisy, n_samples=10, image_shape=(8, 8)
)

# %%
# `mode="auto"` has tried both ways to write the output, the clean image or what is to be added to
# the noisy one, and `mode_` says which it took. The best epoch was chosen on rows held out:

print("mode:", denoiser.mode_, "- start kept:", denoiser.start_kept_)
display = LossCurveDisplay.from_estimator(denoiser)

# %%
# Beside other filters
# --------------------
#
# `score` is the share of the clean images' variance that the cleaned ones explain; below zero,
# the mean image would be nearer. PCA's number of components is the best of several for these very
# test images, which favours PCA. The start of the `Denoiser`, with `max_iter=0`, is the best
# linear filter that it finds.


def explained(cleaned):
    """Explained variance of the clean test images."""
    return 1 - ((X_test - cleaned) ** 2).sum() / ((X_test - X_train.mean(axis=0)) ** 2).sum()


def project(n_components):
    """Noisy images on the leading principal directions of the clean ones."""
    pca = PCA(n_components).fit(X_train)
    return pca.inverse_transform(pca.transform(X_noisy))


start = Denoiser(corruption=noise, max_iter=0, random_state=0).fit(X_train)
images = X_noisy.reshape(-1, 8, 8)
cleaned = {
    "median filter": ndimage.median_filter(images, size=(1, 3, 3)).reshape(-1, 64),
    "PCA": max(map(project, [5, 10, 15, 20, 30]), key=explained),
    "linear filter": start.transform(X_noisy),
    "Denoiser": denoiser.transform(X_noisy),
}
print(f"{'as it is':<14} {explained(X_noisy):6.3f}")
for name, result in cleaned.items():
    print(f"{name:<14} {explained(result):6.3f}")

fig, axes = plt.subplots(2, 2, figsize=(9, 4.3), layout="constrained")
for ax, (name, result) in zip(axes.flat, cleaned.items(), strict=True):
    display = ReconstructionDisplay(
        X_test[:6], result[:6], corrupted=X_noisy[:6], image_shape=(8, 8)
    )
    display.plot(ax=ax)
    ax.set_title(f"{name}: {explained(result):.3f}")

# %%
# Strokes of 8 x 8 pixels are one or two pixels wide, so a median of 3 x 3 wipes them out.
#
# The strength of the noise
# -------------------------
#
# A denoiser is made for one strength. Where there is less noise, it still smooths as if there
# were as much, and an image without noise is better left alone.

scales = np.linspace(0, 0.6, 3 if SMALL else 9)
gentle = Denoiser(corruption=GaussianNoise(0.1), max_iter=max_iter, random_state=0).fit(X_train)
fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for name, model in {"trained with 0.1": gentle, "trained with 0.3": denoiser}.items():
    scores = [
        model.score(GaussianNoise(scale).corrupt(X_test, random_state=0), X_clean=X_test)
        for scale in scales
    ]
    ax.plot(scales, scores, "o-", label=name)
scores = [explained(GaussianNoise(scale).corrupt(X_test, random_state=0)) for scale in scales]
ax.plot(scales, scores, "--", color="0.5", label="as it is")
ax.set(xlabel="standard deviation of the noise", ylabel="explained variance", ylim=(0, 1.03))
legend = ax.legend()

# %%
# For a classifier
# ----------------
#
# A classifier of clean images meets noisy ones, and cleaned ones. In a `Pipeline` the `Denoiser`
# is a step like any other.

classifier = LogisticRegression(max_iter=1000).fit(X_train, y_train)
for name, rows in {"clean": X_test, "noisy": X_noisy, "cleaned": cleaned["Denoiser"]}.items():
    print(f"accuracy on {name} images: {classifier.score(rows, y_test):.3f}")

# %%
# Learning from pairs
# -------------------
#
# Some damage cannot be written down as a corruption. Where there are corrupted rows and, for each
# one, the clean row, `fit(X, X_clean=...)` learns from these pairs; `corruption` is not used. Here
# the images have been blurred and then stained by a little noise.


def blur(X, seed):
    """Blurred images with a little noise."""
    blurred = ndimage.uniform_filter(X.reshape(-1, 8, 8), size=(0, 3, 3)).reshape(len(X), -1)
    return GaussianNoise(0.05).corrupt(blurred, random_state=seed)


deblurrer = Denoiser(max_iter=max_iter, random_state=0)
deblurrer.fit(blur(X_train, 0), X_clean=X_train)
X_corrupted = blur(X_test, 1)
print(f"as it is {explained(X_corrupted):.3f}")
print(f"cleaned  {deblurrer.score(X_corrupted, X_clean=X_test):.3f}")
display = ReconstructionDisplay.from_estimator(
    deblurrer, X_test, X_corrupted=X_corrupted, n_samples=10, image_shape=(8, 8)
)

plt.show()
