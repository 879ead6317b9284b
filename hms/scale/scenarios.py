"""What is asked over HTTP: each scenario gives every connection a stream of requests.

*uncached*: no request comes twice, so no answer can be ready. *cached*: one request again and again. *unchanged*: the same
with the answer's ETag, so that 304 is the answer.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import repeat
from urllib.parse import quote
from uuid import uuid4

from hms.scale.load import Follower, Requests, Uncounted
from hms.scale.material import BUSY_CLINICS, Desk
from patients.models import Patient

API = "/api/v2/"
CONNECTIONS = BUSY_CLINICS
BOOKINGS_PER_SECOND = 50.0
ETAG = re.compile(rb"\r\netag: *([^\r]+)", re.IGNORECASE)

type Path = Callable[[Desk, int], str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`streams` gives one stream of requests for each connection; `again`: the same requests come first, uncounted."""

    name: str
    streams: Callable[[Sequence[Desk]], list[Requests]]
    pace: float = 0.0

    @property
    def again(self) -> bool:
        return ", cached" in self.name or ", unchanged" in self.name


# --- Streams ----------------------------------------------------------------------------------------------------------
def same(path: Path, connections: int = CONNECTIONS, *, page: bool = False) -> Callable[[Sequence[Desk]], list[Requests]]:
    """Every connection asks its own clinic for one thing, always."""

    def streams(desks: Sequence[Desk]) -> list[Requests]:
        busy = desks[:connections]
        return [repeat(desk.page(path(desk, 0)) if page else desk.get(path(desk, 0))) for desk in busy]

    return streams


def each_once(path: Path, connections: int = CONNECTIONS, *, page: bool = False) -> Callable[[Sequence[Desk]], list[Requests]]:
    """Every connection asks its own clinic for something else each time, until it has nothing left to ask for."""

    def stream(desk: Desk) -> Requests:
        for number in range(len(desk.patients)):
            yield desk.page(path(desk, number)) if page else desk.get(path(desk, number))

    return lambda desks: [stream(desk) for desk in desks[:connections]]


def each_clinic(path: Path, *, page: bool = False) -> Callable[[Sequence[Desk]], list[Requests]]:
    """One connection goes round all clinics that the others leave alone, once.

    Each person asks for something small first, uncounted: who they are is known then, as it is after anybody's first page.
    """

    def stream(desks: Sequence[Desk]) -> Requests:
        for desk in desks[BUSY_CLINICS:] or desks:
            ask = desk.page if page else desk.get
            yield Uncounted(ask("/patients/register/" if page else f"{API}auth/me"))
            yield ask(path(desk, 0))

    return lambda desks: [stream(desks)]


class Walk(Follower):
    """A list, page by page."""

    def __init__(self, desk: Desk, path: str) -> None:
        self.desk, self.path = desk, path
        self.cursor: str | None = ""

    def __next__(self) -> bytes:
        if self.cursor is None:
            raise StopIteration
        return self.desk.get(f"{self.path}?cursor={self.cursor}" if self.cursor else self.path)

    def answered(self, head: bytes, body: bytes) -> None:
        self.cursor = json.loads(body)["meta"]["page"]["next"]


class Unchanged(Follower):
    """One request again and again, with the ETag of the answer before."""

    def __init__(self, desk: Desk, path: str) -> None:
        self.desk, self.path = desk, path
        self.header: tuple[str, ...] = ()

    def __next__(self) -> bytes:
        return self.desk.get(self.path, *self.header)

    def answered(self, head: bytes, body: bytes) -> None:
        if found := ETAG.search(head):
            self.header = (f"If-None-Match: {found[1].decode()}",)


def following(kind: Callable[[Desk, str], Follower], path: Path) -> Callable[[Sequence[Desk]], list[Requests]]:
    return lambda desks: [kind(desk, path(desk, 0)) for desk in desks[:CONNECTIONS]]


# --- Paths ------------------------------------------------------------------------------------------------------------
def fixed(path: str) -> Path:
    return lambda desk, number: path


