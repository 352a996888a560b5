"""What the text in the cells of a column says: numbers, dates, yes or no, or categories."""

import re
import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd

# Share of the cells of a column that are numbers, or dates, from which on it is one of these.
MOST = 0.9
# Cells that stand for no value in a column of numbers, dates, or yes and no.
MARKS = frozenset(
    """- -- --- \u2013 \u2014 . .. ? na n.a. n.a n/a #n/a #na nan none null nil unknown missing
    blank (blank) #div/0! #value! #ref! #name? #num! #null! <na> (na) (n/a) nd n.d. tbd""".split()
) | {"", "not available", "not applicable", "not known", "no data"}
# Marks of no value in a column of categories too, as pandas has them.
EMPTY = frozenset({"", "NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None", "<NA>", "?"})
YES_NO = (("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"), ("on", "off"))
CURRENCY = r"(?:[$€£¥₹₽₩]|US\$|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|BRL|kr\.?|Fr\.?)"
NUMBER = re.compile(
    rf"(?P<first>[-+]?)\s*(?P<before>{CURRENCY})?\s*(?P<second>[-+]?)"
    rf"(?P<digits>[\d.,][\d.,' ]*)(?P<exponent>[eE][-+]?\d+)?\s*(?P<after>%|‰|{CURRENCY})?"
)
# Groups of three digits parted by spaces or apostrophes, which no convention reads otherwise.
SPACED = re.compile(r"[1-9]\d{0,2}(?:[ ']\d{3})+(?:[.,]\d*)?")
POINT = re.compile(r"(?:\d+|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d*)?|\.\d+")
COMMA = re.compile(r"(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d*)?|,\d+")
# One point or comma before three last digits: thousands, or a fraction.
TWO_WAYS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!\d).*"
    r"|\d{1,2}[ -][A-Za-z]{3,9}\.?,?[ -]\d{2,4}.*"
    r"|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}.*"
)
DAYS = (
    ("%Y-%m-%d", "year-month-day"),
    ("%Y/%m/%d", "year/month/day"),
    ("%Y.%m.%d", "year.month.day"),
    ("%d.%m.%Y", "day.month.year"),
    ("%m/%d/%Y", "month/day/year"),
    ("%d/%m/%Y", "day/month/year"),
    ("%m-%d-%Y", "month-day-year"),
    ("%d-%m-%Y", "day-month-year"),
    ("%d.%m.%y", "day.month.year"),
    ("%m/%d/%y", "month/day/year"),
    ("%d/%m/%y", "day/month/year"),
    ("%d %b %Y", "day month year"),
    ("%d-%b-%Y", "day-month-year"),
    ("%d-%b-%y", "day-month-year"),
    ("%d %B %Y", "day month year"),
    ("%b %d, %Y", "month day, year"),
    ("%B %d, %Y", "month day, year"),
    ("%b %d %Y", "month day year"),
)
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
N_TRIED = 50
MAX_NAMED = 4


class Written(NamedTuple):
    """A number as it is written: its digits, and what of it only one convention could be."""

    digits: str
    sign: int
    exponent: str
    is_money: bool


class Reading(NamedTuple):
    """A column as it was read.

    Parameters
    ----------
    values : Series
        Numbers (float64), dates (datetime64), yes and no (boolean), or text.
    remark : str
        What a reader of the report should know; empty where there is nothing.
    """

    values: pd.Series
    remark: str = ""


def is_mark(text):
    """Whether a cell stands for no value."""
    return text.strip().lower() in MARKS


def written(text):
    """The number that a cell shows, with its usual marks taken off; None where it is none."""
    text = text.strip().replace("\u2212", "-").replace("\u2019", "'")
    for space in "\u00a0\u202f\u2009":
        text = text.replace(space, " ")
    sign = 1
    if text.startswith("(") and text.endswith(")"):  # as accountants write what is owed
        text, sign = text[1:-1].strip(), -1
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = match["digits"].strip()
    if SPACED.fullmatch(digits):
        digits = re.sub("[ ']", "", digits)
    if not (POINT.fullmatch(digits) or COMMA.fullmatch(digits)):
        return None
    if match["first"] and match["second"]:
        return None
    sign *= -1 if "-" in match["first"] + match["second"] else 1
    money = match["before"] or (match["after"] or "%") not in "%‰"
    return Written(digits, sign, match["exponent"] or "", bool(money))


def is_number(text):
    """Whether a cell shows a number, in one convention or another."""
    return written(text) is not None


def is_date(text):
    """Whether a cell looks like a date."""
    return DATE.fullmatch(text.strip()) is not None


def number(cell, has_point):
    """The value of what is written, where a point (or a comma) is before the fraction."""
    if not (POINT if has_point else COMMA).fullmatch(cell.digits):
        return np.nan
    thousands, mark = (",", ".") if has_point else (".", ",")
    digits = cell.digits.replace(thousands, "").replace(mark, ".")
    return cell.sign * float(digits + cell.exponent)


