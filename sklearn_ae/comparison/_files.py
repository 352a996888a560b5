"""Files of rows: text of several kinds, Excel, Parquet and arrays, read as they are written."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import os
import re
import unicodedata
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_ae.comparison._cells import missing_cells, read_columns, stacked
from sklearn_ae.comparison._head import (
    SPACES,
    Record,
    count_comments,
    find_head,
    find_separator,
    lines_of,
    names_in_comment,
    records,
)

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
EXCEL_SUFFIXES = (".xlsx", ".xlsm")
ARRAY_SUFFIXES = (".npy", ".npz")
PACKED = (".gz", ".bz2", ".xz", ".zip")
# First bytes of packed files, and what opens them.
PACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
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


def enumerate_names(names, most=6):
    """Names, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def suffix_of(path):
    """What a file is by its name, that of its content where it is packed."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        inner = suffixes[-2] if len(suffixes) > 1 else ""
        return inner if inner in TEXT_SUFFIXES else ".csv"
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


class Table(NamedTuple):
    """A table as it was read.

    Parameters
    ----------
    frame : DataFrame
        Its columns, numbers where their cells say so.
    notes : list of str
        What was done to the whole.
    remarks : dict of str
        What was done to single columns, by their names.
    """

    frame: pd.DataFrame
    notes: list
    remarks: dict


def read_table(path, options, target, categorical=()):
    """A `Table` from a file.

    Parameters
    ----------
    path : Path
        Of a text, Excel or Parquet file.
    options : Options
        How to read it.
    target : str, int or None
        A column that is looked for.
    categorical : list of str or int
        Columns that are categories whatever is in them.
    """
    suffix = suffix_of(path)
    try:
        if suffix == ".parquet":
            frame = pd.read_parquet(path)
            return Table(_without_marks(frame, options.na_values), [], {})
        read = _read_excel if suffix in EXCEL_SUFFIXES else _read_text
        frame, notes, separator = read(path, options, target)
        readings = read_columns(
            [frame[name] for name in frame.columns],
            separator,
            _places(frame, categorical),
            next(iter(_places(frame, () if target is None else [target])), None),
            options.na_values,
        )
    except ImportError as error:
        extra, kind = ("excel", "Excel") if suffix in EXCEL_SUFFIXES else ("compare", "Parquet")
        raise ImportError(
            f"cannot read {path}: pip install 'sklearn-ae[{extra}]' for {kind} files"
        ) from error
    except OptionError:
        raise
    except READ_ERRORS as error:
        raise ValueError(f"cannot read {path}: {first_line(error)}") from error
    typed = {name: found.values for name, found in zip(frame.columns, readings, strict=True)}
    remarks = {
        name: found.remark
        for name, found in zip(frame.columns, readings, strict=True)
        if found.remark
    }
    return Table(pd.DataFrame(typed, index=frame.index), notes, remarks)


def _places(frame, wanted):
    """Places of columns that are given by name or place; what is none is found out later."""
    names, found = list(frame.columns), []
    for name in wanted:
        if str(name) in names:
            found.append(names.index(str(name)))
        elif str(name).lstrip("-").isdigit() and -len(names) <= int(name) < len(names):
            found.append(int(name) % len(names))
    return found


def _without_marks(frame, na_values):
    """A typed table without the values that stand for none."""
    numbers = [float(value) for value in na_values if is_plain(value)]
    found = {}
    for name, column in frame.items():
        is_number = types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
        is_none = column.isin(numbers) if is_number else column.astype(str).isin(na_values)
        found[name] = column.mask(is_none) if is_none.any() else column
    return pd.DataFrame(found, index=frame.index)


def is_plain(text):
    """Whether a text is a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------------- text


def _open(path):
    """A file as bytes, unpacked, whatever it is called."""
    with open(path, "rb") as file:
        first = file.read(6)
    for mark, opener in PACKERS.items():
        if first.startswith(mark):
            return opener(path, "rb")
    if not first.startswith(b"PK\x03\x04"):
        return open(path, "rb")
    archive = zipfile.ZipFile(path)
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not Path(name).name.startswith(".")
        if not name.startswith("__MACOSX")
    ]
    if len(names) != 1:
        raise ValueError(f"the archive holds {len(names)} files, not one")
    return archive.open(names[0])


