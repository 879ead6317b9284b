"""Very many open streams while a clinic's day goes on: how late events are, and whether every reader gets exactly its own.

By hand, with a server of its own: `python -m tests.load.streams` (500 streams, 50 commits a second, a minute; --help says more).
"""

import argparse
import asyncio
import json
import os
import random
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from tests.factories.server import Server

type Connect = Callable[[], psycopg.Connection[Any]]

CLINICS, PEOPLE = 10, 5
EVENTS = "/api/v2/events?channels=appointments"
CHANGE = "UPDATE appointments_appointment SET notes = %s WHERE clinic_id = %s AND id = %s"
POSITIONS = "SELECT position FROM core_domainevent WHERE clinic_id = %s AND position > %s ORDER BY position"
PATIENCE = 30.0  # seconds after the last commit until every reader must have everything


def seed() -> list[dict[str, Any]]:
    """Ten clinics with one visit and five people each; their ids and tokens. Runs in the server's environment."""
    from core.accounts import tokens
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from tests.factories.visits import at, book, make_patient
    from tests.factories.world import Place, _furnish

    made = []
    for number in range(CLINICS):
        slug = f"streams-{number}"
        clinic = Clinic.objects.create(
            slug=slug, name=f"Streams {number}", time_zone="UTC", country="GB", currency="GBP", mrn_prefix=f"S{number}"
        )
        users = [User.objects.create_user(f"{one}@{slug}.test", None, full_name=f"Reader {one}") for one in range(PEOPLE)]
        with clinic_scope(clinic, reason="streams"):
            for user in users:
                Membership.objects.create(clinic=clinic, user=user, roles=[Role.RECEPTIONIST])
            place = Place(clinic)
            _furnish(place)
            visit = book(place, at(place, 3, 10), patient_id=make_patient().pk)
        made.append({
            "clinic": clinic.pk, "visit": visit.pk, "tokens": [tokens.issue(user, clinic_id=clinic.pk).access for user in users],
        })  # fmt: skip
    return made


@dataclass
class Client:
    """A reader that comes back whenever it was cut off, with the last id it has. `came`: position and when it came."""

    host: str
    clinic: int
    token: str
    is_socket: bool
    came: list[tuple[int, float]] = field(default_factory=list)
    last: int | None = None
    first: int = -1
    resyncs: int = 0
    connections: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await (self._socket() if self.is_socket else self._source())
            if self.writer is not None:
                self.writer.close()
            await asyncio.sleep(0.2)

    async def _open(self, request: str) -> asyncio.StreamReader:
        host, _, port = self.host.partition(":")
        reader, self.writer = await asyncio.open_connection(host, int(port))
        self.writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ")[1] not in (b"200", b"101"):
            raise OSError(head.decode())
        self.connections += 1
        return reader

    async def _source(self) -> None:
        known = "" if self.last is None else f"Last-Event-ID: {self.last}\r\n"
        reader = await self._open(
            f"GET {EVENTS} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.token}\r\n{known}\r\n"
        )
        rest = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            rest += (await reader.readexactly(size + 2))[:-2]
            *blocks, rest = rest.split(b"\n\n")
            now = time.perf_counter()
            for block in blocks:
                for line in block.split(b"\n"):
                    if line.startswith(b"data: "):
                        self._take(json.loads(line[6:]), now)

    async def _socket(self) -> None:
        reader = await self._open(
            f"GET /ws/ HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self._say({"type": "auth", "token": self.token})
        after = {} if self.last is None else {"last_event_id": self.last}
        self._say({"type": "subscribe", "channels": ["appointments"], **after})
        while True:
            first, length = await reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
            body = await reader.readexactly(length)
            if first & 15 == 8:
                return
            self._take(json.loads(body), time.perf_counter())

    def _say(self, frame: dict[str, Any]) -> None:
        body = json.dumps(frame).encode()
        length = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(body))
        assert self.writer is not None
        self.writer.write(b"\x81" + length + b"\0\0\0\0" + body)  # a mask of zeros is one too

    def _take(self, frame: dict[str, Any], now: float) -> None:
        kind = frame["type"]
        if kind == "event":
            self.came.append((frame["id"], now))
            self.last = frame["id"]
        elif kind == "resync":
            self.resyncs += 1
            self.last = frame["id"]
        elif kind == ("subscribed" if self.is_socket else "ready"):
            if self.first < 0:
                self.first = self.last = frame["id"]
            self.ready.set()


