"""A whole fit: split, epochs, best weights, and the gate between them and the start."""

import contextlib
import copy
import math
from dataclasses import dataclass

import torch
from skorch.callbacks import Callback, LRScheduler

from sklearn_ae._compute import global_state_guard, make_generator
from sklearn_ae._compute.generators import Seeds, seeds_of_fit
from sklearn_ae._training.average import AveragedWeights
from sklearn_ae._training.batches import IndexBatches, RowsOnDevice
from sklearn_ae._training.net import StopTraining, TrainingNet
from sklearn_ae._training.optimizer import DecayedAdam


@dataclass
class Settings:
    """How to train: the shared parameters, resolved.

    Parameters
    ----------
    max_iter, batch_size : int
        Epochs and rows per step.
    learning_rate_init : float
        Largest (or constant) learning rate.
    learning_rate : {"constant", "one_cycle"}
        Schedule.
    average : bool
        Whether exponential averages of the weights are judged and kept.
    alpha : float
        L2 weight.
    weight_decay : float
        Share of the weights that a step at the largest learning rate takes off.
    n_validation : int
        Rows held out; 0 trains on all rows and makes exactly ``max_iter`` epochs.
    gate : bool
        Whether the weights at the start are kept unless the trained ones are better.
    n_iter_no_change, tol : int and float
        With "constant", training stops after that many epochs without that much gain on the rows
        held out together, as a share of their loss.
    precision : {"float32", "bfloat16"}
        Precision of the network's branches in training.
    device : torch.device
        Where to train.
    seed : int
        Seed of the fit; `seeds_of_fit` has one for each purpose.
    verbose : int
        Whether a line is printed per epoch.
    callbacks : list or None
        skorch callbacks.
    start : torch.nn.Module or None
        A task in float64 that is judged as the start in place of the one that is trained.
    on_epoch : callable or None
        ``on_epoch(result, last)`` after each epoch, with the `TrainingResult` if it were the
        last and its weights were kept; a true result stops training.
    foreign : bool
        Whether parts of the user's, which may draw from torch's global state, take part.
    first_epoch : int
        Epochs made by earlier fits that this one goes on from.
    width : int
        Numbers that a row takes at most on its way through the network.
    patient_steps : int
        Steps of which no epoch counts as one without gain.
    warms_up : bool
        Whether a constant rate rises over the first steps.
    keeps_state : bool
        Whether the state of training is kept, for a fit that goes on.
    seeds : Seeds or None
        What `train` makes of ``seed``.
    """

    max_iter: int
    batch_size: int
    learning_rate_init: float
    learning_rate: str
    average: bool
    alpha: float
    weight_decay: float
    n_validation: int
    gate: bool
    n_iter_no_change: int
    tol: float
    precision: str
    device: torch.device
    seed: int
    verbose: int = 0
    callbacks: list | None = None
    start: torch.nn.Module | None = None
    on_epoch: object = None
    foreign: bool = False
    first_epoch: int = 0
    width: int = 1
    patient_steps: int = 0
    warms_up: bool = True
    keeps_state: bool = False
    seeds: Seeds | None = None

    @property
    def capturable(self):
        """Whether steps may be captured in a CUDA graph: a user's code may not lend itself."""
        return not self.foreign


@dataclass
class TrainingState:
    """Where training stood, for a fit that goes on: tensors on any device.

    Parameters
    ----------
    weights : dict of str to tensor
        The weights in training, which with averages are others than those that are kept.
    n_steps : int
        Steps made.
    optimizers : list of dict, or None
        State per parameter of each player's optimiser; None lets them start anew.
    """

    weights: dict
    n_steps: int
    optimizers: list | None = None


@dataclass
class TrainingResult:
    """What a fit leaves behind.

    Parameters
    ----------
    net : TrainingNet
        The skorch net.
    task : Task
        The task with the kept weights.
    loss_curve, validation_losses : list of float
        Objective per epoch on training and validation rows.
    best_loss : float
        Objective of the kept weights: on the validation rows, else the last of the curve.
    start_kept : bool
        Whether the weights are those from before training.
    state : TrainingState or None
        Where training stood when the weights were those that are kept, where that is asked for.
    """

    net: TrainingNet
    task: torch.nn.Module
    loss_curve: list
    validation_losses: list
    best_loss: float
    start_kept: bool
    state: TrainingState | None = None


class BestWeights:
    """The weights with the least validation objective so far.

    Parameters
    ----------
    module : torch.nn.Module
        Module whose weights are kept.
    """

    def __init__(self, module):
        self.tensors = list(module.state_dict().values())
        self.copies = [tensor.clone() for tensor in self.tensors]
        self.losses = None

    def keep(self, losses):
        """Keep the present weights, with the objective of each validation row."""
        self.losses = losses
        with torch.no_grad():
            for kept, tensor in zip(self.copies, self.tensors, strict=True):
                kept.copy_(tensor)

    def restore(self):
        """Put the kept weights back."""
        with torch.no_grad():
            for kept, tensor in zip(self.copies, self.tensors, strict=True):
                tensor.copy_(kept)


