"""Where messages arrive in tests: an SMTP server and an HTTP gateway on loopback, both real enough to be refused by."""

import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from tests.factories.patience import PATIENCE

HELD = 15  # seconds that a slow one keeps an answer back at most


@dataclass(frozen=True)
class Fate:
    """What becomes of one message that has arrived whole. `status` 0: it is taken. `keeps`: it reaches whom it is for, whatever the
    answer says. `cut`: the connection ends instead of an answer; `late`: the answer waits so many seconds."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    keeps: bool = True
    cut: bool = False
    late: float = 0.0


@dataclass(frozen=True)
class Try:
    """A message was handed over: its id, and what became of it."""

    id: str
    address: str
    fate: Fate


@dataclass
class Letterbox:
    """What has arrived, in the order of arrival. `refuse` is the status with which the next ones are refused, with `headers` and
    `answer`; with `slow` an answer waits for that event. `refuse_recipient`: an SMTP server knows no such mailbox.

    With `fate` each message has one of its own: it is asked with the address and how often that was written to before. `tries` are
    all that arrived whole. `kill` takes the server from the network, `revive` puts it back.
    """

    port: int = 0
    fate: Callable[[str, int], Fate] | None = None
    tries: list[Try] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    sockets: set[Any] = field(default_factory=set)
    refuse: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""
    slow: threading.Event | None = None
    refuse_recipient: bool = False
    arrived: list[dict[str, Any]] = field(default_factory=list)
    tried: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

    serve: Callable[[], socketserver.TCPServer] | None = None
    _server: socketserver.TCPServer | None = None

    def meet(self, message_id: str, address: str) -> Fate:
        """A message has arrived whole: what becomes of it."""
        with self._news:
            self.tried += 1
            before = sum(one.address == address for one in self.tries)
            fate = self.fate(address, before) if self.fate else Fate(self.refuse, self.headers, keeps=not self.refuse)
            self.tries.append(Try(message_id, address, fate))
            self._news.notify_all()
        return fate

    def revive(self) -> None:
        assert self.serve and self._server is None
        self._server = self.serve()
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def kill(self) -> None:
        """Listens no more; what was under way is cut off."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for one in list(self.sockets):
            with suppress(OSError):
                one.shutdown(2)

    def put(self, letter: dict[str, Any]) -> None:
        with self._news:
            self.arrived.append(letter)
            self._news.notify_all()

    def wait_for(self, address: str, *, after: int = 0, saying: str = "") -> dict[str, Any]:
        """The first letter to this address, with this pattern in its text, among those behind the first `after`."""

        def found() -> dict[str, Any] | None:
            fitting = (one for one in self.arrived[after:] if one["to"] == address and re.search(saying, one["text"]))
            return next(fitting, None)

        with self._news:
            assert self._news.wait_for(found, PATIENCE), f"nothing came for {address}: {self.arrived[after:]}"
        letter = found()
        assert letter
        return letter


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A connection that breaks is what some tests are about."""


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    handle_error = _Server.handle_error


@contextmanager
def smtp_server() -> Iterator[Letterbox]:
    """An SMTP server that takes everything, or refuses with `box.refuse` after the content."""
    box = Letterbox()

    class Session(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def setup(self) -> None:
            box.sockets.add(self.request)
            super().setup()

        def finish(self) -> None:
            box.sockets.discard(self.request)
            super().finish()

        def handle(self) -> None:
            self.say("220 letters")
            to = ""
            while line := self.rfile.readline():
                verb = line.strip().upper()
                if verb.startswith((b"EHLO", b"HELO")):
                    self.say("250 letters")
                elif verb.startswith(b"RCPT TO"):
                    to = line.split(b"<")[1].split(b">")[0].decode()
                    self.say("550 no such mailbox" if box.refuse_recipient else "250 ok")
                elif verb == b"DATA":
                    self.say("354 go on")
                    if self._content(to).cut:
                        return
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def _content(self, to: str) -> Fate:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b"."))
            mail = message_from_bytes(b"".join(lines), policy=default)
            fate = box.meet(mail["Message-ID"].partition("@")[0].removeprefix("<"), to)
            if fate.keeps:
                plain, html = mail.get_body(("plain",)), mail.get_body(("html",))  # type: ignore[attr-defined]
                box.put(
                    {
                        "to": to,
                        "subject": mail["Subject"],
                        "text": plain.get_content(),
                        "html": html.get_content() if html else "",
                        "id": mail["Message-ID"],
                    }
                )
            if fate.late:
                box.over.wait(fate.late)
            if not fate.cut:
                self.say(f"{fate.status} no" if fate.status else "250 taken")
            return fate

    with _running(box, lambda: _MailServer(("127.0.0.1", box.port), Session)):
        yield box


class _Taker(BaseHTTPRequestHandler):
    """A gateway's door. `take` reads a request, puts what it keeps into the box and says what becomes of it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    box: Letterbox
    taken: int

    def setup(self) -> None:
        self.box.sockets.add(self.request)
        super().setup()

    def finish(self) -> None:
        self.box.sockets.discard(self.request)
        super().finish()

    def take(self, body: bytes) -> Fate:
        raise NotImplementedError

    def do_POST(self) -> None:
        fate = self.take(self.rfile.read(int(self.headers["Content-Length"])))
        if self.box.slow is not None:
            self.box.slow.wait(HELD)
        if fate.late:
            self.box.over.wait(fate.late)
        if fate.cut:
            self.close_connection = True
            return
        self.send_response(fate.status or self.taken)
        for name, value in fate.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.box.answer)))
        self.end_headers()
        self.wfile.write(self.box.answer)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def gateway() -> Iterator[Letterbox]:
    """A gateway for text messages. It remembers idempotency keys, and refuses with `box.refuse`."""

    class Answer(_Taker):
        taken = 202

        def take(self, body: bytes) -> Fate:
            said = json.loads(body)
            fate = self.box.meet(said["id"], said["to"])
            key = self.headers["Idempotency-Key"]
            if fate.keeps and all(letter["key"] != key for letter in self.box.arrived):
                self.box.put({**said, "key": key, "authorization": self.headers["Authorization"]})
            return fate

    with _http(Answer) as box:
        yield box


