"""The queue's page: its lanes, its buttons, for whom somebody calls, and the settings behind it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from appointments.choices import ScreenKind, TicketStatus
from appointments.models import LocationQueue, QueueScreen, QueueSeries, Schedule, Ticket
from appointments.services import change_status
from core.accounts.roles import Role
from tests.factories.page_forms import forms_of
from tests.factories.queue import a_screen, a_ticket, open_queue, token_to
from tests.factories.visits import book, move_to_noon
from tests.factories.world import Place

SCRIPT: Any = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "queue"}


@pytest.fixture
def place(in_riverside: Place) -> Place:
    move_to_noon(in_riverside)
    return open_queue(in_riverside)


@pytest.fixture
def desk(place: Place, sign_in: Any) -> Client:
    client: Client = sign_in(place.users[Role.RECEPTIONIST], place.clinic)
    return client


@pytest.fixture
def boss(in_riverside: Place, sign_in: Any) -> Client:
    client: Client = sign_in(in_riverside.users[Role.CLINIC_ADMIN], in_riverside.clinic)
    return client


def test_the_page_shows_who_waits_and_refreshes_its_lanes(place: Place, desk: Client) -> None:
    ticket = a_ticket(place)
    page = desk.get("/queue/").content.decode()
    assert ticket.token in page and 'data-live="queue"' in page and f'id="step-{ticket.pk}"' in page
    lanes = desk.get("/queue/", **SCRIPT).content.decode()
    assert lanes.startswith('\n<div id="queue"') and ticket.token in lanes and "<html" not in lanes


def test_call_next_goes_to_the_room_that_is_chosen(place: Place, desk: Client) -> None:
    ticket, room = a_ticket(place), place.rooms[0]
    said = {"location": str(place.locations[0].pk), "caller": f"r-{room.pk}"}
    answer = desk.post("/queue/call-next/", said, **SCRIPT)
    assert answer.status_code == 200 and "called to" in answer.content.decode()
    ticket.refresh_from_db()
    assert (ticket.status, ticket.room_id) == (TicketStatus.CALLED, room.pk)
    empty = desk.post("/queue/call-next/", said, **SCRIPT)
    assert empty.status_code == 409 and "Nobody is waiting." in empty.content.decode()
    assert desk.post("/queue/call-next/", said).status_code == 409


def test_every_button_takes_its_step_with_and_without_a_script(place: Place, desk: Client) -> None:
    ticket = a_ticket(place)
    for number, step in enumerate(("call", "recall", "skip", "put-back", "serve", "finish")):
        answer = desk.post(f"/queue/{ticket.pk}/{step}/", {}, **(SCRIPT if number % 2 else {}))
        assert answer.status_code == (200 if number % 2 else 303), step
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.FINISHED
    assert desk.post(f"/queue/{ticket.pk}/leave/", {}, **SCRIPT).status_code == 409
    assert desk.post(f"/queue/{ticket.pk}/reopen/", {}).status_code == 404


def test_a_button_that_is_out_of_date_changes_nothing(place: Place, desk: Client) -> None:
    ticket = a_ticket(place)
    desk.post(f"/queue/{ticket.pk}/call/", {"version": 1})
    stale = desk.post(f"/queue/{ticket.pk}/skip/", {"version": 1}, **SCRIPT)
    assert stale.status_code == 412 and 'id="queue"' in stale.content.decode()
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.CALLED


def test_a_ticket_is_taken_and_sent_on_by_forms(place: Place, desk: Client) -> None:
    series = QueueSeries.objects.get(letter="A")
    taken = desk.post("/queue/take/", {"series": str(series.pk), "priority": "2"})
    assert taken.status_code == 303
    ticket = Ticket.objects.get()
    assert (ticket.token, ticket.priority) == ("A001", 2)
    where = f"/queue/{ticket.pk}/transfer/"
    assert desk.get(where).status_code == 200
    assert desk.post(where, {}).status_code == 422
    assert desk.post(where, {"caller": f"p-{place.providers[1].pk}"}).status_code == 303
    ticket.refresh_from_db()
    assert (ticket.status, ticket.provider_id) == (TicketStatus.TRANSFERRED, place.providers[1].pk)


def test_a_ticket_for_somebody_who_is_known(place: Place, desk: Client) -> None:
    """Searched, picked, taken away again, picked; the group that was chosen meanwhile stays."""
    patient, series = place.patients[0], QueueSeries.objects.get(letter="A")
    said = {"series": str(series.pk), "priority": ""}
    found = desk.post("/queue/take/who/", said | {"q": patient.family_name})
    assert f'value="{patient.pk}"' in found.content.decode() and not Ticket.objects.exists()
    assert f'value="{patient.pk}"' in desk.post("/queue/take/patients/", {"q": patient.family_name}, **SCRIPT).content.decode()
    chosen = desk.post("/queue/take/who/", said | {"q": patient.family_name, "pick": str(patient.pk)}).content.decode()
    assert f'name="patient" value="{patient.pk}"' in chosen and re.search(rf'value="{series.pk}"[^>]* checked', chosen)
    gone = desk.post("/queue/take/who/", said | {"patient": str(patient.pk), "change_patient": "1"}).content.decode()
    assert 'name="patient"' not in gone
    assert desk.post("/queue/take/", said | {"patient": str(patient.pk)}).status_code == 303
    assert Ticket.objects.get().patient_id == patient.pk
    assert escape(patient.full_name) in desk.get("/queue/").content.decode()


def test_who_has_a_visit_here_today_is_checked_in_instead(place: Place, desk: Client) -> None:
    patient, soon = place.patients[0], timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=4)
    series = QueueSeries.objects.get(letter="A")
    said = {"series": str(series.pk), "location": str(place.locations[0].pk), "patient": str(patient.pk)}
    assert "has a visit here today" not in desk.post("/queue/take/who/", said).content.decode()
    visit = book(place, soon, patient_id=patient.pk)
    book(place, soon + timedelta(days=1), patient_id=patient.pk)
    Schedule.objects.filter(provider=place.providers[1]).update(location=place.locations[1])
    book(place, soon + timedelta(hours=1), patient_id=patient.pk, provider_id=place.providers[1].pk)
    page = desk.post("/queue/take/who/", said).content.decode()
    assert "has a visit here today" in page and page.count("/check-in/") == 1
    button = re.search(r'name="version" value="(\d+)" formaction="([^"]+)"', page)
    assert button and button[2] == f"/appointments/{visit.pk}/check-in/"
    (form,) = [one for one in forms_of(page, "/queue/take/") if one.action == "/queue/take/"]
    answer = desk.post(button[2], {**form.values, "version": button[1]})
    assert answer.status_code == 303 and answer["Location"].startswith("/queue/?location=")
    ticket = Ticket.objects.get()
    assert (ticket.appointment_id, ticket.patient_id) == (visit.pk, patient.pk)
    assert f"checked in: ticket {ticket.token}" in desk.get(answer["Location"]).content.decode()
    assert "has a visit here today" not in desk.post("/queue/take/who/", said).content.decode()


def test_no_ticket_for_nobody_while_somebody_is_being_searched(place: Place, desk: Client) -> None:
    said = {"series": str(QueueSeries.objects.get(letter="A").pk)}
    unclear = desk.post("/queue/take/", said | {"q": place.patients[0].family_name})
    assert unclear.status_code == 422 and "Choose who it is" in unclear.content.decode()
    assert f'value="{place.patients[0].pk}"' in unclear.content.decode()
    unknown = desk.post("/queue/take/", said | {"patient": "0190a000-0000-7000-8000-000000000000"})
    assert unknown.status_code == 422
    assert not Ticket.objects.exists()


def test_without_a_queue_the_page_says_how_to_begin(boss: Client, in_riverside: Place) -> None:
    assert "/settings/queue/" in boss.get("/queue/").content.decode()
    assert boss.get("/queue/take/").status_code == 404


def test_an_administrator_sets_everything_up(boss: Client, in_riverside: Place, sign_in: Any) -> None:
    place, location = in_riverside, in_riverside.locations[0]
    address = f"/settings/queue/locations/{location.pk}/"
    read = re.search(r'name="read" value="([^"]+)"', boss.get(address).content.decode())
    assert read
    saved = boss.post(address, {"read": read[1], "is_active": "on", "has_voice": "on"})
    assert saved.status_code == 303
    queue = LocationQueue.objects.get()
    assert (queue.is_active, queue.has_chime, queue.has_voice) == (True, False, True)
    group = {"letter": "b", "name": "Blood tests", "services": [str(place.services[1].pk)], "is_active": "on"}
    assert boss.post("/settings/queue/groups/new/", group).status_code == 303
    series = QueueSeries.objects.get(letter="B")
    assert not series.takes_walk_ins and [one.pk for one in series.services.all()] == [place.services[1].pk]
    assert boss.post("/settings/queue/groups/new/", group).status_code == 422
    assert boss.get(f"/settings/queue/groups/{series.pk}/").status_code == 200
    screen = {"kind": "board", "location": str(location.pk), "name": "Entrance"}
    assert boss.post("/settings/queue/screens/make/", screen).status_code == 303
    board = re.search(r'href="http[^"]*(/board/[^"]+/)"', boss.get("/settings/queue/").content.decode())
    assert board and Client().get(board[1]).status_code == 200
    one = QueueScreen.objects.get()
    assert boss.post(f"/settings/queue/screens/{one.pk}/end/").status_code == 303
    assert Client().get(board[1]).status_code == 404
    desk = sign_in(place.users[Role.RECEPTIONIST], place.clinic)
    assert desk.get("/settings/queue/").status_code == 403


def test_a_closed_queue_closes_its_screens(place: Place) -> None:
    board, kiosk = a_screen(place), a_screen(place, ScreenKind.KIOSK)
    addresses = [
        f"/board/{token_to(board)}/",
        f"/board/{token_to(board)}/now/",
        f"/board/{token_to(board)}/stream/",
        f"/kiosk/{token_to(kiosk)}/",
    ]
    assert [Client().get(one).status_code for one in addresses] == [200, 200, 200, 200]
    LocationQueue.objects.update(is_active=False)
    assert [Client().get(one).status_code for one in addresses] == [404, 404, 404, 404]


def test_whoever_has_a_visit_is_asked_about_before_it_is_lost(place: Place, desk: Client) -> None:
    visit = book(place, timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=4), patient_id=place.patients[0].pk)
    change_status(actor=place.actor(Role.RECEPTIONIST), appointment_id=visit.pk, action="check_in")
    walk_in, ticket = a_ticket(place), Ticket.objects.get(appointment=visit)
    page = desk.get("/queue/").content.decode()
    assert f'<dialog id="left-{ticket.pk}"' in page and f'id="left-{walk_in.pk}"' not in page
    assert f'id="leave-{walk_in.pk}"' in page and f'id="leave-{ticket.pk}"' not in page


def test_a_step_is_taken_back_from_its_toast(place: Place, desk: Client) -> None:
    ticket = a_ticket(place)
    for step in ("call", "skip", "leave"):
        told = desk.post(f"/queue/{ticket.pk}/{step}/", {"location": str(place.locations[0].pk)}, **SCRIPT).content.decode()
        undo = re.search(rf'action="(/queue/{ticket.pk}/put-back/[^"]*)"', told.partition('id="toasts"')[2])
        assert undo, step
    assert desk.post(undo[1]).status_code == 303
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.WAITING


def test_whoever_checks_somebody_in_can_tell_them_the_ticket(place: Place, desk: Client) -> None:
    visit = book(place, timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=4), patient_id=place.patients[0].pk)
    told = desk.post(f"/appointments/{visit.pk}/check-in/", {}, follow=True).content.decode()
    assert "checked in: ticket A001" in told
    assert "A001" in desk.get(f"/appointments/{visit.pk}/").content.decode()
