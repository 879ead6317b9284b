"""HMS behind the real nginx with the files of deploy/nginx: TLS, rate zones, streams, static files, and a restart under load."""

import gzip
import os
import re
import signal
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import brotli
import httpx
import pytest

from tests.factories.callers import PASSWORD
from tests.factories.nginx import PROGRAM, Proxy, proxied
from tests.factories.patience import eventually
from tests.factories.server import Server, serving
from tests.factories.streams import EventSource, Socket

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="needs nginx"), pytest.mark.thorough]
DESK = {"email": "receptionist@riverside.demo", "password": PASSWORD}
MUCH = "100000/h"
VARIABLES = {
    "HMS_DEMO": "1",
    "HMS_TRUSTED_PROXIES": "1",
    "HMS_BASE_URL": "https://127.0.0.1",
    "WEB_CONCURRENCY": "2",
    **dict.fromkeys(("HMS_RATE_ANON", "HMS_RATE_USER", "HMS_RATE_SEARCH", "HMS_RATE_AUTH"), MUCH),
}


@pytest.fixture(scope="module")
def behind(django_db_setup: None) -> Iterator[Server]:
    with serving("proxied", commands=[["seed_demo"]], variables=VARIABLES) as server:
        yield server


@pytest.fixture
def proxy(behind: Server, tmp_path: Path) -> Iterator[Proxy]:
    """A new nginx for each test: its zones are empty."""
    with proxied(tmp_path, behind.host) as running:
        yield running


@pytest.fixture
def visitor(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"https://{proxy.host}", verify=proxy.tls, timeout=60) as client:
        yield client


@pytest.fixture
def token(visitor: httpx.Client) -> str:
    said: str = visitor.post("/api/v2/auth/token", json=DESK).json()["data"]["access"]
    return said


# --- TLS ---------------------------------------------------------------------------------------------------------------
def test_it_speaks_tls_and_http_2_and_nothing_older(proxy: Proxy) -> None:
    proxy.tls.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as line:
        with proxy.tls.wrap_socket(line, server_hostname="127.0.0.1") as secured:
            assert secured.selected_alpn_protocol() == "h2"
            assert secured.version() == "TLSv1.3"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as line, pytest.raises(ssl.SSLError):
        old.wrap_socket(line)


def test_pages_are_redirected_to_it_and_the_api_refuses_plain_http(proxy: Proxy) -> None:
    plain = httpx.Client(base_url=f"http://127.0.0.1:{proxy.plain_port}")
    page, api = plain.get("/sign-in/"), plain.get("/api/v2/patients", headers={"Authorization": "Bearer x"})
    assert (page.status_code, page.headers["Location"]) == (301, "https://127.0.0.1/sign-in/")
    assert (api.status_code, api.json()["error"]["code"]) == (400, "BAD_REQUEST")


def test_hms_knows_that_it_is_behind_tls_and_who_asks(visitor: httpx.Client, behind: Server, token: str) -> None:
    page = visitor.get("/sign-in/", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"})
    assert page.status_code == 200, "what the client says of the protocol is not passed on"
    assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "Secure" in page.headers["Set-Cookie"]
    with behind.connect() as connection:
        (address,) = connection.execute("SELECT DISTINCT address FROM core_authsession WHERE address IS NOT NULL").fetchone() or [
            None
        ]
    assert str(address).startswith("127.0.0.1")


# --- Limits ----------------------------------------------------------------------------------------------------------------
def at_once(count: int, ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(ask) for _ in range(count)]]


def test_a_flood_is_answered_as_hms_does(visitor: httpx.Client) -> None:
    answers = at_once(40, lambda: visitor.post("/api/v2/auth/token", json={}))
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert any(answer.status_code in (400, 422) for answer in answers), "the first of them reach HMS"
    error = refused.json()["error"]
    assert error.keys() == {"code", "message", "details", "request_id", "timestamp"}
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["request_id"] == refused.headers["X-Request-ID"]
    assert (refused.headers["Retry-After"], refused.headers["Cache-Control"]) == ("1", "no-store")
    pages = at_once(40, lambda: visitor.get("/sign-in/"))
    page = next(answer for answer in pages if answer.status_code == 429)
    assert page.headers["Content-Type"] == "text/html" and "Too much at once" in page.text


