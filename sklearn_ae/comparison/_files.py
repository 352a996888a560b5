"""Files of rows: text of several kinds, Excel, Parquet and arrays, read as they are written."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import os
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_ae.comparison._cells import (
    Conventions,
    could_be_thousands,
    missing_cells,
    read_column,
)
from sklearn_ae.comparison._head import (
    COMMENTS,
    SPACES,
    Record,
    find_head,
    find_separator,
    lines_of,
    records,
    skip_comments,
)

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
EXCEL_SUFFIXES = (".xlsx", ".xlsm")
ARRAY_SUFFIXES = (".npy", ".npz")
OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
PACKED = (*OPENERS, ".zip")
SUFFIXES = (*TEXT_SUFFIXES, *EXCEL_SUFFIXES, ".parquet", *ARRAY_SUFFIXES)
KINDS = "CSV, TSV, TXT, DAT, DATA, Excel, Parquet, NPY and NPZ"
# What other files are, and what makes a table of one in Python.
CONVERTERS = {
    ".feather": ("Feather", "pd.read_feather({})"),
    ".arrow": ("Arrow", "pd.read_feather({})"),
    ".jsonl": ("JSON lines", "pd.read_json({}, lines=True)"),
    ".ndjson": ("JSON lines", "pd.read_json({}, lines=True)"),
    ".json": ("JSON", "pd.read_json({})"),
    ".xls": ("old Excel", "pd.read_excel({})"),
    ".xlsb": ("binary Excel", "pd.read_excel({})"),
    ".ods": ("OpenDocument", "pd.read_excel({})"),
    ".orc": ("ORC", "pd.read_orc({})"),
    ".html": ("HTML", "pd.read_html({})[0]"),
    ".xml": ("XML", "pd.read_xml({})"),
    ".sas7bdat": ("SAS", "pd.read_sas({})"),
    ".xpt": ("SAS", "pd.read_sas({})"),
    ".dta": ("Stata", "pd.read_stata({})"),
    ".sav": ("SPSS", "pd.read_spss({})"),
    ".pkl": ("Pickle", "pd.read_pickle({})"),
    ".pickle": ("Pickle", "pd.read_pickle({})"),
    ".h5": ("HDF5", "pd.read_hdf({})"),
    ".hdf5": ("HDF5", "pd.read_hdf({})"),
    ".arff": ("ARFF", "pd.DataFrame(scipy.io.arff.loadarff({})[0])"),
    ".mat": ("MATLAB", "pd.DataFrame(scipy.io.loadmat({})['X'])"),
}
# Characters that the head of a file is found in, and bytes that are looked at together.
HEAD_CHARACTERS, CHUNK = 400_000, 2**22
HEAD_LINES = 200
# Lines at the end of a file that may be none of the table.
MOST_FOOT_LINES = 5
# What the readers raise on a damaged file.
READ_ERRORS = (
    ValueError,
    OSError,
    EOFError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    csv.Error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


class OptionError(ValueError):
    """An option that does not fit the data: ``option`` says which in Python's words."""

    def __init__(self, option, message):
        super().__init__(f"{option}: {message}")
        self.option, self.message = option, message


@dataclass(frozen=True)
class Options:
    """What is said of a file that it does not say itself.

    Parameters
    ----------
    header : bool or "infer"
        Whether a line of names stands above the rows of a text or Excel file.

    sep, encoding : str or None
        Of a text file.

    na_values : tuple of str
        Cells that stand for missing values.

    skip_rows : int
        Lines at the top of a text or Excel file that are left out.
    """

    header: bool | Literal["infer"] = "infer"
    sep: str | None = None
    encoding: str | None = None
    na_values: tuple[str, ...] = ()
    skip_rows: int = 0


def first_line(error):
    """First line of an exception's message, or its type where it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def suffix_of(path):
    """What a file is by its name, that of its content where it is packed."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = [suffix for suffix in suffixes[-1:] if suffix in PACKED]
    if packed and len(suffixes) > 1 and suffixes[-2] in TEXT_SUFFIXES:
        return suffixes[-2]
    return suffixes[-1] if suffixes else ""


