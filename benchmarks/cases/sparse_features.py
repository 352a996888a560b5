"""A linear classifier on sparse and on denoising features of MNIST, by the number of labels.

`Autoencoder` with 1000 components and no hidden layers (784-1000-784) is fitted to the 60000
training images without labels, with `KSparse` as its code activation or with a corruption; a code
activation has no PCA start, so weights are drawn. Steps are in bfloat16, all else is at its
default. Its codes, raw pixels or PCA's codes, centred and divided by one number, the root of
their mean variance on the training images, go to scikit-learn's `LogisticRegression` with 100,
1000, 10000 (three draws of the labels) or 60000 labels; the error is that on the 10000 test images.

The setting of the features (k, the corruption, the number of principal components) and C are
chosen together, on the labelled training images only: with 60000 labels by the error on the last
10000 of them after fitting on the others (cells with step "choose"), with 10000 on a fifth of
them held out, with fewer by 5-fold cross-validation; then the classifier is fitted to all labels
and reads the test images once. C goes from small to large, each fit begins at the last one and
makes at most 300 iterations.

A cell with step "train" leaves its estimator in the cache folder, and later cells read it from
there, or fit it where it is missing. To repeat a training, delete its file in
``benchmarks/cache/sparse_features`` as well as the lines.
"""

import re
import warnings

import joblib
import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from benchmarks.cases.embedding_2d import spread
from benchmarks.choices import check_finished, earlier_lines
from benchmarks.data import images
from benchmarks.harness import commit, figures_with, lines_with, readme_row, seconds
from sklearn_ae import Autoencoder, __version__
from sklearn_ae.code_activations import KSparse
from sklearn_ae.corruptions import Masking

LIMIT_S = 3600
SHARED = {"n_components": 1000, "hidden_layer_sizes": (), "precision": "bfloat16"}
SIGMOID = {"code_activation": "sigmoid", "loss": "log_loss"}
# family -> setting -> parameters; those of ours beside the shared ones.
FAMILIES = {
    "raw pixels": {"as they are": {}},
    "PCA": {f"n_components={k}": {"n_components": k} for k in (25, 50, 100, 200)},
    "KSparse": {f"k={k}": {"code_activation": KSparse(k)} for k in (25, 50, 100, 200)},
    "denoising": {
        "relu, masking 25 %": {"code_activation": "relu", "corruption": Masking(0.25)},
        "relu, masking 50 %": {"code_activation": "relu", "corruption": Masking(0.5)},
        "sigmoid, log_loss, masking 50 %": {**SIGMOID, "corruption": Masking(0.5)},
    },
}
TRAINED = ("KSparse", "denoising")
STRENGTHS = tuple(10.0**power for power in range(-4, 2))
ITERATIONS = 300
ALL, HELD_OUT = 60000, 10000
FEW = (100, 1000, 10000)
# From that many labels on a fifth of them is held out once, below there are five folds.
ONE_SPLIT = 10000
DRAWS = (0, 1, 2)


def cells():
    """Cells of the case: training, the choice for all labels, then the test images."""
    settings = [
        {"data": "mnist", "seed": 0, "method": family, "setting": setting}
        for family, group in FAMILIES.items()
        for setting in group
    ]
    shared = {"data": "mnist"}
    return [
        *({**cell, "step": "train"} for cell in settings if cell["method"] in TRAINED),
        *({**cell, "step": "choose"} for cell in settings),
        *(
            {**shared, "seed": 0, "method": family, "step": "all labels", "n_labels": ALL}
            for family in FAMILIES
        ),
        *(
            {**shared, "seed": draw, "method": family, "step": "few labels", "n_labels": n}
            for n in FEW
            for draw in DRAWS
            for family in FAMILIES
        ),
    ]


def kept_file(family, setting, options):
    """Where a fitted estimator is kept."""
    name = "_".join([family, setting, options.device, __version__])
    return options.cache / "sparse_features" / (re.sub(r"[^\w.=+-]", "-", name) + ".joblib")


