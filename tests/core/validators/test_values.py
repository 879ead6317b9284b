"""The rules for single values: what is welcome, what is refused and under which code."""

from datetime import date, time
from typing import Any

import pytest

from core.errors import ValidationFailed
from core.validators import (
    Problems,
    clean_birth_date,
    clean_boolean,
    clean_choice,
    clean_country,
    clean_email,
    clean_language,
    clean_name,
    clean_phone,
    clean_text,
    clean_time,
)
from tests.core.validators.refusals import code_of

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    "text", ["O'Brien", "田中", "مرحبا", "שלום", "👩🏽‍⚕️", "<b>&amp;</b>", "  kept  ", "e\u0301", "a\u200fb", ""]
)
def test_text_in_every_script_stays_as_it_is(text: str) -> None:
    assert clean_text(text, max_length=20) == text


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("a\0b", "null_characters_not_allowed"),
        ("a\ud800", "surrogate_characters_not_allowed"),
        ("a\x1b[31m", "control_characters_not_allowed"),
        ("a\x85", "control_characters_not_allowed"),
        ("a\nb", "control_characters_not_allowed"),
        ("x" * 21, "max_length"),
        (7, "invalid"),
        (None, "null"),
        (["a"], "invalid"),
    ],
)
def test_what_is_no_text(value: Any, code: str) -> None:
    assert code_of(clean_text, value, max_length=20) == code


def test_lines_are_for_long_texts_only() -> None:
    assert clean_text("a\tb\r\nc", max_length=20, multiline=True) == "a\tb\r\nc"
    assert code_of(clean_text, "a\0", max_length=20, multiline=True) == "null_characters_not_allowed"


def test_a_name_is_trimmed_and_may_be_needed() -> None:
    assert clean_name(" Ada Lovelace\u3000", max_length=20) == "Ada Lovelace"
    assert code_of(clean_name, "  ", max_length=20, required=True) == "required"


@pytest.mark.parametrize(
    ("typed", "country", "kept"),
    [
        ("020 7946 0018", "GB", "+442079460018"),
        ("07700 900123", "GB", "+447700900123"),
        ("(212) 555-0187", "US", "+12125550187"),
        ("+49 30 901820", "US", "+4930901820"),
        ("٠٢٠٧٩٤٦٠٠١٨", "GB", "+442079460018"),
        ("", "GB", ""),
    ],
)
def test_phones_become_international(typed: str, country: str, kept: str) -> None:
    assert clean_phone(typed, country=country) == kept


@pytest.mark.parametrize("typed", ["12", "abc", "+", "020 7946 0018 ext 3", "1" * 41, "+999 123456789", "555-0187", "0\0"])
def test_what_is_no_phone(typed: str) -> None:
    assert code_of(clean_phone, typed, country="US") in ("invalid", "max_length", "null_characters_not_allowed")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2026-03-02", "in_future"),
        ("1895-12-31", "too_long_ago"),
        ("2026-02-30", "invalid"),
        ("1/2/1990", "invalid"),
        ("19900102", "invalid"),
        (19900102, "invalid"),
        (None, "null"),
    ],
)
def test_what_is_no_date_of_birth(value: Any, code: str) -> None:
    assert code_of(clean_birth_date, value, today=TODAY) == code


@pytest.mark.parametrize("value", ["2026-03-01", "1896-01-01", date(1990, 2, 28)])
def test_dates_of_birth(value: Any) -> None:
    assert clean_birth_date(value, today=TODAY) == (value if isinstance(value, date) else date.fromisoformat(value))


def test_times() -> None:
    assert clean_time("22:00") == clean_time(time(22)) == time(22)
    for value in ("25:00", "22:00Z", "", 7):
        assert code_of(clean_time, value) == "invalid"


@pytest.mark.parametrize(
    ("tag", "kept"), [("es", "es"), ("PT-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("", "")]
)
def test_languages(tag: str, kept: str) -> None:
    assert clean_language(tag) == kept


def test_codes_that_are_none() -> None:
    assert clean_country("gb") == "GB"
    for country in ("ZZ", "G1", "🇬🇧", "X"):
        assert code_of(clean_country, country) == "invalid"
    for language in ("english language", "e", "es_ES", "es-"):
        assert code_of(clean_language, language) == "invalid"


def test_addresses_choices_and_flags() -> None:
    assert clean_email(" A.B+c@Example.org ") == "A.B+c@Example.org"
    for address in ("a", "a@", "@b.org", "a b@c.org", "a@b"):
        assert code_of(clean_email, address) == "invalid"
    assert code_of(clean_choice, ["a"], choices=["a"]) == "invalid_choice"
    assert clean_choice("a", choices=["a"]) == "a"
    for value in (1, "true", None):
        assert code_of(clean_boolean, value) == "invalid"


def test_problems_are_raised_together_in_words() -> None:
    problems = Problems()
    assert problems.check("name", clean_name, "x" * 30, max_length=20) is None
    assert problems.check("email", clean_email, "a@b.org") == "a@b.org"
    problems.check("phone", clean_phone, "12", country="GB")
    with pytest.raises(ValidationFailed) as error:
        problems.raise_if_any()
    assert [(detail.field, detail.code) for detail in error.value.details] == [("name", "max_length"), ("phone", "invalid")]
    assert error.value.details[0].message == "At most 20 characters."
