"""The catalogue, what services announce, and what the page for integrators says are the same."""

import ast
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from appointments import events as of_visits
from appointments.choices import TICKET_STEPS, TRANSITIONS
from appointments.services import book_appointment, change_notes, change_status, reschedule_appointment, undo_last_change
from core.accounts.actor import system_actor
from core.accounts.roles import Role
from core.errors import Conflict
from core.events import announcing
from core.events.announcing import announce, subscribe
from core.events.catalogue import ID, catalogue, event
from core.events.models import DomainEvent
from patients import events as of_patients
from patients.models import Patient
from patients.services import note_consent, restrict_record
from patients.services.anonymising import anonymise_patient
from patients.services.registration import register_patient, update_patient
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place

PROJECT = Path(__file__).resolve().parents[3]
WORDS = {"from_location": "location where it was before", "series": "ticket group"}
APPS = ("clinics", "patients", "appointments")


def section() -> str:
    """What the page says of the events, made of the catalogue."""
    lines = []
    for one in catalogue().values():
        lines += [f"### {one.name}", "", f"Version {one.version}. {one.words}", ""]
        for name, kind in one.fields.items():
            what = f"id of the {WORDS.get(name, name)}" if kind == ID else ", ".join(f"`{word}`" for word in kind)
            lines.append(f"- `{name}`: {what}")
        lines.append("")
    return "\n".join(lines).strip()


def test_the_page_for_integrators_tells_the_catalogue() -> None:
    page = (PROJECT / "docs" / "webhooks.md").read_text()
    assert page.partition("## The events")[2].partition("\n\n")[2].partition("\n\n")[2].strip() == section()


def test_services_announce_what_the_catalogue_has_and_all_of_it() -> None:
    """Read from their source: every event of an app is named by one of its services."""
    for app in APPS:
        module = PROJECT / app / "events.py"
        declared = re.findall(r"^([A-Z_]+) = (?!channel)_?\w+\(\"", module.read_text(), re.MULTILINE) if module.exists() else []
        sources = [path.read_text() for path in (PROJECT / app / "services").glob("*.py")]
        named = {name for text in sources for name in re.findall(r"events\.([A-Z_]+)", text)}
        by_step = {"OF_STEP", "OF_TICKET_STEP"} if app == "appointments" else set()
        steps = {name for name in declared if getattr(of_visits, name, None) in of_visits.OF_STEP.values()}
        assert named - by_step == set(declared) - steps, app
    assert set(of_visits.OF_STEP) == set(TRANSITIONS)
    assert set(of_visits.OF_TICKET_STEP) == set(TICKET_STEPS)


