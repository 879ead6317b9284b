"""What the walking tests put where a route has a parameter: one record of each noun, by clinic."""

import hashlib
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from appointments.choices import ExceptionKind, ScreenKind
from appointments.models import (
    Appointment,
    AppointmentChange,
    Holiday,
    QueueScreen,
    QueueSeries,
    Reminder,
    Schedule,
    ScheduleException,
    Service,
    Ticket,
    TicketChange,
)
from appointments.tokens import token_of
from clinics.models import Department, Invitation, Location, Provider, Room
from clinics.services.invitations import join_address
from core.accounts.actor import system_actor
from core.accounts.api_keys.models import ApiKey
from core.accounts.api_keys.services import api_keys, make_api_key
from core.accounts.auth_sessions import AuthSession, Kind, begin_session
from core.accounts.models import Membership, SignInThrottle
from core.accounts.roles import Role
from core.audit.break_glass import BreakGlass, Category
from core.data_sync.models import DataSync
from core.database.roles import connection_apart
from core.events.models import DomainEvent
from core.faults.models import Fault
from core.history.models import Seal
from core.history.sealed import SealedTable
from core.history.sealing import FIRST, Block, Chain, write
from core.jobs.models import Job
from core.jobs.services import enqueue
from core.messaging.models import PatientMessage, Suppression
from core.monitoring.models import Alert, AlertRule
from core.notifications.models import Notification
from core.notifications.writing import notify
from core.outbound.models import ExternalSystem
from core.security.models import AddressBlock, AddressStanding, SecurityEvent
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from hms.demo.models import DemoState
from patients.models import Consent, Document, Patient, PatientAccount
from patients.services import add_document
from tests.factories.access_log import note_looks
from tests.factories.queue import a_screen, a_ticket, open_queue, token_to
from tests.factories.routes import Route
from tests.factories.visits import at, book
from tests.factories.world import Place

NOUNS = {
    "patients": Patient,
    "of-patient": Patient,
    "appointments": Appointment,
    "services": Service,
    "schedules": Provider,  # pages: the week of a provider
    "schedule-exceptions": ScheduleException,
    "exceptions": ScheduleException,
    "holidays": Holiday,
    "providers": Provider,
    "invitations": Invitation,
    "locations": Location,
    "departments": Department,
    "rooms": Room,
    "consents": Consent,
    "break-glass": BreakGlass,
    "emergency-access": BreakGlass,
    "documents": Document,
    "blocks": Schedule,
    "queue": Ticket,
    "groups": QueueSeries,
    "screens": QueueScreen,
    "webhooks": WebhookEndpoint,
    "webhook-deliveries": WebhookDelivery,
}
API_NOUNS = {"schedules": Schedule}


def filled(route: Route, place: Place) -> str:
    """The route's address with the ids of `place`. Fails for a noun that has no case here: add it to NOUNS."""
    path = route.path
    if path.endswith(("/accesses/", "/access-log")):
        _look(place)
    for name in route.parameters:
        slot = f"{{{name}}}"
        before = re.search(r"([\w-]+)/" + re.escape(slot), path)
        noun = before[1] if before else name
        path = path.replace(slot, _id_of(noun, place, route), 1)
    return path


def _id_of(noun: str, place: Place, route: Route) -> str:
    if route.kind == "admin":
        return _id_in_admin(noun, place, route)
    if noun == "drafts":
        return "patient-register"
    if noun == "notifications":
        return notification_of(place)
    if noun == "jobs":
        return _job(place)
    if noun == "clinics":
        return str(place.clinic.pk)
    if noun == "join":
        return _link_to_join(place)
    if noun == "visit":
        return _link_to_answer(place)
    if noun in ("board", "kiosk"):
        return _screen(place, ScreenKind(noun))
    if noun == "messages":
        return "sms"
    if noun in ("memberships", "members", "staff"):
        return str(place.memberships[Role.NURSE].pk)
    if noun == "api-keys":
        with clinic_scope(place.clinic, reason="test case"):
            return str((api_keys().first() or _api_key(place)).pk)
    model = (API_NOUNS if route.kind.startswith("api") else {}).get(noun) or NOUNS.get(noun)
    assert model is not None, f"no case for {noun!r} in {route.id}: add one to tests/factories/cases.py"
    with clinic_scope(place.clinic, reason="test case"):
        row = model.objects.order_by("pk").first() or MAKERS[model](place)
    return str(row.pk)


def _id_in_admin(noun: str, place: Place, route: Route) -> str:
    """The admin names its models in the path: /admin/patients/patient/{object_id}/change/."""
    parts = route.path.split("/")
    if parts[2] == "{app_label}":
        return "patients"
    if parts[2] == "message-templates":
        return {"message-templates": "appointment_reminder", "appointment_reminder": "es", "es": "email"}[noun]
    model: Any = apps.get_model(parts[2], parts[3])
    if model is Clinic:
        return str(place.clinic.pk)
    if model is Job:
        return _job(place)
    if model is Membership:
        return str(place.memberships[Role.NURSE].pk)
    with clinic_scope(place.clinic, reason="test case"):
        row = model._default_manager.order_by("pk").first() or MAKERS[model](place)
    return str(row.pk)


