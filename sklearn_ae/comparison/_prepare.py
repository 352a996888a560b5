"""How rows become numbers that a reducer can take, learnt from training rows only."""

import re

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_ae.comparison._data import MISSING_MARKS

MAX_CATEGORIES = 20


def clean_columns(frame):
    """Sort the columns of a table into numbers and categories, and drop the useless."""
    frame = frame.copy()
    frame.columns = [str(column) for column in frame.columns]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"column {twice!r} occurs more than once")
    numeric, categorical, dropped, notes = {}, {}, {}, []
    for name in frame.columns:
        column = _as_numbers(frame[name])
        is_number = types.is_float_dtype(column)
        present = column.dropna()
        if present.empty:
            raise ValueError(f"column {name!r} has no values: remove it")
        if is_number and np.isinf(present).any():
            raise ValueError(f"column {name!r} contains infinity")
        reason = _why_useless(name, column, present, is_number)
        if reason:
            dropped.setdefault(reason, []).append(name)
        elif is_number:
            numeric[name] = column.to_numpy(dtype=np.float64)
        else:
            categorical[name] = column.astype(object).where(column.notna(), None).astype(object)
    for reason, names in dropped.items():
        notes.append(f"dropped {_enumerate(names)}: {reason}")
    if not numeric and not categorical:
        reasons = "; ".join(notes) or "the table has no columns"
        raise ValueError(f"no usable column: {reasons}")
    numeric = pd.DataFrame(numeric, index=frame.index)
    return numeric, pd.DataFrame(categorical, index=frame.index, dtype=object), notes


def _as_numbers(column):
    """The column as float64 where it holds numbers or dates, else as it is."""
    if types.is_bool_dtype(column) or types.is_numeric_dtype(column):
        if types.is_complex_dtype(column):
            raise ValueError(f"column {column.name!r} holds complex numbers")
        return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index)
    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        start = column.min()
        return (column - start) / pd.Timedelta(days=1)
    if column.map(types.is_list_like).any():
        raise ValueError(f"column {column.name!r} holds lists: only numbers and text are read")
    text = column.astype(object).map(lambda value: value.strip() if _is_text(value) else value)
    text = text.mask(text.isin(MISSING_MARKS))
    try:
        return pd.to_numeric(text).astype(np.float64)
    except (ValueError, TypeError):
        return text.map(lambda value: value if pd.isna(value) else str(value))


def _is_text(value):
    return isinstance(value, str)


def _why_useless(name, column, present, is_number):
    n_values = present.nunique()
    if n_values == 1 and (len(present) == len(column) or is_number):
        return "constant"
    if len(present) < 5:
        return None
    if is_number:
        whole = n_values == len(column) and np.all(present == np.round(present))
        row_number = whole and present.max() - present.min() == len(column) - 1
        in_order = row_number and present.is_monotonic_increasing
        if in_order or (whole and re.search(r"(^|_|\b)(id|index)$|^unnamed: \d+$", name.lower())):
            return "a number of the row"
    elif n_values == len(present):
        return "text that differs in every row"
    elif n_values > max(MAX_CATEGORIES, len(present) / 2):
        return "text that differs in most rows"
    return None


def _enumerate(names, most=6):
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


class TablePreparation:
    """Imputes, scales and encodes a table; what it learns comes from the rows of `fit`.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        The table, without its target.

    standardize : bool, default=True
        Whether numeric columns get mean 0 and variance 1.
    """

    def __init__(self, frame, standardize=True):
        numeric, categorical, self.notes = clean_columns(frame)
        self.frame = pd.concat([numeric, categorical], axis=1)
        self.notes += _describe(numeric, categorical, standardize)
        scaler = StandardScaler() if standardize else FunctionTransformer()
        self.transformer = ColumnTransformer(
            [
                (
                    "numeric",
                    make_pipeline(
                        SimpleImputer(strategy="median", keep_empty_features=True), scaler
                    ),
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
        if np.isinf(self.X).any():
            raise ValueError("Input X contains infinity")
        missing = np.isnan(self.X)
        if missing.all(axis=0).any():
            raise ValueError(f"column {int(missing.all(axis=0).argmax())} has no values: remove it")
        if np.all(self.X == self.X[0]):
            raise ValueError("no usable column: all of them are constant")
        steps, self.notes = [], []
        if missing.any():
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


def prepare(data, scale):
    """The preparation of a `Dataset` that `scale` asks for."""
    if isinstance(data.X, pd.DataFrame):
        return TablePreparation(data.X, standardize=scale != "none")
    return ArrayPreparation(data.X, scale == "standard", described=bool(data.notes))
