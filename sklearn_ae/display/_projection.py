"""Wide codes in two dimensions, for drawing only."""

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_array, check_random_state

from sklearn_ae.utils._seeds import draw_seed
from sklearn_ae.utils._sklearn import StrOptions, validate_parameter_constraints

Projection: TypeAlias = Literal["pca", "tsne", "umap"]

NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
# Fewer rows than these a method cannot place.
MIN_ROWS = {"pca": 2, "tsne": 2, "umap": 4}
# Of more rows t-SNE would take minutes.
MAX_TSNE_ROWS = 5000
# Neighbours looked at by default, in scikit-learn and in umap-learn.
PERPLEXITY, N_NEIGHBORS = 30, 15


class Places(NamedTuple):
    """Where codes are drawn."""

    points: NDArray[Any]  # (n_points, 2)
    rows: NDArray[Any]  # (n_points,), numbers of the codes drawn
    axes: dict[str, Any]  # labels and ticks, for `Axes.set`


def check_projection(projection, random_state, owner):
    """Raise where there is no such projection."""
    validate_parameter_constraints(
        {"projection": [StrOptions(set(NAMES)), None], "random_state": ["random_state"]},
        {"projection": projection, "random_state": random_state},
        caller_name=owner,
    )


def project(codes, projection, random_state):
    """Places of codes by PCA, t-SNE or UMAP."""
    name, seed = NAMES[projection], draw_seed(random_state)
    codes = check_array(
        codes,
        dtype=np.float64,
        ensure_min_samples=MIN_ROWS[projection],
        estimator=name,
        input_name="codes",
    )
    n_rows, n_components = codes.shape
    rows = np.arange(n_rows)
    if projection == "tsne" and n_rows > MAX_TSNE_ROWS:
        rows = np.sort(check_random_state(seed).permutation(n_rows)[:MAX_TSNE_ROWS])
    points, ends = _placed(codes[rows], projection, seed)
    if len(rows) < n_rows:
        ends[0] += f" ({len(rows)} of {n_rows} rows)"
    xlabel, ylabel = (
        f"{name} of {n_components} components, {axis} axis{end}"
        for axis, end in zip(("first", "second"), ends, strict=True)
    )
    # distances from an origin mean something after PCA only
    ticks = {} if projection == "pca" else {"xticks": [], "yticks": []}
    return Places(points, rows, {"xlabel": xlabel, "ylabel": ylabel, **ticks})


def _placed(codes, projection, seed):
    """Points of codes, and what is said of each axis."""
    width = np.ptp(codes, axis=0).max()
    if width == 0:  # no method can tell them apart, and t-SNE would divide by it
        return np.zeros((len(codes), 2)), ["", ""]
    # single precision, which t-SNE computes in, has to tell codes apart
    codes = (codes - codes.min(axis=0)) / width
    if projection == "tsne":
        return _tsne(codes, seed), ["", ""]
    if projection == "umap":
        return _umap(codes, seed), ["", ""]
    points = PCA(n_components=2, random_state=seed).fit_transform(codes)
    shares = points.var(axis=0) / codes.var(axis=0).sum()
    return width * points, [f" ({100 * share:.0f} % of variance)" for share in shares]


def _tsne(codes, seed):
    perplexity = min(PERPLEXITY, max((len(codes) - 1) / 3, 1))
    return TSNE(perplexity=perplexity, random_state=seed).fit_transform(codes)


def _umap(codes, seed):
    n_neighbors = min(N_NEIGHBORS, len(codes) - 1)
    # with a seed UMAP runs in one thread; said here, it does not warn about it
    model = import_umap()(n_neighbors=n_neighbors, random_state=seed, n_jobs=1)
    return np.asarray(model.fit_transform(codes))


def import_umap():
    """The class of umap-learn; raise with the remedy where it is not installed."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError("UMAP needs: pip install 'sklearn-ae[compare]'") from error
    return UMAP