class Writer(threading.Thread):
    """Changes the visits, one clinic after the other. `told[clinic][n]`: when its n-th change was committed."""

    def __init__(self, seeded: list[dict[str, Any]], connect: Connect, per_second: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.seeded, self.connect, self.pause, self.seconds = seeded, connect, 1 / per_second, seconds
        self.committed: list[list[float]] = [[] for _ in range(CLINICS)]
        self.failures = 0

    def run(self) -> None:
        began, number, connection = time.perf_counter(), 0, None
        while (now := time.perf_counter()) < began + self.seconds:
            due = began + number * self.pause
            if now < due:
                time.sleep(due - now)
            clinic = self.seeded[number % CLINICS]
            try:
                connection = connection or self.connect()
                connection.execute(CHANGE, [f"note {number}", clinic["clinic"], clinic["visit"]])
                connection.commit()
            except psycopg.Error:  # killed: whether it was committed nobody knows, the readers' lists say
                self.failures += 1
                connection = None
                time.sleep(0.2)
            else:
                self.committed[number % CLINICS].append(time.perf_counter())
            number += 1


@dataclass
class Result:
    clients: list[Client]
    wrong: list[str]
    milliseconds: list[float]
    commits: int
    failures: int
    kilobytes: float

    def at(self, share: float) -> float:
        return sorted(self.milliseconds)[int(len(self.milliseconds) * share)] if self.milliseconds else 0.0

    def __str__(self) -> str:
        sockets = sum(one.is_socket for one in self.clients)
        return (
            f"{len(self.clients) - sockets} SSE and {sockets} WebSockets, {self.commits} commits ({self.failures} failed), "
            f"{sum(len(one.came) for one in self.clients)} events delivered, {sum(one.connections for one in self.clients)} "
            f"connections; commit to client p50 {self.at(0.5):.1f} ms, p99 {self.at(0.99):.1f} ms, max {self.at(0.999999):.1f} ms; "
            f"{sum(one.resyncs for one in self.clients)} told to look anew; memory {self.kilobytes:.0f} kB a stream; "
            f"{len(self.wrong)} readers with another list than the database's"
        )


async def load(
    server: "Server",
    *,
    streams: int,
    per_second: int,
    seconds: float,
    cuts: int = 0,
    trouble: Callable[[], None] | None = None,
    connect: Connect | None = None,
) -> Result:
    """`cuts`: connections that are cut each second, at random; `trouble` is called in the middle, in a thread.

    `connect` leads to the server's database where that is not on the tests' own PostgreSQL.
    """
    connect = connect or server.connect
    clients = []
    for number in range(streams):
        clinic = number % CLINICS
        tokens = server.seeded[clinic]["tokens"]
        token = tokens[number // CLINICS % len(tokens)]
        clients.append(Client(server.host, clinic, token, is_socket=number // CLINICS % 2 == 1))
    before = memory_of(server)
    tasks = [asyncio.ensure_future(one.run()) for one in clients]
    async with asyncio.timeout(60):
        for one in clients:
            await one.ready.wait()
    await asyncio.sleep(1)
    kilobytes = (memory_of(server) - before) / streams
    writer = Writer(server.seeded, connect, per_second, seconds)
    writer.start()
    chance, began, troubled = random.Random(7), time.perf_counter(), trouble is None
    while writer.is_alive():
        await asyncio.sleep(1)
        for one in chance.sample(clients, cuts):
            if one.writer is not None:
                one.writer.transport.abort()
        if not troubled and time.perf_counter() - began > seconds / 2:
            troubled = True
            await asyncio.to_thread(trouble)  # type: ignore[arg-type]
    with connect() as psql:
        newest = [[one for (one,) in psql.execute(POSITIONS, [clinic["clinic"], 0])] for clinic in server.seeded]
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until and any(one.last != newest[one.clinic][-1] for one in clients):
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    wrong = [_wrong(one, newest[one.clinic]) for one in clients]
    late = [] if cuts or trouble else _late(clients, writer)
    commits = sum(map(len, writer.committed))
    return Result(clients, [one for one in wrong if one], late, commits, writer.failures, kilobytes)


def _wrong(client: Client, positions: list[int]) -> str:
    """What is wrong with the list of a reader; "" when it is the database's. One that was told to look anew has a gap."""
    wanted = [one for one in positions if one > client.first]
    came = [one for one, _ in client.came]
    if came == wanted:
        return ""
    return f"clinic {client.clinic} {'ws' if client.is_socket else 'sse'}: {len(came)} of {len(wanted)}, {client.resyncs} resyncs"


def _late(clients: list[Client], writer: Writer) -> list[float]:
    """Milliseconds from a commit's return to the event at each reader: the n-th of the clinic is its n-th change."""
    return [
        max(0.0, (came - committed) * 1000)
        for one in clients
        for committed, (_, came) in zip(writer.committed[one.clinic], one.came, strict=False)
    ]


def memory_of(server: "Server") -> float:
    """kB that the server's processes have for themselves (RSS without what they share)."""
    assert server.process is not None
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == server.process.pid:
                    lines = (entry / "smaps_rollup").read_text().splitlines()
                    total += sum(float(one.split()[1]) for one in lines if one.startswith("Private_"))
    return total


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
    django.setup()
    from tests.factories.server import serving
    from tests.load.streams import seed  # by its module's name, for the process that runs it

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--per-second", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cuts", type=int, default=0)
    given = parser.parse_args()
    rates = {"HMS_RATE_ANON": "100000/m", "HMS_RATE_USER": "100000/m"}
    with serving("streams", seed=seed, static=False, variables=rates) as server:
        result = asyncio.run(
            load(server, streams=given.streams, per_second=given.per_second, seconds=given.seconds, cuts=given.cuts)
        )
    sys.stdout.write(f"{result}\n")
    for one in result.wrong[:10]:
        sys.stdout.write(f"  {one}\n")


if __name__ == "__main__":
    main()
