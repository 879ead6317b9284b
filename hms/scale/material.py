"""What the requests of a benchmark are made of: people signed in, patients to ask for, times to book."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from itertools import islice
from random import Random
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone

from appointments.models import Service
from appointments.selectors import as_sent, free_slots
from core.accounts.actor import system_actor
from core.accounts.auth_sessions import Kind, begin_session
from core.accounts.known import AUTH_SESSION
from core.accounts.models import User
from core.accounts.roles import Role
from core.accounts.tokens import issue
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from hms.scale.furniture import email_of
from patients.choices import PatientStatus
from patients.models import Patient

PATIENTS = 400  # whom each of the busy clinics is asked for
BUSY_CLINICS = 8  # one for each connection
SLOTS = 300  # that each of them can be booked
BOOKING_DAYS = 60
COOKIE = settings.SESSION_COOKIE_NAME
FORMS_SECRET = f"{settings.CSRF_COOKIE_NAME}={'s' * 32}"  # what a browser has from its first page on


@dataclass(slots=True)
class Desk:
    """A clinic's receptionist, signed in, and what there is to ask for in the clinic."""

    clinic: Clinic
    bearer: str
    session: str = ""
    patients: list[Patient] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    slots: list[tuple[str, str, str]] = field(default_factory=list)  # service, provider, start

    def get(self, path: str, *headers: str) -> bytes:
        """A request to the API."""
        return _request("GET", path, f"Authorization: Bearer {self.bearer}", *headers)

    def post(self, path: str, body: bytes) -> bytes:
        kind, length = "Content-Type: application/json", f"Content-Length: {len(body)}"
        return _request("POST", path, f"Authorization: Bearer {self.bearer}", kind, length) + body

    def page(self, path: str) -> bytes:
        """A request of a browser that has been here before."""
        return _request("GET", path, f"Cookie: {COOKIE}={self.session}; {FORMS_SECRET}")


def _request(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def desks_of(clinics: Sequence[Clinic], numbers: Sequence[int]) -> list[Desk]:
    """Everybody signed in; the first BUSY_CLINICS with patients, services and free times as well."""
    users = {user.email: user for user in User.objects.filter(email__in=[email_of(Role.RECEPTIONIST, one) for one in numbers])}
    desks = []
    for position, (clinic, number) in enumerate(zip(clinics, numbers, strict=True)):
        user = users[email_of(Role.RECEPTIONIST, number)]
        desk = Desk(clinic, issue(user, clinic_id=clinic.pk).access, _session(user, clinic))
        if position < BUSY_CLINICS:
            with clinic_scope(clinic, reason="benchmark"):
                _fill(desk, Random(f"benchmark {number}"))
        desks.append(desk)
    return desks


def _fill(desk: Desk, rng: Random) -> None:
    ids = list(Patient.objects.filter(status=PatientStatus.ACTIVE).values_list("pk", flat=True))
    chosen = rng.sample(ids, min(PATIENTS, len(ids)))
    desk.patients = list(Patient.objects.filter(pk__in=chosen))
    rng.shuffle(desk.patients)
    desk.services = list(Service.objects.filter(offers__isnull=False).distinct().order_by("name"))
    desk.slots = list(islice(_free_times(desk), SLOTS))
    rng.shuffle(desk.slots)


def _free_times(desk: Desk) -> Iterator[tuple[str, str, str]]:
    """Service, provider and start of visits no two of which overlap."""
    actor, today = system_actor(desk.clinic.pk), timezone.now().astimezone(desk.clinic.zone).date()
    first, last = today + timedelta(days=1), today + timedelta(days=BOOKING_DAYS)
    given: dict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)
    for service in desk.services:
        before, after = timedelta(minutes=service.buffer_before_minutes), timedelta(minutes=service.buffer_after_minutes)
        for slot in free_slots(actor=actor, service=service, first_day=first, last_day=last):
            begins, ends = slot.start - before, slot.end + after
            if all(ends <= start or end <= begins for start, end in given[slot.provider.id]):
                given[slot.provider.id].append((begins, ends))
                yield str(service.pk), str(slot.provider.id), as_sent(slot.start)


def _session(user: User, clinic: Clinic) -> str:
    """A browser's session, as core.accounts.entry begins one."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[AUTH_SESSION] = str(begin_session(user=user, kind=Kind.BROWSER, methods=["pwd"]).pk)
    session["clinic_id"] = str(clinic.pk)
    session.save()
    key: str = session.session_key
    return key
