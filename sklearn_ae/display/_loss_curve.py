"""Course of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklearn_ae.display._estimators import check_methods, final_estimator
from sklearn_ae.display._images import axes_or_new, merged, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class LossCurveDisplay:
    """Objective of each epoch, on the training rows and on those held out.

    Parameters
    ----------
    loss_curve : array-like of shape (n_iter,)
        Mean objective on the training rows during each epoch.

    validation_scores : array-like of shape (n_held_out,), default=None
        Minus the mean objective on the rows held out after each of the first epochs, of all of
        them unless a fit went on without such rows; drawn as a loss. Its best epoch is marked.

    start_loss : float, default=None
        Objective of the start, where training did no better and the start was kept.

    Attributes
    ----------
    train_line_ : matplotlib Line2D
        Loss on the training rows.

    validation_line_ : matplotlib Line2D or None
        Loss on the rows held out.

    best_point_ : matplotlib Line2D or None
        The best epoch on the rows held out.

    start_line_ : matplotlib Line2D or None
        Loss of the start that was kept.

    ax_ : matplotlib Axes
        Axes that hold the drawing.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    See Also
    --------
    ReconstructionDisplay : What the fitted estimator makes of data.

    Examples
    --------
    >>> from sklearn_ae.display import LossCurveDisplay
    >>> display = LossCurveDisplay([3.0, 2.0, 1.5], [-3.1, -2.3, -2.4]).plot()
    >>> display.best_point_.get_label()
    'best epoch: 2'
    """

    train_line_: Line2D
    validation_line_: Line2D | None
    best_point_: Line2D | None
    start_line_: Line2D | None
    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        loss_curve: ArrayLike,
        validation_scores: ArrayLike | None = None,
        *,
        start_loss: float | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores
        self.start_loss = start_loss

    def plot(self, ax: Axes | None = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        line_kwargs : dict, default=None
            Passed to `plot` for both curves.

        Returns
        -------
        display : LossCurveDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        train = np.asarray(self.loss_curve, dtype=float)
        scores = () if self.validation_scores is None else self.validation_scores
        held_out = -np.asarray(scores, dtype=float)
        if train.ndim != 1 or held_out.ndim != 1 or len(held_out) > len(train):
            raise ValueError(
                "loss_curve must have one value for each epoch, and validation_scores no more; got "
                f"shapes {train.shape} and {held_out.shape}."
            )
        ax = axes_or_new(ax)
        epochs = np.arange(1, len(train) + 1)
        # a curve of one epoch is a point
        kwargs = merged({"marker": "." if len(train) < 3 else None}, line_kwargs, Line2D)
        self.validation_line_ = self.best_point_ = self.start_line_ = None
        (self.train_line_,) = ax.plot(epochs, train, label="training rows", **kwargs)
        if held_out.size:
            (self.validation_line_,) = ax.plot(
                epochs[: len(held_out)], held_out, label="rows held out", **kwargs
            )
            best = int(held_out.argmin())
            (self.best_point_,) = ax.plot(
                epochs[best],
                held_out[best],
                "o",
                color=self.validation_line_.get_color(),
                label=f"best epoch: {epochs[best]}",
            )
        if self.start_loss is not None:
            self.start_line_ = ax.axhline(
                self.start_loss, color="0.4", linestyle="--", label="the start, which was kept"
            )
        ax.set(xlabel="epoch", ylabel="objective")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        ax: Axes | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the course of an estimator's last fit.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator of this package, or a pipeline or a search that ends in one.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        line_kwargs : dict, default=None
            Passed to `plot` for both curves.

        Returns
        -------
        display : LossCurveDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_methods(estimator)
        fitted = final_estimator(estimator)
        check_methods(fitted, "loss_curve_")
        display = cls(
            fitted.loss_curve_,
            getattr(fitted, "validation_scores_", None),
            start_loss=fitted.best_loss_ if getattr(fitted, "start_kept_", False) else None,
        )
        return display.plot(ax=ax, line_kwargs=line_kwargs)
