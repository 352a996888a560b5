"""How rows become numbers that a reducer can take, learnt from training rows only."""

import datetime
import decimal
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ae.comparison._cells import as_text
from sklearn_ae.comparison._files import enumerate_names, unique_names, without_infinity
from sklearn_ae.comparison._rows import Unit

MAX_CATEGORIES = 20
# Words that say in the name of a column that it tells rows apart, if they are its last.
ID_WORDS = frozenset(
    "id ids uuid guid pk idx index row rownum rowid number num nr no account key".split()
)
# A value that occurs so often and lies so many standard deviations from the rest may stand for
# none; of the rest there are so many different values at least.
SENTINEL_TIMES, SENTINEL_APART, SENTINEL_OTHERS = 3, 3.0, 5
EPOCH = pd.Timestamp("1970-01-01")
MAX_REMARKS, MAX_SHOWN = 8, 3
NUMBER, DATE, YES_NO, CATEGORY, DROPPED = "number", "date", "yes/no", "category", "dropped"


@dataclass(frozen=True)
class Column:
    """A column of a table, and what was made of it.

    Parameters
    ----------
    name : str
        Its name.
    kind : str
        "number", "date", "yes/no", "category" or "dropped".
    done : tuple of str
        What was done to it.
    missing : int
        Cells without a value.
    range : str
        Smallest and greatest value, or the categories.
    values : Series or None
        Numbers (float64) or categories (object); None where it was dropped.
    is_remarkable : bool
        Whether something was done that its kind does not say.
    """

    name: str
    kind: str
    done: tuple
    missing: int
    range: str
    values: pd.Series | None = None
    is_remarkable: bool = False


def read_frame(frame, remarks=None):
    """The columns of a table as `Column`, by the types that they have.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        The table, without its target.
    remarks : dict of str or None
        What reading it from a file has done to single columns.
    """
    remarks, notes = remarks or {}, []
    names = unique_names([str(name) for name in frame.columns], None, notes)
    frame = frame.set_axis(names, axis=1)
    columns = []
    for name in frame.columns:
        column = _of_kind(name, frame[name])
        if remarks.get(name):
            column = replace(column, done=(remarks[name], *column.done), is_remarkable=True)
        columns.append(column)
    return columns, notes


def plain_columns(frame: pd.DataFrame, categorical: Collection[str] | None = None) -> pd.DataFrame:
    """Make numbers, or text, of the columns of a table, as `compare` does.

    Booleans become 0 and 1, dates the days since 1970, durations days; infinite values are missing.
    All else is text without space around it. Nothing is learnt, so that it can be a
    :class:`~sklearn.preprocessing.FunctionTransformer` in front of a pipeline.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        The table; columns of one name are numbered, and those of lists or complex numbers are left
        out.

    categorical : list of str, default=None
        Columns that are text; all others are numbers then, so that a column is the same in
        whatever rows. None tells by the types, and by the values where these are objects.

    Returns
    -------
    columns : DataFrame of shape (n_samples, n_usable_columns)
        With columns of type float64 or object.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ae.comparison import plain_columns
    >>> plain_columns(
    ...     pd.DataFrame({"paid": [True, False], "on": pd.to_datetime(["2026-01-01"] * 2)})
    ... )
       paid       on
    0   1.0  20454.0
    1   0.0  20454.0
    """
    frame = frame.set_axis(unique_names([str(name) for name in frame.columns], None, []), axis=1)
    made = {}
    for name in frame.columns:
        kind, values, _ = _values(frame[name])
        if categorical is not None and kind != DROPPED:
            if name in categorical:
                kind, values = CATEGORY, as_text(frame[name])
            elif kind == CATEGORY:
                kind = NUMBER
                values = pd.to_numeric(frame[name], errors="coerce").astype(np.float64)
        if kind != DROPPED:
            made[name] = without_infinity(values)[0] if kind == NUMBER else values
    return pd.DataFrame(made, index=frame.index)


def _of_kind(name, given):
    """A column as numbers, dates, yes and no or categories; dropped where it is none."""
    kind, values, shown = _values(given)
    n_missing = int(given.isna().sum())
    if kind == DROPPED:
        return Column(name, DROPPED, (values,), n_missing, "")
    done, n_different = [], given.nunique() if kind == NUMBER else 0
    if kind == NUMBER:
        values, done = without_infinity(values)
        shown = values
    present = values.dropna()
    text = _range(kind, shown)
    n_missing = int(values.isna().sum())
    if present.empty:
        return Column(name, DROPPED, (*done, "no values"), n_missing, "")
    reason = _why_useless(name, values, present, kind, n_different)
    if reason:
        return Column(name, DROPPED, (*done, reason), n_missing, text, is_remarkable=bool(done))
    if kind == DATE:
        done.append(f"days since {EPOCH:%Y-%m-%d}")
        done += sentinels(present, lambda days: f"{EPOCH + pd.Timedelta(days=days):%Y-%m-%d}")
    if kind == NUMBER:
        done += sentinels(present)
        if _tells_rows_apart(values, present, n_different):
            done.append("a whole number that differs in every row: leave it out if it is an ID")
    return Column(name, kind, tuple(done), n_missing, text, values, bool(done))


