"""What changed, in the words of the forms: field by field, who, when, and from where."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.formats import date_format, time_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.models import User
from core.history.keeping import kept_for, model_of
from core.history.models import Change, Operation
from core.keys.sealing import unseal_text
from core.security.crypto import Undecipherable
from core.security.fields import EncryptedTextField, Protectable

ON_A_PAGE = 50
INNER = frozenset({"id", "clinic_id", "version", "created_at", "updated_at"})
SERVING = ("hms_app", "hms_platform")
BY_REQUEST = re.compile(r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[\w-]*)")
type Names = dict[type[models.Model], dict[str, str]]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after; `hidden`: that it changed is all that is said."""

    label: str
    before: str
    after: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of one row. `what` is its kind in words; `at` stands in the zone that was asked for."""

    number: int
    at: datetime
    operation: str
    operation_label: str
    what: str
    who: str
    way: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries, the newest first; `older` is the number before which the next page begins, None on the last."""

    zone: ZoneInfo
    entries: tuple[Entry, ...]
    older: int | None


def changes_of(
    *, actor: Actor, row_ids: Iterable[UUID], zone: ZoneInfo, before: int | None = None, limit: int = ON_A_PAGE
) -> EntryPage:
    """What changed in rows that the actor may see (the caller has looked), the newest first. Raises NotAllowed.

    One query, one for people's names, and one for each other table that the changed fields refer to.
    """
    actor.require("history", "view")
    kept = Change.objects.filter(row_id__in=list(row_ids)).defer("salt", "digest").order_by("-id")
    rows = list((kept.filter(id__lt=before) if before else kept)[: limit + 1])
    names = _names(rows[:limit])
    entries = tuple(_entry(row, names, zone) for row in rows[:limit])
    return EntryPage(zone, entries, rows[limit - 1].pk if len(rows) > limit else None)


def _entry(row: Change, names: Names, zone: ZoneInfo) -> Entry:
    model = model_of(row.table_name)
    return Entry(
        number=row.pk,
        at=row.at.astimezone(zone),
        operation=row.operation,
        operation_label=str(Operation(row.operation).label),
        what=str(capfirst(model._meta.verbose_name)) if model else row.table_name,
        who=_who(row, names[User]),
        way=_way(row),
        fields=tuple(_fields(row, model, names, zone)) if row.operation not in (Operation.ERASE, Operation.PROTECT) else (),
    )


def _who(row: Change, people: dict[str, str]) -> str:
    person = people.get(str(row.actor_id), "") if row.actor_id else ""
    if row.by_role not in SERVING:
        return ", ".join(filter(None, (person, _("%(role)s, directly in the database") % {"role": row.by_role})))
    return person or (str(row.actor_id)[-12:] if row.actor_id else "HMS")


def _way(row: Change) -> str:
    """From where, or why."""
    found = BY_REQUEST.match(row.reason)
    if not found:
        return row.reason
    return {"/api": _("through the API"), "/admin": _("in the administration")}.get(found[1], "")


def _fields(row: Change, model: type[models.Model] | None, names: Names, zone: ZoneInfo) -> Iterator[FieldChange]:
    before, after = row.old_values or {}, row.new_values or {}
    kept = kept_for(row.table_name)
    inner = INNER.union(kept.inner if kept else ())
    fields = {one.column: one for one in model._meta.local_concrete_fields} if model else {}
    order = [column for column in fields if column in before or column in after]
    for column in [*order, *sorted((before.keys() | after.keys()) - fields.keys())]:
        field = fields.get(column)
        was, became = before.get(column), after.get(column)
        if column in inner or (not was and not became and row.operation != Operation.UPDATE):
            continue
        label = capfirst(field.verbose_name) if field is not None else column
        if isinstance(field, EncryptedTextField) or (kept and column in kept.secret):
            if was != "\\x" or became != "\\x":
                yield FieldChange(str(label), "", "", hidden=True)
            continue
        try:
            was, became = _opened(was, field), _opened(became, field)
        except Undecipherable:
            yield FieldChange(str(label), "", "", hidden=True)
        else:
            yield FieldChange(str(label), _words(was, field, names, zone), _words(became, field, names, zone))


def _opened(value: Any, field: Any) -> Any:
    """In clear, if it was sealed because the clinic protects the field: whoever may see the history sees what the record shows."""
    return unseal_text(value, context=field.context) if isinstance(field, Protectable) and value else value


def _words(value: Any, field: Any, names: Names, zone: ZoneInfo) -> str:
    """A value as people read it; "" for none."""
    if value in (None, "", []):
        return ""
    if isinstance(field, models.ForeignKey):
        return names[field.related_model].get(str(value), str(value)[-12:])
    if isinstance(field, ArrayField):
        return ", ".join(_words(one, field.base_field, names, zone) for one in value)
    if field is not None and field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return _in_words(field.to_python(value) if field is not None else value, zone)


def _in_words(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, datetime):
        return date_format(value.astimezone(zone), "j M Y, H:i")
    if isinstance(value, date):
        return date_format(value, "j M Y")
    if isinstance(value, time):
        return time_format(value, "H:i")
    return str(value)


def _names(rows: Sequence[Change]) -> Names:
    """What is referred to, by model and id. One query a model."""
    wanted: dict[type[models.Model], set[str]] = defaultdict(set, {User: {str(row.actor_id) for row in rows if row.actor_id}})
    for row in rows:
        model = model_of(row.table_name)
        for field in model._meta.local_concrete_fields if model else ():
            if isinstance(field, models.ForeignKey) and field.column not in INNER:
                found = {(values or {}).get(field.column) for values in (row.old_values, row.new_values)}
                wanted[field.related_model] |= {str(one) for one in found if one}
    return {model: {str(one.pk): _name(one) for one in model._default_manager.filter(pk__in=ids)} for model, ids in wanted.items()}


def _name(row: models.Model) -> str:
    return row.full_name if isinstance(row, User) else str(row)