def test_bodies_have_their_limits(visitor: httpx.Client, token: str) -> None:
    signed_in = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    large = visitor.post("/api/v2/patients/search", content=b"x" * (2 * 1024 * 1024), headers=signed_in)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    patient = visitor.get("/api/v2/patients?limit=1", headers=signed_in).json()["data"][0]["id"]
    document = {"file": ("large.pdf", b"x" * (2 * 1024 * 1024), "application/pdf")}
    bearer = {"Authorization": f"Bearer {token}"}
    sent = visitor.post(f"/api/v2/patients/{patient}/documents", files=document, data={"title": "x"}, headers=bearer)
    assert sent.status_code == 201, sent.text


def test_figures_are_for_the_own_network_alone(proxy: Proxy) -> None:
    said = (proxy.log.parent / "hms-locations.conf").read_text()
    (place,) = re.findall(r"location ~ \^/\(\?:metrics\$\|health/\) \{(.*?)\n\}", said, re.S)
    assert "deny all;" in place


def test_the_log_holds_no_address_of_a_page(visitor: httpx.Client, proxy: Proxy) -> None:
    assert visitor.get("/patients/?q=Somebody").status_code in (200, 302)
    logged = eventually(proxy.log.read_text)
    assert " GET " in logged
    assert "patients" not in logged and "Somebody" not in logged


# --- Streams ---------------------------------------------------------------------------------------------------------------
def change_a_visit(server: Server) -> None:
    with server.connect() as connection:
        connection.execute(
            "UPDATE appointments_appointment SET notes = notes || 'a' WHERE id = (SELECT a.id FROM appointments_appointment a "
            "JOIN core_clinic c ON c.id = a.clinic_id WHERE c.slug = 'riverside' LIMIT 1)"
        )
        connection.commit()


def test_events_pass_through_as_they_happen(proxy: Proxy, behind: Server, token: str) -> None:
    path = "/api/v2/events?channels=appointments"
    with EventSource(proxy.host, path, proxy.tls, Authorization=f"Bearer {token}") as source:
        assert source.status == 200
        change_a_visit(behind)
        assert source.one("event")


def test_so_does_a_websocket(proxy: Proxy, behind: Server, token: str) -> None:
    line = Socket(proxy.host, ssl=proxy.tls)
    try:
        line.authenticated(token, "appointments")
        change_a_visit(behind)
        assert line.one("event")
    finally:
        line.close()


# --- Static files ----------------------------------------------------------------------------------------------------------
def raw(visitor: httpx.Client, path: str, accepted: str) -> tuple[httpx.Headers, bytes]:
    with visitor.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        assert answer.status_code == 200, path
        return answer.headers, b"".join(answer.iter_raw())


def test_static_files_come_packed_and_for_ever(visitor: httpx.Client) -> None:
    page = visitor.get("/sign-in/").text
    for path in set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page)):
        plain, content = raw(visitor, path, "identity")
        assert "Content-Encoding" not in plain
        for name, unpack in (("br", brotli.decompress), ("gzip", gzip.decompress)):
            headers, packed = raw(visitor, path, f"{name}, deflate" if name == "br" else name)
            assert (headers["Content-Encoding"], headers["Content-Type"]) == (name, plain["Content-Type"])
            assert unpack(packed) == content
            assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert headers["Vary"] == "Accept-Encoding"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Content-Encoding" not in raw(visitor, path, "br;q=0")[0]


