"""Fits one reducer on one split and measures it; runs in the reducer's own process."""

import ctypes
import gc
import json
import math
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from sklearn_ae import metrics
from sklearn_ae.comparison._decoder import page_decoder
from sklearn_ae.comparison._files import first_line
from sklearn_ae.comparison._reducers import MAX_BARNES_HUT_COMPONENTS, is_from, is_ours, seeded
from sklearn_ae.comparison._rows import MAX_POINTS
from sklearn_ae.display._estimators import final_estimator, is_variational
from sklearn_ae.display._latent_manifold import decoded_grid
from sklearn_ae.display._latent_traversal import decoded_paths

MAX_IN_SAMPLE_ROWS = 5000
MAX_EXACT_TSNE_ROWS = 1000
# UMAP's inverse takes about 0.5 ms per value: 125 rows of 64 features, 50 of 784.
MAX_UMAP_INVERSE_ROWS = 500
MIN_UMAP_INVERSE_ROWS = 50
MAX_UMAP_INVERSE_VALUES = 8000
MAX_UMAP_INVERSE_COMPONENTS = 3
MAX_SHOWN_ROWS = 500
# Rows with the greatest errors that are listed.
N_WORST = 10
# What a reducer's method raises where it cannot do what is asked.
FAILURES = (
    ValueError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    AttributeError,
    LookupError,
)
# And what a caller's own may raise besides.
DRAWING_FAILURES = (*FAILURES, AssertionError, ImportError, MemoryError, OSError)
# Images along a side of a grid of codes, along the path of a component, and paths.
GRID_STEPS, PATH_STEPS, MAX_PATHS = 8, 9, 5
QUANTILE_RANGE = (0.05, 0.95)
N_WARM_UP_ROWS = 50
# From this number of rows on UMAP searches neighbours approximately, by code that is compiled
# separately.
UMAP_EXACT_ROWS = 4096


class MemoryMeter:
    """Peak memory of the process, above what it held when the meter was made, in MiB."""

    def __init__(self):
        self.before = _resident_mib()

    def restart(self):
        """Forget peaks so far; whether this system can."""
        gc.collect()
        if not sys.platform.startswith("linux"):
            return
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError as error:
            warnings.warn(f"peak memory cannot be reset here: {error}", stacklevel=2)

    def read(self):
        """MiB at the peak since the last restart."""
        return max(_peak_mib() - self.before, 0.0)


def _linux_status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return math.nan


def _resident_mib():
    return _linux_status("VmRSS") if sys.platform.startswith("linux") else _peak_mib()


def _peak_mib():
    if sys.platform.startswith("linux"):
        return _linux_status("VmHWM")
    if sys.platform == "win32":
        return math.nan
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def warm_up(estimator, rows, others, n_train):
    """Compile what `estimator` compiles, on few rows; the reason where that fails."""
    copies = [seeded(estimator, 0)]
    if is_from(estimator, "umap") and n_train >= UMAP_EXACT_ROWS:
        copies.append(seeded(estimator, 0).set_params(force_approximation_algorithm=True))
    for copy in copies:
        last = copy.steps[-1][1] if isinstance(copy, Pipeline) else copy
        if is_ours(last) and {"max_iter", "early_stopping"} <= last.get_params(deep=False).keys():
            # nothing is compiled: an epoch imports all that is needed
            last.set_params(max_iter=1, early_stopping=False)
        try:
            with warnings.catch_warnings():
                # Few rows raise warnings that say nothing about the data.
                warnings.simplefilter("ignore")
                if not hasattr(copy, "transform"):
                    _fit_perplexity(copy, len(rows))
                    copy.fit_transform(rows)
                else:
                    copy.fit(rows).transform(others)
        except FAILURES as error:
            reason = str(error).strip().split("\n")[0]
            return f"not warmed up on {len(rows)} rows ({reason}): times include compilation"
    return None


def _fit_perplexity(estimator, n_rows):
    """Lower a perplexity that is too large for so few rows; what was done."""
    perplexity = getattr(estimator, "perplexity", None)
    if perplexity is None or perplexity < n_rows:
        return None
    lowered = max((n_rows - 1) / 3, 1.0)
    estimator.set_params(perplexity=lowered)
    return f"perplexity lowered to {lowered:.0f}: there are {n_rows} rows"


def _checked_codes(Z, n_rows):
    Z = np.asarray(Z)
    if Z.ndim != 2 or len(Z) != n_rows:
        raise ValueError(f"transform returned an array of shape {Z.shape} for {n_rows} rows")
    if not np.isfinite(Z).all():
        raise ValueError("transform returned values that are not finite")
    return Z


