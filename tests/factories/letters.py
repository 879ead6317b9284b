"""Where messages arrive in tests: an SMTP server and an HTTP gateway on loopback, both real enough to be refused by."""

import json
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

WAIT = 15


@dataclass
class Letterbox:
    """What has arrived, in the order of arrival. `refuse` is the status with which the next ones are refused, with `headers` and
    `answer`; with `slow` an answer waits for that event. `refuse_recipient`: an SMTP server knows no such mailbox."""

    port: int = 0
    refuse: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""
    slow: threading.Event | None = None
    refuse_recipient: bool = False
    arrived: list[dict[str, Any]] = field(default_factory=list)
    tried: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

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
            assert self._news.wait_for(found, WAIT), f"nothing came for {address}: {self.arrived[after:]}"
        letter = found()
        assert letter
        return letter


@contextmanager
def smtp_server() -> Iterator[Letterbox]:
    """An SMTP server that takes everything, or refuses with `box.refuse` after the content."""
    box = Letterbox()

    class Session(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

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
                    self._content(to)
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def _content(self, to: str) -> None:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b"."))
            box.tried += 1
            if box.refuse:
                self.say(f"{box.refuse} no")
                return
            mail = message_from_bytes(b"".join(lines), policy=default)
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
            self.say("250 taken")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    with _running(server, box):
        yield box


@contextmanager
def gateway() -> Iterator[Letterbox]:
    """A gateway for text messages. It remembers idempotency keys, and refuses with `box.refuse`."""
    box = Letterbox()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            box.tried += 1
            key = self.headers["Idempotency-Key"]
            if not box.refuse and all(letter["key"] != key for letter in box.arrived):
                box.put({**body, "key": key, "authorization": self.headers["Authorization"]})
            _answer(self, box, 202)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with _running(ThreadingHTTPServer(("127.0.0.1", 0), Answer), box):
        yield box


@contextmanager
def twilio() -> Iterator[Letterbox]:
    """Twilio's Messages resource: a form with basic authentication in, JSON out."""
    box = Letterbox()

    class Messages(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            box.tried += 1
            if not box.refuse:
                said = {"to": form["To"], "text": form["Body"], "from": form.get("From"), "callback": form.get("StatusCallback")}
                box.put({**said, "path": self.path, "authorization": self.headers["Authorization"]})
            _answer(self, box, 201)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with _running(ThreadingHTTPServer(("127.0.0.1", 0), Messages), box):
        yield box


@contextmanager
def cloud_api() -> Iterator[Letterbox]:
    """WhatsApp's Cloud API: the messages of a phone number, as JSON with a bearer token."""
    box = Letterbox()

    class Messages(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            box.tried += 1
            if not box.refuse:
                said = " ".join(one["text"] for one in body["template"]["components"][0]["parameters"])
                box.put({**body, "text": said, "path": self.path, "authorization": self.headers["Authorization"]})
            _answer(self, box, 200)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with _running(ThreadingHTTPServer(("127.0.0.1", 0), Messages), box):
        yield box


def _answer(handler: BaseHTTPRequestHandler, box: Letterbox, taken: int) -> None:
    """As the box says: late, refused, or taken. Who has gone meanwhile gets nothing."""
    if box.slow is not None:
        box.slow.wait(WAIT)
    try:
        handler.send_response(box.refuse or taken)
        for name, value in box.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(box.answer)))
        handler.end_headers()
        handler.wfile.write(box.answer)
    except OSError:
        return


@contextmanager
def _running(server: socketserver.TCPServer, box: Letterbox) -> Iterator[None]:
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
