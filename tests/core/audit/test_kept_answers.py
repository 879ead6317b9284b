"""A read is a read, also when it came from the cache: kept lists and records, answers that are ready, 304s, kept pages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from appointments.models import Appointment, AppointmentChange
from core.accounts.roles import Role
from core.api.renderers import AnswerResponse
from core.database.roles import connected_as
from core.tenancy.context import clinic_scope
from tests.core.cache.conftest import listening, redis_of_the_run, with_redis
from tests.core.cache.test_ready_pages import browser, is_ready
from tests.factories.access_log import Written, taken_events
from tests.factories.api_client import ApiClient, committed_client
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.visits import at, book
from tests.factories.world import Place

__all__ = ["listening", "redis_of_the_run", "with_redis"]


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute doesn't turn while a test looks."""
    monkeypatch.setattr("core.api.ready.this_minute", lambda: 1)
    monkeypatch.setattr("core.pages.ready.this_minute", lambda: 1)
    monkeypatch.setattr("core.pages.fragments._minute", lambda now: 1)


def logged(ask: Callable[..., Any], *said: Any, **more: Any) -> tuple[Any, list[Written]]:
    """An answer, and the events it has left."""
    taken_events()
    answer = ask(*said, **more)
    return answer, taken_events()


@pytest.mark.parametrize("what", ["list", "record"])
def test_an_answer_from_the_cache_is_written_down_as_the_first(what: str, riverside: Place, listening: None) -> None:
    client = committed_client(riverside.users[Role.CLINIC_ADMIN])
    people = {one.pk for one in (riverside.patients if what == "list" else riverside.patients[:1])}
    path = "patients?ordering=mrn" if what == "list" else f"patients/{riverside.patients[0].pk}"

    def ask(**headers: str) -> Any:
        return apart(lambda: client.get(path, **headers))[0]

    eventually(lambda: not isinstance(ask(), AnswerResponse))
    ready, events = logged(ask)
    assert not isinstance(ready, AnswerResponse), "it came through the view"
    assert [(event.status, set(event.patients)) for event in events] == [(200, people)]
    assert events[0].reading == ("list" if what == "list" else "view")
    assert events[0].route == ("api-v2:patient-list" if what == "list" else "api-v2:patient-detail")
    unchanged, events = logged(ask, If_None_Match=ready["ETag"])
    assert unchanged.status_code == 304
    assert [(event.status, set(event.patients)) for event in events] == [(304, people)]


def test_a_page_that_is_ready_is_written_down_as_the_first(riverside: Place, listening: None, visit_today: Any) -> None:
    ask = browser(riverside.users[Role.CLINIC_ADMIN], riverside)
    _, events = logged(ask)
    assert [visit_today.patient_id in event.patients for event in events] == [True]
    eventually(lambda: is_ready(ask()))
    ready, again = logged(ask)
    assert is_ready(ready)
    assert [event.patients for event in again] == [event.patients for event in events]
    assert [event.route for event in again] == ["appointments:today"]


def test_the_first_answer_given_again_is_written_down_again(riverside: Place) -> None:
    client = committed_client(riverside.users[Role.RECEPTIONIST])
    body = {"given_name": "Ottilie", "family_name": "Wagstaffe", "date_of_birth": "1950-02-03", "sex": "female"}
    made, events = logged(client.post, "patients", body, Idempotency_Key="a-key-of-this-test")
    assert made.status_code == 201
    replayed, again = logged(client.post, "patients", body, Idempotency_Key="a-key-of-this-test")
    assert replayed["Idempotency-Replayed"] == "true"
    assert [event.patients for event in events] == [event.patients for event in again]
    assert [str(one) for one in again[0].patients] == [made.json()["data"]["id"]]
    assert again[0].event_id != events[0].event_id


def test_a_refusal_that_shows_duplicates_is_written_down(riverside: Place) -> None:
    one = riverside.patients[0]
    body = {
        "given_name": one.given_name, "family_name": one.family_name, "date_of_birth": str(one.date_of_birth), "sex": one.sex,
    }  # fmt: skip
    answer, events = logged(ApiClient(riverside.users[Role.RECEPTIONIST]).post, "patients", body)
    assert answer.status_code == 409
    assert [(event.status, event.reading) for event in events] == [(409, "search")]
    assert {str(pk) for pk in events[0].patients} == {found["id"] for found in answer.json()["error"]["duplicates"]}


def test_what_is_refused_or_leads_elsewhere_shows_nobody(riverside: Place, sign_in: Any) -> None:
    nurse: Client = sign_in(riverside.users[Role.NURSE], riverside.clinic)
    taken_events()
    assert nurse.get("/patients/00000000-0000-7000-8000-000000000000/").status_code == 404
    assert ApiClient(riverside.users[Role.NURSE]).get(f"patients/{riverside.patients[0].pk}?nonsense=1").status_code == 400
    assert Client().get(f"/patients/{riverside.patients[0].pk}/").status_code == 302
    assert taken_events() == []


@pytest.fixture
def visit_today(riverside: Place) -> Any:
    """Committed, for what is kept has to be."""

    def make() -> Any:
        with clinic_scope(riverside.clinic, reason="test"):
            visit = book(riverside, at(riverside, 35, 11), patient_id=riverside.patients[1].pk)
            moved = at(riverside, 0, 12) - visit.start
            visit.local_day, visit.start, visit.end = at(riverside, 0, 12).date(), visit.start + moved, visit.end + moved
            visit.save()
            return visit

    def undo() -> None:
        """The owner takes it away: no later test shall find it."""
        with connected_as("hms_owner"), clinic_scope(riverside.clinic, reason="test"):
            AppointmentChange.objects.filter(appointment=visit).delete()
            Appointment.objects.filter(pk=visit.pk).delete()

    (visit,) = apart(make)
    yield visit
    apart(undo)
