"""Lines that are kept open and carry reads and bodies by turns, whole, torn, in chunks: each request is answered as itself."""

import base64
import json
import random
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from urllib.parse import quote

import pytest

from tests.factories.callers import Caller
from tests.factories.server import Server

pytestmark = [pytest.mark.server, pytest.mark.thorough]
LINES = 12
LIST = "/api/v2/patients?limit=3&ordering=-name&fields=id,mrn"


class Line:
    """One connection. Each kind of request says what it has to be answered with."""

    def __init__(self, desk: Caller, seed: int) -> None:
        self.desk, self.chance = desk, random.Random(seed)
        host, _, port = desk.server.host.partition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=60)
        self.cursor: str | None = None
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []

    def walk(self) -> None:
        """A list, page by page; its cursor as it came, and as a browser would write it."""
        cursor = self.chance.choice([str, quote])(self.cursor or "")
        body = self.ask("GET", f"{LIST}&cursor={cursor}" if cursor else LIST, 200)
        self.cursor = json.loads(body)["meta"]["page"]["next"] if body else None

    def unchanged(self) -> None:
        self.ask("GET", LIST, 200, f'If-None-Match: "{base64.b64encode(self.chance.randbytes(24)).decode()}"')
        self.ask("GET", LIST, 304, "If-None-Match: *")

    def head(self) -> None:
        self.ask("HEAD", LIST, 200)

    def search(self) -> None:
        self.ask("POST", "/api/v2/patients/search", 200, body=self._words())

    def chunked(self) -> None:
        self.ask("POST", "/api/v2/patients/search", 200, body=self._words(), chunks=self.chance.randint(1, 9))

    def nothing_to_say(self) -> None:
        """A body where none belongs is read, and is not taken for the next request."""
        self.ask("GET", LIST, 200, body=b'{"limit": 3}')

    def _words(self) -> bytes:
        return json.dumps({"search": self.chance.choice(["a", "ann", "o'brien; select", "x" * 90])}).encode()

    def ask(self, method: str, path: str, status: int, *headers: str, body: bytes = b"", chunks: int = 0) -> bytes:
        key = base64.b64encode(self.chance.randbytes(30)).decode()
        head = [f"{method} {path} HTTP/1.1", f"Host: {self.desk.server.host}", f"Authorization: Bearer {self.desk.token}", *headers]
        head += [f"X-Request-ID: {self.chance.getrandbits(128):032x}", f"Idempotency-Key: {key}", "Content-Type: application/json"]
        if chunks:
            head.append("Transfer-Encoding: chunked")
            parts = [body[at : at + chunks] for at in range(0, len(body), chunks)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif body:
            head.append(f"Content-Length: {len(body)}")
        self._send("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        with HTTPResponse(self.sock, method=method) as response:
            response.begin()
            answer = response.read()
            self.answers[f"{method} {response.status}"] += 1
            if response.status != status:
                self.wrong.append(f"{method} {path}: {response.status} {answer!r}")
        return answer if response.status == 200 else b""

    def _send(self, request: bytes) -> None:
        """Whole mostly; else torn at one place, inside the head or the body."""
        at = self.chance.randrange(len(request)) if self.chance.random() < 0.3 else 0
        for part in (request[:at], request[at:]):
            self.sock.sendall(part)

    def work(self, rounds: int) -> "Line":
        kinds: list[Callable[[], None]] = [self.walk, self.unchanged, self.head, self.search, self.chunked, self.nothing_to_say]
        for _ in range(rounds):
            self.chance.choices(kinds, [8, 2, 1, 2, 2, 1])[0]()
        self.sock.close()
        return self


@pytest.mark.parametrize("rounds", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_request_is_taken_for_another_or_refused(server: Server, rounds: int) -> None:
    desk = Caller(server, "receptionist@riverside.demo")
    with ThreadPoolExecutor(LINES) as threads:
        lines = list(threads.map(lambda seed: Line(desk, seed).work(rounds), range(LINES)))
    assert [wrong for line in lines for wrong in line.wrong] == []
    answers = sum((line.answers for line in lines), Counter())
    assert set(answers) == {"GET 200", "GET 304", "HEAD 200", "POST 200"} and answers.total() >= LINES * rounds
