"""What estimators have in common: codes out, data back."""

import math
import warnings
from numbers import Integral

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ae._compute import in_chunks, make_generator, resolve_device, supports_float64
from sklearn_ae._state import (
    Frame,
    add_format,
    cached_module,
    check_format,
    load_arrays,
    runtime_of,
)
from sklearn_ae.architectures import has_positions, image_shape_of, numbers_per_row
from sklearn_ae.utils._images import flatten_images
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._pca_start import scale_rows
from sklearn_ae.utils._seeds import draw_seed
from sklearn_ae.utils._sklearn import check_sample_weight


class PackageMixin:
    """Of every estimator: parts' parameters, a link to its page, versions in what is saved."""

    _doc_link_module = "sklearn_ae"
    _doc_link_template = (
        "https://sklearn-ae.readthedocs.io/en/stable/api/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    def _doc_link_url_param_generator(self):
        return {"estimator_module": "sklearn_ae", "estimator_name": type(self).__name__}

    def set_params(self, **params):
        """Set parameters of the estimator, and of its parts as ``part__name``.

        Parameters
        ----------
        **params : dict
            Parameters.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If a parameter is unknown, or belongs to a part that is a string or None.
        """
        for name in params:
            part, nested, inner = name.partition("__")
            held = params.get(part, getattr(self, part, None))
            if nested and part in self._parameter_constraints and not hasattr(held, "set_params"):
                raise ValueError(
                    f"{name} cannot be set because {part}={in_one_line(held)} has no parameters; "
                    f"pass an instance as {part} to set {inner!r}."
                )
        return super().set_params(**params)

    def __getstate__(self):
        return add_format(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(check_format(state, type(self).__name__))


class FittedNetworkMixin:
    """From the arrays of a fitted estimator to a module, and rows through it."""

    def _table_for_network(self, X, frame, dtype):
        """Rows as the network takes them: a new array, centred and scaled unless bounded."""
        table = np.empty(X.shape, dtype=dtype)
        if frame.config["bounded"]:
            table[:] = X
        else:
            scale_rows(X, frame.moments, table)
        if not np.isfinite(table).all():
            raise ValueError(
                "Input X contains values that are too large once centred and scaled for "
                f"{np.dtype(dtype)}."
            )
        return table

    def _inference_device(self):
        try:
            return resolve_device(self.device)
        except ValueError as error:
            warnings.warn(f"{error} Inference runs on the CPU.", UserWarning, stacklevel=3)
            return torch.device("cpu")

    def _fitted_task(self, dtype):
        """Task in evaluation mode on the device, and its dtype."""
        check_is_fitted(self, "_weights")
        device = self._inference_device()
        double = dtype == np.float64 and supports_float64(device)
        torch_dtype = torch.float64 if double else torch.float32

        def make():
            task = self._make_task(self._config, Frame.of(self).moments).double()
            load_arrays(task, self._weights)
            return task.to(device=device, dtype=torch_dtype).eval().requires_grad_(False)

        return cached_module(self, (str(device), torch_dtype), make), device, torch_dtype

    def _map_rows(self, X, function, n_draws=1):
        """Apply ``function(task, x)`` to chunks of rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Validated rows.
        function : callable
            Gives a tuple of tensors whose first dimension is that of the rows.
        n_draws : int, default=1
            Codes of a row that are decoded together.

        Returns
        -------
        list of ndarray
            One array for each entry of the tuple.
        """
        task, device, dtype = self._fitted_task(X.dtype)
        frame = Frame.of(self)
        numpy_dtype = np.float64 if dtype == torch.float64 else np.float32

        def chunk(start, stop):
            rows = self._table_for_network(X[start:stop], frame, numpy_dtype)
            with torch.no_grad():
                results = function(task, torch.from_numpy(rows).to(device))
            return [tensor.cpu().numpy() for tensor in results]

        chunks = in_chunks(chunk, len(X), n_draws * numbers_per_row(self._config))
        return [np.concatenate(arrays) for arrays in zip(*chunks, strict=True)]

    def _check_rows(self, X):
        check_is_fitted(self, "_weights")
        X, _ = flatten_images(X, image_shape_of(self._config["architecture"]))
        return validate_data(self, X, dtype=[np.float64, np.float32], order="C", reset=False)

    def _like_fitted(self, rows):
        """Rows in the shape of those that `fit` saw."""
        return rows if self._row_shape is None else rows.reshape(len(rows), *self._row_shape)

    def _explained_variance(self, X, predict, sample_weight=None):
        """One minus the share of the variance about the training mean that is lost.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The rows to be met.
        predict : callable
            ``(start, stop)`` to what was made for these rows.
        sample_weight : array-like or None, default=None
            Weights of the rows.

        Returns
        -------
        float
            1 where both sums are zero.
        """
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, dtype=np.float64)
        lost = total = 0.0

        def chunk(start, stop):
            nonlocal lost, total
            rows = X[start:stop].astype(np.float64, copy=False)
            share = 1.0 if weight is None else weight[start:stop, None]
            lost += float((share * (rows - predict(start, stop)) ** 2).sum())
            total += float((share * (rows - self.mean_) ** 2).sum())

        in_chunks(chunk, len(X), self.n_features_in_)
        if total == 0:
            return 1.0 if lost == 0 else -math.inf
        return 1.0 - lost / total

    def _data_from_network(self, output):
        """Outputs of the network in the units of the data, computed in float64."""
        if self._config["bounded"]:
            return output
        return output.astype(np.float64) * self.scale_ + self.mean_

    @property
    def network_(self):
        """The fitted network, a `torch.nn.Module` on the CPU, built anew at each access."""
        if not hasattr(self, "_weights"):
            raise AttributeError(f"{type(self).__name__} has no network_ before fit.")
        task = self._make_task(self._config, Frame.of(self).moments).double()
        load_arrays(task, self._weights)
        return task.float().eval().network

    @property
    def net_(self):
        """The skorch net that was trained; not available after loading."""
        net = runtime_of(self).net if hasattr(self, "_weights") else None
        if net is None:
            raise AttributeError(
                f"This {type(self).__name__} holds no skorch net: it was not fitted in this "
                "process. history_ and network_ are kept."
            )
        return net


class LatentTransformerMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """`transform` to the code, in the units of the estimator's `_code_scale`."""

    @property
    def _n_features_out(self):
        return self.n_components_

    def transform(self, X):
        """Encode ``X``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, or images as in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes, float32 where ``X`` is, else float64.
        """
        X = self._check_rows(X)
        (code,) = self._map_rows(X, lambda task, x: (task.network.encode(x)[0],))
        return self._code_to_user(code).astype(X.dtype, copy=False)

    def _code_to_user(self, code):
        return code

    def _code_from_user(self, code):
        return code


class ReconstructionMixin:
    """From codes back to data, and what is lost on the way."""

    def inverse_transform(self, Z):
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
        task, device, dtype = self._fitted_task(Z.dtype)
        codes = self._code_from_user(Z)
        decoded = np.empty((len(Z), self.n_features_in_), dtype=Z.dtype)

        def chunk(start, stop):
            code = torch.as_tensor(codes[start:stop]).to(device=device, dtype=dtype)
            with torch.no_grad():
                output = task.expected(task.network.decode(code)).cpu().numpy()
            decoded[start:stop] = self._data_from_network(output)

        in_chunks(chunk, len(Z), numbers_per_row(self._config))
        return self._like_fitted(decoded)

    def _check_codes(self, Z):
        check_is_fitted(self, "_weights")
        Z = check_array(Z, dtype=[np.float64, np.float32], input_name="Z", order="C")
        if Z.shape[1] != self.n_components_:
            raise ValueError(
                f"Z has {Z.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_components_} components as input."
            )
        return Z

    def reconstruct(self, X, *, positions=False):
        """Encode and decode ``X``: ``inverse_transform(transform(X))`` in one pass.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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
        X = self._check_rows(X)
        if positions and not has_positions(self._config["architecture"]):
            raise ValueError(
                "positions=True needs an architecture whose decoder takes positions, "
                "Convolutional(downsampling='max_pool', upsampling='max_unpool'); got "
                f"architecture={in_one_line(self._config['architecture'])}."
            )
        rows = self._reconstruct(X, positions).astype(X.dtype, copy=False)
        return self._like_fitted(rows)

    def _reconstruct(self, X, positions=False):
        def function(task, x):
            code, state = task.network.encode(x)
            return (task.expected(task.network.decode(code, state if positions else None)),)

        (output,) = self._map_rows(X, function)
        return self._data_from_network(output)

    def _decomposed(self, X):
        """What is left over of each row and what is not, in the units of the data, and its code."""

        def function(task, x):
            code, _ = task.network.encode(x)
            return code, task.expected(task.network.decode(code))

        code, output = self._map_rows(X, function)
        output = self._data_from_network(output)
        return X - output, output, self._code_to_user(code)

    def _pull_back(self, X, weigh):
        """Gradient over the rows of a function of their errors and outputs.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Validated rows.
        weigh : callable
            From errors and outputs to the function's gradients over these.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The gradients, in the units of the data.
        """
        # rows and outputs have one unit, so that the derivative of one over the other has none
        scale = 1.0 if self._config["bounded"] else self.scale_

        def function(task, x):
            with torch.enable_grad():
                x = x.clone().requires_grad_()
                output = task.expected(task.network(x))
            left, outputs = (t.detach().cpu().double().numpy() for t in (x - output, output))
            over_errors, over_outputs = weigh(scale * left, self._data_from_network(outputs))
            # an error is the row less the output
            over = torch.from_numpy(over_outputs - over_errors).to(x)
            (gradient,) = torch.autograd.grad(output, x, over)
            return (gradient + torch.from_numpy(over_errors).to(x),)

        (gradient,) = self._map_rows(X, function)
        return gradient.astype(np.float64, copy=False)

    def reconstruction_error(self, X):
        """Error of each row, in the units of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, or images as in `fit`.

        Returns
        -------
        errors : ndarray of shape (n_samples,)
            Sum over features of the squared error, the absolute error, Huber's loss (with
            ``delta * scale_``) or the cross entropy, by the loss or likelihood; float64.
        """
        X = self._check_rows(X)

        def function(task, x):
            return (task.row_error(task.network(x), x).double(),)

        (errors,) = self._map_rows(X, function)
        return errors * self.scale_ ** self._config["error_power"]


class GenerativeMixin:
    """Draws: of data from the prior, of codes from the posterior."""

    def sample(self, n_samples=1, random_state=None, *, observation_noise=True):
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
        check_n_samples(n_samples)
        task, device, dtype = self._fitted_task(np.dtype(np.float64))
        generator = make_generator(draw_seed(random_state), device)
        decoded = np.empty((n_samples, self.n_features_in_))

        def chunk(start, stop):
            shape = (stop - start, self.n_components_)
            code = torch.empty(shape, dtype=dtype, device=device).normal_(generator=generator)
            with torch.no_grad():
                output = task.network.decode(code)
                if observation_noise:
                    data = task.likelihood.sample(output, generator)
                else:
                    data = task.expected(output)
            decoded[start:stop] = self._data_from_network(data.cpu().numpy())

        in_chunks(chunk, n_samples, numbers_per_row(self._config))
        return self._like_fitted(decoded)

    def encode_distribution(self, X):
        """Mean and standard deviation of the posterior q(z | x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, or images as in `fit`.

        Returns
        -------
        mean, std : ndarrays of shape (n_samples, n_components)
            Parameters of the normal distribution; the mean is what `transform` returns.
        """
        X = self._check_rows(X)

        def function(task, x):
            mean, log_variance = task.network.encode_distribution(x)
            return mean, torch.exp(0.5 * log_variance)

        mean, std = self._map_rows(X, function)
        return mean.astype(X.dtype, copy=False), std.astype(X.dtype, copy=False)

    def sample_posterior(self, X, n_samples=1, random_state=None):
        """Draw codes from the posterior of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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
        noise = torch.empty(shape, dtype=torch.float64).normal_(
            generator=make_generator(draw_seed(random_state))
        )
        return mean + std * noise.numpy().astype(mean.dtype)

    def interpolate(self, start, end, n_steps=10):
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
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        check_is_fitted(self, "_weights")
        shape = image_shape_of(self._config["architecture"])
        ends = [np.asarray(row) for row in (start, end)]
        ends = [row if row.ndim > 1 and len(row) == 1 else row[None] for row in ends]
        ends = [flatten_images(row, shape)[0].ravel() for row in ends]
        ends = check_array(np.vstack(ends), dtype=[np.float64, np.float32])
        if ends.shape[1] != self.n_features_in_:
            raise ValueError(
                f"start and end have {ends.shape[1]} features, but {type(self).__name__} is "
                f"expecting {self.n_features_in_} features as input."
            )
        (codes,) = self._map_rows(ends, lambda task, x: (task.network.encode(x)[0],))
        share = np.linspace(0.0, 1.0, n_steps)[:, None].astype(codes.dtype)
        return self.inverse_transform((1.0 - share) * codes[0] + share * codes[1])


def check_n_samples(n_samples):
    """Raise where a number of draws is not a positive int.

    Parameters
    ----------
    n_samples : int
        The number.
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