def find_encoding(path):
    """How a text is encoded: UTF-8, what its first bytes say, or else Windows' cp1252."""
    with _open(path) as file:
        first = file.read(CHUNK)
        for mark, encoding in BYTE_ORDER_MARKS:
            if first.startswith(mark):
                return encoding
        start = first[:2000]
        zeros = [start[side::2].count(0) for side in (0, 1)]
        if min(zeros) == 0 and max(zeros) > len(start) / 8:  # Latin letters in two bytes
            return "utf-16-be" if zeros[0] else "utf-16-le"
        if b"\0" in first:
            raise ValueError("it is no text: it holds bytes that are zero")
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while first:
                decoder.decode(first)
                first = file.read(CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _read_text(path, options, target):
    """Cells of a text file, notes, and what parts the cells."""
    encoding, notes = options.encoding, []
    if encoding is None:
        encoding = find_encoding(path)
        if not encoding.startswith("utf-8"):
            notes.append(f"text read as {encoding}")
    encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    with _as_text(path, encoding) as file:
        n_before, separator, head, said = _find_head(file, path, options, target)
    notes += [*said, *head.notes]
    names = unique_names(head.names, target, notes)
    n_before += head.n_lines
    with _as_text(path, encoding) as file:
        _skip(file, n_before)
        try:
            frame = _read_rows(file, separator, names)
        except pd.errors.ParserError as error:
            raise ValueError(_with_own_line(first_line(error), n_before)) from error
    is_blank = frame.eq("")
    if is_blank.iloc[:, -1].any() and separator != SPACES:
        with _as_text(path, encoding) as file:
            _skip(file, n_before)
            notes += _short_rows(file, separator, len(names))
    frame, said = _without_foot(frame, is_blank)
    if len(names) == 1 and options.sep is None:
        notes.append("one column was found: say so if there are more (sep)")
    return frame, [*notes, *said, *_whole_lines(frame, separator)], separator


def _as_text(path, encoding):
    # undefined bytes of an encoding that was only guessed must not end the run
    errors = "replace" if encoding == "cp1252" else "strict"
    return io.TextIOWrapper(_open(path), encoding=encoding, errors=errors, newline="")


def _skip(file, n_lines):
    for _ in range(n_lines):
        file.readline()


def _find_head(file, path, options, target):
    """Lines before what the `Head` is of, separator, the head, and notes."""
    _skip(file, options.skip_rows)
    lines, notes, separator = _first_lines(file), [], options.sep
    n_before = options.skip_rows
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip("\r\n")) == 5:
        separator = separator or lines[0][4]
        notes.append(f"first line {lines[0].strip()!r} taken for the separator")
        lines, n_before = lines[1:], n_before + 1
    n_comments = count_comments(lines)
    comments, lines = lines[:n_comments], lines[n_comments:]
    if separator is None:
        separator = "\t" if suffix_of(path) in (".tsv", ".tab") else find_separator(lines)
    elif separator in (" ", SPACES):
        separator = SPACES
    named = names_in_comment(comments, lines, separator)
    if named is not None:
        comments, lines = comments[:-1], [named, *lines]
    filled = [line.strip() for line in comments if line.strip()]
    if filled:
        shown = ", ".join(repr(line[:60]) for line in filled[:2])
        number = f"{len(filled)} line{'s' if len(filled) > 1 else ''}"
        notes.append(f"{number} of comment skipped: {shown}")
    head = find_head(records(lines, separator), options.header, target)
    return n_before + len(comments), separator, head, notes


def _first_lines(file):
    """The first lines of a text, whole ones."""
    text = file.read(HEAD_CHARACTERS)
    if len(text) == HEAD_CHARACTERS:
        text += file.readline()
    return lines_of(text)[:HEAD_LINES]


def _read_rows(file, separator, names):
    """All cells as they are written."""
    with warnings.catch_warnings():
        # Cells beyond the header would be lost; without index_col they would shift the others.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                file,
                sep=separator,
                header=None,
                names=names,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=separator == SPACES,
                skipinitialspace=True,
                index_col=False,
            )
        except pd.errors.ParserWarning as error:
            raise ValueError("its rows have more cells than its header") from error


