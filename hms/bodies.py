"""Takes a request's body whole before a thread is given to it: a slow sender holds none, and chunks are read at all."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from core.security.proxies import caller_in
from core.uploads.limits import NO_ROOM

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

DRAINED = 16 * 1024 * 1024  # bytes read and dropped, so that the sender gets to read the refusal; whoever sends more is cut off
LARGE_AT_ONCE = 8  # bodies over the limit of all others, in one process: twice as many as it has threads
PATIENCE = 30.0  # seconds for a body to come, and one more for each SLOWEST bytes of it that came
SLOWEST = 64 * 1024


class WholeBody:
    """An ASGI application in front of a WSGI one, which knows a body by its Content-Length alone (chunks have none).

    A body longer than `limit` bytes is not kept: its length is passed on, and BodyLimitMiddleware answers 413. Of a body that
    turns out longer `larger` is asked, with its path and content type, how long it may be there. Of such bodies `places` are
    kept at once, until they are answered, and half as many of one address: nobody is known yet who sends them. To the next ones the
    same middleware answers 503. Whoever sends too slowly is left, like one who hangs up.
    """

    def __init__(
        self,
        application: Application,
        *,
        limit: int,
        larger: Callable[[str, str], int] | None = None,
        places: int = LARGE_AT_ONCE,
        patience: float = PATIENCE,
    ) -> None:
        self.application = application
        self.limit = limit
        self.larger = larger
        self.places = places
        self.taken: Counter[str] = Counter()  # places, by who sends; only the loop's own thread counts them
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        taking = _Taking(self, scope)
        try:
            if await taking.whole(receive):
                await self.application(taking.scope(), _replay(taking.kept(), receive), send)
        finally:
            taking.leave()
        return None

    def limit_for(self, scope: Scope) -> int:
        content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        larger = self.larger(scope.get("path", ""), content_type.decode("latin-1")) if self.larger else self.limit
        return max(larger, self.limit)


class _Taking:
    """One body that comes in, and the place that it holds when it is a large one."""

    def __init__(self, front: WholeBody, scope: Scope) -> None:
        self.front = front
        self.asked = scope
        self.body = bytearray()
        self.length = 0
        self.limit = front.limit
        self.whence: str | None = None  # who has the place
        self.no_room = False

    async def whole(self, receive: Receive) -> bool:
        """Take it to its end, or to where nothing more of it is read. False when the sender hung up or is too slow."""
        began, more = asyncio.get_running_loop().time(), _declared(self.asked) <= DRAINED
        while more and self.length <= DRAINED:
            try:
                async with asyncio.timeout_at(began + self.front.patience + self.length / SLOWEST):
                    message = await receive()
            except TimeoutError:
                return False
            if message["type"] == "http.disconnect":
                return False
            self._add(message.get("body", b""))
            more = message.get("more_body", False)
        self.length = max(self.length, _declared(self.asked))
        return True

    def _add(self, part: bytes) -> None:
        before, self.length = self.length, self.length + len(part)
        if before <= self.front.limit < self.length:
            self._find_a_place()
        if self.length <= self.limit and not self.no_room:
            self.body += part
        else:
            self.body.clear()

    def _find_a_place(self) -> None:
        self.limit = self.front.limit_for(self.asked)
        if self.length > self.limit:
            return
        taken, whence = self.front.taken, caller_in(self.asked)
        self.no_room = taken.total() >= self.front.places or taken[whence] >= self.front.places // 2
        if not self.no_room:
            taken[whence] += 1
            self.whence = whence

    def leave(self) -> None:
        if self.whence is not None:
            self.front.taken -= Counter([self.whence])

    def kept(self) -> bytes:
        kept = bytes(self.body) if self.length <= self.limit else b""
        self.body.clear()
        return kept

    def scope(self) -> Scope:
        """The request's, with the length that the body has."""
        headers = [(name, value) for name, value in self.asked["headers"] if name not in (b"content-length", b"transfer-encoding")]
        if self.length:
            headers.append((b"content-length", str(self.length).encode()))
        return {**self.asked, "headers": headers, NO_ROOM: self.no_room}


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _replay(body: bytes, receive: Receive) -> Receive:
    replayed = False

    async def again() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
