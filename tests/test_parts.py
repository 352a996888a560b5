"""Parts: architectures, activations, corruptions, penalties, losses, and the seams for others."""

import dataclasses
import itertools
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae.corruptions import GaussianNoise, Masking
from sklearn_ae.likelihoods import Gaussian, Likelihood
from sklearn_ae.losses import Huber, SquaredError
from sklearn_ae.objectives import make_link
from sklearn_ae.penalties import L1, Contractive


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1.5, 1.5, (300, 2))
    sheet = np.column_stack([t, np.sin(3 * t), t**2])
    return 3 + 2 * (sheet + 0.05 * rng.normal(size=sheet.shape))


def small(n_components=2, **parameters):
    return Autoencoder(
        n_components,
        **{"hidden_layer_sizes": (32,), "max_iter": 5, "random_state": 0, **parameters},
    )


# Code activations: the built-in ones and a part of somebody else's


class KeepLargest(torch.nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = k

    def forward(self, code):
        kept = code.abs().topk(self.k, dim=1).indices
        return torch.zeros_like(code).scatter(1, kept, code.gather(1, kept))


class KSparse(BaseEstimator):
    """A throw-away part: the k largest values of a code are kept, the others are zero."""

    def __init__(self, k=2):
        self.k = k

    def module(self):
        return KeepLargest(self.k)


@pytest.mark.parametrize("activation", [KSparse(2), KeepLargest(2)], ids=["part", "module"])
def test_code_activation_seam(activation, X):
    estimator = small(6, code_activation=activation, max_iter=40, early_stopping=False).fit(X)
    codes = estimator.transform(X)
    assert ((codes != 0).sum(axis=1) == 2).all()
    assert (codes != 0).any(axis=0).sum() > 2
    assert estimator.score(X) > 0.5
    assert_allclose(estimator.reconstruct(X), estimator.inverse_transform(codes), atol=1e-5)


def test_parameters_of_a_code_activation_are_searched_over(X):
    search = GridSearchCV(
        small(6, code_activation=KSparse(), max_iter=20), {"code_activation__k": [1, 5]}, cv=2
    ).fit(X)
    assert search.best_params_ == {"code_activation__k": 5}
    assert ((search.transform(X) != 0).sum(axis=1) == 5).all()


def test_fit_does_not_change_a_module_instance(X):
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2))

        def forward(self, code):
            return code * self.weight

    module = Scaled()
    estimator = small(code_activation=module, early_stopping=False).fit(X)
    assert torch.equal(module.weight, torch.ones(2))
    assert module.weight.grad is None
    assert estimator.code_activation is module


@pytest.mark.parametrize(
    "name, low, high", [("relu", 0, np.inf), ("sigmoid", 0, 1), ("tanh", -1, 1)]
)
def test_code_activation_bounds_the_code(name, low, high, X):
    codes = small(3, code_activation=name, early_stopping=False).fit(X).transform(X)
    assert codes.min() >= low
    assert codes.max() <= high
    assert codes.std() > 0


def test_vanilla_autoencoder_has_one_hidden_layer(X):
    estimator = small(
        16, hidden_layer_sizes=(), code_activation="relu", max_iter=100, early_stopping=False,
        learning_rate_init=1e-2,
    ).fit(X)  # fmt: skip
    linears = [m for m in estimator.network_.modules() if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linears] == [(6, 16), (16, 6)]
    assert estimator.score(X) > 0.9


def test_decoder_mirrors_the_encoder(X):
    network = small(3, hidden_layer_sizes=(20, 10)).fit(X).network_
    linears = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    widths = [(m.in_features, m.out_features) for m in linears]
    assert widths == [(6, 20), (20, 10), (10, 3), (3, 10), (10, 20), (20, 6)]


def test_network_computes_what_transform_returns(X):
    """`network_` takes centred rows over the scale; `transform` is in PCA's unit."""
    estimator = small(max_iter=20, early_stopping=False).fit(X)
    x = torch.from_numpy((X - estimator.mean_) / estimator.scale_).float()
    with torch.no_grad():
        code, _ = estimator.network_.encode(x)
        images = estimator.network_(x).numpy() * estimator.scale_ + estimator.mean_
    codes = code.numpy() * np.sqrt(estimator.explained_variance_)
    assert_allclose(codes, estimator.transform(X), rtol=1e-4, atol=1e-4)
    assert_allclose(images, estimator.reconstruct(X), rtol=1e-4, atol=1e-4)


