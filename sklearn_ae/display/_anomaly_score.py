"""Scores of an outlier detector, and its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, column_or_1d

from sklearn_ae.display._estimators import check_methods, final_estimator
from sklearn_ae.display._images import axes_or_new, merged, require_matplotlib
from sklearn_ae.utils._typing import MatrixLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class AnomalyScoreDisplay:
    """Histogram of the scores of rows, with the threshold below which they are outliers.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        Scores, the higher the more normal.

    offset : float
        The threshold.

    labels : array-like of shape (n_samples,), default=None
        Groups of the rows, drawn one over another, each with an area of one.

    Attributes
    ----------
    bars_ : list of matplotlib BarContainer
        A histogram for each group.

    threshold_line_ : matplotlib Line2D
        The threshold.

    ax_ : matplotlib Axes
        Axes that hold the drawing.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    See Also
    --------
    FeatureAnomalyDisplay : Which features make a row anomalous.

    Examples
    --------
    >>> from sklearn_ae.display import AnomalyScoreDisplay
    >>> display = AnomalyScoreDisplay([-0.5, -0.6, -0.4, -2.0], -1.0).plot()
    >>> display.threshold_line_.get_label()
    'threshold: 1 of 4 below'
    """

    bars_: list[BarContainer]
    threshold_line_: Line2D
    ax_: Axes
    figure_: Figure

    def __init__(
        self, scores: ArrayLike, offset: float, *, labels: ArrayLike | None = None
    ) -> None:
        self.scores = scores
        self.offset = offset
        self.labels = labels

    def plot(
        self,
        ax: Axes | None = None,
        *,
        bins: int | str | ArrayLike = 40,
        hist_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        bins : int or sequence, default=40
            Bins of all groups, as `numpy.histogram_bin_edges` takes them.

        hist_kwargs : dict, default=None
            Passed to `hist`.

        Returns
        -------
        display : AnomalyScoreDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        from matplotlib.patches import Patch

        scores = column_or_1d(np.asarray(self.scores, dtype=float))
        labels = np.zeros(len(scores)) if self.labels is None else column_or_1d(self.labels)
        check_consistent_length(scores, labels)
        missing = np.count_nonzero(pd.isna(labels))
        if missing:
            raise ValueError(f"labels has {missing} missing values; each row needs one.")
        ax = axes_or_new(ax)
        edges = np.histogram_bin_edges(scores, bins)
        kwargs = merged({"alpha": 0.6, "density": self.labels is not None}, hist_kwargs, Patch)
        self.bars_ = []
        for label in np.unique(labels):
            name = None if self.labels is None else str(label)
            *_, bars = ax.hist(scores[labels == label], edges, label=name, **kwargs)
            self.bars_.append(bars)
        below = np.count_nonzero(scores < self.offset)
        self.threshold_line_ = ax.axvline(
            self.offset,
            color="0.2",
            linestyle="--",
            label=f"threshold: {below} of {len(scores)} below",
        )
        ax.set(
            xlabel="score (the higher, the more normal)",
            ylabel="rows" if self.labels is None else "density of rows",
        )
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        y: ArrayLike | None = None,
        *,
        ax: Axes | None = None,
        bins: int | str | ArrayLike = 40,
        hist_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the scores that a detector gives to rows.

        Parameters
        ----------
        estimator : estimator instance
            A fitted outlier detector with `score_samples` and `offset_`, such as
            :class:`~sklearn_ae.AutoencoderDetector` or `IsolationForest`, or a pipeline or a
            search that ends in one.

        X : array-like of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,), default=None
            Groups of the rows.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        bins : int or sequence, default=40
            Bins of all groups.

        hist_kwargs : dict, default=None
            Passed to `hist`.

        Returns
        -------
        display : AnomalyScoreDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_methods(estimator, "score_samples")
        detector = final_estimator(estimator)
        check_methods(detector, "offset_")
        display = cls(estimator.score_samples(X), detector.offset_, labels=y)
        return display.plot(ax=ax, bins=bins, hist_kwargs=hist_kwargs)