def fitted(family, setting, options):
    """Estimator of a setting with the seconds and the commit of its fit, from the cache or new."""
    path = kept_file(family, setting, options)
    if path.is_file():
        return joblib.load(path)
    estimator = options.ours(Autoencoder, random_state=0, **SHARED, **FAMILIES[family][setting])
    X, _ = images("mnist", rows=options.rows(ALL))
    fit_s, _ = seconds(estimator.fit, X)
    kept = {"estimator": estimator, "fit_s": fit_s, "trained_at": commit()}
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(kept, path)
    return kept


class Features:
    """Features of images, centred and divided by one number.

    Parameters
    ----------
    family, setting : str
        Keys of `FAMILIES`.
    X : ndarray of shape (n, 784)
        All training images.
    options : Options
        Options of the run.
    """

    def __init__(self, family, setting, X, options):
        self.encode = np.copy
        if family == "PCA":
            n_components = min(FAMILIES[family][setting]["n_components"], len(X))
            self.encode = PCA(n_components, random_state=0).fit(X).transform
        elif family in TRAINED:
            self.encode = fitted(family, setting, options)["estimator"].transform
        self.of_training = self.encode(X)
        self.mean = self.of_training.mean(axis=0, dtype=np.float64).astype(np.float32)
        variance = self.of_training.var(axis=0, dtype=np.float64).mean()
        self.scale = np.float32(np.sqrt(variance))
        self.of_training = self.scaled(self.of_training)

    def scaled(self, codes):
        """Codes on the common scale."""
        return (codes - self.mean) / self.scale

    def __call__(self, X):
        return self.scaled(self.encode(X))


def classifiers(Z, y, strengths):
    """A fitted classifier for each C, in that order."""
    model = LogisticRegression(max_iter=ITERATIONS, warm_start=True)
    with warnings.catch_warnings():
        # The limit of iterations is part of the protocol.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for strength in strengths:
            yield model.set_params(C=strength).fit(Z, y)


def errors(Z, y, Z_judge, y_judge):
    """Share of wrong labels on other rows, for each C."""
    return [1 - model.score(Z_judge, y_judge) for model in classifiers(Z, y, STRENGTHS)]


def splits(y, seed):
    """Pairs of rows to fit on and to judge by, among the labelled ones."""
    one_split = len(y) >= ONE_SPLIT
    make = StratifiedShuffleSplit if one_split else StratifiedKFold
    how = {"n_splits": 1, "test_size": 0.2} if one_split else {"n_splits": 5, "shuffle": True}
    with warnings.catch_warnings():
        # Of a hundred labels a class may have fewer than five.
        warnings.filterwarnings("ignore", "The least populated class")
        return list(make(**how, random_state=seed).split(y, y))


def run(cell, options):
    """Train, choose or test."""
    X, y = images("mnist", rows=options.rows(ALL))
    family = cell["method"]
    if cell["step"] == "train":
        return training_figures(fitted(family, cell["setting"], options))
    if cell["step"] == "choose":
        n_fit = len(X) - len(X) * HELD_OUT // ALL
        Z = Features(family, cell["setting"], X, options).of_training
        return {"validation_errors": errors(Z[:n_fit], y[:n_fit], Z[n_fit:], y[n_fit:])}
    if cell["step"] == "all labels":
        rows = np.arange(len(X))
        setting, place, error = chosen_before(family, options)
    else:
        rows = np.random.default_rng(cell["seed"]).permutation(len(X))[: cell["n_labels"]]
        setting, place, error = chosen_now(family, X, y, rows, cell["seed"], options)
    features = Features(family, setting, X, options)
    *_, model = classifiers(features.of_training[rows], y[rows], STRENGTHS[: place + 1])
    X_test, y_test = images("mnist", "test", rows=options.rows(10000))
    return {
        "setting": setting,
        "C": STRENGTHS[place],
        "validation_error": error,
        "test_error": 1 - model.score(features(X_test), y_test),
    }


def training_figures(kept):
    """Figures of a training."""
    estimator = kept["estimator"]
    codes = estimator.transform(images("mnist", rows=10000)[0])
    return {
        "fit_s": kept["fit_s"],
        "trained_at": kept["trained_at"],
        "n_iter": int(estimator.n_iter_),
        "sparsity": float(estimator.sparsity_),
        "best_loss": float(estimator.best_loss_),
        "never_active": float(np.mean(np.all(codes == 0, axis=0))),
    }