def weighted_mean(values, weight):
    """Mean of ``values``, by ``weight`` where there is one, as a float."""
    if weight is None:
        return values.double().mean().item()
    return ((values.double() * weight).sum() / weight.double().sum()).item()


def gains_significantly(before, after, weight):
    """Whether the mean paired gain on the validation rows exceeds one standard error.

    The standard error is that of a mean of n rows whose variance is not known: the standard
    deviation of Student's t, ``sqrt((n - 1) / (n - 3))`` times ``sqrt(variance / n)``. Beyond 50
    rows the factor is within 2 % of one; with six it is 1.29.
    """
    gain = (before - after).double()
    share = torch.ones_like(gain) if weight is None else weight.double()
    share = share / share.sum()
    mean = (share * gain).sum()
    # of a weighted mean; with equal weights it is var(gain, ddof=1) / n, and n_rows is n
    concentration = share.square().sum()
    n_rows = 1.0 / concentration
    if n_rows <= 3.0 + 1e-9:
        return False
    variance = (share * (gain - mean)).square().sum() / (1.0 - concentration)
    return bool(mean > (variance * (n_rows - 1.0) / (n_rows - 3.0)).sqrt())


def split_rows(n_rows, n_validation, seed, device):
    """Indices of training and validation rows."""
    if not n_validation:
        return torch.arange(n_rows, device=device), torch.arange(0, device=device)
    order = torch.randperm(n_rows, generator=make_generator(seed), device="cpu")
    return order[n_validation:].to(device), order[:n_validation].to(device)


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


