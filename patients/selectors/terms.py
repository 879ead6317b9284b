"""What somebody typed into the search box, taken apart: names, numbers, birth dates, in any order."""

import re
from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.utils.dates import MONTHS

from patients.names import code_form, digits_of, name_parts, normalise

MOST_TERMS = 6
ENGLISH_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FEWEST_PHONE_DIGITS = 4
FIRST_YEAR = 1890

_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d+])(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?!\d)")
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?\.?\s*([^\W\d_]{3,})\.?,?\s*(\d{4})(?!\d)")
_MONTH_FIRST = re.compile(r"\b([^\W\d_]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)")
_NUMBER = re.compile(r"\+?\(?\d[\d\s().+\-/]*\d|\d")
_CODE = re.compile(r"(?=\S*\d)(?=\S*[^\W\d_])[\w\-./]+")
_SPACED_RECORD = re.compile(r"\b([A-Za-z]{1,6})\s+(0\d{6})\b")  # “rv 0000123”, as it is read out


@dataclass(frozen=True, slots=True)
class NameTerm:
    """A word of a name, normalised, perhaps only its beginning."""

    word: str


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """Digits: the end of a phone number, a record number, a year of birth or a birth date without separators."""

    digits: str
    years: tuple[int, ...] = ()
    days: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class DateTerm:
    """A date of birth; several when day and month could be exchanged or the century is open."""

    days: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class CodeTerm:
    """Letters and digits: a record number (rv123 for RV-0000123) or a national id (qq123456c)."""

    record: str
    identity: str


@dataclass(frozen=True, slots=True)
class EmailTerm:
    address: str


Term = NameTerm | NumberTerm | DateTerm | CodeTerm | EmailTerm


def terms_of(text: str, *, today: date) -> list[Term]:
    """At most six terms, in the order typed within each kind. `today` decides which dates of birth are possible."""
    terms: list[Term] = []
    rest = _take_emails(text, terms)
    rest = _take_dates(rest, terms, today)
    rest = _take_codes(rest, terms)
    rest = _take_numbers(rest, terms, today)
    names: list[Term] = [NameTerm(word) for word in name_parts(rest)]
    return [*names, *terms][:MOST_TERMS]


def _take_emails(text: str, terms: list[Term]) -> str:
    words = text.split()
    terms += [EmailTerm(word.casefold()) for word in words if "@" in word.strip("@")]
    return " ".join(word for word in words if "@" not in word.strip("@"))


def _take_dates(text: str, terms: list[Term], today: date) -> str:
    for pattern, read in ((_ISO, _iso), (_NUMERIC, _numeric), (_DAY_FIRST, _day_first), (_MONTH_FIRST, _month_first)):
        for match in pattern.finditer(text):
            days = tuple(dict.fromkeys(day for day in read(match, today) if day.year >= FIRST_YEAR and day <= today))
            if days:
                terms.append(DateTerm(days))
                text = text.replace(match.group(), " ", 1)
    return text


def _take_codes(text: str, terms: list[Term]) -> str:
    text = _SPACED_RECORD.sub(r"\1-\2", text)
    for match in _CODE.finditer(text):
        identity = code_form(match.group())
        prefix, dash, number = match.group().rpartition("-")
        if dash and number.isdecimal():  # S1-0000123: the prefix may end in a digit
            letters, number = code_form(prefix), code_form(number)
        else:
            letters = identity.rstrip("0123456789")
            number = identity[len(letters) :]
        terms.append(CodeTerm(letters + (number.lstrip("0") or "0"), identity))
        text = text.replace(match.group(), " ", 1)
    return text


def _take_numbers(text: str, terms: list[Term], today: date) -> str:
    for match in _NUMBER.finditer(text):
        for digits in _apart(match.group(), today):
            years = (int(digits),) if len(digits) == 4 and FIRST_YEAR <= int(digits) <= today.year else ()
            terms.append(NumberTerm(digits, years, tuple(_unseparated(digits, today))))
        text = text.replace(match.group(), " ", 1)
    return text


def _apart(run: str, today: date) -> list[str]:
    """Groups of digits are one phone number (07700 900 123), unless the first or last alone is a year (1974 900123)."""
    groups = run.split()
    digits = digits_of(run)
    if len(groups) == 2 and "+" not in run:
        one, other = (digits_of(group) for group in groups)
        for year, rest in ((one, other), (other, one)):
            if len(year) == 4 and 1900 <= int(year) <= today.year and len(rest) in (4, 10, 11):
                return [year, rest]
    return [digits] if digits else []


def _iso(match: re.Match[str], today: date) -> Iterator[date]:
    yield from _day(int(match[1]), int(match[2]), int(match[3]))


def _numeric(match: re.Match[str], today: date) -> Iterator[date]:
    """Day and month as both orders: which one was meant, the results show."""
    first, second = int(match[1]), int(match[2])
    years = [int(match[3])] if len(match[3]) == 4 else [2000 + int(match[3]), 1900 + int(match[3])]
    for year in years:
        yield from _day(year, second, first)
        yield from _day(year, first, second)


def _day_first(match: re.Match[str], today: date) -> Iterator[date]:
    yield from _day(int(match[3]), _month(match[2]), int(match[1]))


def _month_first(match: re.Match[str], today: date) -> Iterator[date]:
    yield from _day(int(match[3]), _month(match[1]), int(match[2]))


def _unseparated(digits: str, today: date) -> Iterator[date]:
    """03081974 and 19740803."""
    if len(digits) != 8:
        return
    readings = (
        (digits[4:], digits[2:4], digits[:2]),
        (digits[4:], digits[:2], digits[2:4]),
        (digits[:4], digits[4:6], digits[6:]),
    )
    for year, month, day in readings:
        if FIRST_YEAR <= int(year) <= today.year:
            yield from _day(int(year), int(month), int(day))


def _month(word: str) -> int:
    """1 to 12 by its English name or the reader's language, three letters or more; 0 for another word."""
    typed = normalise(word)
    for number in range(1, 13):
        if normalise(str(MONTHS[number])).startswith(typed) or typed.startswith(ENGLISH_MONTHS[number - 1]):
            return number
    return 0


def _day(year: int, month: int, day: int) -> Iterator[date]:
    lengths = (31, 29 if isleap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if 1 <= month <= 12 and year >= 1 and 1 <= day <= lengths[month - 1]:
        yield date(year, month, day)
