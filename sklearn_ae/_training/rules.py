"""The rules behind ``batch_size="auto"`` and ``max_iter="auto"``."""

import math

LARGEST_BATCH = 256
SMALLEST_BATCH = 16
MOST_STEPS = 20_000
MOST_EPOCHS = 200


def auto_batch_size(n_samples):
    """Rows per step: an eighth of the rows, as a power of two between 16 and 256.

    Parameters
    ----------
    n_samples : int
        Rows trained on.

    Returns
    -------
    int
        The batch size.
    """
    power = 2 ** round(math.log2(max(n_samples, 1) / 8)) if n_samples > 8 else 1
    return int(min(max(power, SMALLEST_BATCH), LARGEST_BATCH))


def auto_max_iter(n_samples, batch_size):
    """Epochs: as many as make 20000 steps, at most 200 and at least 1.

    Parameters
    ----------
    n_samples : int
        Rows trained on.
    batch_size : int
        Rows per step.

    Returns
    -------
    int
        The number of epochs.
    """
    steps_per_epoch = max(1, n_samples // batch_size)
    return min(max(1, round(MOST_STEPS / steps_per_epoch)), MOST_EPOCHS)
