"""The template of every estimator: checks, start, training, gate, state, inference."""

import copy
import re
import types
from numbers import Integral, Number

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_ae._compute import (
    WeightedRows,
    make_generator,
    resolve_device,
    rows_at_once,
    supports_float64,
)
from sklearn_ae._mixins import FittedNetworkMixin, PackageMixin
from sklearn_ae._parameters import PARTS, check_sizes
from sklearn_ae._state import (
    Frame,
    load_arrays,
    optimizer_arrays,
    optimizer_tensors,
    plain_history,
    restore_on_failure,
    runtime_of,
    to_numpy,
)
from sklearn_ae._training import Settings, auto_batch_size, auto_max_iter, check_callbacks, train
from sklearn_ae.architectures import (
    auto_hidden_layer_sizes,
    check_architecture,
    image_shape_of,
    make_architecture,
    numbers_per_row,
)
from sklearn_ae.networks import LinearPath, OutputLimits
from sklearn_ae.utils._fit_tasks import FitTasks
from sklearn_ae.utils._images import flatten_images
from sklearn_ae.utils._parts import in_one_line, is_foreign
from sklearn_ae.utils._pca_start import (
    principal_directions,
    table_limits,
    table_moments,
)
from sklearn_ae.utils._seeds import draw_seed
from sklearn_ae.utils._sklearn import (
    CallbackSupportMixin,
    check_sample_weight,
    fit_context,
    with_callbacks,
)

# With fewer rows there is nothing to judge a network by: the start is returned.
FEWEST_ROWS_TO_TRAIN = 20

# Values that are compared as they are, numpy's among them, and what differs in the repr of a copy.
PLAIN = (Number, np.bool_, str)
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

# Attributes that only some kinds of fit set: a refit of another kind takes them away.
OF_ONE_KIND = ("explained_variance_", "noise_variance_", "sparsity_")


