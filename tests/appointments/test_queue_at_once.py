"""Several desks at the same moment, on connections of their own that really commit: each number and each ticket once."""

import threading
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from appointments.choices import TicketSource, TicketStatus
from appointments.errors import QueueEmpty
from appointments.models import QueueSeries, Ticket, TicketChange
from appointments.selectors.queue_places import queue_place
from appointments.services import call_next, step_ticket, take_ticket
from appointments.services.queue_setup import set_up_place
from core.accounts.actor import system_actor
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.databases import somebody_waits_for
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import Place

pytestmark = pytest.mark.thorough


@pytest.fixture
def committed(riverside: Place) -> Iterator[Place]:
    def set_up() -> None:
        with clinic_scope(riverside.clinic, reason="test"):
            for location in riverside.locations:
                set_up_place(actor=system_actor(riverside.clinic.pk), location_id=location.pk, is_active=True)

    apart(set_up)
    yield riverside


def test_numbers_taken_at_once_have_no_gap_and_no_double(committed: Place) -> None:
    desk = committed.actor(Role.RECEPTIONIST)

    def taking(spoil: bool) -> None:
        for turn in range(20):
            try:
                with clinic_scope(committed.clinic, reason="test"):
                    take_ticket(actor=desk, location_id=committed.locations[0].pk)
                    if spoil and turn % 3 == 0:
                        raise LookupError  # the number goes back
            except LookupError:
                continue

    apart(*(lambda spoil=spoil: taking(spoil) for spoil in (True, False, True, False)))

    def numbers() -> list[int]:
        with clinic_scope(committed.clinic, reason="test"):
            taken = Ticket.objects.filter(location=committed.locations[0])
            return sorted(taken.values_list("number", flat=True))

    [given] = apart(numbers)
    assert given == list(range(1, len(given) + 1)) and len(given) == 2 * 20 + 2 * 13


def test_five_hundred_double_presses_call_each_ticket_once(committed: Place) -> None:
    desk = committed.actor(Role.RECEPTIONIST)
    presses = 500

    def fill() -> None:
        with clinic_scope(committed.clinic, reason="test"):
            now, place = timezone.now(), queue_place(committed.locations[1].pk)
            assert place is not None
            series = QueueSeries.objects.get(letter="A")
            Ticket.objects.bulk_create(
                Ticket(
                    location_id=place.id, day=place.day_at(now), series=series, letter="A", number=number,
                    source=TicketSource.WALK_IN, taken_at=now, queued_at=now, status=TicketStatus.WAITING,
                )
                for number in range(1, 2 * presses + 1)
            )  # fmt: skip

    def press() -> list[str]:
        called = []
        for _ in range(presses):
            with clinic_scope(committed.clinic, reason="test"):
                called.append(call_next(actor=desk, location_id=committed.locations[1].pk).token)
        return called

    apart(fill)
    one, other = apart(press, press)
    assert len({*one, *other}) == 2 * presses

    def empty() -> bool:
        with clinic_scope(committed.clinic, reason="test"), pytest.raises(QueueEmpty):
            call_next(actor=desk, location_id=committed.locations[1].pk)
        return True

    assert apart(empty) == [True]


def test_steps_stand_in_the_order_in_which_they_were_taken(committed: Place) -> None:
    """Whoever waits for somebody else's step of the same ticket has taken theirs after it."""
    desk, location, held = committed.actor(Role.RECEPTIONIST), committed.locations[0].pk, threading.Event()

    def take() -> UUID:
        with clinic_scope(committed.clinic, reason="test"):
            return take_ticket(actor=desk, location_id=location).pk

    [ticket] = apart(take)

    def skip() -> None:
        with clinic_scope(committed.clinic, reason="test"), connection.cursor() as cursor:
            Ticket.objects.select_for_update(no_key=True).get(pk=ticket)
            held.set()
            eventually(lambda: somebody_waits_for(cursor))
            step_ticket(actor=desk, ticket_id=ticket, action="skip")

    def recall() -> None:
        assert held.wait(20)
        with clinic_scope(committed.clinic, reason="test"):
            step_ticket(actor=desk, ticket_id=ticket, action="recall")

    def steps() -> list[str]:
        with clinic_scope(committed.clinic, reason="test"):
            return list(TicketChange.objects.filter(ticket=ticket).values_list("action", flat=True))

    apart(skip, recall)
    assert apart(steps) == [["create", "skip", "recall"]]
