"""Visits that are really committed, so that whoever sends sees them; everything is taken away again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from appointments.models import Appointment
from appointments.services.reminders import Reminded, send_reminders
from core.messaging.courier import send_waiting
from core.messaging.models import OutgoingMessage, PatientMessage
from core.tenancy.context import clinic_scope, platform_scope
from patients.models import Consent, Patient
from tests.factories.leftovers import leftovers
from tests.factories.threads import apart
from tests.factories.visits import make_patient
from tests.factories.world import Place


class Reminding:
    """A clinic whose visits are committed at any time one likes, without claims and opening hours."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def inside(self, work: Callable[[], Any]) -> Any:
        """Done on a connection of its own, inside the clinic, and committed."""

        def scoped() -> Any:
            with clinic_scope(self.place.clinic, reason="test"):
                return work()

        return apart(scoped)[0]

    def patient(self, **fields: Any) -> Patient:
        values = {"phone": "+447700900100", "email": "ines@example.org", "reminder_channels": ["sms"]} | fields
        patient: Patient = self.inside(lambda: make_patient(**values))
        return patient

    def visit(self, start: datetime, patient: Patient | None = None, **fields: Any) -> Appointment:
        patient = patient or self.patient()
        zone = fields.pop("time_zone", self.place.clinic.time_zone)
        values = {
            "patient_id": patient.pk, "service_id": self.place.services[0].pk, "provider_id": self.place.providers[0].pk,
            "location_id": self.place.locations[0].pk, "start": start, "end": start + timedelta(minutes=20), "time_zone": zone,
            "local_day": date(2026, 1, 1), "status": "confirmed",
        } | fields  # fmt: skip
        visit: Appointment = self.inside(lambda: Appointment.objects.create(**values))
        return visit

    def change(self, visit: Appointment, **values: Any) -> None:
        self.inside(lambda: Appointment.objects.filter(pk=visit.pk).update(**values))

    def consent(self, patient: Patient, given: bool) -> None:
        self.inside(lambda: Consent.objects.create(patient=patient, kind="messages", given=given))

    def remind(self, now: datetime) -> Reminded:
        """A run of the command's service, committed."""
        done: Reminded = apart(lambda: send_reminders(clinic=self.place.clinic, now=now))[0]
        return done

    def deliver(self) -> int:
        """Whoever sends sends all that is due by the true clock."""
        return int(apart(send_waiting)[0])

    def told(self, patient: Patient | None = None) -> list[PatientMessage]:
        """What the clinic keeps, oldest first."""

        def kept() -> list[PatientMessage]:
            rows = PatientMessage.objects.order_by("pk")
            return list(rows.filter(patient_id=patient.pk) if patient else rows)

        found: list[PatientMessage] = self.inside(kept)
        return found

    def outgoing(self) -> list[OutgoingMessage]:
        def rows() -> list[OutgoingMessage]:
            with platform_scope(reason="test"):
                return list(OutgoingMessage.objects.order_by("pk"))

        found: list[OutgoingMessage] = apart(rows)[0]
        return found


@contextmanager
def reminding(place: Place) -> Iterator[Reminding]:
    try:
        yield Reminding(place)
    finally:
        leftovers.clear()
