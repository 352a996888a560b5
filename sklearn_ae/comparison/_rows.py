"""Test rows as the report shows them: their names, the columns that matter, their images."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

# Columns of a row that are shown beside its point, and rows of which points are drawn.
MAX_COLUMNS = 8
MAX_POINTS = 50_000


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
    features: list
    shift: float = 0.0
    scale: float = 1.0
    categories: list = field(default_factory=list)

    def text(self, features):
        """The value of the column in a row of features, or what decoded features say of it."""
        if self.kind == "category":
            best = int(np.argmax(features[self.features]))
            share = min(max(float(features[self.features[best]]), 0.0), 1.0)
            return self.categories[best] + (f" ({100 * share:.0f} %)" if share < 1 else "")
        value = float(features[self.features[0]]) * self.scale + self.shift
        if self.kind == "date":
            day = pd.Timestamp("1970-01-01") + pd.Timedelta(days=round(value))
            return f"{day:%Y-%m-%d}"
        if self.kind == "yes/no":
            return (
                f"yes {100 * value:.0f} %" if 0.005 < value < 0.995 else ["no", "yes"][value > 0.5]
            )
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.6g}"


@dataclass(frozen=True)
class ShownRows:
    """What is said of the test rows of the first split.

    Parameters
    ----------
    names : list
        What the caller's data call them: the index of a table, or places in an array.
    units : list of Unit
        All columns, those that matter most first; none where rows are images.
    values : list of ndarray of shape (n_rows,)
        Values of the first of these columns, numbers or text.
    images : ndarray of shape (n_rows, height, width) or (n_rows, height, width, 3) or None
        Bytes from the least to the greatest value of the data.
    limits : tuple of float
        These two values.
    """

    names: list
    units: list
    values: list
    images: np.ndarray | None = None
    limits: tuple = (0.0, 1.0)


def shown_rows(names, preparation, splits, arrays):
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
    """
    test = splits.first[1][:MAX_POINTS]
    names = [names[row] for row in test]
    if splits.images is not None:
        return ShownRows(names, [], [], splits.images, splits.limits)
    weights = _kept_variance(splits.X_test, arrays)
    units = sorted(splits.units, key=lambda unit: -weights[unit.features].sum())
    values = [preparation.values(unit, test) for unit in units[:MAX_COLUMNS]]
    return ShownRows(names, units, values)


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
    kept = [
        X[: len(content["reconstruction"])].var(axis=0)
        - np.mean((X - content["reconstruction"])[: len(X)] ** 2, axis=0)
        for content in arrays.values()
        if "reconstruction" in content and len(content["reconstruction"]) == len(X)
    ]
    return np.max(kept, axis=0) if kept else X.var(axis=0)
