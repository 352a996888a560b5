"""Denoiser."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array

from sklearn_ae._compute import warn_user
from sklearn_ae._fitting.blueprints import DenoisingBlueprint
from sklearn_ae._fitting.branches import image_shape_of
from sklearn_ae.corruptions import corrupting
from sklearn_ae.estimators._base import BaseNetworkEstimator, fits
from sklearn_ae.estimators._methods import explained_variance
from sklearn_ae.estimators._parameters import (
    CORRUPTION_CONSTRAINTS,
    LOSS_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
    Activation,
    Architecture,
    Corruption,
    Init,
    Loss,
)
from sklearn_ae.losses import resolve_loss
from sklearn_ae.utils._images import flatten_images
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._seeds import seed_for
from sklearn_ae.utils._sklearn import (
    Interval,
    StrOptions,
    fit_context,
    get_output_config,
    with_callbacks,
)
from sklearn_ae.utils._typing import RandomState

# Widest code by default.
WIDEST_CODE = 512


class Denoiser(OneToOneFeatureMixin, TransformerMixin, BaseNetworkEstimator):
    r"""Transformer that cleans rows, starting at the best linear filter.

    Trained on clean rows :math:`x_i`, it draws a corrupted copy :math:`\tilde x_i` at each visit;
    trained on pairs, both are given. With rows centred and divided by one scale, it minimises

    .. math::
        \frac{1}{\sum_i w_i} \sum_i w_i \, \ell\big(g(f(\tilde x_i)), x_i\big)
        + \frac{\alpha}{2} \sum_l \lVert W_l \rVert^2

    where :math:`f` encodes, :math:`g` decodes and :math:`\ell` is the loss summed over features; in
    the residual mode :math:`g(f(\tilde x)) + \tilde x` stands for :math:`g(f(\tilde x))`, so that
    the network gives minus the noise. Training begins with a linear path at the ridge regression
    of the clean on the corrupted rows, within the leading principal directions of the clean ones,
    and the network at zero; the trained network is kept only if it does better than that filter
    on rows held out.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Width of the code between encoder and decoder. "auto" takes min(n_samples, n_features),
        at most 512.

    hidden_layer_sizes : "auto" or tuple of int, default="auto"
        Widths of the encoder's hidden layers; the decoder mirrors them. "auto" is ``(512,)`` for
        dense layers and none between convolutions and code.

    activation : {"identity", "logistic", "tanh", "relu", "gelu", "silu"}, default="gelu"
        Activation of the hidden layers.

    architecture : "dense", Convolutional or callable, default="dense"
        "dense" uses ``hidden_layer_sizes`` and ``activation``;
        :class:`~sklearn_ae.architectures.Convolutional` puts convolutions before them; a callable
        ``(n_features, n_components) -> (encoder, decoder)`` returns two torch modules.

    corruption : None, str, part or callable, default="gaussian"
        How clean rows are corrupted at each visit in training, in the units of ``X``. "gaussian",
        "masking", "salt_and_pepper", "swap_noise", a part such as
        :class:`~sklearn_ae.corruptions.Occlusion`, or a function ``(x, generator)`` of tensors
        of shape (n, n_features). Not used with ``X_clean``.

    loss : str or part, default="squared_error"
        Loss of the cleaned rows: "squared_error", "absolute_error", "huber", "log_loss", which is
        the cross entropy of clean values in [0, 1], or a part such as
        :class:`~sklearn_ae.losses.Huber`.

    mode : {"auto", "direct", "residual"}, default="auto"
        Whether the network gives the clean row or what is to be added to the corrupted one. "auto"
        trains both for a few epochs, and where they are close for some more, and takes the one
        with the lower loss on rows that both held out; it is "direct" behind another link than the
        identity, and where no rows are held out.

    init : {"auto", "pca", "random"}, default="auto"
        "pca" starts from the linear filter in the space of the principal directions, "random"
        draws all weights and has no linear path. "auto" is "pca" for a loss with the identity
        link, such as any but "log_loss".

    max_iter : int or "auto", default="auto"
        Epochs, each a visit to every training row. "auto" is a bound where rows are held out,
        20000 steps of the optimiser in at most 200 epochs, and warns where it ends a fit that
        still improves; with ``early_stopping=False`` it makes 6000 steps in at most 60 epochs. 0
        returns the start.

    batch_size : int or "auto", default="auto"
        Rows per step. "auto" takes an eighth of the rows as a power of two in [16, 256].

    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam. "auto" is ``0.05 / sqrt(n_features)``, 0.01 at most.

    learning_rate : {"constant", "adaptive", "one_cycle"}, default="adaptive"
        "constant" rises over 50 steps and stays; training stops by ``n_iter_no_change``.
        "adaptive" begins so. Once ``n_iter_no_change`` epochs bring less than a 20th of all gain
        since the first epoch, or two fifths of ``max_iter`` are made, it falls linearly to zero
        over 1.5 times the epochs so far, and training ends. "one_cycle" rises over at most 100
        steps, falls by a cosine to zero and always makes ``max_iter`` epochs.

    average : bool, default=True
        Whether the weights that are judged and kept are exponential averages of those in
        training: after step t the average keeps ``min(0.998, (t + 1) / (t + 10))`` of itself.
        `partial_fit` and ``warm_start`` go on with both.

    alpha : float, default=0.0
        L2 weight; biases and the linear path are excluded.

    weight_decay : float, default=0.03
        Decoupled decay (Loshchilov and Hutter 2019, :arxiv:`1711.05101`): the share that an epoch
        takes off the weights that ``alpha`` is for, in equal parts before each step; an epoch of
        fewer than 8 steps takes no more per step than one of 8, and a chunk of `partial_fit` than
        one of 60. With a learning rate below 1e-3 the share is smaller in proportion. It is no
        part of the objective; 0 is plain Adam.

    early_stopping : "auto" or bool, default="auto"
        Whether rows are held out to choose the best epoch and to judge the network against the
        start. "auto" does so from 20 rows on and returns the start below. False trains on all
        rows for exactly ``max_iter`` epochs.

    validation_fraction : float or "auto", default="auto"
        Share of rows held out, at least 5 rows. "auto" is 0.1; but with fewer than 1000 rows (or
        groups), ``early_stopping="auto"``, a start in closed form and any rate but "one_cycle" five
        folds judge: each row by a network that did not see it. They find the epochs of one more fit
        on all rows, or keep the start. A callback of skorch that changes steps, such as a
        scheduler, and a code as wide as the rows of a fold leave it at 0.1.

    n_iter_no_change : int or "auto", default="auto"
        Epochs without a gain of ``tol`` on the rows held out after which training stops, or an
        adaptive rate begins to fall; "one_cycle" does neither. "auto" takes as many as make 500
        steps, but from 10 to 15, and begins to count after 300 steps.

    tol : float, default=1e-3
        Smallest gain that counts, as a share of the objective; gains of several epochs count
        together.

    warm_start : bool, default=False
        Whether `fit` goes on from the last fit: centre, scale, start and split are kept. After
        folds there is no split: all rows are trained on, and the result is kept.

    skorch_callbacks : list or None, default=None
        Callbacks of skorch, or (name, callback) pairs; copied before training.

    device : str, default="auto"
        Where to compute: "auto", "cpu", "cuda", "cuda:1", "mps".

    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the network in training; the weights stay float32, and so does the linear
        path, except in a `Denoiser`. "auto" is "bfloat16" from 128 features on, on a CPU that has
        instructions for it, as recent versions of torch tell, and "float32" with parts of your own.

    random_state : int, RandomState instance or None, default=None
        Controls the split, the initial weights, the order of rows and the corruption. Pass an
        int for identical results across calls; convolutions on a GPU repeat to rounding only.

    verbose : int, default=0
        Whether a line is printed after each epoch.

    Attributes
    ----------
    mode_ : {"direct", "residual"}
        The mode that was used.

    n_components_ : int
        Width of the code.

    mean_ : ndarray of shape (n_features,)
        Column means of the clean training rows.

    scale_ : float
        Root of the mean feature variance of the clean rows, by which centred data are divided.

    n_iter_ : int
        Epochs made.

    loss_curve_ : list of float
        Mean objective on the training rows during each epoch, by the weights in training.

    validation_scores_ : list of float
        Minus the mean objective on the rows held out after each epoch; none for epochs of a fit
        that goes on without such rows.

    best_loss_ : float
        Objective of the weights that were kept: on the rows held out, else the last of
        ``loss_curve_``.

    start_kept_ : bool
        Whether the start was kept, so that the model is a linear filter.

    history_ : list of dict
        One entry per epoch: losses, durations and what callbacks of skorch recorded.

    network_ : torch.nn.Module
        The fitted network, on the CPU, built anew at each access.

    net_ : skorch.NeuralNet
        The net that was trained; not available after loading.

    n_samples_seen_ : int
        Rows seen by `fit`, or by all calls of `partial_fit`.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where ``X`` has names that are all strings.

    See Also
    --------
    Autoencoder : Gives a code; with ``corruption`` one that is robust.
    sklearn.decomposition.KernelPCA : Its pre-images denoise as well.

    Notes
    -----
    Corruptions are in the units of ``X``: scale the rows first, and choose the strength for the
    scaled ones. The strength in training should be that of the data to be cleaned.

    For Gaussian noise of variance :math:`s^2` the filter of the start shrinks each principal
    direction of variance :math:`\lambda_k` by :math:`\lambda_k / (\lambda_k + s^2)`.

    References
    ----------
    .. [1] P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, "Stacked denoising
       autoencoders", Journal of Machine Learning Research 11, 2010,
       https://www.jmlr.org/papers/v11/vincent10a.html.
    .. [2] K. Zhang, W. Zuo, Y. Chen, D. Meng and L. Zhang, "Beyond a Gaussian denoiser: residual
       learning of deep CNN for image denoising", IEEE Transactions on Image Processing 26, 2017,
       :doi:`10.1109/TIP.2017.2662206`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import Denoiser
    >>> from sklearn_ae.corruptions import GaussianNoise
    >>> X = load_digits().data / 16
    >>> noise = GaussianNoise(0.3)
    >>> denoiser = Denoiser(corruption=noise, mode="direct", max_iter=2, random_state=0).fit(X)
    >>> denoiser.transform(noise.corrupt(X, random_state=0)).shape
    (1797, 64)
    """

    mode_: Literal["direct", "residual"]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "hidden_layer_sizes": NETWORK_CONSTRAINTS["hidden_layer_sizes"],
        "activation": NETWORK_CONSTRAINTS["activation"],
        "architecture": NETWORK_CONSTRAINTS["architecture"],
        "corruption": CORRUPTION_CONSTRAINTS,
        **LOSS_CONSTRAINTS,
        "mode": [StrOptions({"auto", "direct", "residual"})],
        "init": NETWORK_CONSTRAINTS["init"],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components: int | Literal["auto"] = "auto",
        *,
        hidden_layer_sizes: Sequence[int] | Literal["auto"] = "auto",
        activation: Activation = "gelu",
        architecture: Architecture = "dense",
        corruption: Corruption | None = "gaussian",
        loss: Loss = "squared_error",
        mode: Literal["auto", "direct", "residual"] = "auto",
        init: Init = "auto",
        max_iter: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float | Literal["auto"] = "auto",
        learning_rate: Literal["constant", "adaptive", "one_cycle"] = "adaptive",
        average: bool = True,
        alpha: float = 0.0,
        weight_decay: float = 0.03,
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float | Literal["auto"] = "auto",
        n_iter_no_change: int | Literal["auto"] = "auto",
        tol: float = 1e-3,
        warm_start: bool = False,
        skorch_callbacks: list[Any] | None = None,
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.architecture = architecture
        self.corruption = corruption
        self.loss = loss
        self.mode = mode
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.average = average
        self.alpha = alpha
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.skorch_callbacks = skorch_callbacks
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    def _blueprint(self, rows, seed):
        clean, paired = rows.x if rows.target is None else rows.target, rows.target is not None
        loss, link = resolve_loss(self.loss, clean, "X_clean" if paired else "X")
        obstacle = None if link.scales_rows else f"loss={in_one_line(self.loss)}"
        if self.mode == "residual" and obstacle:
            raise ValueError(
                "mode='residual' adds the output to the corrupted row, but with "
                f"{obstacle} the output is on another scale; use mode='direct'."
            )
        return DenoisingBlueprint(
            **self._fields(rows, seed, obstacle),
            auto_n_components=min(*clean.shape, WIDEST_CODE),
            link=link,
            loss=loss,
            asked=self.loss,
            asked_mode=self.mode,
            mode="direct" if self.mode == "auto" else self.mode,
            is_open=self.mode == "auto",
            paired=paired,
            corruption=self.corruption,
        )

    def _describe(self, fitted, rows, start, device):
        return {"mode_": fitted.blueprint.mode}

    # ------------------------------------------------------------------ fit

    @fits
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_clean: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the model to clean rows, or to pairs of corrupted and clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows, or corrupted ones where ``X_clean`` is given. The array is neither changed
            nor kept. With an architecture for images also of shape (n_samples, channels, height,
            width) or, with one channel, (n_samples, height, width).

        y : None
            Ignored; clean rows are to be passed as ``X_clean``.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. They enter centre, scale, start, loss, validation and gate;
            rows of weight zero are dropped.

        X_clean : array-like of the shape of ``X``, default=None
            The clean rows, in the same units.

        groups : array-like of shape (n_samples,), default=None
            Labels of groups, such as persons, whose rows are not independent: those of one
            group are held out together, and count as one where the network is judged against
            the start, which is returned where there are fewer than 4 groups.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional table of at least two rows, or ``X_clean``
            not one of the same shape, or ``groups`` are not one label for each row.
        FloatingPointError
            If the objective stops being finite in training.
        """
        return self._fit_pairs(
            X, y, sample_weight, X_clean, groups=groups, going_on=self.warm_start
        )

    @fits
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_clean: ArrayLike | None = None,
    ) -> Self:
        """Make one epoch over a chunk of rows.

        The first chunk fixes centre, scale, limits and start; ``mode="auto"`` is "direct". There
        is no gate; the learning rate rises over the first 50 steps of all chunks and stays, and
        the optimiser goes on where the last chunk left it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A chunk of the data.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        X_clean : array-like of the shape of ``X``, default=None
            The clean rows, in every chunk or in none.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If ``early_stopping=True``, or the width is not that of the first chunk.
        """
        return self._fit_pairs(X, y, sample_weight, X_clean, going_on=True, one_epoch=True)

    def _fit_pairs(self, X, y, sample_weight, X_clean, *, going_on, one_epoch=False, groups=None):
        """`fit` and `partial_fit`, to pairs or to clean rows."""
        paired = X_clean is not None
        if not paired and len(_shape_of(y)) > 1 and _shape_of(y) == _shape_of(X):
            warn_user(
                "y has the shape of X and is ignored: Denoiser takes clean rows as X_clean, "
                "fit(X, X_clean=clean)."
            )
        if self.corruption is None and not paired:
            raise ValueError(
                "Denoiser learns from pairs or corrupts clean rows itself: pass X_clean to fit, or "
                "set corruption, which is None."
            )
        if going_on and hasattr(self, "_fitted") and paired != self._fitted.blueprint.paired:
            raise ValueError(
                f"{type(self).__name__} goes on with what its first fit fixed: X_clean is to be "
                "given in every call or in none; use clone() for another model."
            )
        check_target = None
        if paired:
            known = self if going_on else None
            labels, image_shape = labels_of(X, known), self._image_shape()

            def check_target(rows):
                return check_pairs(rows, X_clean, labels, image_shape)

        return self._fit(X, y, sample_weight, check_target, one_epoch, groups)

    # ------------------------------------------------------------------ use

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Clean ``X``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Spoilt rows.

        Returns
        -------
        X_cleaned : ndarray of the shape of ``X``
            Cleaned rows, float32 where ``X`` is, else float64. `set_output` gives data frames,
            of images too.
        """
        rows = self._checked(X)
        cleaned = self._fitted.predict(rows, self._device()).astype(rows.dtype, copy=False)
        _, row_shape = flatten_images(X, image_shape_of(self._fitted.blueprint.architecture))
        if row_shape is None or get_output_config("transform", self)["dense"] != "default":
            return cleaned
        return cleaned.reshape(len(cleaned), *row_shape)

    def score(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_clean: ArrayLike | None = None,
    ) -> float:
        """Share of the variance of the clean rows that the cleaned ones explain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Spoilt rows; without ``X_clean`` clean rows, which are corrupted as in `fit`, with a
            seed that it has fixed. Such scores compare models for the same corruption only:
            weaker noise has better ones.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        X_clean : array-like of the shape of ``X``, default=None
            The clean rows.

        Returns
        -------
        float
            ``1 - sum|x - x_cleaned|**2 / sum|x - mean_|**2``; 1 where both sums are zero.

        Raises
        ------
        ValueError
            If there is no ``X_clean``, and the model was fitted to pairs.
        """
        corrupted, fitted, device = self._checked(X), self._fitted, self._device()
        blueprint = fitted.blueprint
        if X_clean is not None:
            image_shape = image_shape_of(blueprint.architecture)
            clean = check_pairs(corrupted, X_clean, labels_of(X, self), image_shape)
        elif blueprint.paired:
            raise ValueError(
                "score needs X_clean, the clean rows: fit has learnt from pairs. A search or a "
                "pipeline hands it on after sklearn.set_config(enable_metadata_routing=True) and "
                "set_score_request(X_clean=True)."
            )
        else:
            # as it was in the fit
            corrupt = corrupting(blueprint.corruption, seed_for("score", blueprint.seed))
            clean, corrupted = corrupted, corrupt(corrupted)
        blueprint.check(clean, "X" if X_clean is None else "X_clean")
        return explained_variance(
            clean,
            lambda part: fitted.predict(corrupted[part], device),
            self.mean_,
            sample_weight,
        )


def _shape_of(rows):
    """Shape of an array, a frame or a list of lists; () of anything else."""
    if isinstance(rows, (list, tuple)) and len(rows) and isinstance(rows[0], (list, tuple)):
        return len(rows), len(rows[0])
    return tuple(getattr(rows, "shape", ()))


def labels_of(X, estimator):
    """Names of the columns of rows, as given or as a fit has seen them, and their index.

    Each is None where there is none; ``estimator`` is None where a fit starts anew.
    """
    columns = getattr(X, "columns", None)
    if columns is None and estimator is not None:
        columns = getattr(estimator, "feature_names_in_", None)
    return columns, _index_of(X)


def _index_of(X):
    """The index of a data frame; None of what has none, such as a list."""
    index = getattr(X, "index", None)
    return None if callable(index) else index


def check_pairs(X, clean, labels, image_shape):
    """The clean rows of checked rows ``X``, checked; for ``labels`` see `labels_of`."""
    columns, index = labels
    names = getattr(clean, "columns", None)
    if names is not None and columns is not None and list(names) != list(columns):
        name, column = _first_difference(names, columns)
        raise ValueError(
            f"X_clean has {len(names)} columns and X has {len(columns)}, and the first that "
            f"differ are {name!r} of X_clean and {column!r} of X; a pair is a value of X and "
            "one of the same column of X_clean."
        )
    clean_index = _index_of(clean)
    is_other = index is not None and clean_index is not None and not index.equals(clean_index)
    if is_other:
        label, other = _first_difference(clean_index, index)
        raise ValueError(
            f"X_clean has another index than X: the first labels that differ are {label!r} of "
            f"X_clean and {other!r} of X. A pair is a row of X and the row of X_clean at the same "
            "place; use X_clean.loc[X.index], or arrays."
        )
    clean, _ = flatten_images(clean, image_shape, "X_clean")
    clean = check_array(clean, dtype=[np.float64, np.float32], order="C", input_name="X_clean")
    if np.isnan(clean).any():  # scikit-learn does not look under assume_finite
        raise ValueError("Input X_clean contains NaN.")
    if clean.shape != X.shape:
        raise ValueError(
            f"X_clean has shape {clean.shape}, but X has shape {X.shape}; a pair is a row of "
            "X and the same row of X_clean."
        )
    return clean


def _first_difference(labels, others):
    """The first two labels that differ; None stands for one that is missing."""
    pairs = itertools.zip_longest(labels, others)
    return next(pair for pair in pairs if pair[0] != pair[1])
