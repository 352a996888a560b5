"""The course of a fit: epochs until the last, or until something stops them."""

import math

import torch

from sklearn_ae._compute import rows_at_once
from sklearn_ae._training.batches import IndexBatches, RowsOnDevice
from sklearn_ae._training.net import StopTraining
from sklearn_ae._training.schedule import Fall
from sklearn_ae._training.settings import TrainingResult, TrainingState
from sklearn_ae._training.stack import Stack, may_be_stacked

# Training rows that tell, before and after a fit that holds none out, whether it diverged.
ROWS_TO_WATCH = 500


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

    def keep(self):
        """Keep the present weights."""
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


def gains_significantly(before, after, weight, group=None):
    """Whether the mean paired gain on the validation rows exceeds one standard error.

    The standard error is that of a mean of n rows whose variance is not known: the standard
    deviation of Student's t, ``sqrt((n - 1) / (n - 3))`` times ``sqrt(variance / n)``. Beyond 50
    rows the factor is within 2 % of one; with six it is 1.29. Rows of one group are not
    independent: they count as one, as in cluster-robust standard errors.
    """
    gain = (before - after).double()
    share = torch.ones_like(gain) if weight is None else weight.double()
    share = share / share.sum()
    mean = (share * gain).sum()
    deviation = share * (gain - mean)
    if group is not None:
        _, group = group.unique(return_inverse=True)
        sums = torch.zeros(2, int(group.max()) + 1, dtype=share.dtype, device=share.device)
        share, deviation = sums.index_add(1, group, torch.stack([share, deviation]))
    # of a weighted mean; with equal weights it is var(gain, ddof=1) / n, and n_rows is n
    concentration = share.square().sum()
    n_rows = 1.0 / concentration
    if n_rows <= 3.0 + 1e-9:
        return False
    variance = deviation.square().sum() / (1.0 - concentration)
    return bool(mean > (variance * (n_rows - 1.0) / (n_rows - 3.0)).sqrt())


class Member:
    """A network in training, with the rows that it is trained on and those that judge it.

    Parameters
    ----------
    net : TrainingNet
        The net, initialised.
    train_rows, validation_rows : RowsOnDevice
        The rows; there may be none to judge by.
    """

    def __init__(self, net, train_rows, validation_rows):
        self.net = net
        self.train_rows = train_rows
        self.validation_rows = validation_rows if len(validation_rows) else None
        self.start = self.best = None
        # the weights in training at the best epoch, where a fit is to go on from them
        self.best_state, self.best_steps = None, 0

    def begin(self, settings, is_alone):
        """Prepare for the first epoch; of folds only the losses matter, not the weights."""
        net = self.net
        if self.validation_rows is not None and is_alone:
            self.best = BestWeights(net.judged)
            if settings.keeps_state and settings.average:
                self.best_state = BestWeights(net.module_)
        if settings.gate and is_alone:
            self.start = BestWeights(net.judged)
        net.notify("on_train_begin", X=self.train_rows.everything.x, y=None)
        self.batches = IndexBatches(self.train_rows, settings.batch_size, net.generator, net.noise)
        net.n_steps = settings.max_iter * len(self.batches)

    def begin_epoch(self, epoch):
        """Prepare for an epoch, counted from 0."""
        self.net.module_.begin_epoch(epoch)
        self.notify("on_epoch_begin")

    def run_epoch(self):
        """Make the steps of an epoch; the mean objective in it."""
        return self.net.run_epoch(self.batches)

    def end_epoch(self):
        """Let the averages move by the last steps."""
        for average in self.net.averages:
            average.catch_up()

    def notify(self, method_name):
        """Tell the callbacks of the begin or the end of an epoch."""
        data = {"dataset_train": self.train_rows, "dataset_valid": self.validation_rows}
        self.net.notify(method_name, **data)

    def keep(self):
        """Keep the present weights as the best ones."""
        if self.best is not None:
            self.best.keep()
        if self.best_state is not None:
            self.best_state.keep()
            self.best_steps = self.net.steps[0]

    def restore_best(self):
        """Put the best weights back."""
        if self.best is not None:
            self.best.restore()
        if self.best_state is not None:
            self.best_state.restore()
            self.net.steps[0] = self.best_steps

    def end(self):
        """Tell the callbacks of the end, before the kept weights are put in: they may load some."""
        for average in self.net.averages:
            average.catch_up()
        self.net.notify("on_train_end", X=self.train_rows.everything.x, y=None)


