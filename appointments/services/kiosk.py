"""What patients do themselves at a kiosk: they check in or take a ticket. Nobody is told whom we know."""

from datetime import date, datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from appointments.choices import MOVABLE, Status, TicketSource, priority_of
from appointments.errors import AskAtTheDesk
from appointments.models import Appointment, Ticket
from appointments.selectors.queue_places import QueuePlace, series_in_use
from appointments.services.tickets import give_out, open_ticket_of
from appointments.services.workflow import change_status
from appointments.tokens import visit_code
from core.accounts.actor import Actor, system_actor
from core.tenancy.models import Clinic
from patients.names import code_form

ON_THE_WAY = sorted(MOVABLE | {Status.CHECKED_IN})


def check_in_by_number(*, clinic: Clinic, place: QueuePlace, mrn: str, born: date, now: datetime | None = None) -> Ticket:
    """Check in whose number and date of birth these are, for the visit here today that is nearest to now. Raises AskAtTheDesk,
    whatever the reason: so many statements are the same whether there is such a patient or not. Number as printed, or its digits
    alone."""
    wanted = (_spelt(mrn, clinic), born)
    return _checked_in([one for one in _expected(place, now) if (one.patient.mrn, one.patient.date_of_birth) == wanted], now)


def check_in_by_code(*, place: QueuePlace, code: str, now: datetime | None = None) -> Ticket:
    """The same by the code of the visit, with or without spaces."""
    digits = code_form(code)
    return _checked_in([one for one in _expected(place, now) if visit_code(one.pk) == digits], now)


def walk_in(*, clinic: Clinic, place: QueuePlace, series_id: UUID, now: datetime | None = None) -> Ticket:
    """A ticket for somebody of whom nothing is known. Raises AskAtTheDesk for a group that is not offered here."""
    now = now or timezone.now()
    series = next((one for one in series_in_use() if one.id == series_id and one.takes_walk_ins), None)
    if series is None:
        raise AskAtTheDesk
    ranked = priority_of(arrived=now)
    return give_out(actor=kiosk_actor(clinic.pk), place=place, series=series, source=TicketSource.WALK_IN, ranked=ranked, now=now)


def kiosk_actor(clinic_id: UUID) -> Actor:
    """Who acts: whoever stands there. The history names no name."""
    system = system_actor(clinic_id)
    return Actor(None, _("Kiosk"), clinic_id, system.roles)


def _expected(place: QueuePlace, now: datetime | None) -> list[Appointment]:
    """Today's visits here that have not begun, earliest first. One query."""
    day = place.day_at(now or timezone.now())
    visits = Appointment.objects.on_day(day).filter(location_id=place.id, status__in=ON_THE_WAY)
    return list(visits.select_related("patient").only("clinic_id", "status", "start", "patient__mrn", "patient__date_of_birth"))


def _checked_in(visits: list[Appointment], now: datetime | None) -> Ticket:
    """The ticket of the visit nearest to now; of one that was checked in before, the ticket that it has."""
    if not visits:
        raise AskAtTheDesk
    moment = now or timezone.now()
    visit = min(visits, key=lambda one: abs(one.start - moment))
    if visit.status in MOVABLE:
        change_status(actor=kiosk_actor(visit.clinic_id), appointment_id=visit.pk, action="check_in", now=now)
    ticket = open_ticket_of(visit.pk)
    if ticket is None:
        raise AskAtTheDesk
    return ticket


def _spelt(mrn: str, clinic: Clinic) -> str:
    """The number as the clinic writes it: RV-0000123 for “rv 0000123”, and for 123."""
    form = code_form(mrn).removeprefix(clinic.mrn_prefix.lower())
    return f"{clinic.mrn_prefix}-{form:0>7}" if form.isdigit() else ""
