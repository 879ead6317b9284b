"""One of a few words; yes or no."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


def clean_choice(value: Any, *, choices: Iterable[str]) -> str:
    """One of the words."""
    known = [str(choice) for choice in choices]
    if not isinstance(value, str) or value not in known:
        raise ValidationError(_("Choose one of: %(known)s."), code="invalid_choice", params={"known": ", ".join(known)})
    return str(value)


def clean_boolean(value: Any) -> bool:
    """True or False, and nothing that looks like it."""
    if not isinstance(value, bool):
        raise ValidationError(_("This is true or false."), code="invalid")
    return value
