"""What every part, a small holder of parameters, is asked."""

import math
from numbers import Integral

import numpy as np

from sklearn_ae.utils._sklearn import InvalidParameterError, validate_parameter_constraints


def check_parameters(part):
    """Check the parameters of a part against its ``_parameter_constraints``."""
    validate_parameter_constraints(
        part._parameter_constraints, part.get_params(deep=False), caller_name=type(part).__name__
    )


def check_integers(part, name, lengths, what):
    """Check that a parameter of a part is a sequence of positive integers."""
    given = getattr(part, name)
    values = tuple(given)
    long_enough = len(values) in lengths if lengths else values
    if not (long_enough and all(isinstance(v, Integral) and v > 0 for v in values)):
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(part).__name__} must be a sequence of positive "
            f"integers, {what}. Got {in_one_line(given)} instead."
        )


def check_instance(name, part):
    """Check that a part is an instance and not its class."""
    if isinstance(part, type):
        raise TypeError(
            f"{name} must be an instance; got the class {part.__name__}, use {part.__name__}(...)."
        )


def in_one_line(value):
    """The repr of a value without line breaks, for a message."""
    return " ".join(repr(value).split())


def is_ours(part):
    """Whether a part is one of this package, and not a user's."""
    return type(part).__module__.partition(".")[0] == "sklearn_ae"


def is_foreign(part):
    """Whether a part is a user's, or one of ours, or a list, that holds a user's."""
    if part is None or isinstance(part, str):
        return False
    if isinstance(part, (list, tuple)):
        return any(map(is_foreign, part))
    members = getattr(part, "_members", ())
    return not is_ours(part) or any(map(is_foreign, members))


def check_finite(X, otherwise):
    """Raise ValueError for what makes a result of X no number; ``otherwise`` where X has none.

    scikit-learn checks X itself, but for callers that have set ``assume_finite``.
    """
    if np.isnan(X).any():
        raise ValueError("Input X contains NaN.")
    if np.isinf(X).any():
        raise ValueError(f"Input X contains infinity or a value too large for {X.dtype!r}.")
    raise ValueError(otherwise)


def check_range(X, link, reason, input_name="X"):
    """Raise ValueError where a value of ``X`` lies outside the range of a link."""
    low, high = X.min(), X.max()
    if np.isnan(low):
        raise ValueError(f"Input {input_name} contains NaN.")
    if low >= link.low and high <= link.high:
        return
    if math.isinf(link.high):
        raise ValueError(
            f"{reason} needs values of {input_name} that are not negative, but the least is "
            f"{_exact(low, link.low)}."
        )
    raise ValueError(
        f"{reason} needs values of {input_name} in [0, 1], but they range from "
        f"{_exact(low, link.low)} to {_exact(high, link.high)}; rescale the features, for example "
        "with MinMaxScaler(clip=True), or pixels by dividing by 255."
    )


def _exact(value, limit):
    """A value with as many digits as tell it from a limit."""
    short = f"{value:.6g}"
    return short if value == limit or float(short) != limit else repr(float(value))


def check_groups(X, group_sizes, reason):
    """Raise ValueError where one-hot groups do not cover the columns of X or add up to one."""
    n_features = X.shape[1]
    if group_sizes is None:
        sizes = (n_features,)
    elif isinstance(group_sizes, Integral):
        sizes = (group_sizes,) * (n_features // group_sizes)
    else:
        sizes = tuple(group_sizes)
    if sum(sizes) != n_features or min(sizes, default=0) < 1:
        raise ValueError(
            f"group_sizes={group_sizes!r} must be positive and add up to the number of "
            f"features, but X has {n_features} features."
        )
    sums = np.add.reduceat(X, np.cumsum([0, *sizes[:-1]]), axis=1)
    worst = np.abs(sums - 1).max(initial=0.0)
    if worst > 1e-3:
        raise ValueError(
            f"{reason} needs one-hot groups that add up to one in every row, "
            f"but a group is off by {worst:.3g}; check group_sizes={group_sizes!r}."
        )
