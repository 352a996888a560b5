"""Tables as people have them: how files of text and Excel are read."""

import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest

from sklearn_ae.comparison import load_data
from sklearn_ae.comparison._cells import read_columns, unmarked
from sklearn_ae.comparison._files import OptionError
from sklearn_ae.comparison._head import find_separator
from sklearn_ae.comparison._prepare import prepare, read_frame

KINDS = ["alpha", "beta", "gamma"]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "length": rng.normal(5, 1, size=60).round(2),
            "width": rng.normal(100, 20, size=60).round(1),
            "count": rng.integers(1, 9, size=60),
            "kind": rng.choice(KINDS, size=60),
        }
    )


def assert_reads(path, table, target="kind", **options):
    data = load_data(path, target, **options)
    numbers = data.X[["length", "width", "count"]]
    assert np.allclose(numbers, table[["length", "width", "count"]])
    assert list(data.y) == list(table["kind"])
    return data


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def remarks_of(path, **options):
    """What is said of each column, and the kinds that they have."""
    data = load_data(path, **options)
    columns = prepare(data, "auto").columns
    return {c.name: "; ".join(c.done) for c in columns}, {c.name: c.kind for c in columns}


# ------------------------------------------------------------------ kinds of file


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        ("a.csv", ","),
        ("a.csv", ";"),
        ("a.csv", "\t"),
        ("a.csv", "|"),
        ("a.txt", "\t"),
        ("a.txt", ";"),
        ("a.dat", " "),
        ("a.data", ","),
        ("a.tsv", "\t"),
        ("a.tab", "\t"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_of_several_kinds(tmp_path, table, name, separator, end):
    text = table.to_csv(index=False, sep=separator, lineterminator=end)
    assert_reads(write(tmp_path / name, text), table)


def test_columns_aligned_by_spaces(tmp_path, table):
    text = table.to_string(index=False) + "\n"
    assert_reads(write(tmp_path / "a.txt", text), table)
    assert find_separator(["name\n", "Ada Lovelace\n", "Alan Turing\n"]) == ","


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zip"])
def test_packed_text(tmp_path, table, suffix):
    path = tmp_path / f"a.csv.{suffix}"
    table.to_csv(path, index=False)
    assert_reads(path, table)


def test_an_archive_of_several_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
        archive.writestr("b.csv", "a,b\n1,2\n")
    with pytest.raises(ValueError, match="holds 2 files, not one"):
        load_data(tmp_path / "a.csv.zip")


@pytest.mark.parametrize("opener", [gzip.open, lzma.open])
def test_damaged_packed_text_is_one_clear_error(tmp_path, opener):
    path = tmp_path / ("a.csv.gz" if opener is gzip.open else "a.csv.xz")
    with opener(path, "wb") as file:
        file.write(b"a,b\n" + b"1,2\n" * 1000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"cannot read .*a\.csv"):
        load_data(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_found(tmp_path, table, encoding):
    text = table.rename(columns={"width": "Größe"}).to_csv(index=False)
    data = load_data(write(tmp_path / "a.csv", text, encoding), "kind")
    assert list(data.X.columns) == ["length", "Größe", "count"]
    said = any("text read as" in note for note in data.notes)
    assert said == (not encoding.startswith("utf-8"))
    data = load_data(tmp_path / "a.csv", "kind", encoding=encoding)
    assert list(data.X.columns) == ["length", "Größe", "count"]


def test_excel_is_read_by_the_same_rules(tmp_path, table):
    pytest.importorskip("openpyxl")
    odd = table.astype({"length": object})
    odd.loc[3, "length"] = "n.a."
    odd["day"] = pd.date_range("2026-01-01", periods=60)
    odd["ok"] = np.where(table["count"] > 4, "yes", "no")
    with pd.ExcelWriter(tmp_path / "a.xlsx") as writer:
        odd.to_excel(writer, sheet_name="Data", index=False, startrow=2)
        writer.sheets["Data"].cell(1, 1).value = "Report of May"
        table.to_excel(writer, sheet_name="Other")
    data = load_data(tmp_path / "a.xlsx", "kind")
    assert list(data.X.columns) == ["length", "width", "count", "day", "ok"]
    said, kinds = remarks_of(tmp_path / "a.xlsx", target="kind")
    assert said["length"] == "1 cell taken for missing: 'n.a.' (1)"
    assert (kinds["day"], kinds["ok"]) == ("date", "yes/no")
    assert any("sheet 'Data' read, of 'Data', 'Other'" in note for note in data.notes)
    assert any("'Report of May'" in note for note in data.notes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.feather", r"pd\.read_feather\('a\.feather'\)\.to_csv\('a\.csv'"),
        ("a.jsonl", r"pd\.read_json\('a\.jsonl', lines=True\)"),
        ("a.sav", "SPSS files are not read"),
        ("a.xls", "old Excel"),
        ("a.docx", "unknown kind of file"),
        ("a", "unknown kind of file"),
    ],
)
def test_other_files_are_refused_with_a_way_out(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(ValueError, match=message):
        load_data(tmp_path / name)


# ------------------------------------------------------------------ heads and feet


@pytest.mark.parametrize(
    ("above", "note"),
    [
        ("# from laboratory 3\n# exported in May\n", "2 lines of comment"),
        ("Export of May,,,\nmade by hand\n\n", "2 lines above the table"),
        ("Export of May\n\n", "1 line above the table skipped: 'Export of May'"),
        ("% a comment, with a comma\n", "1 line of comment"),
    ],
)
def test_lines_above_the_table_are_skipped_and_said(tmp_path, table, above, note):
    path = write(tmp_path / "a.csv", above + table.to_csv(index=False))
    data = assert_reads(path, table)
    assert any(text.startswith(note) for text in data.notes)


def test_the_separator_of_the_first_line(tmp_path, table):
    text = "sep=;\n" + table.to_csv(index=False, sep=";")
    assert_reads(write(tmp_path / "a.csv", text), table)


def test_names_in_a_comment(tmp_path, table):
    text = "# of May\n#" + table.to_csv(index=False)
    assert_reads(write(tmp_path / "a.csv", text), table)


@pytest.mark.parametrize("units", ["(cm),(mm),(1),", "cm,mm,pieces,", "[cm],[mm],[-],-"])
def test_a_line_of_units_is_skipped_and_said(tmp_path, table, units):
    head, rest = table.to_csv(index=False).split("\n", 1)
    data = assert_reads(write(tmp_path / "a.csv", f"{head}\n{units}\n{rest}"), table)
    assert any("units" in note for note in data.notes)


def test_a_first_row_of_odd_cells_is_no_line_of_units(tmp_path, table):
    odd = table.astype(object)
    odd.iloc[0, :3] = ["<5", "-", "n.a."]
    data = load_data(write(tmp_path / "a.csv", odd.to_csv(index=False)), "kind")
    assert len(data.X) == len(table)


@pytest.mark.parametrize("target", ["3", "-1", 3, -1])
def test_a_file_without_names(tmp_path, table, target):
    path = write(tmp_path / "a.csv", table.to_csv(index=False, header=False))
    data = load_data(path, target)
    assert data.X.shape == (60, 3) and list(data.y) == list(table["kind"])
    assert list(data.X.columns) == ["column 0", "column 1", "column 2"]
    assert any("no line of names" in note for note in data.notes)
    with pytest.raises(ValueError, match="no column 'kind'; the columns are: column 0"):
        load_data(path, "kind")


@pytest.mark.parametrize(
    ("text", "n_rows"),
    [
        ("0,1,2\n.5,.25,3\n.1,.2,7\n.3,.9,5\n", 3),  # an array's columns are numbered
        ("2001,2002,2003\n.5,.25,3\n.1,.2,7\n.3,.9,5\n", 3),  # years
        ("1.5,2,3\n1.7,2,9\n1.8,4,2\n", 3),
        ("0,1\n1,0\n0,0\n1,1\n", 4),  # a row of an indicator
        ("a,b\nx,y\nu,v\nx,w\n", 3),
        ("red,small\ngreen,small\nred,large\n", 3),  # values that occur again
        ("5,0,0\n0,0,0\n4,0,0\n1,0,9\n", 4),
        ("day,value\n2026-01-01,5\n2026-01-02,6\n", 2),
        ("2026-01-01,5\n2026-01-02,6\n2026-01-03,9\n", 3),
    ],
)
def test_whether_the_first_line_is_a_row(tmp_path, text, n_rows):
    assert len(load_data(write(tmp_path / "a.csv", text)).X) == n_rows


def test_header_says_so_itself(tmp_path):
    path = write(tmp_path / "a.csv", "1.5,2\n1.7,2\n1.8,4\n")
    assert len(load_data(path, header=True).X) == 2
    path = write(tmp_path / "b.csv", "a,b\nc,d\ne,f\n")
    assert len(load_data(path, header=False).X) == 3


def test_rows_with_names_as_r_writes_them(tmp_path, table):
    text = table.to_csv(sep=" ").removeprefix(" ")
    data = assert_reads(write(tmp_path / "a.txt", text), table)
    assert prepare(data, "auto").columns[0].kind == "dropped"


def test_commas_at_the_end_of_lines_shift_no_column(tmp_path, table):
    lines = table.to_csv(index=False).strip().split("\n")
    assert_reads(write(tmp_path / "a.csv", ",\n".join(lines) + ",\n"), table)
    rows = ",\n".join(lines[1:])
    assert_reads(write(tmp_path / "b.csv", f"{lines[0]}\n{rows},\n"), table)


def test_lines_below_the_table_are_skipped_and_said(tmp_path, table):
    text = table.to_csv(index=False) + "\nSource: laboratory 3\n"
    data = assert_reads(write(tmp_path / "a.csv", text), table)
    assert any("below the table skipped: 'Source: laboratory 3'" in note for note in data.notes)


@pytest.mark.parametrize(
    "content",
    ["a,b\n1,2,9\n3,4,8\n5,6,7\n", "a,b\n1,2\n3,4,8\n"],
)
def test_rows_wider_than_the_names_lose_no_cell(tmp_path, content):
    path = write(tmp_path / "wide.csv", content)
    try:
        data = load_data(path)
    except ValueError as error:
        assert f"cannot read {path}" in str(error)
    else:
        assert data.X.shape[1] == 3


def test_two_columns_of_one_name(tmp_path, table):
    text = table.to_csv(index=False).replace("count", "width", 1)
    data = load_data(write(tmp_path / "a.csv", text), "kind")
    assert list(data.X.columns) == ["length", "width", "width (2)"]
    assert any("renamed" in note for note in data.notes)
    with pytest.raises(OptionError, match="target: two columns are called 'width'"):
        load_data(tmp_path / "a.csv", "width")


def test_quoted_cells_with_separators_and_line_breaks(tmp_path):
    text = 'name,note,x\na,"one, two",1\nb,"three\nfour",2\na,five,3\n'
    data = load_data(write(tmp_path / "a.csv", text))
    assert data.X["note"].tolist() == ["one, two", "three\nfour", "five"]


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
def test_an_empty_file_is_one_clear_error(tmp_path, content):
    with pytest.raises(ValueError, match=r"cannot read .*a\.csv"):
        load_data(write(tmp_path / "a.csv", content))


# ------------------------------------------------------------------ cells


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,234.5", "12", "3.25"], [1234.5, 12, 3.25]),
        (["1.234,5", "12", "3,25"], [1234.5, 12, 3.25]),
        (["$1,234", "$ 900", "-$5"], [1234, 900, -5]),
        (["12.345 €", "900 €", "1.234.567 €"], [12345, 900, 1234567]),
        (["5%", "12.5 %", "0%"], [5, 12.5, 0]),
        (["1 234", "12 345 678", "9"], [1234, 12345678, 9]),
        (["1'234.50", "CHF 9", "12"], [1234.5, 9, 12]),
        (["(1,234)", "55.5", "\u22123"], [-1234, 55.5, -3]),
        (["1e3", "2.5E-1", "7"], [1000, 0.25, 7]),
        (["0,5", "0,125", "2"], [0.5, 0.125, 2]),
        (["+5", ".5", "5."], [5, 0.5, 5]),
    ],
)
def test_numbers_with_their_usual_marks(tmp_path, cells, expected):
    text = "a\tb\n" + "".join(f"{cell}\tx\n" for cell in cells)
    data = load_data(write(tmp_path / "a.tsv", text))
    assert np.allclose(data.X["a"], expected)


@pytest.mark.parametrize("text", ["12-34", "030 123 456", "5 kg", "1.2.3", "a1", "--5", "1,2,3"])
def test_what_is_no_number(text):
    assert unmarked(text) is None


@pytest.mark.parametrize(
    "odd", ["-", "n.a.", "#DIV/0!", "<5", "unknown", "1,04", "see note", "inf", "\u2014"]
)
def test_odd_cells_are_missing_counted_and_named(tmp_path, table, odd):
    frame = table.astype({"length": object})
    frame.loc[::15, "length"] = odd
    said, kinds = remarks_of(write(tmp_path / "a.csv", frame.to_csv(index=False)), target="kind")
    assert kinds["length"] == "number"
    assert said["length"] == f"4 cells taken for missing: {odd!r} (4)"


def test_a_column_of_text_with_few_numbers_stays_text(tmp_path, table):
    frame = table.astype({"count": object})
    frame.loc[::5, "count"] = "many"
    _, kinds = remarks_of(write(tmp_path / "a.csv", frame.to_csv(index=False)), target="kind")
    assert kinds["count"] == "category"


@pytest.mark.parametrize(
    ("cells", "separator", "expected", "is_remarked"),
    [
        (["1.234", "2.345"], ";", [1.234, 2.345], True),
        (["12.345 €", "2.345 €"], ";", [12345, 2345], True),
        (["1,234", "2,345"], ";", [1.234, 2.345], True),
        (['"1,234"', '"2,345"'], ",", [1234, 2345], True),
        (["1.234", "2.34"], ",", [1.234, 2.34], False),
        (["0.234", "0.345"], ",", [0.234, 0.345], False),
        (["1234", "2345"], ",", [1234, 2345], False),
    ],
)
def test_what_can_be_read_in_two_ways_is_remarked(
    tmp_path, cells, separator, expected, is_remarked
):
    text = f"a{separator}b\n" + "".join(f"{cell}{separator}x\n" for cell in cells * 10)
    path = write(tmp_path / "a.csv", text)
    assert np.allclose(load_data(path).X["a"], expected * 10)
    assert ("otherwise" in remarks_of(path)[0]["a"]) == is_remarked


def test_other_columns_tell_how_numbers_are_written(tmp_path):
    text = "a;b\n" + "1,234;0,5\n2,345;1,25\n" * 5
    path = write(tmp_path / "a.csv", text)
    assert np.allclose(load_data(path).X["a"], [1.234, 2.345] * 5)
    text = "a;b\n" + "1,234;0.5\n2,345;1.25\n" * 5
    assert np.allclose(load_data(write(tmp_path / "b.csv", text)).X["a"], [1234, 2345] * 5)


@pytest.mark.parametrize(
    "layout",
    [
        "%Y-%m-%d",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%SZ",
        "%d.%m.%Y",
        "%d.%m.%Y %H:%M",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%m/%d/%Y %I:%M %p",
        "%d-%b-%Y",
        "%d %B %Y",
        "%b %d, %Y",
        "%Y/%m/%d",
        "%d.%m.%y",
    ],
)
def test_dates_become_days(tmp_path, table, layout):
    days = pd.date_range("2024-01-10", periods=60, freq="3D")
    frame = table.assign(when=days.strftime(layout))
    frame.loc[7, "when"] = "unknown"
    path = write(tmp_path / "a.csv", frame.to_csv(index=False))
    said, kinds = remarks_of(path, target="kind")
    assert kinds["when"] == "date"
    assert "1 cell taken for missing: 'unknown' (1)" in said["when"]
    assert "days since 1970-01-01" in said["when"] and "could be" not in said["when"]
    values = prepare(load_data(path, "kind"), "auto").frame["when"].to_numpy()
    assert np.allclose(np.delete(values - values[0], 7), np.delete(3.0 * np.arange(60), 7))


def test_dates_that_can_be_read_in_two_ways_are_remarked(tmp_path, table):
    frame = table.assign(when=[f"0{1 + i % 9}/0{1 + i % 7}/2025" for i in range(60)])
    said, _ = remarks_of(write(tmp_path / "a.csv", frame.to_csv(index=False)), target="kind")
    assert "dates are read as month/day/year, but could be day/month/year" in said["when"]


def test_dates_of_a_parquet_file_become_days(tmp_path, table):
    pytest.importorskip("pyarrow")
    frame = table.assign(when=pd.date_range("2024-01-10", periods=60, freq="3D"))
    frame.to_parquet(tmp_path / "a.parquet")
    said, kinds = remarks_of(tmp_path / "a.parquet", target="kind")
    assert kinds["when"] == "date" and said["when"] == "days since 1970-01-01"


@pytest.mark.parametrize("pair", [("yes", "No"), ("Y", "n"), ("TRUE", "false"), ("T", "F")])
def test_yes_and_no_are_one_column(tmp_path, table, pair):
    frame = table.assign(ok=np.where(table["count"] > 4, *pair))
    frame.loc[::6, "ok"] = "unknown"
    path = write(tmp_path / "a.csv", frame.to_csv(index=False))
    said, kinds = remarks_of(path, target="kind")
    assert kinds["ok"] == "yes/no" and "'unknown' (10)" in said["ok"]
    values = prepare(load_data(path, "kind"), "auto").frame["ok"].to_numpy()
    answered = np.arange(60) % 6 != 0
    assert np.array_equal(values[answered] == 1, (table["count"] > 4)[answered])


def test_yes_and_no_of_the_target_stay_labels(tmp_path, table):
    frame = table.assign(ok=np.where(table["count"] > 4, "yes", "no"))
    path = write(tmp_path / "a.csv", frame.to_csv(index=False))
    assert set(load_data(path, "ok").y) == {"yes", "no"}


def test_categories_keep_their_words(tmp_path):
    text = "a,b\n" + "none,1\nunknown,2\nred,3\n-,5\nNA,1\n" * 3
    frame = load_data(write(tmp_path / "a.csv", text)).X
    assert frame["a"].iloc[1:4].tolist() == ["unknown", "red", "-"] and pd.isna(frame["a"].iloc[4])


# ------------------------------------------------------------------ options


def test_columns_are_chosen_by_name_and_place(tmp_path, table):
    path = write(tmp_path / "a.csv", table.to_csv(index=False))
    assert list(load_data(path, "kind", drop=["width"]).X) == ["length", "count"]
    assert list(load_data(path, "kind", features=["count", 0]).X) == ["count", "length"]
    data = load_data(path, "kind", categorical_features=["count"])
    kinds = {column.name: column.kind for column in prepare(data, "auto").columns}
    assert kinds == {"length": "number", "width": "number", "count": "category"}
    assert prepare(data, "auto").transform(np.arange(40))[1][2:4] == ["count_1", "count_2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "knid"}, "target: no column 'knid'; did you mean 'kind'?"),
        ({"target": "Kind"}, "did you mean 'kind'?"),
        ({"target": "9"}, "target: no column '9'; the columns are: length, width"),
        ({"drop": ["lenght"]}, "drop: no column 'lenght'; did you mean 'length'?"),
        ({"features": ["hue"]}, "features: no column 'hue'; the columns are"),
        ({"categorical_features": ["hue"]}, "categorical_features: no column"),
        ({"drop": ["length", "width", "count", "kind"]}, "drop: no column is left"),
        ({"sep": "ab"}, "sep: one character"),
        ({"encoding": "utf-9"}, "encoding: unknown encoding: utf-9"),
        ({"skip_rows": -1}, "skip_rows: "),
    ],
)
def test_options_that_do_not_fit_are_named(tmp_path, table, options, message):
    path = write(tmp_path / "a.csv", table.to_csv(index=False))
    with pytest.raises(OptionError) as caught:
        load_data(path, **options)
    assert message in str(caught.value)


