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

# One statement for all: a claim that is refused gives no row. The rows' order (kind, then id) is the order of waiting.
TAKE = """
INSERT INTO appointments_claim (id, clinic_id, resource_kind, resource_id, during, starts_at, ends_at, appointment_id)
VALUES {rows} ON CONFLICT DO NOTHING RETURNING resource_kind
"""
ROW = "(%s, %s, %s, %s, tstzrange(%s, %s, '[)'), %s, %s, %s)"
LOCK = "SELECT {calls}"
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


def take(appointment_id: UUID, claims: Iterable[Wanted]) -> None:
    """Claim all of them or none. Raises Refused with the kinds that are taken. One statement, inside a savepoint."""
    claims = sorted(claims)
    clinic_id = current_clinic_id()
    values: list[Any] = []
    for one in claims:
        span = (one.start, one.end)
        values += [new_id(), clinic_id, one.kind.value, one.resource_id, *span, *span, appointment_id]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE.format(rows=", ".join([ROW] * len(claims))), values)
        got = {ResourceKind(kind) for (kind,) in cursor.fetchall()}
        if len(got) < len(claims):
            raise Refused({one.kind for one in claims} - got)


def release(appointment_id: UUID) -> None:
    """Free what the visit holds. One statement."""
    Claim.objects.filter(appointment_id=appointment_id).delete()


def lock_resources(resources: Iterable[tuple[ResourceKind, UUID]], *, moving: bool = False) -> None:
    """Hold the resources until the end of the transaction, in the fixed order. One statement.

    Bookings share them; a move, which both frees and takes, has them alone, so that the two can't wait for each other.
    """
    function = EXCLUSIVE if moving else SHARED
    keys = sorted({(kind.value, str(resource_id)) for kind, resource_id in resources})
    call = f"{function}(hashtextextended(%s, 0))"
    with connection.cursor() as cursor:
        # One call a resource, in a list of expressions: PostgreSQL evaluates it from left to right.
        cursor.execute(LOCK.format(calls=", ".join([call] * len(keys))), [f"{kind} {key}" for kind, key in keys])


def locked_appointment(actor: Actor, appointment_id: UUID, *, expected_version: int | None = None) -> Appointment:
    """The visit with its names, its row locked. Raises NotFound, or PreconditionFailed when it has another version. One query."""
    visits = visible_appointments(actor).for_list().select_for_update(of=("self",), no_key=True)
    appointment = visits.found(pk=appointment_id)
    check_version(appointment, expected_version)
    return appointment


def check_version(row: Record, expected_version: int | None) -> None:
    """Raise PreconditionFailed when the caller read another version than this."""
    if expected_version is not None and row.version != expected_version:
        raise PreconditionFailed(_("Somebody changed this meanwhile. Look at it again."))
