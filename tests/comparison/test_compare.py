"""The main job itself. Each call starts processes, so the data are tiny and the fits few."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, metrics
from sklearn_ae.comparison import DEFAULT_REDUCERS, compare
from sklearn_ae.comparison._compare import _colours, _drop_rows, _labels
from sklearn_ae.comparison._data import Dataset, as_dataset, load_data
from sklearn_ae.comparison._measure import MemoryMeter, _fit_notes, measure
from sklearn_ae.comparison._reducers import is_ours, pca_of, resolve, seeded
from sklearn_ae.comparison._runner import Job


class Failing(TransformerMixin, BaseEstimator):
    """Raises, ends its process, or returns what is no code, as asked."""

    def __init__(self, how="raise"):
        self.how = how

    def fit(self, X, y=None):
        if self.how == "raise":
            raise RuntimeError("first line\nsecond line")
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "exit":
            sys.exit(3)
        return self

    def transform(self, X):
        return np.full((len(X), 2), np.nan) if self.how == "nan" else np.ones(len(X))


class Greedy(PCA):
    """Holds 200 MiB for a moment while it fits real data."""

    def fit(self, X, y=None):
        if len(X) > 50:
            np.ones(25 * 2**20).sum()
        return super().fit(X)


def sleep_forever(X):
    time.sleep(600)
    return X


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def estimator():
    return PCA(3)


@pytest.fixture(scope="module")
def result(iris, estimator):
    X, y = iris
    reducers = {
        "raises": Failing(),
        "killed": Failing("kill"),
        "PCA": "pca",
        "t-SNE": TSNE(perplexity=100, max_iter=250),
        "mine": estimator,
    }
    return compare(X, y, reducers, n_repeats=2, random_state=0, name="flowers")


def test_results_have_a_row_per_reducer_and_repeat(result):
    table = result.results_
    assert table["reducer"].unique()[0] == "raw data"
    assert len(table) == 2 * 6 and set(table["repeat"]) == {0, 1}


def test_figures_of_pca_are_those_of_the_same_split_here(result, iris):
    X, y = iris
    table = result.results_.query("reducer == 'PCA'").set_index("repeat")
    for repeat, seed in enumerate(result.settings_["seeds"]):
        train, test = train_test_split(
            np.arange(len(X)), test_size=0.25, random_state=seed, stratify=y
        )
        pca = PCA(2, random_state=seed).fit(X[train])
        Z = pca.transform(X[test])
        row = table.loc[repeat]
        assert row["explained_variance"] == pytest.approx(
            metrics.explained_variance_scorer(pca, X[test])
        )
        assert row["trustworthiness"] == pytest.approx(metrics.trustworthiness(X[test], Z))
        assert row["continuity"] == pytest.approx(metrics.continuity(X[test], Z))
        assert row["knn_accuracy"] == metrics.knn_accuracy(
            pca.transform(X[train]), y[train], Z, y[test]
        )
        assert row["kmeans_ari"] == pytest.approx(
            metrics.kmeans_scores(Z, y[test], random_state=seed).ari
        )
        assert row["fit_seconds"] > 0 and row["transform_seconds"] > 0
        assert np.isfinite(row["memory_mib"])


def test_raw_data_are_judged_by_their_labels(result):
    rows = result.results_.query("reducer == 'raw data'")
    assert (rows["knn_accuracy"] > 0.9).all() and rows["explained_variance"].isna().all()


def test_reducer_without_transform_is_in_sample(result):
    rows = result.results_.query("reducer == 't-SNE'")
    assert rows["in_sample"].all() and rows["transform_seconds"].isna().all()
    assert rows["error"].isna().all()
    assert rows[["trustworthiness", "continuity"]].notna().all(axis=None)
    assert "perplexity lowered" in rows["notes"].iloc[0]
    assert not result.results_.query("reducer == 'PCA'")["in_sample"].any()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "RuntimeError: first line"),
        ("killed", "SIGKILL"),
    ],
)
def test_failure_is_one_line_in_its_row_and_the_others_go_on(result, name, reason):
    rows = result.results_.query("reducer == @name")
    assert rows["error"].str.contains(reason, regex=False).all()
    assert not rows["error"].str.contains("\n").any()
    assert result.errors()[name] == rows["error"].iloc[0]
    assert result.results_.query("reducer == 'mine'")["error"].isna().all()


def test_class_defined_in_a_script_without_a_guard_works(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from sklearn.datasets import load_iris\n"
        "from sklearn.decomposition import PCA\n"
        "from sklearn_ae.comparison import compare\n"
        "class Mine(PCA):\n"
        "    pass\n"
        "result = compare(load_iris().data, reducers={'mine': Mine(2)}, n_repeats=1, verbose=0)\n"
        "print('once', result.errors())\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
        timeout=120,
    )
    assert done.stdout == "once {}\n", done.stderr


@pytest.mark.parametrize(("how", "reason"), [("nan", "not finite"), ("1d", r"shape \(30,\)")])
def test_what_is_no_code_is_refused(iris, how, reason):
    X, _ = iris
    with pytest.raises(ValueError, match=reason):
        measure(Failing(how), X[:60], X[60:90], None, 0, MemoryMeter())


def test_process_that_ends_by_itself_is_reported(iris, tmp_path):
    folder = tmp_path / "job"
    job = Job(folder, tmp_path, Failing("exit"), 2, [0])
    np.save(tmp_path / "X.npy", iris[0])
    np.savez(tmp_path / "split_0.npz", train=np.arange(100), test=np.arange(100, 150))
    rows, arrays = job.run(on_repeat=lambda: None)
    assert rows[0]["error"].startswith("its process ended with status 3") and arrays == {}


def test_random_state_fixes_the_seeds(result):
    expected = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)
    assert result.settings_["seeds"] == expected.tolist()


def test_only_unset_seeds_are_set():
    pipeline = make_pipeline(StandardScaler(), PCA(random_state=3), TSNE())
    parameters = seeded(pipeline, 7).get_params()
    assert parameters["pca__random_state"] == 3 and parameters["tsne__random_state"] == 7


def test_table_with_a_target_column_and_a_row_limit():
    frame = load_wine(as_frame=True).frame
    result = compare(frame, "target", ["pca"], max_rows=60, n_repeats=1, random_state=0)
    assert result.settings_["rows"] == 60 and result.settings_["classes"] == 3
    assert any("60 of 178" in note for note in result.notes_)
    assert any("13 numeric columns: standardised" in note for note in result.notes_)


def test_target_of_numbers_is_judged_by_its_r2(iris):
    X, _ = iris
    y = X[:, 0] * 1.5
    result = compare(X, y, ["pca"], n_repeats=1, random_state=0, downstream=Ridge())
    assert result.results_["reducer"].tolist() == ["raw data", "PCA"]
    assert result.results_["knn_accuracy"].isna().all()
    assert result.results_["kmeans_ari"].isna().all()
    rows = np.arange(len(X))
    train, test = train_test_split(
        rows, test_size=0.25, random_state=result.settings_["seeds"][0], stratify=None
    )
    codes = PCA(2, random_state=result.settings_["seeds"][0]).fit(X[train]).transform(X)
    found = result.results_.set_index("reducer").loc["PCA"]
    expected = metrics.knn_r2(codes[train], y[train], codes[test], y[test])
    assert found["knn_r2"] == pytest.approx(expected)
    expected = Ridge().fit(codes[train], y[train]).score(codes[test], y[test])
    assert found["downstream"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("downstream", "y", "error", "message"),
    [
        (Ridge, "label", TypeError, "estimator with fit and score"),
        ("ridge", "label", TypeError, "estimator with fit and score"),
        (Ridge(), "label", ValueError, "downstream should be a classifier"),
        (LogisticRegression(), "number", ValueError, "downstream should be a regressor"),
        (LogisticRegression(), None, ValueError, "downstream needs a target"),
    ],
)
def test_downstream_that_does_not_fit_is_refused(iris, downstream, y, error, message):
    X, labels = iris
    y = {"label": labels, "number": X[:, 0] * 1.5, None: None}[y]
    with pytest.raises(error, match=message):
        compare(X, y, ["pca"], downstream=downstream)


def test_few_rows_of_one_class_are_compared_and_said_to_be_few(iris):
    X, y = iris
    result = compare(pd.DataFrame(X[:10]), y[:10], ["pca", "autoencoder"], n_repeats=1)
    assert result.results_["reducer"].tolist() == ["PCA", "Autoencoder"]
    assert "the target has one value only: codes are not judged by it" in result.notes_
    assert result.verdict_[0].startswith("Too few rows to tell: 10 rows leave 3")
    assert result.columns_.iloc[-1]["done"] == "has one value only"


def test_several_widths_give_a_curve(iris):
    X, y = iris
    result = compare(X, y, ["pca"], n_components=[1, 3, 2], n_repeats=2, random_state=0)
    assert result.settings_["components"] == 1
    assert result.curve_["n_components"].tolist() == [1, 1, 2, 2, 3, 3]
    first = result.curve_.query("n_components == 1")["explained_variance"].tolist()
    assert first == result.results_.query("reducer == 'PCA'")["explained_variance"].tolist()
    seed = result.settings_["seeds"][1]
    train, test = train_test_split(X, test_size=0.25, random_state=seed, stratify=y)
    expected = metrics.explained_variance_scorer(PCA(3).fit(train), test)
    assert result.curve_["explained_variance"].iloc[-1] == pytest.approx(expected)
    assert "Components that keep 90, 95, 99 % of the variance: PCA" in result.verdict_[-1]
    assert len(json.loads(result.to_json())["curve"]) == 6
    assert result.plot_curve() is not None and "Components" in result.to_html()
    with pytest.raises(ValueError, match="n_components=5 must be between 1 and"):
        compare(X, y, ["pca"], n_components=[1, 5])
    for bad in ([], [0, 2], [2.5], "2"):
        with pytest.raises(ValueError, match="'n_components' parameter"):
            compare(X, y, ["pca"], n_components=bad)


class Derived(Autoencoder):
    """A class of the caller's that is an autoencoder of this package."""


