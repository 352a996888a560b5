"""scikit-learn's estimator checks and our own over a table of small instances."""

import random
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_ae._compute.chunks
import sklearn_ae._fitting.scaling
from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from tests.instances import (
    DEFAULTS,
    INSTANCES,
    BinaryVariationalAutoencoder,
    UnitIntervalAutoencoder,
    small,
    small_denoiser,
    small_vae,
)

# Small tables of noise rightly make a VAE say that its code carries nothing. scikit-learn runs
# its own checks without ConvergenceWarning too.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The posterior collapsed:sklearn.exceptions.ConvergenceWarning"
)

MINIBATCH_REASON = (
    "training by minibatches draws other batches when a row is repeated than when it has "
    "weight two; test_sample_weight_statistically_equals_repetition replaces the check"
)


CORRUPTED_REASON = (
    "the start is estimated from corrupted copies of the rows: a repeated row is corrupted in "
    "other ways than one of weight two; test_weights_enter_the_start of test_denoiser.py replaces "
    "the check"
)


def expected_failed_checks(estimator):
    if estimator.max_iter == 0:
        failed = {"check_transformer_n_iter": "max_iter=0 asks for the start: no pass is made"}
        if isinstance(estimator, Denoiser):
            failed["check_sample_weight_equivalence_on_dense_data"] = CORRUPTED_REASON
        return failed
    return {
        "check_sample_weight_equivalence_on_dense_data": MINIBATCH_REASON,
    }


def check_instance(estimator, check, request):
    check(estimator)
    if request.node.get_closest_marker("xfail") and estimator.early_stopping is not False:
        pytest.xfail("the gate kept the start here, on which minibatches have no influence")


@parametrize_with_checks(INSTANCES, expected_failed_checks=expected_failed_checks)
def test_sklearn_checks(estimator, check, request):
    check_instance(estimator, check, request)


@parametrize_with_checks(DEFAULTS, expected_failed_checks=expected_failed_checks)
def test_sklearn_checks_of_defaults(estimator, check, request):
    check_instance(estimator, check, request)


def instance_id(estimator):
    return " ".join(repr(estimator).split())[:80]


over_instances = pytest.mark.parametrize("template", INSTANCES, ids=instance_id)
# A representative few, for the checks in which parts play no role.
FEW = [
    Autoencoder(max_iter=0),
    small(max_iter=3),
    small(init="random", code_activation="sigmoid"),
    UnitIntervalAutoencoder(loss="log_loss", hidden_layer_sizes=(16,), max_iter=5),
    VariationalAutoencoder(max_iter=0),
    small_vae(),
    BinaryVariationalAutoencoder(likelihood="bernoulli", hidden_layer_sizes=(16,), max_iter=5),
    small_denoiser(),
]
over_few = pytest.mark.parametrize("template", FEW, ids=instance_id)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 60)
    curve = np.column_stack([np.cos(angle), np.sin(angle), np.sin(2 * angle), angle / 3])
    return curve @ rng.normal(size=(4, 6)) + 0.1 * rng.normal(size=(60, 6))


def all_made_of(X, estimator):
    """All arrays that an estimator makes of rows."""
    made = [estimator.transform(X)]
    if hasattr(estimator, "inverse_transform"):
        made += [estimator.inverse_transform(made[0]), estimator.reconstruct(X)]
    return made


def random_states():
    numpy_state = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (numpy_state[0], numpy_state[1].tobytes(), *numpy_state[2:]),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }


@over_instances
@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_state_is_untouched(template, random_state, X):
    estimator = clone(template).set_params(random_state=random_state)
    before = random_states()
    estimator.fit(X)
    assert random_states() == before, "fit"
    all_made_of(X, estimator)
    estimator.score(X)
    assert random_states() == before, "inference"
    if hasattr(estimator, "sample"):
        estimator.sample(3, random_state=0)
        assert random_states() == before, "sample"
    if estimator.early_stopping is not True:
        clone(estimator).partial_fit(X).partial_fit(X)
        assert random_states() == before, "partial_fit"


@over_few
def test_global_seed_plays_no_role(template, X):
    codes = []
    for seed in (1, 2):
        np.random.seed(seed)
        torch.manual_seed(seed)
        codes.append(clone(template).set_params(random_state=0).fit(X).transform(X))
    assert_array_equal(codes[0], codes[1])


@over_few
def test_random_state_none_takes_fresh_entropy(template, X):
    if template.max_iter == 0:
        pytest.skip("the start does not depend on chance")
    template = clone(template).set_params(random_state=None, early_stopping=False)
    networks = []
    for _ in range(2):
        np.random.seed(0)
        torch.manual_seed(0)
        networks.append(clone(template).fit(X).transform(X))
    assert not np.array_equal(networks[0], networks[1])


