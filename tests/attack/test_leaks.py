"""A day of requests, some of which fail, and then all that it left behind: nothing of a patient stands where it must not.

Names stand in the database in clear (docs/protected-data.md); identity and policy numbers, what was typed and not finished, kept
answers and files do not. Nothing of all that stands in logs, Redis, addresses, the list of processes, or answers to errors.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener
from uuid import uuid4

import pytest

from tests.attack.leaks_seed import EMAIL, PASSWORD, seed
from tests.factories.leaks import database_dump, files_in, processes_of, redis_content, traces_of
from tests.factories.redis_server import redis_server
from tests.factories.server import Server, serving

pytestmark = pytest.mark.thorough

NAMES = ["Quetzalwin", "Brambleforth", "Zéphyrine Oakenshade"]
ENCRYPTED = ["QX774411Z", "POL-5550-8831", "Shh: only said in confidence", "Letter about the Brambleforth affair"]
KNOWN = [*NAMES, *ENCRYPTED, "7700900987", "quetzalwin@example.org", "14 Wisteria Passage"]
PATIENT = {
    "given_name": NAMES[0], "family_name": NAMES[1], "date_of_birth": "1971-09-30", "sex": "female", "phone": "+447700900987",
    "email": "quetzalwin@example.org", "national_id": ENCRYPTED[0], "notes": "See " + NAMES[2],
    "address": {"line1": "14 Wisteria Passage", "city": "Bath"},
    "insurance": {"policy_number": ENCRYPTED[1]},
}  # fmt: skip
REFUSED = "Unstorable"  # a family name that the table is told to refuse: the one way to a fault of ours


class NotFollowed(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass
class Browser:
    """Asks as a browser or a program does, and keeps every address it was sent to and every error it was shown."""

    url: str
    jar: CookieJar = field(default_factory=CookieJar)
    token: str = ""
    addresses: list[str] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        opener = build_opener(HTTPCookieProcessor(self.jar), NotFollowed)
        named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Referer": self.url + "/"}
        if self.token:
            named["Authorization"] = f"Bearer {self.token}"
        try:
            with opener.open(Request(self.url + path, body, named, method=method), timeout=60) as response:  # noqa: S310
                status, content, sent_to = response.status, response.read(), response.headers.get("Location", "")
        except HTTPError as error:
            status, content, sent_to = error.code, error.read(), error.headers.get("Location", "")
        self.addresses += [sent_to, *re.findall(r'(?:href|action|hx-[a-z]+)="([^"]*)"', content.decode(errors="replace"))]
        if status >= 400:
            self.errors.append(content)
        return status, content

    def say(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """JSON in and out."""
        sent = None if body is None else json.dumps(body).encode()
        status, content = self.ask(method, f"/api/v2/{path}", sent, Content_Type="application/json", **headers)
        return status, json.loads(content) if content.startswith(b"{") else content

    def send(self, path: str, fields: dict[str, str], page: str = "") -> tuple[int, bytes]:
        """A form, as the page has it."""
        content = self.ask("GET", page or path)[1].decode()
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', content)
        form = fields | {"csrfmiddlewaretoken": found[1] if found else ""}
        return self.ask("POST", path, urlencode(form).encode(), Content_Type="application/x-www-form-urlencoded")


@dataclass
class Day:
    """What a day left behind."""

    server: Server
    machine: Browser
    browser: Browser
    redis: dict[str, bytes]


@pytest.fixture(scope="module")
def day(django_db_setup: None, worker_id: str) -> Iterator[Day]:
    with redis_server() as redis, serving(f"leaks_{worker_id}", seed=seed, variables={"REDIS_URL": redis.url}) as server:
        with server.connect("hms_owner") as owner:
            owner.execute(f"ALTER TABLE patients_patient ADD CONSTRAINT leaks_refused CHECK (family_name <> '{REFUSED}') NOT VALID")  # type: ignore[arg-type]
        machine, browser = Browser(server.url), Browser(server.url)
        by_program(machine)
        by_browser(browser)
        yield Day(server, machine, browser, redis_content(redis.client()))


def by_program(machine: Browser) -> None:
    status, answer = machine.say("POST", "auth/token", {"email": EMAIL, "password": PASSWORD})
    assert status == 200, answer
    machine.token = answer["data"]["access"]
    status, answer = machine.say("POST", "patients", PATIENT, Idempotency_Key=str(uuid4()))
    assert status == 201, answer
    path = f"patients/{answer['data']['id']}"
    found = [
        machine.say("GET", path),
        machine.say("GET", f"patients?search={quote(NAMES[1])}"),
        machine.say("POST", "patients/search", {"search": ENCRYPTED[0]}),
        machine.say("PATCH", path, {"preferred_name": NAMES[2]}),
    ]
    assert [status for status, _ in found] == [200] * 4
    assert json.dumps(found).count(NAMES[1]) >= 4, "the day has really shown the patient"
    upload = (
        b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nLetter\r\n--b\r\nContent-Disposition: form-data; name="file"; '
    )
    upload += f'filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n{ENCRYPTED[3]}\r\n--b--\r\n'.encode()
    assert machine.ask("POST", f"/api/v2/{path}/documents", upload, Content_Type="multipart/form-data; boundary=b")[0] == 201
    refused = [
        machine.say("GET", f"patients/{uuid4()}?version={quote(NAMES[1])}"),
        machine.say("GET", f"nothing-here?search={quote(NAMES[1])}"),
        machine.say("POST", "patients", PATIENT | {"sex": NAMES[1] * 9}),
        machine.say(
            "POST", "patients", PATIENT | {"family_name": REFUSED, "given_name": "Otherwise", "national_id": "", "phone": ""}
        ),
        machine.ask("POST", "/api/v2/patients", b'{"family_name": "' + NAMES[1].encode(), Content_Type="application/json"),
    ]
    assert [status for status, _ in refused] in ([404, 404, 400, 500, 400], [400, 404, 400, 500, 400]), refused


def by_browser(browser: Browser) -> None:
    assert browser.send("/sign-in/", {"email": EMAIL, "password": PASSWORD})[0] in (302, 303)
    typed = {"given_name": NAMES[0], "family_name": NAMES[1], "notes": ENCRYPTED[2]}
    assert NAMES[1].encode() in browser.send("/patients/search/", {"text": NAMES[1], "search": NAMES[1]}, "/patients/")[1]
    browser.send("/drafts/patient-register/", typed, "/patients/register/")
    assert ENCRYPTED[2].encode() in browser.ask("GET", "/patients/register/")[1], "the draft was kept"
    refused = [
        browser.send("/patients/register/", typed),
        browser.ask("GET", f"/patients/?q={quote(NAMES[1])}&page={quote(NAMES[1])}"),
        browser.ask("GET", f"/no-page/?q={quote(NAMES[1])}"),
        browser.ask("POST", "/patients/register/", urlencode(typed).encode(), Content_Type="application/x-www-form-urlencoded"),
        browser.send(
            "/patients/register/",
            {
                **{"given_name": NAMES[0], "family_name": REFUSED, "sex": "female", "date_of_birth": "1971-09-30"},
                **{"notes": ENCRYPTED[2], "blood_type": "unknown", "preferred_time_of_day": "any", "country": "GB"},
            },
        ),
    ]
    assert [status for status, _ in refused][2:] == [404, 403, 500], [status for status, _ in refused]


def test_logs_hold_nothing_of_a_patient_and_still_tell_what_failed(day: Day) -> None:
    log = day.server.log.read_bytes()
    assert traces_of(KNOWN, {"log": log}) == []
    assert log.count(b"CheckViolation: 23514 patients_patient leaks_refused") == 2, "else the faults were not logged at all"


def test_redis_holds_nothing_readable_of_a_patient(day: Day) -> None:
    assert len(day.redis) > 5, "else nothing was cached"
    assert traces_of(KNOWN, day.redis) == []


def test_no_address_and_no_list_of_processes_names_a_patient(day: Day) -> None:
    addresses = "\n".join([*day.machine.addresses, *day.browser.addresses]).encode()
    assert addresses.count(b"/patients/") > 3
    assert traces_of(KNOWN, {"address": addresses, "processes": processes_of(day.server)}) == []


def test_an_answer_to_a_fault_of_ours_says_nothing_of_the_request(day: Day) -> None:
    faults = [one for one in (*day.machine.errors, *day.browser.errors) if b"Something went wrong" in one]
    assert len(faults) == 2
    assert traces_of([*KNOWN, REFUSED], {"answer": b"".join(faults)}) == []


def test_a_dump_of_the_database_and_the_files_hold_no_protected_field_in_clear(day: Day) -> None:
    dump = database_dump(day.server)
    assert NAMES[1].lower().encode() in dump["table patients_patient"].lower(), (
        "names stand in clear, so the search would find more"
    )
    uploads = dict(files_in(Path(os.environ["HMS_UPLOADS_DIR"])))
    assert uploads
    assert traces_of(ENCRYPTED, dump | uploads) == []
    where = {place.rpartition(": ")[0] for place in traces_of(NAMES, dump)}
    assert where == {"table patients_patient", "table core_change"}, "names stand in the patient's row and its history alone"


def test_the_scan_finds_what_is_there() -> None:
    written = {
        "a": b"GET /?q=Z%C3%A9phyrine%20Oakenshade",
        "b": b"quetzalWIN",
        "c": b'{"name": "Z\\u00e9phyrine Oakenshade"}',
        "d": b"-",
    }
    assert [place.partition(":")[0] for place in traces_of(NAMES, written)] == ["a", "b", "c"]
