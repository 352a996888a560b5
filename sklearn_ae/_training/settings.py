"""What a fit is told, and what it leaves behind."""

from dataclasses import dataclass, field

import torch

from sklearn_ae._compute.generators import Seeds
from sklearn_ae._training.net import TrainingNet
from sklearn_ae._training.schedule import Fall


@dataclass
class Settings:
    """How to train: the shared parameters, resolved, and by which rows to judge.

    Parameters
    ----------
    max_iter, batch_size : int
        Epochs and rows per step.
    learning_rate_init : float
        Largest (or constant) learning rate.
    learning_rate : {"constant", "adaptive", "one_cycle"}
        Schedule.
    average : bool
        Whether exponential averages of the weights are judged and kept.
    alpha : float
        L2 weight.
    weight_decay : float
        Share of the weights that a step at the largest learning rate takes off.
    splits : list of (tensor, tensor)
        Rows to train on and rows to judge by. Without a pair, exactly ``max_iter`` epochs are made
        on all rows. Of several pairs, folds, each has a network; together they tell how many epochs
        are made on all rows.
    fold_tasks : list of (Task, Task or None)
        For each of several pairs the task to train and its ``start``, of these rows alone.
    gate : bool
        Whether the weights at the start are kept unless the trained ones are better.
    n_iter_no_change, tol : int and float
        Epochs without that much gain on the rows held out together, as a share of their loss,
        after which training stops, or an adaptive rate begins to fall; not with "one_cycle".
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
    fall : Fall or None
        The epochs in which an adaptive rate falls; None lets the losses tell.
    on_host : bool
        Whether batches are made on the CPU, as those of sparse rows are; known to `train`.
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
    splits: list
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
    fall: Fall | None = None
    on_host: bool = False
    seeds: Seeds | None = None
    fold_tasks: list = field(default_factory=list)

    @property
    def capturable(self):
        """Whether steps may be captured in a CUDA graph: they are the device's, and our code."""
        return not (self.foreign or self.on_host)


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
    clippings : list of list, or None
        Usual norm of each player's gradients and the number of norms behind it; not used where the
        optimisers start anew.
    """

    weights: dict
    n_steps: int
    optimizers: list | None = None
    clippings: list | None = None


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
    judged_losses : list of float or None
        Objective on the validation rows of all epochs that were judged: folds make more of them
        than the fit that follows. None stands for ``validation_losses``.
    fall : Fall or None
        The epochs in which an adaptive rate fell.
    watched_errors : tuple of two float or None
        Mean error of some training rows before and after a fit that held none out.
    """

    net: TrainingNet
    task: torch.nn.Module
    loss_curve: list
    validation_losses: list
    best_loss: float
    start_kept: bool
    state: TrainingState | None = None
    judged_losses: list | None = None
    fall: Fall | None = None
    watched_errors: tuple = (None, None)

    def __post_init__(self):
        if self.judged_losses is None:
            self.judged_losses = self.validation_losses

    @property
    def best_epoch(self):
        """Epochs after which the objective on the validation rows was least."""
        return 1 + min(range(len(self.validation_losses)), key=self.validation_losses.__getitem__)
