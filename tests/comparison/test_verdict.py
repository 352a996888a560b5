"""Marks and sentences, on tables written by hand."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ae.comparison._measures import MEASURES
from sklearn_ae.comparison._verdict import best_reducers, paired_difference, summarise, verdict


def table(**values):
    """Results with the explained variance of each repeat given by reducer."""
    rows = [
        {"reducer": name, "repeat": repeat, "explained_variance": value, "fit_seconds": 1.0}
        for name, column in values.items()
        for repeat, value in enumerate(column)
    ]
    frame = pd.DataFrame(rows)
    frame["in_sample"] = frame["reducer"] == "tSNE"
    frame["error"] = None
    return frame


def test_summary_is_mean_and_standard_deviation():
    summary = summarise(table(PCA=[0.1, 0.2, 0.6]))
    assert summary.loc["PCA", ("explained_variance", "mean")] == pytest.approx(0.3)
    assert summary.loc["PCA", ("explained_variance", "std")] == pytest.approx(
        np.std([0.1, 0.2, 0.6], ddof=1)
    )


def test_best_is_held_out_and_may_be_shared():
    results = table(PCA=[0.5], A=[0.5], B=[0.4], tSNE=[0.9])
    assert best_reducers(results)["explained_variance"] == ["PCA", "A"]


def test_costs_are_best_when_low():
    results = table(PCA=[0.5], A=[0.5])
    results["fit_seconds"] = [1.0, 3.0]
    assert best_reducers(results)["fit_seconds"] == ["PCA"]


def test_differences_are_paired():
    results = table(PCA=[0.1, 0.5, 0.9], A=[0.12, 0.52, 0.92])
    difference, margin = paired_difference(results, MEASURES[0], "A", "PCA")
    assert difference == pytest.approx(0.02) and margin == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("values", "conclusion", "about"),
    [
        ([0.80, 0.81, 0.82], "PCA is beaten on all", "30.0 points more"),
        ([0.50, 0.51, 0.52], "PCA is enough", "no more of the variance"),
        ([0.30, 0.31, 0.32], "PCA is enough", "20.0 points less"),
        # A gain on average, but less than its spread.
        ([0.40, 0.91, 0.32], "PCA is enough", "no more of the variance"),
    ],
)
def test_verdict_follows_the_numbers(values, conclusion, about):
    sentences = verdict(table(PCA=[0.50, 0.51, 0.52], A=values), "PCA", ["A"])
    assert sentences[0].startswith(conclusion)
    assert about in sentences[-1]


def test_verdict_names_where_pca_wins():
    sentences = verdict(table(PCA=[0.50, 0.51], A=[0.30, 0.31]), "PCA", [])
    assert sentences[1] == "PCA wins on explained variance (0.505; A 0.305)."


def test_verdict_ignores_in_sample_rows():
    sentences = verdict(table(PCA=[0.5], A=[0.4], tSNE=[0.9]), "PCA", [])
    assert sentences[0].startswith("PCA is enough") and "one split" in sentences[1]
    assert "tSNE" not in " ".join(sentences)


def test_verdict_without_pca_or_rivals():
    assert "not among" in verdict(table(A=[0.1]), None, [])[0]
    assert "no reducer" in verdict(table(PCA=[0.1], tSNE=[0.2]), "PCA", [])[0]
