"""scikit-learn's private or version-dependent pieces, behind one file."""

from numbers import Integral

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._set_output import ADAPTERS_MANAGER
from sklearn.utils._set_output import _get_output_config as get_output_config
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    SUPPORTS_CALLBACKS = True
except ImportError:  # scikit-learn < 1.9
    SUPPORTS_CALLBACKS = False

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin where it is not there."""

    def with_callbacks(method):
        """Leave the method as it is: this scikit-learn has no callbacks."""
        return method


def check_parameters(part):
    """Check the parameters of a part against its ``_parameter_constraints``.

    Parameters
    ----------
    part : BaseEstimator
        The part.

    Raises
    ------
    InvalidParameterError
        If a parameter is not valid.
    """
    validate_parameter_constraints(
        part._parameter_constraints, part.get_params(deep=False), caller_name=type(part).__name__
    )


def check_integers(part, name, lengths, what):
    """Check that a parameter of a part is a sequence of positive integers.

    Parameters
    ----------
    part : BaseEstimator
        The part.
    name : str
        Name of the parameter.
    lengths : sequence of int or None
        Lengths that it may have; None for any but zero.
    what : str
        What the integers are, for the message.

    Raises
    ------
    InvalidParameterError
        If it is not.
    """
    given = getattr(part, name)
    values = tuple(given)
    long_enough = len(values) in lengths if lengths else values
    if not (long_enough and all(isinstance(v, Integral) and v > 0 for v in values)):
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(part).__name__} must be a sequence of positive "
            f"integers, {what}. Got {in_one_line(given)} instead."
        )


def check_instance(name, part):
    """Check that a part is an instance and not its class.

    Parameters
    ----------
    name : str
        Name of the parameter.
    part : object
        The part.

    Raises
    ------
    TypeError
        If it is a class.
    """
    if isinstance(part, type):
        raise TypeError(
            f"{name} must be an instance; got the class {part.__name__}, use {part.__name__}(...)."
        )


def in_one_line(value):
    """The repr of a value without line breaks, for a message.

    Parameters
    ----------
    value : object
        The value, such as a torch module.

    Returns
    -------
    str
        Its repr.
    """
    return " ".join(repr(value).split())


def is_ours(part):
    """Whether a part is one of this package, and not a user's.

    Parameters
    ----------
    part : object
        The part.

    Returns
    -------
    bool
        Whether its class is ours.
    """
    return type(part).__module__.partition(".")[0] == "sklearn_ae"


def container_like(X, rows):
    """Put rows into a container such as another: a data frame where that is one.

    Parameters
    ----------
    X : array-like
        The other.
    rows : ndarray of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    ndarray or data frame
        The rows, with the columns of ``X``, and its index where it has one.
    """
    for adapter in ADAPTERS_MANAGER.adapters.values():
        library = type(X).__module__.partition(".")[0]
        if library == adapter.container_lib and adapter.is_supported_container(X):
            return adapter.create_container(rows, X, columns=X.columns)
    return rows


__all__ = [
    "SUPPORTS_CALLBACKS",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "check_instance",
    "check_integers",
    "check_parameters",
    "check_sample_weight",
    "container_like",
    "fit_context",
    "get_output_config",
    "in_one_line",
    "is_ours",
    "with_callbacks",
]
