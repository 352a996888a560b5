"""scikit-learn's checks and our own over the tables of `tests.instances`."""

import inspect
import tracemalloc

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import has_fit_parameter

import sklearn_ae
import sklearn_ae._compute.chunks
import sklearn_ae._fitting.scaling
from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser
from sklearn_ae.architectures import Convolutional
from tests import checks
from tests.instances import (
    CASES,
    DEFAULTS,
    DETECTORS,
    INSTANCES,
    UNFOLDED,
    Case,
    curve,
    small,
    small_vae,
)

pytestmark = [
    # Small tables of noise rightly make a VAE say that its code carries nothing or leaves nothing
    # over. scikit-learn runs its own checks without ConvergenceWarning too.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:anomaly_score='standardized' judges by rounding"),
]

MINIBATCH_REASON = (
    "training by minibatches draws other batches when a row is repeated than when it has "
    "weight two; test_sample_weight_statistically_equals_repetition replaces the check"
)


CORRUPTED_REASON = (
    "the start is estimated from corrupted copies of the rows: a repeated row is corrupted in "
    "other ways than one of weight two; test_weights_enter_the_start of test_denoiser.py replaces "
    "the check"
)

NEIGHBOURS_REASON = (
    "neighbours are taken without weights: a row is one of them whatever its weight; "
    "test_weights_are_repetitions_but_for_neighbours of test_detector.py replaces the check"
)


def expected_failed_checks(estimator):
    if not has_fit_parameter(estimator, "sample_weight"):
        return {}
    if isinstance(estimator, AutoencoderDetector):
        return {"check_sample_weight_equivalence_on_dense_data": NEIGHBOURS_REASON}
    if estimator.max_iter == 0:
        failed = {"check_transformer_n_iter": "max_iter=0 asks for the start: no epoch is made"}
        if isinstance(estimator, Denoiser):
            failed["check_sample_weight_equivalence_on_dense_data"] = CORRUPTED_REASON
        return failed
    failed = {"check_sample_weight_equivalence_on_dense_data": MINIBATCH_REASON}
    if get_tags(estimator).input_tags.sparse:
        failed["check_sample_weight_equivalence_on_sparse_data"] = MINIBATCH_REASON
    return failed


def check_instance(estimator, check, request):
    check(estimator)
    if request.node.get_closest_marker("xfail") and estimator.early_stopping is not False:
        pytest.xfail("the gate kept the start here, on which minibatches have no influence")


@parametrize_with_checks(INSTANCES + DETECTORS, expected_failed_checks=expected_failed_checks)
def test_sklearn_checks(estimator, check, request):
    check_instance(estimator, check, request)


@parametrize_with_checks(UNFOLDED, expected_failed_checks=expected_failed_checks)
def test_sklearn_checks_of_defaults_without_folds(estimator, check, request):
    check_instance(estimator, check, request)


@pytest.mark.slow
@parametrize_with_checks(DEFAULTS, expected_failed_checks=expected_failed_checks)
def test_sklearn_checks_of_defaults(estimator, check, request):
    check_instance(estimator, check, request)


@pytest.mark.parametrize(
    ("case", "check"),
    [
        pytest.param(case, check, id=f"{case}-{check.__name__}")
        for case in CASES
        for check in checks.checks_of(case)
    ],
)
def test_our_checks(case, check):
    check(case)


# The checks see faults


class Careless(Autoencoder):
    def fit(self, X, y=None):
        np.random.normal()
        return super().fit(X)


class Writing(Autoencoder):
    def fit(self, X, y=None):
        self.tol = 0.5
        return super().fit(X)


class Aliasing(Autoencoder):
    def fit(self, X, y=None):
        super().fit(X)
        self.rows_ = X
        return self


class Remembering(Autoencoder):
    def transform(self, X):
        self.n_calls = getattr(self, "n_calls", 0) + 1
        return super().transform(X)


class Batchwise(Autoencoder):
    def transform(self, X):
        codes = super().transform(X)
        return codes - codes.mean(axis=0)