def _with_own_line(message, n_before):
    """A message of the parser with the number that a line has in the file."""
    return re.sub(r"in line (\d+)", lambda m: f"in line {int(m[1]) + n_before}", message)


def _short_rows(file, separator, width):
    """A note on rows with fewer cells than there are columns, as a list."""
    n_short = sum(0 < len(record.cells) < width for record in records(file, separator))
    if not n_short:
        return []
    return [f"{n_short} rows have fewer cells than columns: their last are taken for missing"]


def _whole_lines(frame, separator):
    """A note on cells that hold lines of the file, as a quote that is not closed makes them."""
    found, mark = 0, re.escape(" " if separator == SPACES else separator)
    for _, cells in stacked([frame[name] for name in frame.columns]):
        lines = cells[cells.str.contains("\n", regex=False)].str.split("\n").explode()
        found += int((lines.str.count(mark) >= max(frame.shape[1] - 1, 1)).sum())
    if not found:
        return []
    return [f"{found} lines of the file are inside of cells: a quote may not be closed"]


def unique_names(names, target, notes):
    """Names of columns, each different, and those that are missing filled in."""
    names = [" ".join(unicodedata.normalize("NFC", str(name)).split()) for name in names]
    if target is not None and names.count(str(target)) > 1:
        raise OptionError("target", f"two columns are called {str(target)!r}")
    taken, found = set(names), []
    for place, name in enumerate(names):
        new, number = name or f"Unnamed: {place}", 2
        if new in found:
            while f"{new} ({number})" in taken:
                number += 1
            notes.append(f"a second column {new!r} renamed to '{new} ({number})'")
            new = f"{new} ({number})"
            taken.add(new)
        found.append(new)
    return found


def _without_foot(frame, is_blank):
    """A table without empty rows, and without lines of words that an empty one parts from it."""
    notes, n_rows = [], len(frame)
    empty = is_blank.all(axis=1).to_numpy().copy()
    if frame.shape[1] == 1:
        return frame, notes
    last = np.flatnonzero(empty)
    last = last[last >= n_rows - 1 - MOST_FOOT_LINES]
    foot = range(last[0] + 1, n_rows) if len(last) else ()
    if foot and all((~is_blank.iloc[row]).sum() <= 1 for row in foot):
        words = [str(frame.iloc[row, 0]) for row in foot if not empty[row]]
        if words:
            shown = ", ".join(repr(text[:60]) for text in words[:2])
            number = f"{len(words)} line{'s' if len(words) > 1 else ''}"
            notes.append(f"{number} below the table skipped: {shown}")
        empty[list(foot)] = True
    return frame[~empty].reset_index(drop=True), notes


def without_infinity(column):
    """A column with infinite values missing, and a remark on these in a list."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    if not infinite.any():
        return column, []
    remarks = missing_cells(f"{value:g}" for value in values[infinite])
    return column.mask(infinite), remarks


# ---------------------------------------------------------------------- Excel


def _read_excel(path, options, target):
    """Cells of the first sheet that has any, notes, and what parts cells in a text file."""
    notes = []
    with pd.ExcelFile(path, engine="openpyxl") as book:
        sheets = book.sheet_names
        for sheet in sheets:
            cells = pd.read_excel(
                book, sheet_name=sheet, header=None, dtype=object, keep_default_na=False,
                na_values=[""],
            )  # fmt: skip
            if len(cells) > 1:
                break
    if len(sheets) > 1:
        notes.append(f"sheet {sheet!r} read, of {', '.join(map(repr, sheets))}")
    cells = cells.iloc[options.skip_rows :]
    first = cells.head(HEAD_LINES)
    shown = first.map(lambda value: "" if pd.isna(value) else _shown(value))
    found = [
        Record(list(line), row + 1)
        for row, line in enumerate(shown.itertuples(index=False, name=None))
    ]
    head = find_head(found, options.header, target)
    more_names = [""] * (cells.shape[1] - len(head.names))
    names = unique_names([*head.names, *more_names], target, notes)
    frame = cells.iloc[head.n_lines :].reset_index(drop=True).set_axis(names, axis=1)
    frame, said = _without_foot(frame, frame.isna())
    return frame, [*notes, *head.notes, *said], ";"


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