def test_options_of_a_file_are_refused_for_a_named_set():
    with pytest.raises(OptionError, match="sep: the named data set 'iris' is no file"):
        load_data("iris", sep=";")
    assert load_data("iris", drop=["sepal width (cm)"]).X.shape == (150, 3)


def test_values_that_stand_for_none(tmp_path, table):
    frame = table.copy()
    frame.loc[::10, "length"] = -999
    frame["colour"] = np.where(table["count"] > 4, "red", "secret")
    path = write(tmp_path / "a.csv", frame.to_csv(index=False))
    X = load_data(path, "kind", na_values=["-999", "secret"]).X
    assert X["length"].isna().sum() == 6 and X["colour"].isna().sum() == (table["count"] <= 4).sum()
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "a.parquet")
    X = load_data(tmp_path / "a.parquet", "kind", na_values=["-999", "secret"]).X
    assert X["length"].isna().sum() == 6 and X["colour"].isna().sum() == (table["count"] <= 4).sum()
    np.save(tmp_path / "a.npy", frame[["length", "width"]].to_numpy())
    assert np.isnan(load_data(tmp_path / "a.npy", na_values=["-999"]).X).sum() == 6


def test_lines_to_skip_and_a_separator_that_is_given(tmp_path, table):
    text = "x;y\n1;2\n" + table.to_csv(index=False, sep=":")
    path = write(tmp_path / "a.csv", text)
    assert_reads(path, table, sep=":", skip_rows=2)


