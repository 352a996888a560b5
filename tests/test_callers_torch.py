"""What a caller has set in torch changes no number, and stays as it was."""

import contextlib
import functools
import pickle
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.code_activations import KSparse
from sklearn_ae.corruptions import (
    Compose,
    GaussianNoise,
    Masking,
    Occlusion,
    SaltAndPepper,
    SwapNoise,
)
from sklearn_ae.likelihoods import Gaussian, Likelihood
from sklearn_ae.penalties import L1, Contractive


def table():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(48, 2)) @ rng.normal(size=(2, 6))
    return plane + 0.2 * rng.normal(size=plane.shape)


def clipped():
    """Values whose range ends at zero, which a network learns."""
    return np.maximum(table(), 0.0)


def binary():
    return (table() > 0).astype(float)


# What a caller may set


@contextlib.contextmanager
def by_call(setter, value, before):
    """Set by a call and put back by one, as an application or a notebook does."""
    setter(value)
    try:
        yield
    finally:
        setter(before)


SETTINGS = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no_grad": torch.no_grad,
    "set_grad_enabled": lambda: by_call(torch.set_grad_enabled, False, True),
    "inference_mode": torch.inference_mode,
    "device meta": lambda: torch.device("meta"),
    "set_default_device": lambda: by_call(torch.set_default_device, "meta", None),
    "float64": lambda: by_call(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16": lambda: by_call(torch.set_default_dtype, torch.bfloat16, torch.float32),
}


@contextlib.contextmanager
def everything_set():
    with contextlib.ExitStack() as stack:
        for name in ("float64", "device meta", "inference_mode", "autocast", "no_grad"):
            stack.enter_context(SETTINGS[name]())
        yield


SETTINGS["everything"] = everything_set
over_settings = pytest.mark.parametrize("setting", SETTINGS)
FEW_SETTINGS = ["inference_mode", "everything"]


def state():
    """All that a caller can set, as torch tells it."""
    return {
        "autocast": torch.is_autocast_enabled("cpu"),
        "type of autocast": torch.get_autocast_dtype("cpu"),
        "cache of autocast": torch.is_autocast_cache_enabled(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "device": torch.get_default_device().type,
        "type": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "threads between operations": torch.get_num_interop_threads(),
        "products": torch.get_float32_matmul_precision(),
        "anomalies": torch.is_anomaly_enabled(),
        "random numbers": torch.get_rng_state().numpy().tobytes(),
    }


@pytest.fixture(autouse=True)
def nothing_set_before_and_after():
    before = state()
    yield
    assert state() == before


# Estimators, with parts of ours and of a user's


def factory(n_features, n_components):
    """A user's architecture, which names neither type nor device and draws in training."""
    encoder = nn.Sequential(
        nn.Linear(n_features, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2),
        nn.Linear(8, n_components),
    )  # fmt: skip
    return encoder, nn.Sequential(nn.Linear(n_components, 8), nn.ReLU(), nn.Linear(8, n_features))


def corruption(x, generator):
    """A user's corruption, which draws from the global state and names neither type nor device."""
    return x + 0.1 * torch.randn(x.shape) * torch.tensor([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])


class UsersModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(6) + 0.01 * torch.randn(6))

    def log_density(self, output, x):
        return torch.distributions.Laplace(output, self.log_scale.exp()).log_prob(x).sum(-1)

    def mean(self, output):
        return output

    def sample(self, output, generator):
        noise = torch.empty_like(output).exponential_(generator=generator)
        return output + self.log_scale.exp() * (noise - 1.0)


class UsersLikelihood(Likelihood):
    def module(self, variance):
        return UsersModule()


