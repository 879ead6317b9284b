"""What HMS writes to patients about their visits: the clinic, the day, the time. Never with whom or what for."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from appointments.models import Appointment, Reminder
from appointments.tokens import token_of
from core import times
from core.messaging.catalogue import MessageTemplate, language_for
from core.messaging.models import Kind, PatientMessage
from core.messaging.services import About, send
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
