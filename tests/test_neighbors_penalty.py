"""The penalty that keeps neighbours, from its formula to the map."""

import pickle

import numpy as np
import pytest
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from torch.testing import assert_close

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae._fitting.plan import Plan
from sklearn_ae._fitting.rows import Rows
from sklearn_ae._training import Batch
from sklearn_ae._training.batches import IndexBatches, RowsOnDevice
from sklearn_ae.corruptions import GaussianNoise
from sklearn_ae.penalties import (
    L1,
    NEIGHBORS_SHARE,
    Neighbors,
    contrastive_loss,
    make_penalty,
    penalty_parts,
)
from tests.checks import raises_one_line

X, Y = load_digits(return_X_y=True)
FEW = X[:300]
QUICK = {"hidden_layer_sizes": (16,), "max_iter": 3, "random_state": 0}


def codes(n=9, k=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, k, generator=generator, dtype=torch.float64)


def by_hand(code, partner, scale):
    """The formula of the docstring, point by point."""
    points = np.vstack([code, partner])
    kernel = 1 / (1 + cdist(points, points, "sqeuclidean") / scale**2)
    n, losses = len(code), []
    for i in range(2 * n):
        others = [kernel[i, j] for j in range(2 * n) if j != i]
        losses.append(-np.log(kernel[i, (i + n) % (2 * n)] / np.sum(others)))
    return (np.array(losses[:n]) + np.array(losses[n:])) / 2


# The formula