# Architectures


def factory(n_features, n_components):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(n_features, 24), torch.nn.Tanh(), torch.nn.Linear(24, n_components)
    )
    decoder = torch.nn.Sequential(
        torch.nn.Linear(n_components, 24), torch.nn.Tanh(), torch.nn.Linear(24, n_features)
    )
    return encoder, decoder


def test_factory_starts_at_pca_and_trains(X):
    start = small(architecture=factory, max_iter=0).fit(X)
    assert_allclose(start.transform(X), PCA(2).fit_transform(X), atol=1e-4)
    estimator = small(
        architecture=factory, max_iter=80, learning_rate_init=5e-3, early_stopping=False
    ).fit(X)
    assert estimator.score(X) > start.score(X) + 0.05


def test_factory_from_random_weights(X):
    estimator = small(
        architecture=factory, init="random", max_iter=80, learning_rate_init=5e-3,
        early_stopping=False,
    ).fit(X)  # fmt: skip
    assert estimator.score(X) > 0.6
    twin = clone(estimator).fit(X)
    assert_array_equal(twin.transform(X), estimator.transform(X))
    other = clone(estimator).set_params(random_state=1).fit(X)
    assert not np.array_equal(other.transform(X), estimator.transform(X))


@pytest.mark.parametrize(
    "broken",
    [
        lambda n_features, n_components: torch.nn.Linear(n_features, n_components),
        lambda n_features, n_components: (torch.nn.Linear(n_features, n_components),),
        lambda n_features, n_components: (1, 2),
    ],
)
def test_factory_that_returns_something_else_raises_one_line(broken, X):
    with pytest.raises(TypeError, match="architecture") as caught:
        small(architecture=broken).fit(X)
    assert "\n" not in str(caught.value)


def test_factory_of_a_wrong_width_raises_one_line(X):
    def broken(n_features, n_components):
        return torch.nn.Linear(n_features, n_components + 1), torch.nn.Linear(
            n_components, n_features
        )

    with pytest.raises((ValueError, RuntimeError), match=r"architecture|encoder|shape"):
        small(architecture=broken, init="random").fit(X)


def dropout_factory(n_features, n_components):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(n_features, 24),
        torch.nn.BatchNorm1d(24),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(24, n_components),
    )
    return encoder, torch.nn.Linear(n_components, n_features)


def test_a_users_dropout_leaves_the_global_state_and_is_off_at_inference(X):
    before = torch.get_rng_state()
    estimator = small(architecture=dropout_factory, init="random", early_stopping=False).fit(X)
    assert torch.equal(torch.get_rng_state(), before)
    codes = estimator.transform(X)
    assert_array_equal(estimator.transform(X), codes)
    assert torch.equal(torch.get_rng_state(), before)
    torch.randn(3)
    twin = clone(estimator).fit(X)
    assert_array_equal(twin.transform(X), codes)


def norm_factory(n_features, n_components):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(n_features, n_components), torch.nn.BatchNorm1d(n_components)
    )
    return encoder, torch.nn.Linear(n_components, n_features)


