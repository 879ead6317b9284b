"""A receiver written from the page alone has what the clinic has, and nothing that it may not have; whatever fails on the way."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.accounts.roles import Role
from core.audit.models import AccessedPatient, AccessEvent
from core.data_sync import sending, services
from core.data_sync.models import DataSync
from core.data_sync.sending import SwitchedOff, SyncFailed, send_changes
from core.errors import Conflict, NotAllowed, NotFound, ValidationFailed
from core.history.models import Change
from core.jobs.models import Job
from core.tenancy.context import Scope, clinic_scope, unit_of_work
from patients.models import Patient
from patients.services import anonymise_patient, restrict_record, update_patient
from tests.architecture.catalogue import connected
from tests.core.data_sync.receiver import Copy
from tests.factories.api_client import committed_client
from tests.factories.endpoints import Endpoint, Taken, Told, endpoints
from tests.factories.reminded import Reminding, reminding
from tests.factories.threads import apart
from tests.factories.world import Place

NEVER = lambda: False  # noqa: E731


@dataclass
class Synced:
    """A clinic, its receiver, and the copy that the receiver keeps."""

    clinic: Reminding
    end: Endpoint
    copy: Copy
    id: Any

    @property
    def place(self) -> Place:
        return self.clinic.place

    def does(self, service: Callable[..., Any], role: Role = Role.CLINIC_ADMIN, **given: Any) -> Any:
        return self.clinic.inside(lambda: service(actor=self.place.actor(role), **given))

    def row(self) -> DataSync:
        found: DataSync = self.clinic.inside(lambda: DataSync.objects.get(pk=self.id))
        return found

    def put(self, **values: Any) -> None:
        self.clinic.inside(lambda: DataSync.objects.filter(pk=self.id).update(**values))

    def send(self) -> bool:
        """One run of the job's work."""
        return bool(apart(lambda: send_changes(self.place.clinic.pk, say=lambda _rows: None, until=NEVER))[0])

    def in_step(self) -> None:
        """The receiver has everything; another export would be empty."""
        for _ in range(2):
            assert self.send()
        assert self.row().last_rows == 0

    def change(self, patient: Patient, **changes: Any) -> None:
        self.does(update_patient, Role.RECEPTIONIST, patient_id=patient.pk, changes=changes)

    def restrict(self, patient: Patient, restricted: bool) -> None:
        self.does(restrict_record, patient_id=patient.pk, restricted=restricted, reason="Works here")

    def patients(self) -> set[str]:
        return set(self.copy.kept["patients"])

    def visits(self) -> set[str]:
        return set(self.copy.kept["appointments"])


@pytest.fixture
def synced(riverside: Place, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Synced]:
    settings.HMS_WEBHOOK_ALLOW = ["127.0.0.1"]
    monkeypatch.setattr(sending, "ROWS", 2)
    with endpoints(1) as (end,), reminding(riverside) as clinic:
        made = Synced(clinic, end, Copy(), None)
        end.answer = lambda taken: answered(made.copy, taken)
        sync, made.copy.secret = made.does(services.set_up_data_sync, data={"url": f"{end.url}/sync", "is_active": True})
        made.id = sync.pk
        yield made


def answered(copy: Copy, taken: Taken) -> Told:
    return Told(copy.take(taken.headers, taken.body))


def ids(*rows: Any) -> set[str]:
    return {str(row.pk) for row in rows}


# --- What is sent -----------------------------------------------------------------------------------------------------------
def test_the_first_export_is_everything_as_the_api_shows_it(synced: Synced, hillcrest: Place) -> None:
    patient = synced.clinic.patient(notes="Walks with a stick.", national_id="QQ123456C")
    visit = synced.clinic.visit(timezone.now() + timedelta(days=3), patient, notes="By taxi.")
    assert synced.send()
    known = synced.clinic.inside(lambda: list(Patient.objects.all()))
    assert synced.patients() == ids(*known) and synced.visits() == ids(visit)
    assert not ids(*hillcrest.patients) & synced.patients()
    assert {page["mode"] for page in synced.copy.pages} == {"full"} and synced.copy.refused == 0
    client = committed_client(synced.place.users[Role.RECEPTIONIST], synced.place.clinic)
    for kind, row in (("patients", patient), ("appointments", visit)):
        (said,) = apart(lambda kind=kind, row=row: client.get(f"{kind}/{row.pk}").json()["data"])
        assert synced.copy.kept[kind][str(row.pk)] == said
    row = synced.row()
    assert (row.last_rows, row.failures, row.last_cause, row.run) == (len(known) + 1, 0, "", None)
    assert row.last_success_at and row.after_position