def train(task, everything, settings, state=None):
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

    Returns
    -------
    TrainingResult
        The net with the weights that are kept, and the course of training.

    Raises
    ------
    FloatingPointError
        If the objective is not finite.
    """
    device = settings.device
    settings.seeds = seeds_of_fit(settings.seed, settings.first_epoch)
    everything = everything.map(lambda field: field.to(device))
    n_rows = len(everything.x)
    parts = [
        RowsOnDevice(everything, indices)
        for indices in split_rows(n_rows, settings.n_validation, settings.seeds.split, device)
    ]
    _set_precision(task, settings.precision)
    net = make_net(task, settings)
    if settings.average:
        net.averages.append(AveragedWeights(net.module_, state.n_steps if state else 0))
    if state is not None:
        _go_on(net, state)
    guard = (
        global_state_guard(settings.seeds.order) if settings.foreign else contextlib.nullcontext()
    )
    try:
        with guard:
            result = _Run(net, *parts, settings).go()
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            "Batch normalisation needs at least 2 rows in a batch, but there is one of 1 row; use "
            "a larger batch_size, or a larger chunk of rows in partial_fit."
        ) from error
    finally:
        # the net outlives the fit: nothing of it may hold the estimator or its data
        settings.on_epoch = settings.start = None
        net.captured_steps = None
        net.averages.clear()
    _set_precision(task, "float32")
    task.eval()
    return result


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


def _set_precision(task, precision):
    """Let the branches of every network in a task compute in a precision."""
    for module in task.modules():
        if hasattr(module, "autocast_dtype"):
            module.autocast_dtype = torch.bfloat16 if precision == "bfloat16" else None


class _Run:
    """The course of one fit: epochs until the last, or until something stops them."""

    def __init__(self, net, train_rows, validation_rows, settings):
        self.net = net
        self.settings = settings
        self.train_rows = train_rows
        self.validation_rows = validation_rows if len(validation_rows) else None
        self.loss_curve, self.validation_losses = [], []
        self.start_losses = self.validation_weight = None
        # the weights that are judged, and those in training where a fit is to go on from them
        self.best = None
        self.best_state, self.best_steps = None, 0
        self.best_validation = math.inf
        self.last_gain, self.epochs_without_gain = math.inf, 0

    def go(self):
        net, settings = self.net, self.settings
        if self.validation_rows is not None:
            self.validation_weight = self.validation_rows.weight
            if settings.gate:
                self.start_losses = net.row_losses(self.validation_rows, settings.start)
                self._check_start(weighted_mean(self.start_losses, self.validation_weight))
        if self.validation_rows is not None:
            self.best = BestWeights(net.judged)
            if settings.keeps_state and settings.average:
                self.best_state = BestWeights(net.module_)
        start = BestWeights(net.judged) if settings.gate else None
        net.notify("on_train_begin", X=self.train_rows.everything.x, y=None)
        batches = IndexBatches(self.train_rows, settings.batch_size, net.generator)
        net.n_steps = settings.max_iter * len(batches)
        for epoch in range(settings.max_iter):
            if self._epoch(epoch, batches):
                break
        for average in net.averages:
            average.catch_up()
        # before the kept weights are put in, as a callback may load others
        net.notify("on_train_end", X=self.train_rows.everything.x, y=None)
        return self._result(start)

    def _epoch(self, epoch, batches):
        """One epoch; whether it is the last."""
        net, parts = self.net, {
            "dataset_train": self.train_rows,
            "dataset_valid": self.validation_rows,
        }  # fmt: skip
        net.module_.begin_epoch(self.settings.first_epoch + epoch)
        try:
            net.notify("on_epoch_begin", **parts)
            loss = net.run_epoch(batches)
            for average in net.averages:
                average.catch_up()
            self._record("train", loss, self.loss_curve, epoch)
            stop = False
            if self.validation_rows is not None:
                stop = self._validate(epoch)
            net.notify("on_epoch_end", **parts)
        except StopTraining:
            return True
        last = stop or epoch + 1 == self.settings.max_iter
        if self.settings.on_epoch is not None:
            stop = self.settings.on_epoch(self._result_so_far(), last) or stop
        return stop

    def _record(self, name, loss, curve, epoch):
        self._check_finite(loss, epoch)
        best = not curve or loss < min(curve)
        curve.append(loss)
        self.net.history.record(f"{name}_loss", loss)
        self.net.history.record(f"{name}_loss_best", best)

    def _validate(self, epoch):
        """Judge the epoch on the validation rows; whether training has stalled."""
        if self.net.watches_batches:
            self.net.show_validation_batches(self.validation_rows)
        losses = self.net.row_losses(self.validation_rows)
        loss = weighted_mean(losses, self.validation_weight)
        self._record("valid", loss, self.validation_losses, epoch)
        if self.net.steps[0] - self.net.first_step >= self.settings.patient_steps:
            self.epochs_without_gain += 1
        # small gains count together; the first one is from infinity
        least_gain = self.settings.tol * abs(loss)
        if loss < self.last_gain - least_gain:
            self.last_gain, self.epochs_without_gain = loss, 0
        if loss < self.best_validation:
            self.best_validation = loss
            self.best.keep(losses)
            if self.best_state is not None:
                self.best_state.keep(losses)
                self.best_steps = self.net.steps[0]
        return (
            self.settings.learning_rate == "constant"
            and self.epochs_without_gain >= self.settings.n_iter_no_change
        )

    def _last_loss(self):
        """Objective on the training rows where nothing is held out: of the last epoch, if any."""
        if self.loss_curve:
            return self.loss_curve[-1]
        return weighted_mean(self.net.row_losses(self.train_rows), self.train_rows.weight)

    def _check_finite(self, loss, epoch):
        if not math.isfinite(loss):
            is_short = self.settings.precision != "float32"
            raise FloatingPointError(
                f"The objective became {loss} in epoch {epoch + 1}. Try a smaller "
                "learning_rate_init"
                + (
                    ", standardised features (StandardScaler), or precision='float32'."
                    if is_short
                    else " or standardised features (StandardScaler)."
                )
            )

    @staticmethod
    def _check_start(loss):
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The objective is {loss} before training, on the rows held out. Try standardised "
                "features (StandardScaler), and look at parts of your own."
            )

    def _result_so_far(self):
        curves = self.loss_curve, self.validation_losses
        best_loss = (self.validation_losses or self.loss_curve)[-1]
        task, state = self.net.judged, self._state()
        return TrainingResult(self.net, task, *curves, best_loss, start_kept=False, state=state)

    def _state(self):
        """Where training stands, if that is to be kept: a copy."""
        if not self.settings.keeps_state:
            return None
        weights = {name: tensor.clone() for name, tensor in self.net.module_.state_dict().items()}
        optimizers = [optimizer.state_dict()["state"] for _, optimizer in self.net.turns]
        return TrainingState(weights, self.net.steps[0], optimizers)

    def _result(self, start):
        """The result, and the kept weights in the task that was trained."""
        net, best_loss = self.net, self.best_validation
        start_kept = False
        if self.best is not None and self.best.losses is not None:
            self.best.restore()
            if self.best_state is not None:
                self.best_state.restore()
                net.steps[0] = self.best_steps
        state = self._state()
        if start is not None:
            trained = self.best.losses
            start_kept = trained is None or not gains_significantly(
                self.start_losses, trained, self.validation_weight
            )
            if start_kept:
                start.restore()
                best_loss = weighted_mean(self.start_losses, self.validation_weight)
        elif self.validation_rows is None:
            best_loss = self._last_loss()
        if net.averages:
            net.module_.load_state_dict(net.judged.state_dict())
        return TrainingResult(
            net,
            net.module_,
            self.loss_curve,
            self.validation_losses,
            best_loss,
            start_kept,
            None if start_kept else state,
        )


def check_callbacks(callbacks, learning_rate):
    """Check a user's skorch callbacks."""
    for entry in callbacks or []:
        callback = entry[1] if isinstance(entry, tuple) else entry
        if not isinstance(callback, Callback):
            raise TypeError(
                "skorch_callbacks must hold instances of skorch.callbacks.Callback or (name, "
                f"callback) pairs; got {callback!r}."
            )
        if isinstance(callback, LRScheduler) and learning_rate == "one_cycle":
            raise ValueError(
                "skorch's LRScheduler and learning_rate='one_cycle' would both set the learning "
                "rate; use learning_rate='constant' with LRScheduler."
            )
