"""What the text in the cells of a column says: numbers, dates, yes or no, or categories."""

import re
import warnings
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

# Share of the cells of a column that are numbers, or dates, from which on it is one of these.
MOST = 0.9
# Cells that stand for no value in a column of numbers, dates, or yes and no.
MARKS = frozenset(
    """- -- --- \u2013 \u2014 . .. ? na n.a. n.a n/a #n/a #na nan none null nil unknown missing \\n
    blank (blank) #div/0! #value! #ref! #name? #num! #null! <na> (na) (n/a) nd n.d. tbd
    0000-00-00 00.00.0000""".split()
) | {"", "not available", "not applicable", "not known", "no data"}
# Marks of no value in a column of categories too, as pandas has them.
EMPTY = frozenset(
    ("", "NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None", "<NA>", "?", "\\N")
)
YES_NO = (("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"), ("on", "off"))
CURRENCY = (
    r"(?:[$€£¥₹₽₩]|US\$|R\$|Rs\.?|kr\.?|Fr\.?"
    r"|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|BRL)"
)
NUMBER = re.compile(
    rf"(?P<first>[-+]?)\s*(?P<before>{CURRENCY})?\s*(?P<second>[-+]?)"
    r"(?P<digits>[\d.,][\d.,' ]*)(?P<exponent>e[-+]?\d+)?(?P<last>[.,]?--?)?"
    rf"\s*(?P<after>%|‰|{CURRENCY})?",
    re.IGNORECASE,
)
# Groups of three digits parted by spaces or apostrophes, which no convention reads otherwise.
SPACED = re.compile(r"[1-9]\d{0,2}(?:[ ']\d{3})+(?:[.,]\d*)?")
# Digits with a point before the fraction (and commas between thousands, or lakhs), and the other
# way round; with a sign and an exponent.
_POINT = r"(?:(?:\d+|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3})(?:\.\d*)?|\.\d+)"
_COMMA = r"(?:(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d*)?|,\d+)"
POINT, COMMA = (rf"[-+]?{digits}(?:[eE][-+]?\d+)?" for digits in (_POINT, _COMMA))
DATE = re.compile(
    r"\d{4}([-/.])\d{1,2}(\1\d{1,2})?(?!\d).*|\d{1,2}([-/.])\d{1,2}\3\d{4}(?!\d).*"
    r"|\d\d([-/.])\d\d\4\d\d(?!\d).*|\d{1,2}[ -][A-Za-z]{3,9}\.?,?[ -]\d{2,4}(?!\d).*"
    r"|[A-Za-z]{3,9}\.? (\d{1,2},? )?\d{4}(?!\d).*"
)
# Layouts of days, in words where two of them can be in doubt.
DAYS = (
    *(
        "%Y-%m-%d %Y/%m/%d %Y.%m.%d %d.%m.%Y %m/%d/%Y %d/%m/%Y %m-%d-%Y %d-%m-%Y "
        "%d.%m.%y %m/%d/%y %d/%m/%y %d-%b-%Y %d-%b-%y %Y-%m"
    ).split(),
    *("%d %b %Y|%d %B %Y|%b %d, %Y|%B %d, %Y|%b %d %Y|%b %Y|%B %Y").split("|"),
)
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
ISO = "ISO8601"
WORDS = {"%Y": "year", "%y": "year", "%m": "month", "%d": "day", "%b": "month", "%B": "month"}
N_TRIED, MAX_NAMED = 50, 4
# Whole numbers from here on lose digits as floating-point numbers.
EXACT = 2**53
CELLS_AT_ONCE = 2**21


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


class Unmarked(NamedTuple):
    """A number without its usual marks: digits with their points and commas, and its unit."""

    digits: str
    unit: str


def is_mark(text):
    """Whether a cell stands for no value."""
    return text.strip().lower() in MARKS


@lru_cache(maxsize=2**16)
def unmarked(text):
    """The number that a cell shows, with its usual marks taken off; None where it is none."""
    text = text.strip().replace("\u2212", "-").replace("\u2019", "'")
    for space in "\u00a0\u202f\u2009":
        text = text.replace(space, " ")
    sign = ""
    if text.startswith("(") and text.endswith(")"):  # as accountants write what is owed
        text, sign = text[1:-1].strip(), "-"
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = match["digits"].strip()
    if SPACED.fullmatch(digits):
        digits = re.sub("[ ']", "", digits)
    if not (re.fullmatch(POINT, digits) or re.fullmatch(COMMA, digits)):
        return None
    last = (match["last"] or "").lstrip(".,")
    signs = [given for given in (sign, match["first"], match["second"]) if given]
    if last == "-":  # 15- is minus fifteen, 15.-- a price without cents
        signs.append("-")
    if len(signs) > 1:
        return None
    sign = "-" if signs == ["-"] else ""
    unit = match["before"] or match["after"] or ""
    return Unmarked(sign + digits + (match["exponent"] or ""), unit)


