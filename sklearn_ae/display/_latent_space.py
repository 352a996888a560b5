"""Map of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from sklearn_ae.display._estimators import check_components, check_methods
from sklearn_ae.display._images import axes_or_new, merged, require_matplotlib
from sklearn_ae.display._projection import Places, Projection, check_projection, project
from sklearn_ae.utils._typing import MatrixLike, RandomState

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection, PolyCollection
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

# Classes beyond which a legend no longer tells colours apart.
MAX_CLASSES = 20
# Entries of a legend in one column.
LEGEND_ROWS = 12
# Width and height of a new figure, and what a legend adds to it for each column and letter.
FIGURE_INCHES = (6.4, 4.8)
COLUMN_INCHES, LETTER_INCHES = 0.3, 0.09


def in_order(labels):
    """Classes among labels, numbers in the order of their values."""
    classes = list(dict.fromkeys(np.asarray(labels).tolist()))
    try:
        return sorted(classes, key=float)
    except ValueError:
        return sorted(classes)


def label_palette(labels):
    """Map each class among labels to a colour."""
    from matplotlib import colormaps

    classes = in_order(labels)
    if len(classes) > MAX_CLASSES:
        shares = np.linspace(0, 1, len(classes))
        return dict(zip(classes, colormaps["turbo"](shares), strict=True))
    colours = colormaps["tab10" if len(classes) <= 10 else "tab20"]
    return {label: colours(i) for i, label in enumerate(classes)}


def legend_handles(palette):
    """A dot and a name for each class."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], marker="o", linestyle="", color=colour, label=str(label), markersize=6)
        for label, colour in palette.items()
    ]


