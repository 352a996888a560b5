"""Warnings that point at the line of the user's that caused them."""

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parents[1])
# Packages whose code stands between the user's and ours: decorators, pipelines, searches.
BETWEEN = ("sklearn", "joblib", "contextlib", "torch")


def warn_user(message, category=UserWarning):
    """Warn at the innermost line that is neither of this package nor of what calls it for users."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_inner(frame.f_back):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level + 1)


def _is_inner(frame):
    """Whether a frame is of this package or of one that stands between."""
    name = frame.f_globals.get("__name__", "").partition(".")[0]
    return name in BETWEEN or frame.f_code.co_filename.startswith(PACKAGE)