def is_number(text):
    """Whether a cell shows a number, in one convention or another."""
    return unmarked(text) is not None


def is_date(text):
    """Whether a cell looks like a date."""
    return DATE.fullmatch(text.strip()) is not None


class Numbers:
    """The numbers of a column of text, before it is known how they are to be read.

    Parameters
    ----------
    texts : Series of str
        Cells without space around them; marks of no value and missing cells are not among them.

    Attributes
    ----------
    digits : Series of str
        Of the cells that are numbers, without their usual marks.
    units : set of str
        Currencies and percent.
    """

    def __init__(self, texts):
        plain = texts.str.fullmatch(POINT) | texts.str.fullmatch(COMMA)
        others = texts[~plain]
        found = {text: unmarked(text) for text in others.unique()}
        found = {text: number for text, number in found.items() if number is not None}
        marked = others[others.isin(list(found))]
        self.units = {number.unit for number in found.values()}
        if plain.any():
            self.units.add("")
        self.digits = pd.concat(
            [texts[plain], marked.map({text: n.digits for text, n in found.items()})]
        ).astype(str)
        self.has_point, self.has_comma = (
            self.digits.str.fullmatch(pattern).astype(bool) for pattern in (POINT, COMMA)
        )
        has_mark = self.digits.str.contains("[.,]")
        # numbers that could be thousands or have a fraction
        self.two_ways = self.digits[has_mark & self.has_point & self.has_comma]
        self.is_money = bool(self.units - {"", "%", "‰"})

    def leaning(self):
        """Above zero where points stand before fractions, below for commas, 0 for no evidence."""
        return int((self.has_point & ~self.has_comma).sum()) - int(
            (self.has_comma & ~self.has_point).sum()
        )

    def values(self, has_point):
        """Numbers (float64) by one convention, those that are of the other left out."""
        digits = self.digits[self.has_point if has_point else self.has_comma]
        thousands, mark = (",", ".") if has_point else (".", ",")
        digits = digits.str.replace(thousands, "", regex=False)
        return pd.to_numeric(digits.str.replace(mark, ".", regex=False)).astype(np.float64)


class Conventions:
    """How the numbers of a file are written: what all its columns together say.

    Parameters
    ----------
    columns : iterable of Numbers
        The numbers of its columns.
    separator : str
        What parts the cells of a line; a comma parts no fraction then.
    votes : int
        Further columns that tell of a point before fractions.
    """

    def __init__(self, columns, separator, votes):
        self.separator = separator
        leanings = [column.leaning() for column in columns]
        self.votes = votes + sum(vote > 0 for vote in leanings) - sum(v < 0 for v in leanings)

    def of(self, numbers):
        """Whether a point is before the fractions of a column, and whether that is a guess."""
        own = numbers.leaning()
        if own or numbers.two_ways.empty:
            return own >= 0, False
        has_comma = bool(numbers.two_ways.str.contains(",").any())
        if numbers.is_money:  # no price has three digits after its point
            return has_comma, has_comma != (self.votes >= 0)
        if self.votes:
            return self.votes > 0, False
        return not has_comma or self.separator == ",", True


def read_columns(columns, separator, as_text=(), target=None, na_values=()):
    """What the cells of columns of text say: a `Reading` for each.

    Parameters
    ----------
    columns : list of Series
        Text, and values that have a type already, as cells of a sheet may.
    separator : str
        What parts the cells of a line.
    as_text : collection of int
        Places of columns that are to stay text.
    target : int or None
        Place of the target, where yes and no are labels.
    na_values : tuple of str
        Further cells that stand for no value.
    """
    columns = [_without(column, na_values) for column in columns]
    plain, votes = _plain_columns(columns, ".")
    if separator != ",":
        commas, against = _plain_columns(columns, ",", known=plain)
        plain, votes = {**plain, **commas}, votes - against
    readings = {place: _categories(columns[place]) for place in as_text}
    readings = {
        **{place: Reading(_without_numbers(values, na_values)) for place, values in plain.items()},
        **readings,
    }
    left = [place for place in range(len(columns)) if place not in readings]
    parts = {place: _texts_and_values(columns[place]) for place in left}
    numbers = {place: Numbers(_unlike_marks(texts)) for place, (texts, _) in parts.items()}
    conventions = Conventions(numbers.values(), separator, votes)
    for place, (texts, typed) in parts.items():
        column = columns[place]
        found = _numbers(column, texts, typed, numbers[place], conventions, na_values)
        if found is None:
            found = _dates(column, texts, typed) or _yes_no(column, texts, typed, place == target)
        readings[place] = found or _categories(column)
    return [readings[place] for place in range(len(columns))]