def notification_of(place: Place) -> str:
    """One that the clinic's administrator was told."""
    user = place.users[Role.CLINIC_ADMIN]
    with clinic_scope(place.clinic, user_id=user.pk, reason="test case"):
        notify([user.pk], "job_done", clinic=place.clinic, details={"kind": "keys.follow_marks"})
        return str(Notification.objects.order_by("pk")[0].pk)


def _job(place: Place) -> str:
    with clinic_scope(place.clinic, reason="test case"):
        return str(enqueue("cache.warm", clinic=place.clinic))


def _look(place: Place) -> None:
    """At the patient whom `patients` names."""
    with clinic_scope(place.clinic, reason="test case"):
        note_looks(place, Patient.objects.order_by("pk")[0].pk)


def _holiday(place: Place) -> Holiday:
    return Holiday.objects.create(day=date(2033, 5, 1), name="May day")


def _time_off(place: Place) -> ScheduleException:
    day = date(2033, 6, 1)
    return ScheduleException.objects.create(provider=place.providers[2], kind=ExceptionKind.OFF, first_day=day, last_day=day)


def _visit(place: Place) -> Appointment:
    return book(place, at(place, 21, 10), patient_id=place.patients[0].pk)


def _change(place: Place) -> AppointmentChange:
    return AppointmentChange.objects.filter(appointment=_visit(place)).order_by("pk")[0]


def _account(place: Place) -> PatientAccount:
    return PatientAccount.objects.create(patient=place.patients[0], user=place.users[Role.PATIENT])


def _log_entry(place: Place) -> LogEntry:
    kind = ContentType.objects.get_for_model(Patient)
    user = place.users[Role.CLINIC_ADMIN]
    return LogEntry.objects.create(user=user, content_type=kind, object_id="1", object_repr="RV-1", action_flag=CHANGE)


def _throttle(place: Place) -> SignInThrottle:
    return SignInThrottle.objects.create(key="a" * 32, failures=1, last_failure_at=timezone.now())


def _event(place: Place) -> SecurityEvent:
    return SecurityEvent.objects.create(kind=SecurityEvent.Kind.DECOY, address="203.0.113.7", minute=timezone.now())


def _standing(place: Place) -> AddressStanding:
    return AddressStanding.objects.create(network="203.0.113.7", points=40, points_at=timezone.now())


def _block(place: Place) -> AddressBlock:
    until = timezone.now() + timedelta(hours=1)
    by = place.users[Role.CLINIC_ADMIN]
    return AddressBlock.objects.create(network="203.0.113.7/32", until=until, reason="scans us", made_by=by)


def _invitation(place: Place) -> Invitation:
    """Its link has the secret “anybody”."""
    return Invitation.objects.create(
        email="ada.moss@example.org",
        roles=[Role.NURSE],
        invited_by=place.users[Role.CLINIC_ADMIN],
        secret_digest=hashlib.sha256(b"anybody").hexdigest(),
        expires_at=timezone.now() + timedelta(days=7),
    )


def _link_to_join(place: Place) -> str:
    with clinic_scope(place.clinic, reason="test case"):
        Invitation.objects.first() or _invitation(place)
        return join_address("anybody").rstrip("/").rpartition("/")[2]


def _reminder(place: Place) -> Reminder:
    visits = Appointment.objects.order_by("pk")
    ahead = visits.filter(start__gt=timezone.now(), status="confirmed").first() or visits.first() or _visit(place)
    return Reminder.objects.get_or_create(appointment=ahead, kind="first", start=ahead.start)[0]


def _message(place: Place) -> PatientMessage:
    return PatientMessage.objects.create(
        patient_id=Patient.objects.order_by("pk")[0].pk, kind="reminder", template="appointment_reminder", language="en",
        channels=["sms"], channel="sms", state="sent", words="Your visit is on Monday.",
    )  # fmt: skip


def _link_to_answer(place: Place) -> str:
    with clinic_scope(place.clinic, reason="test case"):
        return token_of(place.clinic.pk, _reminder(place).pk)


def _document(place: Place) -> Document:
    """Of the patient whom `patients` names. Its file is really there."""
    patient = Patient.objects.order_by("pk")[0]
    actor = place.actor(Role.CLINIC_ADMIN)
    return add_document(actor=actor, patient_id=patient.pk, data={}, content=b"Dear colleague", file_name="letter.txt")


