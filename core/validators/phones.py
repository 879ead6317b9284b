"""Telephone numbers, as people write them, into E.164."""

from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.text import clean_name

MAX_TYPED = 40


def clean_phone(value: Any, *, country: str, required: bool = False) -> str:
    """The number in E.164 (+442079460018), or "". `country` (ISO 3166-1) reads numbers written without a plus."""
    typed = clean_name(value, max_length=MAX_TYPED, required=required)
    if not typed:
        return ""
    try:
        number = phonenumbers.parse(typed, country or None)
    except phonenumbers.NumberParseException as error:
        raise ValidationError(_("This is not a phone number."), code="invalid") from error
    if number.extension:
        raise ValidationError(_("Write the number without an extension."), code="invalid")
    # Only the length is judged: number plans change faster than anyone's copy of them, and a real number must not be refused.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValidationError(_("This number is too short or too long. Check the digits and the country code."), code="invalid")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