def chosen_before(family, options):
    """Setting and place of C of the least error in the cells that choose for all labels."""
    known = FAMILIES[family]
    lines = earlier_lines("sparse_features", options, method=family, step="choose")
    check_finished(lines, len(known), options)
    found = {
        line["settings"]["setting"]: line["figures"]["validation_errors"]
        for line in lines
        if "validation_errors" in line["figures"] and line["settings"]["setting"] in known
    }
    return least(found)


def chosen_now(family, X, y, rows, seed, options):
    """Setting and place of C of the least error among the labelled rows."""
    found = {}
    for setting in FAMILIES[family]:
        Z = Features(family, setting, X, options).of_training[rows]
        found[setting] = np.mean(
            [
                errors(Z[fit], y[rows[fit]], Z[judge], y[rows[judge]])
                for fit, judge in splits(y[rows], seed)
            ],
            axis=0,
        )
    return least(found)


def least(found):
    """Key, place and value of the least number in a dict of lists."""
    setting = min(found, key=lambda name: min(found[name]))
    place = int(np.argmin(found[setting]))
    return setting, place, float(found[setting][place])


def tables(lines):
    """Test errors by the number of labels, what was chosen, and the settings by themselves."""
    tested, validated = {}, {}
    for line in lines:
        settings, figures = line["settings"], line["figures"]
        if "test_error" in figures:
            in_percent = {**figures, "test_error": 100 * figures["test_error"]}
            tested.setdefault((line["method"], settings["n_labels"]), []).append(in_percent)
        else:
            validated.setdefault((line["method"], settings["setting"]), {}).update(figures)
    counts = sorted({n for _, n in tested})
    families = [family for family in FAMILIES if any(name == family for name, _ in tested)]
    found = {
        "MNIST, test error of a linear classifier (%), by the number of labels": [
            {"features": family}
            | {
                f"{n}": spread(tested[family, n], "test_error")
                for n in counts
                if (family, n) in tested
            }
            for family in families
        ],
        "Chosen on the labelled training images": [
            {"features": family}
            | {
                f"{n}": "; ".join(f"{f['setting']}, C={f['C']:g}" for f in tested[family, n])
                for n in counts
                if (family, n) in tested
            }
            for family in families
        ],
        "Settings, 50000 labels, judged on mnist[50000:60000]": [
            {
                "features": family,
                "setting": setting,
                "least error (%)": 100 * min(figures["validation_errors"])
                if "validation_errors" in figures
                else None,
                "epochs": figures.get("n_iter"),
                "sparsity": figures.get("sparsity"),
                "units never active": figures.get("never_active"),
            }
            for (family, setting), figures in validated.items()
        ],
    }
    return {title: rows for title, rows in found.items() if rows}


def figures(lines):
    """Test errors in percent with all labels."""
    tested = {
        family: figures_with(lines, method=family, step="all labels")
        for family in ("denoising", "KSparse", "PCA", "raw pixels")
    }
    assert tested["denoising"]["setting"] == "relu, masking 50 %"
    # README's row is of the family that the labelled training images choose
    assert tested["denoising"]["validation_error"] < tested["KSparse"]["validation_error"]
    # the smallest k is the best, a third of its components are never active
    assert tested["KSparse"]["setting"] == "k=25"
    assert round(3 * figures_with(lines, setting="k=25", step="train")["never_active"]) == 1
    # with fewer labels KSparse is ahead
    for n in FEW:
        of_families = {
            family: np.mean(
                [li["figures"]["test_error"] for li in lines_with(lines, method=family, n_labels=n)]
            )
            for family in FAMILIES
        }
        assert min(of_families, key=of_families.get) == "KSparse"
    errors = [100 * one["test_error"] for one in tested.values()]
    named = ("denoising", "ksparse", "pca", "pixels")
    ours, _, pca, pixels = errors
    return {
        **{name: f"{error:.2f}" for name, error in zip(named, errors, strict=True)},
        "README": [readme_row(".2f", ours, pca, {"raw pixels": pixels}, best=min)],
    }