def test_pca_and_autoencoders_are_known_wherever_they_are():
    reducers = {
        "wide": PCA(4),
        "scaled": make_pipeline(StandardScaler(), PCA(2)),
        "PCA": "pca",
        "own": Derived(2, max_iter=0),
    }
    assert pca_of(reducers) == "PCA" and is_ours(reducers["own"])
    del reducers["PCA"], reducers["wide"]
    assert pca_of(reducers) == "scaled"


def test_a_width_that_fails_in_a_split_costs_no_other_figure():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    frame["k"] = ["r"] * 29 + ["g"] * 29 + ["x", "z"]
    reducers = {"PCA": "pca", "t": PCA(2)}
    result = compare(frame, None, reducers, n_components=[2, 6], n_repeats=4, random_state=3)
    assert result.results_["explained_variance"].notna().all()
    assert result.results_["error"].isna().all()
    assert result.curve_.query("n_components == 2")["repeat"].tolist() == [0, 1, 2, 3]


def test_likelihoods_are_those_of_all_widths(iris):
    X, _ = iris
    result = compare(X, None, ["pca", "vae"], n_components=[1, 2], n_repeats=1, random_state=0)
    vae = result.curve_.query("reducer == 'VariationalAutoencoder'")
    assert vae["log_likelihood"].notna().all() and len(vae) == 2


