"""Autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from sklearn_ae._fitting.blueprints import ReconstructionBlueprint
from sklearn_ae.code_activations import CODE_ACTIVATIONS
from sklearn_ae.estimators._base import BaseNetworkEstimator
from sklearn_ae.estimators._methods import (
    LatentTransformerMixin,
    ReconstructionMixin,
    explained_variance,
)
from sklearn_ae.estimators._parameters import (
    CODE_CONSTRAINTS,
    CORRUPTION_CONSTRAINTS,
    LOSS_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
    PENALTY_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
    Activation,
    Architecture,
    CodeActivation,
    Corruption,
    Init,
    Loss,
    Penalty,
)
from sklearn_ae.losses import resolve_loss
from sklearn_ae.objectives import hoyer
from sklearn_ae.penalties import check_penalty, keeps_start, neighbors_of, penalty_parts
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._sklearn import HasMethods, StrOptions
from sklearn_ae.utils._sparse import is_sparse
from sklearn_ae.utils._typing import MatrixLike, RandomState


class Autoencoder(LatentTransformerMixin, ReconstructionMixin, BaseNetworkEstimator):
    r"""Autoencoder that starts at the PCA solution.

    With :math:`u = (x - m) / s` the centred rows in units of one scale, it minimises

    .. math::
        \frac{1}{\sum_i w_i} \sum_i w_i \big[ \ell(g(c(f(u_i))), u_i) + p(c(f(u_i))) \big]
        + \frac{\alpha}{2} \sum_l \lVert W_l \rVert^2

    where the encoder :math:`f(u) = W_e u + f_\theta(u)` and the decoder
    :math:`g(z) = h(W_d z + g_\theta(z))` have a linear path beside the network, :math:`c` is the
    code activation, :math:`\ell` the loss summed over features and :math:`p` the penalty. For
    features with many rows on an end of their range (pixels, indicators, counts) :math:`h`
    learns to flatten beyond it; else, and at the start, it is the identity. Training begins
    with the linear path at the PCA solution and the network at zero. The trained network is
    kept only if it does better than that start on rows held out.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=2
        Width of the code. A float takes the fewest principal components that explain more than
        that share of the variance, None takes min(n_samples, n_features). More components than
        features are allowed.

    hidden_layer_sizes : "auto" or tuple of int, default="auto"
        Widths of the encoder's hidden layers; the decoder mirrors them. ``()`` leaves one
        linear layer each way. "auto" is ``(128, 64)`` up to 128 features, ``(256, 128)`` beyond;
        with at least 32 features per component ``(256, 128, 64)`` or ``(512, 256, 128)``. Between
        convolutions and code there are none.

    activation : {"identity", "logistic", "tanh", "relu", "gelu", "silu"}, default="gelu"
        Activation of the hidden layers.

    code_activation : {"identity", "sigmoid", "relu", "tanh"} or part, default="identity"
        Applied to the code, in training and at inference. A part is a torch module, or has a
        method ``module()`` that makes one, such as
        :class:`~sklearn_ae.code_activations.KSparse`.

    architecture : "dense", Convolutional or callable, default="dense"
        "dense" uses ``hidden_layer_sizes`` and ``activation``;
        :class:`~sklearn_ae.architectures.Convolutional` puts convolutions before them; a callable
        ``(n_features, n_components) -> (encoder, decoder)`` returns two torch modules.

    loss : str or part, default="squared_error"
        Reconstruction loss: "squared_error", "absolute_error", "huber", "log_loss", which is the
        cross entropy of values in [0, 1], or a part such as :class:`~sklearn_ae.losses.Huber`.

    init : {"auto", "pca", "random"}, default="auto"
        "pca" starts from the PCA solution, "random" draws all weights and has no linear path.
        "auto" is "pca" where it is possible: a loss with the identity link, such as any but
        "log_loss", an identity code and no penalty but "neighbors".

    whiten : bool, default=False
        Whether codes are uncorrelated with unit variance on the training rows.

    penalty : None, str, part or list of these, default=None
        "contractive", "kl_sparsity", "l1", "neighbors", a part such as
        :class:`~sklearn_ae.penalties.Neighbors` or one of your own with ``term(x, code, encode)``,
        or several of these, which are added.

    corruption : None, str, part or callable, default=None
        How rows are corrupted at each visit in training, in the units of ``X``; the clean row is
        the target. "gaussian", "masking", "salt_and_pepper", "swap_noise", a part such as
        :class:`~sklearn_ae.corruptions.Occlusion`, or a function ``(x, generator)`` of tensors
        of shape (n, n_features). It stands in for the noise of
        :class:`~sklearn_ae.penalties.Neighbors`, which None leaves as it is.

    max_iter : int or "auto", default="auto"
        Epochs, each a visit to every training row. "auto" is a bound where rows are held out,
        20000 steps of the optimiser in at most 200 epochs, and warns where it ends a fit that
        still improves; with ``early_stopping=False`` it makes 6000 steps in at most 60 epochs. 0
        returns the start.

    batch_size : int or "auto", default="auto"
        Rows per step. "auto" takes an eighth of the rows as a power of two in [16, 256].

    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam. "auto" is ``0.05 / sqrt(n_features)``, 0.01 at most.

    learning_rate : {"constant", "adaptive", "one_cycle"}, default="constant"
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

    precision : {"auto", "float32", "bfloat16"}, default="float32"
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
    n_components_ : int
        Width of the code.

    mean_ : ndarray of shape (n_features,)
        Column means of the training rows.

    scale_ : float
        Root of the mean feature variance, by which centred data are divided.

    explained_variance_ : ndarray of shape (min(n_components, n_samples, n_features),)
        Variance along the principal directions of the start; only with the PCA start.

    sparsity_ : float
        Hoyer's sparsity of the codes of the training rows, on average: with l1 and l2 the norms
        of a code, ``(sqrt(n_components) - l1 / l2) / (sqrt(n_components) - 1)``, 0 where all
        values are equally large and 1 where all but one are zero. Only with a code activation or a
        penalty other than "neighbors".

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
        Whether the start was kept, so that the model equals PCA.

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
    VariationalAutoencoder : Gives a density and can be sampled from.
    sklearn.decomposition.PCA : The linear start.

    Notes
    -----
    Features are not standardised: as for PCA, put a
    :class:`~sklearn.preprocessing.StandardScaler` before it where units differ.

    References
    ----------
    .. [1] G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with
       neural networks", Science 313, 2006, :doi:`10.1126/science.1127647`.
    .. [2] P. Baldi and K. Hornik, "Neural networks and principal component analysis: learning
       from examples without local minima", Neural Networks 2, 1989,
       :doi:`10.1016/0893-6080(89)90014-2`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import Autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = Autoencoder(n_components=8, max_iter=2, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (1797, 8)
    """

    explained_variance_: NDArray[np.float64]
    sparsity_: float

    _takes_sparse_rows = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CODE_CONSTRAINTS,
        "hidden_layer_sizes": NETWORK_CONSTRAINTS["hidden_layer_sizes"],
        "activation": NETWORK_CONSTRAINTS["activation"],
        "code_activation": [StrOptions(set(CODE_ACTIVATIONS)), HasMethods("module"), nn.Module],
        "architecture": NETWORK_CONSTRAINTS["architecture"],
        **LOSS_CONSTRAINTS,
        "init": NETWORK_CONSTRAINTS["init"],
        "whiten": ["boolean"],
        "penalty": PENALTY_CONSTRAINTS,
        "corruption": CORRUPTION_CONSTRAINTS,
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components: int | float | None = 2,
        *,
        hidden_layer_sizes: Sequence[int] | Literal["auto"] = "auto",
        activation: Activation = "gelu",
        code_activation: CodeActivation = "identity",
        architecture: Architecture = "dense",
        loss: Loss = "squared_error",
        init: Init = "auto",
        whiten: bool = False,
        penalty: Penalty | list[Penalty] | None = None,
        corruption: Corruption | None = None,
        max_iter: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float | Literal["auto"] = "auto",
        learning_rate: Literal["constant", "adaptive", "one_cycle"] = "constant",
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
        precision: Literal["auto", "float32", "bfloat16"] = "float32",
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.architecture = architecture
        self.loss = loss
        self.init = init
        self.whiten = whiten
        self.penalty = penalty
        self.corruption = corruption
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
        check_penalty(self.penalty, self.code_activation)
        has_neighbors = neighbors_of(self.penalty) is not None
        if has_neighbors and self.batch_size == 1:
            raise ValueError(
                "Neighbors tells a row's neighbour from the other rows of its batch; batch_size=1 "
                "leaves none."
            )
        if has_neighbors and is_sparse(rows.x):
            raise ValueError(
                f"penalty={in_one_line(self.penalty)} looks for neighbours among dense rows; use "
                "X.toarray(), or fewer columns, such as those of TruncatedSVD."
            )
        if self.whiten and getattr(self.code_activation, "is_sparse", False):
            raise ValueError(
                "whiten=True mixes the values of a code, so that none of those that "
                f"code_activation={in_one_line(self.code_activation)} sets to zero would stay; use "
                "whiten=False."
            )
        loss, link = resolve_loss(self.loss, rows.x)
        return ReconstructionBlueprint(
            **self._fields(rows, seed, self._obstacle(link)),
            link=link,
            loss=loss,
            asked=self.loss,
            code_activation=self.code_activation,
            unit_norm=any(
                getattr(part, "unit_norm_decoder", False) for part in penalty_parts(self.penalty)
            ),
            whiten=bool(self.whiten),
            corruption=self.corruption,
            penalty=self.penalty,
            has_neighbors=has_neighbors,
        )

    def _obstacle(self, link):
        """What stands in the way of the PCA start; None where nothing does."""
        if not link.scales_rows:
            return f"loss={in_one_line(self.loss)}"
        if self.code_activation != "identity":
            return f"code_activation={in_one_line(self.code_activation)}"
        for part in penalty_parts(self.penalty):
            if not keeps_start(part):
                return f"penalty={in_one_line(self.penalty)}"
        return None

    def _describe(self, fitted, rows, start, device):
        described = {}
        if start is not None and fitted.blueprint.init == "pca":
            variances = start.directions.variances * fitted.scaling.scale**2
            described["explained_variance_"] = variances
        sparse_parts = [part for part in penalty_parts(self.penalty) if not keeps_start(part)]
        has_sparse_codes = bool(sparse_parts) or self.code_activation != "identity"
        # it stays true where a fit goes on without what made codes sparse
        if has_sparse_codes or hasattr(self, "sparsity_"):

            def sparsity(task, x, share):
                return (share @ hoyer(task.network.encode(x)[0]),)

            (mean,) = fitted.sums(rows, sparsity, device)
            described["sparsity_"] = float(mean)
        return described

    def score(
        self, X: MatrixLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Share of the variance of ``X`` that is reconstructed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            ``1 - sum|x - x_hat|**2 / sum|x - mean_|**2``; 1 where both sums are zero.
        """
        X = self._checked(X, to_score=True)
        fitted, device = self._fitted, self._device()
        return explained_variance(
            X,
            lambda part: fitted.reconstruct(X[part], device),
            self.mean_,
            sample_weight,
        )
