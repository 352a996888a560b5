"""Public methods that several estimators share: codes out, data back."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._compute import make_generator, slices
from sklearn_ae._fitting.branches import has_positions, image_shape_of
from sklearn_ae._fitting.layers import decoder_layers
from sklearn_ae.estimators._base import check_weights
from sklearn_ae.utils._images import flatten_images
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._seeds import draw_seed
from sklearn_ae.utils._sparse import as_array
from sklearn_ae.utils._typing import MatrixLike, RandomState


class LatentTransformerMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """`transform` to the code."""

    @property
    def _n_features_out(self):
        return self.n_components_

    def transform(self, X: MatrixLike) -> NDArray[Any]:
        """Encode ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, or images as in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes, float32 where ``X`` is, else float64.
        """
        X = self._checked(X)
        return self._fitted.encode(X, self._device())


class ReconstructionMixin:
    """From codes back to data, and what is lost on the way."""

    def inverse_transform(self, Z: ArrayLike) -> NDArray[Any]:
        """Decode codes.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Codes, as `transform` gives them.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Data in the units of the training data; of the images' shape where `fit` saw such.

        Raises
        ------
        ValueError
            If the width of ``Z`` is not ``n_components_``.
        """
        Z = self._check_codes(Z)
        return self._like_fitted(self._fitted.decode(Z, self._device()))

    def decoder_layers(self) -> list[dict[str, Any]]:
        """List the layers of the decoder as arrays, to run it without torch.

        Returns
        -------
        layers : list of dict
            Each takes the output of the one before, the first a code as `transform` gives it; the
            last gives data as `inverse_transform` does, images as flat rows, channels first.
            ``"kind"`` is one of

            - ``"dense"``: ``weight`` (n_outputs, n_inputs) ``@ x + bias``;
            - ``"scale"``: ``x * factor + shift``, numbers or one for each value;
            - ``"activation"``: ``function``, a name as in ``activation``, or ``"exp"``;
            - ``"softmax"``: within groups of ``group_sizes``, an int, a list or None for one group;
            - ``"sum"``: the sum of what the ``paths``, each a list of layers, make of ``x``;
            - ``"limits"``: with ``c`` the value clipped to ``lower`` and ``upper``, ``c + slope *
              (x - c)``, and a slope of 1 farther out than these are apart;
            - ``"convolution"`` and ``"transposed_convolution"``, with ``weight`` and ``bias`` as
              torch has them, ``stride`` and ``padding`` (height, width); ``"pad"`` with zeros,
              ``padding`` ((top, bottom), (left, right)); ``"nearest"``, which repeats values. All
              of them have ``input_shape`` (channels, height, width), and all but ``"pad"``
              ``output_shape``.

        Raises
        ------
        ValueError
            If the decoder has other layers, as a network of your own may.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_ae import Autoencoder
        >>> autoencoder = Autoencoder(max_iter=0).fit(load_iris().data)
        >>> [layer["kind"] for layer in autoencoder.decoder_layers()]
        ['scale', 'dense', 'scale']
        """
        check_is_fitted(self)
        return decoder_layers(self._fitted)

    def _check_codes(self, Z):
        """Checked codes."""
        check_is_fitted(self)
        Z = check_array(Z, dtype=[np.float64, np.float32], input_name="Z", order="C")
        if Z.shape[1] != self.n_components_:
            raise ValueError(
                f"Z has {Z.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_components_} components as input."
            )
        return Z

    def reconstruct(self, X: MatrixLike, *, positions: bool = False) -> NDArray[Any]:
        """Encode and decode ``X``: ``inverse_transform(transform(X))`` in one pass.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, or images as in `fit`.

        positions : bool, default=False
            Whether the decoder is also told where max pooling took its values: more than the
            code alone, so that the result is not what `inverse_transform` gives. Only with
            ``Convolutional(upsampling="max_unpool")``.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            Reconstructions, float32 where ``X`` is, else float64; of the images' shape where
            `fit` saw such.

        Raises
        ------
        ValueError
            If ``positions=True`` and the architecture has none.
        """
        X = self._checked(X)
        architecture = self._fitted.blueprint.architecture
        if positions and not has_positions(architecture):
            raise ValueError(
                "positions=True needs an architecture whose decoder takes positions, "
                "Convolutional(downsampling='max_pool', upsampling='max_unpool'); got "
                f"architecture={in_one_line(architecture)}."
            )
        rows = self._fitted.reconstruct(X, self._device(), positions)
        return self._like_fitted(rows.astype(X.dtype, copy=False))

    def reconstruction_error(self, X: MatrixLike) -> NDArray[Any]:
        """Error of each row, in the units of the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, or images as in `fit`.

        Returns
        -------
        errors : ndarray of shape (n_samples,)
            Sum over features of the squared error, the absolute error, Huber's loss (with
            ``delta * scale_``) or the cross entropy, by the loss or likelihood; float64.
        """
        X = self._checked(X, to_score=True)
        return self._fitted.row_errors(X, self._device())


class GenerativeMixin:
    """Draws: of data from the prior, of codes from the posterior."""

    def sample(
        self,
        n_samples: int = 1,
        random_state: RandomState = None,
        *,
        observation_noise: bool = True,
    ) -> NDArray[Any]:
        """Draw data from the model.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        observation_noise : bool, default=True
            Whether data are drawn from p(x | z), or its mean is returned.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Data in the units of the training data, float64; of the images' shape where `fit`
            saw such.
        """
        check_is_fitted(self)
        check_n_samples(n_samples)
        device = self._device()
        generator = make_generator(draw_seed(random_state), device)
        decoded = self._fitted.sample(n_samples, generator, device, observation_noise)
        return self._like_fitted(decoded)

    def encode_distribution(self, X: MatrixLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and standard deviation of the posterior q(z | x).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, or images as in `fit`.

        Returns
        -------
        mean, std : ndarrays of shape (n_samples, n_components)
            Parameters of the normal distribution; the mean is what `transform` returns.
        """
        X = self._checked(X)

        def function(task, x):
            mean, log_variance = task.network.encode_distribution(x)
            return mean, torch.exp(0.5 * log_variance)

        mean, std = self._fitted.map(X, function, self._device())
        return mean.astype(X.dtype, copy=False), std.astype(X.dtype, copy=False)

    def sample_posterior(
        self, X: MatrixLike, n_samples: int = 1, random_state: RandomState = None
    ) -> NDArray[Any]:
        """Draw codes from the posterior of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, or images as in `fit`.

        n_samples : int, default=1
            Draws per row.

        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_rows, n_components)
            Codes.
        """
        check_n_samples(n_samples)
        mean, std = self.encode_distribution(X)
        shape = (n_samples, *mean.shape)
        noise = torch.empty(shape, dtype=torch.float64, device="cpu").normal_(
            generator=make_generator(draw_seed(random_state))
        )
        return mean + std * noise.numpy().astype(mean.dtype)

    def interpolate(self, start: ArrayLike, end: ArrayLike, n_steps: int = 10) -> NDArray[Any]:
        """Decode a straight line between the codes of two rows.

        Parameters
        ----------
        start, end : array-like of shape (n_features,)
            Two rows, or images.

        n_steps : int, default=10
            Points on the line, both ends included.

        Returns
        -------
        X : ndarray of shape (n_steps, n_features)
            Decoded points, from the reconstruction of ``start`` to that of ``end``; of the
            images' shape where `fit` saw such.
        """
        check_n_samples(n_steps, "n_steps")
        check_is_fitted(self)
        shape = image_shape_of(self._fitted.blueprint.architecture)
        ends = [as_array(row) for row in (start, end)]
        ends = [row if row.ndim > 1 and len(row) == 1 else row[None] for row in ends]
        ends = [flatten_images(row, shape)[0].ravel() for row in ends]
        for name, row in zip(("start", "end"), ends, strict=True):
            if len(row) != self.n_features_in_:
                raise ValueError(
                    f"{name} has {len(row)} features, but {type(self).__name__} is expecting "
                    f"{self.n_features_in_} features as input."
                )
        ends = check_array(np.vstack(ends), dtype=[np.float64, np.float32])
        device = self._device()
        codes = self._fitted.encode(ends, device)
        share = np.linspace(0.0, 1.0, n_steps)[:, None].astype(codes.dtype)
        line = (1.0 - share) * codes[0] + share * codes[1]
        return self._like_fitted(self._fitted.decode(line, device))


def check_n_samples(n_samples, name="n_samples"):
    """Raise where a number is no positive int."""
    if isinstance(n_samples, (bool, np.bool_)):
        raise TypeError(f"{name} must be an instance of int, not bool.")
    check_scalar(n_samples, name, Integral, min_val=1)


def explained_variance(X, predict, mean, sample_weight=None):
    """One minus the share of the variance of rows about a mean that is lost; 1 for 0/0.

    ``predict(part)`` gives what was made for a slice of the rows.
    """
    weight = None
    if sample_weight is not None:
        weight = check_weights(sample_weight, X)
    lost = total = 0.0
    for part in slices(len(X), X.shape[1]):
        rows = X[part].astype(np.float64, copy=False)
        share = 1.0 if weight is None else weight[part, None]
        lost += float((share * (rows - predict(part)) ** 2).sum())
        total += float((share * (rows - mean) ** 2).sum())
    if total == 0:
        return 1.0 if lost == 0 else -math.inf
    return 1.0 - lost / total
