"""The private skorch net: its epochs, without a read of the loss at every step."""

import functools
import operator

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PrintLog
from torch import nn

from sklearn_ae._compute import make_generator, rows_at_once
from sklearn_ae._training.batches import IndexBatches, RowsOnDevice
from sklearn_ae._training.clipping import GradientClipping
from sklearn_ae._training.cuda_graph import CapturedSteps
from sklearn_ae._training.schedule import CONSTANT_WARM_UP, constant, falling, one_cycle

# Learning rate from which `weight_decay` acts in full.
FULL_DECAY_RATE = 1e-3
BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class StopTraining(Exception):
    """Raised inside `TrainingNet` when a callback asks for the end of training."""


def add_terms(terms):
    """Sum of the terms of an objective, row by row."""
    return functools.reduce(operator.add, terms.values())


def _exact_on_cpu(tensor):
    """A tensor on the CPU, in float64 where it is floating."""
    return tensor.cpu().double() if tensor.is_floating_point() else tensor.cpu()


class TrainingNet(NeuralNet):
    """A skorch net whose module is a task.

    Parameters
    ----------
    module : torch.nn.Module
        A task: a network and the terms of its objective.
    settings : Settings
        How to train.
    generator : torch.Generator
        On the CPU: order of the batches.
    noise : torch.Generator
        On the device: what the task draws.
    **kwargs : dict
        Parameters of `skorch.NeuralNet`.
    """

    def __init__(self, module, *, settings, generator, noise, **kwargs):
        super().__init__(module, criterion=nn.Identity, train_split=None, **kwargs)
        self.settings = settings
        self.generator = generator
        self.noise = noise
        # steps made, in a list: skorch looks into every attribute that is set; those of this fit
        # begin at `first_step`, and there are to be `n_steps` of them
        self.steps = [0]
        # the averaged weights, where there are some
        self.averages = []
        self.first_step, self.n_steps = 0, 1
        # where the optimisers began: a constant rate rises from there
        self.first_step_of_rise = 0
        # first step of the fall of an adaptive rate and steps that it takes, once it falls
        self.fall = []
        # players of the task, each with its optimiser, and the clipping of each
        self.turns = []
        self.clippings = []

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    @property
    def watches_batches(self):
        """Whether a callback has hooks at every batch."""
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in BATCH_HOOKS
        )

    def initialize_optimizer(self, triggered_directly=None):
        """Make an optimiser for each player of the task; skorch knows that of the first."""
        super().initialize_optimizer(triggered_directly)
        first, *others = self.module_.players
        self.turns[:] = [(first, self.optimizer_)]
        for player in others:
            args, kwargs = self._optimizer_params(player)
            self.turns.append((player, self.optimizer(*args, **kwargs)))
        self.clippings[:] = [GradientClipping() for _ in self.turns]

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Parameters and options of the first player's optimiser, as skorch asks for them."""
        return self._optimizer_params(self.module_.players[0], prefix)

    def _optimizer_params(self, player, prefix="optimizer"):
        """A group per share of the rate: first what decays and has an L2 term, then the rest."""
        decays, shares = {}, {}  # a parameter may be part of several modules
        for module in self.module_.modules_of(player):
            for parameter in module.parameters(recurse=False):
                is_weight = parameter.ndim > 1 and getattr(module, "decays", True)
                decays[parameter] = is_weight and decays.get(parameter, True)
                share = getattr(module, "share_of_rate", 1.0)
                shares[parameter] = min(share, shares.get(parameter, 1.0))
        _, kwargs = super().get_params_for_optimizer(prefix, [])
        groups = [
            self._group([p for p in shares if shares[p] == share], decays, share, kwargs["lr"])
            for share in sorted(set(shares.values()), reverse=True)
        ]
        return (groups,), kwargs

    def _group(self, parameters, decays, share, rate):
        """A group of the optimiser."""
        weights = [parameter for parameter in parameters if decays[parameter]]
        rest = [parameter for parameter in parameters if not decays[parameter]]
        settings = self.settings
        # AdamW multiplies it by the rate. A large rate is not to decay more; with a small one, a
        # decay that is not small too would hold all weights near zero.
        decay = settings.weight_decay / max(settings.learning_rate_init, FULL_DECAY_RATE)
        return {
            "params": weights + rest,
            "n_decayed": len(weights),
            "decay": decay,
            "l2": settings.alpha,
            "share_of_rate": share,
            "lr": rate * share,
        }

    def notify(self, method_name, **cb_kwargs):
        """Tell the callbacks; skorch's early stopping raises KeyboardInterrupt, Ctrl-C too."""
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:
                if not isinstance(callback, EarlyStopping):
                    raise
                raise StopTraining from None

    def get_iterator(self, dataset, training=False):
        """Batches by index for our own tables; skorch's way for what a callback brings."""
        if not isinstance(dataset, RowsOnDevice):
            return super().get_iterator(dataset, training=training)
        generators = (self.generator, self.noise) if training else ()
        return IndexBatches(dataset, self.batch_size, *generators)

    def infer(self, x, **fit_params):
        """Reconstruction of ``x``, by the averaged weights where there are some."""
        return self.judged.predict(x.to(self.device))

    def objective(self, batch, generator=None, player=None):
        """Mean objective of a player, the first by default, over a batch, by weight."""
        player = player or self.module_.players[0]
        losses = add_terms(self.module_.terms(player, batch, generator or self.noise))
        return (losses if batch.weight is None else losses * batch.weight).mean()

    def step(self, batch, hook=None):
        """One step of every player in turn; the first one's objective."""
        losses = []
        for (player, optimizer), clipping in zip(self.turns, self.clippings, strict=True):
            optimizer.forget_gradients()
            loss = self.objective(batch, player=player)
            loss.backward()
            if hook is not None:
                hook()
            clipping(optimizer)
            optimizer.step()
            losses.append(loss)
        return losses[0].detach()

    def train_step(self, batch, **fit_params):
        """One step, with the hooks that skorch's epoch loop expects."""
        self._set_training(True)
        self.set_learning_rate()
        parameters = self.get_all_learnable_params

        def hook():
            self.notify(
                "on_grad_computed", named_parameters=parameters(), batch=batch, training=True
            )

        loss = self.step(batch, hook)
        self.after_step()
        return {"loss": loss, "y_pred": self._prediction(batch)}

    def validation_step(self, batch, **fit_params):
        """Loss and prediction of a validation batch."""
        losses = self._losses(self.judged.eval(), batch, self.validation_noise())
        loss = (losses if batch.weight is None else losses * batch.weight).mean()
        return {"loss": loss, "y_pred": self._prediction(batch)}

    def validation_noise(self):
        """A generator that draws the same noise table each time."""
        return make_generator(self.settings.seeds.validation, self.noise.device)

    def _prediction(self, batch):
        """Reconstruction in evaluation mode, which leaves running statistics alone."""
        self.judged.eval()
        with torch.no_grad():
            return self.infer(batch.x)

    @property
    def judged(self):
        """The task that is judged, and kept: that of the averaged weights where there are some."""
        return self.averages[0].task if self.averages else self.module_

    def after_step(self):
        """What follows a step of the optimiser."""
        self.steps[0] += 1
        for average in self.averages:
            average.after_step()

    def _scheduled_share(self):
        """Share of the learning rate at the next step; None where it stays."""
        if self.settings.learning_rate == "one_cycle":
            return one_cycle(self.steps[0] - self.first_step, self.n_steps)
        n_made = self.steps[0] - self.first_step_of_rise
        rises = self.settings.warms_up and n_made < CONSTANT_WARM_UP
        if self.fall:
            first, n_steps = self.fall
            share = falling(self.steps[0] - first, n_steps)
            return min(share, constant(n_made)) if rises else share
        return constant(n_made) if rises else None

    def set_learning_rate(self):
        """Set the learning rate of the next step."""
        share = self._scheduled_share()
        if share is not None:
            for _, optimizer in self.turns:
                for group in optimizer.param_groups:
                    rate = self.settings.learning_rate_init * share * group["share_of_rate"]
                    if isinstance(group["lr"], torch.Tensor):
                        group["lr"].fill_(rate)
                    else:
                        group["lr"] = rate

    def run_epoch(self, batches):
        """One epoch over the training rows; the mean objective over them, by weight."""
        n_rows, weight = len(batches.rows), batches.rows.total_weight
        if self.watches_batches:
            self.run_single_epoch(batches, True, "train", self.train_step)
            rows = self.history[-1]["batches"]
            return sum(row["train_loss"] * row["train_batch_size"] for row in rows) / weight
        loss = self._run_fast_epoch(batches) / weight
        # skorch's Checkpoint looks up the last batch: one entry stands for the whole epoch
        self.history.new_batch()
        self.history.record_batch("train_loss", loss)
        self.history.record_batch("train_batch_size", n_rows)
        return loss

    def _run_fast_epoch(self, batches):
        self._set_training(True)
        if CapturedSteps.applies(self):
            return CapturedSteps.of(self, batches).run(batches).item()
        total = torch.zeros((), dtype=torch.float32, device=batches.rows.rows.device)
        for batch in batches:
            self.set_learning_rate()
            self.plain_step(batch, total)
            self.after_step()
        return total.item()

    def plain_step(self, batch, total):
        """One step; the objective is added to ``total``, of shape (), unread."""
        total.add_(self.step(batch), alpha=len(batch.x))

    def row_losses(self, rows, exact=None):
        """Objective of each row under one fixed noise table, of shape (n,).

        ``exact`` is a task in float64 on the CPU that is judged in place of the net's own.
        """
        self._set_training(False)  # callbacks may look at the weights in training too
        generator, task = self.validation_noise(), self.judged.eval()
        batches = IndexBatches(rows, rows_at_once(self.settings.width))
        if exact is not None:
            generator, task = make_generator(self.settings.seeds.validation), exact
            batches = (batch.map(_exact_on_cpu) for batch in batches)
        losses = [self._losses(task, batch, generator) for batch in batches]
        return torch.cat(losses).to(rows.rows.device, torch.float32)

    @staticmethod
    @torch.no_grad()
    def _losses(task, batch, generator):
        return add_terms(task.terms(task.players[0], batch, generator))

    def show_validation_batches(self, rows):
        """Let callbacks with batch hooks see the validation rows."""
        self.run_single_epoch(
            IndexBatches(rows, self.batch_size), False, "valid", self.validation_step
        )
