"""The three recipes of CONTRIBUTING.md: a corruption, a likelihood and an estimator from outside.

Nothing of the package is changed here: what the recipes ask for is all that it takes.
"""

import pickle
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import assert_all_finite
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d
from torch import nn

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae._fitting.blueprint import Blueprint
from sklearn_ae._fitting.blueprints import ReconstructionBlueprint
from sklearn_ae._fitting.fit import fit_network
from sklearn_ae._fitting.plan import Plan
from sklearn_ae._fitting.rows import Rows
from sklearn_ae._fitting.scaling import table_scaling
from sklearn_ae.corruptions import Corruption
from sklearn_ae.estimators._base import BaseNetworkEstimator, fits
from sklearn_ae.estimators._parameters import TRAINING_CONSTRAINTS
from sklearn_ae.likelihoods import Likelihood
from sklearn_ae.losses import SquaredError
from sklearn_ae.networks import dense, draw_weights
from sklearn_ae.objectives import squared_error
from sklearn_ae.tasks import Task
from sklearn_ae.utils._sklearn import Interval, fit_context

DIGITS = load_digits()
X, Y = DIGITS.data[:400] / 16, DIGITS.target[:400]


# ---------------------------------------------------------------------- a corruption


def shift(x, generator, size):
    """Move each row by one draw of its own."""
    moves = torch.empty((len(x), 1), dtype=x.dtype, device=x.device).normal_(generator=generator)
    return x + size * moves


class Shift(Corruption):
    _parameter_constraints = {"size": [Interval(Real, 0, None, closed="left")]}  # noqa: RUF012

    _function = staticmethod(shift)

    def __init__(self, size=0.1):
        self.size = size


def test_corruption_from_outside_is_drawn_by_the_fit_and_searched_over():
    first = Shift(0.5).corrupt(X, random_state=0)
    assert_array_equal(first, Shift(0.5).corrupt(X, random_state=0))
    moves = first - X
    assert_allclose(moves, np.broadcast_to(moves[:, :1], moves.shape))
    assert abs(moves[:, 0].std() - 0.5) < 0.1
    denoiser = Denoiser(corruption=Shift(0.5), mode="direct", max_iter=0, random_state=0).fit(X)
    assert denoiser.score(first, X_clean=X) > 0.9
    search = GridSearchCV(
        Autoencoder(2, corruption=Shift(), max_iter=2, random_state=0),
        {"corruption__size": [0.0, 0.3]},
        cv=2,
    ).fit(X)
    assert {*search.cv_results_["param_corruption__size"]} == {0.0, 0.3}


# ---------------------------------------------------------------------- a likelihood


class LogisticNoise(nn.Module):
    """Logistic distribution about the output, with one learnt scale."""

    def __init__(self, variance):
        super().__init__()
        scale = (3 * variance.mean()).sqrt() / torch.pi
        self.log_scale = nn.Parameter(scale.log())

    def _distribution(self, output):
        base = torch.distributions.Uniform(torch.zeros_like(output), torch.ones_like(output))
        transforms = [
            torch.distributions.SigmoidTransform().inv,
            torch.distributions.AffineTransform(output, self.log_scale.exp()),
        ]
        return torch.distributions.TransformedDistribution(base, transforms, validate_args=False)

    def log_density(self, output, x):
        return self._distribution(output).log_prob(x).sum(-1)

    def mean(self, output):
        return output

    def sample(self, output, generator):
        uniform = torch.empty_like(output).uniform_(1e-6, 1 - 1e-6, generator=generator)
        return output + self.log_scale.exp() * torch.logit(uniform)


class Logistic(Likelihood):
    def module(self, variance):
        return LogisticNoise(variance)


