"""One visit's page: what is told, what may be done, and the ways out of each state. Without JavaScript."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils.formats import date_format

from appointments.choices import Status
from appointments.forms import slot_value
from appointments.models import Appointment, Schedule
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


def test_a_reason_typed_about_a_visit_that_was_changed_meanwhile_is_sent_again(
    reception: Client, riverside: Place, visit: Appointment
) -> None:
    address = f"/appointments/{visit.pk}/cancel/"
    answer = reception.post(address, {"reason": "moved away", "version": visit.version + 5})
    assert answer.status_code == 422 and "Somebody changed this meanwhile" in answer.text and "moved away" in answer.text
    version = re.search(r'name="version" value="(\d+)"', answer.text)
    assert version
    assert reception.post(address, {"reason": "moved away", "version": version[1]}).status_code == 303
    assert status_of(riverside, visit) == Status.CANCELLED


def test_check_in_for_another_day_names_it_and_is_not_the_next_step(
    reception: Client, riverside: Place, visit: Appointment
) -> None:
    """Who stands at the desk may have two visits."""
    page = reception.get(f"/appointments/{visit.pk}/").text
    day = date_format(visit.local_day, "D j M")
    assert re.search(rf'<button class="button" type="submit">.*?Check in for {day}</button>', page)
    assert "Did not come" not in page
    soon = reception.get(f"/appointments/{visit_at(riverside, 0).pk}/").text
    assert re.search(r'<button class="button primary" type="submit">(?:(?!</button>).)*Check in</button>', soon)
    assert "Did not come" in soon


def test_a_missed_visit_whose_time_was_given_away_stays_missed(reception: Client, riverside: Place, visit: Appointment) -> None:
    assert reception.post(f"/appointments/{visit.pk}/no-show/", {"version": visit.version}).status_code == 303
    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, visit.start)
    answer = reception.post(f"/appointments/{visit.pk}/undo/", {"next": "/"})
    assert (answer.status_code, answer["Location"]) == (303, f"/appointments/{visit.pk}/")
    assert status_of(riverside, visit) == Status.NO_SHOW
    told = reception.get(answer["Location"]).text
    assert "The visit stays missed" in told and "is taken at this time" in told and "Book again" in told


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


def test_a_visit_is_moved_to_another_place_when_it_is_asked_for(reception: Client, riverside: Place, visit: Appointment) -> None:
    street, harbour = riverside.locations
    with clinic_scope(riverside.clinic, reason="test"):
        Schedule.objects.filter(provider=riverside.providers[1]).update(location=harbour)
    address, there = f"/appointments/{visit.pk}/reschedule/", riverside.providers[1].pk
    day = at(riverside, 1, 9).date().isoformat()
    looking = {"show": "1", "provider": "", "day": day}
    assert f"~{there}" not in reception.get(f"{address}?day={day}&provider=").text, "where it is, unless somebody says otherwise"
    assert f"~{there}" in reception.post(address, looking | {"location": str(harbour.pk)}).text
    slot = slot_value(at(riverside, 1, 14), there)
    refused = reception.post(address, {"slot": slot, "location": str(street.pk), "version": visit.version})
    assert refused.status_code == 409 and "does not work then" in refused.text
    assert reception.post(address, {"slot": slot, "location": str(harbour.pk), "version": visit.version}).status_code == 303
    assert now_of(riverside, visit).location_id == harbour.pk


def test_a_visit_of_a_service_that_is_given_up_can_be_moved(reception: Client, riverside: Place, visit: Appointment) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        visit.service.is_active = False
        visit.service.save()
        book(riverside, at(riverside, 1, 14), service_id=riverside.services[1].pk)
    address = f"/appointments/{visit.pk}/reschedule/"
    body = {"slot": slot_value(at(riverside, 1, 14), riverside.providers[0].pk), "version": visit.version}
    taken = reception.post(address, body)
    assert taken.status_code == 409
    (first, *_) = re.findall(r'name="alternative" value="([^"]+)"', taken.text)
    assert reception.post(address, body | {"alternative": first}).status_code == 303


@pytest.mark.parametrize("wrong", [{}, {"slot": "x"}, {"slot": "2020-01-01T00:00:00+00:00~" + str(uuid4())}])
def test_a_wrong_move_changes_nothing(reception: Client, riverside: Place, visit: Appointment, wrong: dict[str, str]) -> None:
    assert reception.post(f"/appointments/{visit.pk}/reschedule/", wrong).status_code == 422
    assert now_of(riverside, visit).start == at(riverside, 1, 9)


def test_a_stale_page_changes_nothing(reception: Client, riverside: Place, visit: Appointment) -> None:
    body = {"slot": slot_value(at(riverside, 1, 14), riverside.providers[0].pk), "version": visit.version + 1, "reason": "typed"}
    stale = reception.post(f"/appointments/{visit.pk}/reschedule/", body)
    assert stale.status_code == 412 and 'value="typed"' in stale.text
    assert f'name="version" value="{visit.version}"' in stale.text, "so that it can be sent again"
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
