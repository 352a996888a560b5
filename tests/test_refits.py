"""What a fit leaves behind: for the next fit, for other threads."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
import skorch.callbacks
import torch
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from sklearn_ae import Autoencoder, Denoiser, VariationalAutoencoder
from sklearn_ae._fitting.plan import split_rows
from sklearn_ae.penalties import L1

DIGITS = load_digits().data[:300]
SMALL = {"hidden_layer_sizes": (16,), "max_iter": 3, "random_state": 0}


def test_fractional_weights_leave_the_start_alone():
    weight = np.full(len(DIGITS), 0.006)
    plain = VariationalAutoencoder(5, max_iter=0).fit(DIGITS)
    weighted = VariationalAutoencoder(5, max_iter=0).fit(DIGITS, sample_weight=weight)
    assert_allclose(weighted.noise_variance_, plain.noise_variance_, rtol=1e-9)
    assert_allclose(weighted.score(DIGITS), plain.score(DIGITS), rtol=1e-9)
    every = Autoencoder(None, max_iter=0).fit(DIGITS, sample_weight=weight)
    assert every.n_components_ == min(DIGITS.shape)


def test_a_warm_fit_checks_range_and_parts():
    X = (DIGITS > 8).astype(float)
    estimator = Autoencoder(2, loss="log_loss", warm_start=True, **SMALL).fit(X)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        estimator.fit(255 * X)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        estimator.partial_fit(255 * X)
    penalised = Autoencoder(2, penalty=L1(0.1), **SMALL).partial_fit(DIGITS)
    with pytest.raises(ValueError, match="weight"):
        penalised.set_params(penalty__weight=-5).partial_fit(DIGITS)


def test_a_refit_of_another_kind_takes_old_attributes_away():
    estimator = Autoencoder(2, **SMALL).fit(DIGITS)
    assert not hasattr(estimator.set_params(init="random").fit(DIGITS), "explained_variance_")
    vae = VariationalAutoencoder(2, **SMALL).fit(DIGITS)
    vae.set_params(likelihood="bernoulli").fit((DIGITS > 8).astype(float))
    assert not hasattr(vae, "noise_variance_")


def test_chunks_of_small_weight_move_the_model_less():
    moved = {}
    for weight in (1.0, 1e-6):
        estimator = Autoencoder(2, **SMALL).partial_fit(DIGITS[:150], sample_weight=np.ones(150))
        for _ in range(10):  # until the momentum of the first chunk is spent
            before = estimator.reconstruct(DIGITS)
            estimator.partial_fit(DIGITS[150:], sample_weight=np.full(150, weight))
        moved[weight] = np.abs(estimator.reconstruct(DIGITS) - before).mean()
    assert moved[1e-6] < 0.1 * moved[1.0]


def test_losses_of_chunks_are_means_whatever_their_weight():
    losses = {}
    for weight in (1.0, 10.0):
        estimator = Autoencoder(2, **SMALL).partial_fit(DIGITS[:150], sample_weight=np.ones(150))
        estimator.partial_fit(DIGITS[150:], sample_weight=np.full(150, weight))
        losses[weight] = estimator.loss_curve_[-1]
    assert losses[10.0] == pytest.approx(losses[1.0], rel=0.05)


def test_losses_of_training_and_validation_compare_where_heavy_rows_are_held_out():
    X = np.random.default_rng(0).normal(size=(60, 4))
    parameters = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
    estimator = Autoencoder(2, init="random", **parameters).fit(X)
    ((_, held_out),) = split_rows(60, 6, 1, estimator._fitted.blueprint.seed)
    weight = np.ones(60)
    weight[held_out.numpy()] = 1000.0
    estimator.fit(X, sample_weight=weight)
    ratio = estimator.loss_curve_[-1] / -estimator.validation_scores_[-1]
    assert 0.3 < ratio < 30


def test_warm_up_goes_on_over_chunks():
    kl = {}
    for warm_up in (0, 100):
        vae = VariationalAutoencoder(2, kl_warm_up=warm_up, **SMALL)
        for _ in range(3):
            vae.partial_fit(DIGITS)
        kl[warm_up] = vae.net_.module_.kl_weight.item()
    assert_allclose([kl[0], kl[100]], [1.0, 0.02], rtol=1e-6)


def test_a_tiny_chunk_does_not_speak_of_collapse():
    vae = VariationalAutoencoder(2, **SMALL).partial_fit(DIGITS)
    active = vae.active_units_
    assert vae.partial_fit(DIGITS[:1]).active_units_ == active


def test_best_loss_is_that_of_the_kept_weights():
    estimator = Autoencoder(2, early_stopping=False, **SMALL).fit(DIGITS)
    assert estimator.best_loss_ == estimator.loss_curve_[-1]
    start = Autoencoder(2, max_iter=0).fit(DIGITS)
    residual = DIGITS - PCA(2).fit(DIGITS).inverse_transform(PCA(2).fit_transform(DIGITS))
    expected = (residual**2).sum(axis=1).mean() / start.scale_**2
    assert_allclose(start.best_loss_, expected, rtol=1e-5)


class Tangent(BaseEstimator):
    """Squared norm of one random product with the encoder's Jacobian."""

    def term(self, x, code, encode):
        x = x.detach().requires_grad_()
        code = encode(x)
        direction = torch.ones_like(code)
        (product,) = torch.autograd.grad(code, x, direction, create_graph=True)
        return 1e-2 * product.square().sum(-1)


