"""Statistics of weighted rows, as if each were given as often as its weight says."""

import numpy as np


def repeats(weight):
    """Weights that add up to the number of rows at least: lower ones are taken as relative."""
    if weight.sum() >= len(weight):
        return weight
    relative = weight / weight.max()
    return relative * (len(weight) / relative.sum())


def of_part(weight, part):
    """Weights of some rows; None where all rows count alike."""
    return None if weight is None else weight[part]


def mean_of(values, weight=None):
    """Mean over the first axis, of shape (...); of booleans the share of the rows."""
    return values.mean(axis=0) if weight is None else np.average(values, axis=0, weights=weight)


def total_of(weight, n_rows):
    """How many rows a table stands for."""
    return float(n_rows if weight is None else repeats(weight).sum())


def quantile(values, share, weight=None, method="linear"):
    """Quantile of values over the first axis, that of repeated values where they are weighted.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
        One value or several for each row.
    share : float
        Share of the rows below.
    weight : ndarray of shape (n_rows,) or None
        Positive weights.
    method : {"linear", "lower", "higher"}
        What is taken between two values, as in `numpy.quantile`.
    """
    place = share * (total_of(weight, len(values)) - 1)
    if method == "lower":
        return value_at(values, np.floor(place), weight)
    upper = value_at(values, np.ceil(place), weight)
    between = place - np.floor(place)
    if method == "higher" or between == 0:
        return upper
    # no difference, which may be too large a number
    return (1 - between) * value_at(values, np.floor(place), weight) + between * upper


def value_at(values, place, weight=None):
    """Value at a place, from 0 on, of the sorted values, those of rows repeated by their weights.

    The result has the shape of ``values`` without the first axis.
    """
    if weight is None:
        # a partition is far slower where many values are equal
        return np.sort(values, axis=0)[int(place)]
    order = np.argsort(values, axis=0, kind="stable")
    # a little more, as sums of weights are inexact
    before = np.cumsum(repeats(weight)[order], axis=0) <= place * (1 + 1e-12)
    index = np.minimum(before.sum(axis=0, keepdims=True), len(values) - 1)
    return np.take_along_axis(values, np.take_along_axis(order, index, axis=0), axis=0)[0]


def median(values, weight=None):
    """Median over the first axis, of shape (...) for values of shape (n_rows, ...)."""
    return quantile(values, 0.5, weight)
