"""Tickets: how they are numbered, in which order they are called, and which step may follow which; with and without a visit."""

from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from appointments.choices import TICKET_STEPS, Priority, Status, TicketSource, TicketStatus, priority_of, rank_at
from appointments.errors import NumbersOut, QueueEmpty
from appointments.models import Appointment, QueueSeries, Schedule, SeriesService, Ticket, TicketChange
from appointments.selectors.queue import board_facts, queue_lanes
from appointments.selectors.queue_places import queue_place
from appointments.services import (
    call_next,
    change_status,
    step_ticket,
    take_ticket,
    transfer_ticket,
    undo_last_change,
)
from appointments.services.queue_setup import save_series, set_up_place
from appointments.services.tickets import LAST_NUMBER
from core.accounts.actor import Actor
from core.accounts.roles import Role
from core.cache import cache
from core.errors import Conflict, NotAllowed, NotFound, PreconditionFailed, ValidationFailed
from core.events.models import DomainEvent
from core.tenancy.context import clinic_scope
from tests.factories.queue import open_queue
from tests.factories.visits import at, book, make_patient, move_to_noon
from tests.factories.world import Place

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def place(in_riverside: Place) -> Place:
    move_to_noon(in_riverside)
    return open_queue(in_riverside)


@pytest.fixture
def desk(place: Place) -> Actor:
    return place.actor(Role.RECEPTIONIST)


def take(place: Place, desk: Actor, **more: Any) -> Ticket:
    return take_ticket(actor=desk, location_id=place.locations[0].pk, **more)


def here(place: Place) -> dict[str, Any]:
    return {"location_id": place.locations[0].pk}


# --- The rule --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "known, priority, since",
    [
        ({}, Priority.ORDINARY, NOON),
        ({"is_emergency": True, "age": 90, "start": NOON + timedelta(hours=3)}, Priority.EMERGENCY, NOON),
        ({"age": 75}, Priority.ELDERLY, NOON),
        ({"age": 74}, Priority.ORDINARY, NOON),
        ({"start": NOON - timedelta(minutes=10)}, Priority.ON_TIME, NOON),
        ({"start": NOON - timedelta(minutes=11)}, Priority.ORDINARY, NOON),
        ({"start": NOON + timedelta(minutes=10)}, Priority.ON_TIME, NOON),
        ({"start": NOON + timedelta(minutes=40)}, Priority.ON_TIME, NOON + timedelta(minutes=25)),
        ({"start": NOON + timedelta(minutes=40), "age": 80}, Priority.ELDERLY, NOON + timedelta(minutes=25)),
    ],
)
def test_the_rule_says_who_is_called_before_whom(known: dict[str, Any], priority: Priority, since: datetime) -> None:
    assert priority_of(arrived=NOON, **known) == (priority, since)


def test_the_order_of_calling_follows_the_rule(place: Place, desk: Actor) -> None:
    now = timezone.now()
    ordinary = take(place, desk, now=now - timedelta(minutes=50))
    very_long = take(place, desk, now=now - timedelta(minutes=61))
    old = take(place, desk, patient_id=make_patient(date_of_birth=datetime(1930, 1, 1).date()).pk, now=now - timedelta(minutes=2))
    urgent = take(place, desk, priority=Priority.EMERGENCY, now=now)
    on_time = take(place, desk, now=now - timedelta(minutes=1))
    early = take(place, desk, now=now - timedelta(minutes=55))
    Ticket.objects.filter(pk=on_time.pk).update(priority=Priority.ON_TIME)
    Ticket.objects.filter(pk=early.pk).update(priority=Priority.ON_TIME, queued_at=now + timedelta(minutes=5))
    called = [call_next(actor=desk, **here(place), now=now).pk for _ in range(6)]
    assert called == [one.pk for one in (urgent, old, very_long, on_time, ordinary, early)]
    with pytest.raises(QueueEmpty):
        call_next(actor=desk, **here(place), now=now)