def stacked(columns):
    """Columns of text one below the other, some at a time: their places, and the cells."""
    is_text = [isinstance(column.dtype, pd.StringDtype) for column in columns]
    places = [place for place, found in enumerate(is_text) if found and len(columns[place])]
    at_once = max(1, CELLS_AT_ONCE // max((len(columns[place]) for place in places), default=1))
    for start in range(0, len(places), at_once):
        chosen = places[start : start + at_once]
        yield chosen, pd.concat([columns[place] for place in chosen], ignore_index=True)


def _plain_columns(columns, mark, known=()):
    """Columns all cells of which are plain numbers, by place, and how many tell of a mark.

    The mark, a point or a comma, is before fractions where not all numbers that have one could be
    thousands. Columns that are known are left out.
    """
    found, votes = {}, 0
    places = [place for place in range(len(columns)) if place not in known]
    for part, cells in stacked([columns[place] for place in places]):
        shape, places_of_part = (len(part), -1), [places[place] for place in part]
        if mark == ",":
            has_other = cells.str.contains(".", regex=False).fillna(value=True)
            cells = cells.mask(has_other, ".").str.replace(",", ".", regex=False)
        values = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64).reshape(shape)
        blank, has_point, has_zero = (
            flags.fillna(value=True).to_numpy(dtype=bool).reshape(shape)
            for flags in (
                cells.isna() | cells.eq(""),
                cells.str.contains(".", regex=False),
                cells.str.fullmatch(r"[-+]?0\d.*"),
            )
        )
        has_point, has_zero = has_point & ~blank, has_zero & ~blank
        size = np.abs(np.where(np.isnan(values), 0.0, values))
        is_plain = ~((np.isnan(values) & ~blank) | has_zero | (size >= EXACT)).any(axis=1)
        with np.errstate(invalid="ignore"):
            thousandths = size * 1000
            is_fraction = (size < 1) | (np.abs(thousandths - np.round(thousandths)) > 1e-6 * size)
        tells = (has_point & is_fraction).any(axis=1)
        is_plain &= tells | ~has_point.any(axis=1)
        votes += int((is_plain & tells).sum())
        for row, place in enumerate(places_of_part):
            if is_plain[row]:
                found[place] = pd.Series(values[row], index=columns[place].index)
    return found, votes


def _without_numbers(values, na_values):
    """Numbers without those that stand for no value."""
    none = _as_numbers(na_values)
    return values.mask(values.isin(none)) if none else values


def _as_numbers(na_values):
    return {float(value) for value in na_values if re.fullmatch(POINT, value)}


def _unlike_marks(texts):
    return texts[~texts.str.lower().isin(MARKS)]


def _without(column, na_values):
    """A column without the cells that stand for no value as they are written."""
    if not na_values:
        return column
    is_none = [isinstance(value, str) and value.strip() in na_values for value in column]
    return column.mask(is_none)


def _texts_and_values(column):
    """The cells of a column that are text, stripped, and those that have another type."""
    present = column.dropna()
    if not pd.api.types.is_object_dtype(column):
        return present.astype(str).str.strip(), present.iloc[:0].astype(object)
    is_text = present.map(lambda value: isinstance(value, str)).astype(bool)
    return present[is_text].astype(str).str.strip(), present[~is_text].astype(object)


def as_text(column):
    """A column as text without space around it, None where there is none."""

    def shown(value):
        if pd.api.types.is_scalar(value) and pd.isna(value):
            return None
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value) if whole else value).strip()

    return pd.Series([shown(value) for value in column], index=column.index, dtype=object)


def _categories(column):
    texts = as_text(column)
    is_missing = texts.isin(EMPTY).to_numpy()
    return Reading(pd.Series([None if m else t for m, t in zip(is_missing, texts, strict=True)],
                             index=column.index, dtype=object))  # fmt: skip