@over_instances
def test_fit_writes_no_parameter(template, X):
    estimator = clone(template).set_params(random_state=np.random.RandomState(0))
    # A RandomState instance is the one parameter whose use changes it.
    values = {k: v for k, v in estimator.get_params().items() if k != "random_state"}
    parts = {k: joblib.hash(v) for k, v in values.items()}
    estimator.fit(X)
    after = {k: v for k, v in estimator.get_params().items() if k != "random_state"}
    assert after.keys() == values.keys()
    assert all(after[key] is values[key] for key in values)
    assert {k: joblib.hash(v) for k, v in after.items()} == parts


@over_instances
def test_partial_fit_returns_self_and_counts_samples(template, X):
    estimator = clone(template).set_params(random_state=0)
    assert estimator.partial_fit(X[:40]) is estimator
    assert estimator.n_samples_seen_ == 40
    assert estimator.partial_fit(X[40:]) is estimator
    assert estimator.n_samples_seen_ == 60
    assert np.isfinite(estimator.transform(X)).all()


@over_instances
def test_clone_of_fitted_is_unfitted_with_equal_params(template, X):
    estimator = clone(template).fit(X)
    copy = clone(estimator)
    assert not [name for name in vars(copy) if name.endswith("_") and not name.startswith("_")]
    ours, theirs = copy.get_params(deep=True), estimator.get_params(deep=True)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        # parts, and the list of a Compose, have entries of their own
        if not (hasattr(value, "get_params") or isinstance(value, list)):
            assert value == theirs[name], name


@pytest.mark.parametrize("template", [small(max_iter=2), small_vae(max_iter=2)], ids=instance_id)
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output(template, container, X):
    names = [f"column {i}" for i in range(X.shape[1])]
    if container == "pandas":
        frame, kind = pd.DataFrame(X, columns=names, index=np.arange(len(X)) + 7), pd.DataFrame
    else:
        frame, kind = pl.DataFrame(X, schema=names), pl.DataFrame
    estimator = clone(template).set_params(random_state=0).set_output(transform=container)
    codes = estimator.fit_transform(frame)
    assert isinstance(codes, kind)
    prefix = type(estimator).__name__.lower()
    assert list(codes.columns) == [f"{prefix}0", f"{prefix}1"]
    assert list(estimator.get_feature_names_out()) == list(codes.columns)
    if container == "pandas":
        assert_array_equal(codes.index, frame.index)
    plain = clone(template).set_params(random_state=0).fit(X).transform(X)
    assert_array_equal(codes.to_numpy(), plain)