SMALL = {"hidden_layer_sizes": (8,), "max_iter": 1, "random_state": 0}
TRAINED = {**SMALL, "early_stopping": False, "learning_rate_init": 1e-2}
USERS = {"architecture": factory, "max_iter": 1, "early_stopping": False, "random_state": 0}
IMAGES = Convolutional((2, 3), channels=(2, 3), normalization="batch")
UNPOOLING = Convolutional((2, 3), channels=(2,), downsampling="max_pool", upsampling="max_unpool")
ESTIMATORS = {
    "trained": (Autoencoder(2, whiten=True, corruption="gaussian", **TRAINED), clipped),
    "random": (Autoencoder(0.9, init="random", loss="huber", alpha=0.01, **TRAINED), table),
    "bfloat16": (Autoencoder(2, precision="bfloat16", **TRAINED), clipped),
    "users": (Autoencoder(2, corruption=corruption, **USERS), table),
    "vae": (VariationalAutoencoder(2, kl_warm_up=1, **TRAINED), clipped),
    "users vae": (VariationalAutoencoder(2, likelihood=UsersLikelihood(), **USERS), table),
    "denoiser": (
        Denoiser(corruption=Compose([Masking(0.2), SwapNoise(0.2)]), mode="residual", **TRAINED),
        clipped,
    ),
}
MORE_ESTIMATORS = {
    "judged": (Autoencoder(2, **SMALL), table),
    "log loss": (Autoencoder(2, loss="log_loss", code_activation="sigmoid", **TRAINED), binary),
    "sparse": (Autoencoder(4, code_activation=KSparse(2), penalty=L1(0.1), **TRAINED), table),
    "contractive": (Autoencoder(2, penalty=Contractive(0.1), **SMALL), table),
    "module": (Autoencoder(2, code_activation=nn.PReLU(), **TRAINED), table),
    "images": (Autoencoder(2, **{**USERS, "architecture": IMAGES}), clipped),
    "unpooling": (Autoencoder(2, **{**USERS, "architecture": UNPOOLING}), clipped),
    "users, random": (Autoencoder(2, init="random", **USERS), table),
    "vae, judged": (VariationalAutoencoder(2, **SMALL), table),
    "importance": (
        VariationalAutoencoder(
            2, n_importance_samples=3, likelihood=Gaussian("per_feature"), **TRAINED
        ),
        table,
    ),
    "bernoulli": (VariationalAutoencoder(2, likelihood="bernoulli", **TRAINED), binary),
    "vae, bfloat16": (VariationalAutoencoder(2, precision="bfloat16", **TRAINED), table),
    "denoiser, judged": (Denoiser(corruption=GaussianNoise(0.3), **SMALL), table),
    "users denoiser": (Denoiser(3, corruption=corruption, **USERS), table),
}
CASES = [
    *((name, setting) for name in ESTIMATORS for setting in SETTINGS),
    *((name, setting) for name in MORE_ESTIMATORS for setting in FEW_SETTINGS),
]
ESTIMATORS |= MORE_ESTIMATORS


def results_of(estimator, X):
    """What all public methods of a fitted estimator give, by name, as arrays."""
    codes = estimator.transform(X)
    found = {
        "transform": codes,
        "transform of float32": estimator.transform(X.astype(np.float32)),
        "score": estimator.score(X),
        "weighted score": estimator.score(X, sample_weight=np.arange(1.0, len(X) + 1)),
    }
    calls = {
        "inverse_transform": (codes,), "reconstruct": (X,), "reconstruction_error": (X,),
        "score_samples": (X, 5), "encode_distribution": (X,), "sample": (4, 0),
        "sample_posterior": (X, 2, 0), "interpolate": (X[0], X[1], 3),
    }  # fmt: skip
    for method, args in calls.items():
        if hasattr(estimator, method):
            found[method] = getattr(estimator, method)(*args)
    if hasattr(estimator, "elbo"):
        found |= {f"elbo, {part}": value for part, value in estimator.elbo(X, 5).items()}
    network = estimator.network_
    for entry, tensor in network.state_dict().items():
        assert tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.int64)
        found[f"network_, {entry}"] = tensor.numpy()
    return found


def learnt_by(estimator):
    return {
        name: getattr(estimator, name)
        for name in ("loss_curve_", "best_loss_", "mean_", "scale_", "noise_variance_",
                     "kl_per_component_", "explained_variance_", "sparsity_")
        if hasattr(estimator, name)
    }  # fmt: skip


def whole_life(estimator, X):
    """Fit, use, go on, keep and open: all that comes out, by name."""
    one = clone(estimator).fit(X)
    found = {"fit": learnt_by(one), "use": results_of(one, X)}
    loaded = pickle.loads(pickle.dumps(one))
    found["loaded"] = loaded.transform(X), loaded.score(X)
    loaded.partial_fit(X[:20])
    found["gone on"] = {**learnt_by(loaded), "transform": loaded.transform(X)}
    chunk = clone(estimator).partial_fit(X[:24])
    found["chunk"] = {**learnt_by(chunk), "transform": chunk.transform(X)}
    return found


def assert_same(found, expected, place=""):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            assert_same(found[name], expected[name], f"{place}, {name}")
    elif isinstance(expected, tuple):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other, place)
    else:
        assert np.asarray(found).dtype == np.asarray(expected).dtype, place
        assert_array_equal(found, expected, err_msg=place)


