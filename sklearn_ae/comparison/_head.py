"""What stands above the rows of a file: separator, titles, the names of the columns, units."""

import contextlib
import csv
import io
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from sklearn_ae.comparison._cells import MOST, is_date, is_mark, is_number

# In the order in which they are preferred where lines have as many cells by several.
SEPARATORS = ("\t", ";", "|", ",")
SPACES = r"\s+"
COMMENTS = ("#", "%", "//", "!", "*")
# Lines that may stand above the names, letters of a unit, and characters of a cell.
MOST_TITLES, LONGEST_UNIT, LONGEST_CELL = 30, 20, 2**30
SHOWN = 40


class Record(NamedTuple):
    """A line of cells, or several where a cell goes on, and how many lines end with it."""

    cells: list
    n_lines: int


class Head(NamedTuple):
    """How the lines above the rows are to be read.

    Parameters
    ----------
    n_lines : int
        Lines before the first row.
    names : list of str
        Names of the columns.
    notes : list of str
        What was done.
    """

    n_lines: int
    names: list
    notes: list


def lines_of(text):
    """Lines of a text with their ends, as a file has them."""
    return io.StringIO(text, newline="").readlines()


@contextlib.contextmanager
def _long_cells():
    """Cells of any length; the limit of the module is put back."""
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def records(lines, separator):
    """Lines as cells."""
    delimiter = separator
    if separator == SPACES:
        delimiter, lines = " ", (line.replace("\t", " ") for line in lines)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    found = []
    with _long_cells():
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if separator == SPACES:
                cells = [cell for cell in cells if cell]
            found.append(Record(cells, reader.line_num))
    return found


def find_separator(lines):
    """What parts the cells: that by which most lines have as many of them."""
    best, best_share, best_width = ",", 0.0, 1
    for separator in SEPARATORS:
        width, share = _agreement(lines, separator)
        if width > 1 and share > best_share + 1e-9:
            best, best_share, best_width = separator, share, width
    # between words there are spaces too: all lines have to agree, and to be no sentences
    width, share = _agreement(lines, SPACES)
    is_wider = best == "\t" and width > best_width
    if width > 1 and share == 1 and (best_share < 1 or is_wider) and _has_numbers(lines):
        return SPACES
    return best


def _agreement(lines, separator):
    """How many cells most lines have, and the share of the lines that has."""
    widths = [len(record.cells) for record in records(lines, separator) if any(record.cells)]
    if not widths:
        return 1, 0.0
    width, times = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))
    if widths[0] == width - 1 > 1:  # R leaves out the name of the rows' names
        times += 1
    return width, times / len(widths)


def _has_numbers(lines):
    cells = [cell for record in records(lines, SPACES) for cell in record.cells]
    return sum(map(is_number, cells)) * 3 >= len(cells)


def count_comments(lines):
    """How many lines at the top are comment, or empty; none where all are."""
    for number, line in enumerate(lines):
        text = line.strip()
        # a mark alone in the first cell is the name of a column
        if text and not (text.startswith(COMMENTS) and text[1:2] not in (",", ";", "\t", "|", '"')):
            return number
    are_rows = any(mark in line for line in lines for mark in SEPARATORS)
    return 0 if are_rows else len(lines)


def names_in_comment(comments, lines, separator):
    """The last line of comment, without its mark, where it holds the names of the columns."""
    if not comments or not comments[-1].strip():
        return None
    line = comments[-1].lstrip()
    if line.startswith("#"):
        line = line[1:].lstrip(" ")
    below = [record for record in records(lines, separator) if any(record.cells)][:5]
    (names,) = records([line], separator)
    is_named = len(names.cells) > 1 and not any(map(is_number, names.cells))
    if below and is_named and all(len(record.cells) == len(names.cells) for record in below):
        return line
    return None


def find_head(found, header, target):
    """The `Head` of a file.

    Parameters
    ----------
    found : list of Record
        Its first lines, without comments.
    header : bool or "infer"
        Whether a line of names is among them.
    target : str, int or None
        A name that is looked for.
    """
    filled = [record for record in found if any(record.cells)]
    if not filled:
        raise ValueError("No columns to parse from file")
    width = _usual_width(filled)
    titles = _n_titles(filled, width, str(target)) if header == "infer" else 0
    notes = []
    if titles:
        shown = ", ".join(repr(_shortened(record.cells)) for record in filled[:titles][:3])
        notes.append(f"{_lines(titles)} above the table skipped: {shown}")
    first, *rest = filled[titles:]
    has_names = header is True
    if header == "infer":
        has_names = str(target) in first.cells or not reads_like_data(first, rest)
    if not has_names:
        if header == "infer":
            notes.append(
                "no line of names: the first reads like the others; columns are numbered from 0"
            )
        names = [f"column {place}" for place in range(width)]
        return Head(filled[titles - 1].n_lines if titles else 0, names, notes)
    names, n_lines = list(first.cells), first.n_lines
    if all(is_number(name) for name in names if name):
        notes.append("first row taken as header")
    if len(names) == width - 1 and rest:
        names = _with_one_more(names, rest, width, notes)
    if len(rest) >= 3 and _is_units(rest[0], rest[1:]):
        notes.append(f"a line of units skipped: {_shortened(rest[0].cells)!r}")
        n_lines = rest[0].n_lines
    return Head(n_lines, names, notes)


