"""How long a comparison will take, roughly, on an idle machine."""

import math

# Seconds: to start a process, of a step of training and of a number that it multiplies.
STARTS = {"pca": 2.0, "tsne": 2.0, "umap": 5.0}
START_OF_OURS = 4.0
STEP, MULTIPLICATION = 1e-3, 6e-11
# Epochs of usual fits and fits where folds decide; their number of rows.
EPOCHS = {"autoencoder": 80, "neighbors": 150, "vae": 100}
N_FOLDED, FEW_ROWS = 6, 1000
# Seconds of a row of the others, and of a pair of rows in scores of neighbours.
UMAP_ROW, TSNE_ROW, PAIR = 1.5e-3, 5e-3, 4e-8
MOST_SCORED = 10_000
ROUND = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 4 * 3600, 8 * 3600, 24 * 3600)


def expected_seconds(reducer, n_train, n_test, n_features, n_repeats, n_widths=1):
    """Seconds that a reducer takes in one thread, one of the caller's as an autoencoder.

    Parameters
    ----------
    reducer : str or estimator
        Key of a default reducer, "raw data" or an estimator.
    n_train, n_test, n_features, n_repeats, n_widths : int
        Rows and features of a split, splits, and widths of codes.
    """
    key = reducer if isinstance(reducer, str) else "autoencoder"
    fits = n_repeats * (n_widths if key in ("pca", *EPOCHS) else 1)
    scores = 2 * PAIR * min(n_test, MOST_SCORED) ** 2 * (1 + n_features / 50)
    start = STARTS.get(key, START_OF_OURS if key in EPOCHS else 2.0)
    return start + fits * (_fit_seconds(key, n_train, n_test, n_features) + scores)


def _fit_seconds(key, n_train, n_test, n_features):
    if key not in EPOCHS:
        rows = {"umap": UMAP_ROW * n_train, "tsne": TSNE_ROW * min(n_test, 5000)}
        return rows.get(key, 0.0) + MULTIPLICATION * n_train * n_features**2
    # about what `batch_size` and `hidden_layer_sizes` are by default
    batch = min(max(2 ** round(math.log2(n_train / 8)), 16), 256)
    widest = (128 if n_features <= 128 else 256) * (2 if n_features >= 64 else 1)
    numbers = 2 * (n_features * widest + widest**2 / 2)
    # forward and twice backward
    step = STEP + 3 * MULTIPLICATION * batch * numbers
    n_steps = EPOCHS[key] * -(-n_train // batch)
    has_folds = n_train < FEW_ROWS and key != "neighbors"
    return step * n_steps * (N_FOLDED if has_folds else 1)


def in_words(seconds):
    """A time as text, as coarse as it is known."""
    if seconds > 2 * ROUND[-1]:
        return "days"
    near = min(ROUND, key=lambda value: abs(value - seconds) / value)
    if near < 60:
        return f"{near} s"
    return f"{near // 60} min" if near < 3600 else f"{near // 3600} h"