@functools.cache
def outside(name):
    estimator, make = ESTIMATORS[name]
    return whole_life(estimator, make())


@pytest.mark.parametrize("name, setting", CASES)
def test_numbers_are_those_without_a_setting(name, setting):
    estimator, make = ESTIMATORS[name]
    X = make()
    expected = outside(name)
    with SETTINGS[setting]():
        before = state()
        found = whole_life(estimator, X)
        assert state() == before
    assert_same(found, expected)


# A model that is fitted or opened under a setting, and used without it


@pytest.mark.parametrize("setting", [*FEW_SETTINGS, "device meta", "float64"])
@pytest.mark.parametrize("name", ["trained", "users, random", "users vae"])
def test_model_made_under_a_setting_is_of_use_without_it(name, setting):
    estimator, make = ESTIMATORS[name]
    X = make()
    expected = outside(name)
    blob = pickle.dumps(clone(estimator).fit(X))
    with SETTINGS[setting]():
        fitted = clone(estimator).fit(X)
        loaded = pickle.loads(blob)
        loaded.transform(X)
    for one in (fitted, loaded):
        assert_same(results_of(one, X), expected["use"])
        assert_same(results_of(pickle.loads(pickle.dumps(one)), X), expected["use"])
    loaded.partial_fit(X[:20])
    assert_array_equal(loaded.transform(X), expected["gone on"]["transform"])


@over_settings
@pytest.mark.parametrize("name", ["trained", "module", "images", "users vae"])
def test_network_that_is_handed_out_under_a_setting_can_be_trained(name, setting):
    estimator, make = ESTIMATORS[name]
    X = make()
    fitted = clone(estimator).fit(X)
    with SETTINGS[setting]():
        network = fitted.network_
    for tensor in (*network.parameters(), *network.buffers()):
        assert tensor.device.type == "cpu" and not tensor.is_inference()
        assert tensor.dtype in (torch.float32, torch.int64)
    network.requires_grad_()
    network(torch.from_numpy(X).float()).square().sum().backward()
    gradients = [weight.grad is not None for weight in network.parameters()]
    assert sum(gradients) > len(gradients) // 2


# The detector


DETECTORS = {
    "errors": (
        AutoencoderDetector(Autoencoder(2, **TRAINED), contamination=0.1, robust=False),
        clipped,
    ),
    "likelihood": (
        AutoencoderDetector(
            VariationalAutoencoder(2, **TRAINED), anomaly_score="likelihood", contamination=0.1
        ),
        table,
    ),
}
MORE_DETECTORS = {
    "default": (AutoencoderDetector(), table),
    "users": (AutoencoderDetector(ESTIMATORS["users"][0], contamination=0.1), table),
}
DETECTOR_CASES = [
    *((name, setting) for name in DETECTORS for setting in SETTINGS),
    *((name, setting) for name in MORE_DETECTORS for setting in FEW_SETTINGS),
]
DETECTORS |= MORE_DETECTORS


def detected(detector, X):
    return {
        "score_samples": detector.score_samples(X),
        "reconstruction": detector.score_samples(X, "reconstruction"),
        "predict": detector.predict(X),
        "score_features": detector.score_features(X),
        "score_features, reconstruction": detector.score_features(X, "reconstruction"),
        "offset_": detector.offset_,
    }


@functools.cache
def detected_outside(name):
    detector, make = DETECTORS[name]
    X = make()
    fitted = clone(detector).set_params(random_state=0).fit(X)
    found = detected(fitted, X)
    return pickle.dumps(fitted), found, fitted.calibrate(X).offset_


@pytest.mark.parametrize("name, setting", DETECTOR_CASES)
def test_detector_gives_the_numbers_without_a_setting(name, setting):
    detector, make = DETECTORS[name]
    X = make()
    blob, expected, threshold = detected_outside(name)
    with SETTINGS[setting]():
        before = state()
        fitted = clone(detector).set_params(random_state=0).fit(X)
        assert_same(detected(fitted, X), expected)
        loaded, scored_only = pickle.loads(blob), pickle.loads(blob)
        assert_same(detected(loaded, X), expected)
        scored_only.score_samples(X)
        assert state() == before
    # modules that were kept there serve here too
    for one in (fitted, loaded, scored_only):
        assert_same(detected(one, X), expected)
    with SETTINGS[setting]():
        assert loaded.calibrate(X).offset_ == threshold