def refuse(path):
    """Raise, with what to do about it where that is known."""
    suffix = suffix_of(path)
    if suffix in CONVERTERS:
        kind, reader = CONVERTERS[suffix]
        written = path.with_suffix(".csv").name
        raise ValueError(
            f"cannot read {path}: {kind} files are not read; convert it in Python: "
            f"{reader.format(repr(path.name))}.to_csv({written!r}, index=False)"
        )
    raise ValueError(f"cannot read {path}: unknown kind of file ({KINDS} are read)")


def read_table(path, options, target, as_text=()):
    """A table, what is to be said of it, and of its columns by their names.

    Parameters
    ----------
    path : Path
        Of a text, Excel or Parquet file.
    options : Options
        How to read it.
    target : str or None
        A column that is looked for.
    as_text : tuple of str
        Columns that are categories whatever is in them.
    """
    suffix = suffix_of(path)
    try:
        if suffix == ".parquet":
            frame = pd.read_parquet(path)
            return _without_marks(frame, options.na_values), [], {}
        if suffix in EXCEL_SUFFIXES:
            return _read_excel(path, options, target, as_text)
        return _read_text(path, options, target, as_text)
    except ImportError as error:
        extra, kind = ("excel", "Excel") if suffix in EXCEL_SUFFIXES else ("compare", "Parquet")
        raise ImportError(
            f"cannot read {path}: pip install 'sklearn-ae[{extra}]' for {kind} files"
        ) from error
    except OptionError:
        raise
    except READ_ERRORS as error:
        raise ValueError(f"cannot read {path}: {first_line(error)}") from error


def _without_marks(frame, na_values):
    """A table without the values that stand for none."""
    if not na_values:
        return frame
    return frame.mask(frame.astype(object).map(lambda value: _is_one_of(value, na_values)))


def _is_one_of(value, marks):
    """Whether a value is one of the marks, as text or as a number."""
    if isinstance(value, int | float | np.number):
        return any(_as_number(mark) == value for mark in marks)
    return str(value).strip() in marks


def _as_number(text):
    try:
        return float(text)
    except ValueError:
        return None


# ---------------------------------------------------------------------- text


def _open(path):
    """A file as bytes, unpacked."""
    suffix = path.suffix.lower()
    if suffix != ".zip":
        return OPENERS.get(suffix, open)(path, "rb")
    archive = zipfile.ZipFile(path)
    names = [name for name in archive.namelist() if not name.endswith("/")
             and not name.startswith("__MACOSX")]  # fmt: skip
    if len(names) != 1:
        raise ValueError(f"the archive holds {len(names)} files, not one")
    return archive.open(names[0])


