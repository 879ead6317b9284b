"""Reminding patients of their visits: once for each visit, kind and start, whoever else runs, and whatever fails for another."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from appointments.choices import MOVABLE, ReminderKind
from appointments.models import Appointment, Reminder
from appointments.notifications import remind
from appointments.selectors.reminders import DueReminder, due_reminders
from core.messaging.models import PatientMessage
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients.selectors.messages import refusal_of

logger = logging.getLogger(__name__)

ASKED = ("clinic_id", "status", "start", "patient__clinic_id", "patient__status", "patient__is_restricted")


@dataclass(slots=True)
class Reminded:
    """How many reminders were written, how many could not be sent (the patient's messages say why), how many failed by a fault."""

    written: int = 0
    not_sent: int = 0
    failed: int = 0


def send_reminders(*, clinic: Clinic, now: datetime | None = None, until: Callable[[], bool] = lambda: False) -> Reminded:
    """Write every reminder of the clinic that is due, or as many as it can before `until` says yes. Outside of a scope: each
    visit has a transaction of its own.

    Run twice, or by two at once, nobody is reminded twice; killed, the rest is due at the next run. One query for 500 visits, and
    for each visit seven statements.
    """
    now = now or timezone.now()
    done = Reminded()
    batch: list[DueReminder] = []
    while True:
        with clinic_scope(clinic, reason="reminders"):
            batch = due_reminders(now=now, after=batch[-1] if batch else None)
        if not batch:
            return done
        for one in batch:
            if until():
                return done
            _count(done, clinic, one, now)


def _count(done: Reminded, clinic: Clinic, due: DueReminder, now: datetime) -> None:
    try:
        with clinic_scope(clinic, reason="reminders"):
            message = _remind(clinic, due, now)
    except Exception:  # the boundary between one patient and the next
        logger.exception("The reminder of the visit %s failed.", due.appointment_id)
        done.failed += 1
        return
    if message is not None:
        done.written += not message.cause
        done.not_sent += bool(message.cause)


def _remind(clinic: Clinic, due: DueReminder, now: datetime) -> PatientMessage | None:
    """None for a visit that was moved, cancelled or reminded of a moment ago, and for a patient who chose no channel."""
    visits = Appointment.objects.select_related("patient", "service").select_for_update(of=("self",), no_key=True)
    visit: Appointment | None = visits.filter(pk=due.appointment_id, start=due.start, status__in=MOVABLE).first()
    if visit is None:
        return None
    reminder = Reminder(appointment=visit, kind=due.kind, start=visit.start)
    try:
        with transaction.atomic():
            reminder.save(force_insert=True)
    except IntegrityError:  # somebody else's run
        return None
    if not visit.patient.reminder_channels:
        return None
    message = remind(visit, reminder, clinic=clinic, now=now, until=_of_use_until(visit, due.kind))
    reminder.message_id = message.pk
    reminder.save(update_fields=["message_id"])
    return message


def _of_use_until(visit: Appointment, kind: ReminderKind) -> datetime:
    """The first one until the second takes its place, else until the visit."""
    hours = sorted(one for one in (visit.service.reminder_hours, visit.service.second_reminder_hours) if one)
    own = visit.service.reminder_hours if kind == ReminderKind.FIRST else visit.service.second_reminder_hours
    later = [one for one in hours if one < own]
    return visit.start - timedelta(hours=later[-1] if later else 0)


def why_not_remind(message: PatientMessage) -> str:
    """Asked as the message is handed over: what has changed since it was written, as a code; "" for nothing. Two queries."""
    visits = Appointment.objects.filter(clinic_id=message.clinic_id).select_related("patient").only(*ASKED)
    visit: Appointment | None = visits.filter(pk=message.about_id).first() if message.about_id else None
    if visit is None or visit.status not in MOVABLE:
        return "the visit is off"
    if visit.start != message.about_at:
        return "the visit was moved"
    return refusal_of(visit.patient)
