"""Grid of decoded codes."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar

from sklearn_ae.display._estimators import (
    check_components,
    check_methods,
    check_quantile_range,
    count_components,
    decode,
    encode,
    is_variational,
    needed_image_shape,
    prior_quantiles,
)
from sklearn_ae.display._images import draw_montage, require_matplotlib
from sklearn_ae.utils._typing import MatrixLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


class LatentManifoldDisplay:
    """What codes on a grid of two components decode to.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, n_features)
        Decoded codes; ``images[i, j]`` belongs to ``x_values[j]`` and ``y_values[i]``.

    x_values : ndarray of shape (n_columns,)
        Values of the first component.

    y_values : ndarray of shape (n_rows,)
        Values of the second component, drawn upwards.

    image_shape : tuple
        (height, width) or (channels, height, width), with 1 or 3 channels.

    components : tuple of int, default=(0, 1)
        Numbers of the two components.

    Attributes
    ----------
    montage_ : matplotlib AxesImage
        The images, as one.

    ax_ : matplotlib Axes
        Axes that hold the drawing.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    See Also
    --------
    LatentSpaceDisplay : Where the data lie on that plane.
    LatentTraversalDisplay : One component at a time.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae.display import LatentManifoldDisplay
    >>> X = load_digits().data
    >>> pca = PCA(n_components=2).fit(X)
    >>> display = LatentManifoldDisplay.from_estimator(pca, X, n_steps=5, image_shape=(8, 8))
    >>> display.images.shape
    (5, 5, 64)
    """

    montage_: AxesImage
    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        images: ArrayLike,
        x_values: ArrayLike,
        y_values: ArrayLike,
        image_shape: tuple[int, ...],
        *,
        components: Sequence[int] = (0, 1),
    ) -> None:
        self.images = images
        self.x_values = x_values
        self.y_values = y_values
        self.image_shape = image_shape
        self.components = components

    def plot(self, ax: Axes | None = None, *, im_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        im_kwargs : dict, default=None
            Passed to `imshow`.

        Returns
        -------
        display : LatentManifoldDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        images = np.asarray(self.images)
        if images.shape[:2] != (len(self.y_values), len(self.x_values)):
            raise ValueError(
                f"images has shape {images.shape}, but there are {len(self.y_values)} y_values "
                f"and {len(self.x_values)} x_values."
            )
        self.montage_ = draw_montage(
            ax,
            images[::-1],
            self.image_shape,
            row_labels=_in_short(self.y_values)[::-1],
            column_labels=_in_short(self.x_values),
            **(im_kwargs or {}),
        )
        first, second = self.components
        ax = self.montage_.axes
        ax.set(xlabel=f"component {first}", ylabel=f"component {second}")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike | None = None,
        *,
        components: Sequence[int] = (0, 1),
        n_steps: int = 15,
        quantile_range: tuple[float, float] = (0.05, 0.95),
        image_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
        im_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Decode a grid of codes and draw it.

        The grid of a variational autoencoder goes through equally spaced quantiles of the
        normal prior, with all other components at zero. That of any other estimator is even
        between two quantiles of the codes of ``X``, with the others at their median.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with `transform` and `inverse_transform`.

        X : array-like of shape (n_samples, n_features), default=None
            Data whose codes span the grid; not used for a variational autoencoder.

        components : tuple of two ints, default=(0, 1)
            The components along x and y.

        n_steps : int, default=15
            Images along each side.

        quantile_range : tuple of two floats, default=(0.05, 0.95)
            Quantiles at the ends of the grid.

        image_shape : tuple, default=None
            (height, width) or (channels, height, width), with 1 or 3 channels. None takes that
            of the estimator's architecture.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        im_kwargs : dict, default=None
            Passed to `imshow`.

        Returns
        -------
        display : LatentManifoldDisplay
            What was computed and drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_methods(estimator, "transform", "inverse_transform")
        check_scalar(n_steps, "n_steps", Integral, min_val=2)
        image_shape = needed_image_shape(estimator, image_shape)
        codes = None
        if not is_variational(estimator):
            if X is None:
                name = type(estimator).__name__
                raise ValueError(f"X is needed: {name} has no prior on its codes.")
            codes = encode(estimator, X)
        decoded = decoded_grid(estimator, codes, components, n_steps, quantile_range)
        display = cls(*decoded, image_shape, components=components)
        return display.plot(ax=ax, im_kwargs=im_kwargs)


def decoded_grid(estimator, codes, components, n_steps, quantile_range):
    """Decode a grid of codes, of shape (n_steps, n_steps, n_features)."""
    low, high = check_quantile_range(quantile_range)
    if codes is None:
        centre = np.zeros(count_components(estimator))
        values = prior_quantiles(estimator, np.linspace(low, high, n_steps))
    else:
        centre = np.median(codes, axis=0)
        values = np.linspace(*np.quantile(codes, [low, high], axis=0), n_steps)
    components = check_components(components, len(centre))
    if len(set(components)) != 2 or len(components) != 2:
        raise ValueError(f"components={components!r} should name two different components.")
    first, second = components
    grid = np.tile(centre, (n_steps, n_steps, 1))
    grid[:, :, first] = values[:, first]
    grid[:, :, second] = values[:, second, None]
    return decode(estimator, grid), values[:, first], values[:, second]


def _in_short(values):
    """Numbers as text: two digits, or whole numbers; what is zero but for rounding as zero."""
    values = np.asarray(values, dtype=float)
    tiny = np.abs(values) < 1e-6 * np.abs(values).max()
    return [
        f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.2g}"
        for value in np.where(tiny, 0.0, values)
    ]
