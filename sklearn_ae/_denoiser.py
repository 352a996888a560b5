"""Denoiser."""

import contextlib
import copy
import itertools
import math
from numbers import Integral

import numpy as np
import torch
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array

from sklearn_ae._base import (
    FEWEST_ROWS_TO_TRAIN,
    BaseTorchEstimator,
)
from sklearn_ae._compute import global_state_guard, make_generator
from sklearn_ae._parameters import (
    LOSS_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
)
from sklearn_ae._state import restore_on_failure
from sklearn_ae._training import auto_max_iter
from sklearn_ae.architectures import (
    build_branches,
    draw_branches,
    image_shape_of,
)
from sklearn_ae.corruptions import CORRUPTIONS, corruption_of_rows, make_corruption
from sklearn_ae.likelihoods import check_unit_interval, smoothed_logit
from sklearn_ae.networks import DenoisingNetwork
from sklearn_ae.objectives import ERROR_POWERS, make_loss
from sklearn_ae.tasks import DenoisingTask
from sklearn_ae.utils._images import flatten_images
from sklearn_ae.utils._linear_filter import linear_filter
from sklearn_ae.utils._parts import in_one_line, is_foreign
from sklearn_ae.utils._pca_start import principal_directions, scale_rows
from sklearn_ae.utils._seeds import draw_seed, seed_for
from sklearn_ae.utils._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    container_like,
    fit_context,
    get_output_config,
    with_callbacks,
)

# Widest code by default.
WIDEST_CODE = 512
# Rows, or spoilt copies of rows, from which the linear filter is estimated.
FILTER_ROWS = 20000
# Values of a table that are spoilt and encoded together for it.
VALUES_AT_ONCE = 2**22
# Share of the passes after which the validation rows choose between the two modes.
PILOT_SHARE = 0.1