def test_cells_of_a_column_may_have_types_already():
    column = pd.Series(["1", None, " 2 ", 3.5, np.nan, "-"], dtype=object)
    (reading,) = read_columns([column], ",")
    assert np.array_equal(reading.values, [1, np.nan, 2, 3.5, np.nan, np.nan], equal_nan=True)
    assert reading.remark == "1 cell taken for missing: '-' (1)"


# ------------------------------------------------------------------ what was once read wrongly


def column_of(tmp_path, text, name="a", file="a.csv", **options):
    """A column of a file that is written, and what is said of it."""
    data = load_data(write(tmp_path / file, text), **options)
    return data.X[name], data.remarks.get(name, "")


def test_thousands_beside_small_numbers_go_by_the_file(tmp_path):
    text = "a;k;y\n" + "1.100;0,5;0\n107;1,5;1\n0;2,25;1\n" * 4
    values, _ = column_of(tmp_path, text)
    assert values[:3].tolist() == [1100, 107, 0]


def test_numbers_of_a_sheet_keep_their_values(tmp_path):
    pytest.importorskip("openpyxl")
    frame = pd.DataFrame({"a": [*["1,5"] * 7, *[10.125] * 5], "b": [-999, *range(11)]})
    frame.astype({"a": object}).to_excel(tmp_path / "a.xlsx", index=False)
    X = load_data(tmp_path / "a.xlsx", na_values=["-999"]).X
    assert X["a"].tolist() == [1.5] * 7 + [10.125] * 5
    assert np.isnan(X["b"][0]) and X["b"][1:].tolist() == list(range(11))


