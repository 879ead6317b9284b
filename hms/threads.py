"""Runs the WSGI application in threads. What it answers whole, as nearly all of it, goes back to the server's loop in one step.

a2wsgi hands over status and headers, each piece of the body and its end one by one, and its thread waits for the loop each time:
the threads of a process that answers many requests at once then wait for each other. Python runs one thread at a time, so few
threads answer more than many; and since all of them may wait for a stalled database, whoever watches over HMS has some apart.
"""

import asyncio
import contextvars
import math
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi import Body, build_environ
from a2wsgi.wsgi_typing import Environ, WSGIApp

from hms.bodies import Message, Receive, Scope, Send

SMALL = 256 * 1024  # bytes of a file that are held in memory until they are sent, as those of any page
PATIENCE = 60.0  # seconds for a piece of a larger one to be read


class Threads(WSGIMiddleware):
    """An ASGI application. A request's body has to come as one message: it stands behind WholeBody.

    `workers` threads. Each group of paths in `apart` has one more, for itself alone.
    """

    def __init__(self, application: WSGIApp, *, workers: int, apart: Iterable[Collection[str]] = ()) -> None:
        super().__init__(application, workers=workers)
        self.apart = {path: pool for paths in apart for pool in [ThreadPoolExecutor(1, "apart")] for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)  # type: ignore[arg-type]
            return
        body = BytesIO((await receive()).get("body", b""))
        environ = build_environ(scope, cast(Body, body))  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        answer, answered = Answer(send, loop), loop.create_future()
        work = partial(contextvars.copy_context().run, self._answer, environ, answer)
        queued = self.apart.get(scope["path"], self.executor).submit(_work, work, loop, answered)
        try:
            await answered
        except asyncio.CancelledError:
            queued.cancel()  # who is gone before a thread was free has asked for nothing
            raise
        if answer.whole is not None:
            await send(answer.start)
            await send({"type": "http.response.body", "body": answer.whole})

    def _answer(self, environ: Environ, answer: "Answer") -> None:
        pieces: Any = self.app(environ, answer.start_response)
        try:
            answer.take(pieces, streams=getattr(pieces, "streaming", True))
        finally:
            getattr(pieces, "close", lambda: None)()


def _work(work: Callable[[], None], loop: asyncio.AbstractEventLoop, answered: "asyncio.Future[None]") -> None:
    """In the thread. The loop is told with one call, where a pool's own future takes several and a lock of its own."""
    error: BaseException | None = None
    try:
        work()
    except BaseException as raised:
        error = raised
    try:
        loop.call_soon_threadsafe(_settle, answered, error)
    finally:
        del error  # its traceback holds this frame


def _settle(answered: "asyncio.Future[None]", error: BaseException | None) -> None:
    if answered.done():  # whoever asked is gone
        return
    if error is None:
        answered.set_result(None)
    else:
        answered.set_exception(error)


class Answer:
    """`whole` is its body, None when the body was sent while it was made."""

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self.start: Message = {}
        self.whole: bytes | None = None
        self._send, self._loop = send, loop

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], Any]:
        encoded = [(name.strip().lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers]
        self.start = {"type": "http.response.start", "status": int(status[:3]), "headers": encoded}
        return self._write

    def take(self, pieces: Iterable[bytes], *, streams: bool) -> None:
        """In the application's thread, which waits for whoever reads: a streamed piece is sent before the next one is asked for.
        For a small file it does not wait."""
        if not streams or self._length() <= SMALL:
            self.whole = b"".join(pieces)
            return
        self._pass_on(self.start)
        for piece in pieces:
            self._write(piece)
        self._pass_on({"type": "http.response.body", "body": b""})

    def _length(self) -> float:
        """What the headers say."""
        said = next((value for name, value in self.start.get("headers", ()) if name == b"content-length"), b"")
        return int(said) if said.isdigit() else math.inf

    def _write(self, piece: bytes) -> None:
        self._pass_on({"type": "http.response.body", "body": piece, "more_body": True})

    def _pass_on(self, message: Message) -> None:
        sending = asyncio.run_coroutine_threadsafe(cast(Any, self._send(message)), self._loop)
        try:
            sending.result(PATIENCE)
        except TimeoutError:
            sending.cancel()
            raise
