"""Decoded codes as one component at a time moves."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
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

# Components that move where none are named.
MAX_COMPONENTS = 10


class LatentTraversalDisplay:
    """What each component does: a row of images in which only that one moves.

    Parameters
    ----------
    images : ndarray of shape (n_components, n_steps, n_features)
        Decoded codes, a row for each component.

    values : ndarray of shape (n_components, n_steps)
        Values that the component takes.

    image_shape : tuple
        (height, width) or (channels, height, width), with 1 or 3 channels.

    components : sequence of int, default=None
        Numbers of the components; None counts from 0.

    probabilities : sequence of float, default=None
        Probabilities whose quantiles ``values`` are, written below the columns.

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
    LatentManifoldDisplay : Two components at a time.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae.display import LatentTraversalDisplay
    >>> X = load_digits().data
    >>> pca = PCA(n_components=4).fit(X)
    >>> display = LatentTraversalDisplay.from_estimator(pca, X, image_shape=(8, 8))
    >>> display.images.shape
    (4, 9, 64)
    """

    montage_: AxesImage
    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        images: ArrayLike,
        values: ArrayLike,
        image_shape: tuple[int, ...],
        *,
        components: Sequence[int] | None = None,
        probabilities: Sequence[float] | NDArray[Any] | None = None,
    ) -> None:
        self.images = images
        self.values = values
        self.image_shape = image_shape
        self.components = components
        self.probabilities = probabilities

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
        display : LatentTraversalDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        images, shape = np.asarray(self.images), np.shape(self.values)
        if images.shape[:2] != shape:
            raise ValueError(f"images has shape {images.shape}, but values has shape {shape}.")
        components = range(len(images)) if self.components is None else self.components
        below = [] if self.probabilities is None else self.probabilities
        self.montage_ = draw_montage(
            ax,
            images,
            self.image_shape,
            row_labels=[f"component {component}" for component in components],
            column_labels=[f"{100 * probability:.3g} %" for probability in below],
            **(im_kwargs or {}),
        )
        ax = self.montage_.axes
        if len(below):
            ax.set_xlabel("quantile of the component")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike | None = None,
        *,
        components: int | Sequence[int] | None = None,
        row: int | None = None,
        n_steps: int = 9,
        quantile_range: tuple[float, float] = (0.05, 0.95),
        image_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
        im_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Move one component at a time, decode and draw.

        A component moves over equally spaced quantiles of the codes of ``X`` while the others
        stay at their median.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with `transform` and `inverse_transform`.

        X : array-like of shape (n_samples, n_features), default=None
            Data. Without them a variational autoencoder takes the quantiles of its normal
            prior, and zero for the others.

        components : int or tuple of int, default=None
            The components, a row of images for each; None takes the first ten.

        row : int, default=None
            Row of ``X`` at whose code the others stay.

        n_steps : int, default=9
            Images for each component.

        quantile_range : tuple of two floats, default=(0.05, 0.95)
            Quantiles at both ends.

        image_shape : tuple, default=None
            (height, width) or (channels, height, width), with 1 or 3 channels. None takes that
            of the estimator's architecture.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        im_kwargs : dict, default=None
            Passed to `imshow`.

        Returns
        -------
        display : LatentTraversalDisplay
            What was computed and drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_methods(estimator, "transform", "inverse_transform")
        check_scalar(n_steps, "n_steps", Integral, min_val=2)
        image_shape = needed_image_shape(estimator, image_shape)
        codes = base = None
        if X is not None:
            codes = encode(estimator, X)
            base = None if row is None else codes[_check_row(row, len(codes))]
        elif row is not None or not is_variational(estimator):
            why = "no prior on its codes" if row is None else f"no row={row} without it"
            raise ValueError(f"X is needed: {type(estimator).__name__} has {why}.")
        images, values, components, probabilities = decoded_paths(
            estimator, codes, base, components, n_steps, quantile_range
        )
        display = cls(
            images, values, image_shape, components=components, probabilities=probabilities
        )
        return display.plot(ax=ax, im_kwargs=im_kwargs)


def decoded_paths(estimator, codes, base, components, n_steps, quantile_range):
    """Decode codes in which one component at a time moves.

    The result has shape (n_components, n_steps, n_features).
    """
    probabilities = np.linspace(*check_quantile_range(quantile_range), n_steps)
    if codes is None:
        middle = np.zeros(count_components(estimator))
        values = prior_quantiles(estimator, probabilities)
    else:
        middle = np.median(codes, axis=0)
        values = np.quantile(codes, probabilities, axis=0)
    base = middle if base is None else base
    if components is None:
        components = range(min(len(base), MAX_COMPONENTS))
    components = check_components(components, len(base))
    moved = np.tile(base, (len(components), n_steps, 1))
    for line, component in zip(moved, components, strict=True):
        line[:, component] = values[:, component]
    return decode(estimator, moved), values[:, components].T, components, probabilities


def _check_row(row, n_rows):
    return check_scalar(row, "row", Integral, min_val=-n_rows, max_val=n_rows - 1)
