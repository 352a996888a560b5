"""Penalties: closed forms, unbiased estimates, gradients, and what is refused."""

import copy
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import InvalidParameterError
from torch import nn
from torch.distributions import Bernoulli, Laplace, kl_divergence
from torch.testing import assert_close

from sklearn_ae import Autoencoder
from sklearn_ae.code_activations import KSparse
from sklearn_ae.networks import AutoencoderNetwork, LinearPath, dense, draw_weights
from sklearn_ae.penalties import (
    L1,
    Contractive,
    KLSparsity,
    check_penalty,
    estimated_jacobian,
    make_penalty,
    one_layer_jacobian,
)

N_FEATURES, N_COMPONENTS = 7, 4
ACTIVATIONS = [None, nn.Sigmoid(), nn.Tanh(), nn.ReLU()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n_rows=9, dtype=torch.float64):
    return torch.randn(n_rows, N_FEATURES, generator=seeded(1), dtype=dtype)


def make_network(hidden=(), activation="tanh", code_activation=None, **kwargs):
    """A network in float64 with random weights."""
    encoder = dense(N_FEATURES, hidden, N_COMPONENTS, activation)
    decoder = dense(N_COMPONENTS, hidden[::-1], N_FEATURES, activation)
    for module in (encoder, decoder):
        draw_weights(module, activation, seeded(2))
    encoder[-1].bias.data.normal_(generator=seeded(3))
    return AutoencoderNetwork(encoder, decoder, code_activation=code_activation, **kwargs).double()


def encode_of(network):
    return lambda x: network.encode(x)[0]


def full_norm(network, x):
    """Squared Frobenius norm of the Jacobian of each row, from the whole of it."""
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: network.encode(row[None])[0][0]))(x)
    return jacobian.square().sum((1, 2))


def call(penalty, network, x, seed=0):
    encode = encode_of(network)
    return make_penalty(penalty, network)(x, encode(x), encode, seeded(seed))


# L1


def test_l1_is_minus_the_log_of_a_laplace_prior():
    code = torch.randn(50, N_COMPONENTS, generator=seeded(), dtype=torch.float64)
    weight = 0.3
    prior = Laplace(torch.zeros((), dtype=torch.float64), 1 / weight)
    expected = -prior.log_prob(code).sum(1) - N_COMPONENTS * math.log(2 / weight)
    assert_close(L1(weight).term(None, code, None), expected)


# KLSparsity


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("target", [0.05, 0.5, 0.9])
def test_kl_sparsity_is_the_divergence_of_bernoulli_distributions(target, dtype):
    code = torch.rand(30, 6, generator=seeded(), dtype=dtype)
    wanted = Bernoulli(torch.tensor(target, dtype=dtype))
    expected = 0.7 * kl_divergence(wanted, Bernoulli(code.mean(0))).sum()
    term = KLSparsity(target, 0.7).term(None, code, None)
    assert term.shape == (30,) and term.dtype == dtype
    assert_close(term, expected.expand(30))


