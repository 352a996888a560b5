"""What `compare` reads and how it prepares it."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from sklearn_ae.comparison import load_data
from sklearn_ae.comparison._data import as_dataset
from sklearn_ae.comparison._prepare import MAX_CATEGORIES, prepare, read_frame


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
        (np.ones((4, 2, 2, 2, 2)), None, ValueError, "Expected 2D array, got 5D"),
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
    columns, _ = read_frame(mixed)
    kinds = {column.name: column.kind for column in columns}
    assert kinds == {
        "row": "dropped",
        "width": "number",
        "colour": "category",
        "name": "dropped",
        "same": "dropped",
        "day": "date",
        "flag": "yes/no",
    }
    text = "\n".join(prepare(as_dataset(mixed), "auto").notes)
    assert "'row': a number of the row" in text
    assert "'name': text that differs in every row" in text
    assert "'same': constant" in text


def test_types_of_a_frame_are_taken_at_their_word():
    frame = pd.DataFrame({"a": ["1", "2", "3"] * 3, "b": pd.Categorical([1, 2, 3] * 3)})
    columns, _ = read_frame(frame)
    assert [column.kind for column in columns] == ["category", "category"]
    assert list(columns[0].values[:3]) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "number"),
        ([decimal.Decimal("1.5"), decimal.Decimal(2), None], "number"),
        ([True, None, False], "yes/no"),
        ([datetime.date(2026, 1, 1), None, datetime.date(2026, 1, 5)], "date"),
        ([1, "a", 2.5], "category"),
        (pd.period_range("2026-01", periods=3, freq="M"), "date"),
        (pd.to_timedelta([1, 2, 5], unit="D"), "number"),
    ],
)
def test_kinds_of_what_objects_hold(values, kind):
    (column,), _ = read_frame(pd.DataFrame({"a": pd.Series(list(values), dtype=object)}))
    assert column.kind == kind or (kind == "date" and column.kind == "category")
    (column,), _ = read_frame(pd.DataFrame({"a": values}))
    assert column.kind == kind


def test_an_integer_measurement_is_kept():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.permutation(30), "paid": [5, 9, 8, 1, 4] * 6})
    columns, _ = read_frame(frame)
    assert [column.kind for column in columns] == ["number", "number"]
    assert "differs in every row" in columns[0].done[0] and not columns[1].done


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("PassengerId", True),
        ("id", True),
        ("customer_id", True),
        ("UUID", True),
        ("Sample code number", True),
        ("account", True),
        ("Account No.", True),
        ("Unnamed: 0", True),
        ("grid", False),
        ("width", False),
        ("paid", False),
    ],
)
def test_numbers_of_rows_are_dropped_by_their_name(name, dropped):
    values = np.random.default_rng(0).permutation(40) * 7 + 1000
    (column,), _ = read_frame(pd.DataFrame({name: values}))
    assert (column.kind == "dropped") == dropped
    assert any("differs in every row" in text for text in column.done)
    (column,), _ = read_frame(pd.DataFrame({name: values % 5}))
    assert column.kind == "number"


@pytest.mark.parametrize("value", [-999, 9999, 0])
def test_repeated_values_far_from_the_rest_are_remarked(value):
    values = np.random.default_rng(0).normal(1000, 100, size=200)
    assert not read_frame(pd.DataFrame({"a": values}))[0][0].done
    values[::20] = value
    (column,), _ = read_frame(pd.DataFrame({"a": values}))
    assert column.done[0].startswith(f"{value} occurs 10 times, far from the rest")
    assert column.values.min() == min(value, values.min())  # a remark, and nothing changed


def test_an_indicator_has_no_sentinel():
    frame = pd.DataFrame({"a": [0] * 90 + [1] * 10, "b": [0, 1, 2, 3] * 25})
    assert not any(column.done for column in read_frame(frame)[0])


def test_unusable_columns_end_no_run(mixed):
    odd = mixed.assign(
        empty=np.nan,
        lists=[np.ones(2)] * len(mixed),
        complex=np.ones(len(mixed)) * 1j,
        far=np.where(np.arange(len(mixed)) < 3, np.inf, np.arange(len(mixed)) ** 0.5),
    )
    odd = pd.concat([odd, mixed[["flag"]]], axis=1)
    preparation = prepare(as_dataset(odd), "auto")
    columns = {column.name: column for column in preparation.columns}
    assert columns["empty"].done == ("no values",) and columns["lists"].done == ("it holds lists",)
    assert columns["complex"].done == ("complex numbers",)
    assert columns["far"].kind == "number" and columns["far"].missing == 3
    assert columns["far"].done == ("3 cells taken for missing: 'inf' (3)",)
    assert "flag (2)" in columns and any("renamed" in note for note in preparation.notes)
    X, _ = preparation.transform(np.arange(30))
    assert np.isfinite(X).all()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1.0] * 9}), "no usable column: dropped 'a': constant"),
        (pd.DataFrame({"a": [np.nan] * 9}), "no usable column: dropped 'a': no values"),
        (pd.DataFrame({"a": [f"text {i}" for i in range(9)]}), "no usable column"),
        (pd.DataFrame(index=range(3)), "no usable column: the table has no columns"),
    ],
)
def test_bad_tables(frame, message):
    with pytest.raises(ValueError, match=message):
        prepare(as_dataset(frame), "auto")


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


def test_what_no_number_is_in_an_array_is_missing():
    X = np.arange(40.0).reshape(10, 4) % 7
    X[2, 0], X[:, 1] = np.inf, np.nan
    preparation = prepare(as_dataset(X), "auto")
    prepared, _ = preparation.transform(np.arange(3, 10))
    assert prepared[2, 0] == np.median(X[3:, 0]) and not prepared[:, 1].any()
    assert preparation.notes[:2] == [
        "1 infinite values taken for missing",
        "no values in column 1: zero throughout",
    ]


@pytest.mark.parametrize("X", [np.ones((5, 2)), np.ones((5, 0)), np.full((5, 2), np.nan)])
def test_an_array_without_a_usable_column(X):
    with pytest.raises(ValueError, match="no usable column"):
        prepare(as_dataset(X), "auto")


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


def test_a_target_of_lists_is_refused():
    with pytest.raises(ValueError, match="the target holds lists"):
        as_dataset(pd.DataFrame({"a": [1.0, 2.0]}), pd.Series([np.ones(2), np.ones(2)]))


@pytest.mark.parametrize(
    ("shape", "expected", "n_features"),
    [
        ((20, 8, 6), (8, 6), 48),
        ((20, 8, 6, 3), (3, 8, 6), 144),
        ((20, 3, 8, 6), (3, 8, 6), 144),
        ((20, 8, 6, 1), (8, 6), 48),
        ((20, 8, 6, 4), None, 192),
        ((20, 5, 8, 6), None, 240),
    ],
)
def test_stacks_of_images_have_the_shape_of_the_array(tmp_path, shape, expected, n_features):
    X = np.random.default_rng(0).random(shape)
    np.save(tmp_path / "images.npy", X)
    np.savez(tmp_path / "images.npz", images=X, labels=np.arange(20) % 2)
    for name in ("images.npy", "images.npz"):
        data = load_data(tmp_path / name)
        assert data.image_shape == expected and data.X.shape == (20, n_features)
    if shape == (20, 8, 6, 3):  # a row is the channels one after the other
        assert np.array_equal(data.X[0], np.moveaxis(X[0], 2, 0).ravel())