def test_several_widths_need_a_default_reducer(iris):
    with pytest.raises(ValueError, match="several widths are for the default reducers"):
        compare(iris[0], None, [PCA(2)], n_components=[2, 3])


def test_infinite_targets_are_missing(iris):
    X, _ = iris
    y = X[:, 0] * 1.5
    y[:3] = np.inf
    result = compare(X, y, ["pca"], n_repeats=1, random_state=0)
    assert result.settings_["rows"] == 147


def test_columns_say_what_was_done(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": rng.permutation(60) + 100,
            "x": rng.normal(size=60).round(2).astype(object),
            "kind": rng.choice(["a", "b"], size=60),
            "when": pd.date_range("2026-01-01", periods=60).strftime("%d.%m.%Y"),
            "y": rng.choice(["cat", "dog"], size=60),
        }
    )
    frame.loc[5, "x"] = "n.a."
    frame.to_csv(tmp_path / "a.csv", index=False)
    result = compare(tmp_path / "a.csv", "y", ["pca"], n_repeats=1, random_state=0)
    columns = result.columns_.set_index("name")
    assert columns["kind"].tolist() == ["dropped", "number", "category", "date", "target"]
    assert columns.loc["x", "done"] == "1 cell taken for missing: 'n.a.' (1)"
    assert columns.loc["x", "missing"] == 1 and columns.loc["y", "range"] == "2 classes: cat, dog"
    assert columns.loc["when", "range"] == "2026-01-01 to 2026-03-01"
    assert json.loads(result.to_json())["columns"][0]["name"] == "id"
    html = result.to_html()
    assert "<h3>Columns</h3>" in html and "n.a." in html


