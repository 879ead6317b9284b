"""A clinic's day as a script: desks, doctors and a machine ask and write, in proportions and by chance of a fixed seed."""

import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.factories.callers import Caller, Reader
from tests.factories.server import Server

CLINICS = ("riverside", "hillcrest")
ROLES = ("receptionist", "doctor", "clinic-admin")
NEXT = {"confirmed": "check-in", "requested": "check-in", "checked_in": "start", "in_progress": "complete"}
# Of a hundred things that happen: what is looked at, and what is done.
SHARES = {
    "today": 24, "calendar": 8, "visits": 14, "patients": 4, "patient": 14, "slots": 10, "services": 6, "providers": 6,
    "search": 5, "step": 5, "book": 2, "register": 1, "me": 1,
}  # fmt: skip
UNCACHED = {"today": 11, "calendar": 10, "visits": 3, "patients": 3, "patient": 3, "slots": 8, "services": 4, "providers": 3}


@dataclass
class Day:
    """What happened. `statements` are those of reads that the cache may serve, `whole` how many of these sent none."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    times: list[tuple[float, float]] = field(default_factory=list)  # since when, how long

    def without_database(self) -> float:
        """The share of such reads that sent no statement at all."""
        return sum(self.whole.values()) / sum(self.requests[kind] for kind in UNCACHED)

    def load(self) -> float:
        """Statements sent, as a share of those that the same reads would have sent without a cache."""
        return sum(self.statements[kind] for kind in UNCACHED) / sum(self.requests[kind] * UNCACHED[kind] for kind in UNCACHED)

    def slowest(self, since: float = 0, until: float = float("inf")) -> float:
        return max((length for at, length in self.times if since <= at < until), default=0.0)


class Desk(threading.Thread):
    """One person at work until the day is over."""

    def __init__(self, server: Server, day: Day, email: str, seed: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.day, self.over, self.chance = day, over, random.Random(seed)
        self.caller, self.reader = Caller(server, email), Reader(server, email)
        self.may_write = email.startswith("receptionist")
        self.known_patients = [row["id"] for row in self.caller.get("/api/v2/patients?limit=40&fields=id").body["data"]]
        self.known_services = [row["id"] for row in self.caller.get("/api/v2/services?fields=id").body["data"]]
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                kind = self.chance.choices(list(SHARES), list(SHARES.values()))[0]
                started = time.monotonic()
                status, statements = getattr(self, kind, self._list)(kind)
                self.day.times.append((started, time.monotonic() - started))
                self.day.requests[kind] += 1
                self.day.statuses[status] += 1
                if kind in UNCACHED:
                    self.day.whole[kind] += not statements
                    self.day.statements[kind] += statements
                self.over.wait(self.chance.uniform(0.01, 0.05))
        except BaseException as error:
            self.failure = error

    def today(self, _: str) -> tuple[int, int]:
        return self._page("/")

    def calendar(self, _: str) -> tuple[int, int]:
        return self._page("/calendar/")

    def visits(self, _: str) -> tuple[int, int]:
        return self._get("/api/v2/appointments?limit=25")

    def patient(self, _: str) -> tuple[int, int]:
        return self._get(f"/api/v2/patients/{self.chance.choice(self.known_patients)}")

    def slots(self, _: str) -> tuple[int, int]:
        return self._get(f"/api/v2/slots?service={self.chance.choice(self.known_services[:3])}")

    def me(self, _: str) -> tuple[int, int]:
        return self._get("/api/v2/auth/me")

    def search(self, _: str) -> tuple[int, int]:
        return self._send("POST", "/api/v2/patients/search", {"search": self.chance.choice(("an", "smith", "brown jo"))})

    def register(self, kind: str) -> tuple[int, int]:
        if not self.may_write:
            return self.patient(kind)
        name = "".join(self.chance.choices("abcdefghij", k=12)).title()
        person = {"given_name": name, "family_name": name[::-1], "date_of_birth": "1980-02-03", "sex": "female"}
        return self._send("POST", "/api/v2/patients", person | {"accept_duplicate": True})

    def book(self, kind: str) -> tuple[int, int]:
        service = self.chance.choice(self.known_services[:3])
        free = self.caller.get(f"/api/v2/slots?service={service}").body["data"]
        if not self.may_write or not free:
            return self.visits(kind)
        slot, patient = self.chance.choice(free), self.chance.choice(self.known_patients)
        wish = {"patient": patient, "service": service, "provider": slot["provider"]["id"], "start": slot["start"]}
        return self._send("POST", "/api/v2/appointments", wish)

    def step(self, kind: str) -> tuple[int, int]:
        day = time.strftime("%Y-%m-%d")
        address = f"/api/v2/appointments?from={day}&to={day}&status=confirmed,checked_in,in_progress&limit=50"
        visits = self.caller.get(address).body["data"]
        if not self.may_write or not visits:
            return self.visits(kind)
        visit = self.chance.choice(visits)
        return self._send("POST", f"/api/v2/appointments/{visit['id']}/{NEXT[visit['status']]}", {})

    def _list(self, kind: str) -> tuple[int, int]:
        return self._get(f"/api/v2/{kind}")

    def _get(self, path: str) -> tuple[int, int]:
        return self._send("GET", path)

    def _send(self, method: str, path: str, body: Any = None) -> tuple[int, int]:
        reply = self.caller.send(method, path, body)
        return reply.status, reply.queries

    def _page(self, path: str) -> tuple[int, int]:
        seen = self.reader.read(path)
        return 200, seen.queries


class Clinics:
    """Everybody of both clinics at work, `with Clinics(server) as day:`. Raises what a desk met."""

    def __init__(self, server: Server) -> None:
        self.day, self.over = Day(), threading.Event()
        emails = [f"{role}@{clinic}.demo" for clinic in CLINICS for role in ROLES]
        self.desks = [Desk(server, self.day, email, number, self.over) for number, email in enumerate(emails)]

    def __enter__(self) -> Day:
        for desk in self.desks:
            desk.start()
        return self.day

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for desk in self.desks:
            desk.join(30)
            if desk.failure is not None:
                raise desk.failure


def hit_rate(server: Server) -> tuple[float, int]:
    """Of all that was asked of the cache the share that it had, and how many processes say so (the figures at /admin/cache/)."""
    html = Reader(server, "clinic-admin@riverside.demo").read("/admin/cache/").html
    rows = re.findall(r'<th scope="row">[^<]*</th>((?:<td>[^<]*</td>)+)', html)
    cells = [[float(cell.replace(",", "")) for cell in re.findall(r"<td>([^<]*)</td>", row)] for row in rows]
    hits, asked = sum(row[1] + row[2] for row in cells), sum(sum(row[1:5]) for row in cells)
    processes = re.search(r"in (\d+) web processes", html)
    return hits / asked, int(processes[1]) if processes else 1