def find_encoding(path):
    """How a text is encoded: UTF-8, what its first bytes say, or else Windows' cp1252."""
    with _open(path) as file:
        first = file.read(CHUNK)
        marks = (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF32_LE, "utf-32"),
            (codecs.BOM_UTF32_BE, "utf-32"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        )
        for mark, encoding in marks:
            if first.startswith(mark):
                return encoding
        zeros = [first[start:2000:2].count(0) for start in (0, 1)]
        if max(zeros) > len(first[:2000]) / 8:  # of the Latin letters in two bytes one is zero
            return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while first:
                decoder.decode(first)
                first = file.read(CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _read_text(path, options, target, as_text):
    encoding, notes = options.encoding, []
    if encoding is None:
        encoding = find_encoding(path)
        if not encoding.startswith("utf-8"):
            notes.append(f"text read as {encoding}")
    with _as_text(path, encoding) as file:
        n_skipped, separator, head, said = _find_head(file, path, options, target)
    notes += [*said, *head.notes]
    names = unique_names(head.names, target, notes)
    with _as_text(path, encoding) as file:
        for _ in range(n_skipped + head.n_lines):
            file.readline()
        frame = _read_rows(file, separator, names, options)
    frame, more = _without_foot(frame)
    some = _some_rows(path, encoding, n_skipped + head.n_lines, separator)
    frame, remarks = _typed(frame, separator, options.na_values, target, as_text, some)
    return frame, [*notes, *more], remarks


def _as_text(path, encoding):
    # undefined bytes of an encoding that was only guessed must not end the run
    errors = "replace" if encoding == "cp1252" else "strict"
    return io.TextIOWrapper(_open(path), encoding=encoding, errors=errors, newline="")


def _find_head(file, path, options, target):
    """Lines skipped, separator, `Head`, and notes."""
    for _ in range(options.skip_rows):
        file.readline()
    n_skipped, notes, separator = options.skip_rows, [], options.sep
    text = _first_lines(file)
    first, *others = lines_of(text) or [""]
    if first.lower().startswith("sep=") and len(first.strip("\r\n")) == 5:
        separator = separator or first[4]
        notes.append(f"first line {first.strip()!r} taken for the separator")
        text, n_skipped = "".join(others), n_skipped + 1
    n_comments = skip_comments(text)
    lines = lines_of(text)
    rest = "".join(lines[n_comments:])
    if separator is None:
        separator = "\t" if suffix_of(path) in (".tsv", ".tab") else find_separator(rest or text)
    elif separator in (" ", r"\s+", "whitespace"):
        separator = SPACES
    named = _names_in_comment(lines[:n_comments], rest, separator)
    n_said = n_comments - (named is not None)
    filled = [line.strip() for line in lines[:n_said] if line.strip()]
    if filled:
        shown = ", ".join(repr(line[:60]) for line in filled[:2])
        number = f"{len(filled)} line{'s' if len(filled) > 1 else ''}"
        notes.append(f"{number} of comment skipped: {shown}")
    if named is not None:
        rest, n_comments = named + rest, n_comments - 1
    head = find_head(records(rest, separator), options.header, target)
    return n_skipped + n_comments, separator, head, notes


def _names_in_comment(comments, rest, separator):
    """The last line of comment without its mark where it holds the names of the columns."""
    if not comments or not comments[-1].strip():
        return None
    line = comments[-1].lstrip()
    for mark in COMMENTS:
        line = line.removeprefix(mark)
    below = [record for record in records(rest, separator) if any(record.cells)]
    (names,) = records(line.strip(), separator) or [None]
    if not below or names is None or len(names.cells) < 2:
        return None
    return line if all(len(record.cells) == len(names.cells) for record in below[:5]) else None


def _first_lines(file):
    """The first lines of a text, whole ones."""
    text = file.read(HEAD_CHARACTERS)
    if len(text) == HEAD_CHARACTERS:
        text += file.readline()
    return "".join(lines_of(text)[:HEAD_LINES])


def _some_rows(path, encoding, n_before, separator):
    """Cells of the first rows as they are written, column by column."""
    with _as_text(path, encoding) as file:
        for _ in range(n_before):
            file.readline()
        found = [record.cells for record in records(_first_lines(file), separator)]
    width = max(map(len, found), default=0)
    return [[cells[place] for cells in found if len(cells) > place] for place in range(width)]


def _read_rows(file, separator, names, options):
    with warnings.catch_warnings():
        # Cells beyond the header would be lost; without index_col they would shift the others.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                file,
                sep=separator,
                header=None,
                names=names,
                skipinitialspace=True,
                low_memory=False,
                index_col=False,
                na_values=[*options.na_values, "?"],
            )
        except pd.errors.ParserWarning as error:
            raise ValueError("its rows have more cells than its header") from error


def unique_names(names, target, notes):
    """Names of columns, each different, and those that are missing filled in."""
    if target is not None and list(names).count(str(target)) > 1:
        raise OptionError("target", f"two columns are called {str(target)!r}")
    taken, found = set(names), []
    for place, name in enumerate(names):
        new, number = str(name) or f"Unnamed: {place}", 2
        if new in found:
            while f"{new} ({number})" in taken:
                number += 1
            notes.append(f"a second column {new!r} renamed to '{new} ({number})'")
            new = f"{new} ({number})"
            taken.add(new)
        found.append(new)
    return found


def _without_foot(frame):
    """A table without empty rows, and without lines of words below it."""
    notes, empty = [], frame.isna().all(axis=1).to_numpy()
    if empty.any() and frame.shape[1] > 1:
        frame = frame[~empty].reset_index(drop=True)
        notes.append(f"{int(empty.sum())} empty rows left out")
    n_foot = 0
    if frame.shape[1] > 2:
        for row in range(len(frame) - 1, max(len(frame) - 1 - MOST_FOOT_LINES, 0), -1):
            cells = frame.iloc[row]
            if cells.notna().sum() != 1 or not isinstance(cells.iloc[0], str):
                break
            n_foot += 1
    if n_foot:
        shown = ", ".join(repr(text[:60]) for text in frame.iloc[-n_foot:, 0].head(2))
        notes.append(f"{n_foot} line{'s' if n_foot > 1 else ''} below the table skipped: {shown}")
        frame = frame.iloc[:-n_foot]
    return frame, notes