def _with_one_more(names, rest, width, notes):
    """Names where there is one less than the cells of the rows."""
    full = [record.cells for record in rest if len(record.cells) == width]
    if all(not cells[-1] for cells in full):  # lines that end in a separator
        return [*names, ""]
    first = [cells[0] for cells in full]
    if len(set(first)) < len(first):
        raise ValueError("its rows have more cells than its header")
    notes.append("the first column has no name, and tells rows apart")  # as R writes them
    return ["", *names]


def _lines(number):
    return f"{number} line{'s' if number > 1 else ''}"


def _shortened(cells):
    text = " ".join(cell for cell in cells if cell)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _usual_width(filled):
    widths = Counter(len(record.cells) for record in filled)
    return max(widths.items(), key=lambda item: (item[1], item[0]))[0]


def _n_titles(filled, width, target):
    """How many lines before the names are no part of the table."""
    top = filled[:MOST_TITLES]
    for place, record in enumerate(top):
        # the name that is looked for tells the line, if it is no value of its column
        if target in record.cells:
            column = record.cells.index(target)
            below = [other.cells[column:][:1] for other in filled[place + 1 :]]
            if [target] not in below:
                return place
    for place, record in enumerate(top):
        n_filled = sum(map(bool, record.cells))
        is_short = len(record.cells) < width - 1 or (len(record.cells) < width and width < 3)
        if not is_short and (width < 3 or n_filled > max(1, width // 4)):
            return place
    return 0


def reads_like_data(first, rest):
    """Whether the first line is a row as the others are, by what its cells are."""
    if not rest:
        return False
    columns = _columns(rest, len(first.cells))
    pairs = [
        (head, cells) for head, cells in zip(first.cells, columns, strict=True) if not is_mark(head)
    ]
    numeric = [(head, cells) for head, cells in pairs if _share(cells) >= MOST]
    words = [(head, cells) for head, cells in pairs if _share(cells) < MOST]
    recur = any(head in cells for head, cells in words)
    if not numeric:
        return recur
    heads = [head for head, _ in numeric]
    if 2 * sum(_is_value(head) for head in heads) <= len(heads):
        return False
    # words that recur in their columns, but for the first of each, are names above categories
    if words and not recur and all(len(set(cells)) < len(cells) for _, cells in words):
        return False
    if _is_sequence(heads):
        return all(head in cells for head, cells in numeric)
    return True


def _columns(rest, width):
    return [
        [record.cells[place] for record in rest if len(record.cells) > place]
        for place in range(width)
    ]


def _is_value(cell):
    return is_number(cell) or is_date(cell)


def _share(cells):
    """Share of the cells that are numbers or dates, among those that are there."""
    present = [cell for cell in cells if not is_mark(cell)]
    return sum(map(_is_value, present)) / len(present) if present else 0.0


def _is_sequence(heads):
    """Whether cells are numbers in equal steps, as wavelengths and an array's columns, or years."""
    try:
        numbers = [float(head) for head in heads]
    except ValueError:
        return False
    if len(numbers) < 2:
        return False
    steps = [b - a for a, b in pairwise(numbers)]
    are_years = all(1900 <= number <= 2100 and number.is_integer() for number in numbers)
    if are_years and min(steps) > 0:
        return True
    equal = max(steps) - min(steps) <= 1e-6 * max(map(abs, numbers))
    return steps[0] != 0 and equal and (len(numbers) > 2 or heads[0] == "0")


def _is_units(line, rest):
    """Whether a line below the names gives units: no number where all others have one."""
    columns = _columns(rest, len(line.cells))
    pairs = list(zip(line.cells, columns, strict=True))
    numeric = [cell for cell, cells in pairs if _share(cells) >= MOST]
    words = [(cell, cells) for cell, cells in pairs if _share(cells) < MOST]
    units = [cell for cell in numeric if not is_mark(cell)]
    are_numbers = [_is_value(unit) for unit in units]
    if not units or all(are_numbers) or any(len(unit) > LONGEST_UNIT for unit in units):
        return False
    if 2 * len(units) < len(numeric) or any(cell and cell in cells for cell, cells in words):
        return False
    if all(unit[0] in "([{" and unit[-1] in ")]}" for unit in units):
        return True
    is_limit = any(unit.startswith(("<", ">")) for unit in units)
    return len(units) > 1 and not any(are_numbers) and not is_limit