def _values(given):
    """Kind of a column, its values, and what its range is shown of."""
    if types.is_object_dtype(given):
        given = _inferred(given)
    if types.is_bool_dtype(given):
        return YES_NO, _as_floats(given), given
    if types.is_complex_dtype(given):
        return DROPPED, "complex numbers", None
    if types.is_numeric_dtype(given):
        return NUMBER, _as_floats(given), None
    if isinstance(given.dtype, pd.PeriodDtype):
        given = given.dt.to_timestamp()
    if types.is_datetime64_any_dtype(given):
        days = (given.dt.tz_localize(None) - EPOCH) / pd.Timedelta(days=1)
        return DATE, days.astype(np.float64), given
    if types.is_timedelta64_dtype(given):
        return NUMBER, (given / pd.Timedelta(days=1)).astype(np.float64), None
    if types.is_object_dtype(given) and given.map(types.is_list_like).any():
        return DROPPED, "it holds lists", None
    text = as_text(given)
    return CATEGORY, text, text


def _as_floats(column):
    return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index)


def _inferred(column):
    """A column of Python's objects by what these are."""
    column = column.infer_objects()
    if not types.is_object_dtype(column):
        return column
    present = column.dropna()
    if present.empty:
        return column.astype(np.float64)
    if present.map(lambda value: isinstance(value, bool | np.bool_)).all():
        return column.astype("boolean")
    numbers = int | float | np.number | decimal.Decimal
    try:
        if present.map(lambda value: isinstance(value, numbers)).all():
            return present.astype(np.float64).reindex(column.index)
        if present.map(lambda value: isinstance(value, datetime.date)).all():
            return pd.to_datetime(column)
    except (OverflowError, ValueError, TypeError):  # numbers too large, dates of several zones
        return column
    return column


def _range(kind, values):
    """What the values of a column are, in few words."""
    present = values.dropna()
    if present.empty:
        return ""
    if kind == NUMBER:
        return f"{present.min():.6g} to {present.max():.6g}"
    if kind == DATE:
        return f"{present.min():%Y-%m-%d} to {present.max():%Y-%m-%d}"
    counts = present.value_counts()
    if kind == YES_NO:
        return f"yes in {100 * float(present.astype(float).mean()):.0f} %"
    shown = ", ".join(str(value) for value in counts.index[:MAX_SHOWN])
    more = ", ..." if len(counts) > MAX_SHOWN else ""
    return f"{len(counts)} categories: {shown}{more}"


def _why_useless(name, column, present, kind, n_different):
    n_values = present.nunique()
    if n_values == 1 and (len(present) == len(column) or kind != CATEGORY):
        return "constant"
    if len(present) < 5 or kind in (DATE, YES_NO):
        return None
    if kind == NUMBER:
        if not _tells_rows_apart(column, present, n_different):
            return None
        counts = present.min() in (0, 1) and present.max() - present.min() == len(column) - 1
        if counts and present.is_monotonic_increasing:
            return "a number of the row"
        if _is_called_id(name):
            return "a number of the row, by its name and as it differs in every row"
    elif n_values == len(present):
        return "text that differs in every row"
    elif n_values > max(MAX_CATEGORIES, len(present) / 2):
        return "text that differs in most rows"
    return None


def _tells_rows_apart(column, present, n_different):
    """Whether a column has another whole number in every row."""
    return (
        len(present) == len(column) >= 5
        and n_different == len(present)
        and bool(np.all(present == np.round(present)))
    )


