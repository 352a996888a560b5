"""Reconstructions beside their originals."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, check_scalar

from sklearn_ae.display._estimators import check_methods, image_shape_of
from sklearn_ae.display._images import (
    as_rows,
    axes_or_new,
    draw_montage,
    has_colours,
    merged,
    require_matplotlib,
)
from sklearn_ae.utils._typing import MatrixLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D

# Share of the height of its band that the lines of a sample take.
BAND = 0.8
# Lines may leave their band by this share of it.
OVERSHOOT = 0.15
MOST_FEATURE_NAMES = 40
# Up to here each feature has a marker.
MOST_MARKERS = 60
STYLES = {
    "original": {"color": "0.6", "linewidth": 2.6, "marker": "o"},
    "corrupted": {"color": "tab:blue", "linewidth": 0.8, "linestyle": ":", "marker": "x"},
    "reconstructed": {"color": "tab:orange", "linewidth": 1.2, "marker": "."},
}


class ReconstructionDisplay:
    """Originals, corrupted copies where there are some, and reconstructions.

    Images are drawn one row of images below the other. Rows that are no images are drawn as
    lines over the features, original and reconstruction in one band for each sample.

    Parameters
    ----------
    original : array-like of shape (n_samples, n_features)
        The data.

    reconstructed : array-like of shape (n_samples, n_features)
        What was made of them.

    corrupted : array-like of shape (n_samples, n_features), default=None
        What the reconstructions were made from, where that is not ``original``.

    image_shape : tuple, default=None
        (height, width) or (channels, height, width), with 1 or 3 channels. None draws lines.

    feature_names : list of str, default=None
        Names below the lines, where there are at most 40.

    feature_range : array-like of shape (2, n_features), default=None
        Values of each feature at the bottom and the top of a band of lines. None takes the
        smallest and the largest of ``original``.

    Attributes
    ----------
    montage_ : matplotlib AxesImage or None
        The images, as one.

    lines_ : dict of list of matplotlib Line2D, or None
        The lines, one for each sample: "original", "reconstructed", maybe "corrupted".

    ax_ : matplotlib Axes
        Axes that hold the drawing.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    See Also
    --------
    LatentManifoldDisplay : What codes decode to.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae.display import ReconstructionDisplay
    >>> X = load_digits().data
    >>> pca = PCA(n_components=8).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(pca, X, image_shape=(8, 8))
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['original', 'reconstructed']
    """

    montage_: AxesImage | None
    lines_: dict[str, list[Line2D]] | None
    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        original: MatrixLike,
        reconstructed: MatrixLike,
        *,
        corrupted: MatrixLike | None = None,
        image_shape: tuple[int, ...] | None = None,
        feature_names: Sequence[str] | None = None,
        feature_range: ArrayLike | None = None,
    ) -> None:
        self.original = original
        self.reconstructed = reconstructed
        self.corrupted = corrupted
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.feature_range = feature_range

    def plot(
        self,
        ax: Axes | None = None,
        *,
        im_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        im_kwargs : dict, default=None
            Passed to `imshow`. By default grey images run from the smallest to the largest
            value of the originals; ``vmin`` and ``vmax`` change that, for colours too.

        line_kwargs : dict, default=None
            Passed to `plot` for the reconstructions where rows are no images.

        Returns
        -------
        display : ReconstructionDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        kinds = {
            "original": self.original,
            "corrupted": self.corrupted,
            "reconstructed": self.reconstructed,
        }
        kinds = {name: as_rows(X) for name, X in kinds.items() if X is not None}
        shape = kinds["original"].shape
        for name, rows in kinds.items():
            if rows.shape != shape:
                raise ValueError(f"original and {name} differ in shape: {shape} and {rows.shape}.")
        self.montage_ = self.lines_ = None
        if self.image_shape is None:
            ax = self._draw_lines(ax, kinds, line_kwargs)
        else:
            limits = {"vmin": kinds["original"].min(), "vmax": kinds["original"].max()}
            self.montage_ = draw_montage(
                ax,
                np.stack([*kinds.values()]),
                self.image_shape,
                row_labels=list(kinds),
                **{**limits, **(im_kwargs or {})},
            )
            ax = self.montage_.axes
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_lines(self, ax, kinds, line_kwargs):
        from matplotlib.lines import Line2D

        n_samples, n_features = kinds["original"].shape
        low, high = self._range(kinds["original"])
        spread = np.where(high > low, high - low, 1.0)
        names = self.feature_names or []
        has_names = 0 < len(names) <= MOST_FEATURE_NAMES
        below = 0.07 * max(map(len, names)) if has_names else 0.5
        size = (np.clip(0.28 * n_features, 6.4, 11), 0.55 * n_samples + 0.7 + below)
        ax = axes_or_new(ax, size)
        # the first sample on top
        bottoms = np.arange(n_samples)[::-1, None]
        markers = {"markersize": 4} if n_features <= MOST_MARKERS else {"marker": None}
        self.lines_ = {}
        for name, rows in kinds.items():
            height = np.clip((rows - low) / spread, -OVERSHOOT, 1 + OVERSHOOT)
            style = {**STYLES[name], **markers}
            if name == "reconstructed":
                style = merged(style, line_kwargs, Line2D)
            self.lines_[name] = ax.plot((bottoms + BAND * height).T, **style)
            self.lines_[name][0].set_label(name)
        ax.set_yticks(bottoms.ravel() + BAND / 2, range(n_samples))
        ax.set_ylim(-OVERSHOOT, n_samples - 1 + BAND * (1 + OVERSHOOT))
        ax.set(xlabel="feature", ylabel="sample")
        ax.margins(x=0.02)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        if has_names:
            ax.set_xticks(range(n_features), names, rotation=60, ha="right", rotation_mode="anchor")
            ax.set_xlabel("")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
        return ax

    def _range(self, original):
        if self.feature_range is None:
            return original.min(axis=0), original.max(axis=0)
        low, high = np.asarray(self.feature_range)
        return low, high

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        *,
        X_corrupted: MatrixLike | None = None,
        n_samples: int = 8,
        image_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
        im_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Reconstruct the first rows and draw them.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with `reconstruct`, with `transform` and `inverse_transform`
            (such as :class:`~sklearn.decomposition.PCA`), or with a `transform` to data of the
            same width, such as :class:`~sklearn_ae.Denoiser`. Behind the steps of a pipeline,
            what such a one gives is brought back to the units of ``X`` by their
            `inverse_transform`.

        X : array-like of shape (n_samples, n_features)
            Data. Rows of more than two dimensions are images, (height, width) or (channels,
            height, width).

        X_corrupted : array-like of shape (n_samples, n_features), default=None
            What is given to the estimator in the place of ``X``.

        n_samples : int, default=8
            Rows drawn, the first of ``X``.

        image_shape : tuple, default=None
            (height, width) or (channels, height, width), with 1 or 3 channels. None takes that
            of ``X`` or of the estimator's architecture, and draws lines where neither has one
            or it has another number of channels.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        im_kwargs : dict, default=None
            Passed to `imshow`; see `plot`.

        line_kwargs : dict, default=None
            Passed to `plot` for the reconstructions where rows are no images.

        Returns
        -------
        display : ReconstructionDisplay
            What was computed and drawn. Lines run from the smallest to the largest value of
            each feature in all of ``X``.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        X = X.tocsr() if issparse(X) else X
        given = X if X_corrupted is None else X_corrupted
        check_consistent_length(X, given)
        reconstructed = _reconstruct(estimator, given[:n_samples])
        if image_shape is None:
            image_shape = np.shape(X)[1:] if np.ndim(X) > 2 else image_shape_of(estimator)
            if image_shape is not None and not has_colours(image_shape):
                image_shape = None
        rows = as_rows(X)
        display = cls(
            rows[:n_samples],
            reconstructed,
            corrupted=None if X_corrupted is None else as_rows(given[:n_samples]),
            image_shape=image_shape,
            feature_names=[str(name) for name in X.columns] if hasattr(X, "columns") else None,
            feature_range=[rows.min(axis=0), rows.max(axis=0)],
        )
        return display.plot(ax=ax, im_kwargs=im_kwargs, line_kwargs=line_kwargs)


def _reconstruct(estimator, X):
    """Reconstructions of rows, by whatever method the estimator has for it."""
    if hasattr(estimator, "reconstruct"):
        check_methods(estimator, "reconstruct")
        return as_rows(estimator.reconstruct(X))
    check_methods(estimator, "transform")
    codes = estimator.transform(X)
    if hasattr(estimator, "inverse_transform"):
        return as_rows(estimator.inverse_transform(codes))
    cleaned, n_features = as_rows(codes), as_rows(X).shape[1]
    if cleaned.shape[1] != n_features:
        raise TypeError(
            "The estimator passed should have reconstruct, inverse_transform, or a transform to "
            f"the width of X; that of {type(estimator).__name__} gives {cleaned.shape[1]} "
            f"features for {n_features}."
        )
    return as_rows(_in_units_of_input(estimator, codes))


def _in_units_of_input(estimator, cleaned):
    """Take cleaned rows back through the steps before the last one of a pipeline."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return cleaned
    *before, (_, last) = estimator.steps
    cleaned = _in_units_of_input(last, cleaned)
    if before:
        check_methods(estimator[:-1], "inverse_transform")
        cleaned = estimator[:-1].inverse_transform(cleaned)
    return cleaned