# --- Numbers ----------------------------------------------------------------------------------------------------------------
def test_each_group_place_and_day_counts_for_itself(place: Place, desk: Actor) -> None:
    other = save_series(
        actor=place.actor(Role.CLINIC_ADMIN), series_id=None, letter="b", name="Blood tests", takes_walk_ins=True, is_active=True,
        service_ids=[place.services[1].pk],
    )  # fmt: skip
    tomorrow = timezone.now() + timedelta(days=1)
    assert [take(place, desk).token for _ in range(3)] == ["A001", "A002", "A003"]
    assert take(place, desk, series_id=other.pk).token == "B001"
    assert take(place, desk, service_id=place.services[1].pk).token == "B002"
    assert take(place, desk, service_id=place.services[0].pk).token == "A004"
    assert take(place, desk, now=tomorrow).token == "A001"
    set_up_place(actor=place.actor(Role.CLINIC_ADMIN), location_id=place.locations[1].pk, is_active=True)
    assert take_ticket(actor=desk, location_id=place.locations[1].pk).token == "A001"


def test_a_service_is_of_one_group(place: Place) -> None:
    admin, service = place.actor(Role.CLINIC_ADMIN), place.services[1].pk
    said: dict[str, Any] = {"actor": admin, "takes_walk_ins": True, "is_active": True, "service_ids": [service]}
    first = save_series(series_id=None, letter="B", name="Blood tests", **said)
    second = save_series(series_id=None, letter="C", name="Other tests", **said)
    assert list(SeriesService.objects.values_list("series_id", "service_id")) == [(second.pk, service)]
    with pytest.raises(ValidationFailed) as refused:
        save_series(series_id=first.pk, letter="C", name="", **said)
    assert {(one.field, one.code) for one in refused.value.details} >= {("name", "required")}
    assert QueueSeries.objects.get(pk=first.pk).name == "Blood tests"


# --- Steps -------------------------------------------------------------------------------------------------------------------
BY_DOORS = [action for action in TICKET_STEPS if action != "reopen"]  # to which none leads: the visit's undo takes it


@pytest.mark.parametrize("status, action", list(product(TicketStatus, BY_DOORS)))
def test_only_the_steps_of_the_table_are_possible(place: Place, status: TicketStatus, action: str) -> None:
    desk = place.actor(Role.RECEPTIONIST)
    ticket = take(place, desk)
    Ticket.objects.filter(pk=ticket.pk).update(status=status)
    go: Any = {"actor": desk, "ticket_id": ticket.pk}
    if status not in TICKET_STEPS[action].sources:
        with pytest.raises(Conflict) as refused:
            transfer_ticket(**go, room_id=place.rooms[0].pk) if action == "transfer" else step_ticket(**go, action=action)
        assert refused.value.extra == {"status": status}
        assert Ticket.objects.get(pk=ticket.pk).status == status
        return
    moved = transfer_ticket(**go, room_id=place.rooms[0].pk) if action == "transfer" else step_ticket(**go, action=action)
    assert moved.status == TICKET_STEPS[action].target
    change = TicketChange.objects.filter(ticket=ticket).order_by("-at", "-id")[0]
    assert (change.action, change.from_status, change.to_status) == (action, status, moved.status)
    assert change.actor_id == desk.user_id and change.actor_name == desk.name
    event = DomainEvent.objects.filter(about_id=ticket.pk).order_by("-seq")[0]
    assert event.data["status"] == moved.status and event.data["ticket"] == str(ticket.pk)


def test_a_stale_version_is_refused(place: Place, desk: Actor) -> None:
    ticket = take(place, desk)
    step_ticket(actor=desk, ticket_id=ticket.pk, action="call", expected_version=1)
    with pytest.raises(PreconditionFailed):
        step_ticket(actor=desk, ticket_id=ticket.pk, action="skip", expected_version=1)


def test_recall_counts_and_keeps_the_first_call(place: Place, desk: Actor) -> None:
    now = timezone.now()
    ticket = take(place, desk, now=now - timedelta(minutes=9))
    step_ticket(actor=desk, ticket_id=ticket.pk, action="call", now=now - timedelta(minutes=5))
    again = step_ticket(actor=desk, ticket_id=ticket.pk, action="recall", now=now)
    assert (again.calls, again.called_at, again.last_called_at) == (2, now - timedelta(minutes=5), now)