class Wide(Autoencoder):
    def transform(self, X):
        return super().transform(X).astype(np.float64)


class Lazy(Autoencoder):
    def fit(self, X, y=None):
        super().fit(X)
        self.device_ = torch.device("cpu")
        return self


class Early(Autoencoder):
    def fit(self, X, y=None):
        self.n_rows_ = len(X)
        return super().fit(X)


class Unseeded(Autoencoder):
    def fit(self, X, y=None):
        return super().fit(X + 1e-3 * np.random.default_rng().normal(size=np.shape(X)))


@pytest.mark.parametrize(
    ("cls", "check"),
    [
        (Careless, checks.check_global_random_state_is_untouched),
        (Writing, checks.check_fit_writes_no_parameter),
        (Aliasing, checks.check_data_are_neither_changed_nor_aliased),
        (Remembering, checks.check_no_method_but_fit_changes_the_estimator),
        (Batchwise, checks.check_subsets_and_order_do_not_change_a_row),
        (Wide, checks.check_dtype_is_preserved),
        (Lazy, checks.check_state_holds_no_torch_object),
        (Early, checks.check_an_interrupted_fit_changes_nothing),
        (Early, checks.check_bad_input_raises_scikit_learns_errors),
        (Unseeded, checks.check_random_state_decides_all),
    ],
)
def test_checks_see_faults(cls, check):
    check(Case(Autoencoder(max_iter=0), curve()))
    with pytest.raises(AssertionError):
        check(Case(cls(max_iter=0), curve()))


def test_search_for_methods_of_rows_finds_them():
    vae, detector = small_vae(), AutoencoderDetector(calibration_fraction=0.5, random_state=0)
    assert {*checks.methods_of_rows(vae)} == {
        "elbo", "encode_distribution", "reconstruct", "reconstruction_error", "score_samples",
        "transform",
    }  # fmt: skip
    methods = {"decision_function", "predict", "score_features", "score_samples"}
    assert {*checks.methods_of_rows(detector)} == methods
    assert {*checks.methods_of_rows(detector.fit(curve()))} == {*methods, "p_values"}


def test_search_for_torch_objects_finds_them():
    hidden = {"a": [1, (torch.nn.Linear(1, 1),)], "b": np.array([torch.float32, None])}
    assert len(checks.torch_objects(hidden)) == 2


# Every estimator is in the tables, with a bad value of every parameter

ESTIMATORS = [
    cls
    for cls in (getattr(sklearn_ae, name) for name in sklearn_ae.__all__)
    if inspect.isclass(cls) and issubclass(cls, BaseEstimator)
]
BAD_VALUES = {
    "n_components": [0, -1, 1.5, "two", (2,)],
    "hidden_layer_sizes": [(0,), "deep", 5.5],
    "activation": ["softmax", None],
    "code_activation": ["softmax", 3],
    "architecture": ["sparse", 3],
    "loss": ["mse", None],
    "likelihood": ["weibull", None, 3],
    "beta": [-1.0, "one"],
    "kl_warm_up": [-1, 1.5],
    "n_importance_samples": [0, 1.5],
    "mode": ["both", None],
    "init": ["zeros", None],
    "whiten": ["yes"],
    "penalty": ["l3", 3],
    "corruption": ["snow", 3],
    "max_iter": [-1, 1.5, "many"],
    "batch_size": [0, 1.5, "small"],
    "learning_rate_init": [0.0, -1.0, "fast"],
    "learning_rate": ["cosine", 0.1],
    "average": ["yes"],
    "alpha": [-1.0],
    "weight_decay": [-1.0, 1.0],
    "early_stopping": ["yes", 3],
    "validation_fraction": [0.0, 1.0, 2],
    "n_iter_no_change": [0, "never"],
    "tol": [-1.0],
    "warm_start": ["yes"],
    "skorch_callbacks": [3],
    "device": [3],
    "precision": ["float16"],
    "random_state": ["zero"],
    "verbose": ["loud"],
    # of the detector
    "estimator": [Denoiser(), "dense"],
    "anomaly_score": ["knn", None],
    "contamination": [0.0, 0.6],
    "robust": ["yes"],
    "standardize": ["yes"],
    "n_neighbors": [0],
    "calibration_fraction": [-0.1, 1.0, "fold"],
    "n_jobs": [1.5, "two"],
    "false_positive_rate": [0.0, 1.0],
    # of an architecture
    "image_shape": [5, None, "ab", (8,), (1, 1, 8, 8), (8, 8.0), (0, 64), (-8, -8), np.eye(2)],
    "channels": [5, None, "ab", (), (0,), (2.5,), ((3,),)],
    "kernel_size": [0, 2.5, (3, 3), "3"],
    "downsampling": ["max", None, 2],
    "upsampling": ["max", None, 2],
    "normalization": ["layer", 3],
}
# Where a value that is bad elsewhere has a meaning, or one that has is bad.
OWN_BAD_VALUES = {(Denoiser, "n_components"): [0, -1, 1.5, 0.5, None, "many"]}


