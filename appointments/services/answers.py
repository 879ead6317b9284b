"""What a patient does with the link of a reminder: confirm the visit, cancel it, say that they are late. Each once."""

from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from appointments.choices import MOVABLE, ChangeKind, Reply, Status
from appointments.errors import LinkGone
from appointments.models import Appointment, Reminder
from appointments.notifications import CANCELLED_BY_PATIENT, RUNNING_LATE, tell_who_expects
from appointments.services.history import record_change
from appointments.services.workflow import change_status
from appointments.tokens import named_by
from core.accounts.actor import Actor, system_actor
from core.tenancy.models import Clinic

LATEST = 120  # minutes that somebody can be late by
ANSWERED = {Reply.CONFIRM: "confirmed_at", Reply.LATE: "late_at", Reply.CANCEL: "cancelled_at"}


def clinic_of_link(token: str) -> tuple[Clinic, UUID]:
    """The clinic and the reminder that a link names. Raises LinkGone for one that HMS did not make. One query."""
    try:
        clinic_id, reminder_id = named_by(token)
        return Clinic.objects.get(pk=clinic_id, state=Clinic.State.ACTIVE), reminder_id
    except (ValueError, Clinic.DoesNotExist) as error:
        raise LinkGone from error


def open_link(reminder_id: UUID, *, now: datetime | None = None, locked: bool = False) -> Reminder:
    """The scope's clinic's reminder with its visit, while there is something to answer. Raises LinkGone when the visit was moved or
    cancelled, or has begun. One query."""
    rows = Reminder.objects.select_related("appointment")
    if locked:
        rows = rows.select_for_update(no_key=True)
    reminder: Reminder | None = rows.filter(pk=reminder_id).first()
    if reminder is None or not _is_open(reminder, reminder.appointment, now or timezone.now()):
        raise LinkGone
    return reminder


def answer_reminder(*, reminder_id: UUID, reply: Reply, late_minutes: int | None = None, now: datetime | None = None) -> Reminder:
    """Take the patient's answer, within the scope of the link's clinic; the visit's history tells it, and the bell of
    those who expect the patient tells that they don't come or are late. Raises LinkGone, also for the same answer a second time.
    Up to eleven statements."""
    now = now or timezone.now()
    reminder = open_link(reminder_id, now=now, locked=True)
    visit = reminder.appointment
    if getattr(reminder, ANSWERED[reply]) is not None:
        raise LinkGone(_("This was answered already."))
    setattr(reminder, ANSWERED[reply], now)
    words = _("Confirms the visit")
    if reply == Reply.LATE:
        reminder.late_minutes = min(max(late_minutes or 0, 0), LATEST) or None
        minutes = reminder.late_minutes
        words = _("%(minutes)d minutes late") % {"minutes": minutes} if minutes else _("Running late")
    reminder.save(update_fields=[ANSWERED[reply], "late_minutes"])
    actor = patient_by_link(visit.clinic_id)
    if reply == Reply.CANCEL:
        change_status(actor=actor, appointment_id=visit.pk, action="cancel", reason=_("Cancelled by the patient"), now=now)
        tell_who_expects(visit, CANCELLED_BY_PATIENT)
    elif reply == Reply.CONFIRM and visit.status == Status.REQUESTED:
        change_status(actor=actor, appointment_id=visit.pk, action="confirm", reason=words, now=now)
    else:
        record_change(actor=actor, appointment=visit, kind=ChangeKind.ANSWERED, from_status=visit.status, reason=words)
    if reply == Reply.LATE:
        tell_who_expects(visit, RUNNING_LATE, **({"minutes": reminder.late_minutes} if reminder.late_minutes else {}))
    return reminder


def patient_by_link(clinic_id: UUID) -> Actor:
    """Who answers: whoever holds the link. The history names no name."""
    system = system_actor(clinic_id)
    return Actor(None, _("The patient, by link"), clinic_id, system.roles)


def _is_open(reminder: Reminder, visit: Appointment, now: datetime) -> bool:
    return visit.start == reminder.start and visit.start > now and visit.status in MOVABLE
