"""scikit-learn's private or version-dependent pieces, behind one file."""

from contextlib import nullcontext

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    RealNotInt,
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

    class NoContext:
        """Stands in for the context of callbacks, of which there are none."""

        def subcontext(self, **parameters):
            """The same for a part of the fit."""
            return self

        def propagate_callback_context(self, estimator):
            """Hand nothing on."""
            return nullcontext()

        def call_on_fit_task_begin(self, **told):
            """Tell nobody."""

        call_on_fit_task_end = call_on_fit_task_begin

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin where it is not there."""

        def _init_callback_context(self, **parameters):
            return NoContext()

    def with_callbacks(method):
        """Leave the method as it is: this scikit-learn has no callbacks."""
        return method


def container_like(X, rows):
    """Put rows into a container such as another: a data frame where that is one."""
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
    "RealNotInt",
    "StrOptions",
    "check_sample_weight",
    "container_like",
    "fit_context",
    "get_output_config",
    "validate_parameter_constraints",
    "with_callbacks",
]
