"""Decoder columns as images."""

from __future__ import annotations

import math
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar

from sklearn_ae.display._estimators import (
    check_methods,
    count_components,
    decode,
    encode,
    needed_image_shape,
)
from sklearn_ae.display._images import as_rows, check_image_shape, draw_montage, require_matplotlib
from sklearn_ae.utils._typing import MatrixLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

ORDERS = (None, "norm", "use")
Order: TypeAlias = Literal["norm", "use"] | None


class DictionaryDisplay:
    """What each component of a code adds to the data, as an image.

    Parameters
    ----------
    atoms : array-like of shape (n_atoms, n_features)
        What a code of one in one component adds to the code of zeros: columns of a linear
        decoder.

    image_shape : tuple
        (height, width) or (channels, height, width), with 1 or 3 channels.

    mean_code : array-like of shape (n_atoms,), default=None
        Mean absolute value of each component over some data.

    Attributes
    ----------
    montage_ : matplotlib AxesImage
        The images, as one. Zero is the middle of the colours.

    order_ : ndarray of int
        Numbers of the atoms drawn, row by row.

    colorbar_ : matplotlib Colorbar or None
        Scale of values; None for colour images.

    ax_ : matplotlib Axes
        Axes that hold the drawing.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    See Also
    --------
    LatentTraversalDisplay : What a component does elsewhere than at zero.

    Notes
    -----
    Atoms of a nonlinear decoder differ from place to place; these are the ones at zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae.display import DictionaryDisplay
    >>> pca = PCA(n_components=12).fit(load_digits().data)
    >>> display = DictionaryDisplay.from_estimator(pca, image_shape=(8, 8))
    >>> bool(np.allclose(display.atoms, pca.components_))
    True
    """

    montage_: AxesImage
    order_: NDArray[np.intp]
    colorbar_: Colorbar | None
    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        atoms: ArrayLike,
        image_shape: tuple[int, ...],
        *,
        mean_code: ArrayLike | None = None,
    ) -> None:
        self.atoms = atoms
        self.image_shape = image_shape
        self.mean_code = mean_code

    def plot(
        self,
        ax: Axes | None = None,
        *,
        n_atoms: int = 100,
        order: Order = None,
        im_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        n_atoms : int, default=100
            Largest number of atoms drawn, the first in their order.

        order : {None, "norm", "use"}, default=None
            None keeps the order of the components. "norm" begins with the largest norm, "use"
            with the largest product of norm and mean absolute code: what an atom adds to a row
            on average.

        im_kwargs : dict, default=None
            Passed to `imshow`.

        Returns
        -------
        display : DictionaryDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        from matplotlib import colormaps

        check_scalar(n_atoms, "n_atoms", Integral, min_val=1)
        atoms = as_rows(self.atoms)
        channels, height, width = check_image_shape(self.image_shape, atoms.shape[1])
        self.order_ = self._sorted(atoms, order)[:n_atoms]
        shown = atoms[self.order_]
        # as many columns as make the whole a square
        n_columns = min(len(shown), math.ceil(math.sqrt(len(shown) * height / width)))
        n_rows = math.ceil(len(shown) / n_columns)
        tiles = np.full((n_rows * n_columns, shown.shape[1]), np.nan)
        tiles[: len(shown)] = shown
        self.montage_ = draw_montage(
            ax,
            tiles.reshape(n_rows, n_columns, -1),
            self.image_shape,
            signed=True,
            # grey between the atoms, whose zero is white
            **{"cmap": colormaps["RdBu_r"].with_extremes(bad="0.85"), **(im_kwargs or {})},
        )
        ax = self.montage_.axes
        self.colorbar_ = None
        if channels == 1:
            self.colorbar_ = ax.figure.colorbar(self.montage_, ax=ax, shrink=0.6)
        if len(shown) < len(atoms):
            ax.set_xlabel(f"{len(shown)} of {len(atoms)} atoms")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _sorted(self, atoms, order):
        if order not in ORDERS:
            raise ValueError(f"order must be one of {ORDERS}, got {order!r}.")
        if order is None:
            return np.arange(len(atoms))
        size = np.linalg.norm(atoms, axis=1)
        if order == "use":
            if self.mean_code is None:
                raise ValueError("order='use' needs mean_code, the mean absolute code of some X.")
            size = size * np.asarray(self.mean_code)
        return np.argsort(-size, kind="stable")

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_atoms: int = 100,
        order: Order = None,
        ax: Axes | None = None,
        im_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Decode unit codes and draw what they add.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with `inverse_transform`. Of
            :class:`~sklearn.decomposition.PCA` the atoms are its components.

        X : array-like of shape (n_samples, n_features), default=None
            Data whose codes tell the use of each atom.

        image_shape : tuple, default=None
            (height, width) or (channels, height, width), with 1 or 3 channels. None takes that
            of the estimator's architecture.

        n_atoms : int, default=100
            Largest number of atoms drawn.

        order : {None, "norm", "use"}, default=None
            Order of the atoms; "use" needs ``X``. See `plot`.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        im_kwargs : dict, default=None
            Passed to `imshow`.

        Returns
        -------
        display : DictionaryDisplay
            What was computed and drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_methods(estimator, "inverse_transform")
        image_shape = needed_image_shape(estimator, image_shape)
        n_components = count_components(estimator)
        decoded = decode(estimator, np.eye(n_components + 1, n_components, k=-1))
        mean_code = None if X is None else np.abs(encode(estimator, X)).mean(axis=0)
        display = cls(decoded[1:] - decoded[0], image_shape, mean_code=mean_code)
        return display.plot(ax=ax, n_atoms=n_atoms, order=order, im_kwargs=im_kwargs)