def test_a_transferred_ticket_keeps_token_and_place(place: Place, desk: Actor) -> None:
    now = timezone.now()
    first = take(place, desk, now=now - timedelta(minutes=3))
    take(place, desk, now=now - timedelta(minutes=2))
    hale = place.providers[0]
    step_ticket(actor=desk, ticket_id=first.pk, action="serve", now=now)
    sent = transfer_ticket(actor=desk, ticket_id=first.pk, provider_id=hale.pk, now=now)
    assert (sent.token, sent.status, sent.provider, sent.serving_at) == (first.token, TicketStatus.TRANSFERRED, hale, None)
    with pytest.raises(ValidationFailed):
        transfer_ticket(actor=desk, ticket_id=first.pk)
    assert call_next(actor=desk, **here(place), provider_id=hale.pk, now=now).pk == first.pk


def test_a_provider_calls_who_waits_for_them_and_who_waits_for_nobody(place: Place, desk: Actor) -> None:
    hale, haddad = place.providers[0], place.providers[1]
    hers = take(place, desk, provider_id=hale.pk)
    anybodys = take(place, desk)
    assert call_next(actor=desk, **here(place), provider_id=haddad.pk, room_id=place.rooms[1].pk).pk == anybodys.pk
    with pytest.raises(QueueEmpty):
        call_next(actor=desk, **here(place), provider_id=haddad.pk)
    called = call_next(actor=desk, **here(place), provider_id=hale.pk, room_id=place.rooms[0].pk)
    assert (called.pk, called.room, called.status) == (hers.pk, place.rooms[0], TicketStatus.CALLED)


def test_a_room_calls_who_waits_for_it_or_for_nobody(place: Place, desk: Actor) -> None:
    take(place, desk, provider_id=place.providers[0].pk)
    free = take(place, desk)
    assert call_next(actor=desk, **here(place), room_id=place.rooms[0].pk).pk == free.pk
    with pytest.raises(QueueEmpty):
        call_next(actor=desk, **here(place), room_id=place.rooms[0].pk)


# --- With a visit -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def visit(place: Place) -> Appointment:
    return book(place, timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=4))


def arrive(visit: Appointment, desk: Actor) -> Ticket:
    change_status(actor=desk, appointment_id=visit.pk, action="check_in")
    return Ticket.objects.get(appointment=visit)


def test_checking_in_makes_a_ticket_where_patients_wait_by_tickets(place: Place, visit: Appointment, desk: Actor) -> None:
    ticket = arrive(visit, desk)
    assert (ticket.token, ticket.source, ticket.priority) == ("A001", TicketSource.APPOINTMENT, Priority.ON_TIME)
    assert (ticket.patient_id, ticket.provider_id, ticket.room_id) == (visit.patient_id, visit.provider_id, visit.room_id)
    set_up_place(actor=place.actor(Role.CLINIC_ADMIN), location_id=place.locations[0].pk, is_active=False)
    later = book(place, at(place, 0, 15))
    change_status(actor=desk, appointment_id=later.pk, action="check_in")
    assert not Ticket.objects.filter(appointment=later).exists()


def test_the_ticket_follows_the_visit_and_its_undoing(visit: Appointment, desk: Actor) -> None:
    ticket = arrive(visit, desk)
    steps: list[tuple[Any, str, TicketStatus]] = [
        (change_status, "start", TicketStatus.SERVING),
        (change_status, "complete", TicketStatus.FINISHED),
        (undo_last_change, "", TicketStatus.SERVING),
        (undo_last_change, "", TicketStatus.WAITING),
        (undo_last_change, "", TicketStatus.LEFT),
    ]
    for step, action, status in steps:
        step(actor=desk, appointment_id=visit.pk, **({"action": action} if action else {}))
        ticket.refresh_from_db()
        assert ticket.status == status
    change_status(actor=desk, appointment_id=visit.pk, action="check_in")
    assert list(Ticket.objects.filter(appointment=visit).order_by("number").values_list("status", flat=True)) == ["left", "waiting"]


