"""Draw docs/_static/readme_digits.png, the picture of the README.

Held-out digits in two dimensions by PCA and by an autoencoder with its defaults, and their
reconstructions from these two numbers.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_ae import Autoencoder

PATH = Path(__file__).parent / "_static" / "readme_digits.png"


def main():
    """Fit both reducers on one half of the digits and draw the other half."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, _, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
    reducers = {
        "PCA": PCA(n_components=2).fit(X_train),
        "Autoencoder": Autoencoder(n_components=2, random_state=0).fit(X_train),
    }
    first = [(y_test == digit).argmax() for digit in range(10)]

    figure = plt.figure(figsize=(10, 6), layout="constrained")
    maps, images = figure.subfigures(2, 1, height_ratios=[1.8, 1])
    axes = maps.subplots(1, 2)
    for ax, (name, reducer) in zip(axes, reducers.items(), strict=True):
        points = ax.scatter(
            *reducer.transform(X_test).T, c=y_test, s=9, cmap="tab10", vmin=-0.5, vmax=9.5
        )
        ax.set(title=f"{name}, 2 components", xticks=[], yticks=[])
    maps.colorbar(points, ax=axes, ticks=range(10), label="digit", fraction=0.03, pad=0.01)

    rows = {"image": X_test[first]}
    for name, reducer in reducers.items():
        rows[name] = reducer.inverse_transform(reducer.transform(X_test[first]))
    grid = images.subplots(3, 10)
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        for ax, picture in zip(line, pictures, strict=True):
            ax.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[], frame_on=False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(PATH, dpi=110)


if __name__ == "__main__":
    main()