def test_a_penalty_may_differentiate_the_encoder():
    estimator = Autoencoder(2, penalty=Tangent(), **SMALL).fit(DIGITS)
    assert len(estimator.validation_scores_) == 3


def test_interpolate_ignores_the_output_container():
    frame = pd.DataFrame(DIGITS).rename(columns=str)
    vae = VariationalAutoencoder(2, **SMALL).set_output(transform="pandas").fit(frame)
    line = vae.interpolate(frame.iloc[0], frame.iloc[1], n_steps=5)
    assert line.shape == (5, 64)
    assert_allclose(line[[0, -1]], vae.reconstruct(frame.iloc[:2]), rtol=1e-6, atol=1e-9)


def test_a_users_part_is_copied_into_the_model():
    activation = torch.nn.PReLU()
    estimator = Autoencoder(2, code_activation=activation, **SMALL).fit(DIGITS)
    assert estimator._fitted.blueprint.code_activation is not activation


def test_inference_does_not_wait_for_a_users_module_in_training():
    waiting, done = threading.Event(), threading.Event()

    class Wait(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            waiting.set()
            assert done.wait(timeout=60)

        def __deepcopy__(self, memo):
            return self

    def factory(n_features, n_components):
        return torch.nn.Linear(n_features, n_components), torch.nn.Linear(n_components, n_features)

    other = Autoencoder(2, **SMALL).fit(DIGITS)
    slow = Autoencoder(
        2, architecture=factory, max_iter=1, early_stopping=True, random_state=0,
        skorch_callbacks=[Wait()],
    )  # fmt: skip
    thread = threading.Thread(target=slow.fit, args=(DIGITS,))
    thread.start()
    assert waiting.wait(timeout=60)
    transformed = other.transform(DIGITS)
    done.set()
    thread.join()
    assert transformed.shape == (300, 2)


# Both sets of weights


def raw_weights(estimator):
    return estimator._fitted.course.state["weights"]


@pytest.mark.parametrize("cls", [Autoencoder, VariationalAutoencoder, Denoiser])
def test_chunks_go_on_with_both_sets_of_weights(cls):
    parameters = {"hidden_layer_sizes": (8,), "random_state": 0}
    averaged, plain = cls(2, **parameters), cls(2, average=False, **parameters)
    for chunk in np.split(DIGITS[:300], 6):
        averaged = pickle.loads(pickle.dumps(averaged)).partial_fit(chunk)
        plain.partial_fit(chunk)
    # the weights in training are those that they would be without averages
    for name, array in raw_weights(averaged).items():
        assert_allclose(array, plain._fitted.weights[name], rtol=1e-5, atol=1e-7, err_msg=name)
    assert averaged._fitted.course.state["n_steps"] == plain._fitted.course.state["n_steps"] > 6
    assert np.abs(averaged.transform(DIGITS) - plain.transform(DIGITS)).max() > 1e-4


def test_warm_start_goes_on_with_both_sets_of_weights():
    parameters = {"early_stopping": False, "max_iter": 3, "warm_start": True, "batch_size": 100}
    averaged, plain = (
        Autoencoder(2, average=average, hidden_layer_sizes=(8,), random_state=0, **parameters)
        for average in (True, False)
    )
    for n_steps in (9, 18):
        averaged.fit(DIGITS[:300])
        plain.fit(DIGITS[:300])
        assert averaged._fitted.course.state["n_steps"] == n_steps
        for name, array in raw_weights(averaged).items():
            assert_allclose(array, plain._fitted.weights[name], rtol=1e-5, atol=1e-7)


def test_weights_in_training_are_kept_only_where_a_fit_may_go_on():
    estimator = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    assert estimator.fit(DIGITS)._fitted.course.state is None
    # what was fitted at once goes on from what it kept
    assert raw_weights(estimator.partial_fit(DIGITS)).keys() == estimator._fitted.weights.keys()
