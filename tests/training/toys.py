"""What the tests of the training loop share: settings, a line, and its least squares."""

import numpy as np
import skorch
import torch

from sklearn_ae._fitting.plan import split_rows
from sklearn_ae._training import Settings
from sklearn_ae.tasks import Task


class Line(torch.nn.Module):
    """``slope * x + intercept``."""

    def __init__(self, slope=0.0, intercept=0.0):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor([[slope]], dtype=torch.float32))
        self.intercept = torch.nn.Parameter(torch.tensor([intercept], dtype=torch.float32))
        self.autocast_dtype = None

    def forward(self, x):
        return x @ self.slope + self.intercept

    def parameters_as_array(self):
        return np.array([self.slope.item(), self.intercept.item()])


class FitLine(Task):
    """The target is fitted by a line in x."""

    def __init__(self, slope=0.0, intercept=0.0):
        super().__init__()
        self.network = Line(slope, intercept)
        self.epochs = []

    def begin_epoch(self, epoch):
        self.epochs.append(epoch)

    def forward(self, batch, generator):
        return {"fit": (self.network(batch.x) - batch.target).square().sum(1)}


class Recorder(skorch.callbacks.Callback):
    """Appends what it sees to a list that copies share, as a fit trains copies of callbacks."""

    def __init__(self, seen):
        self.seen = seen

    def __deepcopy__(self, memo):
        return self


class WatchBatches(skorch.callbacks.Callback):
    """Has a hook at every batch."""

    def on_batch_end(self, net, **kwargs):
        pass


def settings(n_validation=0, n_rows=63, n_folds=1, **kwargs):
    splits = split_rows(n_rows, n_validation, n_folds, kwargs.get("seed", 0))
    defaults = {
        "max_iter": 1, "batch_size": 10, "learning_rate_init": 0.05, "learning_rate": "constant",
        "average": False, "warms_up": False, "keeps_state": True,
        "alpha": 0.0, "weight_decay": 0.0, "splits": splits, "gate": False,
        "n_iter_no_change": 10, "tol": 1e-4, "precision": "float32",
        "device": torch.device("cpu"), "seed": 0,
    }  # fmt: skip
    return Settings(**{**defaults, **kwargs})


def columns(data):
    """x and target of a batch in double precision."""
    return (field.double().numpy()[:, 0] for field in data)


def line_of_least_squares(x, y, weight=None, ridge=0.0):
    """Slope and intercept in closed form, with a ridge on the slope."""
    weight = np.ones(len(x)) if weight is None else weight
    design = np.column_stack([x, np.ones_like(x)])
    gram = design.T @ (design * weight[:, None]) / weight.sum()
    return np.linalg.solve(gram + np.diag([ridge, 0]), design.T @ (weight * y) / weight.sum())