def test_module_that_was_kept_under_inference_mode_gives_gradients_later():
    X = table()
    detector = AutoencoderDetector(Autoencoder(2, **TRAINED), random_state=0, contamination=0.1)
    expected = clone(detector).fit(X).score_features(X)
    with torch.inference_mode():
        detector.fit(X)
        detector.score_samples(X)
    assert_array_equal(detector.score_features(X), expected)
    blob = pickle.dumps(detector)
    with torch.inference_mode(), torch.device("meta"):
        loaded = pickle.loads(blob)
        loaded.score_samples(X)
        loaded.estimator_.transform(X), loaded.estimator_.transform(X.astype(np.float32))
    assert_array_equal(loaded.score_features(X), expected)
    with torch.inference_mode():
        assert_array_equal(loaded.score_features(X), expected)


# Corruptions


CORRUPTIONS = {
    "gaussian": GaussianNoise(0.3),
    "masking": Masking(0.3),
    "salt and pepper": SaltAndPepper(0.3),
    "swap": SwapNoise(0.3),
    "occlusion": Occlusion((2, 3), size=1, shape="rows"),
    "compose": Compose([GaussianNoise(0.1), "masking", Occlusion((2, 3), size=1)]),
    "users": Compose([corruption, Masking(0.1)]),
}


