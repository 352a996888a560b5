"""How long and how fast a fit trains, what it holds out, whether there is a gate."""

import copy
import math

import numpy as np
import torch
from sklearn.model_selection import GroupKFold

from sklearn_ae._compute import make_generator, resolve_device, resolve_precision
from sklearn_ae._training import Settings, check_callbacks, shapes_steps

LARGEST_BATCH = 256
SMALLEST_BATCH = 16
# Bounds where rows are held out, and what is made where none are.
MOST_STEPS, MOST_EPOCHS = 20_000, 200
STEPS_UNSEEN, EPOCHS_UNSEEN = 6_000, 60
# Steps without gain after which a fit ends, and the fewest and the most epochs that these may be.
PATIENCE_STEPS, FEWEST_PATIENCE, MOST_PATIENCE = 500, 10, 15
# With a contrastive loss, of which part never goes, patience and the most epochs are so many times
# as long; the most steps stay.
SLOWNESS_OF_NEIGHBORS = 2
# Steps of which no epoch counts as one without gain, where patience is ours to choose: the rate
# rises, and what is averaged is still near the start.
FIRST_STEPS = 300
# With fewer rows there is nothing to judge a network by: the start is returned.
FEWEST_ROWS_TO_TRAIN = 20
# With fewer rows than this, or groups where there are some, folds judge the network against its
# start: a tenth of them would be too few to tell.
FEWEST_ROWS_TO_SPLIT = 1000
N_FOLDS = 5
# With fewer groups there is nothing to judge a network by.
FEWEST_GROUPS = 4
VALIDATION_FRACTION = 0.1
# Steps that a choice between candidates takes, and the share of a fit's epochs that it takes at
# most; then the same for a second try, where the first does not tell.
CHOICES = ((200, 0.1), (1200, 0.2))
# Parameters that are passed to `Settings` unchanged.
AS_THEY_ARE = ("average", "alpha", "tol")
# Steps among which the decay of an epoch is divided at least, and that of a chunk of rows.
FEWEST_DECAY_STEPS, DECAY_STEPS_OF_CHUNK = 8, 60