# ---------------------------------------------------------------------- columns


def _typed(frame, separator, na_values, target, as_text, some=()):
    """A table whose columns are what their cells say, and what is to be said of them."""
    is_text = {name: _is_text(column) for name, column in frame.items()}
    texts = [frame[name].astype(object).map(str, na_action="ignore")
             for name, found in is_text.items() if found]  # fmt: skip
    has_points = any(
        types.is_float_dtype(column)
        and any("." in text and not could_be_thousands(np.ones(1), [text, text]) for text in cells)
        for (_, column), cells in zip(frame.items(), some, strict=False)
    )
    conventions = Conventions(texts, separator, has_points)
    columns, remarks = {}, {}
    for place, (name, column) in enumerate(frame.items()):
        keeps, remark = name in as_text, ""
        is_target = str(target) in (name, str(place), str(place - frame.shape[1]))
        if is_text[name] or keeps:
            text = _as_written(column) if keeps else column
            text = text.mask(text.astype(object).map(lambda v: _is_one_of(v, na_values)))
            column, remark = read_column(text, conventions, keeps, is_target)
        elif types.is_float_dtype(column):
            column, found = without_infinity(column)
            if place < len(some) and not conventions.has_points:
                values = column.to_numpy(dtype=np.float64, na_value=np.nan)
                if could_be_thousands(values, some[place]):
                    example = next(text for text in some[place] if text)
                    text = f"{example!r} is read as {float(example):g}, but could be read otherwise"
                    found = [text, *found]
            remark = "; ".join(found)
        columns[name] = column
        if remark:
            remarks[name] = remark
    return pd.DataFrame(columns, index=frame.index), remarks


def _is_text(column):
    is_typed = (types.is_numeric_dtype, types.is_bool_dtype, types.is_datetime64_any_dtype)
    return not any(check(column) for check in is_typed)


def _as_written(column):
    """Numbers as text, whole ones without a fraction."""

    def text(value):
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value)) if whole else str(value)

    return column.astype(object).map(text, na_action="ignore")


def without_infinity(column):
    """A column with infinite values missing, and a remark on these in a list."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    if not infinite.any():
        return column, []
    remarks = missing_cells(f"{value:g}" for value in values[infinite])
    return column.mask(infinite), remarks


# ---------------------------------------------------------------------- Excel


def _read_excel(path, options, target, as_text):
    with pd.ExcelFile(path, engine="openpyxl") as book:
        names = book.sheet_names
        cells = pd.read_excel(book, sheet_name=names[0], header=None, dtype=object)
    cells = cells.iloc[options.skip_rows :]
    notes = []
    if len(names) > 1:
        notes.append(f"the first of {len(names)} sheets read, {names[0]!r}")
    first = cells.head(HEAD_LINES)
    shown = first.map(lambda value: "" if pd.isna(value) else _shown(value))
    found = [
        Record(list(line), row + 1)
        for row, line in enumerate(shown.itertuples(index=False, name=None))
    ]
    head = find_head(found, options.header, target)
    more_names = [""] * (cells.shape[1] - len(head.names))
    names = unique_names([*head.names, *more_names], target, notes)
    frame = cells.iloc[head.n_lines :].reset_index(drop=True)
    frame.columns = names
    frame, more = _without_foot(frame)
    frame = frame.infer_objects()
    frame, remarks = _typed(frame, ";", options.na_values, target, as_text)
    return frame, [*notes, *head.notes, *more], remarks


def _shown(value):
    """A cell of a sheet as text."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


# ---------------------------------------------------------------------- arrays


def read_arrays(path):
    """The array of an NPY file, or those of an NPZ file by their names."""
    try:
        with open(path, "rb") as file:
            # allow_pickle stays off: a file of objects could run code.
            content = np.load(file, allow_pickle=False)
            return content if isinstance(content, np.ndarray) else dict(content.items())
    except READ_ERRORS as error:
        reason = first_line(error)
        if "allow_pickle" in reason or "pickled" in reason:
            reason = "it holds Python objects or is damaged; only plain arrays are read"
        raise ValueError(f"cannot read {path}: {reason}") from error


def is_path(source, path):
    """Whether what is to be read is a path and no name."""
    return suffix_of(path) in (*SUFFIXES, *CONVERTERS, *PACKED) or os.sep in str(source)
