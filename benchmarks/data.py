"""Data of the benchmarks, all real, and the splits made of them."""

import numpy as np
from sklearn import datasets as bundled
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_ae import datasets

BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud")
IMAGES = {"mnist": datasets.fetch_mnist, "fashion_mnist": datasets.fetch_fashion_mnist}
# (height, width); the faces have no public address and are read from the data folder only.
IMAGE_SHAPES = {
    "mnist": (28, 28),
    "fashion_mnist": (28, 28),
    "olivetti": (64, 64),
    "freyfaces": (28, 20),
}
# Successive frames of the Frey faces that stay together.
FRAMES = 25
ADBENCH = tuple(f"adbench/{name}" for name in datasets.ADBENCH_NAMES)
# (n_samples, n_features), so that the cells of a case are known without reading the tables.
SHAPES = {
    "iris": (150, 4),
    "wine": (178, 13),
    "breast_cancer": (569, 30),
    "digits": (1797, 64),
    "diabetes": (442, 10),
    "linnerud": (20, 3),
    "adbench/ALOI": (49534, 27),
    "adbench/campaign": (41188, 62),
    "adbench/Cardiotocography": (2114, 21),
    "adbench/donors": (619326, 10),
    "adbench/Hepatitis": (80, 19),
    "adbench/InternetAds": (1966, 1555),
    "adbench/landsat": (6435, 36),
    "adbench/Lymphography": (148, 18),
    "adbench/mammography": (11183, 6),
    "adbench/musk": (3062, 166),
    "adbench/PageBlocks": (5393, 10),
    "adbench/Pima": (768, 8),
    "adbench/satimage-2": (5803, 36),
    "adbench/skin": (245057, 3),
    "adbench/SpamBase": (4207, 57),
    "adbench/Stamps": (340, 9),
    "adbench/vertebral": (240, 6),
    "adbench/Waveform": (3443, 21),
    "adbench/WDBC": (367, 30),
    "adbench/wine": (129, 13),
    "adbench/yeast": (1484, 8),
}
MAX_ROWS = 50000


def table(name):
    """Matrix of a table, with at most 50000 rows, drawn once with seed 0."""
    if name in BUNDLED:
        X = getattr(bundled, f"load_{name}")().data
    else:
        X = datasets.fetch_adbench(name.removeprefix("adbench/")).data
    X = np.asarray(X, dtype=np.float64)
    if len(X) > MAX_ROWS:
        X = X[np.sort(np.random.default_rng(0).permutation(len(X))[:MAX_ROWS])]
    return X


def labelled_table(name):
    """Rows of a table of ADBench, at most 50000, drawn once with seed 0, and 1 for anomalies."""
    X, y = datasets.fetch_adbench(name.removeprefix("adbench/"), return_X_y=True)
    rows = np.arange(len(X))
    if len(X) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(0).permutation(len(X))[:MAX_ROWS])
    return np.asarray(X[rows], dtype=np.float64), y[rows]


def split_table(name, seed, rows=None):
    """Training and test part (one quarter) of a table, scaled by the training part."""
    train, test = train_test_split(table(name)[:rows], test_size=0.25, random_state=seed)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def images(name, subset="train", rows=None):
    """Pixels in [0, 1], float32, of shape (n, 784), and labels."""
    X, y = IMAGES[name](subset=subset, return_X_y=True)
    return X[:rows], y[:rows]


def faces(name, seed):
    """Training and test part (one quarter) of a set of faces, pixels in [0, 1], float32.

    No person of Olivetti is in both parts. The Frey faces are one video, whose neighbouring
    frames are nearly the same, so blocks of 25 successive frames are drawn.
    """
    bunch = datasets.load_local(name)
    X = bunch.data / np.float32(255)
    groups = np.arange(len(X)) // FRAMES if bunch.target is None else bunch.target
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
    train, test = next(splitter.split(X, groups=groups))
    return X[train], X[test]


def split_images(name, seed, rows=None):
    """Training and test images of a set: its own split, or one by people or blocks of frames."""
    if name in IMAGES:
        parts = [images(name, subset, rows)[0] for subset in ("train", "test")]
    else:
        parts = [part[:rows] for part in faces(name, seed)]
    return tuple(parts)


def explained_variance(X, reconstruction, mean):
    """``1 - sum |x - x_hat|^2 / sum |x - mean|^2``, the mean being that of the training rows."""
    X = np.asarray(X, dtype=np.float64)
    total = np.sum((X - mean) ** 2)
    return 1.0 if total == 0 else float(1.0 - np.sum((X - reconstruction) ** 2) / total)


def squared_error(X, reconstruction):
    """Squared error per row, summed over the features, mean over rows."""
    difference = np.asarray(X, dtype=np.float64) - reconstruction
    return float(np.mean(np.sum(difference**2, axis=1)))
