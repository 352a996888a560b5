"""Variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch

from sklearn_ae._compute import make_generator, warn_user
from sklearn_ae._fitting.blueprints import EvidenceBoundBlueprint
from sklearn_ae._fitting.branches import has_positions
from sklearn_ae._fitting.plan import FEWEST_ROWS_TO_TRAIN
from sklearn_ae.estimators._base import BaseNetworkEstimator, check_weights
from sklearn_ae.estimators._methods import (
    GenerativeMixin,
    LatentTransformerMixin,
    ReconstructionMixin,
    check_n_samples,
)
from sklearn_ae.estimators._parameters import (
    CODE_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
    Activation,
    Architecture,
    Init,
    Likelihood,
)
from sklearn_ae.likelihoods import LIKELIHOODS, resolve_likelihood
from sklearn_ae.objectives import gaussian_kl
from sklearn_ae.objectives.likelihoods import SMALLEST_VARIANCE
from sklearn_ae.tasks import SAMPLES_AT_ONCE
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._seeds import draw_seed
from sklearn_ae.utils._sklearn import HasMethods, Interval, StrOptions
from sklearn_ae.utils._sparse import dense_blocks
from sklearn_ae.utils._typing import MatrixLike, RandomState

# Learning rate behind "auto" with another link than the identity, and the rows from which on it
# falls with their root: of many rows, whose epochs are long, less is learnt by heart so.
LEARNING_RATE_BEHIND_A_LINK, ROWS_OF_FULL_RATE = 3e-3, 5500

# A component whose posterior mean varies less than this over the rows carries no information
# (Burda et al. 2015, section 5.2).
ACTIVE_VARIANCE = 0.01


class VariationalAutoencoder(
    GenerativeMixin, LatentTransformerMixin, ReconstructionMixin, BaseNetworkEstimator
):
    r"""Variational autoencoder that starts at probabilistic PCA.

    It minimises minus a lower bound on the log-likelihood,

    .. math::
        \frac{1}{\sum_i w_i} \sum_i w_i \Big[
        -\mathbb E_{q(z|x_i)} \log p(x_i | z)
        + \beta \, \mathrm{KL}\big(q(z|x_i) \,\|\, \mathcal N(0, I)\big) \Big]
        + \frac{\alpha}{2} \sum_l \lVert W_l \rVert^2

    where :math:`q(z|x)` is normal with mean and variance from the encoder and :math:`p(x|z)`
    has its parameters from the decoder; sums run over features and components. With
    ``n_importance_samples`` above 1 the bound is the importance-weighted one,
    :math:`\mathbb E \log \frac 1S \sum_s p(x, z_s) / q(z_s|x)`. With a Gaussian likelihood
    training begins at probabilistic PCA, with its exact posterior, and the trained network is
    kept only if its bound is better on rows held out; the means of features with many rows on
    an end of their range (pixels, indicators, counts) learn to flatten beyond it.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=2
        Width of the code. A float takes the fewest principal components that explain more than
        that share of the variance, None takes min(n_samples, n_features). More components than
        features are allowed.

    likelihood : str or part, default="gaussian"
        Distribution of the data given the code: "gaussian", "laplace", "poisson", "bernoulli",
        "categorical", or a part such as :class:`~sklearn_ae.likelihoods.Gaussian`.

    beta : float, default=1.0
        Weight of the Kullback-Leibler term in training. Reported bounds use 1.

    kl_warm_up : int, default=0
        Epochs over which that weight rises from 0 to ``beta``.

    n_importance_samples : int, default=1
        Draws of the code per row in training; more than one trains on the importance-weighted
        bound, which needs ``beta=1`` and no warm-up.

    hidden_layer_sizes : "auto" or tuple of int, default="auto"
        Widths of the encoder's hidden layers; the decoder mirrors them. ``()`` leaves one
        linear layer each way. "auto" is ``(128, 64)`` up to 128 features, ``(256, 128)`` beyond,
        for discrete data ``(256, 256)`` or ``(512, 512)``; with at least 32 features per
        component ``(256, 128, 64)`` or ``(512, 256, 128)``. Between convolutions and code there
        are none.

    activation : {"identity", "logistic", "tanh", "relu", "gelu", "silu"}, default="gelu"
        Activation of the hidden layers.

    architecture : "dense", Convolutional or callable, default="dense"
        "dense" uses ``hidden_layer_sizes`` and ``activation``;
        :class:`~sklearn_ae.architectures.Convolutional` puts convolutions before them; a callable
        ``(n_features, n_components) -> (encoder, decoder)`` returns two torch modules.

    init : {"auto", "pca", "random"}, default="auto"
        "pca" starts from probabilistic PCA, "random" draws all weights and has no linear path.
        "auto" is "pca" for the Gaussian likelihood, else "random".

    max_iter : int or "auto", default="auto"
        Epochs, each a visit to every training row. "auto" is a bound where rows are held out,
        20000 steps of the optimiser in at most 200 epochs, and warns where it ends a fit that
        still improves; with ``early_stopping=False`` it makes 6000 steps in at most 60 epochs. 0
        returns the start.

    batch_size : int or "auto", default="auto"
        Rows per step. "auto" takes an eighth of the rows as a power of two in [16, 256].

    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam. "auto" is ``0.05 / sqrt(n_features)``, 0.01 at most; for discrete
        data (a Bernoulli, categorical or Poisson likelihood) 3e-3, and with n rows, more than
        5500, ``3e-3 * sqrt(5500 / n)``.

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

    noise_variance_ : float or ndarray of shape (n_features,)
        Noise variance in the units of the data; only with the Gaussian likelihood.

    active_units_ : int
        Components whose posterior mean has a variance above 0.01 over the training rows.

    kl_per_component_ : ndarray of shape (n_components,)
        Mean Kullback-Leibler divergence of each component over the training rows (after
        `partial_fit`, those of the last chunk of 20 rows or more), in nats.

    See Also
    --------
    Autoencoder : Without a density, and with codes in PCA's units.
    sklearn.decomposition.PCA : Its `score` is the log-likelihood of the start.
    sklearn.mixture.GaussianMixture : Another density that can be sampled from.

    Notes
    -----
    Codes have the prior's unit variance. Densities are those of the data in their own units, so
    that `score` compares with that of PCA or `GaussianMixture`. At ``max_iter=0`` it equals
    ``PCA(n_components).fit(X).score(X)`` as long as the noise variance is above its limit.

    References
    ----------
    .. [1] D. P. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014,
       :arxiv:`1312.6114`.
    .. [2] Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", ICLR
       2016, :arxiv:`1509.00519`.
    .. [3] M. E. Tipping and C. M. Bishop, "Probabilistic principal component analysis", Journal
       of the Royal Statistical Society B 61, 1999, :doi:`10.1111/1467-9868.00196`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import VariationalAutoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> vae = VariationalAutoencoder(n_components=8, max_iter=2, random_state=0).fit(X)
    >>> vae.sample(3, random_state=0).shape
    (3, 64)
    """

    explained_variance_: NDArray[np.float64]
    noise_variance_: float | NDArray[np.float64]
    active_units_: int
    kl_per_component_: NDArray[np.float64]

    _takes_sparse_rows = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CODE_CONSTRAINTS,
        "likelihood": [StrOptions(set(LIKELIHOODS)), HasMethods(["check", "module"])],
        "beta": [Interval(Real, 0, None, closed="left")],
        "kl_warm_up": [Interval(Integral, 0, None, closed="left")],
        "n_importance_samples": [Interval(Integral, 1, None, closed="left")],
        **NETWORK_CONSTRAINTS,
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components: int | float | None = 2,
        *,
        likelihood: Likelihood = "gaussian",
        beta: float = 1.0,
        kl_warm_up: int = 0,
        n_importance_samples: int = 1,
        hidden_layer_sizes: Sequence[int] | Literal["auto"] = "auto",
        activation: Activation = "gelu",
        architecture: Architecture = "dense",
        init: Init = "auto",
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
        self.likelihood = likelihood
        self.beta = beta
        self.kl_warm_up = kl_warm_up
        self.n_importance_samples = n_importance_samples
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.architecture = architecture
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
        if self.n_importance_samples > 1 and (self.beta != 1 or self.kl_warm_up):
            raise ValueError(
                f"n_importance_samples={self.n_importance_samples} trains on the "
                "importance-weighted bound, which has no Kullback-Leibler term to weigh; use "
                f"beta=1 and kl_warm_up=0, got beta={self.beta}, kl_warm_up={self.kl_warm_up}."
            )
        likelihood, link = resolve_likelihood(self.likelihood, rows.x)
        obstacle = None if link.scales_rows else f"likelihood={in_one_line(self.likelihood)}"
        fields = self._fields(rows, seed, obstacle)
        if not link.scales_rows:
            share = min(1.0, math.sqrt(ROWS_OF_FULL_RATE / len(rows.x)))
            fields["auto_learning_rate"] = share * LEARNING_RATE_BEHIND_A_LINK
        if not isinstance(self.architecture, str) and has_positions(self.architecture):
            raise ValueError(
                "upsampling='max_unpool' gives the decoder positions beside the code, which a "
                f"{type(self).__name__} cannot draw; use another upsampling."
            )
        if not link.scales_rows and getattr(likelihood, "binarize", None) is None:
            check_density(likelihood, rows.x)
        fixed_variance = getattr(likelihood, "fixed_variance", None)
        return EvidenceBoundBlueprint(
            **fields,
            link=link,
            likelihood=likelihood,
            asked=self.likelihood,
            fixed_variance=fixed_variance() if fixed_variance else None,
            beta=self.beta,
            kl_warm_up=self.kl_warm_up,
            n_importance_samples=self.n_importance_samples,
        )

    def _describe(self, fitted, rows, start, device):
        """Noise variance, and what each component carries."""
        described, course = {}, fitted.course
        if start is not None and fitted.blueprint.init == "pca":
            variances = start.directions.variances * fitted.scaling.scale**2
            described["explained_variance_"] = variances
        task, _ = fitted.exact_task(device)
        variance = getattr(task.likelihood, "log_variance", None)
        if variance is not None:
            variance = np.exp(variance.detach().cpu().double().numpy()) * fitted.scaling.unit**2
            described["noise_variance_"] = float(variance) if variance.ndim == 0 else variance

        def moments(task, x, share):
            mean, log_variance = task.network.encode_distribution(x)
            kl = gaussian_kl(mean, log_variance)
            return share @ mean, share @ mean.square(), share @ kl

        first, second, kl = fitted.sums(rows, moments, device)
        n_active = int((second - first.square() > ACTIVE_VARIANCE).sum())
        is_enough = len(rows.x) >= FEWEST_ROWS_TO_TRAIN
        is_chunk = course.state is not None and course.state["optimizers"] is not None
        # a chunk may have too few rows to tell
        if is_enough or not (is_chunk and hasattr(self, "kl_per_component_")):
            described["kl_per_component_"] = kl.cpu().numpy()
            described["active_units_"] = n_active
        is_trained = course.loss_curve and not course.start_kept
        if is_trained and n_active == 0 and is_enough:
            warn_user(
                "The posterior collapsed: no component of the code carries information about X. "
                f"Try a smaller beta (it is {self.beta}), kl_warm_up of some epochs, or more "
                "epochs.",
                ConvergenceWarning,
            )
        if is_trained:
            self._warn_of_floor(fitted, described.get("noise_variance_"))
        return described

    @staticmethod
    def _warn_of_floor(fitted, noise_variance):
        """Warn where the noise variance is as small as training allows."""
        floor = SMALLEST_VARIANCE * fitted.scaling.unit**2
        is_learnt = noise_variance is not None and fitted.blueprint.fixed_variance is None
        if is_learnt and np.min(noise_variance) < 1.01 * floor:
            warn_user(
                f"noise_variance_ is {np.min(noise_variance):.3g}, the least that training allows "
                "(1e-6 of the mean feature variance): the code leaves next to nothing over, and "
                "score depends on that limit. Use fewer components, or "
                "likelihood=Gaussian(noise_variance=...) with the noise that you expect.",
                ConvergenceWarning,
            )

    # ------------------------------------------------------------------ densities

    def score_samples(
        self, X: MatrixLike, n_samples: int = 100, random_state: RandomState = None
    ) -> NDArray[Any]:
        """Importance-weighted lower bound on the log-likelihood of each row.

        It rises to the log-likelihood as ``n_samples`` grows. One table of noise, drawn from a
        seed fixed in `fit`, serves all rows, so that a row's value depends on that row only.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        n_samples : int, default=100
            Draws of the code per row.

        random_state : int, RandomState instance or None, default=None
            Source of another table of noise; None takes the one of `fit`.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Nats, in the units of the data; float64.
        """
        X = self._checked(X, to_score=True)
        check_density(self._fitted.blueprint.likelihood, X)
        noise = self._noise_table(n_samples, random_state)

        def function(task, x):
            return (task.log_likelihood(x, noise.to(x)).double(),)

        (bound,) = self._fitted.map(X, function, self._device(), min(n_samples, SAMPLES_AT_ONCE))
        return bound - self._log_unit()

    def score(
        self, X: MatrixLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Mean of `score_samples`.

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
            Mean bound on the log-likelihood in nats, in the units of the data.
        """
        bound = self.score_samples(X)
        weight = None if sample_weight is None else check_weights(sample_weight, bound[:, None])
        return float(np.average(bound, weights=weight))

    def elbo(self, X: MatrixLike, n_samples: int = 100) -> Bunch:
        """Evidence lower bound of each row, its two parts apart.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        n_samples : int, default=100
            Draws of the code per row for the mean of the log density.

        Returns
        -------
        bound : Bunch
            ``reconstruction`` (mean log density given the code), ``kl`` and ``elbo``, their
            difference: ndarrays of shape (n_samples,), in nats, in the units of the data.
        """
        X = self._checked(X, to_score=True)
        check_density(self._fitted.blueprint.likelihood, X)
        noise = self._noise_table(n_samples)

        def function(task, x):
            reconstruction, kl = task.bound_parts(x, noise.to(x))
            return reconstruction.double(), kl.double()

        reconstruction, kl = self._fitted.map(
            X, function, self._device(), min(n_samples, SAMPLES_AT_ONCE)
        )
        reconstruction = reconstruction - self._log_unit()
        return Bunch(reconstruction=reconstruction, kl=kl, elbo=reconstruction - kl)

    def _noise_table(self, n_samples, random_state=None):
        """Standard normal draws of shape (n_samples, 1, n_components), the same at each call."""
        check_n_samples(n_samples)
        seed = self._fitted.blueprint.seed if random_state is None else draw_seed(random_state)
        shape = (n_samples, 1, self.n_components_)
        return torch.empty(shape, dtype=torch.float64, device="cpu").normal_(
            generator=make_generator(seed)
        )

    def _log_unit(self):
        """What a log density of scaled rows exceeds that of rows in their own units by."""
        return self.n_features_in_ * np.log(self._fitted.scaling.unit)


def check_density(likelihood, X):
    """Warn where rows have no density."""
    check = getattr(likelihood, "check_density", None)
    if check is not None:
        for rows in dense_blocks(X):
            check(rows)
