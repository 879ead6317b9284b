"""One visit's page: what is told, what may be done, and the ways out of each state. Without JavaScript."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from appointments.choices import Status
from appointments.forms import slot_value
from appointments.models import Appointment
from core.accounts.roles import MATRIX, Role
from core.database.detector import Detector
from core.tenancy.context import clinic_scope
from tests.appointments.pages.visiting import key_for, status_of, visit_at
from tests.factories.visits import at, book
from tests.factories.world import Place


@pytest.fixture
def reception(sign_in: Any, riverside: Place) -> Client:
    return sign_in(riverside.users[Role.RECEPTIONIST])


@pytest.fixture
def visit(riverside: Place) -> Appointment:
    """Booked for tomorrow at nine."""
    with clinic_scope(riverside.clinic, reason="test"):
        return book(riverside, at(riverside, 1, 9), notes="<b>fasting</b>")


def now_of(place: Place, visit: Appointment) -> Appointment:
    with clinic_scope(place.clinic, reason="test"):
        return Appointment.objects.get(pk=visit.pk)


def test_facts_and_history(reception: Client, riverside: Place, visit: Appointment) -> None:
    page = reception.get(f"/appointments/{visit.pk}/")
    assert page.status_code == 200
    for words in (
        visit.patient.full_name,
        "Dr Ruth Hale",
        "09:00",
        "09:20",
        "Main street",
        "&lt;b&gt;fasting",
        "Booked for",
        "Check in",
    ):
        assert words in page.text, words


def test_a_visit_is_cancelled_with_a_reason(reception: Client, riverside: Place, visit: Appointment) -> None:
    address = f"/appointments/{visit.pk}/cancel/"
    page = reception.get(address)
    assert page.status_code == 200
    empty = reception.post(address, {"reason": "", "version": visit.version})
    assert empty.status_code == 422
    assert "Say why" in empty.text
    assert status_of(riverside, visit) == Status.CONFIRMED
    answer = reception.post(address, {"reason": "moved away", "version": visit.version, "idempotency_key": str(uuid4())})
    assert (answer.status_code, answer["Location"]) == (303, f"/appointments/{visit.pk}/")
    assert status_of(riverside, visit) == Status.CANCELLED
    told = reception.get(f"/appointments/{visit.pk}/").text
    assert "moved away" in told
    assert "/undo/" not in told
    assert reception.get(address).status_code == 409


def test_a_missed_visit_can_be_taken_back(reception: Client, riverside: Place) -> None:
    visit = visit_at(riverside, -30)
    page = reception.get(f"/appointments/{visit.pk}/")
    address = f"/appointments/{visit.pk}/no-show/"
    answer = reception.post(address, {"idempotency_key": key_for(page, address), "next": f"/appointments/{visit.pk}/"})
    assert answer.status_code == 303
    assert status_of(riverside, visit) == Status.NO_SHOW
    assert "Rebook" in reception.get("/").text


def test_a_visit_is_moved(reception: Client, riverside: Place, visit: Appointment) -> None:
    address = f"/appointments/{visit.pk}/reschedule/"
    day = at(riverside, 1, 9).date().isoformat()
    page = reception.get(f"{address}?day={day}")
    assert page.status_code == 200
    assert re.search(r'name="slot" value="[^"]*T09:00[^"]*"(?! disabled)', page.text)  # its own time counts as free
    shown = reception.post(address, {"show": "1", "provider": "", "day": day, "reason": "asked for it"})
    assert "asked for it" in shown.text
    assert status_of(riverside, visit) == Status.CONFIRMED
    slot = slot_value(at(riverside, 1, 14), riverside.providers[1].pk)
    body = {"slot": slot, "reason": "asked for it", "version": visit.version, "idempotency_key": str(uuid4())}
    answer = reception.post(address, body)
    assert answer.status_code == 303
    moved = now_of(riverside, visit)
    assert (moved.start, moved.provider_id) == (at(riverside, 1, 14), riverside.providers[1].pk)
    told = reception.get(f"/appointments/{visit.pk}/").text
    assert "Moved from" in told
    assert "asked for it" in told


def test_moving_onto_a_taken_time_offers_others(reception: Client, riverside: Place, visit: Appointment) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, at(riverside, 1, 14))
    body = {"slot": slot_value(at(riverside, 1, 14), riverside.providers[0].pk), "reason": "typed", "version": visit.version}
    answer = reception.post(f"/appointments/{visit.pk}/reschedule/", body)
    assert answer.status_code == 409
    assert 'value="typed"' in answer.text
    alternatives = re.findall(r'name="alternative" value="([^"]+)"', answer.text)
    assert len(alternatives) >= 3
    again = reception.post(f"/appointments/{visit.pk}/reschedule/", {**body, "alternative": alternatives[0]})
    assert again.status_code == 303
    assert now_of(riverside, visit).start not in (at(riverside, 1, 9), at(riverside, 1, 14))


@pytest.mark.parametrize("wrong", [{}, {"slot": "x"}, {"slot": "2020-01-01T00:00:00+00:00~" + str(uuid4())}])
def test_a_wrong_move_changes_nothing(reception: Client, riverside: Place, visit: Appointment, wrong: dict[str, str]) -> None:
    assert reception.post(f"/appointments/{visit.pk}/reschedule/", wrong).status_code == 422
    assert now_of(riverside, visit).start == at(riverside, 1, 9)


def test_a_stale_page_changes_nothing(reception: Client, riverside: Place, visit: Appointment) -> None:
    body = {"slot": slot_value(at(riverside, 1, 14), riverside.providers[0].pk), "version": visit.version + 1}
    assert reception.post(f"/appointments/{visit.pk}/reschedule/", body).status_code == 412
    assert reception.post(f"/appointments/{visit.pk}/check-in/", {"version": visit.version + 1}).status_code == 412
    assert status_of(riverside, visit) == Status.CONFIRMED


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}))
def test_each_role_sees_and_does_what_the_matrix_says(sign_in: Any, riverside: Place, visit: Appointment, role: Role) -> None:
    browser = sign_in(riverside.users[role])
    page = browser.get(f"/appointments/{visit.pk}/")
    if role == Role.PATIENT or role not in MATRIX["appointment"]["view"]:
        assert page.status_code == 403
    else:
        assert page.status_code == 200
        assert ("Check in" in page.text) is (role in MATRIX["appointment"]["check_in"])
        assert ("Cancel the visit" in page.text) is (role in MATRIX["appointment"]["cancel"])
        assert ("Booked for" in page.text) is (role in MATRIX["appointment"]["history"])
    for action in ("cancel", "reschedule"):
        allowed = role in MATRIX["appointment"][action]
        assert browser.get(f"/appointments/{visit.pk}/{action}/").status_code == (200 if allowed else 403)


def test_a_patients_visits(reception: Client, sign_in: Any, riverside: Place, hillcrest: Place, visit: Appointment) -> None:
    address = f"/appointments/of-patient/{visit.patient_id}/"
    page = reception.get(address)
    assert page.status_code == 200
    assert f"/appointments/{visit.pk}/" in page.text
    fragment = reception.get(address, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert f"/appointments/{visit.pk}/" in fragment
    assert sign_in(hillcrest.users[Role.RECEPTIONIST]).get(address).status_code == 404
    assert sign_in(riverside.users[Role.PATIENT]).get(address).status_code == 404  # nobody's account


def test_the_pages_budget(reception: Client, visit: Appointment) -> None:
    for address in ("", "cancel/", "reschedule/"):
        with Detector().on(connection) as counter:
            assert reception.get(f"/appointments/{visit.pk}/{address}").status_code == 200
        assert counter.count <= 12, address
