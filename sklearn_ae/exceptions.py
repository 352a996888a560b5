"""Warnings of this package."""

__all__ = ["ThresholdWarning"]


class ThresholdWarning(UserWarning):
    """A threshold that does not say about new rows what its parameters suggest.

    Raised by `AutoencoderDetector.fit` where ``contamination`` would flag far more than that share
    of new rows, and where rows are too few, or all equal, to tell.
    """