def test_nginx_says_what_hms_says_of_a_file(visitor: httpx.Client, behind: Server) -> None:
    for path in ("/static/css/hms.css", "/static/js/frame.js", "/static/icons/icons.svg", "/static/admin/img/search.svg"):
        direct = httpx.get(f"{behind.url}{path}", headers={"Accept-Encoding": "br", "X-Forwarded-Proto": "https"})
        through = visitor.get(path, headers={"Accept-Encoding": "br"})
        assert through.text == direct.text
        for name in ("Cache-Control", "Content-Encoding", "X-Content-Type-Options", "Cross-Origin-Resource-Policy"):
            assert through.headers.get(name) == direct.headers.get(name), (path, name)
        assert through.headers["Content-Type"].split(";")[0] == direct.headers["Content-Type"].split(";")[0]


@pytest.mark.parametrize(
    "path", ["/static/../secrets.json", "/static/..%2fsecrets.json", "/static/css/no.css", "/static/css/hms.css.br"]
)
def test_nothing_else_is_served(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code in (400, 404)


# --- A restart under load ----------------------------------------------------------------------------------------------------
class Load:
    """Ten callers, together 50 requests a second at most: reads and searches, on connections that are kept."""

    ASKED = (("GET", "/health", None), ("GET", "/api/v2/services", None), ("POST", "/api/v2/patients/search", {"search": "ann"}))

    def __init__(self, proxy: Proxy, token: str) -> None:
        self.answers: Counter[Any] = Counter()
        self._proxy, self._headers = proxy, {"Authorization": f"Bearer {token}"}
        self._over, self._news = threading.Event(), threading.Condition()
        self._threads = [threading.Thread(target=self._call, args=self.ASKED[number % 3]) for number in range(10)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        with self._news:
            wanted = self.answers.total() + count
            assert self._news.wait_for(lambda: self.answers.total() >= wanted, 120), self.answers

    def _call(self, method: str, path: str, body: Any) -> None:
        headers = self._headers if path.startswith("/api/") else {}
        with httpx.Client(base_url=f"https://{self._proxy.host}", verify=self._proxy.tls, timeout=60) as client:
            while not self._over.wait(0.2):
                try:
                    said: Any = client.request(method, path, json=body, headers=headers).status_code
                except httpx.HTTPError as error:
                    said = repr(error)
                with self._news:
                    self.answers[path, said] += 1
                    self._news.notify_all()


def children(of: int) -> set[int]:
    if not is_running(of):
        return set()
    return {int(pid) for task in Path(f"/proc/{of}/task").iterdir() for pid in (task / "children").read_text().split()}


def is_master(pid: int) -> bool:
    return b"GUNICORN_PID=" in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_restart_loses_no_request(behind: Server, proxy: Proxy, token: str) -> None:
    assert behind.process is not None
    with Load(proxy, token) as load:
        for _ in range(2):
            load.more(100)
            replace_processes(behind.process.pid)
            load.more(200)
    assert {said for _, said in load.answers} == {200}, load.answers
    assert len(load.answers) == len(Load.ASKED)


def replace_processes(master: int) -> None:
    """HUP: new processes with what lies on the disk now. Waits until none of the old ones is left."""
    before = children(master)
    os.kill(master, signal.SIGHUP)
    eventually(lambda: len(now := children(master)) == len(before) and not now & before, seconds=90)


def test_nor_does_another_program_in_the_place_of_the_first(behind: Server, proxy: Proxy, token: str) -> None:
    """USR2: a new gunicorn takes over the socket, the old one leaves when the new one serves."""
    assert behind.process is not None
    old, new = behind.process.pid, 0
    try:
        with Load(proxy, token) as load:
            load.more(100)
            os.kill(old, signal.SIGUSR2)
            new = eventually(lambda: next((pid for pid in children(old) if is_master(pid)), 0), seconds=30)
            eventually(lambda: len(children(new)) == 2, seconds=90)
            os.kill(old, signal.SIGTERM)
            behind.process.wait(timeout=90)
            load.more(200)
        assert {said for _, said in load.answers} == {200}, load.answers
    finally:
        if new:
            os.kill(new, signal.SIGTERM)
            eventually(lambda: not is_running(new), seconds=60)


def is_running(pid: int) -> bool:
    line = Path(f"/proc/{pid}/cmdline")
    return line.exists() and bool(line.read_bytes())
