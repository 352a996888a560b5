"""Losses against numpy and scikit-learn."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.metrics import log_loss as sklearn_log_loss

from sklearn_ae.losses import LOSSES, CrossEntropy, SquaredError
from sklearn_ae.objectives import absolute_error, huber, log_loss, squared_error

PARTS = {
    **{name: part() for name, part in LOSSES.items()},
    "squared error of a sigmoid": SquaredError(link="logit"),
    "cross entropy": CrossEntropy([3, 1]),
}


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 5)) * 3, rng.normal(size=(7, 5))


def values(loss, output, target, **kwargs):
    return loss(torch.from_numpy(output), torch.from_numpy(target), **kwargs).numpy()


def test_names_are_those_of_the_estimator():
    assert set(LOSSES) == {"squared_error", "absolute_error", "huber", "log_loss"}


def test_squared_error_formula(pair):
    output, target = pair
    assert_allclose(values(squared_error, *pair), ((output - target) ** 2).sum(axis=1))


def test_absolute_error_formula(pair):
    output, target = pair
    assert_allclose(values(absolute_error, *pair), np.abs(output - target).sum(axis=1))


@pytest.mark.parametrize("delta", [0.1, 1.35, 100.0])
def test_huber_formula(pair, delta):
    error = np.abs(pair[0] - pair[1])
    expected = np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).sum(axis=1)
    assert_allclose(values(huber, *pair, delta=delta), expected)


def test_log_loss_equals_scikit_learns(pair):
    logits = pair[0]
    target = (pair[1] > 0).astype(float)
    probability = 1 / (1 + np.exp(-logits))
    expected = [
        sum(
            sklearn_log_loss([t], [[1 - p, p]], labels=[0, 1])
            for t, p in zip(row, chances, strict=True)
        )
        for row, chances in zip(target, probability, strict=True)
    ]
    assert_allclose(values(log_loss, logits, target), expected, rtol=1e-9)


def test_log_loss_of_grey_targets_is_the_cross_entropy():
    target, probability = np.array([[0.3, 0.9]]), np.array([[0.25, 0.6]])
    expected = -(target * np.log(probability) + (1 - target) * np.log(1 - probability)).sum(axis=1)
    logits = np.log(probability / (1 - probability))
    assert_allclose(values(log_loss, logits, target), expected)


@pytest.mark.parametrize("logit", [-1e4, -100.0, 100.0, 1e4])
def test_log_loss_is_finite_far_out(logit):
    found = log_loss(torch.tensor([[logit], [logit]]), torch.tensor([[0.0], [1.0]]))
    assert_allclose(found.numpy(), [max(logit, 0), max(-logit, 0)], atol=1e-6)


@pytest.mark.parametrize(
    "name, function",
    [
        ("squared_error", squared_error),
        ("absolute_error", absolute_error),
        ("huber", huber),
        ("log_loss", log_loss),
    ],
)
def test_loss_by_name_is_the_function(name, function, pair):
    output, target = pair
    assert_allclose(values(LOSSES[name](), output, target), values(function, output, target))


@pytest.mark.parametrize("name", PARTS)
def test_loss_has_a_term_per_row_and_the_gradient_of_finite_differences(name):
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.rand(6, 4, generator=generator, dtype=torch.float64)
    loss = PARTS[name]
    assert loss(output, target).shape == (6,)
    assert torch.autograd.gradcheck(lambda o: loss(o, target), output)


def test_squared_error_of_a_sigmoid_formula(pair):
    output, target = pair
    expected = ((1 / (1 + np.exp(-output)) - target) ** 2).sum(axis=1)
    assert_allclose(values(PARTS["squared error of a sigmoid"], output, target), expected)


def test_cross_entropy_of_one_hot_groups_equals_scikit_learns():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(7, 5)) * 2, rng.integers([[3], [2]], size=(2, 7))
    target = np.hstack([np.eye(3)[labels[0]], np.eye(2)[labels[1]]])
    expected = np.zeros(7)
    for group, label in zip(np.split(logits, [3], axis=1), labels, strict=True):
        chances = softmax(group, axis=1)
        classes = range(group.shape[1])
        for row in range(7):
            expected[row] += sklearn_log_loss([label[row]], [chances[row]], labels=classes)
    assert_allclose(values(CrossEntropy([3, 2]), logits, target), expected, rtol=1e-9)