def test_kl_sparsity_is_zero_at_the_target():
    code = torch.tensor([[0.0, 0.2], [0.2, 0.0]], dtype=torch.float64)
    assert_close(KLSparsity(0.1).term(None, code, None), torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", [0.0, 1.0])
def test_kl_sparsity_stays_finite_at_the_ends(activation, dtype):
    code = torch.full((5, 3), activation, dtype=dtype, requires_grad=True)
    term = KLSparsity(0.05, 1.0).term(None, code, None)
    term.sum().backward()
    assert term.isfinite().all() and (term > 0).all()
    assert code.grad.isfinite().all()


@pytest.mark.parametrize(
    "offset, sign", [(-80.0, -1), (-50.0, -1), (-20.0, -1), (-10.0, -1), (10.0, 1)]
)
def test_kl_sparsity_pulls_saturated_activations_back(offset, sign):
    logits = torch.full((5, 3), offset, requires_grad=True)
    KLSparsity(0.05, 1.0).term(None, torch.sigmoid(logits), None).mean().backward()
    assert logits.grad.isfinite().all() and (sign * logits.grad > 1e-3).all()


def test_gradient_of_kl_sparsity_by_finite_differences():
    code = torch.rand(4, 3, generator=seeded(), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda code: KLSparsity().term(None, code, None), code)


def test_kl_sparsity_needs_a_sigmoid_code():
    assert KLSparsity.needs_code_activation == "sigmoid"
    assert not hasattr(KLSparsity, "unit_norm_decoder")


# Contractive


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("code_activation", ACTIVATIONS, ids=str)
def test_contractive_of_one_layer_is_the_full_jacobian(code_activation, bounded):
    beside = {"centre": torch.randn(N_FEATURES, generator=seeded()), "scale": 0.3}
    network = make_network(code_activation=code_activation, **(beside if bounded else {}))
    x = rows()
    penalty = make_penalty(Contractive(0.7), network)
    assert penalty.keywords["norm"].func is one_layer_jacobian
    before = (generator := seeded()).get_state()
    term = penalty(x, encode_of(network)(x), None, generator)
    assert torch.equal(generator.get_state(), before)
    assert term.shape == (9,)
    assert_close(term, 0.7 * full_norm(network, x))


@pytest.mark.parametrize(
    "network",
    [
        make_network(),
        make_network(code_activation=nn.Sigmoid()),
        make_network((6,), "tanh"),
        make_network((6, 5), "gelu", nn.Sigmoid()),
        make_network(code_activation=KSparse(2).module()),
        make_network((6,), centre=torch.ones(N_FEATURES), scale=0.3),
        make_network(linear=LinearPath(N_FEATURES, N_COMPONENTS)),
    ],
    ids=["linear", "sigmoid", "hidden", "deep", "k-sparse", "bounded", "linear path"],
)
def test_estimate_of_the_jacobian_is_unbiased(network):
    if network.linear is not None:
        network.linear.encoder.data.normal_(generator=seeded(5))
    x, encode, generator, n_draws = rows(3), encode_of(network), seeded(), 4000
    expected = full_norm(network, x)
    # one row again and again: each has signs of its own
    many = x.repeat(n_draws, 1)
    draws = estimated_jacobian(many, None, encode, generator).detach().reshape(n_draws, 3)
    error = draws.std(0) / n_draws**0.5
    assert ((draws.mean(0) - expected).abs() <= 4 * error + 1e-9).all()
    assert (draws.std(0) > 0).all()


@pytest.mark.parametrize(
    "network",
    [
        make_network((6,)),
        make_network(code_activation=nn.Softplus()),
        make_network(code_activation=KSparse(2).module()),
        make_network(linear=LinearPath(N_FEATURES, N_COMPONENTS)),
        AutoencoderNetwork(nn.Sequential(nn.Tanh(), nn.Linear(N_FEATURES, 2)).double(), None),
        AutoencoderNetwork(nn.Sequential(nn.Linear(N_FEATURES, 2), nn.Tanh()).double(), None),
    ],
    ids=["hidden", "softplus", "k-sparse", "linear path", "tanh first", "tanh last"],
)
def test_contractive_is_estimated_where_there_is_no_closed_form(network):
    x = rows()
    penalty = make_penalty(Contractive(2.0), network)
    assert penalty.keywords["norm"] is estimated_jacobian
    term = call(Contractive(2.0), network, x)
    assert_close(term, 2 * estimated_jacobian(x, None, encode_of(network), seeded()))
    if network.linear is None or network.linear.encoder.any():
        assert not torch.equal(call(Contractive(2.0), network, x, seed=1), term)


def test_contractive_of_a_single_component_is_exact():
    """With one component a sign cannot change the square: the estimate is the norm."""
    encoder = nn.Sequential(nn.Linear(N_FEATURES, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    network = AutoencoderNetwork(encoder, None)
    assert_close(call(Contractive(1.0), network, rows()), full_norm(network, rows()))


def test_bare_linear_encoder_has_the_closed_form():
    network = AutoencoderNetwork(nn.Linear(N_FEATURES, 3).double(), None)
    penalty = make_penalty(Contractive(), network)
    assert penalty.keywords["norm"].func is one_layer_jacobian
    assert_close(call(Contractive(1.0), network, rows()), full_norm(network, rows()))


@pytest.mark.parametrize("code_activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("hidden", [(), (3,)])
def test_gradient_of_contractive_by_finite_differences(hidden, code_activation):
    network = make_network(hidden, code_activation=code_activation)
    x = rows(4)
    penalty = make_penalty(Contractive(0.7), network)
    parameters = dict(network.encoder.named_parameters())

    def function(*tensors):
        named = dict(zip(parameters, tensors, strict=True))

        def encode(x):
            code = torch.func.functional_call(network.encoder, named, (x,))
            return code if code_activation is None else code_activation(code)

        if not hidden:  # the closed form reads the layer's weight
            layer = type("Layer", (), {"weight": named["0.weight"]})
            norm = penalty.keywords["norm"]
            return norm.func(x, encode(x), None, None, **{**norm.keywords, "layer": layer})
        return estimated_jacobian(x, None, encode, seeded())

    tensors = [p.detach().clone().requires_grad_() for p in parameters.values()]
    assert torch.autograd.gradcheck(function, tensors)


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_contractive_reaches_the_weights_of_the_encoder(hidden):
    network = make_network(hidden, code_activation=nn.Sigmoid())
    call(Contractive(), network, rows()).mean().backward()
    for parameter in [*network.encoder.parameters()][:-1]:
        assert parameter.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.decoder.parameters())


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_contractive_works_where_gradients_are_off_outside(hidden):
    network = make_network(hidden, code_activation=nn.Sigmoid())
    x = rows()
    expected = call(Contractive(), network, x)
    with torch.no_grad():
        code = network.encode(x)[0]
        with torch.enable_grad():
            penalty = make_penalty(Contractive(), network)
            term = penalty(x, code, encode_of(network), seeded())
    assert_close(term.detach(), expected.detach())
    assert not x.requires_grad and x.grad is None


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_bound_penalty_follows_a_copy_of_the_network(hidden):
    """The penalty and its network may be copied together, and weights change in place."""
    network = make_network(hidden)
    penalty = make_penalty(Contractive(), network)
    network_copy, penalty_copy = copy.deepcopy((network, penalty))
    with torch.no_grad():
        for parameter in network_copy.parameters():
            parameter *= 2
    x, encode = rows(), encode_of(network_copy)
    term = penalty_copy(x, encode(x), encode, seeded())
    assert_close(term, call(Contractive(), network_copy, x))
    assert (term > call(Contractive(), network, x)).all()


def test_penalties_that_a_rescaling_would_void_hold_the_decoder():
    assert L1.unit_norm_decoder and Contractive.unit_norm_decoder


# Sparsity of what was learnt


def sparsity_of(codes):
    """Hoyer's measure of each code."""
    width = codes.shape[1] ** 0.5
    ratio = np.abs(codes).sum(axis=1) / np.sqrt((codes**2).sum(axis=1))
    return (width - ratio) / (width - 1)


SPARSE = [
    {"penalty": L1(0.5)},
    {"penalty": KLSparsity(), "code_activation": "sigmoid"},
    {"code_activation": "tanh"},
    {"code_activation": KSparse(2)},
    {"code_activation": KSparse(2), "penalty": Contractive(0.1), "early_stopping": False},
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parameters", SPARSE, ids=str)
def test_sparsity_is_hoyers_of_the_codes(parameters, weighted, monkeypatch):
    monkeypatch.setattr("sklearn_ae._compute.chunks.MOST_ROWS", 17)
    X = rows(60).numpy()
    weight = np.tile([0.0, 0.5, 3.0], 20) if weighted else None
    estimator = Autoencoder(
        N_COMPONENTS, hidden_layer_sizes=(8,), max_iter=3, random_state=0, **parameters
    ).fit(X, sample_weight=weight)  # fmt: skip
    of_rows = sparsity_of(estimator.transform(X))
    expected = np.average(of_rows, weights=weight)
    assert isinstance(estimator.sparsity_, float)
    assert_allclose(estimator.sparsity_, expected, rtol=1e-5)
    assert 0 < expected < 1
    if weighted:
        assert abs(expected - of_rows.mean()) > 1e-4


def test_sparsity_is_there_only_where_it_was_asked_for():
    X = rows(40).numpy()
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=2, penalty=L1())
    assert 0 <= estimator.fit(X).sparsity_ <= 1
    assert not hasattr(estimator.set_params(penalty=None).fit(X), "sparsity_")
    assert not hasattr(estimator.set_params(init="random", whiten=True).fit(X), "sparsity_")
    estimator.set_params(code_activation="tanh", whiten=False)
    assert 0 <= clone(estimator).partial_fit(X).sparsity_ <= 1


# Of an estimator's parameter


class OfSomebodyElse(BaseEstimator):
    def term(self, x, code, encode):
        return code.sum(-1) + encode(x).sum(-1)


def test_term_of_a_user_is_wrapped():
    network, x = make_network(), rows()
    expected = 2 * network.encode(x)[0].sum(-1)
    assert_close(call(OfSomebodyElse(), network, x), expected)
    assert make_penalty(None, network) is None


def test_make_penalty_copies_the_part():
    part, network = L1(0.5), make_network()
    penalty = make_penalty(part, network)
    part.weight = 99.0
    code = torch.ones(2, 3)
    assert_close(penalty(None, code, None, None), torch.full((2,), 1.5))


@pytest.mark.parametrize("part", [L1(0.3), KLSparsity(0.1, 0.3), Contractive(0.3)], ids=str)
def test_penalty_is_an_estimator_part(part):
    estimator = Autoencoder(penalty=part)
    assert clone(estimator).get_params()["penalty__weight"] == 0.3
    assert estimator.set_params(penalty__weight=0.2).penalty.weight == 0.2
    assert type(part)().get_params()["weight"] == 0.1


@pytest.mark.parametrize(
    "penalty, error, message",
    [
        (L1(-1.0), InvalidParameterError, "'weight' parameter of L1"),
        (L1("much"), InvalidParameterError, "'weight' parameter of L1"),
        (KLSparsity(0.0), InvalidParameterError, "'target' parameter of KLSparsity"),
        (KLSparsity(1.0), InvalidParameterError, "'target' parameter of KLSparsity"),
        (KLSparsity(0.1, -1), InvalidParameterError, "'weight' parameter of KLSparsity"),
        (Contractive(math.nan), InvalidParameterError, "'weight' parameter of Contractive"),
        (Contractive(math.inf), InvalidParameterError, "'weight' parameter of Contractive"),
        (L1, TypeError, r"got the class L1, use L1\(...\)"),
        ("l3", ValueError, "Unknown penalty 'l3'; use one of .*'neighbors'"),
        (0.1, TypeError, "A penalty must be one of .*a part with a method term.*got 0.1"),
    ],
    ids=str,
)
def test_bad_penalty_raises_one_line(penalty, error, message):
    with pytest.raises(error, match=message) as caught:
        check_penalty(penalty, "sigmoid")
    assert "\n" not in str(caught.value)
    # of what is no part scikit-learn's own check of parameters says it
    with pytest.raises(error, match=r"penalty|parameter of \w+ must be") as caught:
        Autoencoder(2, penalty=penalty, code_activation="sigmoid").fit(rows().numpy())
    assert "\n" not in str(caught.value)


def test_penalties_that_are_valid_pass_the_check():
    for penalty in (None, L1(0.0), Contractive(0.5), KLSparsity(), OfSomebodyElse()):
        assert check_penalty(penalty, "sigmoid") is None
    with pytest.raises(ValueError, match="needs code_activation='sigmoid'; got 'tanh'") as caught:
        check_penalty(KLSparsity(), "tanh")
    assert "\n" not in str(caught.value)
