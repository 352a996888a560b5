"""Cases of `benchmarks/`: cut down, they run on data that need no download."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

from sklearn_ae import Autoencoder

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmarks(monkeypatch):
    """The package of the checkout, on the path for one test."""
    monkeypatch.syspath_prepend(ROOT)
    import benchmarks.cases.adbench
    import benchmarks.cases.detector_rules
    import benchmarks.cases.fit_cost
    import benchmarks.cases.schedule
    import benchmarks.cases.seed_recipe
    import benchmarks.harness

    return benchmarks


@pytest.mark.parametrize("protocol", ["one-class", "contaminated"])
@pytest.mark.parametrize("group", ["ours", "scikit-learn"])
def test_adbench_has_a_figure_of_every_detector(group, protocol, benchmarks, monkeypatch):
    case = benchmarks.cases.adbench
    X, y = load_wine(return_X_y=True)
    monkeypatch.setattr(case, "labelled_table", lambda name: (X, (y == 2).astype(int)))
    cell = {"data": "adbench/InternetAds", "seed": 1, "method": group, "protocol": protocol}
    found = case.run(cell, benchmarks.harness.Options(smoke=True))["detectors"]
    if group == "scikit-learn":
        assert set(found) == set(case.drawn(cell, case.SKLEARN))
        assert found.pop("EllipticEnvelope") == {"error": case.NOT_TRIED}
    else:
        assert {case.DEFAULT, *(f"{case.DEFAULT}, {name}" for name in case.OTHER_SCORES)} < set(
            found
        )
    assert all(0.5 < figures["auroc"] <= 1 for figures in found.values())


@pytest.mark.parametrize("protocol", ["one-class", "contaminated"])
def test_protocols_share_no_row_but_where_they_are_to(protocol, benchmarks):
    X = np.arange(40.0)[:, None]
    y = (X[:, 0] >= 30).astype(int)
    train, test, labels = benchmarks.cases.adbench.by_protocol(X, y, protocol, 0)
    if protocol == "one-class":
        assert (len(train), len(test), labels.sum()) == (15, 25, 10)
        assert not np.isin(train, test).any()
    else:
        assert test is train and len(train) == 40 and labels.sum() == 10
    np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-12)


@pytest.mark.parametrize("protocol", ["one-class", "contaminated"])
def test_detector_rules_has_a_figure_of_every_rule(protocol, benchmarks):
    case = benchmarks.cases.detector_rules
    cell = {"data": "iris", "seed": 0, "method": "all", "protocol": protocol}
    areas = case.run(cell, benchmarks.harness.Options(smoke=True))["areas"]
    assert {*case.CHANGES, *case.OTHERS, case.DEFAULT} <= set(areas)
    assert all(0.5 < area <= 1 for area in areas.values())


def test_a_followed_fit_is_the_same_and_fast(benchmarks):
    X = load_digits().data[:600]
    curve = benchmarks.cases.seed_recipe.TestCurve(X[:500], X[500:])
    shared = {"max_iter": 8, "batch_size": 32, "random_state": 0}
    plain = Autoencoder(4, **shared).fit(X[:500])
    curve.start()
    followed = Autoencoder(4, **shared, skorch_callbacks=[curve]).fit(X[:500])
    np.testing.assert_array_equal(followed.transform(X), plain.transform(X))
    assert followed.validation_scores_ == plain.validation_scores_
    assert not followed.net_.watches_batches and "after_step" not in vars(followed.net_)
    # the start, and 14 steps in each of 8 epochs
    moments, errors = zip(*curve.points, strict=True)
    assert len(moments) == 1 + 8 * 14 // benchmarks.cases.seed_recipe.STEPS_BETWEEN
    assert moments == tuple(sorted(moments)) and moments[-1] < curve.taken()
    start = Autoencoder(4, max_iter=0).fit(X[:500])
    np.testing.assert_allclose(errors[0], np.square(X[500:] - start.reconstruct(X[500:])).mean())
    assert errors[-1] < errors[0]


def test_fit_cost_has_the_goal_of_the_best_peer(benchmarks, monkeypatch):
    case = benchmarks.cases.fit_cost
    X = load_digits().data.astype(np.float32)
    X = (X - X.mean(axis=0)) / X.std()
    monkeypatch.setattr(case, "rows", lambda *arguments: (X[:200], X[200:300]))
    monkeypatch.setattr(case, "Remote", Absent)
    cell = {"data": "images 8x8", "seed": 0, "method": case.TURNS, "n_rows": 200}
    found = case.run(cell, benchmarks.harness.Options(smoke=True))
    assert found["Keras"] == {"not_available": "no peers"}
    peers = [found[name]["explained_variance"] for name in case.SKLEARN]
    assert found["goal"] == pytest.approx(max(peers))
    # the start does better than two epochs from random weights
    assert found["goal"] < found["PCA"]["explained_variance"]
    assert found["Autoencoder"]["until_s"] == pytest.approx(
        found["Autoencoder"]["curve"][0][0], abs=1e-4
    )
    (row, *_), _ = case.tables([line_of(cell, found)]).values()
    assert row["note"] == "no peers" and row["Keras (s)"] == "never"


class Absent:
    """Peers whose environment is missing."""

    def __init__(self, *arguments, **named):
        raise RuntimeError("no peers")


def line_of(cell, figures):
    """Result line of a cell."""
    settings = {key: cell[key] for key in cell if key not in ("data", "seed", "method")}
    return {**cell, "settings": settings, "figures": figures}


def test_a_goal_is_reached_on_the_way_or_at_the_end(benchmarks):
    found = {
        "Autoencoder": {"fit_s": 4.0, "error": 0.4, "curve": [[1.0, 0.6], [2.0, 0.45]]},
        "Keras": {"fit_s": 9.0, "error": 0.5, "curve": [[3.0, 0.6], [6.0, 0.5], [8.0, 0.7]]},
        "MLPRegressor": {"fit_s": 2.0, "error": 0.7, "curve": [[2.0, 0.7]]},
    }
    shares = benchmarks.cases.fit_cost.in_shares(found, 2.0)
    assert shares["goal"] == 0.75
    until = {name: one["until_s"] for name, one in shares["networks"].items()}
    assert until == {"Autoencoder": 2.0, "Keras": 6.0, "MLPRegressor": None}
    found["Autoencoder"]["curve"].pop()
    shares = benchmarks.cases.fit_cost.in_shares(found, 2.0)
    assert shares["networks"]["Autoencoder"]["until_s"] == 4.0


def test_a_goal_that_is_passed_is_to_be_kept(benchmarks):
    case = benchmarks.cases.fit_cost
    found = {
        "Autoencoder": {"fit_s": 4.0, "error": 0.7, "curve": [[1.0, 0.4]]},
        "MLPRegressor": {"fit_s": 2.0, "error": 0.5, "curve": [[2.0, 0.5]]},
    }
    (ours, peer) = case.in_shares(found, 2.0)["networks"].values()
    assert ours["passed_s"] == 1.0 and ours["until_s"] is None
    assert case.when(ours) == "not kept, passed at 1"
    assert case.when(peer) == 2.0


def test_schedule_compares_every_method_with_the_default(benchmarks, monkeypatch):
    case = benchmarks.cases.schedule
    X = load_wine().data
    monkeypatch.setattr(case, "rows", lambda name: (X, np.arange(len(X))))
    lines = []
    for method in case.METHODS:
        cell = {"data": "parkinsons", "seed": 0, "method": method, "n_components": 2}
        found = case.run(cell, benchmarks.harness.Options(smoke=True))
        assert found["n_rows"] == 99 and found["cpu_s"] > 0
        lines.append(line_of(cell, found))
    summary, sets, times = case.tables(lines).values()
    assert [row["method"] for row in summary] == list(case.METHODS)
    assert len(sets) == len(times) == 1
    assert sets[0]["PCA"] == pytest.approx(lines[0]["figures"]["pca"])
    # a set that a method does not have yet is in no mean
    assert len(case.tables(lines[1:])) == 2


def test_methods_of_schedule_change_what_they_name(benchmarks):
    from sklearn_ae._fitting.plan import Plan
    from sklearn_ae._fitting.rows import Rows

    case = benchmarks.cases.schedule
    X = load_digits().data
    found = case.methods(X)
    blueprint = Autoencoder()._blueprint(Rows(X), 0)

    def plan(method):
        return Plan(Autoencoder(**found[method]).get_params(), len(X), blueprint)

    default, before = plan(case.DEFAULT), plan(case.BEFORE)
    # half a thousandth at each step, and the same bound, which is no longer one
    assert before.weight_decay == pytest.approx(5e-4)
    assert before.max_iter == default.max_iter and default.is_bound and not before.is_bound
    rate = default.learning_rate_init
    assert plan("learning_rate_init x 2").learning_rate_init == pytest.approx(2 * rate)
    assert plan("learning_rate_init x 0.5").learning_rate_init == pytest.approx(rate / 2)
    assert plan("batch_size x 2").batch_size == 2 * default.batch_size
    assert found["noise of 0.1"]["corruption"].scale == pytest.approx(
        0.1 * Autoencoder(max_iter=0).fit(X).scale_
    )