def measure(
    estimator,
    X_train,
    X_test,
    target,
    seed,
    meter,
    is_first=False,
    is_image=False,
    downstream=None,
):
    """Figures of one reducer on one split; of the first also its map and reconstructions."""
    decode_codes = is_first and is_image
    if estimator is None:
        figures = {"in_sample": False, "notes": []}
        figures |= _target_scores(X_train, X_test, target, seed, downstream)
        return figures, {}
    model = seeded(estimator, seed)
    meter.restart()
    if hasattr(model, "transform"):
        figures, arrays = _measure_held_out(model, X_train, X_test, target, seed, meter, downstream)
        if "reconstruction" in arrays:
            draws = [_decoded] * decode_codes + [_in_page] * (is_first and _is_map(arrays))
            for draw in draws:
                notes, drawn = draw(model, arrays["codes"])
                figures["notes"] += notes
                arrays |= drawn
        return figures, arrays | _course(model)
    return _measure_in_sample(model, X_test, target, seed, meter)


def _is_map(arrays):
    return arrays["codes"].shape[1] == 2


def at_width(estimator, X_train, X_test, seed):
    """Held-out explained variance of a code of some width, and the log-likelihood of a VAE.

    Missing where the fit fails, as with more components than a split has features.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fit of the first width has warned
        try:
            model = seeded(estimator, seed).fit(X_train)
            found = {"explained_variance": metrics.explained_variance_scorer(model, X_test)}
            if is_variational(model):
                found["log_likelihood"] = float(model.score(X_test))
        except FAILURES as error:
            return {"explained_variance": math.nan, "note": first_line(error)}
    return found


def _measure_held_out(model, X_train, X_test, target, seed, meter, downstream):
    start = time.perf_counter()
    # Some reducers return nothing from fit.
    model.fit(X_train)
    fitted = time.perf_counter()
    Z_test = _checked_codes(model.transform(X_test), len(X_test))
    figures = {
        "fit_seconds": fitted - start,
        "transform_seconds": time.perf_counter() - fitted,
        "memory_mib": meter.read(),
        "in_sample": False,
        "notes": _fit_notes(model),
        **_neighbour_scores(X_test, Z_test, seed),
    }
    if is_variational(model) and hasattr(model, "score"):
        figures["log_likelihood"] = float(model.score(X_test))
    variance, reconstruction, notes = _reconstruct(model, X_test, Z_test)
    figures["explained_variance"] = variance
    figures["notes"] += notes
    if target is not None:
        Z_train = _checked_codes(model.transform(X_train), len(X_train))
        scores = _target_scores(Z_train, Z_test, target, seed, downstream)
        figures["notes"] += scores.pop("notes", [])
        figures |= scores
    arrays = {"codes": Z_test[:MAX_POINTS], "rows": np.arange(len(Z_test))[:MAX_POINTS]}
    if reconstruction is not None:
        arrays |= {"reconstruction": reconstruction[:MAX_SHOWN_ROWS]}
        arrays |= _worst(X_test[: len(reconstruction)], reconstruction)
    return figures, arrays


def _measure_in_sample(model, X_test, target, seed, meter):
    exact = getattr(model, "method", None) == "exact"
    limit = MAX_EXACT_TSNE_ROWS if exact else MAX_IN_SAMPLE_ROWS
    rows, notes = np.arange(len(X_test)), []
    if len(rows) > limit:
        rows = np.sort(check_random_state(seed).permutation(len(X_test))[:limit])
        notes.append(f"on {limit} of {len(X_test)} test rows")
    if exact and getattr(model, "n_components", 2) > MAX_BARNES_HUT_COMPONENTS:
        notes.append("exact method: Barnes-Hut stops at 3 components")
    X = X_test[rows]
    notes += filter(None, [_fit_perplexity(model, len(X))])
    start = time.perf_counter()
    Z = _checked_codes(model.fit_transform(X), len(X))
    figures = {
        "fit_seconds": time.perf_counter() - start,
        "memory_mib": meter.read(),
        "in_sample": True,
        "notes": notes,
        **_neighbour_scores(X, Z, seed),
    }
    if target is not None:
        y = target[1][rows]
        is_number = y.dtype.kind == "f"
        figures |= (
            {"knn_r2": metrics.knn_r2(Z, y)}
            if is_number
            else {"knn_accuracy": metrics.knn_accuracy(Z, y), **_cluster_scores(Z, y, seed)}
        )
    return figures, {"codes": Z[:MAX_POINTS], "rows": rows[:MAX_POINTS]}


def _decoded(model, codes):
    """Notes, and what codes between those of the test rows decode to."""
    if is_from(model, "umap"):  # its inverse knows nothing outside the hull of its codes
        return [], {}
    codes = codes.astype(np.float64)
    n_components = codes.shape[1]
    try:
        spanned = None if is_variational(model) else codes
        if n_components == 2:
            images, *_ = decoded_grid(model, spanned, (0, 1), GRID_STEPS, QUANTILE_RANGE)
            return [], {"decoded": images[::-1].astype(np.float64)}
        paths = np.sort(np.argsort(-codes.var(axis=0), kind="stable")[:MAX_PATHS])
        images, *_ = decoded_paths(model, spanned, None, paths, PATH_STEPS, QUANTILE_RANGE)
        return [], {"decoded": images.astype(np.float64)}
    except DRAWING_FAILURES as error:  # a figure more or less: the measures stay
        return [f"codes between those of rows are not shown: {first_line(error)}"], {}


def _worst(X, reconstruction):
    """The rows with the greatest squared errors, what was made of them, and the mean error."""
    errors = np.zeros(len(X))
    for start in range(0, len(X), MAX_SHOWN_ROWS):
        part = slice(start, start + MAX_SHOWN_ROWS)
        errors[part] = np.square(np.subtract(X[part], reconstruction[part], dtype=float)).sum(1)
    worst = np.argsort(-errors, kind="stable")[:N_WORST]
    return {
        "worst": worst,
        "worst_errors": errors[worst],
        "worst_rows": np.asarray(X[worst], dtype=np.float64),
        "worst_reconstructions": np.asarray(reconstruction[worst], dtype=np.float64),
        "mean_error": errors.mean(),
    }


def _in_page(model, codes):
    """Notes, and the decoder that runs in the page of the report, as JSON."""
    try:
        decoder = page_decoder(model, codes)
    except DRAWING_FAILURES as error:  # a figure more or less: the measures stay
        return [f"points of the map cannot be decoded in the report: {first_line(error)}"], {}
    return [], {} if decoder is None else {"decoder": np.array(json.dumps(decoder))}


def _course(model):
    """Objective of each epoch of a fit of this package."""
    fitted = final_estimator(model)
    if not (is_from(fitted, "sklearn_ae") and len(getattr(fitted, "loss_curve_", ()))):
        return {}
    found = {"loss_curve": fitted.loss_curve_, "validation_scores": fitted.validation_scores_}
    if fitted.start_kept_:
        found["start_loss"] = fitted.best_loss_
    return {name: np.asarray(value, dtype=np.float64) for name, value in found.items()}


def _fit_notes(model):
    model = final_estimator(model)
    if not getattr(model, "start_kept_", False):
        return []
    if getattr(model, "max_iter", None) == 0:
        return ["max_iter=0, not trained: PCA start kept"]
    if getattr(model, "n_iter_", None) == 0:
        return ["too few rows to train: PCA start kept"]
    return ["training brought no gain on validation rows: PCA start kept"]


def _neighbour_scores(X, Z, seed):
    # The neighbourhood has to be smaller than half of the rows.
    options = {"n_neighbors": min(5, (len(X) - 1) // 2), "random_state": seed}
    return {
        "trustworthiness": metrics.trustworthiness(X, Z, **options),
        "continuity": metrics.continuity(X, Z, **options),
    }


def _target_scores(Z_train, Z_test, target, seed, downstream):
    """How well the target of held-out rows can be told from codes."""
    if target is None:
        return {}
    y_train, y_test = target
    if y_train.dtype.kind == "f":
        scores = {"knn_r2": metrics.knn_r2(Z_train, y_train, Z_test, y_test)}
    else:
        scores = {"knn_accuracy": metrics.knn_accuracy(Z_train, y_train, Z_test, y_test)}
        scores |= _cluster_scores(Z_test, y_test, seed)
    if downstream is not None:
        try:
            fitted = seeded(downstream, seed).fit(Z_train, y_train)
            scores["downstream"] = float(fitted.score(Z_test, y_test))
        except DRAWING_FAILURES as error:
            reason = first_line(error).replace("; ", ", ")
            scores["notes"] = [f"the downstream estimator failed: {reason}"]
    return scores


def _cluster_scores(Z, y, seed):
    scores = metrics.kmeans_scores(Z, y, random_state=seed)
    return {"kmeans_ari": scores.ari, "kmeans_ami": scores.ami}


def _reconstruct(model, X, Z):
    """Explained variance, reconstruction of the rows looked at, and notes."""
    if not hasattr(model, "inverse_transform"):
        return math.nan, None, []
    notes = []
    if is_from(model, "umap"):
        if Z.shape[1] > MAX_UMAP_INVERSE_COMPONENTS:
            return (
                math.nan,
                None,
                ["UMAP's inverse_transform is not practical in so many components"],
            )
        limit = min(MAX_UMAP_INVERSE_ROWS, MAX_UMAP_INVERSE_VALUES // X.shape[1])
        limit = max(limit, MIN_UMAP_INVERSE_ROWS)
        if len(X) > limit:
            X, Z = X[:limit], Z[:limit]
            notes.append(f"explained variance on {len(X)} test rows: UMAP's inverse is slow")
    try:
        reconstruction = np.asarray(model.inverse_transform(Z))
        if reconstruction.dtype.kind != "f":
            reconstruction = reconstruction.astype(np.float64)
        variance = metrics.explained_variance(X, reconstruction)
    except FAILURES as error:
        reason = str(error).strip().split("\n")[0]
        return math.nan, None, [f"inverse_transform failed: {reason}"]
    return variance, reconstruction, notes
