"""The way of a fit: scale, start, build, draw, train, judge."""

import copy
import dataclasses
from dataclasses import dataclass, field

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from sklearn_ae._compute import make_generator, warn_user
from sklearn_ae._fitting.fitted import FittedNetwork, load_arrays, relative_weight
from sklearn_ae._training import Batch, TrainingState, train
from sklearn_ae.utils._parts import in_one_line
from sklearn_ae.utils._seeds import draw_seed

# Losses of candidates that are no further apart than this share do not tell which is better: one
# that begins slowly may end lower.
CLOSE = 0.1
# Rise of the mean error of a row, for each feature, below which training did not diverge.
LEAST_RISE = 0.1


@dataclass
class Course:
    """How training went, over all fits that went on.

    Parameters
    ----------
    loss_curve, validation_scores : list of float
        Mean objective on the training rows, and minus that on the rows held out, per epoch.
    history : list of dict
        What skorch recorded of each epoch, without what it recorded of batches.
    best_loss : float
        Objective of the weights that were kept.
    start_kept : bool
        Whether these are those of the start.
    n_samples_seen : int
        Rows seen by the last `fit`, or by all calls of `partial_fit`.
    mean_weight : float
        By which weights are divided.
    grouped : bool
        Whether rows came in groups.
    state : dict or None
        `TrainingState` as arrays, where a fit may go on from it.
    """

    loss_curve: list = field(default_factory=list)
    validation_scores: list = field(default_factory=list)
    history: list = field(default_factory=list)
    best_loss: float = np.inf
    start_kept: bool = True
    n_samples_seen: int = 0
    mean_weight: float = 1.0
    grouped: bool = False
    state: dict | None = None

    def after(self, result, rows, mean_weight, has_start, one_epoch):
        """The course with what a call of `train` added."""
        untouched = result.start_kept or not result.loss_curve
        return Course(
            loss_curve=[*self.loss_curve, *result.loss_curve],
            validation_scores=[
                *self.validation_scores,
                *(-loss for loss in result.validation_losses),
            ],
            history=[*self.history, *plain_history(result.net)],
            best_loss=result.best_loss,
            start_kept=has_start and untouched and self.start_kept,
            n_samples_seen=len(rows.x) + (self.n_samples_seen if one_epoch else 0),
            mean_weight=mean_weight,
            grouped=rows.group is not None,
            state=_as_arrays(result.state, one_epoch),
        )

    def training_state(self, with_optimizers):
        """Where training stood, with or without the state of the optimisers; None if unknown."""
        if self.state is None:
            return None
        state = TrainingState(**_mapped(self.state, lambda array: torch.from_numpy(array.copy())))
        return state if with_optimizers else dataclasses.replace(state, optimizers=None)


def _as_arrays(state, with_optimizers):
    """A `TrainingState` as arrays; `warm_start` lets the optimisers start anew."""
    if state is None:
        return None
    state = state if with_optimizers else dataclasses.replace(state, optimizers=None)
    return _mapped(vars(state), _to_array)


def _mapped(value, function):
    """Nested dicts and lists with a function of each tensor or array in them."""
    if isinstance(value, dict):
        return {key: _mapped(entry, function) for key, entry in value.items()}
    if isinstance(value, list):
        return [_mapped(entry, function) for entry in value]
    return function(value) if isinstance(value, (np.ndarray, torch.Tensor)) else value


def _to_array(tensor):
    return tensor.detach().cpu().numpy().copy()