@pytest.mark.parametrize(
    "actions, ticket_status, visit_status",
    [
        (["serve"], TicketStatus.SERVING, Status.IN_PROGRESS),
        (["call", "serve", "finish"], TicketStatus.FINISHED, Status.COMPLETED),
        (["call", "finish"], TicketStatus.FINISHED, Status.COMPLETED),
        (["serve", "put_back"], TicketStatus.WAITING, Status.CHECKED_IN),
        (["call", "skip"], TicketStatus.SKIPPED, Status.CHECKED_IN),
        (["call", "skip", "leave"], TicketStatus.LEFT, Status.CANCELLED),
    ],
)
def test_the_visit_goes_along_with_its_ticket(
    visit: Appointment, desk: Actor, actions: list[str], ticket_status: TicketStatus, visit_status: Status
) -> None:
    ticket = arrive(visit, desk)
    for action in actions:
        ticket = step_ticket(actor=desk, ticket_id=ticket.pk, action=action)
    visit.refresh_from_db()
    assert (ticket.status, visit.status) == (ticket_status, visit_status)


def test_what_was_sent_on_goes_its_own_way(visit: Appointment, desk: Actor, place: Place) -> None:
    """The visit is with its doctor, the ticket waits at the laboratory: that nobody came there ends no visit."""
    ticket = arrive(visit, desk)
    for action in ("call", "serve"):
        step_ticket(actor=desk, ticket_id=ticket.pk, action=action)
    transfer_ticket(actor=desk, ticket_id=ticket.pk, room_id=place.rooms[1].pk)
    for action in ("call", "serve", "put_back"):
        ticket = step_ticket(actor=desk, ticket_id=ticket.pk, action=action)
    visit.refresh_from_db()
    assert (ticket.status, ticket.room_id, visit.status) == (TicketStatus.WAITING, place.rooms[1].pk, Status.IN_PROGRESS)


def test_who_was_skipped_and_comes_after_all_goes_in_with_the_visit(visit: Appointment, desk: Actor) -> None:
    ticket = arrive(visit, desk)
    for action in ("call", "skip"):
        step_ticket(actor=desk, ticket_id=ticket.pk, action=action)
    change_status(actor=desk, appointment_id=visit.pk, action="start")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.SERVING


def test_who_was_called_elsewhere_stays_there_when_they_go_in(visit: Appointment, desk: Actor, place: Place) -> None:
    ticket = arrive(visit, desk)
    step_ticket(actor=desk, ticket_id=ticket.pk, action="call", room_id=place.rooms[1].pk)
    ticket = step_ticket(actor=desk, ticket_id=ticket.pk, action="serve")
    assert (ticket.status, ticket.room_id) == (TicketStatus.SERVING, place.rooms[1].pk)


def test_put_back_is_whoever_it_was_before_the_call(place: Place, desk: Actor) -> None:
    """Nobody's ticket stays nobody's: every provider may call it again; one that was sent on waits where it was sent."""
    ticket = take(place, desk)
    first, second = place.providers[0].pk, place.providers[1].pk
    step_ticket(actor=desk, ticket_id=ticket.pk, action="call", provider_id=first, room_id=place.rooms[0].pk)
    ticket = step_ticket(actor=desk, ticket_id=ticket.pk, action="put_back")
    assert (ticket.provider_id, ticket.room_id) == (None, None)
    assert call_next(actor=desk, provider_id=second, **here(place)).pk == ticket.pk
    transfer_ticket(actor=desk, ticket_id=ticket.pk, room_id=place.rooms[1].pk)
    step_ticket(actor=desk, ticket_id=ticket.pk, action="call", provider_id=first, room_id=place.rooms[0].pk)
    ticket = step_ticket(actor=desk, ticket_id=ticket.pk, action="put_back")
    assert (ticket.provider_id, ticket.room_id) == (None, place.rooms[1].pk)


