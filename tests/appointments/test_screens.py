"""What the Today page and the calendar are told, and what that costs."""

from datetime import datetime, timedelta

from django.db import connection

from appointments.choices import Status
from appointments.selectors import appointment_detail, appointments_of, calendar_day, calendar_week, today_board
from appointments.services import change_status, reschedule_appointment, undo_last_change
from core.accounts.roles import Role
from core.database.detector import Detector
from tests.factories.visits import at, book
from tests.factories.world import Place


def test_a_morning_on_the_board(in_riverside: Place) -> None:
    place, actor = in_riverside, in_riverside.actor(Role.RECEPTIONIST)
    visits = [book(place, at(place, 1, 9 + n), provider_id=place.providers[n % 3].pk, is_urgent=n == 1) for n in range(6)]
    now = at(place, 1, 12, 30)
    for visit, minutes in zip(visits[:4], (40, 5, 20, 50), strict=True):
        change_status(actor=actor, appointment_id=visit.pk, action="check_in", now=now - timedelta(minutes=minutes))
    change_status(actor=actor, appointment_id=visits[3].pk, action="start", now=now - timedelta(minutes=30))
    change_status(actor=actor, appointment_id=visits[4].pk, action="no_show", reason="no answer")
    with Detector().on(connection) as counter:
        board = today_board(actor=actor, day=now.date(), now=now)
    assert counter.count <= 8
    assert [row.id for row in board.waiting] == [visits[1].pk, visits[0].pk, visits[2].pk]
    assert [row.tone for row in board.waiting] == ["mute", "bad", "warn"]
    assert [row.id for row in board.with_provider] == [visits[3].pk]
    assert board.with_provider[0].tone == "warn"
    assert [(row.id, row.reason) for row in board.missed] == [(visits[4].pk, "no answer")]
    figures = board.figures
    assert (figures.waiting, figures.longest_wait, figures.expected, figures.no_shows, figures.booked) == (3, 40, 1, 1, 6)
    assert figures.average_wait == round((40 + 5 + 20 + 20) / 4)
    assert figures.next_clock == "14:00"
    assert figures.first_free is not None and figures.first_free.clock == "12:30"
    assert {row.provider_short for row in board.idle} == {p.short_name for p in place.providers[1:]}


def test_the_calendar_of_a_day(in_riverside: Place) -> None:
    place, actor = in_riverside, in_riverside.actor(Role.RECEPTIONIST)
    visit = book(place, at(place, 1, 9))
    now = at(place, 0, 12)
    with Detector().on(connection) as counter:
        page = calendar_day(actor=actor, day=at(place, 1, 9).date(), now=now)
    assert counter.count <= 8
    assert [column.provider_name for column in page.columns] == sorted(p.name for p in place.providers)
    column = next(column for column in page.columns if column.provider_id == place.providers[0].pk)
    assert [(event.visit.id, event.from_minute, event.minutes) for event in column.events] == [(visit.pk, 540, 20)]
    assert [(s.from_minute, s.until_minute) for s in column.hours] == [(480, 1080)]
    assert [(s.from_minute, s.until_minute) for s in column.free] == [(480, 540), (560, 1080)]
    assert (page.opens_minute, page.closes_minute, column.off) == (480, 1080, ())
    week = calendar_week(actor=actor, provider_id=place.providers[0].pk, first_day=at(place, 1, 9).date(), now=now)
    assert len(week.columns) == 7
    assert [len(column.events) for column in week.columns] == [1, 0, 0, 0, 0, 0, 0]


def test_a_visit_and_its_history(in_riverside: Place) -> None:
    place, actor = in_riverside, in_riverside.actor(Role.RECEPTIONIST)
    visit = book(place, at(place, 1, 9))
    change_status(actor=actor, appointment_id=visit.pk, action="check_in", reason="early")
    undo_last_change(actor=actor, appointment_id=visit.pk)
    moved = reschedule_appointment(
        actor=actor, appointment_id=visit.pk, start=at(place, 2, 10), provider_id=place.providers[1].pk, reason="asked for"
    )
    assert moved.pk == visit.pk
    detail = appointment_detail(actor=actor, appointment_id=visit.pk)
    assert [line.kind for line in detail.history] == ["booked", "status", "undone", "moved"]
    assert detail.visit.status == Status.CONFIRMED
    assert detail.visit.clock == "10:00"
    assert detail.history[-1].from_provider == place.providers[0].name
    assert [row.id for row in appointments_of(actor=actor, patient_id=visit.patient_id).upcoming] == [visit.pk]


def test_who_is_here_or_expected_today_has_a_coming_visit(in_riverside: Place) -> None:
    place, actor = in_riverside, in_riverside.actor(Role.RECEPTIONIST)
    ten = at(place, 1, 10)
    visit = book(place, ten)

    def is_to_come(now: datetime) -> bool:
        visits = appointments_of(actor=actor, patient_id=visit.patient_id, now=now)
        assert [row.id for row in (*visits.upcoming, *visits.past)] == [visit.pk]
        return bool(visits.upcoming)

    last_minute = ten.replace(hour=23, minute=59)  # by the clinic's clock: they may come yet
    assert is_to_come(ten) and is_to_come(last_minute) and not is_to_come(last_minute + timedelta(minutes=1))
    for action, later in (("check_in", timedelta(minutes=21)), ("start", timedelta(days=2))):
        change_status(actor=actor, appointment_id=visit.pk, action=action, now=ten)
        assert is_to_come(ten + later), action
    change_status(actor=actor, appointment_id=visit.pk, action="complete", now=ten)
    assert not is_to_come(ten)
