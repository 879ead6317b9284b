"""The WSGI application in threads: what goes back, in which order, and what happens when somebody is gone."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from hms.threads import Threads
from tests.factories.threads import apart

type Said = list[Any]


class Pieces:
    """What a WSGI application returns."""

    def __init__(self, pieces: Iterable[bytes], said: Said, **more: Any) -> None:
        self.pieces, self.said = pieces, said
        self.__dict__.update(more)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.said.append(("made", piece))
            yield piece

    def close(self) -> None:
        self.said.append("closed")


def asked(application: Callable[..., Any], said: Said, *, body: bytes = b"", gone_after: int = 9) -> None:
    """One request, on a loop of its own. `said` has what was sent; after `gone_after` messages the caller is gone."""
    scope = {
        "type": "http", "method": "POST", "path": "/path", "query_string": b"a=1", "http_version": "1.1", "scheme": "https",
        "headers": [(b"content-length", str(len(body)).encode()), (b"x-one", b"1"), (b"x-one", b"2")],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if len([one for one in said if isinstance(one, dict)]) >= gone_after:
            raise ConnectionResetError
        said.append(dict(message))

    apart(lambda: asyncio.run(Threads(application, workers=1)(scope, receive, send)))  # type: ignore[arg-type]


async def nothing_sent() -> dict[str, Any]:
    return {"type": "http.request"}


def get(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "query_string": b"", "http_version": "1.1", "headers": []}


@pytest.fixture
def busy() -> Iterator[tuple[Callable[..., Any], threading.Event, threading.Event, list[str]]]:
    """An application whose `/slow` waits for the second event, and says so by the first; and which paths were asked for."""
    waiting, over, seen = threading.Event(), threading.Event(), list[str]()

    def application(environ: Any, start_response: Any) -> Pieces:
        seen.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/slow":
            waiting.set()
            assert over.wait(60)
        start_response("201 Created", WORDS)
        return Pieces([environ["PATH_INFO"].encode()], [], streaming=False)

    yield application, waiting, over, seen
    over.set()


def test_who_watches_over_it_is_answered_while_all_threads_wait(busy: Any) -> None:
    application, waiting, over, _ = busy
    answered: list[bytes] = []

    async def send(message: Any) -> None:
        answered.append(message.get("body", b""))

    async def both() -> None:
        threads = Threads(application, workers=1, apart=[{"/watched"}])
        slow = asyncio.create_task(threads(get("/slow"), nothing_sent, send))  # type: ignore[arg-type]
        await asyncio.to_thread(waiting.wait, 60)
        await threads(get("/watched"), nothing_sent, send)  # type: ignore[arg-type]
        over.set()
        await slow

    apart(lambda: asyncio.run(both()))
    assert [one for one in answered if one] == [b"/watched", b"/slow"]


def test_who_is_gone_before_a_thread_is_free_has_asked_for_nothing(busy: Any) -> None:
    application, waiting, over, seen = busy

    async def send(message: Any) -> None: ...

    async def both() -> None:
        threads = Threads(application, workers=1)
        slow = asyncio.create_task(threads(get("/slow"), nothing_sent, send))  # type: ignore[arg-type]
        await asyncio.to_thread(waiting.wait, 60)
        gone = asyncio.create_task(threads(get("/gone"), nothing_sent, send))  # type: ignore[arg-type]
        await asyncio.sleep(0)  # it begins, and waits for a thread
        gone.cancel()
        await asyncio.wait([gone])
        over.set()
        await slow
        await threads(get("/next"), nothing_sent, send)  # type: ignore[arg-type]

    apart(lambda: asyncio.run(both()))
    assert seen == ["/slow", "/next"]


def test_who_reads_nothing_keeps_no_thread_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hms.threads.PATIENCE", 0.01)
    said: Said = []

    def application(environ: Any, start_response: Any) -> Pieces:
        start_response("201 Created", WORDS)
        return Pieces([b"one", b"two"], said, streaming=True)

    async def unread(message: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        apart(lambda: asyncio.run(Threads(application, workers=1)(get("/path"), nothing_sent, unread)))  # type: ignore[arg-type]
    assert said == ["closed"]


START: dict[str, Any] = {"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/plain")]}
WORDS: list[tuple[str, str]] = [("Content-Type", "text/plain ")]


def sent(piece: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": True}


END = {"type": "http.response.body", "body": b""}


def test_what_is_answered_whole_goes_back_when_the_thread_is_done() -> None:
    said: Said = []

    def application(environ: Any, start_response: Any) -> Pieces:
        start_response("201 Created", WORDS)
        read = environ["wsgi.input"].read(4) + environ["wsgi.input"].read()
        return Pieces([read, environ["HTTP_X_ONE"].encode(), environ["QUERY_STRING"].encode()], said, streaming=False)

    asked(application, said, body=b"four and more")
    assert said[-3:] == ["closed", START, {"type": "http.response.body", "body": b"four and more1,2a=1"}]


@pytest.mark.parametrize("more", [{"streaming": True}, {}], ids=["streams", "says nothing"])
def test_a_streamed_piece_is_sent_before_the_next_is_made(more: dict[str, Any]) -> None:
    said: Said = []

    def application(environ: Any, start_response: Any) -> Pieces:
        start_response("201 Created", WORDS)
        return Pieces([b"one", b"two"], said, **more)

    asked(application, said)
    assert said == [START, ("made", b"one"), sent(b"one"), ("made", b"two"), sent(b"two"), END, "closed"]


def test_a_small_file_holds_no_thread_until_it_is_read() -> None:
    said: Said = []

    def application(environ: Any, start_response: Any) -> Pieces:
        start_response("201 Created", [*WORDS, ("Content-Length", "6")])
        return Pieces([b"one", b"two"], said, streaming=True)

    asked(application, said)
    start = {**START, "headers": [*START["headers"], (b"content-length", b"6")]}
    assert said[-3:] == ["closed", start, {"type": "http.response.body", "body": b"onetwo"}]


def test_when_the_caller_is_gone_nothing_more_is_made() -> None:
    said: Said = []

    def application(environ: Any, start_response: Any) -> Pieces:
        start_response("201 Created", WORDS)
        return Pieces([b"one", b"two", b"three"], said, streaming=True)

    with pytest.raises(ConnectionResetError):
        asked(application, said, gone_after=2)
    assert said == [START, ("made", b"one"), sent(b"one"), ("made", b"two"), "closed"]


def test_an_application_that_fails_sends_nothing() -> None:
    said: Said = []

    def application(environ: Any, start_response: Any) -> Pieces:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        asked(application, said)
    assert said == []
