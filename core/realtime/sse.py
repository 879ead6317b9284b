"""Server-Sent Events: one answer that doesn't end, for at most an hour."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from django.db import Error
from django.utils.translation import gettext as _

from core.errors import Unavailable
from core.realtime.grants import Grant
from core.realtime.hub import AT_ONCE, RESTART, TIME, hub, missed_of
from core.realtime.reading import Told, events_from, newest_of
from core.realtime.subscribers import Subscriber
from core.responses import error_body

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEARTBEAT = 30.0  # seconds without a word after which something is sent: a comment for those on the way, an event for the reader
LONGEST = 3600.0  # seconds; then the browser comes back by itself and is told what it missed
COME_BACK = 5000  # ms that a browser waits before it comes back
COME_BACK_AFTER_RESTART = 1000
HEADERS = [(b"x-accel-buffering", b"no"), (b"connection", b"close")]


async def stream(grant: Grant, headers: Iterable[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
    """Tell the reader what happens until it leaves, or has to."""
    subscriber = Subscriber(grant, grant.channels)
    try:
        await hub.join(subscriber, after=grant.after)
    except (Error, OSError):
        await _refuse(headers, send)
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
    subscriber, newest, after = Subscriber(grant, grant.channels), newest_of(grant.clinic_id), grant.after
    missed = [] if after is None else missed_of(events_from(grant.clinic_id, after, AT_ONCE + 2), after, newest)
    said = {"channels": sorted(grant.channels)}
    began = _numbered(subscriber, "ready", said, newest if after is None else after, is_news=after is None)
    parts = [f"retry: {COME_BACK}\n\n", began]
    if missed is None:
        parts.append(_numbered(subscriber, "resync", {}, newest))
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
    said = {"channels": sorted(subscriber.channels)}
    began = _numbered(subscriber, "ready", said, position if after is None else after, is_news=after is None)
    await _write(send, f"retry: {COME_BACK}\n\n" + began)
    while not subscriber.ending and (left := until - time.monotonic()) > 0:
        lost_until, came = await subscriber.take(min(HEARTBEAT, left))
        if lost_until is not None:
            hub.figures.resyncs += 1
            await _write(send, _numbered(subscriber, "resync", {}, lost_until))
        if came:
            hub.figures.delivered += len(came)
            await _write(send, "".join([_event(subscriber.grant, one) for one in came]))
        elif lost_until is None:
            await _write(send, ": \n" + _numbered(subscriber, "heartbeat", {}, subscriber.position))
    why = subscriber.ending or TIME
    retry = f"retry: {COME_BACK_AFTER_RESTART}\n" if why == RESTART else ""
    await _write(send, retry + _block("bye", {"type": "bye", "reason": why}, None))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def _event(grant: Grant, told: Told) -> str:
    if grant.is_terse:
        return _block("changed", {"type": "changed"}, None)
    return f"id: {told.position}\ndata: {told.text}\n\n"


def _numbered(subscriber: Subscriber, name: str, said: dict[str, Any], position: int, *, is_news: bool = True) -> str:
    """With the position, in the frame and (`is_news`) as the id to come back with; a terse stream tells no numbers."""
    if subscriber.grant.is_terse:
        return _block(name, {"type": name} | said, None)
    return _block(name, {"type": name, "id": position} | said, position if is_news else None)


def _block(name: str, said: dict[str, Any], position: int | None) -> str:
    numbered = "" if position is None else f"id: {position}\n"
    return f"{numbered}event: {name}\ndata: {json.dumps(said, separators=(',', ':'))}\n\n"


async def _refuse(headers: Iterable[tuple[bytes, bytes]], send: Send) -> None:
    """In place of the answer that the view has made: the database went away just then."""
    kept = [(name, value) for name, value in headers if name.lower() not in (b"content-type", b"content-length", b"connection")]
    request_id = dict(kept).get(b"x-request-id", b"").decode()
    away = Unavailable(_("The database does not answer. Try again."))
    body = json.dumps(error_body(away.code, str(away.message), request_id=request_id)).encode()
    kept += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": away.status, "headers": kept})
    await send({"type": "http.response.body", "body": body})
