"""Endpoints of other systems on loopback: they answer, dawdle, refuse and die as a test tells them."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.factories.patience import PATIENCE


@dataclass
class Taken:
    """One request, as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Told:
    """One answer. With `hold` it waits until the endpoint is let go, with `drip` its head comes byte by byte, each so many seconds
    after the last."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    hold: bool = False
    drip: float = 0.0


@dataclass
class Endpoint:
    """`answer` says what the next requests get; `taken` is what came. `kill` takes it from the network, `revive` puts it back."""

    port: int = 0
    answer: Callable[[Taken], Told] = lambda _taken: Told()
    taken: list[Taken] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    context: ssl.SSLContext | None = None
    news: threading.Condition = field(default_factory=threading.Condition)
    _server: Any = None
    _sockets: set[Any] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def wait_for(self, count: int, seconds: float = PATIENCE) -> list[Taken]:
        """What came, as soon as it is so many requests."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.taken) >= count, seconds), f"only {len(self.taken)} came"
        return self.taken

    def revive(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                endpoint._sockets.add(self.request)
                super().setup()

            def finish(self) -> None:
                endpoint._sockets.discard(self.request)
                super().finish()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                taken = Taken(self.command, self.path, dict(self.headers), body)
                with endpoint.news:
                    endpoint.taken.append(taken)
                    endpoint.news.notify_all()
                told = endpoint.answer(taken)
                if told.hold:
                    endpoint.let_go.wait(30)
                if told.drip:
                    self._drip(told.drip)
                    return
                self.send_response(told.status)
                for name, value in {"Content-Length": str(len(told.body)), **told.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(told.body)

            def __getattr__(self, name: str) -> Any:
                """Every method is answered alike."""
                if name.startswith("do_"):
                    return self._answer
                raise AttributeError(name)

            def _drip(self, pause: float) -> None:
                for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2000:
                    self.wfile.write(bytes([byte]))
                    if endpoint.let_go.wait(pause):
                        return

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A connection that breaks is what these tests are about."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        if self.context is not None:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def kill(self) -> None:
        """Listens no more, and what was under way is cut off."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for one in list(self._sockets):
            try:
                one.shutdown(2)
            except OSError:
                continue


@contextmanager
def endpoints(count: int, context: ssl.SSLContext | None = None) -> Iterator[list[Endpoint]]:
    """So many, all well."""
    with ExitStack() as stack:
        made = [Endpoint(context=context) for _ in range(count)]
        for one in made:
            one.revive()
            stack.callback(one.kill)
            stack.callback(one.let_go.set)
        yield made
