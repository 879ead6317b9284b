"""Numbers that name a person: the clinic's own record number, a professional's licence, a citizen's number."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.check_digits import luhn_holds, nhs_holds, weighted_sum
from core.validators.text import clean_name

LONGEST_MRN = 24
MRN = re.compile(r"[A-Z0-9]{1,6}-[0-9]{7,17}", re.ASCII)
MRN_PREFIX = re.compile(r"[A-Z0-9]{1,6}", re.ASCII)
LICENCE = re.compile(r"[A-Z0-9](?:[A-Z0-9 ./-]{0,30}[A-Z0-9])", re.ASCII)
SPANISH_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def clean_mrn(value: Any) -> str:
    """A record number of HMS: the clinic's prefix, a dash, seven digits or more (RV-0000123). In capitals."""
    number = clean_name(value, max_length=LONGEST_MRN, required=True).upper()
    if not MRN.fullmatch(number):
        raise ValidationError(_("Write the record number like RV-0000123."), code="invalid")
    return number


def clean_mrn_prefix(value: Any) -> str:
    """One to six letters A-Z and digits, in capitals."""
    prefix = clean_name(value, max_length=6, required=True).upper()
    if not MRN_PREFIX.fullmatch(prefix):
        raise ValidationError(_("One to six letters A to Z or digits."), code="invalid")
    return prefix


@dataclass(frozen=True, slots=True)
class Register:
    """The shape that a register of professionals gives its numbers, and what holds besides."""

    name: str
    shape: re.Pattern[str]
    source: str
    holds: Callable[[str], bool] = bool


def _register(name: str, shape: str, source: str, holds: Callable[[str], bool] = bool) -> Register:
    return Register(name, re.compile(shape, re.ASCII), source, holds)


def _npi_holds(number: str) -> bool:
    return luhn_holds(f"80840{number}")


def _lanr_holds(number: str) -> bool:
    """Six digits weighted 4 and 9 in turn; the seventh makes the sum a multiple of ten."""
    return (10 - weighted_sum(number[:6], (4, 9, 4, 9, 4, 9)) % 10) % 10 == int(number[6])


# By country. A number is welcome when one of the country's registers could have issued it.
REGISTERS: dict[str, tuple[Register, ...]] = {
    "GB": (
        _register("GMC", r"[0-9]{7}", "General Medical Council: reference number of seven digits"),
        _register(
            "NMC", r"[0-9]{2}[A-L][0-9]{4}[A-Z]", "Nursing and Midwifery Council: year, letter of the month, digits, country"
        ),
        _register("GDC", r"[0-9]{5,6}", "General Dental Council: registration number of up to six digits"),
        _register("HCPC", r"[A-Z]{2}[0-9]{5,6}", "Health and Care Professions Council: profession's letters and digits"),
    ),
    "US": (_register("NPI", r"[12][0-9]{9}", "45 CFR 162.406: ten digits, ISO Luhn check with prefix 80840", _npi_holds),),
    "FR": (_register("RPPS", r"[0-9]{11}", "Agence du Numérique en Santé: eleven digits, Luhn check", luhn_holds),),
    "DE": (_register("LANR", r"[0-9]{9}", "KBV, Richtlinie nach § 75 Absatz 7 SGB V: check digit at place seven", _lanr_holds),),
    "AU": (_register("AHPRA", r"[A-Z]{3}[0-9]{10}", "AHPRA: three letters of the profession, ten digits"),),
    "NL": (_register("BIG", r"[0-9]{11}", "CIBG, BIG-register: eleven digits"),),
}


def clean_licence_number(value: Any, *, country: str) -> str:
    """A professional's registration number, in capitals; where the country's registers are known here, of their shape.

    Any other country's: letters A-Z, digits, and spaces, dots, slashes and dashes between them, at most 32 characters.
    """
    number = clean_name(value, max_length=32, required=True).upper()
    registers = REGISTERS.get(country)
    if registers is None:
        if not LICENCE.fullmatch(number):
            raise ValidationError(_("This is not a licence number."), code="invalid")
        return number
    joined = re.sub(r"[ .-]", "", number)
    fitting = [one for one in registers if one.shape.fullmatch(joined)]
    if not fitting:
        names = ", ".join(one.name for one in registers)
        raise ValidationError(_("This is not a number of %(names)s."), code="invalid", params={"names": names})
    if not any(one.holds(joined) for one in fitting):
        raise ValidationError(_("The check digit is wrong. Compare the number."), code="check_digit")
    return joined


def _bsn_holds(number: str) -> bool:
    return number != "000000000" and weighted_sum(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _dni_holds(number: str) -> bool:
    """The letter is the number modulo 23; X, Y and Z of foreigners stand for 0, 1 and 2."""
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return SPANISH_LETTERS[int(digits) % 23] == number[-1]


def _personnummer_holds(number: str) -> bool:
    return luhn_holds(number[-10:])


# By country: numbers that carry a published check. Which kind a free “national id” is, nobody can tell from the number.
NATIONAL_IDS: dict[str, Register] = {
    "GB": _register("NHS number", r"[0-9]{10}", "NHS Data Dictionary: modulus 11; also CHI and H&C numbers", nhs_holds),
    "NL": _register("BSN", r"[0-9]{9}", "Besluit burgerservicenummer: elfproef", _bsn_holds),
    "ES": _register("DNI or NIE", r"[XYZ0-9][0-9]{7}[A-Z]", "Real Decreto 1553/2005: letter modulo 23", _dni_holds),
    "SE": _register("personnummer", r"(?:[0-9]{2})?[0-9]{10}", "Skatteverket SKV 704: Luhn over ten digits", _personnummer_holds),
}


def clean_national_id(value: Any, *, country: str) -> str:
    """That country's number without spaces and dashes. KeyError where no check is known: see `NATIONAL_IDS`."""
    register = NATIONAL_IDS[country]
    number = re.sub(r"[ +-]", "", clean_name(value, max_length=64, required=True)).upper()
    if not register.shape.fullmatch(number):
        raise ValidationError(_("This is not a %(name)s."), code="invalid", params={"name": register.name})
    if not register.holds(number):
        raise ValidationError(_("The check digit is wrong. Compare the number."), code="check_digit")
    return number
