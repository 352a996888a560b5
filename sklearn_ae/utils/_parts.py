"""What every part, a small holder of parameters, is asked."""

from numbers import Integral

from sklearn_ae.utils._sklearn import InvalidParameterError, validate_parameter_constraints


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


def is_foreign(part):
    """Whether a part is a user's, or one of ours that holds a user's.

    Parameters
    ----------
    part : object
        The parameter of an estimator.

    Returns
    -------
    bool
        Whether it may draw from a global state.
    """
    if part is None or isinstance(part, str):
        return False
    members = getattr(part, "_members", ())
    return not is_ours(part) or any(is_foreign(member) for member in members)
