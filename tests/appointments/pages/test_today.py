"""The Today page and the steps taken on it."""

import re
from datetime import time
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from appointments.choices import Status
from appointments.models import Schedule
from appointments.pages.today import SHOWN_EXPECTED
from appointments.services import change_status
from core.accounts.actor import system_actor
from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from core.database.detector import Detector
from core.tenancy.context import clinic_scope
from tests.appointments.pages.visiting import key_for, status_of, visit_at
from tests.factories.world import Place


def test_a_morning_without_javascript(sign_in: Any, riverside: Place) -> None:
    browser: Client = sign_in(riverside.users[Role.RECEPTIONIST])
    visit = visit_at(riverside, -10)
    for step, lane, status in (
        ("check-in", "Check in", Status.CHECKED_IN),
        ("start", "Call", Status.IN_PROGRESS),
        ("complete", "Finish", Status.COMPLETED),
    ):
        page = browser.get("/")
        assert page.status_code == 200
        assert lane in page.text
        address = f"/appointments/{visit.pk}/{step}/"
        answer = browser.post(address, {"idempotency_key": key_for(page, address), "version": ""})
        assert answer.status_code == 303
        assert answer["Location"] == "/"
        assert status_of(riverside, visit) == status
        told = browser.get("/")
        assert "data-toast" in told.text
        assert f"/appointments/{visit.pk}/undo/" in told.text


