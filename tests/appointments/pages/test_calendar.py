"""The calendar's pages."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from appointments.models import Schedule
from appointments.pages.calendar import beside, place_of
from appointments.selectors import CalendarEvent
from appointments.services import change_status
from core.accounts.actor import system_actor
from core.accounts.roles import Role
from core.database.detector import Detector
from core.tenancy.context import clinic_scope
from tests.factories.visits import at, book
from tests.factories.world import Place


@pytest.fixture
def reception(sign_in: Any, riverside: Place) -> Client:
    return sign_in(riverside.users[Role.RECEPTIONIST])


def event(from_minute: int, minutes: int) -> CalendarEvent:
    return CalendarEvent(None, from_minute, minutes, is_freed=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(("minute", "length", "place"), [(600, 20, "h10 m0 d20"), (617, 22, "h10 m17 d20"), (0, 1, "h0 m0 d5")])
def test_places_are_classes(minute: int, length: int, place: str) -> None:
    assert place_of(minute, length) == place


def test_events_that_overlap_stand_beside_each_other() -> None:
    placed = beside([event(600, 30), event(610, 30), event(630, 30), event(700, 20)])
    assert [(one.from_minute, position, width) for one, position, width in placed] == [
        (600, 0, 2), (610, 1, 2), (630, 0, 2), (700, 0, 1),
    ]  # fmt: skip


def test_a_day_by_provider(reception: Client, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        visit = book(riverside, at(riverside, 1, 9, 20))
        Schedule.objects.filter(provider=riverside.providers[2]).delete()
    day = at(riverside, 1, 9).date()
    page = reception.get(f"/calendar/?day={day.isoformat()}")
    assert page.status_code == 200
    assert re.search(rf'class="event h9 m20 d20" href="/appointments/{visit.pk}/"', page.text)
    assert "from8 to18" in page.text
    assert "Dr Hale" in page.text
    assert "Dr Voss" not in page.text  # neither hours nor visits
    assert f"day={(day - timedelta(days=1)).isoformat()}" in page.text
    assert f"day={(day + timedelta(days=1)).isoformat()}" in page.text
    assert visit.patient.full_name in page.text
    assert visit.patient.full_name not in " ".join(re.findall(r'href="[^"]*"', page.text))


def test_a_freed_time_can_be_booked_and_the_missed_visit_stays(reception: Client, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        missed = book(riverside, at(riverside, 1, 9))
        change_status(actor=system_actor(riverside.clinic.pk), appointment_id=missed.pk, action="cancel", reason="x")
    page = reception.get(f"/calendar/?day={at(riverside, 1, 9).date().isoformat()}").text
    assert str(missed.pk) not in page
    assert 'class="free h8 m0 d600"' in page


def test_a_providers_week(reception: Client, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        visit = book(riverside, at(riverside, 1, 9), provider_id=riverside.providers[1].pk)
    query = f"provider={riverside.providers[1].pk}&day={at(riverside, 1, 9).date().isoformat()}"
    page = reception.get(f"/calendar/week/?{query}")
    assert page.status_code == 200
    assert str(visit.pk) in page.text
    assert page.text.count("<section aria-labelledby=") == 7
    other = reception.get(f"/calendar/week/?provider={riverside.providers[0].pk}&day={at(riverside, 1, 9).date().isoformat()}")
    assert str(visit.pk) not in other.text


@pytest.mark.parametrize("query", ["day=x", "day=2026-02-31", "day=0001-01-01", "location=x", "provider=x", "day=9999-12-31"])
def test_strange_addresses_are_no_fault(reception: Client, riverside: Place, query: str) -> None:
    assert reception.get(f"/calendar/?{query}").status_code == 200
    assert reception.get(f"/calendar/week/?{query}").status_code == 200


def test_a_day_without_hours_says_what_to_do(sign_in: Any, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        Schedule.objects.all().delete()
    page = sign_in(riverside.users[Role.CLINIC_ADMIN]).get("/calendar/").text
    assert "Nobody works on this day" in page
    assert "/settings/schedules/" in page


def test_who_opens_the_calendar(sign_in: Any, riverside: Place) -> None:
    for role, status in ((Role.AUDITOR, 200), (Role.BILLING_SPECIALIST, 200), (Role.DATA_ANALYST, 403), (Role.PATIENT, 403)):
        browser = sign_in(riverside.users[role])
        assert browser.get("/calendar/").status_code == status, role
        assert browser.get("/calendar/week/").status_code == status, role
        assert 'class="free' not in browser.get("/calendar/").text


@pytest.mark.parametrize("address", ["/calendar/?day={day}", "/calendar/week/?day={day}"])
def test_the_same_number_of_queries_for_one_visit_and_twenty(reception: Client, riverside: Place, address: str) -> None:
    target = address.format(day=at(riverside, 1, 9).date().isoformat())

    def cost() -> int:
        with Detector().on(connection) as counter:
            assert reception.get(target).status_code == 200
        return counter.count

    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, at(riverside, 1, 8))
    one = cost()
    with clinic_scope(riverside.clinic, reason="test"):
        for number in range(1, 21):
            book(riverside, at(riverside, 1, 8 + number // 3, number % 3 * 20))
    assert cost() == one <= 12
