"""Which fields a clinic may mark as protected: those that say so themselves (core.security.fields.Protectable)."""

from functools import lru_cache
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from core.validators import clean_choice


@lru_cache(maxsize=1)
def markable() -> dict[str, Any]:
    """The fields by the names under which `Clinic.protected_fields` lists them: `patient.email`. In the order of the models."""
    fields: Any = (field for model in apps.get_models() for field in model._meta.local_concrete_fields)
    return {field.mark: field for field in fields if getattr(field, "is_protectable", False)}


def mark_choices() -> list[tuple[str, str]]:
    """Each with the field's own words, for forms."""
    return [(mark, str(capfirst(field.verbose_name))) for mark, field in markable().items()]


def clean_marks(value: Any) -> list[str]:
    """A list of such names, each once, in the order of the models."""
    if not isinstance(value, list | tuple):
        raise ValidationError(_("This must be a list."), code="not_a_list")
    chosen = {clean_choice(one, choices=markable()) for one in value}
    return [mark for mark in markable() if mark in chosen]