@pytest.mark.parametrize("scale", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("n", [1, 2, 9])
def test_contrastive_loss_is_its_formula(n, scale):
    code, partner = codes(n)
    log_scale = torch.tensor(np.log(scale))
    found = contrastive_loss(code, partner, log_scale)
    assert_allclose(found, by_hand(code.numpy(), partner.numpy(), scale), rtol=1e-10, atol=1e-12)
    in_float32 = contrastive_loss(code.float(), partner.float(), log_scale.float())
    assert_allclose(in_float32, found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("factor", [1e-3, 5.0, 1e3])
def test_size_and_place_of_the_code_change_nothing(factor):
    """The scale that is learnt goes along."""
    code, partner = codes()
    log_scale = torch.zeros((), dtype=torch.float64)
    moved = contrastive_loss(
        factor * code + 3 * factor, factor * partner + 3 * factor, log_scale + np.log(factor)
    )
    assert_close(moved, contrastive_loss(code, partner, log_scale))


def test_derivatives_are_those_of_the_formula():
    code, partner = codes(5, 2)
    log_scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    inputs = code.requires_grad_(), partner.detach().clone().requires_grad_(), log_scale
    assert torch.autograd.gradcheck(contrastive_loss, inputs)
    # also where codes are equal, or far apart
    for given in (torch.zeros(4, 2), 1e6 * torch.randn(4, 2)):
        code = given.requires_grad_()
        contrastive_loss(code, code.detach() + 0.0, torch.zeros(())).sum().backward()
        assert torch.isfinite(code.grad).all()


def test_term_has_weight_share_and_what_the_start_leaves():
    code, partner = codes(9)
    term = Neighbors(weight=2.0).module().double()
    term.left.fill_(50.0)
    expected = 2 * NEIGHBORS_SHARE * 50 * contrastive_loss(code, partner, term.log_scale)
    assert_close(term(code, partner), expected)


@pytest.mark.parametrize("parameters", [
    {},
    {"n_components": 0.5},
    {"loss": "huber"},
    {"loss": "absolute_error"},
    {"init": "random"},
    {"penalty": ["neighbors", "l1"]},
    {"code_activation": "sigmoid"},
])  # fmt: skip
def test_weight_is_relative_to_the_loss_before_training(parameters):
    made = {"penalty": "neighbors", "early_stopping": False, "random_state": 0, **parameters}
    start = Autoencoder(**made, max_iter=0).fit(X)
    trained = Autoencoder(**made, hidden_layer_sizes=(8,), max_iter=1).fit(X)
    left = trained._fitted.weights["neighbors.left"]
    # from random weights the layers matter a little
    tolerance = 1e-4 if start.start_kept_ else 0.3
    unit = start.scale_**start._fitted.blueprint.power
    assert_allclose(left, start.reconstruction_error(X).mean() / unit, rtol=tolerance)
    assert left > 20
    # a code that keeps all leaves the least that counts
    whole = Autoencoder(64, penalty="neighbors", max_iter=0).fit(X)
    assert_allclose(whole._fitted.weights["neighbors.left"], 0.64, rtol=1e-6)


def test_rows_that_are_judged_are_told_from_a_fixed_number_of_others():
    code, partner = codes(600, 2)
    term = Neighbors().module().double().eval()
    whole, part = term(code, partner), term(code[:256], partner[:256])
    assert_close(whole[:256], part)
    assert len(whole) == 600


# What comes with a row


def test_partner_of_a_row_is_one_of_its_own():
    x = torch.arange(40.0)[:, None]
    places = torch.stack([(torch.arange(40) + shift) % 40 for shift in (1, 2, 5)], dim=1)
    rows = RowsOnDevice(Batch(x, partners=places), torch.arange(30))
    noise = torch.Generator().manual_seed(0)
    seen = [set() for _ in range(30)]
    for _ in range(40):
        for batch in IndexBatches(rows, 8, torch.Generator().manual_seed(1), noise):
            shifts = ((batch.partners - batch.x) % 40)[:, 0].tolist()
            for row, shift in zip(batch.x[:, 0].int().tolist(), shifts, strict=True):
                seen[row].add(shift)
    assert all(shifts == {1, 2, 5} for shifts in seen)
    # without a generator always the same, whatever the batches
    fixed = torch.cat([batch.partners for batch in IndexBatches(rows, 7)])
    again = torch.cat([batch.partners for batch in IndexBatches(rows, 30)])
    assert torch.equal(fixed, again)
    assert len({*((fixed - x[:30]) % 40)[:, 0].tolist()}) == 3


class Partners(skorch.callbacks.Callback):
    """Rows and partners of all batches, in a list that copies share."""

    def __init__(self, seen):
        self.seen = seen

    def __deepcopy__(self, memo):
        return self

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.seen.append((training, batch.x.numpy().copy(), batch.partners.numpy().copy()))


def places_of(rows, scaled):
    return cdist(rows, scaled).argmin(axis=1)


def test_partners_are_neighbours_among_the_training_rows():
    seen = []
    estimator = Autoencoder(
        2, penalty=Neighbors(5), skorch_callbacks=[Partners(seen)], **QUICK
    ).fit(FEW)  # fmt: skip
    scaled = (FEW - estimator.mean_) / estimator.scale_
    rows = {
        kind: [np.concatenate([entry[at] for entry in seen if entry[0] is kind]) for at in (1, 2)]
        for kind in (True, False)
    }
    trained = np.unique(places_of(rows[True][0], scaled))
    assert len(trained) == 270
    for kind in (True, False):
        own, partner = (places_of(part, scaled) for part in rows[kind])
        assert {*partner} <= {*trained}
        # a row's own place is among the training rows; distances may be equal
        nearest = NearestNeighbors(n_neighbors=6 if kind else 5).fit(scaled[trained])
        farthest = nearest.kneighbors(scaled[own])[0][:, -1]
        distance = np.linalg.norm(scaled[own] - scaled[partner], axis=1)
        assert (distance <= farthest * (1 + 1e-5)).all()
        assert (own != partner).all()


# The estimator


def test_start_is_pca_and_is_kept_without_training():
    start = Autoencoder(3, penalty="neighbors", max_iter=0).fit(X)
    assert_allclose(np.abs(start.transform(X)), np.abs(PCA(3).fit_transform(X)), atol=1e-4)
    assert start.start_kept_
    with raises_one_line(ValueError, "init='pca' is not possible with penalty="):
        Autoencoder(3, penalty=["neighbors", "l1"], init="pca").fit(FEW)
    assert Autoencoder(3, penalty=["neighbors", "l1"], **QUICK).fit(FEW)._fitted.blueprint.init == (
        "random"
    )


@pytest.fixture(scope="module")
def maps():
    """A plain code and one that keeps neighbours, and the rows that judge."""
    A, B, a, b = train_test_split(X, Y, random_state=0)
    fits = {
        penalty: Autoencoder(2, penalty=penalty, random_state=0).fit(A)
        for penalty in (None, "neighbors")
    }
    return fits, (A, B, a, b)


def test_neighbours_are_kept_and_rows_can_still_be_decoded(maps):
    fits, (A, B, a, b) = maps
    accuracy = {
        penalty: KNeighborsClassifier(5).fit(fit.transform(A), a).score(fit.transform(B), b)
        for penalty, fit in fits.items()
    }
    assert accuracy["neighbors"] > max(0.93, accuracy[None] + 0.03)
    assert fits["neighbors"].score(B) > fits[None].score(B) - 0.03
    assert not fits["neighbors"].start_kept_


def test_map_is_stored_as_arrays(maps):
    fitted = maps[0]["neighbors"]
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(copy.transform(FEW), fitted.transform(FEW))
    assert "neighbors.log_scale" in copy._fitted.weights
    assert not any("neighbors" in name for name, _ in copy.network_.named_parameters())


def test_noise_is_in_units_of_scale_and_a_corruption_stands_in_for_it():
    units = FEW * 100.0  # noise of a tenth of scale_ is another number here
    for rows in (FEW, units):
        made = {**QUICK, "max_iter": 3}
        ours = Autoencoder(2, penalty=Neighbors(noise=0.1), **made).fit(rows)
        noise = GaussianNoise(0.1 * ours.scale_)
        theirs = Autoencoder(2, penalty=Neighbors(), corruption=noise, **made).fit(rows)
        none = Autoencoder(2, penalty=Neighbors(noise=0.0), **made).fit(rows)
        assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
        assert not np.allclose(ours.loss_curve_, none.loss_curve_, rtol=1e-4)


def test_weight_zero_is_no_penalty():
    for max_iter, penalties in {
        "auto": ([Neighbors(weight=0.0)],),
        3: (Neighbors(weight=0.0), [Neighbors(weight=0.0)], [], ()),
    }.items():
        made = {**QUICK, "max_iter": max_iter}
        without = Autoencoder(2, **made).fit(FEW[:60])
        for penalty in penalties:
            fitted = Autoencoder(2, penalty=penalty, **made).fit(FEW[:60])
            assert_array_equal(fitted.loss_curve_, without.loss_curve_)


def test_fits_repeat_and_seeds_differ():
    one, two, other = (
        Autoencoder(2, penalty="neighbors", **QUICK | {"random_state": seed}).fit(FEW)
        for seed in (0, 0, 1)
    )
    assert one.loss_curve_ == two.loss_curve_ != other.loss_curve_


def test_chunks_and_further_fits_go_on():
    chunked = Autoencoder(2, penalty="neighbors", random_state=0)
    for start in range(0, 300, 100):
        chunked.partial_fit(FEW[start : start + 100])
    left = chunked._fitted.weights["neighbors.left"]
    assert chunked.n_samples_seen_ == 300
    warm = Autoencoder(2, penalty="neighbors", warm_start=True, **QUICK).fit(FEW)
    scale = warm._fitted.weights["neighbors.log_scale"]
    warm.fit(FEW)
    assert warm._fitted.weights["neighbors.log_scale"] != scale
    # what the start leaves over is fixed by it
    again = Autoencoder(2, penalty="neighbors", random_state=0).partial_fit(FEW[:100])
    assert again._fitted.weights["neighbors.left"] == left
    with raises_one_line(ValueError, "penalty changed from 'neighbors' to None"):
        warm.set_params(penalty=None).fit(FEW)
    with raises_one_line(ValueError, "penalty changed from None to 'neighbors'"):
        Autoencoder(2, warm_start=True, **QUICK).fit(FEW).set_params(penalty="neighbors").fit(FEW)
    # its weight may change
    warm.set_params(penalty=Neighbors(weight=0.5)).fit(FEW)


@pytest.mark.parametrize("data", [
    np.repeat(FEW[:3], 60, axis=0),
    np.ones((40, 5)),
    np.vstack([FEW, [np.full(64, 1e6)]]),
    FEW[:20],
    FEW[:12],
])  # fmt: skip
def test_equal_lonely_and_few_rows(data):
    fitted = Autoencoder(2, penalty="neighbors", **QUICK).fit(data)
    assert np.isfinite(fitted.transform(data)).all()
    assert np.isfinite(fitted.loss_curve_).all()


def test_weights_of_rows_weigh_their_terms():
    """Rows of weight zero are not there, not even as neighbours."""
    weight = (np.arange(300) % 3 > 0).astype(float)
    one = Autoencoder(2, penalty="neighbors", **QUICK).fit(FEW, sample_weight=weight)
    two = Autoencoder(2, penalty="neighbors", **QUICK).fit(FEW[weight > 0])
    assert_allclose(one.loss_curve_, two.loss_curve_)


@pytest.mark.parametrize("parameters", [
    {"corruption": GaussianNoise(1.0)},
    {"code_activation": "sigmoid"},
    {"loss": "absolute_error"},
    {"penalty": [Neighbors(5), L1(0.01)]},
    {"n_components": 0.7},
    {"n_components": 80},
    {"init": "random"},
    {"early_stopping": False},
    {"whiten": True},
    {"precision": "bfloat16"},
    {"penalty": Neighbors(metric="cosine")},
])  # fmt: skip
def test_it_goes_with_other_parts(parameters):
    fitted = Autoencoder(**{"penalty": Neighbors(), **QUICK, **parameters}).fit(FEW)
    assert np.isfinite(fitted.transform(FEW)).all()
    # a wide code has nothing to gain but neighbours
    assert parameters == {"n_components": 80} or fitted.loss_curve_[-1] < fitted.loss_curve_[0]


def test_log_loss_with_neighbours():
    fitted = Autoencoder(penalty="neighbors", loss="log_loss", **QUICK).fit(FEW / 16)
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]


def test_parameters_of_neighbors_are_searched_over():
    search = GridSearchCV(
        Autoencoder(2, penalty=Neighbors(), **QUICK), {"penalty__weight": [0.1, 1.0]}, cv=2
    ).fit(FEW)
    assert search.best_params_["penalty__weight"] in (0.1, 1.0)
    assert clone(search.best_estimator_).penalty.weight == search.best_params_["penalty__weight"]


def test_names_and_lists():
    assert [type(part).__name__ for part in penalty_parts(["l1", "neighbors", "contractive"])] == [
        "L1", "Neighbors", "Contractive",
    ]  # fmt: skip
    assert penalty_parts(None) == penalty_parts([]) == []
    assert type(penalty_parts("kl_sparsity")[0]).__name__ == "KLSparsity"
    assert make_penalty("neighbors", None) is None
    code = torch.ones(4, 2)
    both = make_penalty([L1(0.5), L1(0.25)], None)
    assert both(None, code, None, None).tolist() == [1.5] * 4


@pytest.mark.parametrize(
    ("penalty", "words"),
    [
        ([Neighbors(), "neighbors"], "holds Neighbors more than once"),
        (["l1", "l3"], "Unknown penalty 'l3'"),
        (Neighbors(0), "'n_neighbors' parameter of Neighbors must be"),
        (Neighbors(metric="hamming"), "'metric' parameter of Neighbors must be"),
        ([Neighbors(weight=-1.0)], "'weight' parameter of Neighbors must be"),
        ([3], "A penalty must be one of"),
        ([Neighbors], "must be an instance; got the class Neighbors"),
        (Neighbors, "must be an instance; got the class Neighbors"),
        ("neighbours", "'penalty' parameter of Autoencoder must be None, a str among .*'l1'"),
    ],
)
def test_bad_penalties_are_refused(penalty, words):
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        Autoencoder(2, penalty=penalty, **QUICK).fit(FEW)
    assert "\n" not in str(caught.value)


def test_batches_of_one_row_are_refused():
    with raises_one_line(ValueError, "batch_size=1 leaves none"):
        Autoencoder(2, penalty="neighbors", batch_size=1, **QUICK).fit(FEW)


def test_a_map_has_no_sparsity():
    assert not hasattr(Autoencoder(2, penalty="neighbors", **QUICK).fit(FEW), "sparsity_")
    both = Autoencoder(2, penalty=["neighbors", "l1"], **QUICK).fit(FEW)
    assert 0 <= both.sparsity_ <= 1


def test_variational_autoencoders_have_no_penalty():
    assert "penalty" not in VariationalAutoencoder().get_params()


def test_automatic_epochs_are_twice_as_many():
    def plan(**parameters):
        estimator = Autoencoder(**parameters)
        rows = Rows(X)
        return Plan(vars(estimator), len(X), estimator._blueprint(rows, 0))

    ours, plain = plan(penalty="neighbors"), plan()
    assert ours.n_iter_no_change == 2 * plain.n_iter_no_change
    assert ours.max_iter == 2 * plain.max_iter == 400
    assert plan(penalty="neighbors", n_iter_no_change=7).n_iter_no_change == 7


class WithoutNoise(Neighbors):
    """A user's own, of before there was noise."""

    def __init__(self, n_neighbors=15, weight=1.0, metric="euclidean"):
        self.n_neighbors, self.weight, self.metric = n_neighbors, weight, metric


def test_subclass_without_noise_has_none():
    ours = Autoencoder(2, penalty=Neighbors(noise=0.0), **QUICK).fit(FEW)
    theirs = Autoencoder(2, penalty=WithoutNoise(), **QUICK).fit(FEW)
    assert_allclose(theirs.loss_curve_, ours.loss_curve_)