class Conventions:
    """How the numbers of a file are written: what all columns together say.

    Parameters
    ----------
    columns : iterable of Series of str
        The columns that are text.
    separator : str
        What parts the cells of a line; a comma parts no fraction then.
    has_points : bool
        Whether some column has numbers that only a point before a fraction explains.
    """

    def __init__(self, columns, separator, has_points):
        self.separator = separator
        votes = Counter(has_points=bool(has_points))
        for column in columns:
            cells = [written(text) for text in pd.unique(column.dropna())[:1000]]
            cells = [cell for cell in cells if cell is not None]
            points = sum(POINT.fullmatch(cell.digits) is not None for cell in cells)
            commas = sum(COMMA.fullmatch(cell.digits) is not None for cell in cells)
            votes["has_points"] += points > commas
            votes["has_commas"] += commas > points
        self.has_points, self.has_commas = votes["has_points"] > 0, votes["has_commas"] > 0

    def has_point(self, cells):
        """Whether a point is before the fractions of a column, and whether that was a guess."""
        points, commas = (
            sum(times for cell, times in cells if pattern.fullmatch(cell.digits))
            for pattern in (POINT, COMMA)
        )
        if points != commas:
            return points > commas, False
        marked = [cell for cell, _ in cells if set(cell.digits) & {".", ","}]
        if not marked:
            return True, False
        is_known, by_file = self.has_points != self.has_commas, self.has_points
        has_comma = "," in marked[0].digits
        if any(cell.is_money for cell in marked):  # no price has three digits after its point
            return has_comma, not is_known or has_comma != by_file
        if is_known:
            return by_file, has_comma == by_file
        return has_comma == (self.separator == ","), True


def read_column(column, conventions, keep_text=False, is_target=False):
    """A column of text as what nine tenths of its cells say, else as categories: `Reading`.

    Parameters
    ----------
    column : Series
        Text, numbers among it, and missing values.
    conventions : Conventions
        Of the file.
    keep_text : bool
        Whether it is to stay text.
    is_target : bool
        Whether yes and no are labels.
    """
    text = as_text(column)
    if not keep_text:
        counts = Counter(value for value in text if value is not None and not is_mark(value))
        for reader in (_numbers, _dates) if is_target else (_numbers, _dates, _yes_no):
            found = reader(text, counts, conventions)
            if found is not None:
                return found
    return Reading(as_text(text.mask(text.isin(EMPTY))))


def as_text(column):
    """A column as text without space around it, None where there is none."""
    texts = [None if pd.isna(value) else str(value).strip() for value in column]
    return pd.Series(texts, index=column.index, dtype=object)


def _numbers(text, counts, conventions):
    """A column nine tenths of which are numbers; None where it is not."""
    cells = {value: written(value) for value in counts}
    numbers = [(cell, counts[value]) for value, cell in cells.items() if cell is not None]
    has_point, is_guess = conventions.has_point(numbers)
    values = {value: number(cell, has_point) for value, cell in cells.items() if cell is not None}
    values = {value: found for value, found in values.items() if np.isfinite(found)}
    n_read = sum(counts[value] for value in values)
    if not n_read or n_read < MOST * counts.total():
        return None
    remarks = []
    if is_guess:
        example = next(value for value in values if set(cells[value].digits) & {".", ","})
        remarks.append(f"{example!r} is read as {values[example]:g}, but could be read otherwise")
    remarks += missing_cells(value for value in text if value and value not in values)
    return Reading(text.map(values).astype(np.float64), "; ".join(remarks))


def _dates(text, counts, conventions):
    """A column nine tenths of which are dates of one kind; None where it is not."""
    likely = sum(times for value, times in counts.items() if is_date(value))
    if not likely or likely < MOST * counts.total():
        return None
    different = pd.Series([value for value in counts if is_date(value)])
    some = different[:: -(-len(different) // N_TRIED)]
    layouts = [
        (day + time, words)
        for day, words in DAYS
        for time in TIMES
        if _parsed(some, day + time).notna().mean() >= MOST
    ]
    layouts.append(("ISO8601", "year-month-day"))
    found = [(layout, words, _parsed(different, layout)) for layout, words in layouts]
    shares = [dates.notna().mean() for *_, dates in found]
    best = int(np.argmax(shares))
    _, words, dates = found[best]
    values = dict(zip(different, dates, strict=True))
    values = {value: date for value, date in values.items() if not pd.isna(date)}
    if sum(counts[value] for value in values) < MOST * counts.total():
        return None
    others = {
        other
        for _, other, same in found
        if same.notna().mean() == shares[best] and not same.equals(dates)
    }
    remarks = []
    if others:
        remarks.append(f"dates are read as {words}, but could be {' or '.join(sorted(others))}")
    remarks += missing_cells(value for value in text if value and value not in values)
    return Reading(pd.to_datetime(text.map(values)), "; ".join(remarks))


def _parsed(texts, layout):
    """Dates of texts, none where they have another layout; those with a time zone in its time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is no date is none
        dates = pd.to_datetime(texts, format=layout, errors="coerce", utc=True)
    return dates.dt.tz_localize(None)


def _yes_no(text, counts, conventions):
    """A column of yes and no, in whatever spelling; None where it is not."""
    found = {value.lower() for value in counts}
    for pair in YES_NO:
        if found == set(pair):
            values = {value: value.lower() == pair[0] for value in counts}
            remarks = missing_cells(value for value in text if value and value not in values)
            return Reading(text.map(values).astype("boolean"), "; ".join(remarks))
    return None


def missing_cells(cells):
    """A remark on cells that are taken for missing, as a list that may be empty."""
    counts = Counter(cells)
    for value in set(counts) & EMPTY:
        del counts[value]
    if not counts:
        return []
    named = ", ".join(f"{value!r} ({times})" for value, times in counts.most_common(MAX_NAMED))
    more = f" and {len(counts) - MAX_NAMED} more" if len(counts) > MAX_NAMED else ""
    n_cells = counts.total()
    return [f"{n_cells} cell{'s' if n_cells > 1 else ''} taken for missing: {named}{more}"]


def could_be_thousands(values, some):
    """Whether numbers with a point could be thousands: `1.234` in all cells of the file."""
    some = [text for text in some if text and not is_mark(text)]
    if len(some) < 2 or not all(TWO_WAYS.fullmatch(text.lstrip("-+")) for text in some):
        return False
    size = np.abs(values[np.isfinite(values)])
    return bool(((size >= 1) & (size < 1000) & (np.round(size, 3) == size)).all())
