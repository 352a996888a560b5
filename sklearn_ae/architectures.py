"""Architectures: what stands for the encoder and the decoder.

An architecture is ``"dense"``, a `Convolutional` or a function
``(n_features, n_components) -> (encoder, decoder)`` of the user's that returns two torch modules,
from (n, n_features) to (n, n_components) and back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal

from sklearn.base import BaseEstimator

from sklearn_ae._compute import warn_user
from sklearn_ae.utils._images import IMAGE_SHAPE
from sklearn_ae.utils._parts import check_integers, check_parameters
from sklearn_ae.utils._sklearn import Interval, InvalidParameterError, StrOptions

__all__ = ["Convolutional"]


class Convolutional(BaseEstimator):
    """Convolutional layers for images.

    Each entry of ``channels`` is a level: a convolution and the activation, with height and
    width halved, rounded up. The decoder mirrors the encoder and gives back exactly the size of
    the image, odd ones too. The estimator's ``hidden_layer_sizes`` are dense layers between the
    last level and the code, its ``activation`` stands behind every layer but the last.

    Parameters
    ----------
    image_shape : tuple of int
        (channels, height, width), or (height, width) for one channel. ``X`` has
        channels * height * width features in that order, or is a stack of such images.

    channels : tuple of int, default=(32, 64)
        Channels of each level of the encoder.

    kernel_size : int, default=3
        Height and width of the kernels.

    downsampling : {"stride", "max_pool", "average_pool"}, default="stride"
        How a level halves: every second place of the convolution, or the largest or the mean
        value of each 2 x 2 window behind it.

    upsampling : {"transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool"}, \
            default="transpose"
        How a level of the decoder doubles M rows (or columns): by a transposed convolution,
        whose output has ``2 * (M - 1) + kernel_size - 2 * padding`` of them, plus one where
        that is needed; or by repeating values, by interpolation, by putting each value at the
        upper left of its window with zeros around it, or at the place where max pooling took
        it, each with a convolution behind it. "max_unpool" needs
        ``downsampling="max_pool"``. Positions are a second code that `inverse_transform` does
        not have: an autoencoder is trained with them on half of the rows of each batch (rounded
        down), with the upper left on the others, and uses them in
        ``reconstruct(X, positions=True)`` only.

    normalization : {None, "batch", "group"}, default=None
        Layer between convolution and activation: batch normalisation, or group normalisation
        with 8 groups of channels, or fewer where their number is not a multiple of 8.

    See Also
    --------
    sklearn_ae.Autoencoder : Takes it as ``architecture``.
    sklearn_ae.corruptions.Occlusion : Covers patches of images.

    References
    ----------
    .. [1] M. D. Zeiler, G. W. Taylor and R. Fergus, "Adaptive deconvolutional networks for mid
       and high level feature learning", ICCV 2011, :doi:`10.1109/ICCV.2011.6126474`.
    .. [2] V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning",
       2016, :arxiv:`1603.07285`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.architectures import Convolutional
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = Autoencoder(
    ...     8, architecture=Convolutional((8, 8)), max_iter=1, random_state=0
    ... )
    >>> autoencoder.fit(X.reshape(-1, 8, 8)).reconstruct(X[:3]).shape
    (3, 8, 8)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "image_shape": ["array-like"],
        "channels": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "downsampling": [StrOptions({"stride", "max_pool", "average_pool"})],
        "upsampling": [
            StrOptions({"transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool"})
        ],
        "normalization": [StrOptions({"batch", "group"}), None],
    }

    def __init__(
        self,
        image_shape: tuple[int, ...],
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 3,
        downsampling: Literal["stride", "max_pool", "average_pool"] = "stride",
        upsampling: Literal[
            "transpose", "nearest", "bilinear", "bed_of_nails", "max_unpool"
        ] = "transpose",
        normalization: Literal["batch", "group"] | None = None,
    ) -> None:
        self.image_shape = image_shape
        self.channels = channels
        self.kernel_size = kernel_size
        self.downsampling = downsampling
        self.upsampling = upsampling
        self.normalization = normalization

    @property
    def has_positions(self) -> bool:
        """Whether the decoder can use where the encoder's pooling took its values."""
        return self.upsampling == "max_unpool"

    def check(self, n_features: int | None = None) -> None:
        """Check the parameters, against each other and against the width of the data.

        Parameters
        ----------
        n_features : int or None, default=None
            Width of the data; None where it is not known yet.

        Raises
        ------
        InvalidParameterError
            If a parameter is not valid.
        ValueError
            If the images have another width than the data.
        """
        check_parameters(self)
        check_integers(self, "image_shape", *IMAGE_SHAPE)
        check_integers(self, "channels", None, "at least one")
        if self.has_positions and self.downsampling != "max_pool":
            raise InvalidParameterError(
                "upsampling='max_unpool' puts values back where max pooling took them, so it "
                f"needs downsampling='max_pool'. Got {self.downsampling!r} instead."
            )
        if n_features not in (None, math.prod(self.image_shape)):
            raise ValueError(
                f"image_shape={tuple(self.image_shape)} has {math.prod(self.image_shape)} "
                f"values, but X has {n_features} features."
            )
        if n_features is not None and _looks_channels_last(self.image_shape):
            warn_user(
                f"image_shape={tuple(self.image_shape)} is taken as {self.image_shape[0]} channels "
                f"of {self.image_shape[1]} x {self.image_shape[2]}. Images with the channels last "
                "are to be given as np.moveaxis(X, -1, 1), with the channels first in image_shape."
            )


def _looks_channels_last(image_shape):
    """Whether a shape reads as (height, width, 3 or 4 colours)."""
    return len(image_shape) == 3 and image_shape[-1] in (3, 4) and image_shape[0] > 4
