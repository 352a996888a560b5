"""The outlier detector."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, nullcontext
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ae._anomaly import (
    AnomalyScores,
    Standardizer,
    calibration_rank,
    common_rows,
    core_of,
    down_weights,
    equals_any,
    is_isometric,
    low_limit,
    mean_of,
    of_part,
    quantile,
    repeats,
    rounding,
    value_at,
    within_fences,
)
from sklearn_ae._anomaly.covariance import standardise
from sklearn_ae._anomaly.neighbors import Neighbors
from sklearn_ae._anomaly.robust import ROUNDING
from sklearn_ae._compute import inference_device, slices, warn_user
from sklearn_ae._fitting.fitted import SplitErrors
from sklearn_ae._fitting.plan import VALIDATION_FRACTION
from sklearn_ae._fitting.rows import Rows
from sklearn_ae.estimators._autoencoder import Autoencoder
from sklearn_ae.estimators._base import PackageMixin, check_weights, fits, of_positive_weight
from sklearn_ae.estimators._folds import (
    FEWEST_ROWS,
    FEWEST_ROWS_TO_HOLD_OUT,
    FOLDS,
    left_out_in_folds,
    parts_of_rows,
)
from sklearn_ae.estimators._inner import (
    ADDITIVE_SCORES,
    ISOMETRIC_SCORES,
    SCORES,
    AnomalyScore,
    check_columns,
    check_score,
    check_takes_any_rows,
    is_frozen,
    makes_epochs,
    new_estimator,
)
from sklearn_ae.estimators._parameters import TRAINING_CONSTRAINTS
from sklearn_ae.estimators._thresholds import warn_of_few, warn_of_new_rows
from sklearn_ae.estimators._variational import VariationalAutoencoder
from sklearn_ae.utils._columns import DistinctColumns
from sklearn_ae.utils._images import flatten_images
from sklearn_ae.utils._parts import check_finite
from sklearn_ae.utils._seeds import draw_seeds
from sklearn_ae.utils._sklearn import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    container_like,
    fit_context,
    with_callbacks,
)
from sklearn_ae.utils._typing import RandomState

# Draws that the curvature of the distance is estimated with: an error of 4 %.
CURVATURE_DRAWS = 1000
# What a fit draws for, each from a stream of its own.
PURPOSES = (
    "split",
    "rows to train",
    "estimator",
    "neighbors",
    "curvature",
    "common rows",
    "folds",
)
# Rows that tell whether the autoencoder leaves anything over, and whether it is linear.
ROWS_TO_WARN, ROWS_TO_COMPARE = 100, 200


class AutoencoderDetector(CallbackSupportMixin, PackageMixin, OutlierMixin, BaseEstimator):
    r"""Outlier detector built from an autoencoder.

    A row is anomalous where the autoencoder leaves much of it over, or where its output lies apart
    from the others. With the output :math:`\hat x` and the error :math:`e = x - \hat x`, side by
    side :math:`v = (e, \hat x)`, the score "auto" is

    .. math::
        -\tfrac{1}{2} \log\big(1 + e^{\ell_1}\big) - \tfrac{1}{2} \log\big(1 + e^{\ell_2}\big),
        \quad \ell_i = \frac{\log d_i - m_i}{s_i},

    with :math:`d_1 = (v - \mu)^\top \Sigma^{-1} (v - \mu)` for centre and shrunk covariance [1]_
    of the :math:`v` of training rows (which ones: see ``robust``), :math:`d_2` the mean distance to
    the k nearest of all [2]_, and :math:`m_i, s_i` median and spread of :math:`\log d_i` over all.
    Where rows fall into groups that lie apart, :math:`\mu, \Sigma, m_i, s_i` are those of the
    group of the nearest training row.
    The first finds what breaks the relations between features, the second what lies in a gap; what
    is far by one of them is not made up for by the other.

    Parameters
    ----------
    estimator : Autoencoder, VariationalAutoencoder, FrozenEstimator or None, default=None
        What gives reconstructions and codes; a copy is fitted, dense or convolutional. None is
        ``Autoencoder(n_components=0.9, max_iter=0)``: PCA with as many components as hold nine
        tenths of the variance. Epochs take time and find no more rows of another kind (benchmark
        `detector_rules`); where columns follow from each other by products or choices,
        ``Autoencoder(0.9)`` with ``standardize=True`` finds more wrong values. Images are for an
        estimator of their own. ``validation_fraction="auto"`` is 0.1 here, without folds.
        ``FrozenEstimator(fitted)`` is used as it is, and only spreads, covariance,
        neighbours and threshold are learnt: from rows that it was not fitted to, else thresholds
        are those of rows that it knows, and more of the new ones are flagged.

    anomaly_score : str, default="auto"
        Anomaly score, of which `score_samples` returns the negative:

        - "reconstruction": squared error, the sum over features.
        - "standardized": the same with each feature's error over its own spread.
        - "mahalanobis": squared Mahalanobis distance of error and output together, under their
          shrunk covariance.
        - "latent": squared Mahalanobis distance of the code alone.
        - "likelihood": minus the importance-weighted bound on the log-likelihood; only for a
          `VariationalAutoencoder`.
        - "neighbors": mean distance of error and output together to the k nearest training rows.
        - "auto": "mahalanobis" and "neighbors" together, as the formula says.

    contamination : "auto" or float, default="auto"
        What `offset_` is taken from. A float is the share of outliers in the training data:
        `offset_` is that quantile of the training rows' scores. New rows score lower than those
        that were learnt from, so more of them are flagged; where it is more than twice the share, a
        warning tells. "auto" flags what lies more than three deviations below the median of scores
        of rows that were left out, or than the lowest 1.5 % of these, see Notes; the deviation is
        the median distance of the scores below the median to it, over what it is for as large a
        share of a normal distribution (0.6745 where half are below). No row whose exact values a
        twentieth of the training rows have is then flagged: it scores `offset_` at least. Not used
        where rows of `fit` calibrate, see ``calibration_fraction``.

    robust : "auto" or bool, default="auto"
        Whether the training data may hold outliers. "auto": the autoencoder is trained on all
        rows, with values far out in a feature moved to a fence, and with less weight the farther
        a row lies from its neighbours; spreads and covariance come from the rows that are not far
        from theirs. True trains it on the three quarters of the rows that are closest to theirs,
        and takes spreads and covariance from such: for many outliers; rare but normal rows are
        then not learnt. False leaves everything as it is, for training data known to be clean.

    standardize : "auto" or bool, default="auto"
        Whether features are centred and divided by their standard deviation first. "auto" does
        so where ``estimator`` is None; one that is given gets the rows as they are. Of a feature in
        which more than four fifths of the rows have one value, the signed root of the difference
        from it, times the root of the median difference that is not zero, is taken before that.

    n_neighbors : int, default=20
        Nearest rows that the scores "neighbors" and "auto" take the mean distance to; a robust fit
        goes by the distance to the last of them. Of more than 1000 training rows, or 10000 where a
        tree finds neighbours sooner, as of few features, that many are drawn to be neighbours, and
        as many times fewer of them are taken, down to five.

    calibration_fraction : "folds" or float, default=0.0
        Share of the rows given to `fit` that is used for nothing but calibration, see
        `calibrate`; 0 is none. "folds" calibrates by scores of all rows, each as if it had been
        left out, and learns from all: the rate then holds about, not by proof. With fewer than
        100 rows each is left out of a fit of its own, ``n_jobs`` at a time, which takes seconds.

    false_positive_rate : float, default=0.05
        Share of normal rows that `predict` flags at most, on average over calibrations, once
        the detector is calibrated [3]_.

    device : str, default="auto"
        Device of the default estimator: "auto", "cpu", "cuda" or any name torch knows. One that
        is given has its own.

    n_jobs : int or None, default=None
        Folds that are fitted at a time, where there are some; -1 uses all processors.

    random_state : int, RandomState instance or None, default=None
        Controls what is held out and drawn, and the training of the estimator unless that has a
        ``random_state`` of its own. Pass an int for identical results across calls.

    Attributes
    ----------
    estimator_ : Autoencoder or VariationalAutoencoder
        The fitted autoencoder.

    offset_ : float
        Threshold: rows with a lower score are outliers.

    robust_ : bool
        Whether the fit is robust.

    calibration_scores_ : ndarray of shape (n_calibration,)
        Scores of the calibration rows in rising order; only after calibration. Those of "folds" are
        scores of all rows, as if left out.

    mean_, scale_ : ndarray of shape (n_features,)
        Centre and divisor of the features; zero and one without ``standardize``. A feature that is
        constant up to rounding has the divisor one.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where ``X`` has such that are all strings.

    See Also
    --------
    Autoencoder : The default estimator.
    VariationalAutoencoder : Has the score "likelihood".
    sklearn.ensemble.IsolationForest : Splits features one by one.
    sklearn.neighbors.LocalOutlierFactor : Compares densities of neighbours.

    Notes
    -----
    The score of a row that was left out is that of a new row. Spreads, covariance and nearest rows
    of the others follow in closed form from those of all rows (Sherman and Morrison; no row is its
    own neighbour). For the autoencoder, of three ways the first that is possible is taken:

    - Where it is frozen, or PCA, as by default, and the score is "auto", "mahalanobis" or
      "neighbors", every row counts as left out: side by side, errors and outputs of PCA are at the
      same distances as the rows themselves, whatever it has learnt from. Nor do these scores depend
      on its number of components.
    - With 250 rows or more and ``contamination="auto"``, a tenth of the rows, or 50 if that is
      more, is kept from the autoencoder.
    - Otherwise each row is left out once, in five folds, which takes as many more fits. Where a
      float ``contamination`` needs such scores for its warning alone, an autoencoder with epochs
      and 250 rows or more is taken as it is.

    A robust fit goes by the distance d of a row to its k-th neighbour, which is far where it
    exceeds :math:`u = m + 3 \cdot 1.4826\, \mathrm{MAD}`, with the median m of the distances of
    all training rows and the median absolute deviation from it (where half of the distances are
    equal, as in tables of categories, that of the others). In training, a row has the weight
    :math:`\max(0.05, \min(1, (u / d)^2))`, by standardised features within fences. Spreads and
    covariance come from the rows whose distance is at most u, by error and output, with m and MAD
    of the row's group.

    Groups are found by error and output. Different rows are joined where each is among the 20
    nearest of the other. What is joined, and has 7 % of the rows or more (a quarter with
    ``robust=True``), is a group; those whose centres are less than three standard deviations apart
    are one, such as a group and what surrounds it. There are several where they hold 85 % of the
    rows together, else there is one. What has fewer, but more than 20 different rows, are strays,
    if all of these are less than 7 % (or a quarter): unless ``robust=False``, spreads and
    covariance do not come from them, and no row has them as neighbours.

    The fences hold features in training only. They lie five times as far from a feature's median as
    its 5th and 95th percentile, and there is none where that percentile is the median, as for rare
    indicators.

    References
    ----------
    .. [1] O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", Journal of Multivariate Analysis 88, 2004,
       :doi:`10.1016/S0047-259X(03)00096-4`.
    .. [2] F. Angiulli and C. Pizzuti, "Fast outlier detection in high dimensional spaces", PKDD
       2002, :doi:`10.1007/3-540-45681-3_2`.
    .. [3] S. Bates, E. Candès, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with
       conformal p-values", 2021, :arxiv:`2104.08279`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_ae import Autoencoder, AutoencoderDetector
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> detector = AutoencoderDetector(Autoencoder(5, max_iter=0), standardize=True)
    >>> detector.fit(X).predict(X).shape
    (569,)
    """

    estimator_: Autoencoder | VariationalAutoencoder
    offset_: float
    robust_: bool
    calibration_scores_: NDArray[np.float64]
    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [Autoencoder, VariationalAutoencoder, FrozenEstimator, None],
        "anomaly_score": [StrOptions(set(SCORES))],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "robust": [StrOptions({"auto"}), "boolean"],
        "standardize": [StrOptions({"auto"}), "boolean"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "calibration_fraction": [StrOptions({"folds"}), Interval(Real, 0, 1, closed="left")],
        "false_positive_rate": [Interval(Real, 0, 1, closed="neither")],
        "device": TRAINING_CONSTRAINTS["device"],
        "n_jobs": [Integral, None],
        "random_state": TRAINING_CONSTRAINTS["random_state"],
    }

    def __init__(
        self,
        estimator: Autoencoder | VariationalAutoencoder | FrozenEstimator | None = None,
        *,
        anomaly_score: AnomalyScore = "auto",
        contamination: float | Literal["auto"] = "auto",
        robust: bool | Literal["auto"] = "auto",
        standardize: bool | Literal["auto"] = "auto",
        n_neighbors: int = 20,
        calibration_fraction: float | Literal["folds"] = 0.0,
        false_positive_rate: float = 0.05,
        device: str = "auto",
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.anomaly_score = anomaly_score
        self.contamination = contamination
        self.robust = robust
        self.standardize = standardize
        self.n_neighbors = n_neighbors
        self.calibration_fraction = calibration_fraction
        self.false_positive_rate = false_positive_rate
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fits
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the autoencoder and learn what its errors and outputs look like.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, with or without outliers. With an estimator for images also of shape
            (n_samples, channels, height, width) or, with one channel, (n_samples, height, width).

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. They enter autoencoder, scales, covariance and thresholds, as if
            rows were given as often as they say, but that a row is left out with all its weight.
            Neighbours are taken without: a row is one neighbour whatever its weight. Rows of
            weight zero are dropped, and weights that add up to less than the number of rows, of all
            or of a group, are taken as relative.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If ``X`` has missing or infinite values or fewer than two rows, if a score is asked
            for that the estimator does not have, if there are too few rows for calibration, or
            if ``standardize=True`` meets a loss or likelihood of values in [0, 1].

        Warns
        -----
        UserWarning
            If the score is that of errors, and the autoencoder leaves nothing over.
        ThresholdWarning
            If more than twice ``contamination`` of new rows would be flagged, or if there are
            fewer than 30 rows, or all are equal.
        """
        context = self._init_callback_context(max_subtasks=2)
        estimator = new_estimator(self)
        self._score = check_score(self.anomaly_score, estimator)
        _, seeds = draw_seeds(self.random_state, PURPOSES)
        given = Rows(self._rows(X, estimator, reset=True))
        if sample_weight is not None:
            given.weight = check_weights(sample_weight, given.x)
        told = {"X": given.x, "y": y, "metadata": {"sample_weight": given.weight}}
        context.call_on_fit_task_begin(estimator=self, **told)
        rows = of_positive_weight(given)
        n_rows = len(rows.x)
        if n_rows < 2:
            raise ValueError(
                f"Found array with {n_rows} sample(s) of positive weight (shape={given.x.shape}) "
                "while a minimum of 2 is required."
            )
        if self.n_neighbors >= n_rows and self.n_neighbors != 20:  # the default warns nobody
            warn_user(
                f"n_neighbors ({self.n_neighbors}) is greater than or equal to the total number "
                f"of samples ({n_rows}). n_neighbors will be set to (n_samples - 1)."
            )
        train, held_out, calibration = parts_of_rows(
            n_rows,
            seeds["split"],
            self.calibration_fraction,
            self.false_positive_rate,
            holds_out=self._holds_out,
        )
        self.robust_ = _chosen(self.robust, auto=True)
        with self._task(context, "fit-autoencoder", told, estimator):
            self._train(rows.select(train), seeds, estimator)
        with self._task(context, "set-threshold", told):
            learnt, device = rows.select(~calibration), inference_device(self.estimator_.device)
            split = self._learn_scores(learnt, seeds, device)
            self._curvature = self._curvature_of_groups(learnt, seeds["curvature"], device)
            self.__dict__.pop("calibration_scores_", None)
            self._common = rows.x[:0]
            if calibration.any():
                chosen = rows.select(calibration)
                self._calibrate(self._score_rows(chosen.x, self._score), chosen.weight)
            else:
                is_all_left_out, n_folds = self._is_all_left_out(split), FOLDS
                if is_all_left_out and self._calibrates_in_folds and len(rows.x) < FEWEST_ROWS:
                    is_all_left_out, n_folds = is_frozen(self.estimator), len(rows.x)
                held_out[:] |= is_all_left_out
                if held_out.any():
                    left_out = self._left_out_scores(rows, split, held_out)
                else:
                    held_out[:] = True
                    score_fold = partial(type(self)._score_fold, self._without_fit(), rows, seeds)
                    left_out = left_out_in_folds(
                        score_fold, rows.x, seeds["folds"], self.n_jobs, n_folds
                    )
                self._set_threshold(rows, left_out, held_out, seeds["common rows"])
            self._warn_of_rounding(rows.x[:ROWS_TO_WARN])
        context.call_on_fit_task_end(estimator=self, **told, reconstruction_attributes={})
        return self

    def score_samples(
        self, X: ArrayLike, anomaly_score: AnomalyScore | None = None
    ) -> NDArray[Any]:
        """Score of each row, the higher the more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, or images as in `fit`.

        anomaly_score : str or None, default=None
            Another score of the same fit; None is the one that `offset_` belongs to, which is
            the parameter of that name as it was at the last `fit` or `calibrate`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Scores, float64.

        Raises
        ------
        ValueError
            If the estimator does not have that score.
        """
        check_is_fitted(self)
        name = check_score(anomaly_score, self.estimator_, self._score)
        rows = self._rows(X, self.estimator_)
        scores = self._score_rows(rows, name)
        if name == self._score and len(self._common):
            is_common = equals_any(rows, self._common)
            scores[is_common] = np.maximum(scores[is_common], self.offset_)
        return scores

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Score of each row less the threshold; negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, or images as in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Tell outliers from normal rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, or images as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for the others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def score_features(self, X: ArrayLike, anomaly_score: AnomalyScore | None = None) -> Any:
        r"""Which features make a row anomalous, the higher the more.

        For "reconstruction" and "standardized" it is each feature's term: these add up to minus
        the score. For the others it is

        .. math::
            \frac{(J^\top \Sigma^{-1} (v - \mu))_j^2}{(J^\top \Sigma^{-1} J)_{jj}},

        with :math:`J` the derivative of :math:`v` over the row: by how much the squared
        Mahalanobis distance would fall, to second order, were feature j alone what the others
        suggest. That does not add up to the score. The denominator is a mean over training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, or images as in `fit`.

        anomaly_score : str or None, default=None
            The score to be explained; None as in `score_samples`.

        Returns
        -------
        contributions : ndarray or data frame of shape (n_samples, n_features)
            Not negative; a data frame where ``X`` is one.
        """
        check_is_fitted(self)
        score = check_score(anomaly_score, self.estimator_, self._score)
        rows = self._standardizer(self._rows(X, self.estimator_))
        device = inference_device(self.estimator_.device)
        split = self._split_errors(rows, device)
        if score in ADDITIVE_SCORES:
            errors = split.errors
            spread = self._scores.spread if score == "standardized" else 1.0
            return container_like(X, (errors / spread) ** 2)
        gradient = self._vector_jacobian(rows, self._scores.gradient, device)
        return container_like(X, gradient**2 / self._curvature[self._scores.group_of(split)])

    # ------------------------------------------------------------------ calibration

    @fits
    def calibrate(self, X_cal: ArrayLike) -> Self:
        """Set the threshold so that ``false_positive_rate`` of normal rows are flagged.

        Parameters
        ----------
        X_cal : array-like of shape (n_calibration, n_features)
            Normal rows that `fit` did not see.

        Returns
        -------
        self : object
            The detector, with another ``offset_``.

        Raises
        ------
        ValueError
            If there are fewer rows than ``1 / false_positive_rate - 1``.

        Notes
        -----
        With n calibration rows, `predict` flags what scores below the
        ``floor(false_positive_rate * (n + 1))``-th smallest of their scores. If they and a new
        row are exchangeable, the probability that this one is flagged, over calibrations, is at
        most ``false_positive_rate``: split conformal prediction.
        """
        check_is_fitted(self)
        self._validate_params()
        self._score = check_score(self.anomaly_score, self.estimator_)
        return self._calibrate(self._score_rows(self._rows(X_cal, self.estimator_), self._score))

    def p_values(self, X: ArrayLike) -> NDArray[Any]:
        """Share of normal rows that would score as low, by the calibration rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, or images as in `fit`.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            ``(1 + #{calibration scores <= score}) / (n_calibration + 1)``.

        Raises
        ------
        ValueError
            If the detector is not calibrated.
        """
        check_is_fitted(self)
        if not hasattr(self, "calibration_scores_"):
            raise ValueError(
                "p_values needs calibration rows: call calibrate(X_cal), or set "
                "calibration_fraction before fit."
            )
        scores = self.score_samples(X)
        # rows that are equal have equal scores but for rounding
        equal = scores + rounding(scores, self.calibration_scores_)
        below = np.searchsorted(self.calibration_scores_, equal, side="right")
        counts = np.r_[0.0, self._calibration_counts]
        return (1 + counts[below]) / (counts[-1] + 1)

    def _calibrate(self, scores, weight=None):
        """Put the threshold where scores of normal rows say."""
        times = np.ones(len(scores)) if weight is None else repeats(weight)
        order = np.argsort(scores, kind="stable")
        rank = calibration_rank(self.false_positive_rate, times.sum())
        threshold = value_at(scores, rank - 1, times)
        self._common = np.empty((0, self.n_features_in_))
        self.calibration_scores_ = scores[order]
        self._calibration_counts = np.cumsum(times[order])
        self.offset_ = float(threshold - rounding(threshold, scores))
        return self

    def _set_threshold(self, rows, left_out, which, seed):
        """Put the threshold where scores of rows that were left out say, or a share of all rows."""
        warn_of_few(rows.x)
        weight = rows.select(which).weight
        if self._calibrates_in_folds:
            self._calibrate(left_out, weight)
        elif isinstance(self.contamination, str):
            self.offset_ = low_limit(left_out, weight)
            self._common = common_rows(rows.x, seed, rows.weight)
        else:
            scores = self._score_rows(rows.x, self._score)
            threshold = quantile(scores, self.contamination, rows.weight)
            self.offset_ = float(threshold - rounding(threshold, scores))
            flagged = mean_of(left_out < self.offset_, weight)
            warn_of_new_rows(self.contamination, flagged, len(left_out))

    # ------------------------------------------------------------------ parts of fit

    @contextmanager
    def _task(self, context, name, told, estimator=None):
        """A part of the fit that callbacks are told of, by an estimator of its own if there is."""
        task = context.subcontext(task_name=name)
        has_own = hasattr(estimator, "set_callbacks") and not is_frozen(self.estimator)
        with task.propagate_callback_context(estimator) if has_own else nullcontext():
            task.call_on_fit_task_begin(estimator=self, **told)
            yield
            task.call_on_fit_task_end(estimator=self, **told)

    def _fit_estimator(self, estimator, rows, weight, seed):
        """The autoencoder fitted to scaled rows, or the frozen one."""
        if is_frozen(self.estimator):
            check_columns(estimator, rows.shape[1], getattr(self, "feature_names_in_", None))
            return estimator
        if estimator.random_state is None:
            estimator.random_state = seed % 2**31
        if estimator.validation_fraction == "auto":  # one split: rows are scored by what it gives
            estimator.validation_fraction = VALIDATION_FRACTION
        return estimator.fit(rows, sample_weight=weight)

    def _train(self, rows, seeds, estimator):
        """Learn scale and autoencoder."""
        columns = DistinctColumns(rows.x)
        x, weight = columns.first_of(rows.x), rows.weight
        everything = kept = within_fences(x, weight) if self.robust_ else x
        if self.robust_ and not is_frozen(self.estimator):
            standardised = columns.weighed(standardise(kept, weight))
            seed = seeds["rows to train"]
            greatest = Neighbors(standardised, self.n_neighbors, seed).distances(standardised)[1]
            if isinstance(self.robust, str):
                trust = down_weights(greatest, weight)
            else:
                core = core_of(greatest, robust=True, weight=weight)
                weight, trust = of_part(weight, core), None
                kept = within_fences(x[core], weight)
        else:
            trust = None
        standardize = _chosen(self.standardize, auto=self.estimator is None)
        if standardize and self.estimator is not None:
            check_takes_any_rows(estimator)
        standardizer = Standardizer(kept, standardize, everything, weight, rows.weight)
        self._standardizer = standardizer.repeated(columns)
        self.mean_, self.scale_ = self._standardizer.mean, self._standardizer.scale
        scaled = columns.repeated(standardizer(kept))
        # a row counts as often as it is given, and as far as it is trusted
        if trust is not None:
            weight = trust if weight is None else weight * trust
        self.estimator_ = self._fit_estimator(estimator, scaled, weight, seeds["estimator"])

    def _learn_scores(self, rows, seeds, device):
        """Learn what errors and outputs of normal rows look like; these of the rows."""
        scaled = self._standardizer(rows.x)
        split = self._split_errors(scaled, device)
        some = scaled[:: -(-len(scaled) // ROWS_TO_COMPARE)]
        unlimited = self.estimator_._fitted.split_errors(some, device, limited=False)
        self._scores = AnomalyScores(
            split,
            is_isometric=is_isometric(unlimited),
            robust="auto" if isinstance(self.robust, str) else bool(self.robust),
            n_neighbors=self.n_neighbors,
            seed=seeds["neighbors"],
            weight=rows.weight,
        )
        return split

    def _is_all_left_out(self, split):
        """Whether scores of all rows tell how new ones score, with this autoencoder."""
        n_rows = len(split.errors)
        # only for a warning, many fits would take too long: what the autoencoder has learnt by
        # heart is overlooked
        is_long = n_rows >= FEWEST_ROWS_TO_HOLD_OUT and self.estimator_.max_iter != 0
        only_warns = not isinstance(self.contamination, str) and not self._calibrates_in_folds
        return (
            (self._score in ISOMETRIC_SCORES and self._scores.is_isometric)
            or is_frozen(self.estimator)
            or n_rows <= 2  # none can be left out
            or (only_warns and is_long)
        )

    @property
    def _holds_out(self):
        """Whether scores of rows that the autoencoder has not learnt from are asked for."""
        return isinstance(self.contamination, str) and (
            makes_epochs(self.estimator)
            or not (is_frozen(self.estimator) or self._score in ISOMETRIC_SCORES)
        )

    @property
    def _calibrates_in_folds(self):
        return isinstance(self.calibration_fraction, str)

    def _left_out_scores(self, rows, split, which):
        """Scores of rows that the autoencoder has not learnt from, as if nothing else had."""
        if self._score == "likelihood":
            return self._score_rows(rows.x[which], self._score)
        return -self._scores.left_out_scores(self._score, split, rows.weight)[which]

    def _warn_of_rounding(self, rows):
        """Warn where the score is that of errors and the autoencoder leaves nothing over."""
        if self._score not in ADDITIVE_SCORES:
            return
        scaled = self._standardizer(rows)
        errors, _, codes = self._split_errors(scaled)
        if (np.abs(errors) <= ROUNDING * np.abs(scaled).max(axis=0)).all():
            warn_user(
                f"anomaly_score='{self._score}' judges by rounding: a code of {codes.shape[1]} "
                f"values for {errors.shape[1]} features leaves nothing of these rows over; use "
                "'auto', or fewer components."
            )

    def _score_fold(self, rows, seeds, left_out):
        """Scores of rows left out, by an autoencoder that has learnt from the others.

        They are none of their own neighbours and not in the covariance that they are judged by.
        That has learnt from the other rows of the fold, as many as new ones are judged by.
        """
        with warnings.catch_warnings():
            # the fit of all rows has warned of whatever there is
            warnings.simplefilter("ignore", UserWarning)
            estimator = new_estimator(self)
            if hasattr(estimator, "set_callbacks"):  # they see the fit of all rows
                estimator.set_callbacks()
            self._train(rows.select(~left_out), seeds, estimator)
            split = self._learn_scores(rows, seeds, inference_device(self.estimator_.device))
        return self._left_out_scores(rows, split, left_out)

    def _without_fit(self):
        """A detector with the same parameters that knows of its rows but has learnt nothing."""
        other = clone(self)
        for name in ("_score", "robust_", "n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(other, name, getattr(self, name))
        return other

    def _curvature_of_groups(self, rows, seed, device):
        """Second derivatives of the squared distance of each group over each feature."""
        if self._scores.is_isometric:
            return np.array(
                [covariance.inverse_diagonal() for covariance, _ in self._scores.cores()]
            )
        scaled = Rows(self._standardizer(rows.x), weight=rows.weight)
        return np.array(
            [
                self._mean_curvature(scaled.select(of_group), covariance, seed, device)
                for covariance, of_group in self._scores.cores()
            ]
        )

    def _mean_curvature(self, rows, covariance, seed, device):
        """Second derivative of the squared distance over each feature, a mean over rows."""
        rng = np.random.default_rng(seed)
        weight = np.ones(len(rows.x)) if rows.weight is None else rows.weight
        drawn = rows.x[rng.choice(len(weight), size=CURVATURE_DRAWS, p=weight / weight.sum())]

        def weigh(errors, outputs):
            signs = rng.choice([-1.0, 1.0], size=(len(errors), len(covariance.center)))
            return self._scores.over_both(covariance.scaled(signs, -0.5))

        # E (J' S^(-1/2) r)_j^2 over random signs r is (J' S^(-1) J)_jj
        squares = self._vector_jacobian(drawn, weigh, device) ** 2
        curvature = squares.mean(axis=0)
        return np.maximum(curvature, 1e-12 * curvature.max(initial=0.0) + 1e-300)

    # ------------------------------------------------------------------ rows

    def _rows(self, X, estimator, reset=False):
        """Validated rows, float64: a row's score must not depend on the rows beside it."""
        image_shape = getattr(estimator.architecture, "image_shape", None)
        if image_shape is not None:
            X, _ = flatten_images(X, image_shape)
        return validate_data(
            self, X, dtype=np.float64, reset=reset, ensure_min_samples=2 if reset else 1
        )

    def _split_errors(self, scaled, device=None):
        """Errors, outputs and codes of scaled rows."""
        device = device or inference_device(self.estimator_.device)
        return self.estimator_._fitted.split_errors(scaled, device)

    def _vector_jacobian(self, scaled, weigh, device=None):
        """Gradient over scaled rows of a score of their errors and outputs."""
        device = device or inference_device(self.estimator_.device)
        return self.estimator_._fitted.vector_jacobian(scaled, weigh, device)

    def _score_rows(self, rows, score):
        """Scores of checked rows, float64."""
        scores = np.empty(len(rows))
        for part in slices(len(rows), self.n_features_in_):
            scaled = self._standardizer(rows[part])
            if score == "likelihood":
                names = getattr(self.estimator_, "feature_names_in_", None)
                named = scaled if names is None else pd.DataFrame(scaled, columns=names)
                scores[part] = self.estimator_.score_samples(named)
            elif self._scores.is_isometric and score in ISOMETRIC_SCORES:
                inference_device(self.estimator_.device)  # that it is not there is said
                if not np.isfinite(rows[part]).all():
                    check_finite(rows[part], "Input X contains values that are no numbers.")
                rows_alone = SplitErrors(errors=scaled, outputs=0.0, codes=None)
                scores[part] = -getattr(self._scores, score)(rows_alone)
            else:
                scores[part] = -getattr(self._scores, score)(self._split_errors(scaled))
        return scores


def _chosen(value, auto):
    """What a parameter says that is "auto" or a boolean, of numpy too."""
    return bool(auto if isinstance(value, str) else value)