class Run:
    """Epochs of a network, or of those of several folds side by side.

    The rows held out, those of all folds together, tell the best epoch, when to stop, and whether
    the start is kept.

    Parameters
    ----------
    members : list of Member
        The networks; callbacks are told of each.
    settings : Settings
        How to train.
    known_losses : list of float, default=()
        Of a fit on all rows, the objective on rows held out that folds found for each epoch.
    """

    def __init__(self, members, settings, known_losses=()):
        self.members = members
        self.settings = settings
        self.known_losses = known_losses
        self.net = members[0].net
        self.loss_curve, self.validation_losses = [], []
        self.holds_out = members[0].validation_rows is not None
        self.start_losses = self.best_losses = None
        self.best_validation = math.inf
        self.last_gain, self.epochs_without_gain = math.inf, 0
        self.fall = settings.fall
        self.stack = None
        self.watched_errors = None, None

    def go(self):
        """Train; the `TrainingResult`, with the kept weights in the tasks that were trained."""
        settings = self.settings
        if settings.gate:
            self.start_losses = self._row_losses(of_start=True)
            self._check_start(self._mean(self.start_losses))
        for member in self.members:
            member.begin(settings, is_alone=len(self.members) == 1)
        if may_be_stacked(self.members, settings):
            self.stack = Stack(self.members)
        before = self._watched_error()
        for epoch in range(settings.max_iter):
            if self._epoch(epoch):
                break
        self.watched_errors = before, self._watched_error()
        for member in self.members:
            member.end()
        return self._result()

    def _epoch(self, epoch):
        """One epoch; whether it is the last."""
        settings, stop = self.settings, False
        try:
            n_made = settings.first_epoch + epoch
            for member in self.members:
                member.begin_epoch(n_made)
            if self.stack is None:
                losses = [member.run_epoch() for member in self.members]
            else:
                losses = self.stack.run_epoch()
            for member in self.members:
                member.end_epoch()
            self._record("train", sum(losses) / len(losses), self.loss_curve, epoch)
            if self.holds_out:
                stop = self._validate(epoch)
            elif self.known_losses:
                self._record("valid", self.known_losses[epoch], self.validation_losses, epoch)
            if settings.learning_rate == "adaptive":
                stop = self._adapt_rate(epoch + 1, has_stalled=stop)
            for member in self.members:
                member.notify("on_epoch_end")
        except StopTraining:
            return True
        last = stop or epoch + 1 == settings.max_iter
        if settings.on_epoch is not None:
            stop = settings.on_epoch(self._result_so_far(), last) or stop
        return stop

    @torch.no_grad()
    def _watched_error(self):
        """Mean error of some training rows where none are held out; None where there is none."""
        task = self.net.judged
        if self.holds_out or self.settings.max_iter < 2 or not hasattr(task, "row_error"):
            return None
        self.net.module_.eval()
        task.eval()
        rows = self.members[0].train_rows
        batches = IndexBatches(
            RowsOnDevice(rows.everything, rows.rows[:ROWS_TO_WATCH]),
            rows_at_once(self.settings.width),
        )
        errors = [task.row_error(task.network(batch.x), batch.x) for batch in batches]
        return torch.cat(errors).mean().item()

    def _record(self, name, loss, curve, epoch):
        self._check_finite(loss, epoch)
        best = not curve or loss < min(curve)
        curve.append(loss)
        for member in self.members:
            member.net.history.record(f"{name}_loss", loss)
            member.net.history.record(f"{name}_loss_best", best)

    def _validate(self, epoch):
        """Judge the epoch on the rows held out; whether training has stalled."""
        settings = self.settings
        for member in self.members:
            if member.net.watches_batches:
                member.net.show_validation_batches(member.validation_rows)
        losses = self._row_losses()
        loss = self._mean(losses)
        self._record("valid", loss, self.validation_losses, epoch)
        if self._may_lose_patience:
            self.epochs_without_gain += 1
        # small gains count together; the first one is from infinity
        if loss < self.last_gain - settings.tol * abs(loss):
            self.last_gain, self.epochs_without_gain = loss, 0
        if loss < self.best_validation:
            self.best_validation, self.best_losses = loss, losses
            for member in self.members:
                member.keep()
        has_stalled = self.epochs_without_gain >= settings.n_iter_no_change
        return settings.learning_rate != "one_cycle" and has_stalled

    @property
    def _may_lose_patience(self):
        """Whether the first steps, of which nothing is concluded, are made."""
        return self.net.steps[0] - self.net.first_step >= self.settings.patient_steps

    def _adapt_rate(self, n_made, has_stalled):
        """Let the rate fall from here on, where it is time; whether its fall has ended."""
        if self.fall is None:
            self.fall = Fall.after(
                self.validation_losses or self.loss_curve,
                self.settings.max_iter,
                self.settings.n_iter_no_change,
                self.holds_out and self._may_lose_patience,
                has_stalled,
            )
        if self.fall is None:
            return False
        if n_made == self.fall.n_before:
            for member in self.members:
                n_steps = self.fall.n_epochs * len(member.batches)
                member.net.fall[:] = [member.net.steps[0], n_steps]
        return n_made >= self.fall.end

    def _row_losses(self, of_start=False):
        """Objective of every row held out, each by the network that did not see it."""
        losses = [
            member.net.row_losses(
                member.validation_rows, member.net.settings.start if of_start else None
            )
            for member in self.members
        ]
        return losses[0] if len(losses) == 1 else torch.cat(losses)

    def _held_out(self, name):
        """A field of the rows held out; None where there is none."""
        fields = [getattr(member.validation_rows, name) for member in self.members]
        return None if fields[0] is None else torch.cat(fields)

    def _mean(self, losses):
        """Mean over the rows held out, by their weight."""
        return weighted_mean(losses, self._held_out("weight"))

    def _last_loss(self):
        """Objective where nothing is held out: what folds found, else on the training rows."""
        if not self.loss_curve:
            rows = self.members[0].train_rows
            return weighted_mean(self.net.row_losses(rows), rows.weight)
        return (self.validation_losses or self.loss_curve)[-1]

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
        clippings = [clipping.state() for clipping in self.net.clippings]
        return TrainingState(weights, self.net.steps[0], optimizers, clippings)

    def _result(self):
        """The result, and the kept weights in the tasks that were trained."""
        best_loss, start_kept = self.best_validation, False
        if self.best_losses is not None:
            for member in self.members:
                member.restore_best()
        state = self._state()
        if self.settings.gate:
            start_kept = self.best_losses is None or not gains_significantly(
                self.start_losses,
                self.best_losses,
                self._held_out("weight"),
                self._held_out("group"),
            )
            if start_kept:
                best_loss = self._mean(self.start_losses)
        elif not self.holds_out:
            best_loss = self._last_loss()
        for member in self.members:
            if start_kept and member.start is not None:
                member.start.restore()
            if member.net.averages:
                member.net.module_.load_state_dict(member.net.judged.state_dict())
        return TrainingResult(
            self.net,
            self.net.module_,
            self.loss_curve,
            self.validation_losses,
            best_loss,
            start_kept,
            None if start_kept else state,
            fall=self.fall,
            watched_errors=self.watched_errors,
        )