class Denoiser(OneToOneFeatureMixin, TransformerMixin, BaseTorchEstimator):
    r"""Transformer that cleans rows, starting at the best linear filter.

    Trained on clean rows :math:`x_i`, it draws a corrupted copy :math:`\tilde x_i` at each visit;
    trained on pairs, both are given. With rows centred and divided by one scale, it minimises

    .. math::
        \frac{1}{\sum_i w_i} \sum_i w_i \, \ell\big(g(f(\tilde x_i)), x_i\big)
        + \frac{\alpha}{2} \sum_l \lVert W_l \rVert^2

    where :math:`f` encodes, :math:`g` decodes and :math:`\ell` is the loss summed over features; in
    the residual mode :math:`g(f(\tilde x)) + \tilde x` stands for :math:`g(f(\tilde x))`, so that
    the network gives minus the noise. Training begins with a linear path at the ridge regression
    of the clean on the spoilt rows, within the leading principal directions of the clean ones,
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
        How clean rows are spoilt at each visit in training, in the units of ``X``. "gaussian",
        "masking", "salt_and_pepper", "swap_noise", a part such as
        :class:`~sklearn_ae.corruptions.Occlusion`, or a function ``(x, generator)`` of tensors
        of shape (n, n_features). Not used with ``X_clean``.

    loss : {"squared_error", "absolute_error", "huber", "log_loss"}, default="squared_error"
        Loss of the cleaned rows. "log_loss" is the cross entropy of clean values in [0, 1].

    delta : float, default=1.35
        Where "huber" turns from square to linear, in units of ``scale_``.

    mode : {"auto", "direct", "residual"}, default="auto"
        Whether the network gives the clean row or what is to be added to the spoilt one. "auto"
        trains both for a tenth of the passes and takes the one with the lower loss on rows that
        both held out; it is "direct" with "log_loss" and where no rows are held out.

    init : {"auto", "pca", "random"}, default="auto"
        "pca" starts from the linear filter in the space of the principal directions, "random"
        draws all weights and has no linear path. "auto" is "pca" for any loss but "log_loss".

    max_iter : int or "auto", default="auto"
        Passes over the training rows. "auto" makes 20000 steps of the optimiser, in at most 200
        passes. 0 returns the start.

    batch_size : int or "auto", default="auto"
        Rows per step. "auto" takes an eighth of the rows as a power of two in [16, 256].

    learning_rate_init : float, default=1e-3
        Largest learning rate of Adam.

    learning_rate : {"one_cycle", "constant"}, default="one_cycle"
        "one_cycle" rises over at most 100 steps, falls by a cosine to zero, always makes
        ``max_iter`` passes and keeps the best weights. "constant" stops by
        ``n_iter_no_change``.

    alpha : float, default=0.0
        L2 weight; biases and the linear path are excluded.

    weight_decay : float, default=5e-4
        Decoupled decay (Loshchilov and Hutter 2019, :arxiv:`1711.05101`): the share that each
        step takes off the weights that ``alpha`` is for, before it moves them. It follows the
        course of the learning rate but not its size, from 1e-3 on; below, the share is smaller
        in proportion. It is no part of the objective; 0 is plain Adam.

    early_stopping : "auto" or bool, default="auto"
        Whether rows are held out to choose the best pass and to judge the network against the
        start. "auto" does so from 20 rows on and returns the start below. False trains on all
        rows for exactly ``max_iter`` passes.

    validation_fraction : float, default=0.1
        Share of rows held out, at least 5 rows.

    n_iter_no_change : int, default=10
        With "constant", passes without a gain of ``tol`` after which training stops.

    tol : float, default=1e-4
        Smallest gain that counts, in units of the objective.

    warm_start : bool, default=False
        Whether `fit` goes on from the last fit: centre, scale, start and split are kept.

    skorch_callbacks : list or None, default=None
        Callbacks of skorch, or (name, callback) pairs; copied before training.

    device : str, default="auto"
        Where to compute: "auto", "cpu", "cuda", "cuda:1", "mps".

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the network in training; the linear path and the weights stay float32.

    random_state : int, RandomState instance or None, default=None
        Controls the split, the initial weights, the order of rows and the corruption. Pass an
        int for identical results across calls; convolutions on a GPU repeat to rounding only.

    verbose : int, default=0
        Whether a line is printed after each pass.

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
        Passes made.

    loss_curve_ : list of float
        Mean objective on the training rows after each pass.

    validation_scores_ : list of float
        Minus the mean objective on the rows held out after each pass.

    best_loss_ : float
        Objective of the weights that were kept: on the rows held out, else the last of
        ``loss_curve_``.

    start_kept_ : bool
        Whether the start was kept, so that the model is a linear filter.

    history_ : list of dict
        One entry per pass: losses, durations and what callbacks of skorch recorded.

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

    _parameter_constraints = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "hidden_layer_sizes": NETWORK_CONSTRAINTS["hidden_layer_sizes"],
        "activation": NETWORK_CONSTRAINTS["activation"],
        "architecture": NETWORK_CONSTRAINTS["architecture"],
        "corruption": [None, StrOptions(set(CORRUPTIONS)), HasMethods("make"), callable],
        **LOSS_CONSTRAINTS,
        "mode": [StrOptions({"auto", "direct", "residual"})],
        "init": NETWORK_CONSTRAINTS["init"],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components="auto",
        *,
        hidden_layer_sizes="auto",
        activation="gelu",
        architecture="dense",
        corruption="gaussian",
        loss="squared_error",
        delta=1.35,
        mode="auto",
        init="auto",
        max_iter="auto",
        batch_size="auto",
        learning_rate_init=1e-3,
        learning_rate="one_cycle",
        alpha=0.0,
        weight_decay=5e-4,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        skorch_callbacks=None,
        device="auto",
        precision="float32",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.architecture = architecture
        self.corruption = corruption
        self.loss = loss
        self.delta = delta
        self.mode = mode
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
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

    def _auto_hidden_layer_sizes(self, n_features, n_components):
        # a narrow layer would lose what is to be kept
        return (512,) if image_shape_of(self.architecture) is None else ()

    def _start_obstacle(self):
        return "loss='log_loss'" if self.loss == "log_loss" else None

    def _find_start(self, X, target, moments, weight, seed, uses_start):
        clean = X if target is None else target
        n_components = self.n_components
        if isinstance(n_components, str):
            n_components = min(*clean.shape, WIDEST_CODE)
        if not uses_start:
            return int(n_components), None
        directions = principal_directions(clean, moments, int(n_components), weight, seed)
        seed = seed_for("start", seed)
        chosen = self._rows_of_filter(len(X), seed, paired=target is not None)
        start = linear_filter(
            *self._codes_of_filter(X, target, chosen, moments, directions, seed),
            directions,
            np.random.default_rng(seed).permutation(len(X))[chosen] % 2,
            weight=None if weight is None else weight[chosen],
            residual=self.mode_ == "residual",
        )
        return int(n_components), start

    def _codes_of_filter(self, X, target, chosen, moments, directions, seed):
        """Codes of spoilt rows and of clean ones; of all the copies these alone are kept."""
        spoil = self._spoiler(self.corruption, seed)
        codes = np.empty((2, len(chosen), len(directions.components)))
        at_once = max(1, VALUES_AT_ONCE // X.shape[1])
        for first in range(0, len(chosen), at_once):
            part = slice(first, first + at_once)
            rows = X[chosen[part]]
            pair = (spoil(rows), rows) if target is None else (rows, target[chosen[part]])
            for code, one in zip(codes, pair, strict=True):
                scaled = scale_rows(one, moments, np.empty(one.shape))
                np.matmul(scaled, directions.components.T, out=code[part])
        if not np.isfinite(codes).all():
            culprit = (
                f"corruption={in_one_line(self.corruption)} makes" if target is None else "X has"
            )
            raise ValueError(f"{culprit} values that are not finite in units of the clean rows.")
        return codes

    @staticmethod
    def _rows_of_filter(n_rows, seed, paired):
        """Rows of which each is spoilt once, or several times where there are few."""
        if n_rows >= FILTER_ROWS:
            return np.random.default_rng(seed).choice(n_rows, FILTER_ROWS, replace=False)
        n_copies = 1 if paired else min(FILTER_ROWS // n_rows, 20)
        return np.tile(np.arange(n_rows), n_copies)

    def _data_config(self, X):
        bounded = self.loss == "log_loss"
        if bounded:
            check_unit_interval(X, "loss='log_loss'", "X_clean" if self._paired else "X")
        return {
            "bounded": bounded,
            "error_power": ERROR_POWERS[self.loss],
            "loss": self.loss,
            "delta": float(self.delta),
            "residual": self.mode_ == "residual",
            "paired": self._paired,
        }

    def _make_task(self, config, moments):
        encoder, decoder = build_branches(config, config["n_components"])
        beside = self._beside_the_branches(config, moments)
        network = DenoisingNetwork(
            encoder,
            decoder,
            config["residual"],
            **{**beside, "offset": torch.zeros(config["n_features"])},
        )
        loss = make_loss(config["loss"], config["delta"])
        return DenoisingTask(network, loss, config["paired"], logits=config["bounded"])

    def _draw_weights(self, task, config, moments, start, generator):
        network = task.network
        draw_branches(network, config, generator)
        with torch.no_grad():
            if config["bounded"]:
                network.offset.copy_(torch.from_numpy(smoothed_logit(moments)))
            if config["linear"]:
                network.linear.draw(generator)
                k = len(start.encoder)
                network.linear.encoder[:k] = torch.from_numpy(start.encoder)
                network.linear.decoder[:, :k] = torch.from_numpy(start.decoder)
                network.offset.copy_(torch.from_numpy(start.offset))

    def _add_training_parts(self, task, moments):
        if not task.paired:
            task.corruption = corruption_of_rows(self.corruption, None if task.logits else moments)

    def _learnt_attributes(self, task, rows, frame, one_pass):
        # as it was in this fit: `score` spoils rows by it
        corruption = None if self._paired else copy.deepcopy(self.corruption)
        return {"mode_": self.mode_, "_paired": self._paired, "_corruption": corruption}

    def _spoiler(self, corruption, seed):
        """A function that spoils rows in the units of the data, with draws of its own."""
        corrupt = make_corruption(corruption)
        generator = make_generator(seed)
        # a user's function may draw from a global state, anew for each part of the rows
        foreign, seeds = is_foreign(corruption), itertools.count(seed)

        def spoil(rows):
            with global_state_guard(next(seeds)) if foreign else contextlib.nullcontext():
                return corrupt(torch.tensor(rows), generator).numpy()

        return spoil

    def _check_target(self, X, target, columns):
        names = getattr(target, "columns", None)
        if columns is None:
            columns = getattr(self, "feature_names_in_", None)
        if names is not None and columns is not None and list(names) != list(columns):
            pairs = itertools.zip_longest(names, columns)
            name, column = next(pair for pair in pairs if pair[0] != pair[1])
            raise ValueError(
                f"X_clean has {len(names)} columns and X has {len(columns)}, and the first that "
                f"differ are {name!r} of X_clean and {column!r} of X; a pair is a value of X and "
                "one of the same column of X_clean."
            )
        target, _ = flatten_images(target, image_shape_of(self.architecture), "X_clean")
        target = check_array(
            target, dtype=[np.float64, np.float32], order="C", input_name="X_clean"
        )
        if target.shape != X.shape:
            raise ValueError(
                f"X_clean has shape {target.shape}, but X has shape {X.shape}; a pair is a row of "
                "X and the same row of X_clean."
            )
        return target

    # ------------------------------------------------------------------ fit

    @restore_on_failure
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_clean=None):
        """Fit the model to clean rows, or to pairs of spoilt and clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows, or spoilt ones where ``X_clean`` is given. The array is neither changed
            nor kept. With an architecture for images also of shape (n_samples, channels, height,
            width) or, with one channel, (n_samples, height, width).

        y : None
            Ignored; clean rows are to be passed as ``X_clean``.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. They enter centre, scale, start, loss, validation and gate;
            rows of weight zero are dropped.

        X_clean : array-like of the shape of ``X``, default=None
            The clean rows, in the same units.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional table of at least two rows, or ``X_clean``
            not one of the same shape.
        FloatingPointError
            If the objective stops being finite in training.
        """
        going_on = self.warm_start and hasattr(self, "_weights")
        self._check_choices(X_clean is not None, going_on)
        if not going_on:
            self._choose_mode(X, sample_weight, X_clean)
        return self._fit(X, y, sample_weight, X_clean)

    @restore_on_failure
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None, *, X_clean=None):
        """Make one pass over a chunk of rows.

        The first chunk fixes centre, scale, limits and start; ``mode="auto"`` is "direct". There
        is no gate; the learning rate is constant, and the optimiser goes on where the last chunk
        left it.

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
        self._check_choices(X_clean is not None, going_on=hasattr(self, "_weights"))
        return self._partial_fit(X, y, sample_weight, X_clean)

    def _check_choices(self, paired, going_on):
        """Check what is decided once, pairs or not and the mode, and decide it the first time."""
        if self.corruption is None and not paired:
            raise ValueError(
                "Denoiser learns from pairs or spoils clean rows itself: pass X_clean to fit, or "
                "set corruption, which is None."
            )
        if self.mode == "residual" and self.loss == "log_loss":
            raise ValueError(
                "mode='residual' adds the output to the spoilt row, but with loss='log_loss' the "
                "output is a logit; use mode='direct'."
            )
        if not going_on:
            self._paired = paired
            self.mode_ = "direct" if self.mode == "auto" else self.mode
        elif paired != self._paired:
            raise ValueError(
                f"{type(self).__name__} goes on with what its first fit fixed: X_clean is to be "
                "given in every call or in none; use clone() for another model."
            )
        elif self.mode not in ("auto", self.mode_):
            self._refuse_change("mode", self.mode_, self.mode)

    def _choose_mode(self, X, sample_weight, X_clean):
        """Let the rows held out choose between the two modes."""
        if self.mode != "auto" or self.loss == "log_loss":
            return
        # of checked rows, so that a mistake is told of the fit that was asked for
        rows, target, weight = self._check_table(X, sample_weight, X_clean, reset=True)
        n_validation = self._n_validation(len(rows), self._uses_start())
        if not n_validation or len(rows) < FEWEST_ROWS_TO_TRAIN:
            return
        n_train = len(rows) - n_validation
        passes = self.max_iter
        if passes == "auto":
            passes = auto_max_iter(n_train, self._batch_size(n_train))
        if not passes:
            return
        options = {
            "max_iter": math.ceil(PILOT_SHARE * passes),
            "random_state": draw_seed(copy.deepcopy(self.random_state)),
            "skorch_callbacks": None,
            "warm_start": False,
            "verbose": 0,
        }
        losses = {}
        for mode in ("direct", "residual"):
            pilot = type(self)(**self.get_params(deep=False))
            vars(pilot).update(options, mode=mode)
            losses[mode] = pilot.fit(rows, None, weight, X_clean=target).best_loss_
        self.mode_ = min(losses, key=losses.get)

    # ------------------------------------------------------------------ use

    def transform(self, X):
        """Clean ``X``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Spoilt rows.

        Returns
        -------
        X_cleaned : of the type, shape and columns of ``X``
            Cleaned rows, float32 where ``X`` is, else float64. Images are given back as a table
            where `set_output` asks for one.
        """
        rows = self._check_rows(X)
        cleaned = self._clean(rows).astype(rows.dtype, copy=False)
        _, row_shape = flatten_images(X, image_shape_of(self._config["architecture"]))
        if get_output_config("transform", self)["dense"] != "default":
            return cleaned
        if row_shape is not None:
            return cleaned.reshape(len(cleaned), *row_shape)
        return container_like(X, cleaned)

    def _clean(self, rows):
        def function(task, x):
            return (task.expected(task.network(x)),)

        (cleaned,) = self._map_rows(rows, function)
        return self._data_from_network(cleaned)

    def score(self, X, y=None, sample_weight=None, *, X_clean=None):
        """Share of the variance of the clean rows that the cleaned ones explain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Spoilt rows; without ``X_clean`` clean rows, which are spoilt as in `fit`, with a
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
        spoilt = self._check_rows(X)
        if X_clean is not None:
            clean = self._check_target(spoilt, X_clean, getattr(X, "columns", None))
        elif self._paired:
            raise ValueError(
                "score needs X_clean, the clean rows: fit has learnt from pairs. A search or a "
                "pipeline hands it on after sklearn.set_config(enable_metadata_routing=True) and "
                "set_score_request(X_clean=True)."
            )
        else:
            spoil = self._spoiler(self._corruption, seed_for("score", self._config["seed"]))
            clean, spoilt = spoilt, spoil(spoilt)
        return self._explained_variance(
            clean, lambda start, stop: self._clean(spoilt[start:stop]), sample_weight
        )
