"""The ASGI front hands bodies on whole, with their length, and none that is too long."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

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
