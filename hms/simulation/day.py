"""Plays the script: every clinic's people at once, each person one thing after the other, by a clock that runs faster."""

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from itertools import count
from uuid import UUID
from zoneinfo import ZoneInfo

from hms.simulation.calling import Caller, NotSignedIn
from hms.simulation.consulting import Consulting, Later
from hms.simulation.desk import Desk, prepare
from hms.simulation.integrator import Copy, Listener
from hms.simulation.people import ClinicDay, Colleague
from hms.simulation.record import Record
from hms.simulation.script import HOURS, Act, What, script_of_day

STREAM_SECONDS = 30.0  # until a stream is ready
STRANGERS = 5  # records of another clinic that are asked for

type Say = Callable[[str], None]
type Done = tuple[bool, Iterable[Later]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the day goes. `speed`: seconds of the day in one second. `kiosks`: by clinic and location, their paths."""

    host: str
    clinics: tuple[str, ...]  # slugs
    password: str = field(repr=False)
    seed: int = 1
    speed: float = 60.0
    hours: float = HOURS
    kiosks: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Clock:
    speed: float
    over: threading.Event
    started: float = 0.0

    def wait_until(self, at: float) -> float:
        """Until the day is `at` seconds old; returns by how many real seconds it is later than that."""
        due = self.started + at / self.speed
        self.over.wait(max(0.0, due - time.monotonic()))
        return max(0.0, time.monotonic() - due)

    def now(self) -> float:
        return (time.monotonic() - self.started) * self.speed


class Lane(threading.Thread):
    """One person's day: acts in their order, and what follows from them in between."""

    def __init__(self, name: str, clock: Clock, record: Record, acts: Iterable[Act], do: Callable[[Act], Done]) -> None:
        super().__init__(daemon=True, name=name)
        self.clock, self.record, self.do = clock, record, do
        self._numbers = count()
        self._todo: list[tuple[float, int, Act | Callable[[], Iterable[Later]]]] = []
        self.failure: BaseException | None = None
        for act in acts:
            self._add(act.at, act)

    def _add(self, at: float, what: Act | Callable[[], Iterable[Later]]) -> None:
        heapq.heappush(self._todo, (at, next(self._numbers), what))

    def run(self) -> None:
        try:
            while self._todo and not self.clock.over.is_set():
                at, _, what = heapq.heappop(self._todo)
                self.record.latest = max(self.record.latest, self.clock.wait_until(at))
                for seconds, following in self._done(what):
                    self._add(max(at, self.clock.now()) + seconds, following)
        except BaseException as error:
            self.failure = error

    def _done(self, what: Act | Callable[[], Iterable[Later]]) -> Iterable[Later]:
        if not isinstance(what, Act):
            return what()
        done, later = self.do(what)
        self.record.acted(what.what, done=done)
        return later


@dataclass
class Clinic:
    """Everybody of one clinic, and what they know."""

    day: ClinicDay
    desk: Desk
    consulting: Consulting
    copy: Copy
    listener: Listener

    def lanes(self, clock: Clock, record: Record, acts: Iterable[Act]) -> list[Lane]:
        mine = list(acts)
        kinds: list[tuple[str, set[What], Callable[[Act], Done]]] = [
            ("desk", set(self.desk.acts), lambda act: (self.desk.acts[act.what](act), ())),
            ("consulting", {What.CALL}, self._call),
            ("reading", {What.READ}, self._read),
        ]
        return [
            Lane(f"{name} {self.day.slug}", clock, record, [act for act in mine if act.what in own], do) for name, own, do in kinds
        ]

    def _call(self, act: Act) -> Done:
        later = self.consulting.call(act)
        return later is not None, later or ()

    def _read(self, _: Act) -> Done:
        self.copy.catch_up()
        return True, ()


@dataclass
class Played:
    """A day that is over: its record, and what each clinic's own systems have."""

    plan: Plan
    record: Record
    clinics: dict[str, Clinic]
    seconds: float = 0.0

    @property
    def ids(self) -> dict[str, UUID]:
        return {slug: one.day.id for slug, one in self.clinics.items()}

    def stop(self) -> None:
        for one in self.clinics.values():
            one.listener.stop()


def play(plan: Plan, *, say: Say, over: threading.Event | None = None) -> Played:
    """The whole day; the streams stay open until `Played.stop`. `over` ends it early. Raises NotSignedIn, OSError when nobody
    serves, and whatever somebody's day ended with."""
    over, record = over or threading.Event(), Record()
    clinics = {slug: _clinic(plan, slug, record, over) for slug in plan.clinics}
    _introduce_strangers(list(clinics.values()))
    played = Played(plan, record, clinics)
    for one in clinics.values():
        one.listener.start()
    for one in clinics.values():
        one.copy.catch_up()
        if not one.listener.ready.wait(STREAM_SECONDS) or one.listener.heard.since < 0:
            raise NotSignedIn(f"The stream of {one.day.slug} is not ready after {STREAM_SECONDS:.0f} s.")
    script = script_of_day(plan.seed, clinics=len(clinics), hours=plan.hours)
    say(f"{len(script)} acts at {len(clinics)} clinics, {plan.hours:g} hours in {plan.hours * 3600 / plan.speed:.0f} s")
    began = time.monotonic()
    _play_script(plan, script, played, over, say)
    say("The doors are shut: who is inside is finished, who still waits goes home")
    for one in clinics.values():
        one.consulting.close()
        one.copy.catch_up()
    played.seconds = time.monotonic() - began
    return played


def _play_script(plan: Plan, script: tuple[Act, ...], played: Played, over: threading.Event, say: Say) -> None:
    clock = Clock(plan.speed, over)
    lanes = [
        lane
        for number, one in enumerate(played.clinics.values())
        for lane in one.lanes(clock, played.record, (act for act in script if act.clinic == number))
    ]
    clock.started = time.monotonic()
    for lane in lanes:
        lane.start()
    hour = 0
    while any(lane.is_alive() for lane in lanes):
        for lane in lanes:
            lane.join(0.2)
        if clock.now() // 3600 > hour:
            hour = int(clock.now() // 3600)
            say(f"{hour} h: {len(played.record.answers)} answers")
        if failed := [lane for lane in lanes if lane.failure is not None]:
            over.set()
            raise failed[0].failure or RuntimeError(failed[0].name)


def _clinic(plan: Plan, slug: str, record: Record, over: threading.Event) -> Clinic:
    def colleague(role: str) -> Colleague:
        return Colleague(plan.host, f"{role}@{slug}.demo", plan.password, record, over)

    desk, doctor, auditor, outside = (colleague(role) for role in ("receptionist", "doctor", "auditor", "compliance-officer"))
    clinic = next(iter(desk.rows("clinic", "/api/v2/clinics", limit=1)), None)
    if clinic is None:
        raise NotSignedIn(f"{desk.email} is not told which clinic it is.")
    day = ClinicDay(slug, UUID(clinic["id"]), _today(clinic["time_zone"]), kiosks=plan.kiosks.get(slug, {}))
    for one in (desk, doctor, auditor, outside):
        one.clinic_id = day.id
    prepare(desk, day)
    return Clinic(day, Desk(desk, day), Consulting(doctor, day), Copy(auditor, day), Listener(outside))


def _introduce_strangers(clinics: list[Clinic]) -> None:
    """Each clinic's desk learns ids of the next one's records, which it must not be shown."""
    for one, other in zip(clinics, clinics[1:] + clinics[:1], strict=True):
        if one is not other:
            one.day.strangers = [("patient", row["id"]) for row in other.day.patients[:STRANGERS]]
            one.day.strangers += [("appointment", key) for key in other.day.expected[:STRANGERS]]


def _today(zone: str) -> str:
    return datetime.now(ZoneInfo(zone)).date().isoformat()


def is_served(host: str) -> bool:
    """Does somebody answer there?"""
    try:
        return Caller(host).get("/health").status == 200
    except (OSError, HTTPException):
        return False
