"""What stands above the rows of a file: separator, titles, the names of the columns, units."""

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
# Lines that may stand above the names, and letters of a unit.
MOST_TITLES, LONGEST_UNIT = 30, 20
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
    has_names : bool
        Whether the file gives them.
    notes : list of str
        What was done.
    """

    n_lines: int
    names: list
    has_names: bool
    notes: list


def lines_of(text):
    """Lines of a text with their ends, as a file has them."""
    return io.StringIO(text, newline="").readlines()


def records(text, separator):
    """The lines of a text as cells."""
    delimiter = " " if separator == SPACES else separator
    reader = csv.reader(lines_of(text), delimiter=delimiter, skipinitialspace=True)
    found = []
    for cells in reader:
        cells = [cell.strip() for cell in cells]
        if separator == SPACES:
            cells = [cell for line in cells for cell in line.split("\t") if cell]
        found.append(Record(cells, reader.line_num))
    return found


def find_separator(text):
    """What parts the cells: that by which most lines have as many of them."""
    best, best_share = ",", 0.0
    for separator in (*SEPARATORS, SPACES):
        found = [len(record.cells) for record in records(text, separator) if any(record.cells)]
        widths = Counter(found)
        width, times = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        if found and found[0] == width - 1 > 1:  # R leaves out the name of the rows' names
            times += 1
        share = times / max(widths.total(), 1)
        # between words there are spaces too: all lines have to agree, and to be no sentences
        if separator == SPACES and (share < 1 or best_share > 0 or not _has_numbers(text)):
            continue
        if width > 1 and share > best_share + 1e-9:
            best, best_share = separator, share
    return best


def _has_numbers(text):
    cells = [cell for record in records(text, SPACES) for cell in record.cells]
    return sum(map(is_number, cells)) * 3 >= len(cells)


def skip_comments(text):
    """How many lines at the top are comment, or empty."""
    n_comments = 0
    for line in lines_of(text):
        if line.strip() and not line.lstrip().startswith(COMMENTS):
            break
        n_comments += 1
    return n_comments


def find_head(found, header, target):
    """The `Head` of a file.

    Parameters
    ----------
    found : list of Record
        Its first lines, without comments.
    header : bool or "infer"
        Whether a line of names is among them.
    target : str or None
        A name that is looked for.
    """
    filled = [record for record in found if any(record.cells)]
    if not filled:
        raise ValueError("No columns to parse from file")
    width = _usual_width(filled)
    titles = _n_titles(filled, width) if header == "infer" else 0
    notes = []
    if titles:
        shown = ", ".join(repr(_shortened(record.cells)) for record in filled[:titles][:3])
        notes.append(f"{_lines(titles)} above the table skipped: {shown}")
    first, *rest = filled[titles:]
    has_names = bool(header)
    if header == "infer":
        has_names = target in first.cells or not reads_like_data(first, rest)
    n_lines = first.n_lines
    if not has_names:
        n_lines = filled[titles - 1].n_lines if titles else 0
        names = [f"column {place}" for place in range(width)]
        if header == "infer":
            notes.append(
                "no line of names: the first reads like the others; columns are numbered from 0"
            )
        return Head(n_lines, names, False, notes)
    names = list(first.cells)
    if _is_numbered(first.cells):
        notes.append("first row taken as header")
    if len(names) == width - 1 and rest:
        # R leaves out the name of the rows' names; what ends in a separator has an empty cell more
        ends_empty = all(len(record.cells) < width or not record.cells[-1] for record in rest)
        names = [*names, ""] if ends_empty else ["", *names]
    if len(rest) >= 3 and _is_units(rest[0], rest[1:]):
        notes.append(f"a line of units skipped: {_shortened(rest[0].cells)!r}")
        n_lines = rest[0].n_lines
    return Head(n_lines, names, True, notes)


def _lines(number):
    return f"{number} line{'s' if number > 1 else ''}"


def _shortened(cells):
    text = " ".join(cell for cell in cells if cell)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _usual_width(filled):
    widths = Counter(len(record.cells) for record in filled)
    return max(widths.items(), key=lambda item: (item[1], item[0]))[0]


def _n_titles(filled, width):
    """How many lines before the names are no part of the table."""
    for place, record in enumerate(filled[:MOST_TITLES]):
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
    numeric = [
        place
        for place, cells in enumerate(columns)
        if _share(cells) >= MOST and not is_mark(first.cells[place])
    ]
    heads = [first.cells[place] for place in numeric]
    if heads:
        if 2 * sum(_is_value(head) for head in heads) <= len(heads):
            return False
        if _is_sequence(heads):
            return all(head in columns[place] for place, head in zip(numeric, heads, strict=True))
        return True
    return any(head and head in cells for head, cells in zip(first.cells, columns, strict=True))


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
    """Whether cells are whole numbers in equal steps, as years and the columns of an array are."""
    if len(heads) < 2 or not all(head.isdigit() for head in heads):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(heads)}
    return len(steps) == 1 and steps != {0} and (len(heads) > 2 or heads[0] == "0")


def _is_numbered(names):
    return bool(names) and all(is_number(name) for name in names if name) and any(names)


def _is_units(line, rest):
    """Whether a line below the names gives units: no number where all others have one."""
    columns = _columns(rest, len(line.cells))
    numeric = [place for place, cells in enumerate(columns) if _share(cells) >= MOST]
    units = [line.cells[place] for place in numeric if not is_mark(line.cells[place])]
    are_numbers = [_is_value(unit) for unit in units]
    if not units or all(are_numbers) or any(len(unit) > LONGEST_UNIT for unit in units):
        return False
    if sum(map(bool, line.cells)) < len(numeric) / 2:
        return False
    in_brackets = all(unit[0] in "([{" and unit[-1] in ")]}" for unit in units)
    if any(are_numbers) and not in_brackets:
        return False
    return in_brackets or (
        len(units) > 1 and not any(unit.startswith(("<", ">")) for unit in units)
    )
