"""Board and kiosk as strangers meet them: what they show, what they never tell, and when they shut."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as current
from django.test import Client
from django.utils import timezone

from appointments.choices import ScreenKind, Status, TicketStatus
from appointments.models import Appointment, QueueSeries, Ticket
from appointments.services import call_next, step_ticket
from appointments.tokens import visit_code
from core.accounts.roles import Role
from core.security.limiting.limiter import limiter
from tests.factories.queue import a_screen, a_ticket, open_queue, token_to
from tests.factories.visits import at, book, move_to_noon
from tests.factories.world import Place


@pytest.fixture(autouse=True)
def fresh() -> None:
    limiter.memory.clear()


@pytest.fixture
def place(in_riverside: Place) -> Place:
    move_to_noon(in_riverside)
    return open_queue(in_riverside)


@pytest.fixture
def board(place: Place) -> str:
    return f"/board/{token_to(a_screen(place))}/"


@pytest.fixture
def kiosk(place: Place) -> str:
    return f"/kiosk/{token_to(a_screen(place, ScreenKind.KIOSK))}/"


@pytest.fixture
def visit(place: Place) -> Appointment:
    return book(place, timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=4), patient_id=place.patients[0].pk)


def said_by(visit: Appointment, **other: str) -> dict[str, str]:
    born = visit.patient.date_of_birth
    facts = {"number": visit.patient.mrn, "day": str(born.day), "month": str(born.month), "year": str(born.year)}
    return {"do": "number", **facts, **other}


def answer(kiosk: str, said: dict[str, str]) -> Any:
    return Client().post(kiosk, said, HTTP_HX_REQUEST="true")


# --- The board ----------------------------------------------------------------------------------------------------------------
def test_the_board_shows_tokens_and_rooms_and_nothing_of_anybody(place: Place, board: str, kiosk: str, visit: Appointment) -> None:
    answer(kiosk, said_by(visit))
    waiting = a_ticket(place)
    called = call_next(actor=place.actor(Role.RECEPTIONIST), location_id=place.locations[0].pk, room_id=place.rooms[1].pk)
    now = Client().get(f"{board}now/")
    facts = json.loads(now.content)
    assert called.last_called_at
    assert facts["called"] == [[called.token, place.rooms[1].name, 1, int(called.last_called_at.timestamp() * 1000)]]
    assert len(now.content) < 400 and now["X-Robots-Tag"] == "noindex, nofollow"
    page = Client().get(board).content.decode()
    assert called.token in page and waiting.token in page
    for hidden in (visit.patient.family_name, visit.patient.mrn, visit.provider.name, str(called.pk), visit.service.name):
        assert hidden not in page and hidden not in now.content.decode()


def test_an_unchanged_board_is_answered_with_304(place: Place, board: str) -> None:
    ticket = a_ticket(place)
    first = Client().get(f"{board}now/")
    again = Client().get(f"{board}now/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    step_ticket(actor=place.actor(Role.RECEPTIONIST), ticket_id=ticket.pk, action="call")
    changed = Client().get(f"{board}now/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert changed.status_code == 200 and json.loads(changed.content)["called"][0][0] == ticket.token


def test_the_board_has_as_many_rows_whatever_happens(place: Place, board: str) -> None:
    empty = Client().get(board).content.decode()
    for _ in range(12):
        ticket = a_ticket(place)
        step_ticket(actor=place.actor(Role.RECEPTIONIST), ticket_id=ticket.pk, action="call")
    for _ in range(12):
        a_ticket(place)
    full = Client().get(board).content.decode()
    assert full.count("data-called") == empty.count("data-called") == 4
    assert full.count("data-next") == empty.count("data-next") == 4


def test_a_token_that_was_made_up_opens_nothing_and_counts(board: str, kiosk: str, settings: Any) -> None:
    settings.HMS_RATE_ANON = "3/m"
    wrong = [board[:-2] + "x/", board.replace("board", "kiosk"), kiosk.replace("kiosk", "board")]
    client = Client(REMOTE_ADDR="198.51.100.9")
    assert [client.get(one).status_code for one in wrong] == [404, 404, 404]
    assert client.get(wrong[0]).status_code == 429
    assert client.get(board).status_code == 200


def test_screens_behind_one_address_are_counted_one_by_one(place: Place, settings: Any) -> None:
    settings.HMS_RATE_SCREEN = "2/m"
    one, other = (f"/board/{token_to(a_screen(place))}/now/" for _ in range(2))
    assert [Client().get(one).status_code for _ in range(3)] == [200, 200, 429]
    assert Client().get(other).status_code == 200
    assert current.HMS_RATE_SCREEN == "2/m"


# --- The kiosk ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spelt", ["{}", "rv {digits}", "{short}"])
def test_a_patient_checks_in_by_number_and_date_of_birth(kiosk: str, visit: Appointment, spelt: str) -> None:
    digits = visit.patient.mrn.split("-")[1]
    number = spelt.format(visit.patient.mrn, digits=digits, short=digits.lstrip("0"))
    shown = answer(kiosk, said_by(visit, number=number))
    ticket = Ticket.objects.get()
    visit.refresh_from_db()
    assert shown.status_code == 200 and ticket.token in shown.content.decode()
    assert (visit.status, ticket.appointment_id) == (Status.CHECKED_IN, visit.pk)
    assert ticket.changes.get().actor_name == "Kiosk"
    for hidden in (visit.patient.family_name, visit.patient.mrn, visit.provider.name):
        assert hidden not in shown.content.decode()
    again = answer(kiosk, said_by(visit, number=number))  # pressed twice
    assert ticket.token in again.content.decode() and Ticket.objects.count() == 1


def test_of_two_visits_today_the_nearer_one_is_checked_in(place: Place, kiosk: str, visit: Appointment) -> None:
    """Nobody marked the morning's visit as missed."""
    morning = book(place, visit.start + timedelta(hours=2), patient_id=visit.patient_id)
    Appointment.objects.filter(pk=morning.pk).update(start=visit.start - timedelta(hours=2), end=visit.end - timedelta(hours=2))
    assert answer(kiosk, said_by(visit)).status_code == 200
    assert Ticket.objects.get().appointment_id == visit.pk


