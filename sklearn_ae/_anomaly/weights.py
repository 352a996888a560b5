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


class Sorted:
    """Values in rising order over the first axis, those of rows repeated by their weights.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
        One value or several for each row.
    weight : ndarray of shape (n_rows,) or None
        Positive weights.
    """

    def __init__(self, values, weight=None):
        self.total = total_of(weight, len(values))
        if weight is None:
            # a partition is far slower where many values are equal
            self.values, self.sums = np.sort(values, axis=0), None
        else:
            order = np.argsort(values, axis=0, kind="stable")
            self.values = np.take_along_axis(values, order, axis=0)
            self.sums = np.cumsum(repeats(weight)[order], axis=0)

    def at(self, place):
        """Value at a place, from 0 on, of shape (...)."""
        if self.sums is None:
            return self.values[int(place)]
        # a little more, as sums of weights are inexact
        before = (self.sums <= place * (1 + 1e-12)).sum(axis=0, keepdims=True)
        index = np.minimum(before, len(self.values) - 1)
        return np.take_along_axis(self.values, index, axis=0)[0]

    def quantile(self, share, method="linear"):
        """Quantile of the values, of shape (...).

        Parameters
        ----------
        share : float
            Share of the rows below.
        method : {"linear", "lower", "higher"}
            What is taken between two values, as in `numpy.quantile`.
        """
        place = share * (self.total - 1)
        if method == "lower":
            return self.at(np.floor(place))
        upper = self.at(np.ceil(place))
        between = place - np.floor(place)
        if method == "higher" or between == 0:
            return upper
        # no difference, which may be too large a number
        return (1 - between) * self.at(np.floor(place)) + between * upper


def quantile(values, share, weight=None, method="linear"):
    """Quantile of values over the first axis; see `Sorted`."""
    return Sorted(values, weight).quantile(share, method)


def value_at(values, place, weight=None):
    """Value at a place, from 0 on, of the sorted values; see `Sorted`."""
    return Sorted(values, weight).at(place)


def median(values, weight=None):
    """Median over the first axis, of shape (...) for values of shape (n_rows, ...)."""
    return quantile(values, 0.5, weight)