@pytest.mark.parametrize("template", [small(), small_vae()], ids=instance_id)
def test_feature_names_are_checked(template, X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    estimator = clone(template).fit(frame)
    assert list(estimator.feature_names_in_) == list("abcdef")
    assert estimator.n_features_in_ == 6
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.transform(frame[list("bacdef")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        estimator.transform(X)
    estimator.fit(X)
    assert not hasattr(estimator, "feature_names_in_")


def test_feature_names_pass_through_a_pipeline(X):
    pipeline = make_pipeline(StandardScaler(), small(n_components=3)).fit(X)
    assert list(pipeline.get_feature_names_out()) == [f"autoencoder{i}" for i in range(3)]


@over_instances
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_preserved(template, dtype, X):
    X = X.astype(dtype)
    estimator = clone(template).set_params(random_state=0).fit(X)
    made = [*all_made_of(X, estimator), estimator.fit_transform(X)]
    assert {array.dtype for array in made} == {np.dtype(dtype)}
    assert isinstance(estimator.score(X), float)


@over_instances
def test_refit_on_another_shape_equals_a_fresh_fit(template, X):
    template = clone(template).set_params(random_state=0, warm_start=False)
    used = clone(template).fit(X).fit(X[:50, :4])
    fresh = clone(template).fit(X[:50, :4])
    assert used.n_features_in_ == 4
    assert vars(used).keys() == vars(fresh).keys()
    assert_array_equal(used.transform(X[:, :4]), fresh.transform(X[:, :4]))


def torch_objects(value, path="", seen=None):
    """Paths at which a torch or skorch object is found inside ``value``."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    module = (type(value).__module__ or "").split(".")[0]
    if module in ("torch", "skorch") or isinstance(
        value, torch.nn.Module | torch.Tensor | torch.Generator | torch.device
    ):
        return [f"{path}: {type(value)}"]
    if isinstance(value, dict):
        items = [*((f"{path}[{k!r}]", v) for k, v in value.items()), *((path, k) for k in value)]
    elif isinstance(value, list | tuple | set | frozenset):
        items = [(f"{path}[{i}]", v) for i, v in enumerate(value)]
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        items = [(f"{path}.{k}", v) for k, v in vars(value).items()]
    else:
        items = []
    if isinstance(value, np.ndarray) and value.dtype == object:
        items = list(enumerate(value.ravel()))
    return [found for name, item in items for found in torch_objects(item, str(name), seen)]


@over_instances
def test_state_holds_no_torch_object(template, X):
    estimator = clone(template).fit(X)
    estimator.transform(X)
    assert estimator.network_ is not None
    assert torch_objects(vars(estimator)) == []
    assert torch_objects(estimator.__getstate__()) == []
    estimator = clone(template).partial_fit(X)
    assert torch_objects(vars(estimator)) == []
    assert torch_objects(estimator.__getstate__()) == []


def test_search_for_torch_objects_finds_them():
    hidden = {"a": [1, (torch.nn.Linear(1, 1),)], "b": np.array([torch.float32, None])}
    assert len(torch_objects(hidden)) == 2


def call_every_method(estimator, X):
    all_made_of(X, estimator)
    if hasattr(estimator, "reconstruction_error"):
        estimator.reconstruction_error(X)
    estimator.score(X)
    estimator.get_feature_names_out()
    assert isinstance(estimator.network_, torch.nn.Module)
    repr(estimator)
    estimator._repr_html_()
    if hasattr(estimator, "sample"):
        estimator.elbo(X)
        estimator.score_samples(X)
        estimator.encode_distribution(X)
        estimator.sample(2)
        estimator.sample_posterior(X, n_samples=2)
        estimator.interpolate(X[:1], X[1:2], 3)


@pytest.mark.parametrize(
    "template",
    [Autoencoder(max_iter=0), small(), small_vae(), small_vae(max_iter=0), small_denoiser()],
    ids=instance_id,
)
def test_no_method_but_fit_changes_the_estimator(template, X):
    estimator = clone(template).set_params(random_state=0).fit(X)
    before = {key: joblib.hash(value) for key, value in vars(estimator).items()}
    call_every_method(estimator, X)
    assert {key: joblib.hash(value) for key, value in vars(estimator).items()} == before


@over_instances
def test_X_is_neither_changed_nor_aliased(template, X):
    reference, Xs = X.copy(), X.copy()
    weight = np.linspace(0, 1, len(X))
    estimator = clone(template).set_params(random_state=0).fit(Xs, sample_weight=weight)
    made = all_made_of(Xs, estimator)
    estimator.score(Xs)
    assert_array_equal(Xs, reference)
    assert_array_equal(weight, np.linspace(0, 1, len(X)))
    before = {key: joblib.hash(value) for key, value in vars(estimator).items()}
    for array in (Xs, *made):
        array[:] = 7.0
    assert {key: joblib.hash(value) for key, value in vars(estimator).items()} == before


@over_few
def test_read_only_X_gives_the_same_result(template, X):
    locked = X.copy()
    locked.flags.writeable = False
    codes = []
    for data in (X, locked, np.asfortranarray(X), X[::-1].copy()[::-1], X.astype(">f8")):
        estimator = clone(template).set_params(random_state=0).fit(data)
        codes.append(estimator.transform(data))
    for other in codes[1:]:
        assert_allclose(other, codes[0], rtol=1e-5, atol=1e-6)


def peak_of_numpy(function, *args):
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "template", [small(max_iter=1, hidden_layer_sizes=()), small_vae(max_iter=1)], ids=instance_id
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
    float32_bytes = 4 * X.size
    # The centred float32 data are the one array of that size that training needs.
    assert peak_of_numpy(estimator.fit, mapped) < 1.9 * float32_bytes
    for method in (estimator.transform, estimator.score, estimator.reconstruction_error):
        assert peak_of_numpy(method, mapped[:]) < 0.75 * float32_bytes
    assert_array_equal(mapped[:100], X[:100])


def test_peak_of_numpy_sees_a_copy():
    X = np.ones((1000, 1000))
    assert peak_of_numpy(np.copy, X) > 0.99 * X.nbytes


@over_few
def test_bad_input_raises_scikit_learns_errors(template, X):
    estimator = clone(template)
    holes = X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        estimator.fit(holes)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        estimator.fit(X[0])
    with pytest.raises(ValueError, match=r"n_samples=1|1 sample"):
        estimator.fit(X[:1])
    assert not [name for name in vars(estimator) if name.endswith("_")]
    estimator.fit(X)
    with pytest.raises(ValueError, match=r"X has 5 features, but .* is expecting 6 features"):
        estimator.transform(X[:, :5])
    if hasattr(estimator, "inverse_transform"):
        with pytest.raises(ValueError, match=r"features|components|columns"):
            estimator.inverse_transform(np.zeros((3, 7)))


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
def test_documentation_link_of_the_repr(cls, X):
    html = cls(max_iter=0).fit(X)._repr_html_()
    links = [link for link in html.split("href=")[1:] if cls.__name__ in link.split(">")[0]]
    assert links
    assert all("scikit-learn.org" not in link.split(">")[0] for link in links)