def test_nobody_but_a_service_announces() -> None:
    for app in APPS:
        for path in (PROJECT / app).rglob("*.py"):
            calls = {node.func.id for node in ast.walk(ast.parse(path.read_text()))
                     if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
            assert "announce" not in calls or path.parent.name == "services", path


def test_fields_are_ids_and_words_alone() -> None:
    """So no event can hold a name, a number, or anything clinical."""
    for one in catalogue().values():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", one.name) and one.about == one.name.partition(".")[0]
        for kind in one.fields.values():
            assert kind == ID or (isinstance(kind, tuple) and all(re.fullmatch(r"[a-z_]+", word) for word in kind))


@pytest.mark.parametrize(
    "data", [{}, {"patient": "Ann Lee"}, {"patient": 7}, {"patient": str(uuid4())}, {"patient": uuid4(), "name": "Ann Lee"}]
)
def test_what_the_catalogue_does_not_allow_is_not_written_down(in_riverside: Place, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"patient\.changed"):
        announce(of_patients.CHANGED, uuid4(), **data)
    with pytest.raises(ValueError, match="words of the catalogue"):
        of_visits.BOOKED.checked({**dict.fromkeys(of_visits.FIELDS, None), "status": "somewhere", "source": "staff"})


def test_two_events_can_t_have_one_name() -> None:
    for name in ("patient.changed", "Patient.Changed", "patient"):
        with pytest.raises(ValueError, match="no name"):
            event(name, about="patient", fields={}, words="")


# --- What each service says --------------------------------------------------------------------------------------------------
def told(about_id: Any) -> list[str]:
    return list(DomainEvent.objects.filter(about_id=about_id).order_by("seq").values_list("name", flat=True))


def test_a_patient_s_events(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    data = {"given_name": "Ottilie", "family_name": "Vantongeren", "date_of_birth": date(1971, 2, 3), "sex": "female"}
    patient = register_patient(actor=actor, data=data)
    update_patient(actor=actor, patient_id=patient.pk, changes={"given_name": "Otti"})
    update_patient(actor=actor, patient_id=patient.pk, changes={"given_name": "Otti"})  # nothing changed
    update_patient(actor=actor, patient_id=patient.pk, changes={"consents": {"messages": True}})
    note_consent(actor=actor, patient_id=patient.pk, kind="messages", given=False)
    restrict_record(actor=actor, patient_id=patient.pk, restricted=True, reason="a colleague's record")
    restrict_record(actor=actor, patient_id=patient.pk, restricted=False, reason="no longer")
    anonymise_patient(actor=actor, patient_id=patient.pk, mrn=patient.mrn, kind="request", reason="asked for in writing")
    assert told(patient.pk) == ["patient.registered", *["patient.changed"] * 5, "patient.anonymised"]
    for one in DomainEvent.objects.filter(about_id=patient.pk):
        assert (one.data, one.schema, one.about) == ({"patient": str(patient.pk)}, 1, "patient")


def test_a_visit_s_events(in_riverside: Place) -> None:
    actor = system_actor(in_riverside.clinic.pk)
    steps = {"confirm", "check_in", "start", "complete", "cancel", "no_show"}
    visit = book(in_riverside, at(in_riverside, 3, 10))
    reschedule_appointment(actor=actor, appointment_id=visit.pk, start=at(in_riverside, 3, 11))
    change_notes(actor=actor, appointment_id=visit.pk, notes="by phone")
    for step in ("check_in", "start", "complete"):
        change_status(actor=actor, appointment_id=visit.pk, action=step)
    undo_last_change(actor=actor, appointment_id=visit.pk)
    with pytest.raises(Conflict):
        change_status(actor=actor, appointment_id=visit.pk, action="cancel")
    assert told(visit.pk) == [f"appointment.{name}" for name in
                              ("booked", "moved", "changed", "checked_in", "called", "finished", "undone")]  # fmt: skip
    last = DomainEvent.objects.filter(about_id=visit.pk).order_by("seq").last()
    assert last is not None
    assert last.data == {
        "appointment": str(visit.pk), "patient": str(visit.patient_id), "service": str(visit.service_id),
        "provider": str(visit.provider_id), "location": str(visit.location_id), "status": "in_progress", "source": "staff",
    }  # fmt: skip
    for step, name in (("cancel", "cancelled"), ("no_show", "no_show")):
        other = book(in_riverside, at(in_riverside, 4, 10))
        change_status(actor=actor, appointment_id=other.pk, action=step)
        assert told(other.pk) == ["appointment.booked", f"appointment.{name}"]
    assert steps == set(of_visits.OF_STEP)


def test_what_is_refused_is_not_announced(in_riverside: Place) -> None:
    visit = book(in_riverside, at(in_riverside, 3, 10))
    before = DomainEvent.objects.count()
    with pytest.raises(Conflict):
        book_appointment(
            actor=system_actor(in_riverside.clinic.pk), patient_id=make_patient().pk, service_id=visit.service_id,
            provider_id=visit.provider_id, start=visit.start,
        )  # fmt: skip
    assert DomainEvent.objects.count() == before


def test_an_announcement_costs_one_statement(in_riverside: Place) -> None:
    with CaptureQueriesContext(connection) as sent:
        announce(of_patients.CHANGED, uuid4(), patient=uuid4())
    assert len([one for one in sent if "SAVEPOINT" not in one["sql"]]) == 1


# --- Subscribers --------------------------------------------------------------------------------------------------------------
def test_subscribers_run_in_the_transaction_and_can_undo_it(in_riverside: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[DomainEvent] = []
    monkeypatch.setattr(announcing, "_subscribers", announcing.defaultdict(list))
    subscribe(of_patients.CHANGED, heard.append)
    patient = make_patient()
    actor = in_riverside.actor(Role.RECEPTIONIST)
    update_patient(actor=actor, patient_id=patient.pk, changes={"given_name": "Other"})
    assert [one.about_id for one in heard] == [patient.pk]
    assert connection.in_atomic_block

    def refuses(_: DomainEvent) -> None:
        raise Conflict("not now")

    subscribe(of_patients.CHANGED, refuses)
    from django.db import transaction

    with pytest.raises(Conflict), transaction.atomic():
        update_patient(actor=actor, patient_id=patient.pk, changes={"given_name": "Third"})
    assert Patient.objects.get(pk=patient.pk).given_name == "Other"
    assert timezone.now() - heard[0].at < timedelta(minutes=1)