def fit_network(blueprint, rows, plan, *, start=None, previous=None, on_epoch=None):
    """Fit a network to rows.

    Parameters
    ----------
    blueprint : Blueprint
        What is built; settled where ``previous`` is given.
    rows : Rows
        The rows.
    plan : Plan
        How long, how fast, what is held out.
    start : Start or None, default=None
        Where to begin, in place of the blueprint's own.
    previous : FittedNetwork or None, default=None
        A network that goes on: with its scaling and weights.
    on_epoch : callable or None, default=None
        ``on_epoch(fitted, last)`` after each epoch, with a function that gives what this one
        would, were this epoch the last; a true result stops training.

    Returns
    -------
    fitted : FittedNetwork
        The network, with its course.
    start : Start or None
        The start that it began at; None where a fitted network went on.
    """
    if previous is None:
        course, scaling = Course(), blueprint.scaling(rows)
        start = blueprint.start(rows, scaling) if start is None else start
        blueprint = blueprint.settled(start)
    else:
        course, scaling, start = previous.course, previous.scaling, None
    if not getattr(start, "has_signal", True):
        warn_user(
            "Nothing of the clean rows can be made out in the corrupted ones, which do not vary or "
            "vary 1e6 times as much: nothing is trained, and the linear filter is returned.",
            ConvergenceWarning,
        )
        plan, blueprint = plan.shortened(0), blueprint.candidates()[0]
    # `partial_fit` divides by the mean weight of the first chunk
    goes_on = previous is not None and plan.one_epoch
    mean_weight = course.mean_weight if goes_on else _mean_weight(rows)
    everything = _everything(blueprint, rows, scaling, mean_weight)
    if blueprint.is_open:
        blueprint = _choose(blueprint, rows, everything, plan, scaling)
    task, exact, differs = _prepare(blueprint, scaling, start, previous)
    settings = plan.settings(blueprint, len(course.loss_curve))
    has_start = blueprint.init == "pca"

    def fitted_as(task, exact, course, net=None):
        """The network with the weights of a task, and the task of an exact type for inference."""
        weights = to_numpy(task.state_dict())
        # on another device the task is built again at its first use
        exact = exact.requires_grad_(False) if settings.device.type == "cpu" else None
        fitted = FittedNetwork(blueprint, scaling, weights, course, exact, net)
        if previous is not None and (course.start_kept or blueprint.keeps_units(plan.one_epoch)):
            fitted.units = previous.units
        elif blueprint.code_units is not None:
            fitted.units = blueprint.code_units(fitted, rows, start, settings.device)
        return fitted

    def after_epoch(result, last):
        def fitted():
            task = result.task
            reached = course.after(result, rows, mean_weight, has_start, plan.one_epoch)
            return fitted_as(task, _loaded(copy.deepcopy(exact), task), reached), start

        return on_epoch(fitted, last)

    settings.on_epoch = after_epoch if on_epoch else None
    settings.start = exact if differs else None
    settings.fold_tasks = _fold_tasks(blueprint, rows, scaling, settings)
    places = settings.splits[0][0] if settings.splits else torch.arange(len(rows.x), device="cpu")
    first_tasks = [task, exact] if previous is None else []
    blueprint.with_neighbors(everything, places, first_tasks, trains=settings.max_iter > 0)
    result = train(task, everything, settings, course.training_state(with_optimizers=goes_on))
    losses = result.judged_losses
    at_bound = plan.is_bound and len(losses) == plan.max_iter and not result.start_kept
    if at_bound and _still_gains(losses, plan.n_iter_no_change, result.fall):
        warn_user(
            f"Training ended at the bound of max_iter='auto', {plan.max_iter} epochs, while "
            "the loss on the rows held out still fell; a larger max_iter may give a better model.",
            ConvergenceWarning,
        )
    _warn_of_divergence(result, rows.x.shape[1])
    whole = course.after(result, rows, mean_weight, has_start, plan.one_epoch)
    if result.start_kept or not result.loss_curve:
        task = exact
    return fitted_as(task, _loaded(exact, task), whole, result.net), start


