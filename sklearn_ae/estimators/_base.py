"""The contract of every estimator with scikit-learn: checks, fit, fitted attributes, state."""

from __future__ import annotations

import copy
import functools
import math
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from sklearn_ae._compute import inference_device, own_state
from sklearn_ae._fitting.branches import check_architecture, image_shape_of
from sklearn_ae._fitting.callbacks import SklearnCallbacks
from sklearn_ae._fitting.fit import fit_network
from sklearn_ae._fitting.format import add_format, check_format
from sklearn_ae._fitting.plan import Plan
from sklearn_ae._fitting.rows import Rows
from sklearn_ae.utils._images import flatten_images
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._seeds import draw_seed
from sklearn_ae.utils._sklearn import (
    CallbackSupportMixin,
    InvalidParameterError,
    check_sample_weight,
    fit_context,
    with_callbacks,
)
from sklearn_ae.utils._sparse import as_table, is_sparse
from sklearn_ae.utils._typing import MatrixLike

# Rows whose weight is this share of the largest count as rows of weight zero: float32 would round
# them to it.
SMALLEST_WEIGHT = 1e-30
# Weights add up to this at most: times squares of values they are to stay numbers.
LARGEST_WEIGHT = 1e150
# Learning rate behind "auto": over the root of the number of features, and at most this.
RATE_OF_WIDTH, LARGEST_RATE = 0.05, 1e-2
# What scikit-learn sets before a fit.
SET_BY_VALIDATION = ("n_features_in_", "feature_names_in_")


def fits(method):
    """Let a method that fits compute in its own torch state, and leave no trace where it fails.

    An exception, Ctrl-C included, leaves the estimator as it was before the call.
    """

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        before = self.__dict__.copy()
        succeeded = False
        try:
            with own_state():
                result = method(self, *args, **kwargs)
            succeeded = True
            return result
        finally:
            if not succeeded:
                self.__dict__ = before

    return wrapper