def _numbers(column, texts, typed, numbers, conventions, na_values):
    """A column nine tenths of which are numbers; None where it is not."""
    is_number = typed.map(
        lambda value: isinstance(value, int | float | np.number) and not isinstance(value, bool)
    ).astype(bool)
    own = typed[is_number].astype(np.float64)
    has_point, is_guess = conventions.of(numbers)
    values = numbers.values(has_point)
    values = values[np.isfinite(values)]
    none = _as_numbers(na_values)
    texts = texts.drop(values.index[values.isin(none)])
    values, own = values[~values.isin(none)], own[~own.isin(none)]
    is_long = bool((values.abs() >= EXACT).any()) and not texts.str.contains("[.,eE]").any()
    if is_long and texts.nunique() == len(texts):  # they tell rows apart and are no amounts
        return None
    n_read = len(values) + len(own)
    n_present = len(_unlike_marks(texts)) + len(typed)
    n_present -= int(typed[is_number].astype(np.float64).isin(none).sum())
    if not n_read or n_read < MOST * n_present:
        return None
    found = pd.Series(np.nan, index=column.index)
    found.loc[values.index] = values
    found.loc[own.index] = own
    remarks = []
    if is_guess:
        place = numbers.two_ways.index[0]
        remarks.append(
            f"{texts[place]!r} is read as {values[place]:g}, but could be read otherwise"
        )
    units = {unit or "none" for unit in numbers.units}
    if len(units) > 1 and not units <= {"none", next(iter(units - {"none"}))}:
        remarks.append(f"cells have several units, which are left out: {', '.join(sorted(units))}")
    elif "none" in units and units & {"%", "‰"}:
        remarks.append(f"some cells have {'%' if '%' in units else '‰'}, others have none")
    if (texts.str.match(r"0\d")).any():
        remarks.append("some numbers begin with 0: say so if they are codes (categorical_features)")
    if is_long:
        remarks.append("whole numbers of more than 15 digits are rounded")
    remarks += missing_cells([*texts.drop(values.index), *typed[~is_number].map(str)])
    return Reading(found, "; ".join(remarks))


def _dates(column, texts, typed):
    """A column nine tenths of which are dates of one layout; None where it is not."""
    is_own = typed.map(lambda value: hasattr(value, "year")).astype(bool)
    own = typed[is_own]
    present = _unlike_marks(texts)
    different = pd.Series(present.unique(), dtype=object)
    likely = different[different.map(is_date).astype(bool)] if len(different) else different
    n_present = len(present) + len(typed)
    if len(own) + present.isin(list(likely)).sum() < MOST * n_present or not n_present:
        return None
    dates, remarks, values = {}, [], {}
    if len(likely):
        likely = likely.str.replace(r"(?: UTC| GMT)$", "", regex=True).set_axis(likely)
        some = likely.iloc[:: -(-len(likely) // N_TRIED)]
        days = [day for day in DAYS if _parsed(some, day).notna().mean() >= MOST]
        dates = {day: _parsed(likely, day) for day in (*days, ISO)}
        best = max(dates, key=lambda day: dates[day].notna().mean())
        others = [
            day for day in days
            if dates[day].notna().mean() == dates[best].notna().mean()
            and not dates[day].equals(dates[best])
        ]  # fmt: skip
        values = dates[best].dropna().to_dict()
        if others:
            remarks.append(
                f"dates are read as {_in_words(best)}, but could be "
                f"{' or '.join(_in_words(day) for day in others)}"
            )
        if "%y" in best:
            remarks.append("years of two digits are read as 1969 to 2068")
    found = present.map(values)
    if found.notna().sum() + len(own) < MOST * n_present:
        return None
    result = pd.Series(pd.NaT, index=column.index, dtype="datetime64[ns]")
    result.loc[found.index] = found.to_numpy(dtype="datetime64[ns]")
    result.loc[own.index] = pd.to_datetime(own, errors="coerce").to_numpy(dtype="datetime64[ns]")
    missing = present[found.isna()]
    marks = texts[texts.str.lower().isin(MARKS)]
    remarks += missing_cells([*missing, *marks, *typed[~is_own].map(str)])
    return Reading(result, "; ".join(remarks))


def _in_words(day):
    return "".join(WORDS.get(part, part) for part in re.split(r"(%\w)", day))


def _parsed(texts, day):
    """Dates of texts by the layout of their days and whatever time; none where there is none."""
    found = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[ns]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is no date is none
        for time in TIMES if day != ISO else ("",):
            left = found.isna()
            if not left.any():
                break
            dates = pd.to_datetime(texts[left], format=day + time, errors="coerce", utc=True)
            found[left] = dates.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    return found


def _yes_no(column, texts, typed, is_target):
    """A column of yes and no, in whatever spelling; None where it is not."""
    if len(typed) and not typed.map(lambda value: isinstance(value, bool)).all():
        return None
    present = _unlike_marks(texts)
    words = present.str.lower()
    found = {*words.unique(), *typed.map(lambda value: str(value).lower()).unique()}
    pair = next((pair for pair in YES_NO if found == set(pair)), None)
    if pair is None:
        return None
    said = pd.concat([words, typed.map(lambda value: str(value).lower())]).astype(object)
    if is_target:
        if present.nunique() <= len(pair):
            return None
        return Reading(said.reindex(column.index), "spellings of yes and no taken together")
    values = (said == pair[0]).reindex(column.index).astype("boolean")
    remarks = missing_cells(texts[texts.str.lower().isin(MARKS)])
    return Reading(values, "; ".join(remarks))


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
