"""Which features make rows anomalous."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_scalar

from sklearn_ae.display._estimators import check_methods
from sklearn_ae.display._images import axes_or_new, merged, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure


class FeatureAnomalyDisplay:
    """Features that contribute most to the anomaly of a row, as bars.

    Parameters
    ----------
    contributions : array-like of shape (n_features,)
        Contributions of a row's features, as `score_features` gives them; of several rows the
        mean.

    feature_names : array-like of shape (n_features,), default=None
        Names of the features; None is ``x0``, ``x1``, ...

    values : array-like of shape (n_features,), default=None
        The row's own values, written beside the names.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        The bars, the largest at the top.

    ax_ : matplotlib Axes
        Axes that hold the drawing.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    See Also
    --------
    AnomalyScoreDisplay : Scores and the threshold.

    Examples
    --------
    >>> from sklearn_ae.display import FeatureAnomalyDisplay
    >>> display = FeatureAnomalyDisplay([0.1, 7.0, 0.5], ["a", "b", "c"]).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['b', 'c', 'a']
    """

    bars_: BarContainer
    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        contributions: ArrayLike,
        feature_names: ArrayLike | None = None,
        *,
        values: ArrayLike | None = None,
    ) -> None:
        self.contributions = contributions
        self.feature_names = feature_names
        self.values = values

    def plot(
        self,
        ax: Axes | None = None,
        *,
        max_features: int = 10,
        bar_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        max_features : int, default=10
            How many features are shown at most.

        bar_kwargs : dict, default=None
            Passed to `barh`.

        Returns
        -------
        display : FeatureAnomalyDisplay
            The object itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        from matplotlib.patches import Rectangle

        check_scalar(max_features, "max_features", Integral, min_val=1)
        contributions = np.asarray(self.contributions, dtype=float)
        names = self.feature_names
        if names is None:
            names = [f"x{number}" for number in range(contributions.size)]
        # of a row of a data frame too, whose index is not that of the places
        names = list(names)
        values = [None] * len(names) if self.values is None else list(self.values)
        if contributions.ndim != 1 or not len(contributions) == len(names) == len(values):
            raise ValueError(
                "contributions, feature_names and values must have one entry for each feature; "
                f"got contributions of shape {contributions.shape}, {len(names)} names and "
                f"{len(values)} values."
            )
        ax = axes_or_new(ax)
        shown = np.argsort(-contributions, kind="stable")[:max_features]
        labels = [f"{names[i]}{_equals(values[i])}" for i in shown]
        kwargs = merged({"color": "C3"}, bar_kwargs, Rectangle)
        places = np.arange(len(shown))
        self.bars_ = ax.barh(places, contributions[shown], **kwargs)
        ax.set_yticks(places, labels)
        ax.invert_yaxis()
        ax.set(xlabel="contribution to the anomaly")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        *,
        anomaly_score: str | None = None,
        max_features: int = 10,
        ax: Axes | None = None,
        bar_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the contributions in rows by a detector.

        Parameters
        ----------
        estimator : AutoencoderDetector
            A fitted detector.

        X : array-like of shape (n_samples, n_features)
            The row that is to be explained, or several, whose mean contributions are drawn. The
            names of a data frame are shown.

        anomaly_score : str or None, default=None
            The score to be explained; None is the detector's own.

        max_features : int, default=10
            How many features are shown at most.

        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        bar_kwargs : dict, default=None
            Passed to `barh`.

        Returns
        -------
        display : FeatureAnomalyDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_methods(estimator, "score_features")
        contributions = np.asarray(estimator.score_features(X, anomaly_score))
        rows = check_array(X, dtype=np.float64, allow_nd=True)
        display = cls(
            contributions.mean(axis=0),
            getattr(estimator, "feature_names_in_", None),
            values=rows[0] if len(rows) == 1 and rows.ndim == 2 else None,
        )
        return display.plot(ax=ax, max_features=max_features, bar_kwargs=bar_kwargs)


def _equals(value):
    """What a feature is equal to, as text: nothing where that is not known."""
    if value is None:
        return ""
    return f" = {value:.4g}" if isinstance(value, Real) else f" = {value}"
