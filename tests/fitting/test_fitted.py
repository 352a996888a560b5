"""Rows through a fitted network, in parts of bounded memory."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_wine
from torch.testing import assert_close

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae._compute import chunks
from sklearn_ae._fitting import fitted as module
from sklearn_ae._fitting.fitted import FittedNetwork, NoBranch
from sklearn_ae._fitting.rows import Rows
from sklearn_ae._fitting.scaling import Scaling


class Blueprint:
    """Of a task that is one layer."""

    width = 1

    def build(self, scaling):
        task = torch.nn.Linear(3, 2)
        task.network = torch.nn.Identity()
        return task


def fitted_network(scaling):
    weights = {name: p.detach().numpy() for name, p in torch.nn.Linear(3, 2).named_parameters()}
    return FittedNetwork(Blueprint(), scaling, weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("at_once, sizes", [(4, [4, 4, 2]), (10, [10]), (99, [10]), (1, [1] * 10)])
def test_sums_are_over_parts_whose_shares_add_up_to_one(
    weighted, at_once, sizes, dtype, monkeypatch
):
    rng = np.random.default_rng(0)
    X = 5 + rng.normal(size=(10, 3))
    weight = 7 * rng.uniform(size=10) if weighted else None
    scaling = Scaling(np.array([5.0, 4.0, 6.0]), 1.7, 10.0)
    monkeypatch.setattr(chunks, "MOST_ROWS", at_once)
    monkeypatch.setattr(module, "supports_float64", lambda device: dtype == torch.float64)
    fitted, parts = fitted_network(scaling), []

    def function(task, x, share):
        assert {p.dtype for p in task.parameters()} == {dtype} and not task.training
        parts.append((x, share))
        return share @ x, share.sum()

    for _ in range(2):  # they can be asked for more than once
        parts.clear()
        mean, total = fitted.sums(Rows(X, weight=weight), function, torch.device("cpu"))
        assert [(len(x), len(share)) for x, share in parts] == [(size, size) for size in sizes]
        assert {tensor.dtype for part in parts for tensor in part} == {dtype}
        # with the rounding of float32, as training saw them
        rows = torch.from_numpy(scaling.to_network(X, np.float32)).to(dtype)
        assert torch.equal(torch.cat([x for x, _ in parts]), rows)
        share = torch.cat([share for _, share in parts])
        assert_close(share.sum().item(), 1.0)
        assert_close(total.item(), 1.0)
        expected = np.full(10, 0.1) if weight is None else weight / weight.sum()
        assert_close(share, torch.from_numpy(expected).to(dtype))
        average = np.average((X - scaling.mean) / 1.7, axis=0, weights=weight)
        assert_allclose(mean.numpy(), average, rtol=1e-5)


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder])
def test_branches_that_add_nothing_are_not_computed(cls):
    X = load_wine().data
    estimator = cls(3, max_iter=0).fit(X)
    task, _ = estimator._fitted.exact_task(torch.device("cpu"))
    assert isinstance(task.network.encoder, NoBranch)
    assert isinstance(task.network.decoder, NoBranch)
    whole = estimator._fitted.network.double()
    x = torch.from_numpy(estimator._fitted.scaling.to_network(X, np.float64))
    with torch.no_grad():
        code = whole.encode(x)[0]
        assert_allclose(task.network.encode(x)[0], code, rtol=1e-5, atol=1e-5)
        assert_allclose(task.network.decode(code), whole.decode(code), rtol=1e-5, atol=1e-5)
    trained = cls(3, max_iter=5, hidden_layer_sizes=(8,), early_stopping=False).fit(X)
    task, _ = trained._fitted.exact_task(torch.device("cpu"))
    assert not isinstance(task.network.encoder, NoBranch)
    assert not isinstance(task.network.decoder, NoBranch)