def test_who_has_left_by_mistake_waits_again_unless_it_cost_a_visit(place: Place, desk: Actor, visit: Appointment) -> None:
    walk_in, patient = take(place, desk), arrive(visit, desk)
    for ticket in (walk_in, patient):
        step_ticket(actor=desk, ticket_id=ticket.pk, action="leave")
    back = step_ticket(actor=desk, ticket_id=walk_in.pk, action="put_back")
    assert (back.status, back.ended_at) == (TicketStatus.WAITING, None)
    with pytest.raises(Conflict, match="new ticket"):
        step_ticket(actor=desk, ticket_id=patient.pk, action="put_back")


def test_who_waits_for_a_room_is_called_by_nobody_who_works_elsewhere(place: Place, desk: Actor) -> None:
    ticket, provider = take(place, desk), place.providers[0].pk
    transfer_ticket(actor=desk, ticket_id=ticket.pk, room_id=place.rooms[1].pk)
    Schedule.objects.filter(provider_id=provider).update(room=place.rooms[0])
    with pytest.raises(QueueEmpty):
        call_next(actor=desk, provider_id=provider, **here(place))
    Schedule.objects.filter(provider_id=provider).update(room=place.rooms[1])
    cache.clear()
    called = call_next(actor=desk, provider_id=provider, **here(place))
    assert (called.pk, called.room_id) == (ticket.pk, place.rooms[1].pk)


def test_a_provider_calls_to_the_room_they_always_work_in(place: Place, desk: Actor) -> None:
    provider = place.providers[0].pk
    Schedule.objects.filter(provider_id=provider).update(room=place.rooms[0])
    take(place, desk)
    assert call_next(actor=desk, provider_id=provider, **here(place)).room_id == place.rooms[0].pk
    Schedule.objects.filter(pk=Schedule.objects.filter(provider_id=provider).first().pk).update(room=place.rooms[1])
    cache.clear()
    take(place, desk)
    assert call_next(actor=desk, provider_id=provider, **here(place)).room_id is None


def test_whoever_has_a_visit_is_checked_in_when_all_numbers_are_out(visit: Appointment, desk: Actor, place: Place) -> None:
    last = take(place, desk)
    Ticket.objects.filter(pk=last.pk).update(number=LAST_NUMBER)
    with pytest.raises(NumbersOut):
        take(place, desk)
    change_status(actor=desk, appointment_id=visit.pk, action="check_in")
    visit.refresh_from_db()
    assert visit.status == Status.CHECKED_IN and not Ticket.objects.filter(appointment=visit).exists()


def test_ticket_page_and_board_tell_the_same_wait(place: Place, desk: Actor) -> None:
    """Two rooms have called; one of them is free again, so nobody has to wait for the end of a visit."""
    for room in place.rooms[:2]:
        take(place, desk)
        called = call_next(actor=desk, room_id=room.pk, **here(place))
    step_ticket(actor=desk, ticket_id=called.pk, action="finish")
    ticket, now = take(place, desk), timezone.now()
    found = queue_place(place.locations[0].pk)
    assert found
    (row,) = queue_lanes(actor=desk, place=found, now=now).waiting
    board = board_facts(found.id, found.day_at(now), now.replace(second=0, microsecond=0))
    assert row.estimate and ticket.expected_minutes == row.estimate.minutes == board.next_up[0][1] == 0


def test_the_database_and_the_rule_put_tickets_in_the_same_order(place: Place, desk: Actor) -> None:
    now, chance = timezone.now(), Random(7)
    for _ in range(40):
        ticket = take(place, desk)
        queued_at = now + timedelta(minutes=chance.randint(-150, 40))
        Ticket.objects.filter(pk=ticket.pk).update(priority=chance.choice(list(Priority)), queued_at=queued_at)
    found = list(Ticket.objects.in_order(now))
    assert found == sorted(found, key=lambda one: (rank_at(one.priority, one.queued_at, now), one.queued_at, one.pk))
    assert len({rank_at(one.priority, one.queued_at, now) for one in found}) == 5