def test_then_only_what_has_changed_and_the_visits_that_name_it(synced: Synced) -> None:
    patient, other = synced.clinic.patient(), synced.clinic.patient()
    visit = synced.clinic.visit(timezone.now() + timedelta(days=3), patient)
    synced.clinic.visit(timezone.now() + timedelta(days=3), other)
    synced.in_step()
    begun = len(synced.copy.pages)
    synced.change(patient, city="Whitby")
    assert synced.send()
    changed = [page for page in synced.copy.pages[begun:] if page["rows"]]
    assert [(page["mode"], page["kind"], [row["id"] for row in page["rows"]]) for page in changed] == [
        ("changes", "patients", [str(patient.pk)]), ("changes", "appointments", [str(visit.pk)]),
    ]  # fmt: skip
    assert synced.copy.kept["patients"][str(patient.pk)]["address"]["city"] == "Whitby"


def test_a_restricted_record_goes_and_comes_back_with_its_visits(synced: Synced) -> None:
    patient = synced.clinic.patient()
    visit = synced.clinic.visit(timezone.now() + timedelta(days=3), patient)
    synced.in_step()
    synced.restrict(patient, True)
    assert synced.send() and not ids(patient) & synced.patients()
    assert {synced.copy.removed[str(one.pk)] for one in (patient, visit)} == {"restricted"} and synced.visits() == set()
    synced.restrict(patient, False)
    assert synced.send() and ids(patient) <= synced.patients()
    assert synced.visits() == ids(visit)


def test_of_a_restricted_record_nothing_is_ever_sent(synced: Synced) -> None:
    patient = synced.clinic.patient(family_name="Quillfeather", is_restricted=True, restriction_reason="Works here")
    synced.clinic.visit(timezone.now() + timedelta(days=3), patient)
    synced.send()
    assert synced.copy.removed[str(patient.pk)] == "restricted"
    assert all(b"Quillfeather" not in taken.body for taken in synced.end.taken)


def test_an_anonymised_record_is_taken_away(synced: Synced) -> None:
    patient = synced.clinic.patient()
    visit = synced.clinic.visit(timezone.now() - timedelta(days=3), patient, status="completed")
    synced.in_step()
    assert ids(patient) <= synced.patients() and ids(visit) <= synced.visits()
    synced.does(anonymise_patient, patient_id=patient.pk, mrn=patient.mrn, kind="request", reason="Asked in writing")
    assert synced.send() and not ids(patient) & synced.patients()
    assert synced.copy.removed[str(patient.pk)] == synced.copy.removed[str(visit.pk)] == "anonymised"


def test_what_commits_late_is_not_missed(synced: Synced) -> None:
    """A transaction that began before the export and ends after it."""
    slow_one = synced.clinic.patient()
    synced.in_step()
    changed, end = threading.Event(), threading.Event()

    def slow() -> None:
        with clinic_scope(synced.place.clinic, reason="test"):
            update_patient(actor=synced.place.actor(Role.RECEPTIONIST), patient_id=slow_one.pk, changes={"city": "Whitby"})
            changed.set()
            assert end.wait(30)

    def meanwhile() -> None:
        assert changed.wait(30)
        try:
            send_changes(synced.place.clinic.pk, say=lambda _rows: None, until=NEVER)
        finally:
            end.set()

    apart(slow, meanwhile)
    city = lambda: synced.copy.kept["patients"][str(slow_one.pk)]["address"]["city"]  # noqa: E731
    assert city() == ""
    assert synced.send() and city() == "Whitby"


