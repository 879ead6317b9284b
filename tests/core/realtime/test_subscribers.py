"""A slow reader: what waits for it is bounded, and what it can't be told it is told to look up."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.accounts.actor import Actor
from core.accounts.roles import Role
from core.events.catalogue import catalogue
from core.realtime import sockets, sse
from core.realtime.grants import Grant, RequestCredential, places
from core.realtime.hub import AT_ONCE, AWAY, UNASKED_AT_MOST, Hub, Room, missed_of
from core.realtime.opening import OPENING, Opening
from core.realtime.reading import Told
from core.realtime.sockets import Socket
from core.realtime.subscribers import MOST, Subscriber
from tests.factories.threads import apart
from tests.factories.world import Place

HERE, THERE = uuid4(), uuid4()


def reader(*locations: UUID, roles: frozenset[Role] = frozenset({Role.RECEPTIONIST})) -> Subscriber:
    clinic = uuid4()
    actor = Actor(uuid4(), "Reader", clinic, roles, frozenset(locations))
    return Subscriber(Grant(actor, clinic, RequestCredential("session", uuid4())), frozenset({"appointments"}))


def told(position: int, *places: UUID, name: str = "appointment.changed") -> Told:
    return Told(position, catalogue().get(name), frozenset(map(str, places)), datetime.now(UTC), f'{{"id":{position}}}')


def run[Result](coroutine: Coroutine[Any, Any, Result]) -> Result:
    """In a thread: a browser of other tests of this process keeps a loop in this one."""
    (result,) = apart(lambda: asyncio.run(coroutine))
    found: Result = result
    return found


def test_what_waits_is_bounded_and_the_rest_looked_up() -> None:
    slow = reader()
    lost = [slow.offer(told(position)) for position in range(1, MOST + 2)]
    assert lost[:-1] == [0] * MOST and lost[-1] == MOST + 1
    slow.offer(told(MOST + 2))
    until, came = run(slow.take(1))
    assert (until, [one.position for one in came]) == (MOST + 1, [MOST + 2])
    assert run(slow.take(0.01)) == (None, [])


def test_nothing_comes_twice_and_what_was_missed_comes_first() -> None:
    one = reader()
    one.position = 5
    for position in (4, 5, 6, 6, 7):
        one.offer(told(position))
    one.offer_earlier([told(3), told(5, name="patient.changed")], one.channels)
    assert [event.position for event in run(one.take(1))[1]] == [3, 6, 7]


def test_what_happens_while_what_was_missed_is_fetched_waits_for_it() -> None:
    async def told_meanwhile() -> list[int]:
        one = reader()
        one.position = 5
        async with one.in_order:
            taking = asyncio.ensure_future(one.take(60))
            one.offer(told(6))
            done, _ = await asyncio.wait({taking}, timeout=0.05)
            assert not done
            one.offer_earlier([told(3)], one.channels)
        return [event.position for event in (await taking)[1]]

    assert run(told_meanwhile()) == [3, 6]


def test_who_has_to_look_anew_is_not_told_what_it_missed() -> None:
    one = reader()
    one.position = 9
    one.look_anew()
    one.offer_earlier([told(3)], one.channels)
    assert run(one.take(1)) == (9, [])


@pytest.mark.parametrize(
    ("locations", "places", "sees"),
    [
        ((), (HERE,), True),
        ((HERE,), (HERE,), True),
        ((HERE,), (THERE,), False),
        ((HERE,), (THERE, HERE), True),
        ((HERE,), (), True),
    ],
)
def test_locations_decide(locations: tuple[UUID, ...], places: tuple[UUID, ...], sees: bool) -> None:
    assert reader(*locations).may_see(told(1, *places)) is sees


def test_channel_role_and_unknown_events_decide_too() -> None:
    one = reader()
    assert not one.may_see(told(1, name="patient.changed"))
    assert not one.may_see(told(1, name="tomorrow.invented"))
    assert not reader(roles=frozenset({Role.DATA_ANALYST})).may_see(told(1))
    one.grant = replace(one.grant, actor=replace(one.grant.actor, roles=frozenset()))
    assert not one.may_see(told(1))


def test_what_was_missed_is_known_or_it_is_not() -> None:
    found = [told(position) for position in (10, 12, 15)]
    assert [one.position for one in missed_of(found, 10, 12) or []] == [12]
    assert missed_of(found, 10, 9) is None and missed_of(found, 9, 15) is None and missed_of([], 4, 15) is None
    many = [told(position) for position in range(1, AT_ONCE + 3)]
    assert missed_of(many, 0, AT_ONCE + 2) is None and len(missed_of(many, 0, AT_ONCE) or []) == AT_ONCE


# --- The answer ---------------------------------------------------------------------------------------------------------------
class Sent:
    """What an answer has sent so far."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def blocks(self) -> list[str]:
        text = b"".join(one.get("body", b"") for one in self.messages).decode()
        return [one for one in text.split("\n\n") if one]


