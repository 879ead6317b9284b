"""What may be typed into the texts of scheduling."""

import re
from collections.abc import Collection

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import CharField, Model, TextField
from django.utils.translation import gettext as _

from core.errors import Detail, ValidationFailed

SURROGATE = re.compile("[\ud800-\udfff]")


def checked_text(field: str, text: str, longest: int, wrong: list[Detail], *, required: bool = False) -> str:
    """The text as it is; what is wrong with it is added to `wrong`."""
    if "\x00" in text:
        wrong.append(Detail(field, "null_characters_not_allowed", _("NUL characters are not allowed.")))
    elif SURROGATE.search(text):
        wrong.append(Detail(field, "surrogate_characters_not_allowed", _("Half characters (surrogates) are not allowed.")))
    elif len(text) > longest:
        wrong.append(Detail(field, "max_length", _("At most %(longest)s characters.") % {"longest": longest}))
    elif required and not text.strip():
        wrong.append(Detail(field, "required", _("This is needed.")))
    return text


def check_model(row: Model, wrong: list[Detail], *, skip: Collection[str] = ()) -> None:
    """Everything the model itself says about its fields and constraints, added to `wrong` by field. A query for each uniqueness."""
    known = {detail.field for detail in wrong} | set(skip)
    for field in row._meta.local_concrete_fields:
        if isinstance(field, CharField | TextField) and field.name not in known:
            longest = field.max_length or 10_000
            before = len(wrong)
            checked_text(field.name, str(getattr(row, field.attname) or ""), longest, wrong)
            if len(wrong) > before:
                known.add(field.name)
    references = {field.name for field in row._meta.local_concrete_fields if field.is_relation}
    try:
        row.full_clean(exclude=known | references, validate_constraints=not wrong)
    except ValidationError as error:
        for name, errors in error.error_dict.items():
            for one in errors:
                message = " ".join(one.messages)
                wrong.append(Detail(_field_of(row, name), str(one.code or "invalid"), message))


def _field_of(row: Model, name: str) -> str:
    """A constraint speaks of the whole row; a person looks for a field."""
    if name != NON_FIELD_ERRORS:
        return name
    return {"service": "name", "holiday": "day", "schedule": "valid_until", "scheduleexception": "last_day"}.get(
        row._meta.model_name or "", ""
    )


def raise_if(wrong: list[Detail]) -> None:
    """Raise ValidationFailed with everything that is wrong, if anything is."""
    if wrong:
        raise ValidationFailed(_("Some fields are wrong."), wrong)
