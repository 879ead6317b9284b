"""E-mail addresses."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext as _

from core.validators.text import clean_name

_is_email = EmailValidator()


def clean_email(value: Any, *, required: bool = False) -> str:
    """The address without white space around it, or ""."""
    address = clean_name(value, max_length=254, required=required)
    if address:
        try:
            _is_email(address)
        except ValidationError as error:
            raise ValidationError(_("This is not an e-mail address."), code="invalid") from error
    return address
