"""Takes a request's body whole before a thread is given to it: a slow sender holds none, and chunks are read at all."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


DRAINED = 16 * 1024 * 1024  # bytes read and dropped, so that the sender gets to read the refusal; whoever sends more is cut off


class WholeBody:
    """An ASGI application in front of a WSGI one, which knows a body by its Content-Length alone (chunks have none).

    A body longer than `limit` bytes is not kept: its length is passed on, and BodyLimitMiddleware answers 413.
    """

    def __init__(self, application: Application, *, limit: int) -> None:
        self.application = application
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        body, length = bytearray(), 0
        more = _declared(scope) <= DRAINED
        while more and length <= DRAINED:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            length += len(part)
            if length <= self.limit:
                body += part
            more = message.get("more_body", False)
        length = max(length, _declared(scope))
        kept = bytes(body) if length <= self.limit else b""
        headers = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
        if length:
            headers.append((b"content-length", str(length).encode()))
        await self.application({**scope, "headers": headers}, _replay(kept, receive), send)


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