# --- Who may ------------------------------------------------------------------------------------------------------------------
def test_who_may_not_or_works_elsewhere_is_refused(place: Place, desk: Actor, hillcrest: Place) -> None:
    ticket = take(place, desk)
    with pytest.raises(NotAllowed):
        call_next(actor=place.actor(Role.AUDITOR), **here(place))
    elsewhere = Actor(desk.user_id, desk.name, desk.clinic_id, desk.roles, frozenset({place.locations[1].pk}))
    with pytest.raises(NotFound):
        step_ticket(actor=elsewhere, ticket_id=ticket.pk, action="call")
    with pytest.raises(ValidationFailed):
        call_next(actor=elsewhere, **here(place))
    with clinic_scope(hillcrest.clinic, reason="test"), pytest.raises(NotFound):
        step_ticket(actor=hillcrest.actor(Role.RECEPTIONIST), ticket_id=ticket.pk, action="call")
    assert queue_place(place.locations[0].pk) is not None


# --- The API -----------------------------------------------------------------------------------------------------------------
def test_the_api_says_who_waits_and_calls_the_next(place: Place, api: Any) -> None:
    client = api(place.users[Role.RECEPTIONIST])
    body = {"location": str(place.locations[0].pk), "priority": "elderly"}
    made = client.post("/api/v2/queue", body)
    assert made.status_code == 201
    ticket = made.json()["data"]
    assert (ticket["token"], ticket["priority"], ticket["status"]) == ("A001", "elderly", "waiting")
    assert [row["id"] for row in client.get("/api/v2/queue?status=waiting").json()["data"]] == [ticket["id"]]
    called = client.post("/api/v2/queue/call-next", {"location": body["location"], "room": str(place.rooms[0].pk)})
    assert called.status_code == 200 and called.json()["data"]["room"]["name"] == place.rooms[0].name
    empty = client.post("/api/v2/queue/call-next", {"location": body["location"]})
    assert (empty.status_code, empty.json()["error"]["code"]) == (409, "CONFLICT")
    again = client.post(f"/api/v2/queue/{ticket['id']}/serve", {})
    assert again.json()["data"]["status"] == "serving"
    assert client.post(f"/api/v2/queue/{ticket['id']}/skip", {}).status_code == 409
    assert api(place.users[Role.AUDITOR]).post("/api/v2/queue/call-next", body).status_code == 403
    assert Client().get("/api/v2/queue").status_code == 401


def test_a_program_that_checks_somebody_in_can_tell_them_the_ticket(place: Place, api: Any) -> None:
    client, start = api(place.users[Role.RECEPTIONIST]), timezone.now().replace(second=0, microsecond=0)
    first, other = (book(place, start + timedelta(minutes=minutes)) for minutes in (10, 40))
    came = client.post(f"/api/v2/appointments/{first.pk}/check-in", {})
    assert came.status_code == 200
    ticket = came.json()["data"]["ticket"]
    assert ticket == {"id": str(Ticket.objects.get(appointment=first).pk), "token": "A001"}
    client.post(f"/api/v2/appointments/{other.pk}/check-in", {})
    for asked in (f"appointment={first.pk}", f"patient={first.patient_id}"):
        assert [row["token"] for row in client.get(f"/api/v2/queue?{asked}").json()["data"]] == ["A001"]
    assert client.get("/api/v2/queue?appointment=x").status_code == 400
    sparse = client.post(f"/api/v2/appointments/{book(place, start + timedelta(minutes=70)).pk}/check-in?fields=ticket", {})
    assert sparse.json()["data"] == {"ticket": {"id": sparse.json()["data"]["ticket"]["id"], "token": "A003"}}


def test_where_nobody_waits_by_tickets_there_is_none_to_tell(in_riverside: Place, api: Any) -> None:
    visit = book(in_riverside, at(in_riverside, 1, 10))
    came = api(in_riverside.users[Role.RECEPTIONIST]).post(f"/api/v2/appointments/{visit.pk}/check-in", {})
    assert came.json()["data"]["ticket"] is None
