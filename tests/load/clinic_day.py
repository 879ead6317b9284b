"""A clinic's day as a script: desks, doctors and a machine ask and write, in proportions and by chance of a fixed seed."""

import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hms.simulation.mix import Mix
from tests.factories.callers import Caller, Reader
from tests.factories.server import Server

CLINICS = ("riverside", "hillcrest")
ROLES = ("receptionist", "doctor", "clinic-admin")
UNCACHED = {"today": 11, "calendar": 10, "visits": 3, "patients": 3, "patient": 3, "slots": 8, "services": 4, "providers": 3}


class Looked(NamedTuple):
    """An answer, and how many statements it took."""

    status: int
    data: Any
    queries: int


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
        self.mix = Mix[Looked](self._ask, self._page, chance=self.chance, may_write=email.startswith("receptionist"))
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                kind = self.mix.next()
                started = time.monotonic()
                last = self.mix.do(kind)
                self.day.times.append((started, time.monotonic() - started))
                self.day.requests[kind] += 1
                self.day.statuses[last.status] += 1
                if kind in UNCACHED:
                    self.day.whole[kind] += not last.queries
                    self.day.statements[kind] += last.queries
                self.over.wait(self.chance.uniform(0.01, 0.05))
        except BaseException as error:
            self.failure = error

    def _ask(self, kind: str, method: str, path: str, body: Any) -> Looked:
        reply = self.caller.send(method, path, body)
        return Looked(reply.status, reply.data, reply.queries)

    def _page(self, kind: str, path: str) -> Looked:
        return Looked(200, None, self.reader.read(path).queries)


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
