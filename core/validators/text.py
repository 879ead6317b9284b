"""Text in every script, without what no person types and no database keeps."""

import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LINE_CHARACTERS = "\t\n\r"


def clean_text(value: Any, *, max_length: int, required: bool = False, multiline: bool = False) -> str:
    """The text exactly as sent. `max_length` counts characters. Tab and line ends are for `multiline` only."""
    if value is None:
        raise ValidationError(_("This may not be null."), code="null")
    if not isinstance(value, str):
        raise ValidationError(_("This must be text."), code="invalid")
    _refuse_characters(value, multiline)
    if required and not value.strip():
        raise ValidationError(_("This is needed."), code="required")
    if len(value) > max_length:
        raise ValidationError(_("At most %(limit)d characters."), code="max_length", params={"limit": max_length})
    return value


def clean_name(value: Any, *, max_length: int, required: bool = False) -> str:
    """A name: one line, without the white space around it."""
    stripped = value.strip() if isinstance(value, str) else value
    return clean_text(stripped, max_length=max_length, required=required)


def _refuse_characters(value: str, multiline: bool) -> None:
    if value.isascii() and value.isprintable():
        return
    for character in value:
        if character == "\x00":
            raise ValidationError(_("Null characters are not allowed."), code="null_characters_not_allowed")
        category = unicodedata.category(character)
        if category == "Cs":
            raise ValidationError(_("This is not valid Unicode text."), code="surrogate_characters_not_allowed")
        if category == "Cc" and not (multiline and character in LINE_CHARACTERS):
            raise ValidationError(_("Control characters are not allowed."), code="control_characters_not_allowed")