def test_rows_without_a_label_are_left_out(iris):
    X, y = iris
    y = y.astype(float)
    y[:10] = np.nan
    data, kept = _drop_rows(as_dataset(X, y), None, np.random.RandomState(0))
    assert np.array_equal(data.X, X[10:]) and np.array_equal(data.y, y[10:])
    assert data.notes == ("10 rows without a label left out",)
    assert kept.tolist() == list(range(10, 150))


def test_memory_is_that_of_the_fit(result):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    table = compare(X, reducers={"greedy": Greedy(2)}, n_repeats=2, random_state=0).results_
    assert table["memory_mib"].between(150, 320).all()
    assert (result.results_.query("reducer == 'PCA'")["memory_mib"] < 100).all()


def test_memory_meter_forgets_earlier_peaks():
    if not sys.platform.startswith("linux"):
        pytest.skip("peaks can be reset on Linux only")
    meter = MemoryMeter()
    np.ones(25 * 2**20).sum()
    high = meter.read()
    meter.restart()
    assert high > 150 and meter.read() < high - 100


def test_user_data_and_estimators_are_left_alone(result, iris, estimator):
    assert np.array_equal(iris[0], load_iris().data)
    assert not hasattr(estimator, "components_") and estimator.random_state is None


def test_default_reducers_can_be_extended():
    mine = PCA(1)
    assert list(resolve(None)) == list(DEFAULT_REDUCERS)
    assert resolve({**DEFAULT_REDUCERS, "mine": mine})["mine"] is mine
    named = resolve(["pca", "t-SNE", TSNE()])
    assert list(named) == ["PCA", "t-SNE", "TSNE"] and named["t-SNE"] == "tsne"


@pytest.mark.parametrize(
    ("reducers", "error", "message"),
    [
        (["pca", "nonsense"], ValueError, "unknown reducer 'nonsense'"),
        ({"a": PCA}, TypeError, "estimator instance"),
        ({"raw data": "pca"}, ValueError, "taken"),
        ([], ValueError, "no reducer"),
    ],
)
def test_bad_reducers(reducers, error, message):
    with pytest.raises(error, match=message):
        resolve(reducers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter"),
        ({"n_components": 2.0}, "'n_components' parameter"),
        ({"n_components": 5}, "n_components=5 must be between 1 and"),
        ({"n_repeats": 0}, "'n_repeats' parameter"),
        ({"test_size": 1.5}, "'test_size' parameter"),
        ({"max_rows": 1}, "'max_rows' parameter"),
        ({"scale": "maybe"}, "'scale' parameter"),
        ({"image_shape": (3, 3)}, "does not fit 4 features"),
        ({"image_shape": "2x2"}, "must be ints (height, width)"),
        ({"image_shape": 4}, "must be ints (height, width)"),
        ({"image_shape": (2.0, 2)}, "must be ints (height, width)"),
        ({"image_shape": (2, 2, 1)}, "with 1 or 3 channels. Got (2, 2, 1) instead"),
        ({"X": np.ones((1, 4))}, "1 sample"),
        ({"X": np.ones((20, 2, 2, 1, 1))}, "Expected 2D array"),
        ({"y": [f"id {i}" for i in range(150)]}, "it is no label"),
        ({"y": "species"}, "not a DataFrame"),
        ({"X": "no_such_set"}, "neither a file nor a named data set"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(iris, changes, message):
    arguments = {"X": iris[0], "reducers": ["pca"], "random_state": 0} | changes
    with pytest.raises(ValueError, match=re.escape(message)):
        compare(**arguments)


def test_interrupt_ends_the_process_and_leaves_no_files(iris, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    from sklearn.preprocessing import FunctionTransformer

    # a shell starts what it runs in the background with the signal ignored
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    start = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            compare(iris[0], reducers={"slow": FunctionTransformer(sleep_forever)}, verbose=0)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, former)
    assert time.perf_counter() - start < 60
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "target_names", "shown"),
    [
        ([3, 5, 9], None, ["3", "5", "9"]),
        ([0, 2], ("zero", "one", "two"), ["zero", "two"]),
        ([0, 7], ("zero", "one"), ["0", "7"]),
        ([-1, 1], ("zero", "one"), ["-1", "1"]),
        ([1.0, 4.0], None, ["1", "4"]),
        (["b", "a"], None, ["b", "a"]),
    ],
)
def test_classes_keep_their_names(values, target_names, shown):
    y = np.array(values * 6)
    data = Dataset(np.ones((len(y), 2)), y, target_names=target_names)
    labels, classes = _labels(data)
    assert set(labels) == set(range(len(values)))
    assert _colours(labels, classes, np.arange(len(values))).tolist() == shown


