"""Record numbers, licences, citizens' numbers, diagnoses and blood types: by shape, and by the published check digits."""

import pytest

from core.validators import (
    BLOOD_TYPES,
    UNKNOWN_BLOOD_TYPE,
    clean_blood_type,
    clean_icd10,
    clean_licence_number,
    clean_mrn,
    clean_mrn_prefix,
    clean_national_id,
)
from core.validators.check_digits import luhn_holds
from patients.choices import BloodType
from tests.core.validators.refusals import code_of


def test_record_numbers() -> None:
    assert clean_mrn(" rv-0000123 ") == "RV-0000123"
    for number in ("RV0000123", "RV-123", "TOOLONGX-0000001", "RV-00000٣٣", "", "RV-0000123; --"):
        assert code_of(clean_mrn, number) in ("invalid", "required")
    assert clean_mrn_prefix("s1") == "S1"
    for prefix in ("", "TOOLONG", "R-V", "É"):
        assert code_of(clean_mrn_prefix, prefix) in ("invalid", "required", "max_length")


@pytest.mark.parametrize(
    ("number", "country", "kept"),
    [
        ("1234567", "GB", "1234567"),  # GMC
        ("16A0123E", "GB", "16A0123E"),  # NMC
        ("ph12345", "GB", "PH12345"),  # HCPC
        ("1234567893", "US", "1234567893"),  # the example of CMS's own paper on the NPI's check digit
        ("MED0001234567", "AU", "MED0001234567"),
        ("LK 12/345-B", "SE", "LK 12/345-B"),  # a country without a known shape
        ("A1", "", "A1"),
    ],
)
def test_licences_by_country(number: str, country: str, kept: str) -> None:
    assert clean_licence_number(number, country=country) == kept


@pytest.mark.parametrize(
    ("number", "country", "code"),
    [
        ("12345678", "GB", "invalid"), ("16Z0123E", "GB", "invalid"), ("1234567890", "US", "check_digit"),
        ("3234567893", "US", "invalid"), ("12345", "AU", "invalid"), ("", "SE", "required"), ("<b>", "SE", "invalid"),
        ("-", "SE", "invalid"), ("x" * 33, "SE", "max_length"), ("A\x00B", "SE", "null_characters_not_allowed"),
        ("10000000000", "FR", "check_digit"), ("123456701", "DE", "check_digit"),
    ],
)  # fmt: skip
def test_what_is_no_licence(number: str, country: str, code: str) -> None:
    assert code_of(clean_licence_number, number, country=country) == code


@pytest.mark.parametrize(
    ("number", "country", "kept"),
    [
        ("943 476 5919", "GB", "9434765919"),  # NHS Data Dictionary's example
        ("401-023-2137", "GB", "4010232137"),
        ("111222333", "NL", "111222333"),
        ("12345678Z", "ES", "12345678Z"),
        ("x1234567l", "ES", "X1234567L"),
        ("811228-9874", "SE", "8112289874"),  # Skatteverket's example
    ],
)
def test_citizens_numbers_with_a_check(number: str, country: str, kept: str) -> None:
    assert clean_national_id(number, country=country) == kept


@pytest.mark.parametrize(
    ("number", "country", "code"),
    [
        ("943 476 5918", "GB", "check_digit"), ("94347659", "GB", "invalid"), ("111222334", "NL", "check_digit"),
        ("000000000", "NL", "check_digit"), ("12345678A", "ES", "check_digit"), ("811228-9873", "SE", "check_digit"),
    ],
)  # fmt: skip
def test_a_wrong_digit_is_found(number: str, country: str, code: str) -> None:
    assert code_of(clean_national_id, number, country=country) == code


def test_every_single_wrong_digit_of_an_nhs_number_is_found() -> None:
    right = "9434765919"
    for place in range(10):
        for digit in "0123456789":
            wrong = right[:place] + digit + right[place + 1 :]
            assert wrong == right or code_of(clean_national_id, wrong, country="GB") == "check_digit"


def test_luhn_by_the_standards_example() -> None:
    assert luhn_holds("79927398713") and not luhn_holds("79927398710")


@pytest.mark.parametrize(
    ("code", "edition", "kept"),
    [
        ("I10", "WHO", "I10"), ("e11.9", "WHO", "E11.9"), ("E119", "WHO", "E11.9"), ("U07.1", "WHO", "U07.1"),
        ("M23.21", "WHO", "M23.21"),
        ("S52.00", "WHO", "S52.00"), ("S52.521A", "CM", "S52.521A"), ("T36.0X1A", "CM", "T36.0X1A"), ("W6162XD", "CM", "W61.62XD"),
        ("C4A.9", "CM", "C4A.9"), ("Z3A.20", "CM", "Z3A.20"),
    ],
)  # fmt: skip
def test_diagnoses(code: str, edition: str, kept: str) -> None:
    assert clean_icd10(code, edition=edition) == kept  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["", "11.9", "E1", "E11.", "E11.999", "E11..9", "EE1.9", "E11,9", "G63.2*", "E10.4†", "Ε11.9"])
def test_what_is_no_diagnosis(code: str) -> None:
    assert code_of(clean_icd10, code) in ("invalid", "required")


def test_cm_codes_are_not_whos() -> None:
    assert code_of(clean_icd10, "S52.521A") == code_of(clean_icd10, "C4A.9") == "invalid"
    assert code_of(clean_icd10, "S52.521A1", edition="CM") == "invalid"


def test_blood_types() -> None:
    assert [*BLOOD_TYPES, UNKNOWN_BLOOD_TYPE] == BloodType.values
    assert [clean_blood_type(kind) for kind in BloodType.values] == BloodType.values
    for typed, kept in (("0 pos", "O+"), ("ab RhD negative", "AB-"), ("A−", "A-"), ("b+ve", "B+"), ("O Rh POS", "O+")):
        assert clean_blood_type(typed) == kept
    for typed in ("C+", "A", "+", "A+-", "Rh+", "A1", "AB0+", "A weak D"):
        assert code_of(clean_blood_type, typed) == "invalid_choice"