def test_a_patient_checks_in_by_the_code_of_the_visit(kiosk: str, visit: Appointment) -> None:
    code = visit_code(visit.pk)
    assert answer(kiosk, {"do": "code", "code": f"{code[:4]} {code[4:]}"}).status_code == 200
    assert Ticket.objects.get().appointment_id == visit.pk


def test_whatever_is_wrong_the_answer_is_the_same(place: Place, kiosk: str, visit: Appointment) -> None:
    tomorrow = book(place, at(place, 1, 10), patient_id=place.patients[1].pk)
    wrong = [
        said_by(visit, number="RV-9999999"),
        said_by(visit, year="1900"),
        said_by(visit, day="31", month="2"),
        said_by(visit, number="' OR 1=1 --"),
        said_by(tomorrow),
        {"do": "code", "code": visit_code(tomorrow.pk)},
        {"do": "code", "code": ""},
        {"do": "walk-in", "series": "nonsense"},
        {},
    ]
    answers = [answer(kiosk, said) for said in wrong]
    assert {one.status_code for one in answers} == {422}
    assert len({one.content for one in answers}) == 1
    assert not Ticket.objects.exists()


def test_after_too_many_wrong_tries_the_right_one_is_refused_alike(kiosk: str, visit: Appointment, settings: Any) -> None:
    settings.HMS_RATE_KIOSK = "3/m"
    wrong = said_by(visit, year="1900")
    answers = [answer(kiosk, wrong) for _ in range(3)] + [answer(kiosk, said_by(visit))]
    assert [one.status_code for one in answers] == [422, 422, 422, 429]
    assert len({one.content for one in answers}) == 1 and "Retry-After" in answers[3]
    assert not Ticket.objects.exists()


def test_right_ones_count_for_nothing(place: Place, kiosk: str, visit: Appointment, settings: Any) -> None:
    settings.HMS_RATE_KIOSK = "1/m"
    assert [answer(kiosk, said_by(visit)).status_code for _ in range(4)] == [200] * 4


def test_a_walk_in_takes_a_ticket_of_a_group_that_is_offered(kiosk: str) -> None:
    series = QueueSeries.objects.get(letter="A")
    taken = answer(kiosk, {"do": "walk-in", "series": str(series.pk)})
    assert taken.status_code == 200 and "A001" in taken.content.decode()
    assert Ticket.objects.get().status == TicketStatus.WAITING
    QueueSeries.objects.update(takes_walk_ins=False)
    assert answer(kiosk, {"do": "walk-in", "series": str(series.pk)}).status_code == 422


def test_it_works_without_a_script_and_keeps_nothing(kiosk: str, visit: Appointment) -> None:
    start = Client().get(kiosk)
    assert start.status_code == 200 and start["Cache-Control"] == "no-store"
    page = start.content.decode()
    assert page.count('autocomplete="off"') >= 6 and "csrfmiddlewaretoken" in page
    taken = Client().post(kiosk, said_by(visit))
    shown = taken.content.decode()
    assert taken.status_code == 200 and "<html" in shown and 'http-equiv="refresh" content="20;url=?"' in shown
    assert visit.patient.mrn not in shown and taken["Cache-Control"] == "no-store"