def searched(text: Callable[[Patient], str]) -> Path:
    """The number-th patient's words; the limit differs a little, so that namesakes are not the same question."""
    return lambda desk, number: f"{API}patients?search={quote(text(desk.patients[number]))}&limit={24 + number % 3}"


def a_patient(desk: Desk, number: int) -> str:
    return f"{API}patients/{desk.patients[number].pk}"


def a_week_of_slots(desk: Desk, number: int) -> str:
    service = desk.services[number % len(desk.services)]
    first = date.today() + timedelta(days=1 + number // len(desk.services))
    return f"{API}slots?service={service.pk}&from={first}&to={first + timedelta(days=6)}"


def a_day(desk: Desk, number: int) -> str:
    return f"/calendar/?day={date.today() - timedelta(days=number)}"


def misspelt(patient: Patient) -> str:
    family = patient.family_name
    return f"{patient.given_name} {family[:2]}{family[3:]}"


# --- Writes -----------------------------------------------------------------------------------------------------------
def registrations(desks: Sequence[Desk]) -> list[Requests]:
    """New people, as a form would send them."""

    def stream(desk: Desk) -> Iterator[bytes]:
        for number, patient in enumerate(desk.patients):
            mark = uuid4().hex
            letters = "".join(chr(ord("a") + int(digit, 16)) for digit in mark[:9])
            yield desk.post(f"{API}patients", json.dumps({
                "given_name": patient.given_name, "family_name": f"{patient.family_name}{letters}",
                "date_of_birth": str(patient.date_of_birth - timedelta(days=1 + number)), "sex": patient.sex,
                "email": f"{mark}@example.org", "address": {"line1": "1 High Street", "city": patient.city},
            }).encode())  # fmt: skip

    return [stream(desks[0])]


def bookings(desks: Sequence[Desk]) -> list[Requests]:
    """Free times of the busy clinics, each tried once."""

    def stream(desk: Desk) -> Iterator[bytes]:
        for number, (service, provider, start) in enumerate(desk.slots):
            patient = desk.patients[number % len(desk.patients)]
            wanted = {"patient": str(patient.pk), "service": service, "provider": provider, "start": start}
            yield desk.post(f"{API}appointments", json.dumps(wanted).encode())

    return [stream(desk) for desk in desks[:CONNECTIONS]]


LIST = fixed(f"{API}patients")
SCENARIOS = [
    Scenario("patients list, cached", same(LIST)),
    Scenario("patients list, unchanged (304)", following(Unchanged, LIST)),
    Scenario("patients list, uncached", following(Walk, LIST)),
    Scenario("patients list, each clinic once, one client", each_clinic(LIST)),
    Scenario("patient detail, cached", same(a_patient)),
    Scenario("patient detail, unchanged (304)", following(Unchanged, a_patient)),
    Scenario("patient detail, uncached", each_once(a_patient)),
    Scenario("patient search: one word", each_once(searched(lambda patient: patient.family_name))),
    Scenario("patient search: two words", each_once(searched(lambda patient: f"{patient.given_name} {patient.family_name}"))),
    Scenario("patient search: beginning", each_once(searched(lambda patient: patient.family_name[:3]))),
    Scenario("patient search: misspelt", each_once(searched(misspelt))),
    Scenario("patient search: phone", each_once(searched(lambda patient: patient.phone[-7:] or patient.mrn))),
    Scenario("patient search: MRN", each_once(searched(lambda patient: patient.mrn))),
    Scenario("patient search: birth date", each_once(searched(lambda patient: str(patient.date_of_birth)))),
    Scenario("Today page, cached", same(fixed("/"), page=True)),
    Scenario("Today page, cached, one client", same(fixed("/"), 1, page=True)),
    Scenario("Today page, each clinic once, one client", each_clinic(fixed("/"), page=True)),
    Scenario("calendar day page, uncached, one client", each_once(a_day, 1, page=True)),
    Scenario("slots of a week, cached", same(a_week_of_slots)),
    Scenario("slots of a week, uncached, one client", each_once(a_week_of_slots, 1)),
    Scenario("register a patient, one client", registrations),
    Scenario("book at 50 a second", bookings, pace=BOOKINGS_PER_SECOND),
]