def _is_called_id(name):
    """Whether the name of a column says that it tells rows apart."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    if re.fullmatch(r"unnamed: \d+", name.lower()):
        return True
    if not words:
        return False
    return words[-1].lower() in ID_WORDS or words[-1].lower().endswith("nummer")


def sentinels(present, show="{:.6g}".format):
    """Remarks on values that are repeated and far from all others, as a list.

    Parameters
    ----------
    present : Series of float
        The values that are there.
    show : callable
        From a value to the text that shows it.
    """
    counts = present.value_counts().sort_index()
    values, times = counts.index.to_numpy(dtype=float), counts.to_numpy()
    found = []
    for low, high in ((1, 0), (2, 0), (0, 1), (0, 2), (1, 1)):
        n_others = len(values) - low - high
        if n_others < SENTINEL_OTHERS:
            continue
        kept = values[low : low + n_others]
        others = present[(present >= kept[0]) & (present <= kept[-1])]
        far = [place for place in range(len(values)) if not low <= place < low + n_others]
        if all(times[place] >= SENTINEL_TIMES and _is_far(values[place], others) for place in far):
            found.append([(values[place], times[place]) for place in far])
    if not found:
        return []
    apart = max(found, key=len)
    others = present[~present.isin([value for value, _ in apart])]
    return [
        f"{show(value)} occurs {number} times, far from the rest "
        f"({show(others.min())} to {show(others.max())}): say so if it stands for a missing "
        "value (na_values)"
        for value, number in apart
    ]


def _is_far(value, others):
    """Whether a value is far from all others, farther unless it looks like a mark as -999 does."""
    gap = np.abs(others - value).min()
    digits = {*f"{abs(value):g}"}
    is_mark = value == -1 or (len(digits) == 1 and digits <= {"9", "8", "7"})
    return gap > max(SENTINEL_APART * others.std(), 0.0 if is_mark else np.ptp(others))


def _notes_of(columns):
    """What was done to the columns, in lines."""
    dropped, remarks = {}, []
    for column in columns:
        if column.kind == DROPPED:
            dropped.setdefault(column.done[-1], []).append(column.name)
        if column.is_remarkable:
            said = column.done[:-1] if column.kind == DROPPED else column.done
            remarks += [f"{column.name!r}: {text}" for text in said]
    notes = [f"dropped {enumerate_names(names)}: {why}" for why, names in dropped.items()]
    notes += remarks[:MAX_REMARKS]
    if len(remarks) > MAX_REMARKS:
        notes.append(f"{len(remarks) - MAX_REMARKS} more remarks on columns are in the report")
    return notes


class TablePreparation:
    """Imputes, scales and encodes a table; what it learns comes from the rows of `fit`.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        The table, without its target.

    standardize : bool, default=True
        Whether numeric columns get mean 0 and variance 1.

    remarks : dict of str or None
        What reading the table from a file has done to single columns.
    """

    def __init__(self, frame, standardize=True, remarks=None):
        self.columns, self.notes = read_frame(frame, remarks)
        self.notes += _notes_of(self.columns)
        kept = [column for column in self.columns if column.kind != DROPPED]
        if not kept:
            reasons = "; ".join(self.notes) or "the table has no columns"
            raise ValueError(f"no usable column: {reasons}")
        numeric, categorical = (
            pd.DataFrame(
                {
                    column.name: column.values
                    for column in kept
                    if (column.kind == CATEGORY) == is_category
                },
                index=frame.index,
            )
            for is_category in (False, True)
        )
        self.numeric, self.categorical = list(numeric.columns), list(categorical.columns)
        self.frame = pd.concat([numeric, categorical.astype(object)], axis=1)
        self.notes += _describe(numeric, categorical, standardize)
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        self.transformer = ColumnTransformer(
            [
                (
                    "numeric",
                    make_pipeline(imputer, *([StandardScaler()] if standardize else [])),
                    list(numeric.columns),
                ),
                (
                    "categorical",
                    make_pipeline(
                        SimpleImputer(
                            strategy="constant", fill_value="(missing)", missing_values=None
                        ),
                        OneHotEncoder(
                            handle_unknown="infrequent_if_exist",
                            max_categories=MAX_CATEGORIES,
                            sparse_output=False,
                        ),
                    ),
                    list(categorical.columns),
                ),
            ],
            verbose_feature_names_out=False,
        )

    def transform(self, train):
        """All rows as a float64 matrix, and its feature names; learnt from `train` rows."""
        fitted = self.transformer.fit(self.frame.iloc[train])
        X = np.asarray(fitted.transform(self.frame), dtype=np.float64)
        return X, [str(name) for name in fitted.get_feature_names_out()]

    def units(self):
        """How each column stands in the matrix of the last `transform`: a list of `Unit`."""
        kinds = {column.name: column.kind for column in self.columns}
        fitted, units = self.transformer.named_transformers_, []
        if self.numeric:
            shifts, scales = _units_of(fitted["numeric"], len(self.numeric))
            for place, name in enumerate(self.numeric):
                units.append(Unit(name, kinds[name], [place], shifts[place], scales[place]))
        if self.categorical:
            encoder, first = fitted["categorical"][-1], len(units)
            for place, name in enumerate(self.categorical):
                categories = _categories(encoder, place)
                features = list(range(first, first + len(categories)))
                units.append(Unit(name, CATEGORY, features, categories=categories))
                first += len(categories)
        return units

    def values(self, unit, rows):
        """Values of a column in some rows, numbers or text."""
        return self.frame[unit.name].iloc[rows].to_numpy()


def _describe(numeric, categorical, standardize):
    notes = []
    if numeric.shape[1]:
        missing = int(numeric.isna().to_numpy().sum())
        filled = f"{missing} missing values imputed by the median" if missing else ""
        scaled = "standardised" if standardize else "as they are"
        notes.append(f"{_count(numeric)} {', '.join(filter(None, [filled, scaled]))}")
    if categorical.shape[1]:
        missing = int(categorical.isna().to_numpy().sum())
        own = f"; {missing} missing values are a category of their own" if missing else ""
        notes.append(
            f"{_count(categorical)} one-hot encoded, at most {MAX_CATEGORIES} categories each{own}"
        )
    if notes:
        notes.append("all of this is learnt from training rows only")
    return notes


def _count(frame):
    kind = "numeric" if frame.dtypes.iloc[0] == np.float64 else "categorical"
    return f"{frame.shape[1]} {kind} column{'s' if frame.shape[1] > 1 else ''}:"


class ArrayPreparation:
    """Imputes and scales a matrix where it is asked for; else passes it on as it is.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.

    standardize : bool, default=False
        Whether columns get mean 0 and variance 1.

    described : bool, default=False
        Whether the data set says itself how its values were scaled.
    """

    def __init__(self, X, standardize=False, described=False):
        if not X.shape[1]:
            raise ValueError("no usable column: the array has no columns")
        self.X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
        steps, self.notes, self.columns = [], [], []
        infinite = np.isinf(self.X)
        if infinite.any():
            self.X = np.where(infinite, np.nan, self.X)
            self.notes.append(f"{int(infinite.sum())} infinite values taken for missing")
        missing = np.isnan(self.X)
        empty = missing.all(axis=0)
        if empty.any():
            names = enumerate_names([int(place) for place in np.flatnonzero(empty)])
            self.notes.append(f"no values in column {names}: zero throughout")
        if empty.all() or np.all(self.X[:, ~empty] == self.X[0, ~empty]):
            raise ValueError("no usable column: all of them are constant")
        self.is_imputed = bool(missing.any())
        if self.is_imputed:
            steps.append(SimpleImputer(strategy="median", keep_empty_features=True))
            self.notes.append(f"{int(missing.sum())} missing values imputed by the median")
        if standardize:
            steps.append(StandardScaler())
            self.notes.append("columns standardised")
        elif not described:
            self.notes.append("values used as they are, not standardised")
        self.transformer = make_pipeline(*steps) if steps else None

    def transform(self, train):
        """All rows as a matrix and None for feature names; learnt from `train` rows."""
        if self.transformer is None:
            return self.X, None
        return self.transformer.fit(self.X[train]).transform(self.X), None

    def units(self):
        """How each column stands in the matrix of the last `transform`: a list of `Unit`."""
        n_features = self.X.shape[1]
        shifts, scales = _units_of(self.transformer, n_features)
        return [
            Unit(f"feature {place}", NUMBER, [place], shifts[place], scales[place])
            for place in range(n_features)
        ]

    def values(self, unit, rows):
        """Values of a column in some rows."""
        return self.X[rows, unit.features[0]]


def _units_of(pipeline, n_features):
    """What a pipeline that ends in a scaler, or does not, subtracts from columns and divides by."""
    if pipeline is not None and isinstance(pipeline[-1], StandardScaler):
        return pipeline[-1].mean_.tolist(), pipeline[-1].scale_.tolist()
    return [0.0] * n_features, [1.0] * n_features


def _categories(encoder, place):
    """What the features of a column stand for, rare categories together at the end."""
    rare = encoder.infrequent_categories_[place]
    rare = [] if rare is None else [str(value) for value in rare]
    kept = [str(value) for value in encoder.categories_[place] if str(value) not in rare]
    return [*kept, "(rare)"] if rare else kept


def prepare(data, scale):
    """The preparation of a `Dataset` that `scale` asks for."""
    if isinstance(data.X, pd.DataFrame):
        return TablePreparation(data.X, scale != "none", data.remarks)
    return ArrayPreparation(data.X, scale == "standard", described=bool(data.notes))
