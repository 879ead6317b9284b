"""What HMS writes to patients about their visits: the clinic, the day, the time. Never with whom or what for. And what the
bell tells those who expect them, when a patient has answered."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from appointments.models import Appointment, Reminder
from appointments.tokens import token_of
from clinics.models import Provider
from core import times
from core.accounts.actor import Actor
from core.accounts.roles import Role
from core.messaging.catalogue import MessageTemplate, language_for
from core.messaging.models import Kind, PatientMessage
from core.messaging.services import About, send
from core.notifications.kinds import Details, NotificationKind, moment_in
from core.notifications.models import Notification
from core.notifications.people import people_of
from core.notifications.writing import notify
from core.tenancy.models import Clinic
from patients.notifications import recipient_of

REMINDER = MessageTemplate(
    name="appointment_reminder",
    kind=Kind.REMINDER,
    label=_("Reminder of a visit"),
    sample={
        "clinic": "Riverside Practice",
        "day": "Monday 4 May 2026",
        "time": "14:30",
        "address": "https://hms.example.org/visit/AZ2f…/",
    },
    secret=frozenset({"address"}),
    parameters=("clinic", "day", "time", "address"),
)


def remind(visit: Appointment, reminder: Reminder, *, clinic: Clinic, now: datetime, until: datetime) -> PatientMessage:
    """Write the reminder; it is of no use after `until`. Four statements. Raises TemplateWrong."""
    to = recipient_of(visit.patient, clinic=clinic)
    with translation.override(language_for(REMINDER.name, to.language)):
        context = {
            "clinic": clinic.name,
            "day": times.weekday_and_date(visit.start, visit.time_zone),
            "time": times.time_words(visit.start, visit.time_zone),
            "address": settings.HMS_BASE_URL + reverse("appointments:visit-link", args=[token_of(clinic.pk, reminder.pk)]),
        }
    return send(REMINDER.name, to, context, about=About(visit.pk, visit.start), expires_at=until, now=now)


def tell_who_expects(visit: Appointment, kind: NotificationKind, **details: int) -> None:
    """Tell the visit's provider, if they are a user, and the reception of its location. Three statements."""
    provider = Provider.objects.filter(pk=visit.provider_id).values_list("user_id", flat=True).first()
    people = people_of(visit.clinic_id, [Role.RECEPTIONIST], location_id=visit.location_id, also=provider)
    said = {"start": visit.start, **details}
    notify(people, kind.name, clinic=visit.clinic_id, about=visit.pk, details=said)


def _cancelled(details: Details) -> str:
    return gettext("A patient has cancelled the visit of %(when)s") % {"when": moment_in(details, "start")}


def _late(details: Details) -> str:
    when, minutes = moment_in(details, "start"), details.get("minutes")
    if not minutes:
        return gettext("A patient is running late for the visit of %(when)s") % {"when": when}
    words = ngettext(
        "A patient will be %(minutes)d minute late for the visit of %(when)s",
        "A patient will be %(minutes)d minutes late for the visit of %(when)s",
        minutes,
    )
    return words % {"minutes": minutes, "when": when}


def _visit(notification: Notification, actor: Actor) -> str:
    if not actor.can("appointment", "view"):
        return ""
    return reverse("appointments:detail", args=[notification.about_id])


CANCELLED_BY_PATIENT = NotificationKind("visit_cancelled_by_patient", _cancelled, "missed", "warn", _visit)
RUNNING_LATE = NotificationKind("patient_running_late", _late, "clock", "info", _visit)
