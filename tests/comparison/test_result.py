"""What a result can be turned into."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae.comparison import compare
from sklearn_ae.comparison._text import print_table

VAE = VariationalAutoencoder(2, hidden_layer_sizes=(8,), max_iter=0)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    reducers = {"<b>PCA</b>": "pca", "t-SNE": "tsne", "wide": PCA(5)}
    return compare(
        X[:300] / 16, y[:300], reducers, n_repeats=2, random_state=0, name="<i>digits</i> & co"
    )


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 5)), columns=list("abcde"))
    return compare(frame, reducers=["pca"], n_components=1, n_repeats=1, random_state=0)


def test_csv_round_trip(digits, tmp_path):
    path = tmp_path / "results.csv"
    text = digits.to_csv(path)
    assert path.read_text() == text
    back = pd.read_csv(io.StringIO(text), keep_default_na=True)
    assert list(back.columns) == list(digits.results_.columns)
    numbers = digits.results_.select_dtypes("float").columns
    pd.testing.assert_frame_equal(back[numbers], digits.results_[numbers])


def test_json_round_trip(digits, tmp_path):
    path = tmp_path / "results.json"
    digits.to_json(path)
    content = json.loads(path.read_text())
    assert content["verdict"] == digits.verdict_
    assert content["settings"]["seeds"] == digits.settings_["seeds"]
    assert len(content["results"]) == len(digits.results_)
    expected = digits.summary_.loc["<b>PCA</b>", ("explained_variance", "mean")]
    assert content["summary"]["<b>PCA</b>"]["explained_variance"]["mean"] == pytest.approx(expected)
    assert content["summary"]["t-SNE"]["explained_variance"]["mean"] is None


def test_plain_table_has_all_rows_marks_and_the_verdict(digits, capsys):
    print_table(digits)
    text = capsys.readouterr().out
    assert text.strip() == repr(digits).strip()
    for name in digits.summary_.index:
        assert re.search(f"^{re.escape(name)}", text, re.MULTILINE)
    assert "t-SNE †" in text and " *" in text and digits.verdict_[0] in text


def test_rich_table_has_all_rows(digits, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    print_table(digits)
    text = capsys.readouterr().out
    assert all(name in text for name in digits.summary_.index)
    assert digits.verdict_[0] in text


def test_markup_in_names_is_shown_as_it_is(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    X = np.random.default_rng(0).normal(size=(20, 3))
    reducers = {"[red]PCA[/red]": "pca", "[/]": "pca"}
    result = compare(X, None, reducers, n_repeats=1, name="[b]data[/b]", verbose=0)
    print_table(result)
    text = capsys.readouterr().out
    assert "[red]PCA[/red]" in text and "[/] " in text and "[b]data[/b]" in text
    html = result.to_html()
    assert "[red]PCA[/red]" in html


def test_dollar_signs_in_names_are_no_formula():
    pytest.importorskip("matplotlib")
    X = np.random.default_rng(0).normal(size=(20, 3))
    result = compare(X, None, {"$\\nosuch{$": "pca"}, n_repeats=1, verbose=0)
    assert result.to_html().count("data:image/png") > 0


def test_preparation_is_told_below_the_table(table):
    assert table.notes_ and all(note in repr(table) for note in table.notes_)


def test_notebook_shows_the_table(digits):
    html = digits._repr_html_()
    assert "explained variance" in html and "&lt;b&gt;PCA" in html


def test_report_is_one_file_that_needs_no_network(digits, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "report.html"
    html = digits.to_html(path)
    assert path.read_text(encoding="utf-8") == html
    assert re.findall(r"https?://|//[a-z]+\.", html) == []
    assert re.findall(r"<(?:link|iframe)\b|<script[^>]* src", html) == []
    sources = re.findall(r"(?:src|srcset)=\"([^\"]{,30})", html)
    # maps, reconstructions, decoded codes and measures, light and dark; ten rows and what was made
    assert len(sources) == 8 + 20
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_report_escapes_names_and_shows_all(digits):
    pytest.importorskip("matplotlib")
    html = digits.to_html()
    assert "<b>PCA" not in html and "&lt;b&gt;PCA" in html
    assert "<i>digits" not in html
    assert "in-sample" in html and "scikit-learn" in html
    assert '<td class="failed"' not in html


def test_figures_have_a_panel_per_reducer_and_measure(digits):
    pytest.importorskip("matplotlib")
    visible = [ax for ax in digits.plot_maps().axes if ax.get_visible()]
    assert [ax.get_title() for ax in visible] == ["<b>PCA</b>", "t-SNE (in-sample)", "wide"]
    bars = [ax for ax in digits.plot_metrics().axes if ax.get_visible()]
    assert len(bars) == len(digits.measures())
    # The data and two reducers with an inverse, a row of the montage each.
    (montage,) = digits.plot_reconstructions().axes
    labels = [label.get_text() for label in montage.get_yticklabels()]
    assert labels == ["data", "<b>PCA</b>", "wide"]


def test_codes_between_those_of_rows_are_decoded(digits):
    pytest.importorskip("matplotlib")
    grid, paths = (digits._codes[name]["decoded"] for name in ("<b>PCA</b>", "wide"))
    assert grid.shape == (8, 8, 64) and paths.shape == (5, 9, 64)
    # a plane of two components, and straight lines through one point
    assert np.linalg.matrix_rank(grid.reshape(64, 64) - grid[0, 0], tol=1e-4) == 2
    assert np.linalg.matrix_rank(paths.reshape(45, 64) - paths[0, 4], tol=1e-4) == 5
    titles = [ax.get_title() for ax in digits.plot_decoded_codes().axes if ax.get_visible()]
    assert titles == ["<b>PCA</b>", "wide"]


def test_course_of_each_fit_of_ours():
    pytest.importorskip("matplotlib")
    X = load_digits().data[:120] / 16
    short = Autoencoder(2, hidden_layer_sizes=(8,), max_iter=3)
    reducers = {"PCA": "pca", "piped": make_pipeline(StandardScaler(), short), "vae, unfitted": VAE}
    result = compare(X, reducers=reducers, n_repeats=1, random_state=0)
    (ax,) = [ax for ax in result.plot_loss_curves().axes if ax.get_visible()]
    assert ax.get_title() == "piped"
    assert len(ax.lines[0].get_xdata()) == 3
    # The grid is in the units of the data, behind the steps of the pipeline.
    assert result._codes["piped"]["decoded"].mean() == pytest.approx(X.mean(), abs=0.1)
    # That of a VAE goes through the quantiles of its prior, highest at the top.
    grid = result._codes["vae, unfitted"]["decoded"]
    assert grid.shape == (8, 8, 64) and np.ptp(grid[:, 0], axis=0).max() > 0
    assert result.to_html().count("<picture") == 5


class OnlyCodesSeen(PCA):
    """PCA that cannot decode more rows than it was judged on."""

    def inverse_transform(self, X):
        if len(X) != 40:
            raise KeyError("unknown code")
        return super().inverse_transform(X).round() > 0


def test_a_figure_that_fails_costs_no_measure():
    pytest.importorskip("matplotlib")
    X = load_digits().data[:160]
    options = {"n_repeats": 1, "random_state": 0, "image_shape": np.array([8, 8])}
    result = compare(X, reducers={"frail": OnlyCodesSeen(2), "last": PCA(2)}, **options)
    assert result.errors() == {}
    (note,) = result.results_.query("reducer == 'frail'")["notes"]
    assert "not shown: 'unknown code'" in note
    assert result._codes["frail"]["reconstruction"].dtype == np.float64
    (ax,) = [ax for ax in result.plot_decoded_codes().axes if ax.get_visible()]
    assert ax.get_title() == "last"
    json.loads(result.to_json())


def test_no_codes_are_decoded_of_a_table_and_no_course_drawn_without_ours(table):
    pytest.importorskip("matplotlib")
    assert table.plot_decoded_codes() is None and table.plot_loss_curves() is None
    assert "Codes decoded" not in table.to_html()


def test_figures_of_a_table_with_one_component(table):
    pytest.importorskip("matplotlib")
    assert len(table.plot_maps().axes[0].collections) == 1
    labels = table.plot_reconstructions().axes[0].get_xticklabels()
    assert sorted(label.get_text() for label in labels) == list("abcde")


def test_results_without_any_success_have_a_report():
    pytest.importorskip("matplotlib")
    X = np.random.default_rng(0).normal(size=(40, 3))
    result = compare(X, reducers={"wide": PCA(7)}, n_repeats=1, random_state=0)
    assert "n_components=7" in result.errors()["wide"]
    assert "failed: ValueError" in result.to_html() and "failed" in repr(result)
    assert json.loads(result.to_json())["results"][0]["explained_variance"] is None
    with pytest.raises(ValueError, match="every reducer failed"):
        result.plot_maps()
