"""The visit's way through the day: who may do which step from which state, and how a step is taken back."""

from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from appointments import events
from appointments.choices import FREED, TRANSITIONS, UNDOABLE, ChangeKind, Status
from appointments.models import Appointment
from appointments.services.booking import reclaim
from appointments.services.claims import locked_appointment, release
from appointments.services.history import announce_visit, record_change, status_before
from appointments.services.tickets import follow_visit
from appointments.validators import checked_text
from core.accounts.actor import Actor
from core.errors import Conflict, Detail, ValidationFailed

# Which moment a state stands for.
MOMENTS = {Status.CHECKED_IN: "checked_in_at", Status.IN_PROGRESS: "started_at", Status.COMPLETED: "completed_at"}


def change_status(
    *,
    actor: Actor,
    appointment_id: UUID,
    action: str,
    reason: str = "",
    expected_version: int | None = None,
    now: datetime | None = None,
) -> Appointment:
    """Take one step of `choices.TRANSITIONS`; a visit that is cancelled or missed gives its time free, and its ticket follows it.

    Raises Conflict naming the present state when the step is not possible from it. 4 queries, 5 when time is freed; at most
    eight more where patients wait by tickets.
    """
    actor.require("appointment", action)
    transition = TRANSITIONS[action]
    appointment = locked_appointment(actor, appointment_id, expected_version=expected_version)
    wrong: list[Detail] = []
    reason = checked_text("reason", reason, wrong)
    if wrong:
        raise ValidationFailed(_("Some fields are wrong."), wrong)
    before = Status(appointment.status)
    if before not in transition.sources:
        raise _not_from(before)
    appointment.status = transition.target
    if moment := MOMENTS.get(transition.target):
        setattr(appointment, moment, now or timezone.now())
    if transition.target in FREED:
        release(appointment.id)
    appointment.save()
    record_change(actor=actor, appointment=appointment, kind=ChangeKind.STATUS, from_status=before, reason=reason)
    announce_visit(events.OF_STEP[action], appointment)
    follow_visit(actor=actor, visit=appointment, now=now)
    return appointment


def undo_last_change(*, actor: Actor, appointment_id: UUID, expected_version: int | None = None) -> Appointment:
    """Give the visit back the status it had before; a missed one takes its time again.

    Raises Conflict when there is nothing to undo, SlotTaken when a missed visit's time is somebody else's now. 5-7 queries.
    """
    actor.require("appointment", "undo")
    appointment = locked_appointment(actor, appointment_id, expected_version=expected_version)
    present = Status(appointment.status)
    if present not in UNDOABLE:
        raise _not_from(present)
    former = status_before(appointment)
    if former is None:
        raise _not_from(present)
    if present in FREED:
        reclaim(actor, appointment)
    if moment := MOMENTS.get(present):
        setattr(appointment, moment, None)
    appointment.status = former
    appointment.save()
    record_change(actor=actor, appointment=appointment, kind=ChangeKind.UNDONE, from_status=present)
    announce_visit(events.UNDONE, appointment)
    follow_visit(actor=actor, visit=appointment, undone=True)
    return appointment


def change_notes(*, actor: Actor, appointment_id: UUID, notes: str, expected_version: int | None = None) -> Appointment:
    """Replace the visit's notes. 3 queries."""
    actor.require("appointment", "create")
    appointment = locked_appointment(actor, appointment_id, expected_version=expected_version)
    wrong: list[Detail] = []
    appointment.notes = checked_text("notes", notes, wrong)
    if wrong:
        raise ValidationFailed(_("Some fields are wrong."), wrong)
    appointment.save(update_fields=["notes"])
    announce_visit(events.CHANGED, appointment)
    return appointment


def _not_from(present: Status) -> Conflict:
    message = _("That is not possible: the visit's state is “%(state)s”.") % {"state": present.label}
    return Conflict(message, [Detail("status", present.value, message)], {"status": present.value})
