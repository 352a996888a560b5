"""Rows as images, and many images as one."""

import math
from numbers import Integral

import numpy as np
from scipy.sparse import issparse

# Inches of the longer side of an image, and of the longer side of the whole.
TILE_INCHES = 0.85
MONTAGE_INCHES = 9.0
# Labels beyond which some are left out.
MOST_COLUMN_LABELS, MOST_ROW_LABELS = 16, 40


def require_matplotlib(caller):
    """Raise with the remedy where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib: pip install 'sklearn-ae[compare]'"
        ) from error


def axes_or_new(ax, figsize=None, layout="constrained"):
    """The axes given, or those of a new figure of pyplot."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout=layout)[1]


def merged(defaults, given, artist):
    """Keywords of a kind of artist, those given first, whichever alias they use."""
    from matplotlib.cbook import normalize_kwargs

    return {**normalize_kwargs(defaults, artist), **normalize_kwargs(given, artist)}


def as_rows(X):
    """Data of any shape as an array of shape (n_samples, n_features)."""
    X = X.toarray() if issparse(X) else np.asarray(X)
    if X.ndim < 2:
        raise ValueError(f"Expected an array of at least 2 dimensions, got shape {X.shape}.")
    return X.reshape(len(X), -1)


def has_colours(image_shape):
    """Whether images of that shape are grey or have three colours."""
    return len(image_shape) == 2 or (len(image_shape) == 3 and image_shape[0] in (1, 3))


def check_image_shape(image_shape, n_features):
    """The shape as a tuple (channels, height, width); raise where rows do not have it."""
    shape = tuple(image_shape)
    whole = all(isinstance(side, Integral) and side > 0 for side in shape)
    if not (whole and has_colours(shape)):
        raise ValueError(
            "image_shape must be (height, width) or (channels, height, width) with 1 or 3 "
            f"channels, got {image_shape!r}."
        )
    if math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={shape} has {math.prod(shape)} values, but X has {n_features} features."
        )
    return shape if len(shape) == 3 else (1, *shape)


def draw_montage(
    ax, tiles, image_shape, *, row_labels=(), column_labels=(), gap=None, signed=False, **kwargs
):
    """Draw a grid of images as one image."""
    n_rows, n_columns, n_features = tiles.shape
    channels, height, width = check_image_shape(image_shape, n_features)
    gap = max(1, min(height, width) // 12) if gap is None else gap
    tops, lefts = (height + gap) * np.arange(n_rows), (width + gap) * np.arange(n_columns)
    canvas = np.full((channels, tops[-1] + height, lefts[-1] + width), np.nan)
    for top, line in zip(tops, tiles, strict=True):
        for left, tile in zip(lefts, line, strict=True):
            image = tile.reshape(channels, height, width)
            canvas[:, top : top + height, left : left + width] = image
    low, high = _limits(tiles, signed)
    kwargs = {"vmin": low, "vmax": high, "cmap": "gray", "interpolation": "nearest", **kwargs}
    if "norm" in kwargs and channels == 1:  # it has limits of its own
        del kwargs["vmin"], kwargs["vmax"]
    if channels == 3:
        canvas = _with_alpha(canvas, kwargs.pop("vmin"), kwargs.pop("vmax"))
    else:
        (canvas,) = canvas
    if ax is None:
        inches = min(TILE_INCHES / max(height, width), MONTAGE_INCHES / max(canvas.shape[:2]))
        longest = max(map(len, row_labels), default=0)
        beside = 0.2 + 0.09 * longest + (1.0 if signed else 0.0)
        below = 0.5 if signed or len(column_labels) else 0.1
        size = (canvas.shape[1] * inches + beside, canvas.shape[0] * inches + below)
        ax = axes_or_new(None, size, "compressed")
    artist = ax.imshow(canvas, **kwargs)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    shown = _thinned(len(column_labels), MOST_COLUMN_LABELS)
    ax.set_xticks(lefts[shown] + (width - 1) / 2, [column_labels[i] for i in shown])
    shown = _thinned(len(row_labels), MOST_ROW_LABELS)
    ax.set_yticks(tops[shown] + (height - 1) / 2, [row_labels[i] for i in shown])
    return artist


def _with_alpha(canvas, low, high):
    """Colours in [0, 1], (height, width, 4), transparent where nothing is drawn."""
    empty = np.isnan(canvas[0])
    colours = np.clip((canvas - low) / (high - low if high > low else 1.0), 0, 1)
    colours[:, empty] = 0.0
    return np.moveaxis(np.concatenate([colours, [~empty]]), 0, -1)


def _limits(tiles, signed):
    """Values at the ends of the colours."""
    low, high = np.nanmin(tiles), np.nanmax(tiles)
    if signed:
        return -max(-low, high), max(-low, high)
    # a few values far out, as at the corners of a manifold, would leave the rest grey
    inner = np.nanquantile(tiles, [0.01, 0.99])
    return inner if inner[0] < inner[1] else (low, high)


def _thinned(n_labels, most):
    """Indices of the labels to show, evenly spaced and centred."""
    step = max(1, math.ceil(n_labels / most))
    return np.arange((n_labels - 1) % step // 2, n_labels, step)
