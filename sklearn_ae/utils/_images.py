"""Images as rows of a table, and back."""

import math

import numpy as np

# Lengths of an image_shape, and how they are described.
IMAGE_SHAPE = (2, 3), "(channels, height, width) or (height, width)"


def full_shape(image_shape):
    """Channels, height and width of ``image_shape``, which may leave out one channel."""
    return (1, *image_shape) if len(image_shape) == 2 else tuple(image_shape)


def flatten_images(X, image_shape, input_name="X"):
    """Turn a stack of images into a table; a table is handed back as it is."""
    if image_shape is None:
        return X, None
    if isinstance(X, (list, tuple)):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of unequal length: scikit-learn says so
            return X, None
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) < 3:
        return X, None
    if full_shape(shape[1:]) != full_shape(image_shape):
        raise ValueError(
            f"{input_name} has shape {shape}, but image_shape={tuple(image_shape)} needs images "
            f"of shape (n, {', '.join(map(str, image_shape))}) or a table of "
            f"{math.prod(image_shape)} features."
        )
    return np.reshape(np.asarray(X), (shape[0], math.prod(shape[1:]))), shape[1:]
