"""What `compare` reads and how it prepares it."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from sklearn_ae.comparison import load_data
from sklearn_ae.comparison._data import as_dataset
from sklearn_ae.comparison._prepare import MAX_CATEGORIES, clean_columns, prepare


@pytest.fixture
def mixed():
    n = 40
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row": range(n),
            "width": rng.normal(5, 3, size=n),
            "colour": rng.choice(["red", "green", "blue"], size=n),
            "name": [f"person {i}" for i in range(n)],
            "same": 1.0,
            "day": pd.date_range("2026-01-01", periods=n).to_numpy()[::-1],
            "flag": rng.random(n) > 0.5,
        }
    )
    frame.loc[3, "width"] = np.nan
    frame.loc[4, "colour"] = None
    return frame


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("digits", (1797, 64), 10), ("wine", (178, 13), 3), ("breast_cancer", (569, 30), 2)],
)
def test_named_sets(name, shape, classes):
    data = load_data(name)
    assert data.X.shape == shape and len(np.unique(data.y)) == classes


def test_digits_lie_in_the_unit_interval():
    data = load_data("digits")
    assert (data.X.min(), data.X.max(), data.image_shape) == (0.0, 1.0, (8, 8))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_tables_are_read(mixed, tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
        mixed.to_parquet(path)
    else:
        mixed.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    data = load_data(path, "colour")
    assert list(data.X.columns) == [name for name in mixed.columns if name != "colour"]
    assert list(data.y[:3]) == list(mixed["colour"][:3])


def test_csv_with_semicolons_is_read(mixed, tmp_path):
    mixed.to_csv(tmp_path / "table.csv", sep=";", index=False)
    assert load_data(tmp_path / "table.csv").X.shape == mixed.shape


def test_arrays_are_read(tmp_path):
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2
    np.save(tmp_path / "a.npy", np.column_stack([X, y]))
    np.savez(tmp_path / "b.npz", X=X, y=y)
    for path, target in (("a.npy", "2"), ("a.npy", "-1"), ("b.npz", None), ("b.npz", "y")):
        data = load_data(tmp_path / path, target)
        assert np.array_equal(data.X, X) and np.array_equal(data.y, y)


def test_bytes_are_scaled_to_the_unit_interval():
    data = as_dataset(np.array([[0, 255], [51, 0]], dtype=np.uint8))
    assert np.allclose(data.X, [[0, 1], [0.2, 0]]) and "255" in data.notes[0]


def test_square_non_negative_rows_count_as_images():
    X = np.ones((3, 64)) / 2
    assert as_dataset(X).image_shape == (8, 8)
    assert as_dataset(-X).image_shape is None
    assert as_dataset(X[:, :63]).image_shape is None


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (np.ones((4, 2, 2)), None, ValueError, "Expected 2D array, got 3D"),
        (np.ones(4), None, ValueError, "Expected 2D array, got 1D"),
        (csr_array(np.eye(3)), None, TypeError, "sparse"),
        (np.ones((4, 2)), [0, 1], ValueError, "inconsistent numbers of samples"),
        (np.ones((2, 2)), np.ones((2, 2)), ValueError, "1d array"),
        (np.ones((2, 2), dtype=complex), None, ValueError, "complex"),
    ],
)
def test_bad_arrays(X, y, error, message):
    with pytest.raises(error, match=message):
        as_dataset(X, y)


def test_useless_columns_are_dropped_with_a_note(mixed):
    numeric, categorical, notes = clean_columns(mixed)
    assert list(numeric.columns) == ["width", "day", "flag"]
    assert list(categorical.columns) == ["colour"]
    text = "\n".join(notes)
    assert "'row': a number of the row" in text
    assert "'name': text that differs in every row" in text
    assert "'same': constant" in text


def test_marks_of_missing_numbers_are_understood():
    frame = pd.DataFrame({"a": ["1", "?", "3.5", " 4 ", ""], "b": ["x", "y", "x", "NA", "y"]})
    numeric, categorical, _ = clean_columns(frame)
    assert np.array_equal(numeric["a"], [1, np.nan, 3.5, 4, np.nan], equal_nan=True)
    assert list(categorical["b"]) == ["x", "y", "x", None, "y"]


def test_an_integer_measurement_is_kept():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.permutation(30), "paid": [5, 9, 8, 1, 4] * 6})
    assert list(clean_columns(frame)[0].columns) == ["age", "paid"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan]}), "column 'b' has no values"),
        (pd.DataFrame({"a": [1.0, np.inf]}), "infinity"),
        (pd.DataFrame({"a": [1.0] * 9}), "no usable column"),
        (pd.DataFrame({"a": [f"text {i}" for i in range(9)]}), "no usable column"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "more than once"),
        (pd.DataFrame(index=range(3)), "no usable column"),
    ],
)
def test_bad_tables(frame, message):
    with pytest.raises(ValueError, match=message):
        clean_columns(frame)


def test_a_table_is_prepared_from_training_rows_only(mixed):
    preparation = prepare(as_dataset(mixed), "auto")
    train = np.arange(5, 40)
    X, names = preparation.transform(train)
    assert X.shape == (40, len(names)) and not np.isnan(X).any()
    width = mixed["width"].to_numpy()
    mean, std = width[train].mean(), width[train].std()
    column = X[:, names.index("width")]
    assert np.allclose(column[train], (width[train] - mean) / std)
    # The hole gets the median of the training rows, not that of all rows.
    assert column[3] == pytest.approx((np.median(width[train]) - mean) / std)
    # The missing colour is not among the training rows: it is none of their categories.
    colours = [i for i, name in enumerate(names) if name.startswith("colour")]
    assert len(colours) == 3 and X[4, colours].sum() == 0


def test_rare_categories_are_grouped():
    values = [f"kind {i % 30}" for i in range(200)]
    frame = pd.DataFrame({"kind": values, "x": np.arange(200) % 7})
    X, names = prepare(as_dataset(frame), "auto").transform(np.arange(150))
    assert X.shape[1] == MAX_CATEGORIES + 1
    assert any("infrequent" in name for name in names)


def test_arrays_are_left_as_they_are_unless_asked():
    X = np.random.default_rng(0).normal(3, 5, size=(20, 4))
    assert prepare(as_dataset(X), "auto").transform(np.arange(10))[0] is X
    scaled, _ = prepare(as_dataset(X), "standard").transform(np.arange(10))
    assert np.allclose(scaled[:10].mean(axis=0), 0)
    assert np.allclose(scaled[:10].std(axis=0), 1)


def test_holes_of_an_array_are_imputed():
    X = np.arange(20.0).reshape(10, 2)
    X[9, 0] = np.nan
    preparation = prepare(as_dataset(X), "auto")
    prepared, _ = preparation.transform(np.arange(5))
    assert prepared[9, 0] == np.median(X[:5, 0]) and np.isnan(X[9, 0])
    assert "1 missing value" in preparation.notes[0]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[1.0, np.nan], [2.0, np.nan]]), "column 1 has no values"),
        (np.array([[1.0, np.inf], [2.0, 0.0]]), "infinity"),
        (np.ones((5, 2)), "no usable column"),
        (np.ones((5, 0)), "no usable column"),
    ],
)
def test_bad_values_of_an_array(X, message):
    with pytest.raises(ValueError, match=message):
        prepare(as_dataset(X), "auto")


@pytest.mark.parametrize(
    "content",
    ["a,b\n1,2,9\n3,4,8\n", "a,b\n1,2,9\n3,4\n", "a,b\n1,2\n3,4,8\n"],
)
def test_rows_wider_than_the_header_are_refused(tmp_path, content):
    path = tmp_path / "wide.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"cannot read .*wide.csv: "):
        load_data(path)


def test_commas_at_the_end_of_rows_shift_no_column(tmp_path):
    path = tmp_path / "trailing.csv"
    path.write_text("a,b\n1,2,\n3,4,\n")
    assert load_data(path).X.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_decimal_commas_are_read_where_another_separator_is_used(tmp_path):
    path = tmp_path / "comma.csv"
    path.write_text("a;b;c\n1,5;2,5;x,y\n?;3;z\n-2;,25;w\n")
    frame = load_data(path).X
    assert np.array_equal(frame["a"], [1.5, np.nan, -2.0], equal_nan=True)
    assert frame["b"].tolist() == [2.5, 3.0, 0.25] and frame["c"].tolist() == ["x,y", "z", "w"]


@pytest.mark.parametrize(("header", "noted"), [("1.5,2", True), ("a,2", False)])
def test_a_header_of_numbers_is_noted(tmp_path, header, noted):
    path = tmp_path / "table.csv"
    path.write_text(f"{header}\n1,2\n3,4\n")
    assert ("first row taken as header" in load_data(path).notes) == noted


@pytest.mark.parametrize("name", ["digits", "iris"])
def test_a_folder_does_not_hide_a_named_set(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert load_data(name).name == name
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileNotFoundError, match="it is a folder"):
        load_data("mine")


def test_home_of_nobody_is_one_clear_error():
    with pytest.raises(FileNotFoundError, match=r"cannot read ~nosuchuser/x\.csv"):
        load_data("~nosuchuser/x.csv")


@pytest.mark.parametrize("position", [60, 70, 90, 120, 200])
def test_damaged_compressed_archives_are_one_clear_error(tmp_path, position):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, X=np.random.default_rng(0).normal(size=(50, 4)))
    content = bytearray(path.read_bytes())
    content[position : position + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read .*damaged.npz: "):
        load_data(path)


@pytest.mark.parametrize("method", [99, 12])
def test_unknown_compression_is_one_clear_error(tmp_path, method):
    path = tmp_path / "unknown.npz"
    np.savez(path, X=np.ones((5, 2)))
    content = path.read_bytes()
    local, central = content.index(b"PK\x03\x04") + 8, content.index(b"PK\x01\x02") + 10
    changed = bytearray(content)
    for place in (local, central):
        changed[place : place + 2] = method.to_bytes(2, "little")
    path.write_bytes(changed)
    with pytest.raises(ValueError, match=r"cannot read .*unknown.npz: "):
        load_data(path)


def test_lists_in_a_table_are_refused_by_column():
    frame = pd.DataFrame({"a": [1.0, 2.0], "nested": [np.ones(2), np.ones(2)]})
    with pytest.raises(ValueError, match="column 'nested' holds lists"):
        clean_columns(frame)
    with pytest.raises(ValueError, match="the target holds lists"):
        as_dataset(frame[["a"]], frame["nested"])
