"""Marks and sentences, on tables written by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sklearn_ae.comparison._curve import curve, fewest_components, sentences
from sklearn_ae.comparison._verdict import (
    answers,
    best_reducers,
    corrected_p_value,
    holm,
    rankings,
    recommended,
    summarise,
    verdict,
)

SETTINGS = {
    "rows": 400,
    "features": 9,
    "components": 2,
    "repeats": 3,
    "training rows": 300,
    "test rows": 100,
}


def table(measure="explained_variance", **values):
    """Results with one measure of each repeat given by reducer."""
    rows = [
        {"reducer": name, "repeat": repeat, measure: value, "fit_seconds": 1.0}
        for name, column in values.items()
        for repeat, value in enumerate(column)
    ]
    frame = pd.DataFrame(rows)
    frame["in_sample"] = frame["reducer"] == "tSNE"
    frame["error"] = None
    return frame


def judged(results, pca="PCA", autoencoders=("A",), **changes):
    """The rankings, the answers and the sentences."""
    settings = {**SETTINGS, "repeats": results["repeat"].nunique(), **changes}
    ranked = rankings(results, settings["test rows"] / settings["training rows"])
    found = answers(ranked, pca, list(autoencoders))
    return ranked, found, verdict(ranked, found, settings, pca, list(autoencoders))


def test_summary_is_mean_and_standard_deviation():
    summary = summarise(table(PCA=[0.1, 0.2, 0.6]))
    assert summary.loc["PCA", ("explained_variance", "mean")] == pytest.approx(0.3)
    assert summary.loc["PCA", ("explained_variance", "std")] == pytest.approx(
        np.std([0.1, 0.2, 0.6], ddof=1)
    )


def test_the_corrected_test_is_a_paired_one_with_a_larger_variance():
    differences = np.array([0.02, 0.05, 0.03, 0.06])
    plain = stats.ttest_1samp(differences, 0)
    assert corrected_p_value(differences, 0.0) == pytest.approx(plain.pvalue)
    t = plain.statistic * np.sqrt((1 / 4) / (1 / 4 + 1 / 3))
    assert corrected_p_value(differences, 1 / 3) == pytest.approx(2 * stats.t.sf(t, 3))
    assert corrected_p_value([0.0, 0.0], 1 / 3) == 1
    # equal differences of shares of few rows are no certainty
    assert corrected_p_value([0.025, 0.025], 1 / 3) > 0.05
    assert corrected_p_value([0.3] * 5, 1 / 3) < 1e-6
    assert np.isnan(corrected_p_value([0.1], 1 / 3))


def test_holm_steps_down():
    assert np.allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    assert np.allclose(holm([0.6, 0.5]), [1.0, 1.0]) and len(holm([])) == 0


def test_differences_that_are_none_are_called_real_in_few_of_many_comparisons():
    rng = np.random.default_rng(0)
    n_rows, n_splits, n_tables, false, by_two_errors = 400, 3, 300, 0, 0
    names = ["PCA", "A", "B", "C"]
    for _ in range(n_tables):
        scores = rng.random(size=(4, n_rows)) < 0.8
        tests = [rng.permutation(n_rows)[:100] for _ in range(n_splits)]
        values = {name: [scores[k][test].mean() for test in tests] for k, name in enumerate(names)}
        ranking = rankings(table("knn_accuracy", **values), 1 / 3)["knn_accuracy"]
        false += any(ranking.is_better(a, b) for a in names for b in names if a != b)
        differences = np.subtract(values["A"], values["PCA"])
        error = differences.std(ddof=1) / np.sqrt(n_splits)
        by_two_errors += abs(differences.mean()) > max(2 * error, 0.005)
    assert false <= 0.07 * n_tables
    assert by_two_errors > 0.2 * n_tables  # what a rule without these corrections calls real


def test_best_is_held_out_and_may_be_shared():
    results = table(PCA=[0.5, 0.51, 0.5], A=[0.501, 0.50, 0.50], B=[0.3, 0.31, 0.3], tSNE=[0.9] * 3)
    ranked, *_ = judged(results)
    assert best_reducers(ranked)["explained_variance"] == ["PCA", "A"]


def test_costs_are_best_when_low():
    results = table(PCA=[0.5], A=[0.5])
    results["fit_seconds"] = [1.0, 3.0]
    assert best_reducers(judged(results)[0])["fit_seconds"] == ["PCA"]


@pytest.mark.parametrize(
    ("values", "conclusion", "about"),
    [
        ([0.80, 0.81, 0.82], "An autoencoder is worth it here: A has +0.300 explained variance",
         "A is best (explained variance 0.810), 0.300 above PCA (0.510)"),
        ([0.50, 0.511, 0.52], "PCA is enough", "cannot be told apart"),
        ([0.30, 0.31, 0.32], "PCA is enough", "A, has 0.310, 2nd of 2, 0.200 below PCA (0.510)"),
        # A gain on average, but less than its spread.
        ([0.40, 0.69, 0.45], "PCA is enough", "cannot be told apart"),
        ([0.40, 0.91, 0.40], "Not clear yet: A has +0.060 explained", "cannot be told apart"),
        # Surely more, but by nothing that matters.
        ([0.501, 0.511, 0.521], "PCA is enough", "cannot be told apart"),
    ],
)  # fmt: skip
def test_verdict_follows_the_numbers(values, conclusion, about):
    ranked, found, sentences = judged(table(PCA=[0.50, 0.51, 0.52], A=values))
    assert sentences[0].startswith(conclusion) and about in sentences[1]
    starred = best_reducers(ranked)["explained_variance"]
    assert found[0]["best"] == starred
    assert all(name in sentences[1] for name in starred)


def test_each_aim_names_its_winner_and_the_best_autoencoder():
    results = table(PCA=[0.5, 0.51, 0.5], UMAP=[0.1, 0.11, 0.1], A=[0.7, 0.71, 0.7])
    results["trustworthiness"] = [0.80, 0.81, 0.80, 0.97, 0.98, 0.97, 0.90, 0.91, 0.90]
    _, found, sentences = judged(results, autoencoders=["A"])
    assert "A has +0.200 explained variance and +0.100 trustworthiness over PCA" in sentences[0]
    assert sentences[2] == (
        "To keep the neighbours, UMAP is best (trustworthiness 0.973); the best autoencoder, A, "
        "has 0.903, 2nd of 3, 0.100 above PCA (0.803)."
    )
    assert [row["place"] for row in found] == [1, 2]
    assert sentences[3] == "Time to fit: PCA 1.0 s and A 1.0 s."


def test_one_split_is_not_tested_and_says_so():
    _, _, sentences = judged(table(PCA=[0.5], A=[0.6], tSNE=[0.9]))
    assert "A has +0.100 explained variance" in sentences[0] and "not tested" in sentences[-1]
    assert "tSNE" not in " ".join(sentences)


def test_more_repeats_are_proposed_where_they_could_tell():
    unclear = table(PCA=[0.50, 0.51, 0.52], A=[0.53, 0.51, 0.60])
    assert "more repeats" in judged(unclear)[2][-1]
    clear = table(PCA=[0.50, 0.51, 0.52], A=[0.80, 0.81, 0.82])
    assert "more repeats" not in judged(clear)[2][-1]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rows": 30, "test rows": 8}, "Too few rows to tell: 30 rows leave 8 to judge by"),
        ({"features": 2}, "Nothing to reduce: rows have 2 features and codes 2 components."),
    ],
)
def test_where_there_is_nothing_to_tell(changes, text):
    (sentence,) = judged(table(PCA=[0.5] * 3, A=[0.9] * 3), **changes)[2]
    assert sentence.startswith(text)


def test_noise_has_nothing_to_reduce():
    noise = table(PCA=[-0.01, 0.0, 0.01], A=[-0.02, 0.0, 0.01])
    noise["trustworthiness"] = 0.52
    (sentence,) = judged(noise)[2]
    assert sentence.startswith("Nothing to reduce to 2 components: the best reducer keeps 0.0 %")
    noise["trustworthiness"] = 0.9  # clusters that a map keeps
    assert "Nothing" not in judged(noise)[2][0]


def test_verdict_without_pca_autoencoder_or_rivals():
    results = table(A=[0.1] * 3, B=[0.3] * 3)
    assert "PCA is not among" in judged(results, pca=None)[2][0]
    assert "No autoencoder" in judged(table(PCA=[0.1] * 3, B=[0.3] * 3), autoencoders=[])[2][0]
    assert "no second reducer" in judged(table(PCA=[0.1], tSNE=[0.2]))[2][0]


def test_the_autoencoder_that_serves_most_aims_is_recommended():
    results = table(PCA=[0.5, 0.51, 0.5], A=[0.71, 0.72, 0.71], B=[0.70, 0.715, 0.71])
    results["trustworthiness"] = [0.80, 0.81, 0.80, 0.85, 0.86, 0.85, 0.95, 0.96, 0.95]
    _, _, sentences = judged(results, autoencoders=["A", "B"])
    assert sentences[0].startswith("An autoencoder is worth it here: B has +0.205 explained")
    results = table(PCA=[0.5, 0.51, 0.5], A=[0.71, 0.72, 0.71], B=[0.60, 0.61, 0.60])
    results["trustworthiness"] = [0.80, 0.81, 0.80, 0.85, 0.86, 0.85, 0.95, 0.96, 0.95]
    ranked, found, sentences = judged(results, autoencoders=["A", "B"])
    assert sentences[0] == (
        "An autoencoder is worth it here: A has +0.210 explained variance over PCA; to keep the "
        "neighbours, B is better."
    )
    settings = {**SETTINGS, "repeats": 3}
    assert recommended(ranked, found, settings, "PCA", ["A", "B"]) == "A"
    assert recommended(ranked, found, {**settings, "rows": 20}, "PCA", ["A", "B"]) is None


def curve_table(**kept):
    rows = [
        {"curve": [{"n_components": 4, "explained_variance": b},
                   {"n_components": 8, "explained_variance": c}], "explained_variance": a}
        for a, b, c in kept["PCA"]
    ]  # fmt: skip
    vae = [
        {
            "curve": [
                {"n_components": 4, "explained_variance": 0.8, "log_likelihood": score - 0.5},
                {"n_components": 8, "explained_variance": 0.96, "log_likelihood": score - 0.4},
            ],
            "explained_variance": 0.5,
            "log_likelihood": score - 4,
        }
        for score in (10.0, 10.5, 11.0)
    ]
    return curve({"PCA": rows, "UMAP": [{"explained_variance": 0.1}], "VAE": vae}, 2)


def test_fewest_components_are_those_of_the_mean():
    found = curve_table(PCA=[(0.5, 0.89, 0.999), (0.6, 0.91, 0.999), (0.5, 0.91, 0.999)])
    assert found["reducer"].unique().tolist() == ["PCA", "VAE"]
    assert found.query("reducer == 'PCA'")["n_components"].tolist() == [2] * 3 + [4] * 3 + [8] * 3
    fewest = fewest_components(found)
    assert fewest.loc["PCA", ["90 %", "95 %", "99 %"]].tolist() == [4, 8, 8]
    # the smallest width within one standard error of the best likelihood
    assert fewest.loc["VAE", "log-likelihood"] == 4 and pd.isna(fewest.loc["VAE", "99 %"])
    (sentence,) = sentences(found)
    assert sentence == (
        "Components that keep 90, 95, 99 % of the variance: PCA 4, 8, 8; VAE 8, 8, more than 8 "
        "(by its likelihood 4)."
    )
    assert sentences(curve({"PCA": [{"explained_variance": 0.1}]}, 2)) == []


def test_what_is_told_apart_is_not_called_equal():
    results = table(UMAP=[0.99, 0.70, 0.99], A=[0.85, 0.86, 0.85], PCA=[0.80, 0.81, 0.80])
    ranked, found, sentences = judged(results)
    assert best_reducers(ranked)["explained_variance"] == ["UMAP", "A"] == found[0]["best"]
    assert sentences[1].startswith("To keep the variance, UMAP and A are best and cannot")
    assert sentences[1].endswith("; A is 0.050 above PCA (0.803).")
    assert (found[0]["place"], found[0]["is_gain"]) == (1, True)


def test_losses_are_said_beside_gains():
    results = table(PCA=[0.90] * 3, A=[0.20, 0.21, 0.20], B=[0.90, 0.89, 0.90])
    results["trustworthiness"] = [0.80] * 3 + [0.88, 0.88, 0.89] + [0.80] * 3
    _, _, sentences = judged(results, autoencoders=["B", "A"])
    assert sentences[0] == (
        "An autoencoder is worth it here: A has +0.083 trustworthiness over PCA, but -0.697 "
        "explained variance."
    )


def test_what_another_autoencoder_beats_is_not_recommended():
    results = table(PCA=[0.5, 0.51, 0.5], A=[0.9, 0.7, 0.9], B=[0.81, 0.8, 0.81],
                    C=[0.75, 0.74, 0.75])  # fmt: skip
    assert "here: B has" in judged(results, autoencoders=["C", "B", "A"])[2][0]
    results = table(PCA=[0.5, 0.51, 0.5], A=[0.6, 0.61, 0.6], B=[0.601, 0.611, 0.601])
    assert "here: B has" in judged(results, autoencoders=["A", "B"])[2][0]


@pytest.mark.parametrize(
    ("values", "pca", "autoencoders"),
    [
        ({"A": [0.5] * 3, "B": [0.6] * 3}, "PCA", ["A"]),  # PCA failed
        ({"PCA": [0.5] * 3, "B": [0.6] * 3}, "PCA", []),
        ({"PCA": [0.50, 0.51, 0.52], "A": [0.40, 0.91, 0.40]}, "PCA", ["A"]),  # not clear
    ],
)
def test_without_a_verdict_nothing_is_recommended(values, pca, autoencoders):
    ranked, found, sentences = judged(table(**values), pca=pca, autoencoders=autoencoders)
    settings = {**SETTINGS, "repeats": 3}
    assert recommended(ranked, found, settings, pca, autoencoders) is None
    assert "can be said" in sentences[0] or "Not clear" in sentences[0]


def test_repeats_that_failed_for_one_are_left_out_for_all():
    results = table(PCA=[0.60, 0.50, 0.40, 0.61, 0.51], A=[0.57, 0.47, np.nan, 0.58, 0.48])
    _, found, _ = judged(results)
    (row,) = found
    assert row["best"] == ["PCA"] and row["place"] == 2 and row["is_loss"]
    assert row["gain"] == pytest.approx(row["autoencoder_value"] - row["pca_value"])


def test_the_next_measure_tells_where_downstream_does_not():
    results = table("knn_accuracy", PCA=[0.5, 0.51, 0.5], A=[0.9, 0.91, 0.9])
    results["downstream"] = [0.7, 0.7, 0.7, np.nan, np.nan, np.nan]
    _, found, _ = judged(results)
    assert [row["measure"] for row in found] == ["knn_accuracy"]


def test_sentences_without_pca_are_whole():
    results = table(A=[0.5, 0.51, 0.5], B=[0.5, 0.505, 0.501])
    assert judged(results, pca=None)[2][1] == (
        "To keep the variance, A and B are best and cannot be told apart (explained variance "
        "0.502 to 0.503)."
    )


def test_names_with_commas_stand_in_quotes():
    results = table(**{"PCA": [0.5, 0.51, 0.5], "A, near": [0.9, 0.91, 0.9]})
    sentences = judged(results, autoencoders=["A, near"])[2]
    assert 'here: "A, near" has' in sentences[0] and 'variance, "A, near" is best' in sentences[1]
    assert sentences[2] == 'Time to fit: PCA 1.0 s and "A, near" 1.0 s.'
