"""Taking a provider, a room and a patient for a time, so that nobody else can have them. The only place that decides lock order."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from appointments.choices import ResourceKind
from appointments.models import Appointment, Claim, Service
from appointments.policies import visible_appointments
from core.accounts.actor import Actor
from core.errors import PreconditionFailed
from core.tenancy.context import current_clinic_id
from core.tenancy.ids import new_id
from core.tenancy.models import Record

type Resource = tuple[ResourceKind, UUID]
# The advisory locks come before the rows: a CTE is computed in full before the rows that are joined to it.
HELD = "WITH held AS MATERIALIZED (SELECT {calls})"
# One statement for all claims: one that is refused gives no row. The rows' order (kind, then id) is the order of waiting.
TAKE = """
{held}
INSERT INTO appointments_claim (id, clinic_id, resource_kind, resource_id, during, starts_at, ends_at, appointment_id)
SELECT wanted.* FROM held, (VALUES {rows}) AS wanted ON CONFLICT DO NOTHING RETURNING resource_kind
"""
ROW = "(%s::uuid, %s::uuid, %s::text, %s::uuid, tstzrange(%s, %s, '[)'), %s::timestamptz, %s::timestamptz, %s::uuid)"
RELEASE = "{held} DELETE FROM appointments_claim USING held WHERE clinic_id = %s AND appointment_id = %s"
EXCLUSIVE, SHARED = "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """One resource for a time."""

    kind: ResourceKind
    resource_id: UUID
    start: datetime
    end: datetime


class Refused(Exception):
    """Some resources are taken; nothing was claimed."""

    def __init__(self, kinds: Collection[ResourceKind]) -> None:
        super().__init__(", ".join(sorted(kinds)))
        self.kinds = frozenset(kinds)


def wanted_by(
    service: Service, *, patient_id: UUID, provider_id: UUID, room_id: UUID | None, start: datetime, end: datetime
) -> list[Wanted]:
    """What a visit takes: patient for the visit itself, provider and room with the service's buffers."""
    before, after = timedelta(minutes=service.buffer_before_minutes), timedelta(minutes=service.buffer_after_minutes)
    claims = [
        Wanted(ResourceKind.PATIENT, patient_id, start, end),
        Wanted(ResourceKind.PROVIDER, provider_id, start - before, end + after),
    ]
    if room_id is not None:
        claims.append(Wanted(ResourceKind.ROOM, room_id, start - before, end + after))
    return sorted(claims)


def take(appointment_id: UUID, claims: Iterable[Wanted], *, holding: Collection[Resource]) -> None:
    """Claim all of them or none. Raises Refused with the kinds that are taken. One statement, inside a savepoint.

    `holding` names every resource that this transaction may try for: their locks are taken first, shared with other
    bookings, so that a move of one of them can't wait for us while we wait for it.
    """
    claims = sorted(claims)
    clinic_id = current_clinic_id()
    held, values = _held(holding, SHARED)
    for one in claims:
        span = (one.start, one.end)
        values += [new_id(), clinic_id, one.kind.value, one.resource_id, *span, *span, appointment_id]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE.format(held=held, rows=", ".join([ROW] * len(claims))), values)
        got = {ResourceKind(kind) for (kind,) in cursor.fetchall()}
        if len(got) < len(claims):
            raise Refused({one.kind for one in claims} - got)


def release(appointment_id: UUID) -> None:
    """Free what the visit holds. One statement."""
    Claim.objects.filter(appointment_id=appointment_id).delete()


def release_for_move(appointment_id: UUID, holding: Collection[Resource]) -> None:
    """Free what the visit holds, to claim anew: until we are done nobody else claims these resources. One statement."""
    held, values = _held(holding, EXCLUSIVE)
    with connection.cursor() as cursor:
        cursor.execute(RELEASE.format(held=held), [*values, current_clinic_id(), appointment_id])


def _held(resources: Collection[Resource], function: str) -> tuple[str, list[Any]]:
    """The locks as a CTE and its values, in the fixed order: PostgreSQL evaluates a list of expressions from left to right."""
    keys = sorted({(kind.value, str(resource_id)) for kind, resource_id in resources})
    calls = ", ".join([f"{function}(hashtextextended(%s, 0))"] * len(keys))
    return HELD.format(calls=calls), [f"{kind} {key}" for kind, key in keys]


def locked_appointment(actor: Actor, appointment_id: UUID, *, expected_version: int | None = None) -> Appointment:
    """The visit with its names, its row locked. Raises NotFound, or PreconditionFailed when it has another version. One query."""
    visits = visible_appointments(actor).for_list().select_for_update(of=("self",), no_key=True)
    appointment = visits.found(pk=appointment_id)
    check_version(appointment, expected_version)
    return appointment


def check_version(row: Record, expected_version: int | None) -> None:
    """Raise PreconditionFailed when the caller read another version than this."""
    if expected_version is not None and row.version != expected_version:
        raise PreconditionFailed.at(row.version, _("Somebody changed this meanwhile. Look at it again."))