@pytest.mark.parametrize("cell", ["-999", "-999,00", "-999 %"])
def test_values_that_stand_for_none_however_they_are_written(tmp_path, cell):
    text = "a;b\n" + f"{cell};x\n" + "1,5;y\n2,5;x\n" * 5
    values, _ = column_of(tmp_path, text, na_values=["-999"])
    assert np.isnan(values[0]) and values[1:3].tolist() == [1.5, 2.5]


def test_places_are_those_of_the_file(tmp_path):
    text = "e,y,b,c\n" + "1.5,p,2.5,3.5\n2.5,q,1.5,4.5\n" * 5
    path = write(tmp_path / "a.csv", text)
    assert list(load_data(path, "y", features=[2]).X) == ["b"]
    assert list(load_data(path, "y", drop=[2]).X) == ["e", "c"]
    for option in ("drop", "features", "categorical_features"):
        with pytest.raises(OptionError, match=f"{option}: column 'y' is the target"):
            load_data(path, "y", **{option: [1]})


def test_thousands_that_are_not_quoted_shift_no_column(tmp_path):
    text = "y,n,price\n" + "0,3,1,234\n1,4,5,678\n" * 5
    with pytest.raises(ValueError, match="more cells than its header"):
        load_data(write(tmp_path / "a.csv", text))


