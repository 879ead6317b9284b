"""WebSocket at /ws/: says who it is in its first frame, then what it wants to hear. JSON both ways (docs/live.md)."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import Error
from django.http.request import split_domain_port, validate_host

from core.errors import DomainError
from core.realtime.grants import chosen, left
from core.realtime.hub import AWAY as DATABASE_AWAY
from core.realtime.hub import RESTART, hub
from core.realtime.opening import OPENING, Opening
from core.realtime.sse import HEARTBEAT, Message, Receive, Send
from core.realtime.subscribers import Subscriber
from core.security.proxies import caller_in

Application = Callable[[Any, Receive, Send], Awaitable[None]]

PATH = "/ws/"
ASKS_AT = "/api/v2/events"  # where a socket asks, like any request, whether it may be
PATIENCE = 10.0  # seconds for the first frame
LONGEST_FRAME = 4096  # characters
MOST_FRAMES, WITHIN = 60, 10.0  # frames in so many seconds
UNKNOWN_AT_MOST = 200  # sockets that have not said yet who they are
UNKNOWN_OF_ONE = 40  # of them from one address

GOING, TOO_LONG, RESTARTING = 1000, 1009, 1012
UNKNOWN, NOT_ALLOWED, TOO_SLOW, TOO_MANY, AWAY = 4401, 4403, 4408, 4429, 4503
CODES = {400: NOT_ALLOWED, 401: UNKNOWN, 403: NOT_ALLOWED, 429: TOO_MANY, 503: AWAY}
DOES_NOT_ANSWER = "The database does not answer."
PASSED_ON = (b"host", b"user-agent", b"accept-language", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")

_unknown: Counter[str] = Counter()  # sockets that have not said yet who they are, by where they come from


class Refused(Exception):
    """The socket is closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Socket:
    """One connection. `application` is what answers requests."""

    def __init__(self, application: Application, scope: Any, receive: Receive, send: Send) -> None:
        self.application, self.scope, self.receive, self.send = application, scope, receive, send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.trusts_cookie = False
        self.opening = Opening(socket=True)
        self.subscriber: Subscriber | None = None
        self._frames: list[float] = []

    async def serve(self) -> None:
        await self.receive()  # websocket.connect
        if self.scope.get("path") != PATH or not self._origin_may():
            return  # before it is accepted: 403
        await self.send({"type": "websocket.accept"})
        try:
            await self._authenticate()
            await self._go_on()
        except Refused as refused:
            await self._close(refused.code, refused.reason)
        except _Left:
            pass
        finally:
            if self.subscriber is not None:
                hub.leave(self.subscriber)
            self.opening.free()

    def _origin_may(self) -> bool:
        """A page of ours brings its cookie. Programs name no origin, other pages may be allowed: both bring a token."""
        origin = self.headers.get(b"origin", b"").decode("latin-1")
        if not origin:
            return True
        host = self.headers.get(b"host", b"").decode("latin-1")
        own = urlsplit(origin).netloc.lower() == host.lower() and validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)
        self.trusts_cookie = own
        return own or origin in settings.HMS_CORS_ORIGINS

    # --- Who it is ----------------------------------------------------------------------------------------------------------
    async def _authenticate(self) -> None:
        whence = caller_in(self.scope)
        if _unknown[whence] >= UNKNOWN_OF_ONE or _unknown.total() >= UNKNOWN_AT_MOST:
            raise Refused(TOO_MANY, "Too many connections that have not said who they are.")
        _unknown[whence] += 1
        try:
            first = await self._first_frame()
        finally:
            _unknown[whence] -= 1
            if not _unknown[whence]:
                del _unknown[whence]
        status, error = await self._ask(first)
        if status != 200 or self.opening.grant is None:
            await self._say({"type": "error", **error})
            raise Refused(CODES.get(status, NOT_ALLOWED), str(error.get("message", ""))[:120])
        self.subscriber = Subscriber(self.opening.grant)
        try:
            await hub.join(self.subscriber)
        except (Error, OSError):
            raise Refused(AWAY, DOES_NOT_ANSWER) from None
        await self._say({"type": "ready", "id": self.subscriber.position})
        if first.get("type") != "auth":
            await self._answer(first)

    async def _first_frame(self) -> dict[str, Any]:
        hub.begin()
        frame, ended = asyncio.ensure_future(self._frame()), asyncio.ensure_future(hub.ended.wait())
        await asyncio.wait({frame, ended}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if frame.done():
            return frame.result()
        frame.cancel()
        if hub.ended.is_set():
            raise Refused(RESTARTING, "The server restarts. Come back.")
        raise Refused(TOO_SLOW, f"No frame came within {PATIENCE:g} seconds.")

    async def _ask(self, first: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Go the way of every request, with the credentials of the first frame or the cookie. The status, and what was wrong."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        await self.application(self._as_request(first), nothing, keep)
        status = int(answer[0]["status"]) if answer else 503
        body = b"".join(message.get("body", b"") for message in answer[1:])
        try:
            error: dict[str, Any] = json.loads(body)["error"] if status != 200 else {}
        except (ValueError, KeyError, TypeError):
            error = {}
        return status, {"code": error.get("code", "SERVICE_UNAVAILABLE"), "message": error.get("message", "")}

    def _as_request(self, first: dict[str, Any]) -> dict[str, Any]:
        headers = [(name, value) for name, value in self.scope["headers"] if name in PASSED_ON]
        token, key, clinic = (first.get(name) for name in ("token", "api_key", "clinic"))
        if isinstance(token, str):
            headers.append((b"authorization", b"Bearer " + _latin(token)))
        elif isinstance(key, str):
            headers.append((b"authorization", b"Api-Key " + _latin(key)))
        elif self.trusts_cookie:
            headers += [(b"cookie", value) for name, value in self.scope["headers"] if name == b"cookie"]
        if isinstance(clinic, str):
            headers.append((b"x-clinic-id", _latin(clinic)))
        kept = {name: self.scope[name] for name in ("asgi", "http_version", "client", "server", "root_path") if name in self.scope}
        scheme = {"wss": "https", "ws": "http"}.get(self.scope.get("scheme", "ws"), "http")
        path = {"path": ASKS_AT, "raw_path": ASKS_AT.encode(), "query_string": b""}
        return {**kept, **path, "type": "http", "method": "GET", "scheme": scheme, "headers": headers, OPENING: self.opening}

    # --- What it wants, and is told --------------------------------------------------------------------------------------------
    async def _go_on(self) -> None:
        assert self.subscriber is not None  # noqa: S101  (_authenticate has made it)
        hub.figures.websocket += 1
        reading = asyncio.ensure_future(self._read())
        telling = asyncio.ensure_future(self._tell(self.subscriber))
        self.subscriber.cut = telling.cancel
        try:
            done, _ = await asyncio.wait({reading, telling}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            if not self.subscriber.ending:
                raise
        finally:
            hub.figures.websocket -= 1
            hub.leave(self.subscriber)
            for task in (reading, telling):
                task.cancel()
                with suppress(asyncio.CancelledError, OSError, Refused, _Left):
                    await task

    async def _read(self) -> None:
        while True:
            await self._answer(await self._frame())

    async def _tell(self, subscriber: Subscriber) -> None:
        while not subscriber.ending:
            lost_until, came = await subscriber.take(HEARTBEAT)
            if lost_until is not None:
                hub.figures.resyncs += 1
                await self._say({"type": "resync", "id": lost_until})
            for told in came:
                await self.send({"type": "websocket.send", "text": told.text})
            hub.figures.delivered += len(came)
            if not came and lost_until is None and not subscriber.ending:
                await self._say({"type": "heartbeat", "id": subscriber.position})
        if subscriber.ending == RESTART:
            raise Refused(RESTARTING, "The server restarts. Come back.")
        if subscriber.ending == DATABASE_AWAY:
            raise Refused(AWAY, DOES_NOT_ANSWER)
        raise Refused(UNKNOWN, "The session, the token or the key is over.")

    async def _answer(self, frame: dict[str, Any]) -> None:
        kind = frame.get("type")
        if kind == "ping":
            await self._say({"type": "pong"})
        elif kind == "subscribe":
            await self._subscribe(frame)
        elif kind == "unsubscribe":
            await self._unsubscribe(frame)
        else:
            await self._wrong("BAD_REQUEST", "A frame is of the type subscribe, unsubscribe or ping.")

    async def _subscribe(self, frame: dict[str, Any]) -> None:
        subscriber, names, after = self._subscriber, _names(frame), frame.get("last_event_id")
        if names is None:
            await self._wrong("BAD_REQUEST", "channels is a list of names.")
            return
        try:
            wanted = chosen(subscriber.grant.actor, names)
        except DomainError as error:
            await self._wrong(error.code, str(error.message))
            return
        if not (after is None or (isinstance(after, int) and not isinstance(after, bool) and after >= 0)):
            await self._wrong("BAD_REQUEST", "last_event_id is the id of an event: a number.")
            return
        async with subscriber.in_order:
            until, new = subscriber.position, wanted - subscriber.channels
            subscriber.channels |= wanted
            await self._say(
                {"type": "subscribed", "channels": sorted(subscriber.channels), "id": until if after is None else after}
            )
            if after is not None:
                try:
                    await hub.catch_up(subscriber, after, until, new)
                except (Error, OSError):
                    subscriber.look_anew()

    async def _unsubscribe(self, frame: dict[str, Any]) -> None:
        names = _names(frame)
        if names is None:
            await self._wrong("BAD_REQUEST", "channels is a list of names.")
            return
        self._subscriber.channels -= left(names)
        await self._say({"type": "subscribed", "channels": sorted(self._subscriber.channels), "id": self._subscriber.position})

    @property
    def _subscriber(self) -> Subscriber:
        assert self.subscriber is not None  # noqa: S101  (_authenticate has made it)
        return self.subscriber

    # --- Frames -----------------------------------------------------------------------------------------------------------------
    async def _frame(self) -> dict[str, Any]:
        message = await self.receive()
        if message["type"] != "websocket.receive":
            raise _Left
        text = message.get("text") or ""
        if len(text) > LONGEST_FRAME or message.get("bytes"):
            raise Refused(TOO_LONG, f"A frame is text of at most {LONGEST_FRAME} characters.")
        now = time.monotonic()
        self._frames = [one for one in self._frames if one > now - WITHIN] + [now]
        if len(self._frames) > MOST_FRAMES:
            raise Refused(TOO_MANY, f"More than {MOST_FRAMES} frames in {WITHIN:g} seconds.")
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            frame = None
        return frame if isinstance(frame, dict) else {}

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send({"type": "websocket.send", "text": json.dumps(frame, separators=(",", ":"))})

    async def _wrong(self, code: str, message: str) -> None:
        await self._say({"type": "error", "code": code, "message": message})

    async def _close(self, code: int, reason: str) -> None:
        with suppress(OSError):
            await self.send({"type": "websocket.close", "code": code, "reason": reason})


class _Left(Exception):
    """The other side has gone."""


def _names(frame: dict[str, Any]) -> list[str] | None:
    names = frame.get("channels")
    if isinstance(names, list) and len(names) <= 50 and all(isinstance(one, str) for one in names):
        return names
    return None


def _latin(text: str) -> bytes:
    return text.encode("latin-1", "replace").replace(b"\r", b"").replace(b"\n", b"")
