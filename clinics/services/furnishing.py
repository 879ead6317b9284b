"""Furnishing a clinic: its places, departments, rooms and providers, and its own rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from clinics import validators
from clinics.models import ClinicSettings, Department, Location, Provider, Room
from core.accounts.actor import Actor
from core.accounts.models import Membership, User
from core.errors import Conflict, Detail, PreconditionFailed
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic, Record
from core.validators import Problems, Rule, clean_fields


@dataclass(frozen=True)
class _Noun:
    """How one kind of record is checked: its rules, what it refers to, what a new one can't do without."""

    model: type[Any]
    resource: str
    rules: Callable[[str], dict[str, Rule]]
    references: Mapping[str, type[Any]]
    required: tuple[str, ...] = ("name",)


_LOCATION = _Noun(Location, "location", validators.location_rules, {})
_DEPARTMENT = _Noun(Department, "department", validators.department_rules, {})
_ROOM = _Noun(Room, "room", validators.room_rules, {"location": Location}, ("location", "name"))
_PROVIDER = _Noun(Provider, "provider", validators.provider_rules, {"department": Department, "user": User})
_SETTINGS = _Noun(ClinicSettings, "clinic", validators.settings_rules, {}, ())
OPTIONAL_REFERENCES = ("department", "user")


def create_location(*, actor: Actor, data: Mapping[str, Any]) -> Location:
    """`data`: name, address, phone, time_zone, is_active. Raises ValidationFailed; Conflict for a name in use."""
    return cast(Location, _create(actor, _LOCATION, data))


def update_location(
    *, actor: Actor, location_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> Location:
    """Raises NotFound, PreconditionFailed, ValidationFailed, Conflict."""
    return cast(Location, _update(actor, _LOCATION, location_id, changes, expected_version))


def create_department(*, actor: Actor, data: Mapping[str, Any]) -> Department:
    """`data`: name, is_active. Raises ValidationFailed; Conflict for a name in use."""
    return cast(Department, _create(actor, _DEPARTMENT, data))


def update_department(
    *, actor: Actor, department_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> Department:
    """Raises NotFound, PreconditionFailed, ValidationFailed, Conflict."""
    return cast(Department, _update(actor, _DEPARTMENT, department_id, changes, expected_version))


def create_room(*, actor: Actor, data: Mapping[str, Any]) -> Room:
    """`data`: location (record or id), name, kind, is_active. Raises ValidationFailed; Conflict for a name in use there."""
    return cast(Room, _create(actor, _ROOM, data))


def update_room(*, actor: Actor, room_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None) -> Room:
    """Raises NotFound, PreconditionFailed, ValidationFailed, Conflict."""
    return cast(Room, _update(actor, _ROOM, room_id, changes, expected_version))


def create_provider(*, actor: Actor, data: Mapping[str, Any]) -> Provider:
    """`data`: name, kind, department and user (record, id or None), is_active. Raises ValidationFailed."""
    return cast(Provider, _create(actor, _PROVIDER, data))


def update_provider(
    *, actor: Actor, provider_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> Provider:
    """Raises NotFound, PreconditionFailed, ValidationFailed."""
    return cast(Provider, _update(actor, _PROVIDER, provider_id, changes, expected_version))


def update_settings(*, actor: Actor, changes: Mapping[str, Any], expected_version: int | None = None) -> ClinicSettings:
    """The clinic's own rules: wait_warn_minutes, wait_late_minutes, retention_years (None: records are kept for ever).

    Raises PreconditionFailed, ValidationFailed.
    """
    actor.require("clinic", "change")
    settings = ClinicSettings.objects.select_for_update().first() or ClinicSettings()
    _check_version(settings, expected_version)
    problems = Problems()
    cleaned = _cleaned(_SETTINGS, changes, problems)
    warn = cleaned.get("wait_warn_minutes") or settings.wait_warn_minutes
    late = cleaned.get("wait_late_minutes") or settings.wait_late_minutes
    if warn >= late:
        problems.add("wait_late_minutes", "out_of_order", _("Red comes after amber: use a larger number."))
    problems.raise_if_any()
    for name, value in cleaned.items():
        setattr(settings, name, value)
    settings.save()
    return settings


def _create(actor: Actor, noun: _Noun, data: Mapping[str, Any]) -> Record:
    actor.require(noun.resource, "create")
    problems = Problems()
    cleaned = _cleaned(noun, data, problems)
    for field in noun.required:
        if field not in data:
            problems.add(field, "required", _("This is needed."))
    problems.raise_if_any()
    row = noun.model(**cleaned)
    _save(row)
    return cast(Record, row)


def _update(actor: Actor, noun: _Noun, row_id: UUID, changes: Mapping[str, Any], expected_version: int | None) -> Record:
    actor.require(noun.resource, "change")
    row = noun.model.objects.select_for_update().found(pk=row_id)
    _check_version(row, expected_version)
    problems = Problems()
    cleaned = _cleaned(noun, changes, problems)
    problems.raise_if_any()
    changed = [name for name, value in cleaned.items() if _stored(row, name) != _plain(value)]
    for name in changed:
        setattr(row, name, cleaned[name])
    if changed:
        _save(row, update_fields=changed)
    return cast(Record, row)


def _cleaned(noun: _Noun, data: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    country = Clinic.objects.values_list("country", flat=True).get(pk=current_clinic_id())
    own = {field: value for field, value in data.items() if field not in noun.references}
    cleaned = clean_fields(own, noun.rules(country), problems)
    for field, model in noun.references.items():
        if field in data:
            cleaned[field] = _referred(field, model, data[field], problems)
    return cleaned


def _referred(field: str, model: type[Any], value: Any, problems: Problems) -> Any:
    """The record of this clinic that an id means. A user counts when they work here."""
    if value is None and field in OPTIONAL_REFERENCES:
        return None
    key = getattr(value, "pk", value)
    try:
        key = key if isinstance(key, UUID) else UUID(str(key))
    except ValueError:
        problems.add(field, "invalid", _("This is not an id."))
        return None
    rows = model.objects.filter(pk=key)
    if model is User:
        here = Membership.objects.filter(clinic_id=current_clinic_id(), state=Membership.State.ACTIVE)
        rows = rows.filter(pk__in=here.values("user_id"))
    row = rows.first()
    if row is None:
        problems.add(field, "does_not_exist", _("There is no such record."))
    return row


def _save(row: Any, **kwargs: Any) -> None:
    try:
        with transaction.atomic():
            row.save(**kwargs)
    except IntegrityError as error:
        message = _("This name is in use.")
        raise Conflict(message, [Detail("name", "unique", message)]) from error


def _check_version(row: Record, expected_version: int | None) -> None:
    if expected_version is not None and row.version != expected_version:
        raise PreconditionFailed.at(row.version, _("Somebody changed this record meanwhile. Read it again."))


def _stored(row: Any, name: str) -> Any:
    return getattr(row, row._meta.get_field(name).attname)


def _plain(value: Any) -> Any:
    return getattr(value, "pk", value)