def test_a_quote_that_is_not_closed_is_said(tmp_path):
    rows = [f"{i},x{i % 2},{i % 2}" for i in range(12)]
    rows[3], rows[8] = '3,"x1,1', '8,"x0,0'
    data = load_data(write(tmp_path / "a.csv", "a,b,y\n" + "\n".join(rows) + "\n"))
    assert any("a quote may not be closed" in note for note in data.notes)


def test_short_rows_are_said(tmp_path):
    text = "a,b,c\n" + "1,2,3\n4,5\n6,7,8\n" * 3
    data = load_data(write(tmp_path / "a.csv", text))
    assert "3 rows have fewer cells than columns: their last are taken for missing" in data.notes


@pytest.mark.parametrize("header", [0, None, "no"])
def test_header_is_true_false_or_infer(tmp_path, header):
    with pytest.raises(OptionError, match="header: True, False or 'infer'"):
        load_data(write(tmp_path / "a.csv", "a,b\n1,2\n"), header=header)


@pytest.mark.parametrize("cells", [["10.1.12", "10.2.13"], ["1.2.10", "1.3.11"]])
def test_versions_are_no_dates(tmp_path, cells):
    values, _ = column_of(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in cells * 5))
    assert values.dtype == object


def test_years_of_two_digits_are_remarked(tmp_path):
    _, said = column_of(tmp_path, "a,b\n" + "07.03.60,1\n17.05.85,2\n" * 5)
    assert "years of two digits are read as 1969 to 2068" in said