class PackageMixin:
    """Of every estimator: parts' parameters, a link to its page, versions in what is saved."""

    _doc_link_module = "sklearn_ae"
    _doc_link_template = (
        "https://sklearn-ae.readthedocs.io/en/stable/api/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    def _doc_link_url_param_generator(self):
        return {"estimator_module": "sklearn_ae", "estimator_name": type(self).__name__}

    def set_params(self, **params: Any) -> Self:
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

    def __getstate__(self) -> dict[str, Any]:
        return add_format(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(check_format(state, type(self).__name__))


class BaseNetworkEstimator(CallbackSupportMixin, PackageMixin, BaseEstimator):
    """An estimator that fits one network; a subclass answers two questions about it."""

    n_components_: int
    mean_: NDArray[np.float64]
    scale_: float
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: list[float]
    best_loss_: float
    start_kept_: bool
    history_: list[dict[str, Any]]
    n_samples_seen_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    # Whether rows may be those of a sparse matrix.
    _takes_sparse_rows = False
    # A search with `GroupKFold` passes groups to its splitter alone, unless they are asked for.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": False}

    def _blueprint(self, rows, seed):
        """What is built, for checked rows; what the data must be is checked here."""
        raise NotImplementedError

    def _describe(self, fitted, rows, start, device):
        """Fitted attributes of the subclass, by name."""
        return {}

    # ------------------------------------------------------------------ fit

    @fits
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the model to ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. The array is neither changed nor kept. With an architecture for
            images also of shape (n_samples, channels, height, width) or, with one channel,
            (n_samples, height, width); what is decoded then has that shape too. Sparse rows are
            made dense batch by batch, and centred without being written out.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. They enter centre, scale, start, loss, validation and gate;
            rows of weight zero are dropped. A weight of two is a row given twice, so that
            weights times a number above one stand for more rows, and variances, whose divisor
            is the number of rows less one, change a little.

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
            If ``X`` is not a finite two-dimensional table of at least two rows, or ``groups``
            are not one label for each.
        FloatingPointError
            If the objective stops being finite in training.
        """
        return self._fit(X, y, sample_weight, groups=groups)

    @fits
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: MatrixLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Make one epoch over a chunk of rows.

        The first chunk fixes centre, scale, limits and start. There is no gate; the learning
        rate rises over the first 50 steps of all chunks and stays, and the optimiser goes on
        where the last chunk left it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of the data.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If ``early_stopping=True``, or the width is not that of the first chunk.
        """
        return self._fit(X, y, sample_weight, one_epoch=True)

    def _fit(self, X, y, sample_weight, check_target=None, one_epoch=False, groups=None):
        """`fit` and `partial_fit`; ``check_target(X)`` gives what is to be made of checked rows."""
        if one_epoch and isinstance(self.early_stopping, (bool, np.bool_)) and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        previous = getattr(self, "_fitted", None) if one_epoch or self.warm_start else None
        given = self._checked_rows(X, sample_weight, check_target, groups, reset=previous is None)
        rows = of_positive_weight(given)
        self._check_number(rows, one_epoch, previous)
        seed = draw_seed(self.random_state) if previous is None else previous.blueprint.seed
        blueprint = copy.deepcopy(self._blueprint(rows, seed))
        if previous is not None:
            if not one_epoch and previous.course.grouped != (rows.group is not None):
                raise ValueError(
                    f"{type(self).__name__} goes on with the split of its first fit: groups are to "
                    "be given in every call or in none; use clone() for another model."
                )
            blueprint = self._going_on(blueprint, previous.blueprint)
        else:  # what a fit of another kind has learnt does not stay
            for name in [name for name in vars(self) if _is_fitted_attribute(name)]:
                delattr(self, name)
            vars(self).pop("_fitted", None)
        plan = Plan(
            dict(vars(self)),  # not get_params(): the __init__ of a subclass may hide some
            len(rows.x),
            blueprint,
            group=rows.group,
            going_on=previous is not None,
            one_epoch=one_epoch,
        )

        def attributes(fitted, start):
            described = self._describe(fitted, rows, start, plan.device)
            return {**_common_attributes(fitted), **described, "_fitted": fitted}

        callbacks = None
        if getattr(self, "_skl_callbacks", None):
            metadata = {"sample_weight": given.weight, "groups": groups}
            given_x = given.x.matrix if is_sparse(given.x) else given.x
            data = {"X": given_x, "y": y, "metadata": metadata}
            callbacks = SklearnCallbacks(self, data, plan.max_iter, attributes)
        fitted, start = fit_network(
            blueprint,
            rows,
            plan,
            previous=previous,
            on_epoch=callbacks.end_epoch if callbacks else None,
        )
        vars(self).update(attributes(fitted, start))
        if callbacks:
            callbacks.end()
        return self

    def _checked_rows(self, X, sample_weight, check_target, groups, reset):
        """Checked `Rows`."""
        image_shape, row_shape = self._image_shape(), None
        if image_shape is not None:
            X, row_shape = flatten_images(X, image_shape)
        if reset:
            self._row_shape = row_shape
        X = self._validated(X, reset=reset)
        rows = Rows(X, target=None if check_target is None else check_target(X))
        if sample_weight is not None:
            rows.weight = check_weights(sample_weight, X)
        if groups is not None:
            rows.group = check_groups(groups, X)
        return rows

    def _validated(self, X, reset):
        """Checked rows, an array or a `SparseTable`."""
        X = validate_data(
            self,
            X,
            accept_sparse="csr" if self._takes_sparse_rows else False,
            dtype=[np.float64, np.float32],
            order="C",
            reset=reset,
            ensure_min_samples=1,
        )
        return as_table(X)

    def _image_shape(self):
        """Shape of the images that the architecture is for; None where it takes tables."""
        architecture = getattr(self, "architecture", "dense")
        return None if isinstance(architecture, str) else image_shape_of(architecture)

    @staticmethod
    def _check_number(rows, one_epoch, previous):
        """Raise where there are too few rows to fix centre and scale."""
        if len(rows.x) >= 2 or (one_epoch and previous is not None):
            return
        if one_epoch:
            raise ValueError(
                f"The first chunk of partial_fit has {len(rows.x)} sample(s) of positive weight "
                "while a minimum of 2 is required: it fixes centre and scale."
            )
        raise ValueError(
            f"Found array with {len(rows.x)} sample(s) of positive weight (shape={rows.x.shape}) "
            "while a minimum of 2 is required."
        )

    def _going_on(self, blueprint, fixed):
        """A blueprint whose fixed fields are those of the first fit; ValueError where not."""
        blueprint = blueprint.settled_as(fixed)
        change = fixed.first_change(blueprint)
        if change is not None:
            name, old, new = change
            cause = ""
            if name == "init" and self.init == "auto":
                cause = f", as init='auto' is 'random' with {blueprint.obstacle or fixed.obstacle}"
            raise ValueError(
                f"{type(self).__name__} goes on with what its first fit fixed, but {name} changed "
                f"from {in_one_line(old)} to {in_one_line(new)}{cause}; use clone() for another "
                "model."
            )
        return blueprint

    def _fields(self, rows, seed, obstacle):
        """Fields of the blueprint of an encoder and a decoder.

        ``obstacle`` is what stands in the way of a start in closed form, for a message, if any.
        """
        if self.init == "pca" and obstacle:
            raise ValueError(
                f"init='pca' is not possible with {obstacle}; use init='auto' or 'random'."
            )
        n_features, n_components = rows.x.shape[1], self.n_components
        if not isinstance(self.architecture, str):
            check_architecture(self.architecture, n_features)
        if isinstance(n_components, Integral):
            n_components = int(n_components)
        elif isinstance(n_components, str):  # "auto": the blueprint knows
            n_components = None
        sizes = self.hidden_layer_sizes
        return {
            "seed": seed,
            "n_features": n_features,
            "n_components": n_components,
            "asked_n_components": n_components,
            "hidden_layer_sizes": sizes if isinstance(sizes, str) else check_sizes(sizes),
            "activation": self.activation,
            "architecture": self.architecture,
            "init": "random" if self.init == "random" or obstacle else "pca",
            "auto_learning_rate": min(LARGEST_RATE, RATE_OF_WIDTH / math.sqrt(n_features)),
            "obstacle": obstacle,
        }

    # ------------------------------------------------------------------ state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fitted")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = self._takes_sparse_rows
        return tags

    # ------------------------------------------------------------------ use

    def _checked(self, X, to_score=False):
        """Checked rows of a method other than fit; a score refuses what fit does."""
        check_is_fitted(self)
        architecture = getattr(self._fitted.blueprint, "architecture", None)
        X, _ = flatten_images(X, image_shape_of(architecture))
        X = self._validated(X, reset=False)
        if to_score:
            self._fitted.blueprint.check(X)
        return X

    def _device(self):
        """Where to compute."""
        return inference_device(self.device)

    def _like_fitted(self, rows):
        """Rows in the shape of those that `fit` saw."""
        return rows if self._row_shape is None else rows.reshape(len(rows), *self._row_shape)

    @property
    def network_(self) -> nn.Module:
        """The fitted network, a `torch.nn.Module` on the CPU, built anew at each access."""
        if not hasattr(self, "_fitted"):
            raise AttributeError(f"{type(self).__name__} has no network_ before fit.")
        return self._fitted.network

    @property
    def net_(self) -> Any:
        """The skorch net that was trained; not available after loading."""
        net = self._fitted.net if hasattr(self, "_fitted") else None
        if net is None:
            raise AttributeError(
                f"This {type(self).__name__} holds no skorch net: it was loaded or copied. "
                "history_ and network_ are kept."
            )
        return net


def check_sizes(sizes):
    """``hidden_layer_sizes`` as a tuple of int; InvalidParameterError where it is none."""
    sizes = tuple(sizes)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise InvalidParameterError(
            "The 'hidden_layer_sizes' parameter must be 'auto' or a sequence of positive "
            f"integers. Got {sizes!r} instead."
        )
    return tuple(int(size) for size in sizes)


def check_weights(sample_weight, X):
    """Weights of rows as float64, checked: not negative, and not all zero."""
    weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():  # scikit-learn < 1.9 lets it pass
        raise ValueError("Sample weights must contain at least one non-zero number.")
    with np.errstate(over="ignore"):
        total = weight.sum()
    if total > LARGEST_WEIGHT:
        raise ValueError(
            f"Sample weights add up to {total:.3g}, where products with squares of values "
            f"may be infinite; divide them by a number, so that they add up to {LARGEST_WEIGHT:g} "
            "at most."
        )
    return weight


def check_groups(groups, X):
    """A number for the group of each row."""
    # as objects, since numpy would make texts of numbers among texts
    groups = np.asarray(groups, dtype=object)
    if groups.ndim == 2 and groups.shape[1] == 1:
        groups = groups[:, 0]
    if groups.ndim != 1:
        raise ValueError(f"groups must be of shape (n_samples,); got shape {groups.shape}.")
    check_consistent_length(X, groups)
    numbers, _ = pd.factorize(groups)
    if numbers.min() < 0:
        raise ValueError("Input groups contains missing values.")
    return numbers.astype(np.int64)


def of_positive_weight(rows):
    """The rows without those of weight zero."""
    if rows.weight is None:
        return rows
    counts = rows.weight > SMALLEST_WEIGHT * rows.weight.max()
    return rows if counts.all() else rows.select(counts)


def _is_fitted_attribute(name):
    """Whether a name is that of something learnt in a fit."""
    return name.endswith("_") and not name.startswith("_") and name not in SET_BY_VALIDATION


def _common_attributes(fitted):
    """What every fitted network tells of itself."""
    attributes = {"mean_": fitted.scaling.mean, "scale_": float(fitted.scaling.scale)}
    if hasattr(fitted.blueprint, "n_components"):
        attributes["n_components_"] = fitted.blueprint.n_components
    course = fitted.course
    return attributes | {
        "loss_curve_": course.loss_curve,
        "validation_scores_": course.validation_scores,
        "history_": course.history,
        "best_loss_": course.best_loss,
        "start_kept_": course.start_kept,
        "n_samples_seen_": course.n_samples_seen,
        "n_iter_": len(course.loss_curve),
    }
