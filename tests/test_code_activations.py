"""Code activations: which values are kept, where gradients go, and what is refused."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils._param_validation import InvalidParameterError
from torch import nn
from torch.testing import assert_close

from sklearn_ae import Autoencoder
from sklearn_ae.code_activations import CODE_ACTIVATIONS, KSparse, make_code_activation
from sklearn_ae.penalties import L1


def codes(n_rows=200, width=12, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n_rows, width, generator=generator, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 3, 11, 12])
def test_k_sparse_keeps_the_largest_values(k, dtype):
    code = codes(dtype=dtype)
    kept = code.clone()
    sparse = KSparse(k).module()(code)
    assert sparse.dtype == dtype and torch.equal(code, kept)
    assert ((sparse != 0).sum(1) == k).all()
    assert torch.equal(sparse[sparse != 0], code[sparse != 0])
    threshold = code.sort(1, descending=True).values[:, k - 1 : k]
    assert torch.equal(sparse != 0, code >= threshold)


@pytest.mark.parametrize(
    "row", [[1.0] * 6, [2.0, 2.0, 2.0, 1.0, 1.0, 1.0], [-1.0] * 6, [3.0, 1.0, 1.0, 1.0, 1.0, 0.5]]
)
def test_k_sparse_keeps_exactly_k_of_equal_values(row):
    code = torch.tensor([row, row])
    for k in range(1, 7):
        sparse = KSparse(k).module()(code)
        assert ((sparse != 0).sum(1) == k).all()
        expected = torch.tensor(sorted(row, reverse=True)[:k]).sum()
        assert torch.equal(sparse.sum(1), expected.expand(2))


def test_k_sparse_is_the_same_at_inference():
    code, module = codes(), KSparse(3).module()
    trained = module.train()(code)
    assert torch.equal(module.eval()(code), trained)
    assert torch.equal(module(code[:1]), trained[:1])


def test_gradient_flows_through_the_kept_values_only():
    code = codes().requires_grad_()
    sparse = KSparse(4).module()(code)
    sparse.sum().backward()
    assert torch.equal(code.grad, (sparse != 0).double())
    tied = torch.ones(2, 6, requires_grad=True)
    KSparse(2).module()(tied).sum().backward()
    assert (tied.grad.sum(1) == 2).all()


def test_gradient_of_k_sparse_by_finite_differences():
    module = KSparse(2).module()
    code = codes(3, 5).requires_grad_()
    assert torch.autograd.gradcheck(module, code)
    assert torch.autograd.gradgradcheck(module, code)


@pytest.mark.parametrize("penalty", [None, L1(0.01)], ids=str)
def test_few_components_are_never_kept(penalty):
    """With independent draws more than half of these 128 components never learn anything."""
    X = load_digits().data
    estimator = Autoencoder(
        128, hidden_layer_sizes=(), code_activation=KSparse(3), penalty=penalty, random_state=0
    )
    network = clone(estimator).set_params(max_iter=0).fit(X).network_
    columns = network.decoder[0].weight
    assert_close(torch.linalg.vector_norm(columns, dim=0), torch.ones(128, dtype=columns.dtype))
    assert_close(network.encoder[0].weight, columns.T)
    codes = estimator.set_params(max_iter=40).fit(X).transform(X)
    assert np.mean((codes == 0).all(axis=0)) < 0.25


def test_k_sparse_suits_the_width_of_the_code():
    KSparse(5).check(5)
    with pytest.raises(ValueError, match=r"k=6 of KSparse .*n_components=5") as caught:
        KSparse(6).check(5)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", None])
def test_k_sparse_of_a_bad_k_raises(k):
    for call in (KSparse(k).module, lambda: KSparse(k).check(5)):
        with pytest.raises(InvalidParameterError, match="'k' parameter of KSparse"):
            call()


def test_k_sparse_is_an_estimator_part():
    assert KSparse().k == 10
    estimator = Autoencoder(20, code_activation=KSparse(np.int64(4)))
    assert clone(estimator).get_params()["code_activation__k"] == 4
    assert estimator.set_params(code_activation__k=7).code_activation.k == 7
    assert repr(KSparse(3).module()) == "KeepLargest(k=3)"


def test_whitening_of_sparse_codes_raises_one_line():
    """Uncorrelated codes are mixtures of those with zeros."""
    X = codes(60, 5).numpy()
    estimator = Autoencoder(4, code_activation=KSparse(2), max_iter=1, random_state=0)
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=r"whiten=True .*KSparse\(k=2\)") as caught:
            getattr(clone(estimator).set_params(whiten=True), method)(X)
        assert "\n" not in str(caught.value)
    assert ((estimator.fit(X).transform(X) != 0).sum(axis=1) == 2).all()
    whitened = estimator.set_params(whiten=True, code_activation="relu").fit(X)
    assert np.isfinite(whitened.transform(X)).all()


@pytest.mark.parametrize(
    "name, function",
    [
        ("identity", lambda code: code),
        ("sigmoid", torch.sigmoid),
        ("relu", lambda code: code.clamp(min=0)),
        ("tanh", torch.tanh),
    ],
)
def test_code_activation_by_name(name, function):
    module = make_code_activation(name)
    code = codes()
    assert (module is None) == (name == "identity")
    assert torch.equal(code if module is None else module(code), function(code))


def test_names_of_code_activations():
    assert set(CODE_ACTIVATIONS) == {"identity", "sigmoid", "relu", "tanh"}


def test_module_is_copied():
    module = nn.PReLU()
    made = make_code_activation(module)
    assert made is not module and type(made) is nn.PReLU
    assert made.weight is not module.weight


def test_part_that_hands_out_one_module_is_copied():
    class Shared:
        one = nn.PReLU()

        def module(self):
            return self.one

    part = Shared()
    assert make_code_activation(part) is not part.one
    assert type(make_code_activation(part)) is nn.PReLU
    assert make_code_activation(KSparse(3)).k == 3


@pytest.mark.parametrize(
    "value, error, message",
    [
        ("softmax", ValueError, "Unknown code_activation 'softmax'; use one of .*'sigmoid'"),
        (KSparse, TypeError, r"got the class KSparse, use KSparse\(...\)"),
        (nn.ReLU, TypeError, r"got the class ReLU, use ReLU\(...\)"),
        (None, TypeError, "got None"),
        (torch.relu, TypeError, "a part with a method module"),
        (KSparse(0), InvalidParameterError, "'k' parameter"),
    ],
)
def test_bad_code_activation_raises_one_line(value, error, message):
    with pytest.raises(error, match=message) as caught:
        make_code_activation(value)
    assert "\n" not in str(caught.value)