def test_spellings_of_a_target_are_one(tmp_path):
    text = "a,y\n" + "1.5,Yes\n2.5,no\n3.5,yes\n4.5,NO\n" * 4
    data = load_data(write(tmp_path / "a.csv", text), "y")
    assert set(data.y) == {"yes", "no"} and any("spellings" in note for note in data.notes)


@pytest.mark.parametrize("cells", [["1%", "0.02"], ["$3", "€3"], ["5 %", "5 ‰"]])
def test_units_that_differ_are_remarked(tmp_path, cells):
    _, said = column_of(tmp_path, "a,b\n" + "".join(f"{cell},x\n" for cell in cells * 5))
    assert "several units" in said or "others have none" in said


def test_remarks_on_the_target_are_notes(tmp_path):
    text = "a,y\n" + "".join(f"{i}.5,{i}\n" for i in range(30)) + "1.5,10+\n"
    data = load_data(write(tmp_path / "a.csv", text), "y")
    assert "target 'y': 1 cell taken for missing: '10+' (1)" in data.notes


def test_two_sentinels_are_both_remarked():
    values = np.random.default_rng(0).normal(50, 5, size=200)
    values[::20], values[1::20] = 888, 999
    (column,), _ = read_frame(pd.DataFrame({"a": values}))
    assert [text[:14] for text in column.done] == ["888 occurs 10 ", "999 occurs 10 "]


