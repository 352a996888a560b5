"""The code that a comparison prints runs as printed and does what the comparison did."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, TruncatedSVD

from sklearn_ae.__main__ import main
from sklearn_ae.comparison import compare, load_data, plain_columns
from sklearn_ae.comparison._code import pipeline_code, recommended_pipeline
from sklearn_ae.comparison._data import as_dataset
from sklearn_ae.comparison._prepare import prepare


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": rng.permutation(80) + 500,
            "price": [f"{value:.2f} €" for value in rng.normal(50, 9, size=80)],
            "kind": rng.choice(["red", "green", "blue"], size=80),
            "when": pd.date_range("2025-03-01", periods=80).strftime("%d.%m.%Y"),
            "ok": rng.choice(["yes", "no"], size=80),
            "it's": rng.normal(size=80),
            "y": rng.choice(["cat", "dog"], size=80),
        }
    )
    frame.loc[3, "price"], frame.loc[5, "kind"], frame.loc[9, "ok"] = "n.a.", None, "unknown"
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def run(code, **names):
    """What the names of the code are after it has run."""
    exec(compile(code, "printed", "exec"), names)
    return names


@pytest.mark.parametrize("scale", ["auto", "none"])
def test_code_for_a_file_makes_the_codes_of_the_comparison(path, scale):
    data = load_data(path, "y", drop=["ok"], na_values=["-1"])
    assert data.call == f"load_data({str(path)!r}, 'y', drop=['ok'], na_values=['-1'])"
    found = run(pipeline_code(data, scale, "pca", 2))
    expected = recommended_pipeline(data, scale, "pca", 2).fit_transform(data.X)
    assert np.allclose(found["codes"], expected)
    prepared, _ = prepare(data, scale).transform(np.arange(80))
    assert np.allclose(found["model"][:-1].transform(found["X"]), prepared)


@pytest.mark.parametrize("key", ["autoencoder", "neighbors", "vae"])
def test_code_for_each_of_the_own_reducers_runs(path, key):
    code = pipeline_code(load_data(path, "y"), "auto", key, 2).replace(
        "random_state=0", "random_state=0, max_iter=1"
    )
    assert run(code)["codes"].shape == (80, 2)


@pytest.mark.parametrize("scale", ["auto", "standard"])
def test_code_for_an_array_that_the_caller_holds(scale):
    X = np.random.default_rng(0).normal(size=(60, 5))
    X[3, 1], X[:, 4] = np.nan, np.nan
    result = compare(X, reducers=["pca"], n_repeats=1, random_state=0, scale=scale)
    assert result.code_ == ""  # with one reducer there is no verdict
    data = as_dataset(X)
    found = run(pipeline_code(data, scale, "pca", 2), X=X)
    assert np.allclose(found["codes"], recommended_pipeline(data, scale, "pca", 2).fit_transform(X))


@pytest.mark.parametrize("change", ["stack", "bytes"])
def test_there_is_no_code_for_what_the_caller_does_not_hold(change):
    X = np.random.default_rng(0).random((60, 8, 8))
    X = X if change == "stack" else (X.reshape(60, 64) * 255).astype(np.uint8)
    result = compare(X, reducers={"PCA": "pca", "t": TruncatedSVD(2)}, n_repeats=1)
    assert result.code_ == "" and result.columns_.empty


@pytest.mark.parametrize("names", [[0, 1, 2, 3, "kind"], ["a", "a", "b", "b", "kind"]])
def test_names_that_are_no_text_or_twice(names):
    frame = pd.DataFrame(load_iris().data).assign(kind=["x", "y", "z"] * 50)
    frame = frame.set_axis(names, axis=1)
    data = as_dataset(frame)
    found = run(pipeline_code(data, "auto", "pca", 2), X=frame)
    prepared, _ = prepare(data, "auto").transform(np.arange(150))
    assert np.allclose(found["codes"], PCA(2, random_state=0).fit_transform(prepared))


def test_a_row_has_one_code_whatever_rows_are_beside_it(path):
    data = load_data(path, "y")
    model = recommended_pipeline(data, "auto", "pca", 2).fit(data.X)
    alone = np.vstack([model.transform(data.X.iloc[[row]]) for row in range(10)])
    assert np.allclose(alone, model.transform(data.X)[:10])


def test_code_is_that_of_all_rows(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    frame.loc[299, "c"] = np.nan
    result = compare(
        frame, reducers={"PCA": "pca", "A": "autoencoder"}, n_repeats=1, max_rows=60,
        n_components=2, random_state=3,
    )  # fmt: skip
    if result.code_:
        run(result.code_, X=frame)
    assert run(pipeline_code(as_dataset(frame), "auto", "pca", 2), X=frame)["codes"].shape[0] == 300


def test_a_named_set_is_loaded_by_its_name():
    data = load_data("iris", drop=["sepal width (cm)"])
    found = run(pipeline_code(data, "auto", "pca", 2))
    assert found["codes"].shape == (150, 2)


def test_plain_columns_learn_nothing(path):
    X = load_data(path, "y").X
    plain = plain_columns(X)
    assert plain["when"][0] == (pd.Timestamp("2025-03-01") - pd.Timestamp("1970-01-01")).days
    assert set(plain["ok"].dropna()) == {0.0, 1.0} and np.isnan(plain["ok"][9])
    pd.testing.assert_frame_equal(plain_columns(X.iloc[40:]), plain.iloc[40:])
    odd = pd.DataFrame({"a": [1.0, np.inf], "b": [[1], [2]]})
    assert plain_columns(odd).columns.tolist() == ["a"] and np.isnan(plain_columns(odd)["a"][1])


def test_the_command_writes_codes_and_model(path, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 1)) * [3.0, 2.0, 1.0] + rng.normal(size=(80, 3)) / 9
    pd.DataFrame(X, columns=list("abc")).assign(y=X[:, 0] > 0).to_csv("line.csv", index=False)
    words = ["compare", "line.csv", "--target", "y", "--n-components", "1", "--seed", "3"]
    words += ["--reducers", "pca,autoencoder", "--repeats", "1", "--quiet"]
    status = main([*words, "--codes", "codes.csv", "--save-model", "model.joblib"])
    text = capsys.readouterr().out
    assert status == 0 and "codes = model.fit_transform(X)" in text
    model, codes = joblib.load("model.joblib"), pd.read_csv("codes.csv", index_col="row")
    data = load_data("line.csv", "y")
    assert np.allclose(model.transform(data.X), codes, atol=1e-6)
    assert np.allclose(clone(model).fit_transform(data.X), codes, atol=1e-6)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "sklearn-ae compare line.csv --target y --n-components 1 --seed 3" in html
    assert "model = make_pipeline(" in html


def test_without_a_verdict_there_is_nothing_to_save(path, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["compare", str(path), "--reducers", "pca", "--repeats", "1", "--quiet", "--no-report"]
    assert main([*words, "--codes", "codes.csv"]) == 1
    assert "cannot write codes.csv: there is no verdict" in capsys.readouterr().err