class BaseTorchEstimator(FittedNetworkMixin, CallbackSupportMixin, PackageMixin, BaseEstimator):
    """Template of `fit` and `partial_fit`; a subclass says what is built and minimised."""

    # ------------------------------------------------------------------ for subclasses

    def _start_obstacle(self):
        """Why the PCA start is not possible; None where it is."""
        raise NotImplementedError

    def _data_config(self, X):
        """Check X for the loss or likelihood; what inference must know of it."""
        raise NotImplementedError

    def _make_task(self, config, moments):
        """Network and objective for a configuration, weights not drawn."""
        raise NotImplementedError

    def _draw_weights(self, task, config, moments, start, generator):
        """Draw the weights of a task and lay its start."""
        raise NotImplementedError

    def _add_training_parts(self, task, moments):
        """Give a task what it needs in training only."""

    def _learnt_attributes(self, task, rows, frame, one_pass):
        """Fitted attributes of the subclass, by name; rows are `WeightedRows`."""
        return {}

    def _auto_hidden_layer_sizes(self, n_features, n_components):
        """Widths of the dense hidden layers where the user leaves them to us."""
        return auto_hidden_layer_sizes(self.architecture, n_features, n_components)

    def _largest_learning_rate(self):
        """The largest learning rate, where the user leaves it to us too."""
        return self.learning_rate_init

    # ------------------------------------------------------------------ fit

    @restore_on_failure
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the model to ``X``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data. The array is neither changed nor kept. With an architecture for
            images also of shape (n_samples, channels, height, width) or, with one channel,
            (n_samples, height, width); what is decoded then has that shape too.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. They enter centre, scale, start, loss, validation and gate;
            rows of weight zero are dropped.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional table of at least two rows.
        FloatingPointError
            If the objective stops being finite in training.
        """
        return self._fit(X, y, sample_weight)

    @restore_on_failure
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Make one pass over a chunk of rows.

        The first chunk fixes centre, scale, limits and start. There is no gate; the learning
        rate is constant, and the optimiser goes on where the last chunk left it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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
        return self._partial_fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, target=None):
        """`fit`; ``target`` are the rows to be made of ``X`` where these are not ``X`` itself."""
        going_on = self.warm_start and hasattr(self, "_weights")
        X, target, weight = self._check_table(X, sample_weight, target, reset=not going_on)
        if len(X) < 2:
            raise ValueError(
                f"Found array with {len(X)} sample(s) of positive weight (shape={X.shape}) while "
                "a minimum of 2 is required."
            )
        frame = self._old_frame(X, target) if going_on else self._new_frame(X, target, weight)
        unit = 1.0 if weight is None else weight.mean()
        settings = self._fit_settings(len(X), frame)
        return self._train(X, y, target, weight, unit, frame, settings)

    def _partial_fit(self, X, y, sample_weight, target=None):
        """`partial_fit`; see `_fit`."""
        if self.early_stopping is True:
            raise ValueError("partial_fit does not support early_stopping=True")
        going_on = hasattr(self, "_weights")
        X, target, weight = self._check_table(X, sample_weight, target, reset=not going_on)
        if going_on:
            frame, unit = self._old_frame(X, target), self._weight_unit
        else:
            if len(X) < 2:
                raise ValueError(
                    f"The first chunk of partial_fit has {len(X)} sample(s) of positive weight "
                    "while a minimum of 2 is required: it fixes centre and scale."
                )
            frame = self._new_frame(X, target, weight)
            unit = 1.0 if weight is None else weight.mean()
        settings = self._pass_settings(len(X), frame)
        return self._train(X, y, target, weight, unit, frame, settings, one_pass=True)

    def _check_table(self, X, sample_weight, target, reset):
        """Checked rows, their targets and weights; rows of weight zero are dropped."""
        columns = getattr(X, "columns", None)
        X, row_shape = flatten_images(X, image_shape_of(self.architecture))
        if reset:
            self._row_shape = row_shape
        X = validate_data(
            self,
            X,
            dtype=[np.float64, np.float32],
            order="C",
            reset=reset,
            ensure_min_samples=1,
        )
        if target is not None:
            target = self._check_target(X, target, columns)
        if sample_weight is None:
            return X, target, None
        weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():  # scikit-learn < 1.9 lets it pass
            raise ValueError("Sample weights must contain at least one non-zero number.")
        if not weight.all():
            kept = weight > 0
            X, weight = X[kept], weight[kept]
            target = None if target is None else target[kept]
        return X, target, weight

    def _new_frame(self, X, target, weight):
        """Centre, scale, start and configuration of a fresh fit."""
        seed = draw_seed(self.random_state)
        rows = X if target is None else target
        moments = table_moments(rows, weight)
        uses_start = self._uses_start()
        n_components, start = self._find_start(X, target, moments, weight, seed, uses_start)
        config = self._new_config(rows, n_components, uses_start, seed)
        # only a network that starts at PCA and may leave the plane
        if uses_start and not make_architecture(config).is_linear:
            moments.limits = table_limits(rows, weight)
        return Frame(moments, start, config)

    def _find_start(self, X, target, moments, weight, seed, uses_start):
        """Width of the code, and the linear map that training starts from where it does."""
        directions, n_components = None, self.n_components
        if uses_start or not isinstance(n_components, Integral):
            directions = principal_directions(X, moments, n_components, weight, seed)
        if not isinstance(n_components, Integral):
            n_components = len(directions.components)
        return int(n_components), directions

    def _old_frame(self, X, target):
        """The frame of the first fit, if the parameters still say the same."""
        fixed = self._config
        n_components = (
            int(self.n_components)
            if isinstance(self.n_components, Integral)
            else fixed["n_components"]
        )
        rows = X if target is None else target
        config = self._new_config(rows, n_components, self._uses_start(), fixed["seed"])
        for name, value in config.items():
            if not _same(value, fixed[name]):
                self._refuse_change(name, fixed[name], value)
        return Frame.of(self)

    def _refuse_change(self, name, old, new):
        raise ValueError(
            f"{type(self).__name__} goes on with what its first fit fixed, but {name} changed "
            f"from {in_one_line(old)} to {in_one_line(new)}; use clone() for another model."
        )

    def _new_config(self, X, n_components, uses_start, seed):
        """What a network is built from; a user's parts are copied."""
        check_architecture(self.architecture, X.shape[1])
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            sizes = self._auto_hidden_layer_sizes(X.shape[1], n_components)
        config = {
            "n_features": int(X.shape[1]),
            "n_components": n_components,
            "hidden_layer_sizes": check_sizes(sizes),
            "activation": self.activation,
            "architecture": self.architecture,
            "linear": uses_start,
            "seed": seed,
            **self._data_config(X),
        }
        return copy.deepcopy(config)

    def _uses_start(self):
        obstacle = self._start_obstacle()
        if self.init == "pca" and obstacle:
            raise ValueError(
                f"init='pca' is not possible with {obstacle}; use init='auto' or 'random'."
            )
        return self.init != "random" and obstacle is None

    def _fit_settings(self, n_rows, frame):
        has_start = frame.config["linear"] or frame.fitted
        n_validation = self._n_validation(n_rows, has_start)
        batch_size = self._batch_size(n_rows - n_validation)
        max_iter = self.max_iter
        if self.early_stopping == "auto" and n_rows < FEWEST_ROWS_TO_TRAIN and has_start:
            max_iter = 0
        elif max_iter == "auto":
            max_iter = auto_max_iter(n_rows - n_validation, batch_size)
        return self._settings(
            frame,
            max_iter=max_iter,
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            n_validation=n_validation if max_iter else 0,
            gate=has_start and n_validation > 0 and max_iter > 0,
        )

    def _pass_settings(self, n_rows, frame):
        return self._settings(
            frame,
            max_iter=1,
            batch_size=self._batch_size(n_rows),
            learning_rate="constant",
            n_validation=0,
            gate=False,
        )

    def _settings(self, frame, **kwargs):
        check_callbacks(self.skorch_callbacks, kwargs["learning_rate"])
        seed = frame.config["seed"]
        passes = self.n_iter_ if frame.fitted else 0
        return Settings(
            learning_rate_init=self._largest_learning_rate(),
            alpha=self.alpha,
            weight_decay=self.weight_decay,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            precision=self.precision,
            device=resolve_device(self.device),
            # streams of their own for each call; the split stays
            seed=seed + 1 + 3 * passes,
            split_seed=seed,
            first_epoch=passes,
            validation_batch_size=rows_at_once(numbers_per_row(frame.config)),
            verbose=int(self.verbose),
            callbacks=self.skorch_callbacks,
            foreign=self._has_foreign_parts(),
            **kwargs,
        )

    def _has_foreign_parts(self):
        """Whether a user's part takes part, which may draw from torch's global state."""
        parts = [getattr(self, name, None) for name in PARTS]
        return any(is_foreign(part) for part in parts)

    def _n_validation(self, n_rows, has_start):
        """Rows held out to judge by."""
        if self.early_stopping is False:
            return 0
        n_validation = max(5, int(self.validation_fraction * n_rows))
        if self.early_stopping == "auto":
            return n_validation if n_rows >= FEWEST_ROWS_TO_TRAIN else 0
        if n_rows - n_validation < 2:
            raise ValueError(
                f"early_stopping=True holds out {n_validation} of {n_rows} rows, which leaves "
                f"{max(n_rows - n_validation, 0)} to train on; at least 2 are needed. Use "
                "early_stopping='auto' or a smaller validation_fraction."
            )
        return n_validation

    def _batch_size(self, n_rows):
        if self.batch_size == "auto":
            return auto_batch_size(n_rows)
        return min(self.batch_size, n_rows)

    def _train(self, X, y, target, weight, unit, frame, settings, one_pass=False):
        """Train from a frame on and take over what was learnt."""
        task = self._make_task(frame.config, frame.moments).double()
        if frame.fitted:
            load_arrays(task, self._weights)
        else:
            generator = make_generator(frame.config["seed"])
            self._draw_weights(task, frame.config, frame.moments, frame.start, generator)
        start_weights = to_numpy(task.state_dict())
        task.float()
        self._add_training_parts(task, frame.moments)
        table = self._table_for_network(X, frame, np.float32)
        if target is not None:  # both beside each other, so that a batch has both
            table = np.hstack([table, self._table_for_network(target, frame, np.float32)])
        data = torch.from_numpy(table).to(settings.device)
        row_weight = _relative(weight, unit, len(X))

        def learnt(weights):
            return self._learn(frame, weights, data, row_weight, one_pass)

        tasks = FitTasks(
            self,
            {"X": X, "y": y, "metadata": {"sample_weight": weight}},
            settings.max_iter,
            lambda net: learnt(to_numpy(net.module_.state_dict())),
        )
        settings.on_epoch = tasks.end_epoch
        tasks.begin()
        result = train(
            task,
            data,
            None if row_weight is None else row_weight.float(),
            settings,
            optimizer_state=self._optimizer_tensors() if one_pass else None,
        )
        untouched = result.start_kept or not result.loss_curve
        weights = start_weights if untouched else to_numpy(task.state_dict())
        self._take_over(X, unit, frame, learnt(weights), result, one_pass)
        tasks.end()
        return self

    @staticmethod
    def _beside_the_branches(config, moments):
        """Parts of every network that stand beside its encoder and decoder."""
        n_features, logits = config["n_features"], config["bounded"]
        linear = LinearPath(n_features, config["n_components"]) if config["linear"] else None
        return {
            "linear": linear,
            "centre": torch.from_numpy(moments.mean) if logits else None,
            "scale": moments.scale if logits else 1.0,
            "offset": torch.zeros(n_features) if logits else None,
            "limits": None if moments.limits is None else OutputLimits(moments.scaled_limits()),
        }

    def _learn(self, frame, weights, data, row_weight, one_pass):
        """Fitted attributes that follow from weights."""
        exact = self._make_task(frame.config, frame.moments).double()
        load_arrays(exact, weights)
        dtype = torch.float64 if supports_float64(data.device) else torch.float32
        exact.eval().to(device=data.device, dtype=dtype)
        at_once = rows_at_once(numbers_per_row(frame.config))
        rows = WeightedRows(data, row_weight, at_once, dtype)
        return {
            **self._network_attributes(frame, weights),
            **self._learnt_attributes(exact, rows, frame, one_pass),
        }

    def _take_over(self, X, unit, frame, learnt, result, one_pass):
        """Assign the fitted attributes, last of all."""
        going_on = frame.fitted
        scores = [-loss for loss in result.validation_losses]
        kept = result.start_kept or not result.loss_curve
        learnt |= {
            "loss_curve_": result.loss_curve,
            "validation_scores_": scores,
            "history_": plain_history(result.net),
            "best_loss_": result.best_loss,
            "start_kept_": frame.config["linear"] and kept and (not going_on or self.start_kept_),
            "n_samples_seen_": len(X) + (self.n_samples_seen_ if going_on and one_pass else 0),
            "_weight_unit": float(unit),
        }
        if going_on:
            for name in ("loss_curve_", "validation_scores_", "history_"):
                learnt[name] = [*getattr(self, name), *learnt[name]]
        learnt["n_iter_"] = len(learnt["loss_curve_"])
        for name in ("_optimizer_state", *(() if going_on else OF_ONE_KIND)):
            vars(self).pop(name, None)
        if one_pass:
            learnt["_optimizer_state"] = optimizer_arrays(result.net.optimizer_)
        vars(self).update(learnt)
        runtime_of(self).net = result.net

    def _network_attributes(self, frame, weights):
        """What is needed for inference."""
        attributes = {
            "_weights": weights,
            "_config": frame.config,
            "n_components_": frame.config["n_components"],
            "mean_": frame.moments.mean,
            "scale_": float(frame.moments.scale),
            "_n_rows": float(frame.moments.n_rows),
            "_limits": frame.moments.limits,
        }
        if frame.start is not None and frame.config["linear"]:
            attributes |= frame.start.fitted_attributes(frame.moments.scale)
        return attributes

    def _optimizer_tensors(self):
        arrays = getattr(self, "_optimizer_state", None)
        return None if arrays is None else optimizer_tensors(arrays)

    # ------------------------------------------------------------------ state

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_weights")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _relative(weight, unit, n_rows):
    """Weights in a unit, as a tensor; None where all are one."""
    share = np.ones(n_rows) / unit if weight is None else weight / unit
    return None if np.allclose(share, 1.0, rtol=1e-12, atol=0) else torch.from_numpy(share)


def _same(new, old):
    """Whether two values of a configuration, one of them a copy, say the same.

    A user's part is what its repr tells, but for addresses: of one that tells nothing, the copy
    that the first fit made goes on.
    """
    if new is old:
        return True
    if isinstance(new, PLAIN) and isinstance(old, PLAIN):
        return bool(new == old)
    if type(new) is not type(old) or isinstance(new, types.FunctionType):
        return False  # a copy of a function is the function itself
    if isinstance(new, (list, tuple)):
        return len(new) == len(old) and all(map(_same, new, old))
    if isinstance(new, BaseEstimator):  # its repr leaves out what is long
        parameters = (list(part.get_params(deep=False).items()) for part in (new, old))
        return _same(*parameters)
    return ADDRESS.sub("", repr(new)) == ADDRESS.sub("", repr(old))