def test_long_numbers_of_rows_are_no_amounts(tmp_path):
    cells = [str(1234567890123456789 + i**2) for i in range(12)]
    path = write(tmp_path / "a.csv", "id,b\n" + "".join(f"{cell},{i}\n" for i, cell in
                 enumerate(cells)))  # fmt: skip
    assert load_data(path).X["id"].tolist() == cells
    frame = pd.DataFrame({"id": np.array(cells, dtype=np.int64)})
    assert read_frame(frame)[0][0].kind == "dropped"


def test_codes_with_leading_zeros(tmp_path):
    text = "a,b\n" + "01067,1.5\n1067,2.5\n99999,3.5\n" * 4
    values, said = column_of(tmp_path, text)
    assert values[0] == 1067 and "begin with 0" in said
    for by in (["a"], [0]):
        kept = column_of(tmp_path, text, categorical_features=by)[0]
        assert kept.astype(str).tolist()[:2] == ["01067", "1067"]


@pytest.mark.parametrize("row", ["fail,fail,cat", "k.A.,k.A.,cat"])
def test_a_row_of_words_is_no_line_of_units(tmp_path, row):
    text = f"a,b,y\n{row}\n" + "0,2.5,cat\n1,3.5,dog\n" * 12
    assert len(load_data(write(tmp_path / "a.csv", text)).X) == 25


def test_rows_without_values_at_the_end_are_rows(tmp_path):
    text = "land,a,b,y\n" + "".join(f"L{i},1.5,2.5,{i % 2}\n" for i in range(7)) + "L7,,,\nL8,,,\n"
    assert len(load_data(write(tmp_path / "a.csv", text)).X) == 9


def test_cells_and_lines_of_any_length(tmp_path):
    long = "ACGT" * 50_000
    text = "a,b\n" + f"{long},1\n" + "".join(f"x{i},{i}\n" for i in range(9))
    assert load_data(write(tmp_path / "a.csv", text)).X["a"][0] == long


def test_the_target_tells_the_line_of_names(tmp_path):
    text = "Sales report\nGenerated by X, on 2020, again\na,b,y\n" + "1.5,2,0\n2.5,3,1\n" * 6
    data = load_data(write(tmp_path / "a.csv", text), "y")
    assert list(data.X) == ["a", "b"] and len(data.X) == 12
    text = "g1,g1,g2\na,b,y\n" + "1.5,2,0\n2.5,3,1\n" * 6
    assert list(load_data(write(tmp_path / "b.csv", text), "y").X) == ["a", "b"]


@pytest.mark.parametrize(
    "names", ["400.0,402.5,405.0,y", "2012,2015,2020,y", "name,2020,2021,y", "2020,2021,2022,y"]
)
def test_names_that_are_numbers(tmp_path, names):
    first = "p,q" if names.startswith("name") else "0.1,0.5"
    one, two = first.split(",")
    text = f"{names}\n" + f"{one},1.5,3.5,cat\n{two},2.5,4.5,dog\n" * 6
    assert len(load_data(write(tmp_path / "a.csv", text)).X) == 12