def test_names_follow_the_numbers_where_a_class_is_absent(iris):
    data = load_data("iris")
    rows = data.y != 0
    data = Dataset(data.X[rows], data.y[rows], target_names=data.target_names)
    result = compare(data, reducers=["pca"], n_repeats=1, random_state=0, verbose=0)
    assert set(result._colours) == {"versicolor", "virginica"}


@pytest.mark.parametrize(
    ("n_classes", "n_rows", "is_class"),
    [(40, 400, True), (90, 400, False), (2000, 10000, False)],
)
def test_whole_numbers_are_classes_up_to_a_fifth_of_the_rows(n_classes, n_rows, is_class):
    y = np.arange(n_rows) % n_classes
    assert (_labels(Dataset(np.ones((n_rows, 1)), y))[1] is not None) == is_class


def test_reducers_of_one_name_are_numbered():
    resolved = resolve([PCA(2), PCA(3), "pca"])
    assert list(resolved) == ["PCA", "PCA (2)", "PCA (3)"]
    assert resolved["PCA (2)"].n_components == 3 and resolved["PCA (3)"] == "pca"
    assert list(resolve({1: "pca", "1": "tsne"})) == ["1", "1 (2)"]


def test_integers_of_numpy_are_written_as_json(iris):
    result = compare(
        iris[0],
        reducers=["pca"],
        n_components=np.int64(2),
        n_repeats=np.int32(1),
        max_rows=np.int64(40),
        random_state=np.int64(3),
        verbose=0,
    )
    settings = json.loads(result.to_json())["settings"]
    assert (settings["components"], settings["repeats"], settings["rows"]) == (2, 1, 40)
    assert settings["random state"] == 3


def test_labels_of_a_data_set_can_be_replaced():
    wine = load_data("wine")
    y = np.arange(len(wine.X)) % 2
    result = compare(wine, y, ["pca"], n_repeats=1, random_state=0, verbose=0)
    assert result.settings_["classes"] == 2 and set(result._colours) == {"0", "1"}


def test_images_that_lost_pixels_are_not_drawn():
    pytest.importorskip("matplotlib")
    frame = pd.DataFrame(np.random.default_rng(0).random((40, 16)))
    frame[3] = 0.5
    result = compare(
        frame, reducers=["pca"], n_repeats=1, image_shape=(4, 4), random_state=0, verbose=0
    )
    assert "not shown as images: 15 features are left of 16" in result.notes_
    assert len(result.plot_reconstructions().axes[0].get_xticklabels()) == 15


def test_too_many_components_name_the_dropped_columns():
    frame = pd.DataFrame({"a": np.arange(20) ** 2 / 7, "same": 1.0})
    with pytest.raises(ValueError, match=r"n_components=2 must be .*dropped 'same': constant"):
        compare(frame, reducers=["pca"], verbose=0)


@pytest.mark.parametrize(
    ("attributes", "notes"),
    [
        ({"start_kept_": False}, []),
        ({"start_kept_": True, "n_iter_": 9}, ["training brought no gain on validation rows"]),
        ({"start_kept_": True, "n_iter_": 0}, ["too few rows to train"]),
        ({"start_kept_": True, "n_iter_": 0, "max_iter": 0}, ["max_iter=0, not trained"]),
    ],
)
def test_why_the_start_was_kept_is_told_truly(attributes, notes):
    model = PCA()
    vars(model).update(attributes)
    assert _fit_notes(model) == [f"{note}: PCA start kept" for note in notes]
