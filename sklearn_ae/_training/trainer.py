"""A whole fit: a network and its rows, or folds that judge it first."""

import contextlib
import copy
import dataclasses

import torch
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler, ParamMapper

from sklearn_ae._compute import global_state_guard, make_generator
from sklearn_ae._compute.generators import seeds_of_fit
from sklearn_ae._training.average import AveragedWeights
from sklearn_ae._training.batches import RowsOnDevice
from sklearn_ae._training.net import TrainingNet
from sklearn_ae._training.optimizer import DecayedAdam
from sklearn_ae._training.run import Member, Run

# Callbacks of skorch that change what a step does; those that freeze weights are mappers.
STEP_SHAPING = (LRScheduler, GradientNormClipping, ParamMapper)


def make_net(task, settings):
    """The skorch net of a fit, initialised."""
    device = settings.device
    cuda = device.type == "cuda"
    rate = settings.learning_rate_init
    if cuda and settings.capturable:  # a captured graph sees it change
        rate = torch.tensor(rate, dtype=torch.float32, device=device)
    net = TrainingNet(
        task,
        settings=settings,
        generator=make_generator(settings.seeds.order),
        noise=make_generator(settings.seeds.noise, device),
        optimizer=DecayedAdam,
        optimizer__fused=device.type != "mps",
        lr=rate,
        batch_size=settings.batch_size,
        max_epochs=settings.max_iter,
        # deep copies, so that a fit cannot change the user's templates
        callbacks=copy.deepcopy(settings.callbacks),
        # skorch's own iterators would draw from torch's global state otherwise
        iterator_train__generator=make_generator(settings.seeds.order),
        iterator_valid__generator=make_generator(settings.seeds.order),
        device=str(device),
        verbose=settings.verbose,
        **({"optimizer__capturable": True} if cuda and settings.capturable else {}),
    )
    net.initialize()
    if any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_):
        settings.warms_up = False  # the rate is the callback's
    return net


def train(task, everything, settings, state=None, judge_only=False):
    """Train a task on rows.

    Parameters
    ----------
    task : Task
        Network and objective; trained in place.
    everything : Batch
        All rows, floating values in float32, weights with mean one.
    settings : Settings
        How to train.
    state : TrainingState or None
        Where an earlier fit stood, to go on from; the task has the weights that it kept.
    judge_only : bool, default=False
        Whether only the losses matter, so that no fit on all rows follows those of folds.

    Returns
    -------
    TrainingResult
        The net with the weights that are kept, and the course of training.

    Raises
    ------
    FloatingPointError
        If the objective is not finite.
    """
    settings.seeds = seeds_of_fit(settings.seed, settings.first_epoch)
    settings.on_host = not isinstance(everything.x, torch.Tensor)
    everything = everything.map(lambda field: field.to(settings.device))
    _set_precision(task, settings.precision)
    guard = (
        global_state_guard(settings.seeds.order) if settings.foreign else contextlib.nullcontext()
    )
    with guard:
        if len(settings.splits) > 1:
            result = _by_folds(task, everything, settings, judge_only)
        else:
            split = settings.splits[0] if settings.splits else _all_rows(everything)
            result = _go([_member(task, everything, settings, split, state)], settings)
    _set_precision(task, "float32")
    task.eval()
    return result


def _by_folds(task, everything, settings, judge_only):
    """Let folds find the epochs and judge the start, then train on all rows where it is beaten."""
    trial = dataclasses.replace(
        settings, callbacks=None, verbose=0, on_epoch=None, keeps_state=False
    )
    folds = []
    for split, (fold_task, start) in zip(settings.splits, settings.fold_tasks, strict=True):
        _set_precision(fold_task, settings.precision)
        own = dataclasses.replace(trial, start=start, fold_tasks=[])
        folds.append(_member(fold_task, everything, own, split))
    found = _go(folds, trial)
    if judge_only:
        return found
    n_epochs = 0 if found.start_kept else found.best_epoch
    last = dataclasses.replace(
        settings,
        splits=[],
        fold_tasks=[],
        gate=False,
        start=None,
        max_iter=n_epochs,
        fall=found.fall,
        learning_rate="adaptive" if found.fall else "constant",
    )
    if not found.start_kept:
        member = _member(task, everything, last, _all_rows(everything))
        result = _go([member], last, found.validation_losses[:n_epochs])
        return dataclasses.replace(result, judged_losses=found.validation_losses)
    # the curves are those of the folds, the network is the start of all rows
    net = make_net(task, last)
    net.history = found.net.history
    return dataclasses.replace(found, net=net, task=task)


def shapes_steps(entry):
    """Whether one of skorch's callbacks, or a pair (name, callback), changes what a step does."""
    callback = entry[1] if isinstance(entry, tuple) else entry
    changes_gradient = type(callback).on_grad_computed is not Callback.on_grad_computed
    return isinstance(callback, STEP_SHAPING) or changes_gradient


def _all_rows(everything):
    """The split that holds nothing out."""
    rows = torch.arange(len(everything.x), device="cpu")
    return rows, rows[:0]


def _member(task, everything, settings, split, state=None):
    """A network that is ready to be trained and judged on the rows of a split."""
    net = make_net(task, settings)
    if settings.average:
        net.averages.append(AveragedWeights(net.module_, state.n_steps if state else 0))
    if state is not None:
        _go_on(net, state)
    indices = (rows.to(settings.device) for rows in split)
    return Member(net, *(RowsOnDevice(everything, rows) for rows in indices))


def _go(members, settings, known_losses=()):
    """What `Run` makes of networks."""
    try:
        return Run(members, settings, known_losses).go()
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            "Batch normalisation needs at least 2 rows in a batch, but there is one of 1 row; use "
            "a larger batch_size, or a larger chunk of rows in partial_fit."
        ) from error
    finally:
        # the nets outlive the fit: nothing of them may hold the estimator or its data
        for member in members:
            member.net.settings.on_epoch = member.net.settings.start = None
            member.net.captured_steps = None
            member.net.averages.clear()


def _go_on(net, state):
    """Let a net go on where an earlier one stood."""
    net.steps[0] = net.first_step = state.n_steps
    if net.averages:  # else it goes on from what was kept
        net.module_.load_state_dict(state.weights)
    if state.optimizers is None:
        net.first_step_of_rise = state.n_steps
    else:
        for (_, optimizer), known in zip(net.turns, state.optimizers, strict=True):
            optimizer.load_state_dict({**optimizer.state_dict(), "state": known})
        for clipping, known in zip(net.clippings, state.clippings or [], strict=False):
            clipping.load_state(known)


def _set_precision(task, precision):
    """Let the branches of every network in a task compute in a precision."""
    for module in task.modules():
        if hasattr(module, "autocast_dtype"):
            module.autocast_dtype = torch.bfloat16 if precision == "bfloat16" else None


def check_callbacks(callbacks, learning_rate):
    """Check a user's skorch callbacks."""
    for entry in callbacks or []:
        callback = entry[1] if isinstance(entry, tuple) else entry
        if not isinstance(callback, Callback):
            raise TypeError(
                "skorch_callbacks must hold instances of skorch.callbacks.Callback or (name, "
                f"callback) pairs; got {callback!r}."
            )
        if isinstance(callback, LRScheduler) and learning_rate != "constant":
            raise ValueError(
                f"skorch's LRScheduler and learning_rate={learning_rate!r} would both set the "
                "learning rate; use learning_rate='constant' with LRScheduler."
            )