def test_spaces_with_a_tab_before_the_last_cell(tmp_path):
    text = "".join(f'{18 + i}.0   8   307.0\t"name of {i % 3}"\n' for i in range(12))
    assert load_data(write(tmp_path / "a.data", text)).X.shape == (12, 4)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1,23,456", 123456), ("15.50-", -15.5), ("R$ 1,100.50", 1100.5), ("5 usd", 5),
     ("1'100.--", 1100), ("Rs. 7", 7)],
)  # fmt: skip
def test_numbers_of_other_countries(tmp_path, cell, value):
    values, _ = column_of(tmp_path, "a\tb\n" + f"{cell}\tx\n2.25\ty\n" * 5, file="a.tsv")
    assert values[0] == value


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["2021-03", "2021-04"], "2021-03-01"),
        (["Mar 2021", "Apr 2021"], "2021-03-01"),
        (["2021-03-01 10:00:00 UTC", "2021-04-01 10:00:00 UTC"], "2021-03-01 10:00"),
        (["01.03.2021", "02.03.2021 14:30"], "2021-03-01"),
    ],
)
def test_further_dates(tmp_path, cells, first):
    values, _ = column_of(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in cells * 5))
    assert values[0] == pd.Timestamp(first)


@pytest.mark.parametrize("name", ["account_balance", "year"])
def test_amounts_are_no_numbers_of_rows(name):
    values = np.arange(1990, 2022) if name == "year" else np.arange(1, 33)[::-1] ** 3
    (column,), _ = read_frame(pd.DataFrame({name: values}))
    assert column.kind == "number"


@pytest.mark.parametrize("names", ["#,name,x", "%fat,name,x", "# id,name,x"])
def test_names_that_begin_with_a_mark_of_comments(tmp_path, names):
    text = f"{names}\n" + "1.5,a,3\n2.5,b,4\n" * 5
    X = load_data(write(tmp_path / "a.csv", text)).X
    assert X.shape == (10, 3) and list(X)[1:] == ["name", "x"]
    assert next(iter(X)) in names


def test_files_are_what_they_hold(tmp_path, table):
    text = table.to_csv(index=False).encode()
    for name in ("a.zip", "a.gz", "a.csv"):
        path = tmp_path / name
        if name == "a.zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a.csv", text)
                archive.writestr(".DS_Store", "x")
        else:
            path.write_bytes(gzip.compress(text))
        assert_reads(path, table)
    with pytest.raises(ValueError, match="it is no text"):
        (tmp_path / "b.csv").write_bytes(b"a,b\n\0\1\2\3\n")
        load_data(tmp_path / "b.csv")


def test_numbers_of_lines_in_messages_are_those_of_the_file(tmp_path):
    text = "# comment\na,b\n" + "1,2\n" * 300 + "1,2,3\n"
    with pytest.raises(ValueError, match="in line 303, saw 3"):
        load_data(write(tmp_path / "a.csv", text))


def test_messages_are_one_line(tmp_path):
    text = '"a\n(kg)",b\n' + "1.5,2\n2.5,3\n" * 5
    with pytest.raises(OptionError) as caught:
        load_data(write(tmp_path / "a.csv", text), "y")
    assert "\n" not in str(caught.value) and "a (kg), b" in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"skip_rows": "2"}, {"sep": 5}, {"encoding": 5}, {"drop": None}, {"na_values": None},
     {"target": ["y"]}],
)  # fmt: skip
def test_options_of_another_type_are_named(tmp_path, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        load_data(write(tmp_path / "a.csv", "a,b\n1.5,2\n2.5,3\n"), **options)


def test_options_without_a_meaning_are_refused(tmp_path, table):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    with pytest.raises(OptionError, match="sep: it has no meaning"):
        load_data(tmp_path / "a.npy", sep=";")


def test_objects_that_are_no_common_type_end_no_run():
    zones = [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-02", tz="UTC")]
    frame = pd.DataFrame(
        {
            "a": pd.Series([1, pd.NA, 2.5] * 2, dtype=object),
            "b": pd.Series([10**400, 1, 2] * 2, dtype=object),
            "c": pd.Series([*zones, *zones, *zones], dtype=object),
        }
    )
    kinds = [column.kind for column in read_frame(frame)[0]]
    assert kinds == ["number", "category", "category"]
