"""When providers work: weekly blocks, the days that differ, and holidays.

Booked visits stay as they are when hours change; they are moved or cancelled one by one, by people.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from appointments.choices import ExceptionKind
from appointments.models import Holiday, Schedule, ScheduleException
from appointments.services.claims import check_version
from appointments.validators import check_model, raise_if
from clinics.models import Location, Provider, Room
from core.accounts.actor import Actor
from core.errors import Detail

LONGEST_DAYS = 731
WEEK = 7 * 24 * 60
SCHEDULE_FIELDS = frozenset(
    {"provider", "location", "room", "weekday", "start_time", "end_time", "slot_minutes", "valid_from", "valid_until"}
)
EXCEPTION_FIELDS = frozenset({"provider", "kind", "first_day", "last_day", "start_time", "end_time", "location", "room", "reason"})
HOLIDAY_FIELDS = frozenset({"day", "name", "location"})
REFERENCES: dict[str, type[Provider | Location | Room]] = {"provider": Provider, "location": Location, "room": Room}
Known = dict[str, dict[str, Any]]  # the rows that values name: by field, then by id


# --- Weekly blocks ------------------------------------------------------------------------------------------------------
def create_schedule(*, actor: Actor, data: Mapping[str, Any]) -> Schedule:
    """Add a weekly block. References are given as ids under their own names. Raises ValidationFailed with every wrong field."""
    actor.require("schedule", "create")
    return _saved_schedule(Schedule(), data)


def update_schedule(
    *, actor: Actor, schedule_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> Schedule:
    actor.require("schedule", "change")
    row = _locked(Schedule).found(pk=schedule_id)
    check_version(row, expected_version)
    return _saved_schedule(row, changes)


def delete_schedule(*, actor: Actor, schedule_id: UUID, expected_version: int | None = None) -> None:
    actor.require("schedule", "delete")
    row = Schedule.objects.select_for_update(no_key=True).found(pk=schedule_id)
    check_version(row, expected_version)
    row.delete()


def replace_week(*, actor: Actor, provider_id: UUID, blocks: Sequence[Mapping[str, Any]]) -> list[Schedule]:
    """Give the provider these weekly blocks in place of all they had. Wrong fields are named `blocks.0.start_time`."""
    actor.require("schedule", "change")
    actor.require("schedule", "delete")
    Provider.objects.select_for_update(no_key=True).found(pk=provider_id)
    wrong: list[Detail] = []
    rows: list[Schedule] = []
    week = [{**block, "provider": provider_id} for block in blocks]
    known = _referenced(*week)
    for number, block in enumerate(week):
        row, own = Schedule(), list[Detail]()
        _fill(row, block, SCHEDULE_FIELDS, own, known)
        _check_block(row, rows, own)
        wrong += [Detail(f"blocks.{number}.{detail.field}", detail.code, detail.message) for detail in own]
        if not own:
            rows.append(row)
    raise_if(wrong)
    Schedule.objects.filter(provider_id=provider_id).delete()
    return Schedule.objects.bulk_create(rows)


def _saved_schedule(row: Schedule, values: Mapping[str, Any]) -> Schedule:
    wrong: list[Detail] = []
    _fill(row, values, SCHEDULE_FIELDS, wrong, _referenced(values))
    others = [] if wrong else list(Schedule.objects.filter(provider_id=row.provider_id).exclude(pk=row.pk))
    _check_block(row, others, wrong)
    raise_if(wrong)
    row.save()
    return row


def _check_block(row: Schedule, others: Iterable[Schedule], wrong: list[Detail]) -> None:
    check_model(row, wrong)
    readable = not (_names(wrong, "valid_from") or _names(wrong, "valid_until"))
    if readable and row.valid_from and row.valid_until and row.valid_until < row.valid_from:
        wrong.append(Detail("valid_until", "before_start", _("This is before the first day.")))
    if not wrong and any(_overlap(row, other) for other in others):
        wrong.append(Detail("start_time", "overlaps", _("The provider has other hours at this time.")))


def _overlap(one: Schedule, other: Schedule) -> bool:
    """Do two blocks share a minute of some week?"""
    if one.valid_until and other.valid_from and one.valid_until < other.valid_from:
        return False
    if other.valid_until and one.valid_from and other.valid_until < one.valid_from:
        return False
    (a, b), (c, d) = _minutes(one), _minutes(other)
    return any(a < d + shift and c + shift < b for shift in (-WEEK, 0, WEEK))


def _minutes(row: Schedule) -> tuple[int, int]:
    begin = row.weekday * 24 * 60 + row.start_time.hour * 60 + row.start_time.minute
    length = (row.end_time.hour - row.start_time.hour) * 60 + row.end_time.minute - row.start_time.minute
    return begin, begin + (length if length > 0 else length + 24 * 60)


# --- Days that differ ---------------------------------------------------------------------------------------------------
def create_exception(*, actor: Actor, data: Mapping[str, Any]) -> ScheduleException:
    """Note that a provider is away, or works extra hours. Raises ValidationFailed with every wrong field."""
    actor.require("schedule", "create")
    return _saved_exception(ScheduleException(), data)


def update_exception(
    *, actor: Actor, exception_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> ScheduleException:
    actor.require("schedule", "change")
    row = _locked(ScheduleException).found(pk=exception_id)
    check_version(row, expected_version)
    return _saved_exception(row, changes)


def delete_exception(*, actor: Actor, exception_id: UUID, expected_version: int | None = None) -> None:
    actor.require("schedule", "delete")
    row = ScheduleException.objects.select_for_update(no_key=True).found(pk=exception_id)
    check_version(row, expected_version)
    row.delete()


def _saved_exception(row: ScheduleException, values: Mapping[str, Any]) -> ScheduleException:
    wrong: list[Detail] = []
    _fill(row, values, EXCEPTION_FIELDS, wrong, _referenced(values))
    needed = ["start_time", "end_time", "location"] if row.kind == ExceptionKind.EXTRA else []
    if row.kind == ExceptionKind.OFF and (row.start_time is None) != (row.end_time is None):
        needed = ["start_time", "end_time"]
    for name in needed:
        if getattr(row, f"{name}_id" if name in REFERENCES else name) is None and not _names(wrong, name):
            wrong.append(Detail(name, "required", _("This is needed.")))
    if isinstance(row.first_day, date) and isinstance(row.last_day, date) and not _names(wrong, "last_day"):
        if row.last_day < row.first_day:
            wrong.append(Detail("last_day", "before_start", _("This is before the first day.")))
        elif (row.last_day - row.first_day).days > LONGEST_DAYS:
            wrong.append(Detail("last_day", "too_far", _("This is more than two years later.")))
    check_model(row, wrong)
    raise_if(wrong)
    row.save()
    return row


# --- Holidays -----------------------------------------------------------------------------------------------------------
def create_holiday(*, actor: Actor, data: Mapping[str, Any]) -> Holiday:
    """Close the clinic, or one location, for a day. Raises ValidationFailed with every wrong field."""
    actor.require("schedule", "create")
    return _saved_holiday(Holiday(), data)


def update_holiday(*, actor: Actor, holiday_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None) -> Holiday:
    actor.require("schedule", "change")
    row = Holiday.objects.select_for_update(no_key=True).found(pk=holiday_id)
    check_version(row, expected_version)
    return _saved_holiday(row, changes)


def delete_holiday(*, actor: Actor, holiday_id: UUID, expected_version: int | None = None) -> None:
    actor.require("schedule", "delete")
    row = Holiday.objects.select_for_update(no_key=True).found(pk=holiday_id)
    check_version(row, expected_version)
    row.delete()


def _saved_holiday(row: Holiday, values: Mapping[str, Any]) -> Holiday:
    wrong: list[Detail] = []
    _fill(row, values, HOLIDAY_FIELDS, wrong, _referenced(values))
    check_model(row, wrong)
    taken = Holiday.objects.filter(day=row.day, location=row.location).exclude(pk=row.pk) if not wrong else None
    if taken is not None and taken.exists():
        wrong.append(Detail("day", "unique", _("This day is a holiday already.")))
    raise_if(wrong)
    row.save()
    return row


# --- Inside -------------------------------------------------------------------------------------------------------------
def _locked(model: type[Schedule] | type[ScheduleException]) -> Any:
    """The row alone is locked; provider, location and room come with it."""
    return model.objects.select_for_update(no_key=True, of=("self",)).select_related("provider", "location", "room")


def _referenced(*many: Mapping[str, Any]) -> Known:
    """The providers, locations and rooms that the values name, by id. At most three queries, for any number of blocks."""
    known: Known = {}
    for name, model in REFERENCES.items():
        wanted = {values[name] for values in many if values.get(name) is not None}
        known[name] = {str(key): row for key, row in model.objects.in_bulk(wanted).items()} if wanted else {}
    return known


def _fill(row: Any, values: Mapping[str, Any], fields: frozenset[str], wrong: list[Detail], known: Known) -> None:
    """Set the given values; references must exist here, and a room belongs to the location. No query."""
    for name, value in values.items():
        if name not in fields:
            wrong.append(Detail(name, "unknown_field", _("There is no such field.")))
        elif name not in REFERENCES:
            setattr(row, name, value)
        elif value is None:
            setattr(row, name, None)
        else:
            found = known[name].get(str(value))
            if found is None:
                wrong.append(Detail(name, "not_found", _("There is no such record.")))
            else:
                setattr(row, name, found)
    for name in fields & {"provider", "location"}:
        required = not row._meta.get_field(name).null
        if required and getattr(row, f"{name}_id") is None and not _names(wrong, name):
            wrong.append(Detail(name, "required", _("This is needed.")))
    if (
        "room" in fields
        and row.room
        and row.location_id != row.room.location_id
        and not (_names(wrong, "room") or _names(wrong, "location"))
    ):
        wrong.append(Detail("room", "wrong_location", _("This room is at another location.")))


def _names(wrong: list[Detail], field: str) -> bool:
    return any(detail.field == field for detail in wrong)
