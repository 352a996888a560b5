"""Reducers of dimension side by side: one call, one table, one report."""

from sklearn_ae.comparison._compare import compare
from sklearn_ae.comparison._data import load_data
from sklearn_ae.comparison._prepare import plain_columns
from sklearn_ae.comparison._reducers import DEFAULT_REDUCERS
from sklearn_ae.comparison._result import ComparisonResult

__all__ = ["DEFAULT_REDUCERS", "ComparisonResult", "compare", "load_data", "plain_columns"]