@contextmanager
def twilio() -> Iterator[Letterbox]:
    """Twilio's Messages resource: a form with basic authentication in, JSON out."""

    class Messages(_Taker):
        taken = 201

        def take(self, body: bytes) -> Fate:
            form = dict(parse_qsl(body.decode()))
            fate = self.box.meet(form.get("StatusCallback", "").rpartition("=")[2], form["To"])
            if fate.keeps:
                said = {"to": form["To"], "text": form["Body"], "from": form.get("From"), "callback": form.get("StatusCallback")}
                self.box.put({**said, "path": self.path, "authorization": self.headers["Authorization"]})
            return fate

    with _http(Messages) as box:
        yield box


@contextmanager
def cloud_api() -> Iterator[Letterbox]:
    """WhatsApp's Cloud API: the messages of a phone number, as JSON with a bearer token."""

    class Messages(_Taker):
        taken = 200

        def take(self, body: bytes) -> Fate:
            said = json.loads(body)
            fate = self.box.meet(said["biz_opaque_callback_data"], said["to"])
            if fate.keeps:
                text = " ".join(one["text"] for one in said["template"]["components"][0]["parameters"])
                self.box.put({**said, "text": text, "path": self.path, "authorization": self.headers["Authorization"]})
            return fate

    with _http(Messages) as box:
        yield box


@contextmanager
def _http(door: type[_Taker]) -> Iterator[Letterbox]:
    box = Letterbox()
    door.box = box
    with _running(box, lambda: _Server(("127.0.0.1", box.port), door)):
        yield box


@contextmanager
def _running(box: Letterbox, serve: Callable[[], socketserver.TCPServer]) -> Iterator[None]:
    box.serve = serve
    box.revive()
    try:
        yield
    finally:
        box.over.set()
        box.kill()
