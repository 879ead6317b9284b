"""Many people want the same thing at the same moment: races for a slot, a room and a patient through the real HTTP server.

By hand, against a server whose database `seed` has filled: `python -m tests.load.races http://127.0.0.1:8000 1000 < seeded.json`
"""

import json
import sys
import time as clock
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from http.client import HTTPConnection
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

CONNECTIONS = 16
IDLE_SECONDS = 1.0  # the server closes a connection that nobody used for two seconds
PASSWORD = "Race-For-It-2026"
PROVIDERS, DAYS, PER_DAY = 16, 5, 30  # 2,400 different slots of 20 minutes


def seed() -> dict[str, Any]:
    """One clinic with providers, rooms and patients enough; returns their ids. Runs in the server's environment."""
    from appointments.models import Schedule, Service, ServiceProvider
    from clinics.models import ClinicSettings, Location, Provider, Room
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from tests.factories.visits import make_patient

    clinic = Clinic.objects.create(slug="races", name="Races", time_zone="UTC", country="GB", currency="GBP", mrn_prefix="RC")
    user = User.objects.create_user("races@races.test", PASSWORD, full_name="Race Starter")
    with clinic_scope(clinic, reason="races"):
        Membership.objects.create(clinic=clinic, user=user, roles=[Role.RECEPTIONIST])
        ClinicSettings.objects.create()
        location = Location.objects.create(name="Stadium")
        rooms = [Room.objects.create(location=location, name=f"{number:02d}") for number in range(PROVIDERS)]
        service = Service.objects.create(name="Race", duration_minutes=20, room_kind=Room.Kind.CONSULTING)
        providers = [Provider.objects.create(name=f"Runner {number:02d}") for number in range(PROVIDERS)]
        for provider in providers:
            ServiceProvider.objects.create(service=service, provider=provider)
            for weekday in range(7):
                Schedule.objects.create(
                    provider=provider, location=location, weekday=weekday, start_time=time(8), end_time=time(18), slot_minutes=20
                )
        patients = [make_patient() for _ in range(CONNECTIONS)]
        return {
            "service": service.pk,
            "providers": [provider.pk for provider in providers],
            "rooms": [room.pk for room in rooms],
            "patients": [patient.pk for patient in patients],
        }


@dataclass
class Outcome:
    """What came of the races: winners of each, answers by status, refusals without enough alternatives, times in ms."""

    winners: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    without_alternatives: int = 0
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    def __str__(self) -> str:
        return (
            f"{len(self.winners)} races in {self.seconds:.1f} s, answers {dict(self.statuses)}, refusals {dict(self.reasons)}, "
            f"p50 {self.percentile(0.5):.0f} ms, p99 {self.percentile(0.99):.0f} ms"
        )


def bodies(seeded: dict[str, Any], kind: str, count: int) -> Iterator[list[dict[str, Any]]]:
    """For each race what each of the clients asks for.

    `slot`: the same provider at the same time for different patients; `room`: different providers and patients, one room;
    `patient`: one patient with different providers.
    """
    first = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(8), UTC)
    for race in range(count):
        turn, provider = divmod(race, PROVIDERS)
        day, step = divmod(turn, PER_DAY)
        days_before = {"slot": 0, "room": DAYS * 2, "patient": DAYS * 4}[kind]
        start = first + timedelta(days=day + days_before, minutes=20 * step)
        same = {"service": seeded["service"], "start": start.isoformat()}
        if kind == "slot":
            yield [same | {"provider": seeded["providers"][provider], "patient": patient} for patient in seeded["patients"]]
            continue
        start = first + timedelta(days=days_before + race // PER_DAY, minutes=20 * (race % PER_DAY))
        same = {"service": seeded["service"], "start": start.isoformat()}
        pairs = list(zip(seeded["providers"], seeded["patients"], strict=True))
        if kind == "room":
            room = seeded["rooms"][race % PROVIDERS]
            yield [same | {"provider": one, "patient": patient, "room": room} for one, patient in pairs]
        else:
            yield [same | {"provider": one, "patient": seeded["patients"][race % CONNECTIONS]} for one, _ in pairs]


def run(url: str, seeded: dict[str, Any], *, kind: str = "slot", count: int = 100) -> Outcome:
    """Run the races one after the other, each with all clients at once over connections that stay open."""
    host = urlsplit(url).netloc
    token = _sign_in(host)
    connections = [HTTPConnection(host, timeout=60) for _ in range(CONNECTIONS)]
    last_used = [0.0] * CONNECTIONS
    barrier = Barrier(CONNECTIONS)
    outcome = Outcome()
    started = clock.perf_counter()

    def ask(number: int, body: dict[str, Any]) -> tuple[int, dict[str, Any], float]:
        if clock.perf_counter() - last_used[number] > IDLE_SECONDS:
            connections[number].close()
        barrier.wait()
        begun = clock.perf_counter()
        status, answer = _post(connections[number], "/api/v2/appointments", body, token)
        last_used[number] = clock.perf_counter()
        return status, answer, (clock.perf_counter() - begun) * 1000

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for wishes in bodies(seeded, kind, count):
            answers = list(pool.map(ask, range(CONNECTIONS), wishes))
            outcome.winners.append(sum(status == 201 for status, _, _ in answers))
            for status, answer, milliseconds in answers:
                outcome.statuses[status] += 1
                outcome.milliseconds.append(milliseconds)
                if status != 201:
                    error = answer.get("error", {})
                    outcome.reasons.update(detail["code"] for detail in error.get("details", []))
                    outcome.without_alternatives += len(error.get("alternatives", ())) < 3
    outcome.seconds = clock.perf_counter() - started
    for connection in connections:
        connection.close()
    return outcome


def _sign_in(host: str) -> str:
    connection = HTTPConnection(host, timeout=30)
    _, answer = _post(connection, "/api/v2/auth/token", {"email": "races@races.test", "password": PASSWORD})
    connection.close()
    access: str = answer["data"]["access"]
    return access


def _post(connection: HTTPConnection, path: str, body: dict[str, Any], token: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    return response.status, json.loads(content) if content.startswith(b"{") else {}


if __name__ == "__main__":
    sys.stdout.write(f"{run(sys.argv[1], json.load(sys.stdin), count=int(sys.argv[2]))}\n")
