"""Test rows as the report shows them: their names, the columns that matter, their images."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Columns of a row that are shown beside its point, and rows of which points are drawn.
MAX_COLUMNS = 8
MAX_POINTS = 50_000
# Letters of a name or a word that are shown.
LONGEST = 80
# Whole numbers below this one are shown whole.
WHOLE = 10**15
MOST_DAYS, ROUNDING_OF_DAYS = 10**7, 0.01


@dataclass(frozen=True, eq=False)
class Unit:
    """How a column of the data stands in the features that reducers see.

    Parameters
    ----------
    name : str
        Name of the column.
    kind : str
        "number", "date", "yes/no" or "category".
    features : list of int
        Places of its features.
    shift, scale : float
        A feature times the scale plus the shift is in the units of the column.
    categories : list of str
        What the features of a category stand for.
    """

    name: str
    kind: str
    features: list[int]
    shift: float = 0.0
    scale: float = 1.0
    categories: list[str] = field(default_factory=list)

    def decoded(self, features):
        """What decoded features say of the column, as text."""
        if self.kind == "category":
            best = int(np.argmax(features[self.features]))
            share = min(max(float(features[self.features[best]]), 0.0), 1.0)
            return f"{self.categories[best]} ({100 * share:.0f} %)"
        return self.shown(float(features[self.features[0]]) * self.scale + self.shift)

    def shown(self, value):
        """A value of the column as text."""
        if self.kind == "category":
            return "missing" if pd.isna(value) else str(value)
        if not np.isfinite(value):
            return "missing" if np.isnan(value) else "out of range"
        if self.kind == "date":
            return day_text(value)
        if self.kind == "yes/no":
            share = round(100 * min(max(value, 0.0), 1.0))
            return {0: "no", 100: "yes"}.get(share, f"yes {share} %")
        if value == np.round(value) and abs(value) < WHOLE:
            return f"{value:.0f}"
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.6g}"


def day_text(days):
    """The date so many days after 1970-01-01; rounding takes no day away."""
    if abs(days) > MOST_DAYS:
        return "out of range"
    return str(np.datetime64(math.floor(days + ROUNDING_OF_DAYS), "D"))


def name_text(name):
    """Name of a row in its table as text, of several levels too."""
    parts = name if isinstance(name, tuple) else [name]
    return ", ".join(str(part)[:LONGEST] for part in parts)


@dataclass(frozen=True)
class ShownRows:
    """What is said of the test rows of the first split.

    Parameters
    ----------
    names : list of str
        What the caller's data call them: the index of a table, or places in an array.
    units : list of Unit
        All columns, those that matter most first; none where rows are images.
    values : list of ndarray of shape (n_rows,)
        Values of the first of these columns, numbers or text.
    cells : dict of list
        Values of all columns, by the place of a row, where it is one of the worst.
    images : ndarray of shape (n_rows, height, width) or (n_rows, height, width, 3) or None
        Bytes from the least to the greatest value of the data.
    limits : tuple of float
        These two values.
    has_dates : bool
        Whether the target is days since 1970-01-01.
    """

    names: list[str]
    units: list[Unit]
    values: list[NDArray[Any]]
    cells: dict[int, list[Any]]
    images: NDArray[np.uint8] | None = None
    limits: tuple[float, float] = (0.0, 1.0)
    has_dates: bool = False


def shown_rows(names, preparation, splits, arrays, has_dates=False):
    """The `ShownRows` of a comparison.

    Parameters
    ----------
    names : sequence
        Name of each row of the data.
    preparation : TablePreparation or ArrayPreparation
        Where columns are from.
    splits : object
        With ``first``, ``units``, ``X_test``, ``images`` and ``limits``.
    arrays : dict
        What reducers made of the test rows.
    has_dates : bool, default=False
        Whether the target is dates.
    """
    test = splits.first[1][:MAX_POINTS]
    names = [name_text(names[row]) for row in test]
    if splits.images is not None:
        return ShownRows(names, [], [], {}, splits.images, splits.limits, has_dates)
    weights = _kept_variance(splits.X_test, arrays)
    units = sorted(splits.units, key=lambda unit: -weights[unit.features].sum())
    values = [preparation.values(unit, test) for unit in units[:MAX_COLUMNS]]
    worst = [place for content in arrays.values() for place in content.get("worst", ())]
    worst = [int(place) for place in dict.fromkeys(worst) if place < len(test)]
    listed = [preparation.values(unit, test[worst]) for unit in units] if worst else []
    cells = {place: [column[number] for column in listed] for number, place in enumerate(worst)}
    return ShownRows(names, units, values, cells, has_dates=has_dates)


def as_images(X, image_shape):
    """Rows as images of bytes, and the values that the least and the greatest byte stand for."""
    low, high = float(X.min()), float(X.max())
    images = np.round((X - low) * (255 / max(high - low, 1e-300))).astype(np.uint8)
    if len(image_shape) == 2 or image_shape[0] == 1:
        return images.reshape(-1, *image_shape[-2:]), (low, high)
    return images.reshape(-1, *image_shape).transpose(0, 2, 3, 1), (low, high)


def _kept_variance(X, arrays):
    """The most of each feature's variance that a reducer keeps, or the variance itself."""
    X = X.astype(np.float64)
    made = [content.get("reconstruction", ()) for content in arrays.values()]
    kept = [X.var(axis=0) - np.mean((X - R) ** 2, axis=0) for R in made if len(R) == len(X)]
    return np.max(kept, axis=0) if kept else X.var(axis=0)