def test_likelihood_from_outside_starts_at_pca_scores_and_samples():
    vae = VariationalAutoencoder(
        5, likelihood=Logistic(), hidden_layer_sizes=(16,), max_iter=10, random_state=0
    ).fit(X)
    assert hasattr(vae, "explained_variance_")
    start = clone(vae).set_params(max_iter=0).fit(X)
    assert vae.score(X) >= start.score(X) - 1e-6
    assert vae.sample(7, random_state=0).shape == (7, 64)
    loaded = pickle.loads(pickle.dumps(vae))
    assert_array_equal(loaded.score_samples(X[:5]), vae.score_samples(X[:5]))


# ---------------------------------------------------------------------- an estimator


class TwoHeads(nn.Module):
    """An encoder, a head of logits and a decoder that looks at the code from aside."""

    def __init__(self, n_features, width, n_classes):
        super().__init__()
        self.encoder = dense(n_features, (), width, "gelu")
        self.head = dense(width, (), n_classes, "gelu")
        self.decoder = dense(width, (), n_features, "gelu")

    def code(self, x):
        return nn.functional.gelu(self.encoder(x))

    def forward(self, x):
        return self.head(self.code(x))


class ClassificationTask(Task):
    """Two players in turns: the classifier, and a decoder of its code that moves nothing else."""

    players = ("classifier", "decoder")

    def __init__(self, network):
        super().__init__()
        self.network = network

    def modules_of(self, player):
        network = self.network
        mine = (network.decoder,) if player == "decoder" else (network.encoder, network.head)
        return [module for one in mine for module in one.modules()]

    def terms(self, player, batch, generator):
        if player == "decoder":
            code = self.network.code(batch.x).detach()
            return {"error": squared_error(self.network.decoder(code), batch.x)}
        return self(batch, generator)

    def forward(self, batch, generator):
        logits = self.network(batch.x)
        return {
            "log_loss": nn.functional.cross_entropy(logits, batch.target, reduction="none"),
        }

    def expected(self, output):
        return torch.softmax(output, dim=-1)


class PretrainedStart:
    """The first layer of an autoencoder that was fitted before."""

    def __init__(self, fitted):
        self.weights = fitted.weights
        self.history = fitted.course.loss_curve

    @torch.no_grad()
    def lay(self, task, generator):
        task.network.encoder[0].weight.copy_(
            torch.from_numpy(self.weights["network.encoder.0.weight"])
        )
        task.network.encoder[0].bias.copy_(torch.from_numpy(self.weights["network.encoder.0.bias"]))


@dataclass(kw_only=True)
class ClassificationBlueprint(Blueprint):
    n_features: int
    width_of_code: int
    classes: np.ndarray
    parameters: dict = field(compare=False)

    def scaling(self, rows):
        return table_scaling(rows.x, rows.weight)

    def start(self, rows, scaling):
        """The first phase: a fit of its own, of the rows without their labels."""
        pretraining = ReconstructionBlueprint(
            seed=self.seed,
            n_features=self.n_features,
            n_components=self.width_of_code,
            hidden_layer_sizes=(),
            activation="gelu",
            architecture="dense",
            init="random",
            loss=SquaredError(),
        )
        plan = Plan(self.parameters, len(rows.x), pretraining)
        fitted, _ = fit_network(pretraining, Rows(rows.x, weight=rows.weight), plan)
        return PretrainedStart(fitted)

    def settled(self, start):
        self.width = max(self.n_features, self.width_of_code)
        return self

    def tensors(self, rows, scaling):
        x = torch.from_numpy(scaling.to_network(rows.x, np.float32))
        target = np.searchsorted(self.classes, rows.target)
        return {"x": x, "target": torch.from_numpy(target)}

    def build(self, scaling, start=None):
        return ClassificationTask(TwoHeads(self.n_features, self.width_of_code, len(self.classes)))

    def draw(self, task, start, generator):
        for stack in task.network.children():
            draw_weights(stack, "gelu", generator)
        start.lay(task, generator)


