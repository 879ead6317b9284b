"""More of everything in a clinic, so that a list of one row can be compared with a list of many."""

from datetime import date, datetime, time, timedelta
from uuid import uuid4

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from appointments.choices import OPEN_TICKETS, ChangeKind, ExceptionKind, ScreenKind, Status, TicketSource
from appointments.models import (
    Appointment,
    AppointmentChange,
    Holiday,
    LocationQueue,
    QueueScreen,
    QueueSeries,
    Schedule,
    ScheduleException,
    SeriesService,
    Service,
    ServiceProvider,
    Ticket,
    TicketChange,
)
from clinics.models import Department, Invitation, Location, Provider, Room
from core.accounts.api_keys.models import ApiKey
from core.accounts.models import Membership, SignInThrottle, User
from core.accounts.roles import Role
from core.audit.break_glass import BreakGlass, Category
from core.events.models import DomainEvent
from core.faults.models import Fault
from core.jobs.services import enqueue
from core.notifications.writing import notify
from core.outbound.models import ExternalSystem
from core.security.models import AddressBlock, AddressStanding, SecurityEvent
from core.tenancy.context import clinic_scope
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from patients.choices import ConsentKind
from patients.models import Consent, Document, Patient, PatientAccount
from tests.factories.access_log import note_looks
from tests.factories.queue import open_queue
from tests.factories.world import Place

STATES = (Status.CONFIRMED, Status.CHECKED_IN, Status.IN_PROGRESS, Status.COMPLETED, Status.NO_SHOW, Status.REQUESTED)


def grow(place: Place, many: int = 30) -> None:
    """Add `many` rows of every noun, several of them hanging on the first patient, provider and visit."""
    with clinic_scope(place.clinic, reason="growth"):
        location, room = place.locations[0], place.rooms[0]
        providers = [Provider.objects.create(name=f"Dr Extra Number{n:02}") for n in range(many)]
        services = [Service.objects.create(name=f"Extra service {n:02}", duration_minutes=15) for n in range(many)]
        for n in range(many):
            Location.objects.create(name=f"Extra place {n:02}")
            Department.objects.create(name=f"Extra department {n:02}")
            Room.objects.create(location=location, name=f"X{n:02}")
            enqueue("cache.warm", clinic=place.clinic)
            notify([place.users[Role.CLINIC_ADMIN].pk], "job_done", clinic=place.clinic, details={"kind": "cache.warm"})
            Holiday.objects.create(day=date(2032, 1, 1) + timedelta(days=n), name="Extra holiday")
            _work_of(providers[n], services[n], location, n)
            _person(place, n)
            _webhook(place, n)
            _screens(place, n)
        patients = [_patient(n) for n in range(many)]
        open_queue(place)
        for n, patient in enumerate(patients):
            _ticket(place, patient, providers[n], services[n], n)
        some = place.users[Role.NURSE]
        for n, patient in enumerate(patients):
            _visit(place, patient, providers[n], services[n], room, n)
            _visit(place, place.patients[0], place.providers[0], place.services[0], room, n)
            Document.objects.create(
                patient=Patient.objects.order_by("pk")[0], title=f"Extra {n}", stored=uuid4(), size=1, added_by=some
            )
            note_looks(place, patient.pk, Patient.objects.order_by("pk")[0].pk, by=list(place.users)[n % len(place.users)])
            Consent.objects.create(patient=place.patients[0], kind=ConsentKind.MESSAGES, given=bool(n % 2))


def _person(place: Place, n: int) -> None:
    """A colleague who is a patient too, was once locked out, and has changed something in the admin."""
    user = User.objects.create_user(f"extra{n}@{place.clinic.slug}.test", "Extra-Growth-2026", full_name=f"Extra Person{n:02}")
    Membership.objects.create(clinic=place.clinic, user=user, roles=[Role.NURSE])
    PatientAccount.objects.create(patient=place.patients[0], user=user)
    Invitation.objects.create(
        email=f"coming{n}@{place.clinic.slug}.test",
        roles=[Role.NURSE],
        invited_by=user,
        secret_digest=f"extra{n:03}".ljust(64, "0"),
        expires_at=timezone.now() + timedelta(days=7),
    )
    system = User.objects.create_user(f"system{n}@{place.clinic.slug}.test", full_name=f"Extra system {n:02}", is_active=False)
    ApiKey.objects.create(
        clinic=place.clinic,
        user=system,
        name=system.full_name,
        digest=f"extra{n:03}".ljust(64, "0"),
        scopes=["patient:view", "slot:view"],
        made_by=user,
        expires_at=timezone.now() + timedelta(days=7),
        ended_at=timezone.now() if n % 2 else None,
        ended_by=user if n % 2 else None,
    )
    BreakGlass.objects.create(
        user=user,
        patient_id=place.patients[0].pk,
        category=Category.OTHER,
        reason="More of everything.",
        expires_at=timezone.now() + timedelta(minutes=n + 1),
    )
    SignInThrottle.objects.create(key=f"extra{n:03}".ljust(64, "0"), failures=n)
    address, now = f"198.51.100.{n}", timezone.now()
    SecurityEvent.objects.create(kind=SecurityEvent.Kind.DECOY, address=address, minute=now)
    AddressStanding.objects.create(network=address, points=n, points_at=now)
    AddressBlock.objects.create(network=f"{address}/32", until=now + timedelta(hours=1), reason="growth", made_by=user)
    kind = ContentType.objects.get_for_model(Patient)
    LogEntry.objects.create(user=user, content_type=kind, object_id=str(n), object_repr=f"XX-{n}", action_flag=CHANGE)