def bad_values():
    for cls in [*ESTIMATORS, Convolutional]:
        for name in inspect.signature(cls).parameters:
            for value in OWN_BAD_VALUES.get((cls, name), BAD_VALUES[name]):
                yield pytest.param(cls, name, value, id=f"{cls.__name__}-{name}-{value}")


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_estimator_is_in_the_tables(cls):
    assert cls in map(type, DEFAULTS)
    assert cls in map(type, INSTANCES + DETECTORS)
    assert cls in (type(case.estimator) for case in CASES)


@pytest.mark.parametrize(("cls", "name", "value"), [*bad_values()])
def test_bad_values_raise_one_line(cls, name, value):
    if cls is Convolutional:
        part = Convolutional((2, 3), channels=(2,)).set_params(**{name: value})
        estimator = Autoencoder(architecture=part)
    else:
        estimator = cls(**{name: value})
    with checks.raises_and_changes_nothing(
        estimator, InvalidParameterError, f"The '{name}' parameter"
    ) as caught:
        estimator.fit(curve())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("device", ["tpu9", "banana", "cuda:99"])
def test_a_device_that_is_not_there_raises_one_line(cls, device):
    with pytest.raises(ValueError, match=f"device='{device}'") as caught:
        cls(device=device).fit(curve())
    assert "\n" not in str(caught.value)


def test_feature_names_pass_through_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), small(n_components=3)).fit(curve())
    assert list(pipeline.get_feature_names_out()) == [f"autoencoder{i}" for i in range(3)]


def peak_of_numpy(function, *args):
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "template", [small(max_iter=1, hidden_layer_sizes=()), small_vae(max_iter=1)]
)
def test_memmap_is_not_copied(template, dtype, tmp_path, monkeypatch):
    # Work on chunks is of constant size; make it small beside a table that is quick to fit.
    monkeypatch.setattr(sklearn_ae._fitting.scaling, "CHUNK_NUMBERS", 2**15)
    monkeypatch.setattr(sklearn_ae._compute.chunks, "CHUNK_NUMBERS", 2**15)
    X = np.random.default_rng(0).normal(size=(60_000, 32)).astype(dtype)
    joblib.dump(X, tmp_path / "X.joblib")
    mapped = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    estimator = clone(template).set_params(random_state=0, batch_size=10_000)
    clone(estimator).fit(X[:100])  # what torch imports at the first fit is none of the data
    float32_bytes = 4 * X.size
    # The centred float32 data are the one array of that size that training needs.
    assert peak_of_numpy(estimator.fit, mapped) < 1.9 * float32_bytes
    for method in (estimator.transform, estimator.score, estimator.reconstruction_error):
        assert peak_of_numpy(method, mapped[:]) < 0.75 * float32_bytes
    assert_array_equal(mapped[:100], X[:100])


def test_peak_of_numpy_sees_a_copy():
    X = np.ones((1000, 1000))
    assert peak_of_numpy(np.copy, X) > 0.99 * X.nbytes