@over_settings
@pytest.mark.parametrize("part", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_corrupted_rows_are_those_without_a_setting(part, setting):
    for X in (table(), table().astype(np.float32)):
        expected = part.corrupt(X, random_state=0)
        with SETTINGS[setting]():
            before = state()
            found = part.corrupt(X, random_state=0)
            assert state() == before
        assert_same(found, expected)


# What stays as it was: after an error, in another thread


def raising(error):
    """A user's corruption that fails in the middle of training."""
    seen = []

    def fail(x, generator):
        seen.append(x)
        if len(seen) > 2:
            raise error
        return x

    return fail


def wrong_width(n_features, n_components):
    return nn.Linear(n_features, n_components + 1), nn.Linear(n_components, n_features)


class FailingModule(UsersModule):
    def log_density(self, output, x):
        raise RuntimeError("no density")


class FailingLikelihood(Likelihood):
    def module(self, variance):
        return FailingModule()


X_BAD = table()
X_BAD[0, 0] = np.nan
FAILURES = {
    "NaN": (lambda: Autoencoder(2, **SMALL).fit(X_BAD), ValueError),
    "parameter": (lambda: Autoencoder(2, max_iter=-1).fit(table()), ValueError),
    "width": (lambda: Autoencoder(2, architecture=wrong_width, **SMALL).fit(table()), ValueError),
    "corruption": (
        lambda: Autoencoder(2, corruption=raising(RuntimeError("no")), **TRAINED).fit(table()),
        RuntimeError,
    ),
    "Ctrl-C": (
        lambda: Denoiser(corruption=raising(KeyboardInterrupt()), **TRAINED).fit(table()),
        KeyboardInterrupt,
    ),
    "likelihood": (
        lambda: VariationalAutoencoder(2, likelihood=FailingLikelihood(), **SMALL).fit(table()),
        RuntimeError,
    ),
    "divergence": (
        lambda: Autoencoder(
            2, **{**TRAINED, "learning_rate_init": 1e30, "max_iter": 9, "init": "random"}
        ).fit(table()),
        FloatingPointError,
    ),
    "chunk": (
        lambda: VariationalAutoencoder(2, **SMALL).partial_fit(table()).partial_fit(X_BAD),
        ValueError,
    ),
    "transform": (lambda: Autoencoder(2, max_iter=0).fit(table()).transform(X_BAD), ValueError),
    "detector": (
        lambda: AutoencoderDetector(
            Autoencoder(2, corruption=raising(RuntimeError("no")), **TRAINED)
        ).fit(table()),
        RuntimeError,
    ),
    "corrupt": (
        lambda: Compose([lambda x, generator: x[:1]]).corrupt(table(), random_state=0), ValueError
    ),
}  # fmt: skip


@pytest.mark.parametrize("setting", ["everything", "set_grad_enabled", "set_default_device"])
@pytest.mark.parametrize("call, error", FAILURES.values(), ids=FAILURES)
def test_state_is_as_it_was_after_an_error(call, error, setting):
    with SETTINGS[setting]():
        before = state()
        with pytest.raises(error):
            call()
        assert state() == before
        generator = np.random.default_rng(0)
        assert np.isfinite(Autoencoder(2, max_iter=0).fit(generator.normal(size=(9, 4))).scale_)


@over_settings
def test_state_of_another_thread_is_its_own(setting):
    """Most settings are those of one thread; a default type is that of all."""
    estimator, make = ESTIMATORS["users"]
    X, expected = make(), outside("users")
    failures = []

    def fit(setting=None):
        try:
            with SETTINGS[setting]() if setting else contextlib.nullcontext():
                before = state()
                assert_same(whole_life(estimator, X), expected)
                assert state() == before
                for call, error in (FAILURES["corruption"], FAILURES["NaN"]):
                    with pytest.raises(error):
                        call()
                    assert state() == before
        except BaseException as failure:
            failures.append(failure)

    main = state()
    # set in the other thread only
    thread = threading.Thread(target=fit, args=(setting,))
    thread.start()
    thread.join()
    assert failures == [] and state() == main
    # set in this one only
    with SETTINGS[setting]():
        before = state()
        thread = threading.Thread(target=fit)
        thread.start()
        thread.join()
        assert failures == [] and state() == before


def test_threads_with_settings_of_their_own_fit_side_by_side():
    names = ["autocast", "no_grad", "inference_mode", "device meta"]
    estimator, make = ESTIMATORS["vae"]
    X, expected, failures = make(), outside("vae"), []
    barrier = threading.Barrier(len(names))

    def fit(name):
        try:
            with SETTINGS[name]():
                before = state()
                barrier.wait()
                assert_same(whole_life(estimator, X), expected)
                assert state() == before
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=fit, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# Precision of our own within a caller's


def test_reduced_precision_of_ours_is_the_same_within_a_callers():
    X = clipped()
    for cls in (Autoencoder, VariationalAutoencoder, Denoiser):
        estimator = cls(2, precision="bfloat16", **TRAINED)
        expected = estimator.fit(X).loss_curve_, estimator.transform(X)
        full = clone(estimator).set_params(precision="float32").fit(X)
        assert not np.array_equal(full.transform(X), expected[1])
        for dtype in (torch.bfloat16, torch.float16):
            for enabled in (True, False):
                with torch.autocast("cpu", dtype=dtype, enabled=enabled):
                    estimator.fit(X)
                    assert estimator.loss_curve_ == expected[0]
                    assert_array_equal(estimator.transform(X), expected[1])


def test_weights_of_a_caller_survive_in_the_cache_of_their_autocast():
    """What autocast has cached of the caller's own weights is not ours to drop."""
    drawn_before = torch.get_rng_state()
    layer, x = nn.Linear(6, 2), torch.ones(3, 6)
    torch.set_rng_state(drawn_before)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = layer(x)
        Autoencoder(2, **TRAINED).fit(table())
        assert first.dtype == torch.bfloat16 and torch.equal(layer(x), first)
        assert torch.is_autocast_cache_enabled()


# A caller's own graph, and what is to be obeyed


def test_fit_leaves_a_graph_of_the_callers_alone():
    weight = torch.ones(3, requires_grad=True)
    loss = (weight**2).sum()
    Autoencoder(2, **TRAINED).fit(table())
    loss.backward()
    assert_array_equal(weight.grad.numpy(), 2.0)


@pytest.mark.parametrize("name", ["trained", "images", "users", "vae", "denoiser"])
def test_deterministic_algorithms_and_numbers_of_threads_are_obeyed(name):
    estimator, make = ESTIMATORS[name]
    X = make()
    seen = []

    def look(x, generator):
        seen.append((torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()))
        return x

    expected = outside(name)
    n_threads = torch.get_num_threads()
    try:
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(1)
        before = state()
        assert before["deterministic"] and before["threads"] == 1
        found = whole_life(estimator, X)
        if not isinstance(estimator, VariationalAutoencoder):
            clone(estimator).set_params(corruption=look).fit(X)
            assert set(seen) == {(True, 1)}
        assert state() == before
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(n_threads)
    if n_threads == 1:
        assert_same(found, expected)


def test_pipeline_is_as_free_of_settings_as_what_it_holds():
    X = table()
    pipeline = make_pipeline(StandardScaler(), Autoencoder(2, **TRAINED))
    expected = pipeline.fit(X).transform(X), pipeline.score(X)
    for setting in SETTINGS.values():
        with setting():
            assert_array_equal(clone(pipeline).fit(X).transform(X), expected[0])
            assert pipeline.score(X) == expected[1]
