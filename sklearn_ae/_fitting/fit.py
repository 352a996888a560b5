"""The way of a fit: scale, start, build, draw, train, judge."""

from dataclasses import dataclass, field

import numpy as np
import torch

from sklearn_ae._compute import make_generator
from sklearn_ae._fitting.fitted import FittedNetwork, load_arrays, relative_weight, to_numpy
from sklearn_ae._training import Batch, train


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
    optimizer_states : list of dict, or None
        State of each player's optimiser as arrays, where an epoch of `partial_fit` may follow.
    """

    loss_curve: list = field(default_factory=list)
    validation_scores: list = field(default_factory=list)
    history: list = field(default_factory=list)
    best_loss: float = np.inf
    start_kept: bool = True
    n_samples_seen: int = 0
    mean_weight: float = 1.0
    optimizer_states: list | None = None

    @property
    def n_iter(self):
        """Epochs made."""
        return len(self.loss_curve)

    def after(self, result, n_rows, mean_weight, *, has_start, one_epoch):
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
            n_samples_seen=n_rows + (self.n_samples_seen if one_epoch else 0),
            mean_weight=mean_weight,
            optimizer_states=[
                {index: to_numpy(state) for index, state in optimizer.state_dict()["state"].items()}
                for _, optimizer in result.net.turns
            ]
            if one_epoch
            else None,
        )

    def optimizer_tensors(self):
        """State of each optimiser to go on from; None where there is none."""
        if self.optimizer_states is None:
            return None
        return [
            {
                index: {name: torch.from_numpy(np.array(array)) for name, array in entry.items()}
                for index, entry in states.items()
            }
            for states in self.optimizer_states
        ]


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
        ``on_epoch(fitted, last)`` after each epoch, with a function that gives the network as it
        is; a true result stops training.

    Returns
    -------
    fitted : FittedNetwork
        The network, with its course.
    start : Start or None
        The start that it began at; None where a fitted network went on.
    """
    if previous is None:
        scaling = blueprint.scaling(rows)
        start = blueprint.start(rows, scaling) if start is None else start
        blueprint = blueprint.settled(start)
    else:
        scaling, start = previous.scaling, None
    task = blueprint.build(scaling).double()
    if previous is None:
        blueprint.draw(task, start, make_generator(blueprint.seed))
    else:
        load_arrays(task, previous.weights)
    first_weights = to_numpy(task.state_dict())
    blueprint.for_training(task.float(), scaling)

    course = Course() if previous is None else previous.course
    # of the first chunk of rows, where they come in chunks
    mean_weight = course.mean_weight if previous and plan.one_epoch else rows.mean_weight
    weight = relative_weight(rows.weight, mean_weight)
    everything = Batch(
        **blueprint.tensors(rows, scaling), weight=None if weight is None else weight.float()
    )

    settings = plan.settings(blueprint, course.n_iter)

    def fitted_with(weights, course=None):
        fitted = FittedNetwork(blueprint, scaling, weights, course)
        keeps_units = previous is not None and blueprint.keeps_units(plan.one_epoch)
        fitted.units = (
            previous.units
            if keeps_units
            else blueprint.code_units(fitted, rows, start, settings.device)
        )
        return fitted

    def after_epoch(net, last):
        return on_epoch(lambda: fitted_with(to_numpy(net.module_.state_dict())), last)

    settings.on_epoch = after_epoch if on_epoch else None
    optimizers = course.optimizer_tensors() if plan.one_epoch else None
    result = train(task, everything, settings, optimizers)
    untouched = result.start_kept or not result.loss_curve
    course = course.after(
        result, len(rows), mean_weight, has_start=blueprint.has_start, one_epoch=plan.one_epoch
    )
    fitted = fitted_with(first_weights if untouched else to_numpy(task.state_dict()), course)
    fitted.keep_net(result.net)
    return fitted, start


def choose(blueprints, rows, plan, share, seed):
    """The blueprint with the least loss on the rows held out after a share of the epochs."""
    if len(blueprints) == 1 or not plan.can_choose:
        return blueprints[0]
    short = plan.shortened(share)
    losses = [
        fit_network(blueprint.seeded(seed), rows, short)[0].course.best_loss
        for blueprint in blueprints
    ]
    return blueprints[int(np.argmin(losses))]


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
