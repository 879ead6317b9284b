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


def test_who_watches_over_it_is_answered_while_all_threads_wait() -> None:
    waiting, over = threading.Event(), threading.Event()

    def application(environ: Any, start_response: Any) -> Pieces:
        if environ["PATH_INFO"] == "/slow":
            waiting.set()
            assert over.wait(60)
        start_response("201 Created", WORDS)
        return Pieces([environ["PATH_INFO"].encode()], [], streaming=False)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def both() -> list[bytes]:
        threads, bodies = Threads(application, workers=1, watched={"/watched"}), list[bytes]()  # type: ignore[arg-type]

        async def send(message: Any) -> None:
            bodies.append(message.get("body", b""))

        def ask(path: str) -> Any:
            scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "http_version": "1.1", "headers": []}
            return threads(scope, receive, send)

        slow = asyncio.create_task(ask("/slow"))
        await asyncio.to_thread(waiting.wait, 60)
        await ask("/watched")
        over.set()
        await slow
        return [one for one in bodies if one]

    assert apart(lambda: asyncio.run(both())) == [[b"/watched", b"/slow"]]


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