def test_undo_takes_the_step_back(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    visit = visit_at(riverside, -10)
    browser.post(f"/appointments/{visit.pk}/check-in/", {})
    answer = browser.post(f"/appointments/{visit.pk}/undo/?next=/", {"idempotency_key": str(uuid4())})
    assert answer.status_code == 303, answer.text
    assert answer["Location"] == "/"
    assert status_of(riverside, visit) == Status.CONFIRMED


def test_a_step_taken_on_the_board_brings_the_board_back(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    visit = visit_at(riverside, -10)
    headers = {"HX-Request": "true", "HX-Target": "board"}
    answer = browser.post(f"/appointments/{visit.pk}/check-in/", {"idempotency_key": str(uuid4())}, headers=headers)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert 'id="board"' in answer.text
    assert 'hx-swap-oob="beforeend"' in answer.text
    assert "is checked in" in answer.text
    assert f'id="step-{visit.pk}"' in answer.text  # the same id: the focus stays with the patient


def test_somebody_was_faster(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    visit = visit_at(riverside, -10)
    browser.post(f"/appointments/{visit.pk}/check-in/", {})
    address = f"/appointments/{visit.pk}/check-in/"
    on_board = browser.post(address, {}, headers={"HX-Request": "true", "HX-Target": "board"})
    assert on_board.status_code == 409
    assert "Somebody else was faster" in on_board.text
    assert 'id="board"' in on_board.text
    assert browser.post(address, {}).status_code == 409
    assert status_of(riverside, visit) == Status.CHECKED_IN


def test_a_double_submit_takes_one_step(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    visit = visit_at(riverside, -10)
    body = {"idempotency_key": str(uuid4()), "version": str(visit.version)}
    first = browser.post(f"/appointments/{visit.pk}/check-in/", body)
    second = browser.post(f"/appointments/{visit.pk}/check-in/", body)
    assert first.status_code == second.status_code == 303
    with clinic_scope(riverside.clinic, reason="test"):
        assert visit.changes.count() == 2  # booked, checked in


@pytest.mark.parametrize("role", sorted((MATRIX["appointment"]["view"] & CLINIC_ROLES) - {Role.PATIENT}))
def test_who_sees_today(sign_in: Any, riverside: Place, role: Role) -> None:
    visit = visit_at(riverside, -10)
    browser = sign_in(riverside.users[role])
    page = browser.get("/")
    assert page.status_code == 200
    assert ("Walk-in" in page.text) is (role in MATRIX["appointment"]["create"])
    assert (f"/appointments/{visit.pk}/check-in/" in page.text) is (role in MATRIX["appointment"]["check_in"])
    answer = browser.post(f"/appointments/{visit.pk}/check-in/", {})
    assert answer.status_code == (303 if role in MATRIX["appointment"]["check_in"] else 403)


def test_outsiders_learn_nothing(sign_in: Any, riverside: Place, hillcrest: Place) -> None:
    visit = visit_at(riverside, -10)
    browser = sign_in(hillcrest.users[Role.CLINIC_ADMIN])
    assert str(visit.pk) not in browser.get("/").text
    for address in ("", "check-in/", "undo/", "cancel/", "reschedule/"):
        answer = browser.post(f"/appointments/{visit.pk}/{address}", {}) if address else browser.get(f"/appointments/{visit.pk}/")
        assert answer.status_code == 404, address
        assert "Okafor" not in answer.text
    assert status_of(riverside, visit) == Status.CONFIRMED


def test_strangers_are_asked_to_sign_in(riverside: Place) -> None:
    answer = Client().get("/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


def test_an_unknown_step_is_not_found(sign_in: Any, riverside: Place) -> None:
    visit = visit_at(riverside, -10)
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    for step in ("fly", "no_show", "cancel-"):
        assert browser.post(f"/appointments/{visit.pk}/{step}/", {}).status_code == 404


def test_the_location_stays_in_the_address(sign_in: Any, riverside: Place) -> None:
    here, there = visit_at(riverside, -10), visit_at(riverside, -20, location=riverside.locations[1])
    page = sign_in(riverside.users[Role.RECEPTIONIST]).get(f"/?location={riverside.locations[0].pk}").text
    assert str(here.pk) in page
    assert str(there.pk) not in page


def test_a_long_lane_shows_its_beginning_and_whole_when_asked(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    visits = [visit_at(riverside, number) for number in range(1, SHOWN_EXPECTED + 4)]
    where = f"location={riverside.locations[0].pk}"
    page = browser.get(f"/?{where}").text
    assert [f'id="step-{one.pk}"' in page for one in visits] == [True] * SHOWN_EXPECTED + [False] * 3
    (whole,) = re.findall(r'class="button quiet tight rest" href="([^"]+)"', page)
    assert unescape(whole) == f"/?{where}&all=1#more-expected" and "3 more until" in page
    page = browser.get(unescape(whole)).text
    assert all(f'id="step-{one.pk}"' in page for one in visits)
    assert f'id="more-expected" data-key="{visits[SHOWN_EXPECTED].pk}"' in page
    assert f'href="/?{where}"' in page and "Show fewer" in page
    headers = {"HX-Request": "true", "HX-Target": "board"}
    board = browser.post(f"/appointments/{visits[0].pk}/check-in/", {"all": "1"}, headers=headers).text
    assert all(f'id="step-{one.pk}"' in board for one in visits), "it stays whole after a step"
    steps = re.findall(r'action="/appointments/[^"]+/(?:check-in|start|complete)/".*?</form>', board)
    assert len(steps) >= len(visits)
    assert all('name="all" value="1"' in step for step in steps), "and every step on it says so"


def test_the_same_number_of_queries_for_one_visit_and_twenty(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])

    def cost() -> int:
        with Detector().on(connection) as counter:
            assert browser.get("/").status_code == 200
        return counter.count

    visit_at(riverside, -10)
    one = cost()
    waiting = [visit_at(riverside, 30 * n) for n in range(1, 20)]
    with clinic_scope(riverside.clinic, reason="test"):
        for visit in waiting[:7]:
            change_status(actor=system_actor(riverside.clinic.pk), appointment_id=visit.pk, action="cancel", reason="test")
    assert cost() == one <= 12


def test_empty_lanes_say_what_to_do(sign_in: Any, hillcrest: Place) -> None:
    page = sign_in(hillcrest.users[Role.RECEPTIONIST]).get("/").text
    assert "Nobody is waiting" in page
    assert "Check somebody in, or add a walk-in." in page


def test_who_is_free_is_offered_their_next_patient(sign_in: Any, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        Schedule.objects.filter(provider=riverside.providers[0]).update(start_time=time(0), end_time=time(0))
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    visit = visit_at(riverside, -10)
    assert "Dr Hale is free" not in browser.get("/").text
    browser.post(f"/appointments/{visit.pk}/check-in/", {})
    page = browser.get("/").text
    assert "Dr Hale is free" in page
    assert page.count(f'action="/appointments/{visit.pk}/start/"') == 2
    assert len(re.findall(rf'id="step-{visit.pk}"', page)) == 1
    browser.post(f"/appointments/{visit.pk}/start/", {})
    assert "Dr Hale is free" not in browser.get("/").text
