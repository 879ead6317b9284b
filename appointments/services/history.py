"""The visit's history: one line for each change, written with it."""

from datetime import datetime
from uuid import UUID

from appointments.choices import ChangeKind, Status
from appointments.models import Appointment, AppointmentChange
from core.accounts.actor import Actor
from core.events.announcing import announce
from core.events.catalogue import Event


def record_change(
    *,
    actor: Actor,
    appointment: Appointment,
    kind: ChangeKind,
    from_status: str = "",
    from_start: datetime | None = None,
    from_provider_id: UUID | None = None,
    reason: str = "",
) -> AppointmentChange:
    """Note what the visit was before and is now. One query."""
    moved = kind in (ChangeKind.MOVED, ChangeKind.BOOKED)
    return AppointmentChange.objects.create(
        appointment=appointment,
        kind=kind,
        actor_id=actor.user_id,
        actor_name=actor.name,
        from_status=from_status,
        to_status=appointment.status,
        from_start=from_start,
        to_start=appointment.start if moved else None,
        from_provider_id=from_provider_id,
        to_provider_id=appointment.provider_id if moved else None,
        reason=reason,
    )


def announce_visit(event: Event, appointment: Appointment, *, from_location: UUID | None = None) -> None:
    """Tell whoever wants to know what happened to the visit. One statement."""
    was = {"from_location": from_location} if "from_location" in event.fields else {}
    announce(
        event,
        appointment.id,
        appointment=appointment.id,
        patient=appointment.patient_id,
        service=appointment.service_id,
        provider=appointment.provider_id,
        location=appointment.location_id,
        status=appointment.status,
        source=appointment.source,
        **was,
    )


def status_before(appointment: Appointment) -> Status | None:
    """The status before the last change of status that still counts, or None when there was none. One query."""
    steps: list[str] = []
    for kind, to_status in appointment.changes.order_by("at", "id").values_list("kind", "to_status"):
        if kind == ChangeKind.UNDONE:
            steps.pop()
        elif kind in (ChangeKind.BOOKED, ChangeKind.STATUS):
            steps.append(to_status)
    return Status(steps[-2]) if len(steps) > 1 else None
