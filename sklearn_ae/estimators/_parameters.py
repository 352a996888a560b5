"""What the parameters may be that estimators share."""

from numbers import Integral, Real

from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import CORRUPTIONS
from sklearn_ae.losses import LOSSES
from sklearn_ae.networks import ACTIVATIONS
from sklearn_ae.utils._sklearn import HasMethods, Interval, RealNotInt, StrOptions

CODE_CONSTRAINTS = {
    "n_components": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="neither"),
        None,
    ]
}

NETWORK_CONSTRAINTS = {
    "hidden_layer_sizes": [StrOptions({"auto"}), "array-like"],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "architecture": [StrOptions({"dense"}), Convolutional, callable],
    "init": [StrOptions({"auto", "pca", "random"})],
}

LOSS_CONSTRAINTS = {"loss": [StrOptions(set(LOSSES)), HasMethods("__call__")]}

CORRUPTION_CONSTRAINTS = [None, StrOptions(set(CORRUPTIONS)), HasMethods("make"), callable]

TRAINING_CONSTRAINTS = {
    "max_iter": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "learning_rate": [StrOptions({"one_cycle", "constant"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, 1, closed="left")],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "skorch_callbacks": [list, None],
    "device": [str],
    "precision": [StrOptions({"float32", "bfloat16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
