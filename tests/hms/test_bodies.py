"""The ASGI front hands bodies on whole, with their length, and none that is too long."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.test import RequestFactory

from core.middleware import BodyLimitMiddleware
from core.uploads.limits import NO_ROOM
from hms.bodies import DRAINED, WholeBody

LIMIT = 10


def sent_through(
    chunks: list[bytes], *, declared: int | None = None, cut_off: bool = False
) -> tuple[dict[bytes, bytes], bytes] | None:
    """The headers and body that the application behind the front gets, or None when it is not called."""
    got: list[tuple[dict[bytes, bytes], bytes]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        got.append((dict(scope["headers"]), message["body"]))

    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if cut_off else {"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError("the front itself answers nothing")

    length = [(b"transfer-encoding", b"chunked")] if declared is None else [(b"content-length", str(declared).encode())]
    scope = {"type": "http", "headers": [(b"x-clinic-id", b"riverside"), *length]}
    with ThreadPoolExecutor(1) as apart:  # a browser test before this one may have left its loop in our thread
        apart.submit(asyncio.run, WholeBody(application, limit=LIMIT)(scope, receive, send)).result()
    return got[0] if got else None


def test_chunks_arrive_as_one_body_with_a_length() -> None:
    assert sent_through([b"abc", b"def"]) == ({b"x-clinic-id": b"riverside", b"content-length": b"6"}, b"abcdef")


def test_a_request_without_a_body_has_no_length() -> None:
    assert sent_through([]) == ({b"x-clinic-id": b"riverside"}, b"")


@pytest.mark.parametrize(("length", "kept"), [(LIMIT, LIMIT), (LIMIT + 1, 0)])
def test_too_long_a_body_is_dropped_and_its_length_passed_on(length: int, kept: int) -> None:
    headers, body = sent_through([b"x"] * length) or ({}, b"")
    assert (headers[b"content-length"], len(body)) == (str(length).encode(), kept)


def test_a_body_that_is_far_too_long_is_not_even_read() -> None:
    headers, body = sent_through([b"first part"], declared=DRAINED + 1) or ({}, b"")
    assert (headers[b"content-length"], body) == (str(DRAINED + 1).encode(), b"")


def test_who_hangs_up_while_sending_reaches_nobody() -> None:
    assert sent_through([b"abc"], cut_off=True) is None


LARGE = 2 * LIMIT


class Crowd:
    """Senders of large bodies, each of whom gets to the application and stays there until `done`."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.arrived: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.sent: list[asyncio.Task[None]] = []
        self.front = WholeBody(self.application, limit=LIMIT, larger=lambda path, content_type: LARGE, places=4)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.arrived.put_nowait(((await receive())["body"], scope[NO_ROOM]))
        await self.done.wait()

    async def send(self, body: bytes, whence: str = "192.0.2.1") -> tuple[bytes, bool]:
        """What the application gets: the body, and whether there was no room for it."""

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {"type": "http", "headers": [], "client": (whence, 40000)}
        self.sent.append(asyncio.create_task(self.front(scope, receive, receive)))  # type: ignore[arg-type]
        return await asyncio.wait_for(self.arrived.get(), 60)


async def crowd() -> None:
    full, small = b"x" * LARGE, b"x" * LIMIT
    one = Crowd()
    assert [await one.send(full) for _ in range(2)] == [(full, False)] * 2
    assert await one.send(full) == (b"", True), "half of the places are one address's"
    assert [await one.send(full, f"2001:db8::{number}") for number in range(2)] == [(full, False)] * 2
    assert await one.send(full, "192.0.2.9") == (b"", True), "all are taken"
    assert await one.send(small) == (small, False)
    assert await one.send(full + b"x") == (b"", False)  # too long for any room: another answer
    one.done.set()
    await asyncio.wait_for(asyncio.gather(*one.sent), 60)
    assert [await one.send(full) for _ in range(2)] == [(full, False)] * 2
    assert not one.front.taken


def test_few_large_bodies_are_held_at_once() -> None:
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, crowd()).result(timeout=120)


def test_who_finds_no_room_is_told_when_to_come_back() -> None:
    request: Any = RequestFactory().post("/api/v2/patients/x/documents", **{"asgi.scope": {NO_ROOM: True}})  # type: ignore[arg-type]
    request.request_id = "x"
    answer = BodyLimitMiddleware(lambda _: pytest.fail("let through"))(request)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert b"SERVICE_UNAVAILABLE" in answer.content


def test_the_front_knows_the_addresses_that_take_files() -> None:
    from core.realtime.front import Streams
    from hms.asgi import application, bodies

    streams = application.application
    assert isinstance(streams, Streams) and streams.application is bodies

    def limit(path: str, content_type: bytes = b"multipart/form-data; boundary=x") -> int:
        return bodies.limit_for({"path": path, "headers": [(b"content-type", content_type)]})

    assert limit("/api/v2/patients/x/documents") > settings.HMS_UPLOAD_BYTES
    assert limit("/api/v2/patients/x/documents", b"application/json") == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert limit("/api/v2/patients") == settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_who_sends_too_slowly_is_left() -> None:
    called: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        called.append(scope)

    async def never() -> Any:
        await asyncio.Event().wait()

    front = WholeBody(application, limit=LIMIT, patience=0.01)
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, front({"type": "http", "headers": []}, never, never)).result(timeout=120)
    assert not called
