"""Forms that carry what was typed to a service and bring back what the service refused. The rules stay in the services."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict

from core.drafts.models import Draft
from core.errors import Detail, DomainError


class _AsTyped(forms.Field):
    """`required` is told on the page; whether the value will do, the service says."""

    def validate(self, value: Any) -> None:
        """Nothing is refused here."""

    def run_validators(self, value: Any) -> None:
        """Nothing is refused here."""


class TypedField(_AsTyped):
    """One value, exactly as it was typed; "" when the field did not come."""

    def to_python(self, value: Any) -> str:
        return "" if value is None else str(value)


class TypedText(_AsTyped, forms.CharField):
    """A model's text exactly as it was typed: neither cut nor trimmed, also not by the browser, which counts otherwise."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "strip": False, "max_length": None})


class TypedChoice(TypedField, forms.ChoiceField):
    """One of some choices."""


class TypedChoices(_AsTyped, forms.MultipleChoiceField):
    """Any of some choices."""

    def to_python(self, value: Any) -> list[str]:
        return [str(item) for item in value or []]


class TypedBoolean(_AsTyped, forms.BooleanField):
    """A tick."""


class ReferenceSelect(AutocompleteSelect):
    """The admin's search for another record. Shown again with what is no id, it shows nothing chosen: Django's own fails."""

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [one for one in value if _is_key(one)], attrs)


def _is_key(text: str) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True


class TypedFile(_AsTyped, forms.FileField):
    """A file; None when none was chosen."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        return data or None


def show_problems(form: forms.BaseForm, error: DomainError, rename: Callable[[str], str] = str) -> None:
    """Put each detail at its field, all at once; what belongs to no field of the form goes on top.

    `rename` turns the service's name of a field into the form's. The form must have been cleaned.
    """
    for detail in error.details:
        name = rename(detail.field)
        if name in form.fields:
            form.add_error(name, problem_of(detail))
        else:
            form.add_error(None, f"{detail.field}: {detail.message}")
    if not error.details:
        form.add_error(None, str(error.message))


def problem_of(detail: Detail) -> ValidationError:
    """The same problem as a form keeps it, under the same code."""
    return ValidationError(str(detail.message), code=detail.code)


def from_draft(fields: Iterable[tuple[str, forms.Field]], draft: Draft) -> dict[str, Any]:
    """A form's `initial` from what was typed and kept. Fields that were empty then are empty again."""
    typed: MultiValueDict[str, str] = MultiValueDict(draft.values)
    return {name: field.widget.value_from_datadict(typed, MultiValueDict(), name) for name, field in fields}