def _still_gains(losses, patience, fall):
    """Whether the last epochs, as many as patience takes, brought a hundredth of all gain.

    Where the rate had to fall to end in time, these are the last ones before.
    """
    if fall is not None:
        if fall.is_early:
            return False
        losses = losses[: fall.n_before]
    n_last = max(1, min(patience, len(losses) // 2))
    best = min(losses)
    return min(losses[:-n_last], default=losses[0]) - best > 0.01 * (losses[0] - best)


def _warn_of_divergence(result, n_features):
    """Warn where the error of rows of a network that none judged rose by more than it was.

    Rows have about one unit for each feature: what is far less is no divergence from a start that
    leaves nothing over.
    """
    before, after = result.watched_errors
    if result.start_kept or before is None:
        return
    if after <= before + abs(before) + LEAST_RISE * n_features:
        return
    warn_user(
        f"Training diverged: the mean error of a row grew from {before:.4g} at the start to "
        f"{after:.4g} at the end. Try a smaller learning_rate_init, or standardised features "
        "(StandardScaler).",
        ConvergenceWarning,
    )


def _mean_weight(rows):
    """Mean of the weights, by which they are divided in the objective."""
    return 1.0 if rows.weight is None else float(rows.weight.mean())


def _everything(blueprint, rows, scaling, mean_weight):
    """All rows as one batch on the CPU."""
    tensors = blueprint.tensors(rows, scaling)
    if rows.weight is not None:
        weight = relative_weight(rows, mean_weight)
        tensors["weight"] = None if weight is None else weight.float()
    elif mean_weight != 1.0:  # rows of weight one, among others of an earlier chunk
        size, kind = (len(rows.x),), {"dtype": torch.float32, "device": "cpu"}
        tensors["weight"] = torch.full(size, 1.0 / mean_weight, **kind)
    if rows.group is not None:
        tensors["group"] = torch.from_numpy(rows.group)
    return Batch(**tensors)


def _prepare(blueprint, scaling, start, previous=None):
    """The task to be trained, a copy of it in float64 as it is before, whether these differ."""
    exact = blueprint.build(scaling, start).double()
    if previous is None:
        blueprint.draw(exact, start, make_generator(blueprint.seed))
    else:
        _load(exact, previous.weights, blueprint)
    exact.eval()
    task = copy.deepcopy(exact).float()
    differs = blueprint.for_training(task, scaling, start)
    return task, exact, bool(differs)


def _fold_tasks(blueprint, rows, scaling, settings):
    """For each of several folds the task to train and its start in float64, where these differ."""
    if len(settings.splits) < 2:
        return []
    prepared = []
    for training, _ in settings.splits:
        start = blueprint.start(rows.select(training.numpy()), scaling)
        task, exact, differs = _prepare(blueprint, scaling, start)
        prepared.append((task, exact if differs else None))
    return prepared


def _load(task, weights, blueprint):
    """Load the weights of a first fit; ValueError where a user's part now makes another network."""
    shapes = {name: tuple(tensor.shape) for name, tensor in task.state_dict().items()}
    if shapes != {name: array.shape for name, array in weights.items()}:
        parts = ", ".join(in_one_line(getattr(blueprint, name)) for name in blueprint.parts)
        raise ValueError(
            "A fit goes on with the network of the first one, but the parts that it was given make "
            f"one of other layers: {parts}. Use clone() for another model."
        )
    load_arrays(task, weights)


def _loaded(exact, task):
    """A task in float64 with the weights of the one that was trained."""
    if exact is not task:
        exact.load_state_dict(task.state_dict())
    return exact


def _choose(blueprint, rows, everything, plan, scaling):
    """The candidate with the least loss on the rows held out after some epochs."""
    candidates = blueprint.candidates()
    if len(candidates) == 1 or not plan.can_choose:
        return candidates[0]
    # a seed of its own, so that the fit that follows is the one with this mode set by hand
    trial = dataclasses.replace(blueprint, seed=draw_seed(blueprint.seed))
    start = trial.start(rows, scaling)
    trial = trial.settled(start)
    for n_epochs in plan.choice_epochs:
        settings, losses = plan.shortened(n_epochs).settings(trial), []
        for candidate in trial.candidates():
            task, *_ = _prepare(candidate, scaling, start)
            settings.fold_tasks = _fold_tasks(candidate, rows, scaling, settings)
            losses.append(train(task, everything, settings, judge_only=True).best_loss)
        least, next_to_it = sorted(losses)[:2]
        if next_to_it - least > CLOSE * abs(least):
            break
    return candidates[int(np.argmin(losses))]


def to_numpy(tensors):
    """A dict of tensors as arrays that share no memory with them."""
    return {name: _to_array(tensor) for name, tensor in tensors.items()}


def plain_history(net):
    """Epochs of a skorch net as a list of dicts of plain numbers, batches left out."""
    return [
        {
            key: value.item() if hasattr(value, "item") else value
            for key, value in epoch.items()
            if key != "batches"
        }
        for epoch in net.history
    ]