def test_running_statistics_of_a_users_module_are_kept(X):
    estimator = small(
        architecture=norm_factory, init="random", max_iter=60, early_stopping=False,
        learning_rate_init=1e-3,
    ).fit(X)  # fmt: skip
    norm = next(m for m in estimator.network_.modules() if isinstance(m, torch.nn.BatchNorm1d))
    assert norm.num_batches_tracked == 60 * (300 // 32 + 1)
    # In its training mode the layer gives zero mean and unit variance times its weight; with the
    # statistics of training its mode of inference nearly does.
    codes = (estimator.transform(X) - norm.bias.detach().numpy()) / norm.weight.detach().numpy()
    assert_allclose(codes.mean(axis=0), 0.0, atol=0.1)
    assert_allclose(codes.std(axis=0), 1.0, atol=0.1)


def linear_named_factory(n_features, n_components):
    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(n_features, n_components)

        def forward(self, x):
            return self.linear(x)

    return Encoder(), torch.nn.Linear(n_components, n_features)


def test_alpha_reaches_a_users_layer_whatever_its_name(X):
    def size(alpha):
        estimator = small(
            architecture=linear_named_factory, init="random", alpha=alpha, max_iter=60,
            learning_rate_init=1e-2, early_stopping=False,
        ).fit(X)  # fmt: skip
        return estimator.network_.encoder.linear.weight.detach().square().sum().item()

    assert size(3.0) < 0.5 * size(0.0)


# Corruptions


def test_corruption_sees_the_units_of_the_data(X):
    seen = []

    def record(x, generator):
        seen.append(x.double().numpy().copy())
        return x

    small(corruption=record, max_iter=1, early_stopping=False).fit(X)
    rows = np.concatenate(seen)
    order, expected = np.lexsort(rows.T), np.lexsort(X.T)
    assert rows.shape == X.shape
    assert_allclose(np.sort(rows[:, 0]), np.sort(X[:, 0]), atol=1e-4)
    assert_allclose(rows[order].mean(axis=0), X[expected].mean(axis=0), atol=1e-4)


def test_corruption_draws_from_the_generator_it_is_given(X):
    states = []

    def record(x, generator):
        assert isinstance(generator, torch.Generator)
        states.append(generator.get_state())
        return x + 0.1 * torch.randn(x.shape, generator=generator)

    estimator = small(corruption=record, early_stopping=False)
    assert_array_equal(estimator.fit(X).transform(X), clone(estimator).fit(X).transform(X))
    assert not torch.equal(states[0], states[1])


def test_corruption_does_not_act_at_inference(X):
    calls = []

    def record(x, generator):
        calls.append(len(x))
        return x

    estimator = small(corruption=record, early_stopping=False).fit(X)
    calls.clear()
    estimator.transform(X), estimator.reconstruct(X), estimator.score(X)
    assert calls == []


def test_gaussian_noise_has_its_scale():
    x = torch.full((20_000, 3), 7.0)
    corrupted = GaussianNoise(0.5).make()(x, torch.Generator().manual_seed(0))
    assert_allclose((corrupted - x).mean(0).numpy(), 0.0, atol=0.02)
    assert_allclose((corrupted - x).std(0).numpy(), 0.5, rtol=0.03)
    assert torch.equal(x, torch.full((20_000, 3), 7.0))


def test_masking_has_its_fraction():
    x = torch.full((20_000, 3), 7.0)
    corrupted = Masking(0.3).make()(x, torch.Generator().manual_seed(0))
    assert set(corrupted.unique().tolist()) == {0.0, 7.0}
    assert_allclose((corrupted == 0).double().mean(0).numpy(), 0.3, atol=0.015)
    assert torch.equal(Masking(0.0).make()(x, torch.Generator()), x)
    assert not Masking(1.0).make()(x, torch.Generator()).any()


@pytest.mark.parametrize("name, part", [("gaussian", GaussianNoise()), ("masking", Masking())])
def test_corruption_by_name_is_the_part_with_its_defaults(name, part, X):
    codes = [
        small(corruption=c, early_stopping=False).fit(X).transform(X) for c in (name, part, None)
    ]
    assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_noise_shrinks_a_linear_autoencoder():
    """With one linear layer each way the optimum shrinks by lambda / (lambda + scale**2)."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4)) * [3.0, 2.0, 0.3, 0.2]
    estimator = Autoencoder(
        2, hidden_layer_sizes=(), corruption=GaussianNoise(1.5), max_iter=120, batch_size=100,
        learning_rate_init=1e-2, early_stopping=False, random_state=0,
    ).fit(X)  # fmt: skip
    centred = X - X.mean(axis=0)
    slope = np.diag(
        np.linalg.lstsq(centred, estimator.reconstruct(X) - X.mean(axis=0), rcond=None)[0]
    )
    variance = X.var(axis=0)[:2]
    assert_allclose(slope[:2], variance / (variance + 1.5**2), atol=0.05)


# Penalties


def test_l1_term_formula():
    code = torch.tensor([[1.0, -2.0], [0.0, 0.5]])
    assert_allclose(L1(0.3).term(None, code, None).numpy(), [0.9, 0.15], rtol=1e-6)


def test_l1_makes_codes_smaller_without_being_undone_by_the_decoder(X):
    fits = [
        small(4, penalty=L1(w), max_iter=60, early_stopping=False, learning_rate_init=5e-3).fit(X)
        for w in (1e-4, 0.5)
    ]
    sizes = [np.abs(fit.transform(X)).mean() for fit in fits]
    assert sizes[1] < 0.8 * sizes[0]
    assert fits[1].score(X) < fits[0].score(X)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (32,)], ids=str)
@pytest.mark.parametrize("code_activation", ["identity", "relu", "sigmoid", "tanh"])
def test_penalty_of_weight_zero_costs_nothing(code_activation, hidden_layer_sizes):
    """Columns of fixed norm leave a network as much room as free ones, bounded codes too."""
    X = load_digits().data[::2]
    scores = [
        Autoencoder(
            8 if hidden_layer_sizes else 32, hidden_layer_sizes=hidden_layer_sizes,
            code_activation=code_activation, penalty=penalty, init="random", max_iter=150,
            learning_rate_init=1e-2, early_stopping=False, random_state=0,
        ).fit(X).score(X)
        for penalty in (None, L1(0.0))
    ]  # fmt: skip
    assert scores[1] > scores[0] - 0.03


@pytest.mark.parametrize(
    "code_activation, length", [("relu", 1.0), ("sigmoid", 4 * (6 / 2) ** 0.5)]
)
@pytest.mark.parametrize("penalty", [L1(0.1), Contractive(0.1)], ids=str)
def test_fitted_decoder_has_columns_of_fixed_norm(penalty, code_activation, length, X):
    fitted = small(penalty=penalty, code_activation=code_activation, max_iter=20).fit(X)
    norms = [
        torch.linalg.vector_norm(layer.weight, dim=0)
        for layer in fitted.network_.decoder
        if isinstance(layer, torch.nn.Linear)
    ]
    for found, wanted in zip(norms, (length, 1.0), strict=True):
        assert_allclose(found.detach().numpy(), wanted, rtol=1e-5)


class Smooth(BaseEstimator):
    """A throw-away penalty that calls the encoder: codes of near rows shall be near."""

    def __init__(self, weight=1.0):
        self.weight = weight

    def term(self, x, code, encode):
        return self.weight * (encode(x + 0.1) - code).square().sum(-1)


def test_penalty_seam_with_the_encoder(X):
    def roughness(weight):
        estimator = small(
            penalty=Smooth(weight), max_iter=60, early_stopping=False, whiten=True,
            learning_rate_init=5e-3,
        ).fit(X)  # fmt: skip
        step = 0.1 * estimator.scale_
        return ((estimator.transform(X + step) - estimator.transform(X)) ** 2).mean()

    assert roughness(100.0) < 0.5 * roughness(0.0)


def test_penalty_enters_the_loss_once(X):
    class Constant(BaseEstimator):
        def term(self, x, code, encode):
            return torch.full((len(x),), 10.0)

    curves = [
        small(penalty=p, init="random", max_iter=2, early_stopping=False).fit(X).loss_curve_
        for p in (None, Constant())
    ]
    assert_allclose(np.subtract(curves[1], curves[0]), 10.0, rtol=1e-4)


class WrongShape(BaseEstimator):
    def __init__(self, keepdim=False):
        self.keepdim = keepdim

    def term(self, x, code, encode):
        return code.abs().sum(1, keepdim=True) if self.keepdim else code.abs()


@pytest.mark.parametrize("keepdim", [False, True])
def test_penalty_of_a_wrong_shape_raises_one_line(keepdim, X):
    with pytest.raises(ValueError, match=r"penalty|shape") as caught:
        small(penalty=WrongShape(keepdim)).fit(X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "parameters",
    [
        {"penalty": L1(-1.0)},
        {"corruption": GaussianNoise(-0.1)},
        {"corruption": Masking(1.5)},
        {"corruption": Masking("half")},
    ],
    ids=str,
)
def test_bad_parameters_of_parts_raise_in_fit(parameters, X):
    with pytest.raises(InvalidParameterError, match="parameter of"):
        small(**parameters).fit(X)


def test_parts_are_cloned_with_the_estimator():
    estimator = small(corruption=GaussianNoise(0.2), penalty=L1(0.3))
    copy = clone(estimator)
    assert copy.corruption is not estimator.corruption
    assert copy.get_params()["corruption__scale"] == 0.2
    assert copy.get_params()["penalty__weight"] == 0.3


def test_parts_are_searched_over(X):
    search = GridSearchCV(
        small(corruption=GaussianNoise(), early_stopping=False, max_iter=10),
        {"corruption__scale": [0.01, 30.0]},
        cv=2,
    ).fit(X)
    assert search.best_params_ == {"corruption__scale": 0.01}


# Losses and likelihoods of somebody else's


class HalfOfSquares(BaseEstimator):
    """A throw-away loss: half of the squared error about what a link makes of the output."""

    power = 2

    def __init__(self, link="identity"):
        self.link = link

    def __call__(self, output, target):
        return (make_link(self.link).inverse(output) - target).square().sum(-1) / 2


class ProbitLink:
    """A throw-away link: outputs are quantiles of the normal distribution."""

    low, high = 0.0, 1.0
    scales_rows = False

    def link(self, mean):
        return torch.special.ndtri(mean)

    def inverse(self, output):
        return torch.special.ndtr(output)


def test_loss_seam(X):
    """Adam takes no notice of a factor, but for its share of the start."""
    parameters = {"max_iter": 20, "early_stopping": False}
    ours, theirs = (
        small(loss=loss, **parameters).fit(X) for loss in (SquaredError(), HalfOfSquares())
    )
    assert_allclose(theirs.loss_curve_, np.array(ours.loss_curve_) / 2, rtol=1e-3)
    assert_allclose(theirs.reconstruct(X), ours.reconstruct(X), atol=1e-3)


def test_loss_seam_with_a_link_of_its_own(X):
    shares = np.clip((X - X.min(axis=0)) / np.ptp(X, axis=0), 0, 1)
    estimator = small(
        loss=HalfOfSquares(ProbitLink()), max_iter=60, learning_rate_init=1e-2,
        early_stopping=False,
    )  # fmt: skip
    images = estimator.fit(shares).reconstruct(shares)
    assert 0 <= images.min() and images.max() <= 1
    assert ((images - shares) ** 2).mean() < 0.4 * shares.var(axis=0).mean()
    with pytest.raises(ValueError, match=r"needs values of X in \[0, 1\]") as caught:
        estimator.fit(X)
    assert "\n" not in str(caught.value)


class UnitNormalModule(torch.nn.Module):
    def log_density(self, output, x):
        return torch.distributions.Normal(output, 1.0).log_prob(x).sum(-1)

    def mean(self, output):
        return output

    def sample(self, output, generator):
        return output + torch.empty_like(output).normal_(generator=generator)


class UnitNormal(Likelihood):
    """A throw-away likelihood: normal with the variance of the data."""

    def module(self, variance):
        return UnitNormalModule()


def test_likelihood_seam(X):
    found = []
    for likelihood in (UnitNormal(), Gaussian(X.var(axis=0).mean())):
        estimator = VariationalAutoencoder(
            2, likelihood=likelihood, init="random", hidden_layer_sizes=(8,), max_iter=5,
            early_stopping=False, random_state=0,
        ).fit(X)  # fmt: skip
        found.append([estimator.loss_curve_, estimator.transform(X), estimator.score_samples(X)])
        found[-1].append(estimator.sample(50, random_state=0))
    for theirs, ours in zip(*found, strict=True):
        assert_allclose(theirs, ours, rtol=1e-4, atol=1e-4)


def test_parameters_of_losses_and_likelihoods_are_searched_over(X):
    assert clone(small(loss=Huber(0.5))).set_params(loss__delta=2.0).loss.delta == 2.0
    vae = VariationalAutoencoder(2, likelihood=Gaussian())
    copy = clone(vae).set_params(likelihood__noise_variance=0.5)
    assert copy.likelihood.noise_variance == 0.5 and vae.likelihood.noise_variance == "scalar"


@pytest.mark.parametrize("missing", ["link", "power"])
def test_loss_without_an_attribute_raises_one_line(missing, X):
    class Lacking:
        link, power = "identity", 2

        def __call__(self, output, target):
            return (output - target).square().sum(-1)

    assert small(loss=Lacking()).fit(X).n_iter_ == 5
    delattr(Lacking, missing)
    with pytest.raises(TypeError, match=f"has no {missing}") as caught:
        small(loss=Lacking()).fit(X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["log_density", "mean", "sample"])
def test_module_of_a_likelihood_without_a_method_raises_one_line(missing, X):
    class Lacking(Likelihood):
        def module(self, variance):
            functions = {"log_density", "mean", "sample"} - {missing}
            module = torch.nn.Identity()
            for name in functions:
                setattr(module, name, getattr(UnitNormalModule(), name))
            return module

    with pytest.raises(TypeError, match=f"it has no {missing}") as caught:
        VariationalAutoencoder(2, likelihood=Lacking(), max_iter=1).fit(X)
    assert "\n" not in str(caught.value)


# What goes on is compared with what was


class Layers:
    """A user's architecture without a repr that tells its parameters; it counts its calls."""

    def __init__(self, width):
        self.width = width
        self.n_calls = 0

    def __call__(self, n_features, n_components):
        self.n_calls += 1

        def stack(*sizes):
            layers = (torch.nn.Linear(*pair) for pair in itertools.pairwise(sizes))
            return torch.nn.Sequential(*layers)

        return stack(n_features, self.width, n_components), stack(
            n_components, self.width, n_features
        )


class Knots(BaseEstimator):
    """A user's code activation, with a parameter whose repr scikit-learn cuts short."""

    def __init__(self, places):
        self.places = places

    def module(self):
        return torch.nn.PReLU(init=self.places[-1])


class Gain:
    """A user's code activation, plain and without equality, that holds what refers to it."""

    def __init__(self, gain):
        self.gain = gain
        self.make = self.module

    def module(self):
        return torch.nn.PReLU(init=self.gain)


@dataclasses.dataclass
class Held:
    """A user's code activation whose equality is that of what it holds."""

    inner: torch.nn.Module
    table: np.ndarray

    def module(self):
        return self.inner


@pytest.mark.parametrize(
    "name, part, other",
    [
        ("architecture", Layers(4), Gain(0.1)),
        ("architecture", Layers(4).__call__, Layers(4)),
        ("code_activation", Gain(0.1), Held(torch.nn.ReLU(), np.ones(3))),
        ("code_activation", Held(torch.nn.ReLU(), np.ones(3)), "relu"),
        ("code_activation", Held(torch.nn.ReLU(), np.ones(3)), Held(torch.nn.Tanh(), np.ones(3))),
        ("code_activation", torch.nn.PReLU(init=0.1), torch.nn.ELU()),
        ("code_activation", Knots([0.1] * 400), Knots([0.1] * 399 + [0.2])),
        ("whiten", True, False),
    ],
    ids=["object", "method", "part", "dataclass", "field", "module", "long list", "boolean"],
)
def test_parts_are_compared_by_what_they_say(name, part, other, X):
    estimator = small(**{name: part}).partial_fit(X).partial_fit(X)
    pickle.loads(pickle.dumps(estimator)).partial_fit(X)
    with pytest.raises((ValueError, TypeError)) as caught:
        estimator.set_params(**{name: other}).partial_fit(X)
    assert "\n" not in str(caught.value)


def test_values_of_numpy_say_what_pythons_do(X):
    estimator = small(whiten=True, hidden_layer_sizes=(8,), activation="relu").partial_fit(X)
    estimator.set_params(
        whiten=np.True_, hidden_layer_sizes=np.array([8]), activation=np.str_("relu"),
        n_components=np.int64(2),
    ).partial_fit(X)  # fmt: skip
    assert estimator.n_samples_seen_ == 2 * len(X)


def test_another_function_is_another_architecture(X):
    def make(width):
        return lambda d, k: (torch.nn.Linear(d, k), torch.nn.Linear(k, d))

    estimator = small(architecture=make(1)).partial_fit(X)
    with pytest.raises(ValueError, match="architecture changed from"):
        estimator.set_params(architecture=make(2)).partial_fit(X)


# Classes in place of instances


@pytest.mark.parametrize(
    "name, part",
    [("penalty", L1), ("code_activation", KSparse), ("corruption", Masking), ("loss", Huber)],
    ids=["penalty", "code_activation", "corruption", "loss"],
)
def test_class_in_place_of_an_instance_is_one_line(name, part, X):
    with pytest.raises((TypeError, InvalidParameterError), match=f"{part.__name__}") as caught:
        small(**{name: part}).fit(X)
    assert "\n" not in str(caught.value)
    assert "an instance" in str(caught.value)


def test_parameter_of_a_module_that_has_none_is_one_line():
    module = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    with pytest.raises(ValueError, match="code_activation__k cannot be set") as caught:
        small(code_activation=module).set_params(code_activation__k=2)
    assert "\n" not in str(caught.value)