class Plan:
    """The training parameters of an estimator, resolved for a number of rows.

    Parameters
    ----------
    parameters : dict
        Parameters of an estimator, among them those of training.
    n_rows : int
        Rows of positive weight.
    blueprint : Blueprint
        Says whether there is a start, and the learning rate behind "auto".
    group : ndarray of int of shape (n_rows,) or None, default=None
        Groups, whose rows are held out together.
    going_on : bool, default=False
        Whether a fitted network goes on.
    one_epoch : bool, default=False
        Whether it is one epoch at a constant rate, without a gate, as in `partial_fit`.

    Attributes
    ----------
    max_iter, batch_size, n_validation, n_folds : int
        Epochs, rows per step, rows held out at a time, and how many times: more than once where
        folds judge.
    device : torch.device
        Where to train.
    is_bound : bool
        Whether ``max_iter`` is a bound that a fit is not meant to reach.
    choice_epochs : list of int
        Epochs after which rows that are held out choose between candidates: the later ones where
        those before do not tell.
    gate : bool
        Whether the start is kept unless training does better.
    can_choose : bool
        Whether rows are held out by which one blueprint can be preferred to another.
    """

    def __init__(
        self, parameters, n_rows, blueprint, *, group=None, going_on=False, one_epoch=False
    ):
        self.parameters = parameters
        self.n_rows = n_rows
        self.group = group
        # what is judged, each independent of the others
        self.n_units = n_rows if group is None else len(np.unique(group))
        self.one_epoch = one_epoch
        self.device = resolve_device(parameters["device"])
        self.learning_rate = "constant" if one_epoch else parameters["learning_rate"]
        if parameters["skorch_callbacks"]:
            check_callbacks(parameters["skorch_callbacks"], self.learning_rate)
        rate = parameters["learning_rate_init"]
        self.learning_rate_init = blueprint.auto_learning_rate if rate == "auto" else rate
        has_start = blueprint.init == "pca" or going_on
        self.n_folds = 1 if one_epoch else self._n_folds(blueprint)
        n_validation = 0 if one_epoch else self._n_validation()
        if going_on and self.n_folds > 1:  # there is one split to go on with, or none
            self.n_folds, n_validation = 1, 0
        n_train = n_rows - n_validation
        self.batch_size = self._batch_size(n_train)
        n_steps = max(1, n_train // self.batch_size)
        self.slowness = SLOWNESS_OF_NEIGHBORS if blueprint.has_neighbors else 1
        patience = parameters["n_iter_no_change"]
        if patience == "auto":
            patience = auto_patience(n_steps) * self.slowness
            self.patient_steps = FIRST_STEPS
        else:
            self.patient_steps = 0
        self.n_iter_no_change = patience
        fewest = DECAY_STEPS_OF_CHUNK if one_epoch else FEWEST_DECAY_STEPS
        self.weight_decay = parameters["weight_decay"] / max(n_steps, fewest)
        ends_by_patience = n_validation > 0 and self.learning_rate != "one_cycle"
        self.max_iter = 1
        if not one_epoch:
            self.max_iter = self._max_iter(n_steps, blueprint.init == "pca", n_validation > 0)
        first, second = (
            min(math.ceil(steps / n_steps), math.ceil(share * self.max_iter))
            for steps, share in CHOICES
        )
        self.choice_epochs = [first, second] if second >= 2 * first else [first]
        self.n_validation = n_validation if self.max_iter else 0
        self.n_folds = self.n_folds if self.n_validation else 1
        self.is_bound = parameters["max_iter"] == "auto" and ends_by_patience
        self.gate = has_start and self.n_validation > 0
        self.can_choose = self.n_validation > 0 and not self._has_too_few()

    def _n_folds(self, blueprint):
        """Parts of the rows that are held out in turn."""
        is_ours = all(
            isinstance(self.parameters[name], str)
            for name in ("early_stopping", "validation_fraction")
        )
        # with neighbours nothing is promised against the start
        guards_start = blueprint.init == "pca" and not blueprint.has_neighbors
        # the best epoch of one cycle is no length of another, and a callback's steps are its own
        has_own_steps = self.learning_rate == "one_cycle" or any(
            map(shapes_steps, self.parameters["skorch_callbacks"] or [])
        )
        # a start that explains all rows of a fold is no start for others
        is_narrow = blueprint.most_components(self.n_rows) < (1 - 1 / N_FOLDS) * self.n_rows - 1
        is_few = self.n_units < FEWEST_ROWS_TO_SPLIT and is_narrow
        return N_FOLDS if is_ours and is_few and guards_start and not has_own_steps else 1

    def _has_too_few(self):
        """Whether there are too few rows, or groups, to judge by."""
        few_groups = self.group is not None and self.n_units < FEWEST_GROUPS
        return self.n_rows < FEWEST_ROWS_TO_TRAIN or few_groups

    def _n_validation(self):
        """Rows held out to judge by, at a time."""
        early_stopping, n_rows = self.parameters["early_stopping"], self.n_rows
        # a boolean may be numpy's
        if not isinstance(early_stopping, str) and not early_stopping:
            return 0
        fraction = self.parameters["validation_fraction"]
        if isinstance(fraction, str):
            fraction = 1.0 / self.n_folds if self.n_folds > 1 else VALIDATION_FRACTION
        n_validation = max(5, int(fraction * n_rows))
        is_auto = isinstance(early_stopping, str)
        if is_auto and self._has_too_few():
            return 0
        if n_rows - n_validation < 2:
            raise ValueError(
                f"early_stopping={early_stopping!r} holds out {n_validation} of {n_rows} rows, "
                f"which leaves {max(n_rows - n_validation, 0)} to train on; at least 2 are needed. "
                "Use a smaller validation_fraction"
                + ("." if is_auto else " or early_stopping='auto'.")
            )
        return n_validation

    def _batch_size(self, n_train):
        batch_size = self.parameters["batch_size"]
        return auto_batch_size(n_train) if batch_size == "auto" else min(batch_size, n_train)

    def _max_iter(self, n_steps, starts_at_best, holds_out):
        """Epochs: none where there is a start in closed form and too little to judge it by."""
        is_auto = isinstance(self.parameters["early_stopping"], str)
        if is_auto and self._has_too_few() and starts_at_best:
            return 0
        max_iter = self.parameters["max_iter"]
        if max_iter != "auto":
            return max_iter
        return auto_max_iter(n_steps, holds_out, MOST_EPOCHS * self.slowness)

    def _precision(self, blueprint):
        """Precision of the network; a user's code may not lend itself to a short one."""
        precision = self.parameters["precision"]
        if precision == "auto" and blueprint.has_user_code:
            return "float32"
        return resolve_precision(precision, self.device, blueprint.n_features)

    def shortened(self, n_epochs):
        """The same with fewer epochs, silent and without callbacks."""
        other = copy.copy(self)
        other.max_iter = n_epochs
        if other.learning_rate == "adaptive":  # what is short has no time to fall
            other.learning_rate = "constant"
        other.is_bound = False
        if other.max_iter == 0:
            other.n_validation, other.n_folds = 0, 1
            other.gate, other.can_choose = False, False
        other.parameters = {**self.parameters, "verbose": 0, "skorch_callbacks": None}
        return other

    def settings(self, blueprint, n_epochs_before=0):
        """What the training loop is told, for a settled blueprint."""
        parameters = self.parameters
        return Settings(
            max_iter=self.max_iter,
            batch_size=self.batch_size,
            learning_rate_init=self.learning_rate_init,
            learning_rate=self.learning_rate,
            n_iter_no_change=self.n_iter_no_change,
            patient_steps=self.patient_steps,
            weight_decay=self.weight_decay,
            splits=split_rows(
                self.n_rows, self.n_validation, self.n_folds, blueprint.seed, self.group
            ),
            gate=self.gate,
            device=self.device,
            seed=blueprint.seed,
            first_epoch=n_epochs_before,
            width=blueprint.width,
            verbose=int(parameters["verbose"]),
            callbacks=parameters["skorch_callbacks"],
            precision=self._precision(blueprint),
            foreign=blueprint.has_user_code,
            keeps_state=self.one_epoch or bool(parameters.get("warm_start")),
            **{name: parameters[name] for name in AS_THEY_ARE},
        )


def split_rows(n_rows, n_validation, n_folds, seed, group=None):
    """Pairs of rows to train on and rows to judge by, one for each fold; groups stay together."""
    if not n_validation:
        return []
    if group is not None:
        return _split_groups(n_rows, n_validation, n_folds, seed, group)
    order = torch.randperm(n_rows, generator=make_generator(seed), device="cpu")
    if n_folds == 1:
        return [(order[n_validation:], order[:n_validation])]
    parts = order.tensor_split(n_folds)
    return [(torch.cat(parts[:k] + parts[k + 1 :]), parts[k]) for k in range(n_folds)]


def _split_groups(n_rows, n_validation, n_folds, seed, group):
    """The same where rows of one group are together."""
    groups, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    if len(groups) < 2:
        raise ValueError(
            "groups holds one group only, so that no rows can be held out; at least 2 groups are "
            "needed. Use early_stopping=False, or no groups."
        )
    order = torch.randperm(len(groups), generator=make_generator(seed), device="cpu").numpy()
    if n_folds > 1:
        # parts of about as many rows; which of equally large groups go together is drawn
        splitter = GroupKFold(min(n_folds, len(groups)))
        splits = list(splitter.split(group, groups=order[group]))
    else:
        # as many groups as make the number of rows most nearly
        missed = np.abs(np.cumsum(sizes[order[:-1]]) - n_validation)
        held_out = np.isin(group, order[: missed.argmin() + 1])
        splits = [(np.flatnonzero(~held_out), np.flatnonzero(held_out))]
    fewest = min(len(training) for training, _ in splits)
    if fewest < 2:
        raise ValueError(
            f"groups has one of {n_rows - fewest} of the {n_rows} rows, which leaves {fewest} to "
            "train on where it is held out; at least 2 are needed. Use early_stopping=False, or no "
            "groups."
        )
    return [tuple(map(torch.from_numpy, split)) for split in splits]


def auto_batch_size(n_rows):
    """Rows per step: an eighth of the rows, as a power of two between 16 and 256."""
    power = 2 ** round(math.log2(max(n_rows, 1) / 8))
    return int(min(max(power, SMALLEST_BATCH), LARGEST_BATCH))


def auto_max_iter(n_steps, holds_out=True, most_epochs=MOST_EPOCHS):
    """Epochs of ``n_steps`` steps: a bound where rows are held out, fewer where none tell."""
    most = (MOST_STEPS, most_epochs) if holds_out else (STEPS_UNSEEN, EPOCHS_UNSEEN)
    return min(max(1, round(most[0] / n_steps)), most[1])


def auto_patience(n_steps):
    """Epochs of ``n_steps`` steps without gain after which a fit ends."""
    return min(max(math.ceil(PATIENCE_STEPS / n_steps), FEWEST_PATIENCE), MOST_PATIENCE)
