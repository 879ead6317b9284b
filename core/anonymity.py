"""What anonymising a person does to each field of each table about them: said once, beside the model, field by field.

What is not said is an error when HMS starts, so a column that is added tomorrow is decided on tomorrow.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Field, Model

TECHNICAL = frozenset({"pk", "id", "clinic", "version", "created_at", "updated_at"})  # kept everywhere


@dataclass(frozen=True)
class Fate:
    """What becomes of a table's rows. `values`: what a column is set to; a callable is given the row. The rest is kept.

    `removed`: the rows themselves go. `files`: fields that name a file, which is destroyed.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    removed: bool = False

    @property
    def changes(self) -> bool:
        return self.removed or bool(self.values)


_fates: dict[type[Model], Fate] = {}


def anonymised[M: type[Model]](
    *,
    keep: Iterable[str] = (),
    blank: Iterable[str] = (),
    becomes: Mapping[str, Any | Callable[[Any], Any]] | None = None,
    files: Iterable[str] = (),
    removed: bool = False,
) -> Callable[[M], M]:
    """Declare it, by field name: kept, blanked (null, else the default, else empty), set to something, a file to destroy.

    Either all of the fields are named (but those that are technical), or the rows are `removed`. Raises TypeError otherwise.
    """

    def declare(model: M) -> M:
        given = [*keep, *blank, *(becomes or {}), *files]
        fields = {one.name: one for one in model._meta.local_concrete_fields}
        wrong = {name for name in given if given.count(name) > 1 or name not in fields or name in TECHNICAL}
        missing = set() if removed else fields.keys() - set(given) - TECHNICAL
        if wrong or missing or (removed and given):
            said = ", ".join(sorted(wrong | missing)) or "its rows go anyway"
            raise TypeError(f"What anonymising does to {model._meta.label} is not said rightly: {said}.")
        values = {name: blank_of(fields[name]) for name in (*blank, *files)} | dict(becomes or {})
        _fates[model] = Fate(values, tuple(files), removed)
        return model

    return declare


def fate_of(model: type[Model]) -> Fate | None:
    """What was declared, or None."""
    return _fates.get(model)


def blank_of(one: "Field[Any, Any]") -> Any:
    """Nothing, as the field says it."""
    if one.null:
        return None
    if one.has_default():
        return one.get_default()
    if one.empty_strings_allowed:
        return ""
    raise TypeError(f"{one} can't be blank.")
