"""Cases of `benchmarks/`: cut down, they run on data that need no download."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_wine

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmarks(monkeypatch):
    """The package of the checkout, on the path for one test."""
    monkeypatch.syspath_prepend(ROOT)
    import benchmarks.cases.adbench
    import benchmarks.cases.detector_rules
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