def test_a_quiet_stream_beats_and_ends_when_its_hour_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (sse.HEARTBEAT, sse.LONGEST) == (30, 3600)  # the contract's
    monkeypatch.setattr(sse, "HEARTBEAT", 0.02)
    monkeypatch.setattr(sse, "LONGEST", 0.3)
    sent = Sent()
    run(sse.tell(reader(), 7, [], sent))
    pause, first, *beats, last = sent.blocks
    assert pause == "retry: 5000" and 'event: ready\ndata: {"type":"ready","id":7' in first
    assert len(beats) > 3 and all(one.startswith(": \n") and "event: heartbeat" in one for one in beats)
    assert last == 'event: bye\ndata: {"type":"bye","reason":"time"}'
    assert sent.messages[-1]["more_body"] is False


def test_what_happens_just_before_the_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes back is told the rest: the last id it has is that of the last event it was sent."""
    monkeypatch.setattr(sse, "LONGEST", 0.05)
    one, sent = reader(), Sent()
    for position in (8, 9):
        one.offer(told(position))
    run(sse.tell(one, 7, [], sent))
    assert [block.split("\n")[0] for block in sent.blocks if block.startswith("id: ")][-1] == "id: 9"


def test_of_what_was_missed_only_new_channels_are_told() -> None:
    one = reader()
    one.offer_earlier([told(3), told(4)], frozenset({"patients"}))
    assert run(one.take(0.01))[1] == []


# --- May it stay open? --------------------------------------------------------------------------------------------------------
class Doubtful:
    """A credential about which nobody can be asked while `is_away`."""

    def __init__(self) -> None:
        self.holder, self.is_away = uuid4(), True

    def actor_now(self, clinic_id: UUID, actor: Actor) -> Actor | None:
        if self.is_away:
            raise OSError("no database")
        return actor


def test_a_stream_about_which_nobody_can_be_asked_ends_after_a_while() -> None:
    """It says that it is not the session's end: who comes back is let in as soon as somebody can be asked."""
    hub, credential = Hub(), Doubtful()
    one = reader()
    one.grant = replace(one.grant, credential=credential)
    hub.rooms[one.grant.clinic_id] = Room(one.grant.clinic_id, subscribers={one})

    async def looks(times: int) -> str:
        for _ in range(times):
            await hub.check()
        return one.ending

    assert run(looks(UNASKED_AT_MOST - 1)) == ""
    credential.is_away = False
    assert run(looks(1)) == "" and one.unasked == 0
    credential.is_away = True
    assert run(looks(UNASKED_AT_MOST)) == AWAY


# --- Places --------------------------------------------------------------------------------------------------------------------
def test_who_has_gone_before_the_view_is_done_keeps_no_place() -> None:
    grant, before = reader().grant, places.taken
    late, usual = Opening(), Opening()
    late.free()
    late.take(grant)
    assert places.taken == before
    usual.take(grant)
    assert places.taken == before + 1
    usual.free()
    usual.free()
    assert places.taken == before


def test_a_socket_that_leaves_while_it_is_let_in_is_forgotten(monkeypatch: pytest.MonkeyPatch, riverside: Place) -> None:
    hub, grant, before = Hub(), replace(reader().grant, clinic_id=riverside.clinic.pk), places.taken
    monkeypatch.setattr(sockets, "hub", hub)
    coming = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": '{"type":"auth","token":"t"}'}]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope[OPENING].take(grant)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        if "ready" in message.get("text", ""):
            assert hub.rooms[riverside.clinic.pk].subscribers
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        run(Socket(application, {"path": "/ws/", "headers": [], "type": "websocket"}, receive, send).serve())
    assert not hub.rooms and places.taken == before
