"""What a cached value depends on, spelt as the triggers spell it (core.tenancy.announcements)."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Model

from core.tenancy.announcements import EVERYTHING, Announcement, announcement_by_tag, announcement_for
from core.tenancy.context import current_clinic_id

Tags = Iterable["Tag"] | Callable[[], Iterable["Tag"]]


class Tag:
    """One dependency: `Tag("patient", id)` is fine, `Tag.all(Room)` any row of the clinic's table.

    The clinic is the scope's unless `clinic_id` says another. A fine tag brings its table's bulk tag along, since a
    statement that changes many rows announces only that one.
    """

    __slots__ = ("table", "texts")

    def __init__(self, name: str, *values: Any, clinic_id: UUID | None = None) -> None:
        """`values` stand for the columns that `@announces` gives the name, without the clinic's. Raises KeyError."""
        announcement = announcement_by_tag(name)
        columns = announcement.tags[name]
        parts = [name, *(_spelt(value) for value in values)]
        if columns[0] == "clinic_id":
            parts.insert(1, str(clinic_id or current_clinic_id()))
        if len(parts) != len(columns) + 1:
            raise TypeError(f"The tag {name} takes {', '.join(columns)} (clinic_id may be left out).")
        self.table = announcement.table
        self.texts: tuple[str, ...] = (":".join(parts), _bulk(announcement, clinic_id))

    @classmethod
    def all(cls, model: type[Model], *, clinic_id: UUID | None = None) -> "Tag":
        """Any row of the model's table, of one clinic where the table has clinics. Raises TypeError if it announces nothing."""
        table = model._meta.db_table
        announcement = announcement_for(table)
        if announcement is None:
            raise TypeError(f"{model.__name__} announces no changes, so nothing of it can be cached.")
        tag = cls.__new__(cls)
        tag.table = table
        tag.texts = (f"{table}:{clinic_id or current_clinic_id()}" if announcement.clinic else table,)
        return tag

    @classmethod
    def row(cls, model: type[Model], pk: UUID) -> "Tag":
        """One row of the model, if it announces its rows one by one; else any row."""
        announcement = announcement_for(model._meta.db_table)
        names = [name for name, columns in announcement.tags.items() if columns == ("id",)] if announcement else []
        return cls(names[0], pk) if names else cls.all(model)

    def __repr__(self) -> str:
        return f"<Tag {self.texts[0]}>"


def _bulk(announcement: Announcement, clinic_id: UUID | None) -> str:
    if announcement.bulk_has_clinic:
        return f"{announcement.table}:{clinic_id or current_clinic_id()}:*"
    return f"{announcement.table}:*"


def _spelt(value: Any) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (UUID, str, int)) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"A tag's value is an id, a day, a number or a text, not {type(value).__name__}.")


def named(tags: Tags) -> tuple[Tag, ...]:
    return tuple(tags() if callable(tags) else tags)


def texts_of(tags: Iterable[Tag]) -> tuple[str, ...]:
    """All that a value with these tags depends on, in a fixed order, each once; the first stands for everything."""
    return (EVERYTHING, *sorted({text for tag in tags for text in tag.texts}))