def _webhook(place: Place, n: int) -> None:
    """Another system, told of one event."""
    about = place.patients[0].pk
    event = DomainEvent.objects.create(
        name="patient.changed", schema=1, about="patient", about_id=about, data={"patient": str(about)}
    )
    system = WebhookEndpoint.objects.create(
        name=f"Extra system {n:02}", url="https://system.example.org/hms", events=["patient.changed"], secret="whsec_case"
    )
    WebhookDelivery.objects.create(
        endpoint=system, event_id=event.pk, about_id=event.about_id, name=event.name, seq=n, happened_at=event.at
    )
    now = timezone.now()
    Fault.objects.create(
        fingerprint=f"{n:016}", kind="web", error="ValueError", place="core/x.py:run", first_seen=now, last_seen=now, count=n + 1
    )
    ExternalSystem.objects.create(name=f"{place.clinic.slug}-{n}", kind="lab", endpoints=["https://lab.example.org/api"])


def _screens(place: Place, n: int) -> None:
    """Another location with a queue and a screen."""
    location = Location.objects.get(name=f"Extra place {n:02}")
    LocationQueue.objects.create(location=location)
    QueueScreen.objects.create(kind=ScreenKind.BOARD, location=location, name=f"Extra board {n:02}")


def _ticket(place: Place, patient: Patient, provider: Provider, service: Service, n: int) -> None:
    """Of a group of its own while there are letters; in every state."""
    letter = chr(ord("B") + n) if n < 25 else "B"
    series = QueueSeries.objects.get_or_create(letter=letter, defaults={"name": f"Extra group {n:02}"})[0]
    SeriesService.objects.create(series=series, service=service)
    now = timezone.now()
    status = sorted(OPEN_TICKETS)[n % len(OPEN_TICKETS)]
    ticket = Ticket.objects.create(
        location=place.locations[0],
        day=now.astimezone(place.clinic.zone).date(),
        series=series,
        letter=letter,
        number=100 + n,
        source=TicketSource.WALK_IN,
        service=service,
        patient=patient,
        provider=provider,
        room=place.rooms[0],
        status=status,
        taken_at=now,
        queued_at=now,
        last_called_at=now,
        serving_at=now,
    )
    for one in {ticket, Ticket.objects.order_by("pk")[0]}:
        TicketChange.objects.create(ticket=one, at=now, action="call", actor_name="Growth", to_status=status)


def _work_of(provider: Provider, service: Service, location: Location, n: int) -> None:
    ServiceProvider.objects.create(service=service, provider=provider)
    Schedule.objects.create(provider=provider, location=location, weekday=n % 7, start_time=time(8), end_time=time(17))
    ScheduleException.objects.create(
        provider=provider, kind=ExceptionKind.OFF, first_day=date(2032, 2, 1), last_day=date(2032, 2, 2)
    )


def _patient(n: int) -> Patient:
    return Patient.objects.create(
        mrn=f"XX-{n:07}",
        given_name=f"Extra{n:02}",
        family_name=f"Growth{n:02}",
        given_norm=f"extra{n:02}",
        family_norm=f"growth{n:02}",
        date_of_birth=date(1970, 1, 1) + timedelta(days=n),
        sex="female",
        phone=f"+4420794600{n:02}",
    )


def _visit(place: Place, patient: Patient, provider: Provider, service: Service, room: Room, n: int) -> None:
    zone = place.clinic.zone
    today = datetime.now(zone).date()
    start = datetime.combine(today, time(8 + n % 10, 5 * (n // 10)), zone)
    status = STATES[n % len(STATES)]
    waiting = status in (Status.CHECKED_IN, Status.IN_PROGRESS, Status.COMPLETED)
    visit = Appointment.objects.create(
        patient=patient,
        provider=provider,
        service=service,
        location=place.locations[0],
        room=room,
        start=start,
        end=start + timedelta(minutes=15),
        time_zone=place.clinic.time_zone,
        local_day=today,
        status=status,
        checked_in_at=timezone.now() - timedelta(minutes=n) if waiting else None,
        started_at=timezone.now() if status in (Status.IN_PROGRESS, Status.COMPLETED) else None,
        completed_at=timezone.now() if status == Status.COMPLETED else None,
    )
    first = Appointment.objects.order_by("pk").first()
    for one in {visit, first}:
        AppointmentChange.objects.create(appointment=one, kind=ChangeKind.STATUS, actor_name="Growth", to_status=status)
