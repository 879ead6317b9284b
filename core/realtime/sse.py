"""Server-Sent Events: one answer that doesn't end, for at most an hour."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from django.db import Error

from core.realtime.grants import Grant
from core.realtime.hub import AT_ONCE, RESTART, TIME, hub, missed_of
from core.realtime.reading import Told, events_from, newest_position
from core.realtime.subscribers import Subscriber

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEARTBEAT = 30.0  # seconds without a word after which something is sent: a comment for those on the way, an event for the reader
LONGEST = 3600.0  # seconds; then the browser comes back by itself and is told what it missed
COME_BACK = 5000  # ms that a browser waits before it comes back
COME_BACK_AFTER_RESTART = 1000
HEADERS = [(b"x-accel-buffering", b"no"), (b"connection", b"close")]
AWAY = b'{"error":{"code":"SERVICE_UNAVAILABLE","message":"The database does not answer. Try again.","details":[]}}'


async def stream(grant: Grant, headers: Iterable[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
    """Tell the reader what happens until it leaves, or has to."""
    subscriber = Subscriber(grant, grant.channels)
    try:
        await hub.join(subscriber, after=grant.after)
    except (Error, OSError):
        await _refuse(send)
        return
    hub.figures.sse += 1
    gone = asyncio.ensure_future(_gone(receive))
    telling = asyncio.ensure_future(tell(subscriber, subscriber.position, headers, send))
    subscriber.cut = telling.cancel
    try:
        await asyncio.wait({gone, telling}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.figures.sse -= 1
        hub.leave(subscriber)
        for task in (gone, telling):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task


def told_once(grant: Grant) -> str:
    """What a server without the front can do: the body of a stream that says what was missed and ends. Two queries.

    A browser comes back after a while, with the last id it has: it asks again and again instead of being told.
    """
    subscriber, newest, after = Subscriber(grant, grant.channels), newest_position(grant.clinic_id), grant.after
    missed = [] if after is None else missed_of(events_from(grant.clinic_id, after, AT_ONCE + 2), after, newest)
    said = {"type": "ready", "id": newest if after is None else after, "channels": sorted(grant.channels)}
    parts = [f"retry: {COME_BACK}\n\n", _block("ready", said, newest if after is None else None)]
    if missed is None:
        parts.append(_block("resync", {"type": "resync", "id": newest}, newest))
    else:
        parts += [_event(grant, one) for one in missed if subscriber.may_see(one)]
    return "".join([*parts, _block("bye", {"type": "bye", "reason": TIME}, None)])


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def tell(subscriber: Subscriber, position: int, headers: Iterable[tuple[bytes, bytes]], send: Send) -> None:
    """The answer of a reader that has joined: it begins with `ready` and ends with `bye`. `position`: where it joined."""
    until = time.monotonic() + LONGEST
    kept = [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"connection")]
    await send({"type": "http.response.start", "status": 200, "headers": [*kept, *HEADERS]})
    after = subscriber.grant.after
    said = {"type": "ready", "id": position if after is None else after, "channels": sorted(subscriber.channels)}
    await _write(send, f"retry: {COME_BACK}\n\n" + _block("ready", said, None if after is not None else position))
    while not subscriber.ending and (left := until - time.monotonic()) > 0:
        lost_until, came = await subscriber.take(min(HEARTBEAT, left))
        if lost_until is not None:
            hub.figures.resyncs += 1
            await _write(send, _block("resync", {"type": "resync", "id": lost_until}, lost_until))
        if came:
            hub.figures.delivered += len(came)
            await _write(send, "".join([_event(subscriber.grant, one) for one in came]))
        elif lost_until is None:
            said = {"type": "heartbeat", "id": subscriber.position}
            await _write(send, ": \n" + _block("heartbeat", said, subscriber.position))
    why = subscriber.ending or TIME
    retry = f"retry: {COME_BACK_AFTER_RESTART}\n" if why == RESTART else ""
    await _write(send, retry + _block("bye", {"type": "bye", "reason": why}, None))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def _event(grant: Grant, told: Told) -> str:
    if grant.is_terse:
        return _block("changed", {"type": "changed", "id": told.position}, told.position)
    return f"id: {told.position}\ndata: {told.text}\n\n"


def _block(name: str, said: dict[str, Any], position: int | None) -> str:
    numbered = "" if position is None else f"id: {position}\n"
    return f"{numbered}event: {name}\ndata: {json.dumps(said, separators=(',', ':'))}\n\n"


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"5"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": AWAY})