# --- What fails -------------------------------------------------------------------------------------------------------------
def test_an_export_goes_on_behind_the_page_that_was_taken_last(synced: Synced) -> None:
    for _ in range(3):
        synced.clinic.patient()
    synced.copy.status = lambda page: 500 if page["page"] == 2 else None
    with pytest.raises(SyncFailed):
        synced.send()
    row = synced.row()
    assert (row.run_pages, row.run_rows, row.last_cause, row.failures, row.last_success_at) == (1, 2, "HTTP 500", 1, None)
    synced.copy.status = lambda page: None
    synced.send()
    first, *_ = synced.copy.exports()
    assert [page["page"] for page in synced.copy.pages][: len(first)] == list(range(1, len(first) + 1))
    assert synced.copy.twice == 0 and synced.patients() == ids(*synced.clinic.inside(lambda: list(Patient.objects.all())))
    assert (synced.row().failures, synced.row().last_cause) == (0, "")


def test_a_page_whose_taking_was_not_noted_comes_again_under_its_key(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies between the receiver's answer and the note."""

    def dies(page: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(sending, "_note", dies)
    with pytest.raises(ZeroDivisionError):
        synced.send()
    monkeypatch.undo()
    monkeypatch.setattr(sending, "ROWS", 2)
    synced.send()
    assert synced.copy.twice == 1
    first, second = (taken.headers["Idempotency-Key"] for taken in synced.end.taken[:2])
    assert first == second and synced.end.taken[0].body == synced.end.taken[1].body


def test_two_at_once_send_each_row(synced: Synced) -> None:
    for _ in range(6):
        synced.clinic.patient()
    send = lambda: send_changes(synced.place.clinic.pk, say=lambda _rows: None, until=NEVER)  # noqa: E731
    assert all(apart(send, send))
    assert synced.patients() == ids(*synced.clinic.inside(lambda: list(Patient.objects.all())))
    assert synced.row().run is None


def test_when_its_time_is_over_it_says_so_and_goes_on_later(synced: Synced) -> None:
    looks = iter([False, True])
    over = lambda: send_changes(synced.place.clinic.pk, say=lambda _rows: None, until=lambda: next(looks))  # noqa: E731
    assert apart(over) == [False]
    assert synced.row().run_pages == 1
    assert synced.send()


@pytest.mark.parametrize("why", ["a dump", "too late", "an old export"])
def test_when_changes_aren_t_known_any_more_everything_is_sent(synced: Synced, why: str, settings: Any) -> None:
    gone = synced.clinic.patient()
    synced.in_step()
    assert synced.copy.pages[-1]["mode"] == "changes"
    long_ago = timezone.now() - timedelta(days=settings.HMS_EVENT_DAYS)
    if why == "a dump":
        synced.put(after_position=2**60)
    elif why == "too late":
        synced.put(last_success_at=long_ago)
    else:
        synced.put(run="019a0000-0000-7000-8000-000000000000", run_began=long_ago, run_feed="appointments", run_pages=7)
    with connected("postgres") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("DELETE FROM patients_patient WHERE id = %s", [gone.pk])
        connection.commit()
    synced.send()
    assert synced.copy.pages[-1]["mode"] == "full"
    assert not ids(gone) & synced.patients()  # a copy that follows the page drops what has not come


def test_a_receiver_that_wants_no_more_is_left_alone(synced: Synced) -> None:
    synced.copy.status = lambda page: 410
    with pytest.raises(SwitchedOff):
        synced.send()
    assert (synced.row().is_active, synced.row().last_cause) == (False, "HTTP 410")
    assert synced.send() and len(synced.end.taken) == 1


def test_nothing_is_sent_while_it_is_off(synced: Synced) -> None:
    synced.does(services.change_data_sync, data_sync_id=synced.id, changes={"is_active": False})
    assert synced.send() and synced.end.taken == []
    with pytest.raises(Conflict):
        synced.does(services.send_now, data_sync_id=synced.id)


def test_an_address_is_judged_as_it_is_called(synced: Synced, settings: Any) -> None:
    settings.HMS_WEBHOOK_ALLOW = []
    with pytest.raises(SyncFailed):
        synced.send()
    assert synced.row().last_cause == "address refused" and synced.end.taken == []


# --- Who knows --------------------------------------------------------------------------------------------------------------
def test_every_page_is_in_the_access_log_before_it_leaves(synced: Synced) -> None:
    patient = synced.clinic.patient()
    hidden = synced.clinic.patient(is_restricted=True, restriction_reason="Works here")
    synced.clinic.visit(timezone.now() + timedelta(days=3), patient)
    seen = []

    def logged() -> tuple[list[Any], set[str]]:
        events = list(AccessEvent.objects.filter(route="data-sync"))
        return events, {str(one) for one in AccessedPatient.objects.values_list("patient_id", flat=True)}

    def answer(taken: Taken) -> Told:
        seen.append(synced.clinic.inside(logged)[1])
        return answered(synced.copy, taken)

    synced.end.answer = answer
    synced.send()
    events, people = synced.clinic.inside(logged)
    assert people == synced.patients() and str(hidden.pk) not in people
    assert {(one.reading, one.user_id, one.address) for one in events} == {("export", None, "127.0.0.1")}
    for page, known in zip(synced.copy.pages, seen, strict=True):
        if page["kind"] == "patients":
            assert {row["id"] for row in page["rows"] if "data" in row} <= known


def test_only_administrators_set_it_up_and_each_clinic_its_own(synced: Synced, hillcrest: Place) -> None:
    for role in (Role.RECEPTIONIST, Role.DOCTOR, Role.COMPLIANCE_OFFICER):
        with pytest.raises(NotAllowed):
            synced.does(services.change_data_sync, role, data_sync_id=synced.id, changes={"is_active": False})
        with pytest.raises(NotAllowed):
            synced.does(services.send_now, role, data_sync_id=synced.id)
    with pytest.raises(Conflict):
        synced.does(services.set_up_data_sync, data={"url": "https://other.example.org"})

    def outsider() -> None:
        with clinic_scope(hillcrest.clinic, reason="test"):
            services.send_now(actor=hillcrest.actor(Role.CLINIC_ADMIN), data_sync_id=synced.id)

    with pytest.raises(NotFound):
        apart(outsider)


@pytest.mark.parametrize("url", ["http://sync.example.org", "https://10.0.0.1/", "https://user:word@sync.example.org", "", "x"])
def test_an_address_that_may_not_be_called_is_refused(synced: Synced, settings: Any, url: str) -> None:
    settings.HMS_WEBHOOK_ALLOW = []
    with pytest.raises(ValidationFailed):
        synced.does(services.change_data_sync, data_sync_id=synced.id, changes={"url": url})


def test_a_new_secret_signs_and_no_history_tells_it(synced: Synced) -> None:
    old = synced.copy.secret
    _, synced.copy.secret = synced.does(services.renew_data_sync_secret, data_sync_id=synced.id)
    assert synced.copy.secret != old and synced.send() and synced.copy.refused == 0
    kept = synced.clinic.inside(lambda: [(one.old_values, one.new_values) for one in Change.objects.filter(row_id=synced.id)])
    assert len(kept) == 2 and "whsec" not in str(kept)  # set up, renewed: nothing of what the sender notes


def test_another_address_is_told_everything(synced: Synced) -> None:
    synced.in_step()
    synced.does(services.change_data_sync, data_sync_id=synced.id, changes={"url": f"{synced.end.url}/elsewhere"})
    synced.send()
    assert synced.end.taken[-1].path == "/elsewhere" and synced.copy.pages[-1]["mode"] == "full"


def test_sending_by_hand_is_a_job(synced: Synced) -> None:
    synced.in_step()
    synced.does(services.send_now, data_sync_id=synced.id, everything=True)

    def jobs() -> list[tuple[str, Any]]:
        with unit_of_work(Scope(reason="test")):
            return list(Job.objects.filter(queue="data_sync").values_list("kind", "in_clinic"))

    assert apart(jobs) == [[("data_sync.send", synced.place.clinic.pk)]]
    synced.send()
    assert synced.copy.pages[-1]["mode"] == "full"