class LatentSpaceDisplay:
    """Codes as points, coloured by label.

    Of codes wider than two, two components are drawn, or all of them by a ``projection``.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_components)
        Codes.

    labels : array-like of shape (n_samples,), default=None
        Their labels. Text, booleans and at most 20 different integers are classes; floats, and
        more integers, are numbers with a colour bar.

    Attributes
    ----------
    points_ : ndarray of shape (n_points, 2)
        Where the codes were drawn: components, or the result of a projection.

    rows_ : ndarray of shape (n_points,)
        Numbers of the codes that were drawn; all of them, but for t-SNE of more than 5000.

    scatter_ : matplotlib PathCollection or None
        The points.

    hexbin_ : matplotlib PolyCollection or None
        The density, in the place of points.

    legend_ : matplotlib Legend or None
        Names of classes.

    colorbar_ : matplotlib Colorbar or None
        Scale of numbers or of the density.

    ax_ : matplotlib Axes
        Axes that hold the drawing.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    See Also
    --------
    LatentManifoldDisplay : What is decoded at each place.
    sklearn_ae.metrics.trustworthiness : Whether neighbours in a map are neighbours in the data.

    Notes
    -----
    A projection is made of the codes that are drawn, and for drawing only: it places no new rows
    and has no way back. ``"pca"`` is a rotation of the codes and keeps their unit.
    ``"tsne"`` [1]_ and ``"umap"`` [2]_ keep neighbours together, with the default parameters of
    scikit-learn and umap-learn, fewer neighbours where there are few rows: distances between
    groups, their sizes and the directions of the axes mean nothing, so their axes have no scale.

    References
    ----------
    .. [1] L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", Journal of Machine
       Learning Research 9, 2008.
    .. [2] L. McInnes, J. Healy and J. Melville, "UMAP: Uniform manifold approximation and
       projection for dimension reduction", 2018, :arxiv:`1802.03426`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae.display import LatentSpaceDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = LatentSpaceDisplay.from_estimator(PCA(n_components=2).fit(X), X, y)
    >>> display.scatter_.get_offsets().shape
    (1797, 2)

    All components of a wider code at once:

    >>> display = LatentSpaceDisplay.from_estimator(
    ...     PCA(n_components=8).fit(X), X, y, projection="pca"
    ... )
    >>> display.ax_.get_xlabel()
    'PCA of 8 components, first axis (22 % of variance)'
    """

    points_: NDArray[Any]
    rows_: NDArray[Any]
    scatter_: PathCollection | None
    hexbin_: PolyCollection | None
    legend_: Legend | None
    colorbar_: Colorbar | None
    ax_: Axes
    figure_: Figure

    def __init__(self, codes: ArrayLike, labels: ArrayLike | None = None) -> None:
        self.codes = codes
        self.labels = labels

    def plot(
        self,
        ax: Axes | None = None,
        *,
        components: int | Sequence[int] = (0, 1),
        projection: Projection | None = None,
        random_state: RandomState = 0,
        max_points: int | None = 5000,
        palette: Mapping[Any, Any] | None = None,
        legend: bool = True,
        scatter_kwargs: dict[str, Any] | None = None,
        hexbin_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        components : tuple of int or int, default=(0, 1)
            The components drawn. A single one, and codes of one component, are spread at random
            along the other axis. With a projection, which maps all components, there is none to
            choose.

        projection : {"pca", "tsne", "umap"} or None, default=None
            How codes of more than two components are mapped to two dimensions, for drawing only.
            None draws two components. Codes of one or two components need no mapping and are
            drawn as they are. Of more than 5000 codes t-SNE draws 5000 at random, since it would
            take minutes. UMAP needs umap-learn, which the extra ``compare`` installs.

        random_state : int, RandomState instance or None, default=0
            Controls which codes t-SNE draws where there are too many, and where UMAP puts them.
            Pass an int for the same picture across calls.

        max_points : int or None, default=5000
            Points beyond which a density is drawn where there are no labels; None always draws
            points.

        palette : dict, default=None
            Colour of each class; None makes one. With a palette, numbers are classes too.

        legend : bool, default=True
            Whether a legend or a colour bar is drawn. Classes beyond 20 have none.

        scatter_kwargs : dict, default=None
            Passed to `scatter`.

        hexbin_kwargs : dict, default=None
            Passed to `hexbin`.

        Returns
        -------
        display : LatentSpaceDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        check_projection(projection, random_state, type(self).__name__)
        codes = check_array(self.codes, input_name="codes")
        labels = _checked_labels(self.labels)
        check_consistent_length(codes, labels)
        places = _places(codes, components, projection, random_state)
        palette = _palette(labels, palette)
        labels = None if labels is None else labels[places.rows]
        ax = axes_or_new(ax, _figure_size(palette if legend else None))
        x, y = places.points.T
        self.scatter_ = self.hexbin_ = self.legend_ = self.colorbar_ = None
        if labels is None and max_points is not None and len(x) > max_points:
            self._draw_density(ax, x, y, legend, hexbin_kwargs or {})
        else:
            self._draw_points(ax, x, y, labels, palette, legend, scatter_kwargs)
        ax.set(**places.axes)
        self.points_, self.rows_ = places.points, places.rows
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_density(self, ax, x, y, legend, hexbin_kwargs):
        kwargs = {"gridsize": 60, "mincnt": 1, "bins": "log", "cmap": "viridis", **hexbin_kwargs}
        self.hexbin_ = ax.hexbin(x, y, **kwargs)
        if legend:
            self.colorbar_ = ax.figure.colorbar(self.hexbin_, ax=ax, label="points")

    def _draw_points(self, ax, x, y, labels, palette, legend, scatter_kwargs):
        from matplotlib import colormaps
        from matplotlib.collections import PathCollection

        kwargs = {"s": np.clip(15000 / len(x), 4, 25), "alpha": 0.75, "linewidths": 0}
        if palette is not None:
            kwargs["c"] = [_colour(palette, label) for label in labels.tolist()]
        elif labels is not None:
            # points without a label stay, in grey
            colours = colormaps["viridis"].with_extremes(bad="0.75")
            kwargs |= {"c": labels, "cmap": colours, "plotnonfinite": True}
        self.scatter_ = ax.scatter(x, y, **merged(kwargs, scatter_kwargs, PathCollection))
        if not legend:
            return
        if palette is not None and len(palette) <= MAX_CLASSES:
            self.legend_ = ax.legend(
                handles=legend_handles(palette),
                loc="center left",
                bbox_to_anchor=(1.0, 0.5),
                ncols=_legend_columns(palette),
                frameon=False,
                handletextpad=0.2,
            )
        elif labels is not None and palette is None:
            self.colorbar_ = ax.figure.colorbar(self.scatter_, ax=ax, label="label")

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        y: ArrayLike | None = None,
        *,
        components: int | Sequence[int] = (0, 1),
        projection: Projection | None = None,
        random_state: RandomState = 0,
        max_points: int | None = 5000,
        palette: Mapping[Any, Any] | None = None,
        legend: bool = True,
        ax: Axes | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
        hexbin_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Encode and draw.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with `transform`.

        X : array-like of shape (n_samples, n_features)
            Data.

        y : array-like of shape (n_samples,), default=None
            Labels that colour the points.

        components : tuple of int or int, default=(0, 1)
            The components drawn; see `plot`.

        projection : {"pca", "tsne", "umap"} or None, default=None
            How codes of more than two components are mapped to two dimensions; see `plot`.

        random_state : int, RandomState instance or None, default=0
            Controls which codes t-SNE draws where there are too many, and where UMAP puts them.
            Pass an int for the same picture across calls.

        max_points : int or None, default=5000
            Points beyond which a density is drawn where there are no labels; None always draws
            points.

        palette : dict, default=None
            Colour of each class; None makes one.

        legend : bool, default=True
            Whether a legend or a colour bar is drawn.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        scatter_kwargs : dict, default=None
            Passed to `scatter`.

        hexbin_kwargs : dict, default=None
            Passed to `hexbin`.

        Returns
        -------
        display : LatentSpaceDisplay
            What was computed and drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_projection(projection, random_state, cls.__name__)
        check_methods(estimator, "transform")
        return cls(np.asarray(estimator.transform(X)), y).plot(
            ax=ax,
            components=components,
            projection=projection,
            random_state=random_state,
            max_points=max_points,
            palette=palette,
            legend=legend,
            scatter_kwargs=scatter_kwargs,
            hexbin_kwargs=hexbin_kwargs,
        )


def _places(codes, components, projection, random_state):
    """Where codes are drawn: some of their components, or a projection of all."""
    if projection is None or codes.shape[1] <= 2:
        return _chosen(codes, components)
    if not np.array_equal(components, (0, 1)):
        raise ValueError(
            f"components={components!r} cannot be chosen with projection={projection!r}: it maps "
            f"all {codes.shape[1]} components."
        )
    return project(codes, projection, random_state)


def _chosen(codes, components):
    """Places of codes by one or two of their components."""
    if codes.shape[1] == 1 and np.array_equal(components, (0, 1)):
        components = (0,)
    components = check_components(components, codes.shape[1])
    if len(components) > 2:
        raise ValueError(f"components={components!r} should name at most two components.")
    rows, x = np.arange(len(codes)), codes[:, components[0]]
    axes = {"xlabel": f"component {components[0]}"}
    if len(components) == 2:
        axes |= {"ylabel": f"component {components[1]}"}
        return Places(np.column_stack([x, codes[:, components[1]]]), rows, axes)
    # the points of a line would hide one another
    spread = np.random.default_rng(0).uniform(size=len(x))
    return Places(np.column_stack([x, spread]), rows, {**axes, "ylabel": "", "yticks": []})


def _checked_labels(labels):
    """Labels as an array, dates and objects as text; None where there are none."""
    if labels is None:
        return None
    labels = column_or_1d(labels)
    if labels.dtype.kind == "M":
        return np.datetime_as_string(labels, unit="auto")
    return labels.astype(str) if labels.dtype.kind == "O" else labels


def _palette(labels, palette):
    """Colours of classes; None where labels are numbers or missing."""
    if labels is None or palette is not None:
        return None if labels is None else palette
    kind = labels.dtype.kind
    is_class = kind not in "fiu" or (kind != "f" and len(np.unique(labels)) <= MAX_CLASSES)
    return label_palette(labels) if is_class else None


def _legend_columns(palette):
    return 1 + (len(palette) - 1) // LEGEND_ROWS


def _figure_size(palette):
    """Inches of a figure with a legend of some classes beside it."""
    width, height = FIGURE_INCHES
    if palette is not None and len(palette) <= MAX_CLASSES:
        longest = max(len(str(label)) for label in palette)
        width += _legend_columns(palette) * (COLUMN_INCHES + LETTER_INCHES * longest)
    return width, height


def _colour(palette, label):
    if label not in palette:
        raise ValueError(f"palette has no colour for the label {label!r}.")
    return palette[label]