class TinyClassifier(ClassifierMixin, BaseNetworkEstimator):
    """Learns labels after a look at the rows without them."""

    _parameter_constraints = {  # noqa: RUF012
        "width": [Interval(Integral, 1, None, closed="left")],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        width=16,
        *,
        max_iter="auto",
        batch_size="auto",
        learning_rate_init=1e-2,
        learning_rate="constant",
        average=True,
        alpha=0.0,
        weight_decay=0.03,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change="auto",
        tol=1e-3,
        warm_start=False,
        skorch_callbacks=None,
        device="auto",
        precision="float32",
        random_state=None,
        verbose=0,
    ):
        self.width = width
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.average = average
        self.alpha = alpha
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.skorch_callbacks = skorch_callbacks
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @property
    def partial_fit(self):
        raise AttributeError("TinyClassifier has no partial_fit.")

    @fits
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        def check_target(rows):
            if y is None:
                raise ValueError("requires y to be passed, but the target y is None")
            labels = column_or_1d(y, warn=True)
            assert_all_finite(labels, input_name="y")
            check_consistent_length(rows, labels)
            check_classification_targets(labels)
            return labels

        return self._fit(X, y, sample_weight, check_target)

    def _blueprint(self, rows, seed):
        classes = np.unique(rows.target)
        if len(classes) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {classes}.")
        return ClassificationBlueprint(
            seed=seed,
            n_features=rows.x.shape[1],
            width_of_code=int(self.width),
            classes=classes,
            parameters=self.get_params(deep=False),
        )

    def _describe(self, fitted, rows, start, device):
        return {"classes_": fitted.blueprint.classes, "pretraining_curve_": start.history}

    def predict_proba(self, X):
        X = self._checked(X)

        def function(task, x):
            return (task.expected(task.predict(x)),)

        return self._fitted.map(X, function, self._device())[0].astype(np.float64)

    def predict(self, X):
        places = self.predict_proba(X).argmax(axis=1)
        return self.classes_[places]


def test_estimator_from_outside_learns_labels_in_two_phases_with_two_optimisers():
    classifier = TinyClassifier(32, max_iter=60, random_state=0).fit(X[:300], Y[:300])
    assert classifier.score(X[300:], Y[300:]) > 0.9
    logistic = LogisticRegression(max_iter=1000).fit(X[:300], Y[:300])
    assert classifier.score(X[300:], Y[300:]) > logistic.score(X[300:], Y[300:]) - 0.05
    assert classifier.pretraining_curve_[-1] < classifier.pretraining_curve_[0]
    assert classifier.loss_curve_[-1] < 0.5 * classifier.loss_curve_[0]
    assert [player for player, _ in classifier.net_.turns] == ["classifier", "decoder"]
    # the second player has learnt to decode the code of the first, which never saw its loss
    task = classifier._fitted.task(torch.float64, "cpu")
    x = torch.from_numpy(classifier._fitted.scaling.to_network(X[300:], np.float64))
    with torch.no_grad():
        error = squared_error(task.network.decoder(task.network.code(x)), x).mean()
    assert error < 0.7 * squared_error(torch.zeros_like(x), x).mean()


def test_estimator_from_outside_is_deterministic_pickled_and_searched():
    labels = np.array(["even", "odd"])[Y % 2]
    classifier = TinyClassifier(8, max_iter=10, random_state=0).fit(X, labels)
    again = clone(classifier).fit(X, labels)
    assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    assert {*classifier.predict(X)} == {"even", "odd"}
    loaded = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert cross_val_score(clone(classifier), X, labels, cv=2).mean() > 0.6


def test_estimator_from_outside_leaves_out_rows_of_weight_zero():
    weight = np.where(Y < 5, 1.0, 0.0)
    weighted = TinyClassifier(8, max_iter=5, random_state=0).fit(X, Y % 2, sample_weight=weight)
    alone = TinyClassifier(8, max_iter=5, random_state=0).fit(X[Y < 5], Y[Y < 5] % 2)
    assert_allclose(weighted.predict_proba(X), alone.predict_proba(X), atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [TinyClassifier(max_iter=30)],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "minibatches are drawn otherwise"
    },
)
def test_sklearn_checks_of_an_estimator_from_outside(estimator, check):
    check(estimator)