def _screen(place: Place, kind: ScreenKind) -> str:
    with clinic_scope(place.clinic, reason="test case"):
        return token_to(QueueScreen.objects.filter(kind=kind, ended_at=None).first() or a_screen(place, kind))


def _series(place: Place) -> QueueSeries:
    open_queue(place)
    return QueueSeries.objects.order_by("letter")[0]


def _ticket_step(place: Place) -> TicketChange:
    return TicketChange.objects.filter(ticket=a_ticket(place)).order_by("pk")[0]


def _api_key(place: Place) -> ApiKey:
    return make_api_key(actor=system_actor(place.clinic.pk), name="Laboratory", scopes=["clinic:view"])[0]


def _break_glass(place: Place) -> BreakGlass:
    """A nurse's, over and not judged; at the patient whom `patients` names."""
    patient, ended = Patient.objects.order_by("pk")[0], timezone.now() - timedelta(minutes=5)
    return BreakGlass.objects.create(
        user=place.users[Role.NURSE],
        patient_id=patient.pk,
        category=Category.EMERGENCY,
        reason="Collapsed in the waiting room.",
        opened_at=ended - timedelta(minutes=30),
        expires_at=ended + timedelta(minutes=30),
        ended_at=ended,
    )


def _session(place: Place) -> AuthSession:
    return begin_session(user=place.users[Role.CLINIC_ADMIN], kind=Kind.PROGRAM, methods=["pwd"])


def _seal(place: Place) -> Seal:
    """Of a table that there isn't: no verification looks at it. Only hms_platform makes seals, so it stays for the run."""
    chain = Chain(place.clinic.pk, SealedTable("core_nothing", "", ""))
    with connection_apart("hms_platform") as connection:
        write(connection, Block(chain, 1, timezone.now(), [1], bytes(32), FIRST))
    return Seal.objects.get(table_name=chain.table)


def _webhook(place: Place) -> WebhookEndpoint:
    """It was never asked whether its system lives."""
    found = WebhookEndpoint.objects.first()
    return found or WebhookEndpoint.objects.create(
        name="Laboratory system", url="https://system.example.org/hms", events=["patient.changed"], secret="whsec_case"
    )


def _webhook_delivery(place: Place) -> WebhookDelivery:
    event = _domain_event(place)
    return WebhookDelivery.objects.create(
        endpoint=_webhook(place), event_id=event.pk, about_id=event.about_id, name=event.name, seq=1, happened_at=event.at
    )


def _domain_event(place: Place) -> DomainEvent:
    patient = place.patients[0].pk
    return DomainEvent.objects.create(
        name="patient.changed", schema=1, about="patient", about_id=patient, data={"patient": str(patient)}
    )


def _fault(place: Place) -> Fault:
    now = timezone.now()
    return Fault.objects.create(
        fingerprint="0123456789abcdef", kind="web", error="ValueError", place="core/x.py:run", first_seen=now, last_seen=now
    )


def _external_system(place: Place) -> ExternalSystem:
    return ExternalSystem.objects.create(name="lab", kind="lab", endpoints=["https://lab.example.org/api"])


def _alert(place: Place) -> Alert:
    rule = AlertRule.objects.get(name="cpu")
    return Alert.objects.create(rule=rule, server="web-1:8000", severity=rule.severity, value=85, worst=90)


MAKERS: dict[Any, Callable[[Place], Any]] = {
    Alert: _alert,
    AddressBlock: _block,
    AddressStanding: _standing,
    BreakGlass: _break_glass,
    Appointment: _visit,
    QueueScreen: a_screen,
    QueueSeries: _series,
    Ticket: a_ticket,
    TicketChange: _ticket_step,
    AppointmentChange: _change,
    Document: _document,
    AuthSession: _session,
    DemoState: lambda place: DemoState.objects.create(),
    Holiday: _holiday,
    Invitation: _invitation,
    LogEntry: _log_entry,
    PatientAccount: _account,
    PatientMessage: _message,
    Suppression: lambda place: Suppression.objects.create(channel="sms", digest="a" * 64, reason="stop"),
    Reminder: _reminder,
    ScheduleException: _time_off,
    Seal: _seal,
    SecurityEvent: _event,
    SignInThrottle: _throttle,
    DataSync: lambda place: DataSync.objects.create(url="https://copy.example.org/hms", secret="whsec_case"),
    WebhookEndpoint: _webhook,
    WebhookDelivery: _webhook_delivery,
    DomainEvent: _domain_event,
    ExternalSystem: _external_system,
    Fault: _fault,
}


def secrets_of(place: Place) -> list[str]:
    """Words that stand only in this clinic's records; nobody of another clinic may ever be shown one."""
    with clinic_scope(place.clinic, reason="test case"):
        patients = list(Patient.objects.all())
    return [place.clinic.name, *(p.mrn for p in patients), *(p.family_name for p in patients if len(p.family_name) > 4)]
