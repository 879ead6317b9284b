"""Measures HMS as clients meet it: through gunicorn, with sign-in, tenancy and everything else that a request goes through."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from itertools import cycle, islice, repeat
from pathlib import Path
from statistics import median
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from core.audit.draining import spool_folder
from core.audit.spool import waiting
from hms.scale.figures import Figures, figures_of
from hms.scale.load import Load, NoAnswer, Requests
from hms.scale.material import Desk
from hms.scale.scenarios import API, CONNECTIONS, LIST, SCENARIOS, Scenario
from hms.scale.serving import Served, hms_served, yardstick_served

MOST_SETTLING = 120.0  # seconds
WARMING = 0.5  # seconds before each scenario that reads the same again and again
BEGINNING = 2.0  # seconds of a paced scenario that are told apart: what a process does for the first time takes longer
PACED_TURNS = 5  # of as many seconds as others have in all; their middle p50 and p99 are told
SOAK = 10_000  # requests of a worker after which its memory is measured, and the unit of those that follow
SOAK_AFTER = 50_000
SOAK_TURN = 1_000  # requests over the same connections
LIST_CLINICS = 40  # whose first and last pages are compared
PLAIN: list[Requests] = [repeat(b"GET /plain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")] * CONNECTIONS
TURNS = 16  # in which what is kept and the yardstick are measured: a machine is not as fast in one second as in the next
BESIDE = 0.5  # seconds of the yardstick before and after every other scenario
type Say = Callable[[str], None]


@dataclass(slots=True)
class OverHttp:
    """What one run found. `memory`: megabytes of a worker by the number of its requests; `pages`: first and last of a list."""

    figures: dict[str, Figures] = field(default_factory=dict)
    memory: dict[int, float] = field(default_factory=dict)
    pages: dict[str, tuple[Figures, Figures]] = field(default_factory=dict)


def measure_plain(seconds: float) -> Figures:
    """The yardstick: a bare Django view on as many connections."""
    with yardstick_served() as served:
        Load(served.address, WARMING).run(PLAIN)
        return Load(served.address, seconds).run(PLAIN)


def measure_hms(database: str, desks: Sequence[Desk], wanted: Callable[[str], bool], seconds: float, say: Say) -> OverHttp:
    """Every scenario whose name is wanted, one after the other on one server, and memory on another. Raises NotServed, NoAnswer."""
    found = OverHttp()
    with yardstick_served() as yardstick, hms_served(database) as served:
        Load(yardstick.address, WARMING).run(PLAIN)
        if wanted("first and last pages"):
            say("first and last pages")
            found.pages = _pages(served, desks[-LIST_CLINICS:])
        for scenario in (one for one in SCENARIOS if wanted(one.name)):
            say(scenario.name)
            _settle(database)
            found.figures |= _measured(served, yardstick, scenario, desks, seconds)
    if wanted("memory"):
        say("memory")
        with hms_served(database, WEB_CONCURRENCY="1") as served:
            found.memory = _memory(served, desks)
    return found


def _settle(database: str) -> None:
    """Wait until the access log of what was asked before is in the database: that work is no later scenario's."""
    folder, deadline = spool_folder(database), time.monotonic() + MOST_SETTLING
    while any(_size(path) for path in waiting(folder)):
        if time.monotonic() > deadline:
            raise NoAnswer(f"The access log is not in the database {MOST_SETTLING:g} s after the last request.")
        time.sleep(0.2)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # emptied meanwhile
        return 0


def _measured(served: Served, yardstick: Served, scenario: Scenario, desks: Sequence[Desk], seconds: float) -> dict[str, Figures]:
    """The scenario's figures, with what the yardstick answered in the same seconds.

    By turns: their middle ratio. Of what asks nothing twice: the better of before and after.
    """
    streams = scenario.streams(desks)
    if scenario.again:
        Load(served.address, WARMING).run(streams)
        ours, plain = Load(served.address, 2 * seconds / TURNS), Load(yardstick.address, seconds / TURNS)
        plain_of_ours = median(plain.turn(PLAIN) / (ours.turn(scenario.streams(desks)) or 1.0) for _ in range(TURNS))
        found = ours.figures()
        found.plain_per_second = found.per_second * plain_of_ours
        return {scenario.name: found}
    before = Load(yardstick.address, BESIDE).run(PLAIN)
    figures = dict(_once(served, scenario, streams, seconds))
    after = Load(yardstick.address, BESIDE).run(PLAIN)
    for one in figures.values():
        one.plain_per_second = max(before.per_second, after.per_second)
    return figures


def _once(served: Served, scenario: Scenario, streams: list[Requests], seconds: float) -> Iterator[tuple[str, Figures]]:
    """A scenario that asks nothing twice; a paced one in two parts."""
    if scenario.pace:
        first = min(BEGINNING, seconds)
        yield f"{scenario.name}, the first {first:g} s", Load(served.address, first, pace=scenario.pace).run(streams)
        yield scenario.name, _middle_of_turns(Load(served.address, seconds, pace=scenario.pace), streams)
    else:
        yield scenario.name, Load(served.address, seconds).run(streams)


def _middle_of_turns(load: Load, streams: list[Requests]) -> Figures:
    """All answers, and the middle p50 and p99 of the turns: one second in which the machine did something else decides neither.

    A turn for which nothing is left to ask is none.
    """
    p50, p99 = [], []
    for _ in range(PACED_TURNS):
        before = len(load.times)
        if not load.turn(streams):
            break
        turn = figures_of(load.times[before:])
        p50.append(turn.p50)
        p99.append(turn.p99)
    return replace(load.figures(), p50=median(p50 or [0.0]), p99=median(p99 or [0.0]))


def _memory(served: Served, desks: Sequence[Desk]) -> dict[int, float]:
    """Memory of a server's only worker after so many requests, lists and details by turns.

    Of two workers, neither would have had a known number of them.
    """
    found, turns = {}, [_turns(desk) for desk in desks[:CONNECTIONS]]
    for asked in range(SOAK_TURN, SOAK + SOAK_AFTER + 1, SOAK_TURN):
        Load(served.address, 120.0).run([islice(turn, SOAK_TURN // len(turns)) for turn in turns])
        if asked % SOAK == 0:
            found[asked] = max(served.memory(), default=0.0)
    return found


def _turns(desk: Desk) -> Iterator[bytes]:
    for patient in cycle(desk.patients):
        yield desk.get(LIST(desk, 0))
        yield desk.get(f"{API}patients/{patient.pk}")


# --- First and last pages of every list -------------------------------------------------------------------------------
def lists() -> dict[str, str]:
    """The default ordering of every list of API version 2 that comes in pages, by its path."""
    found = {}
    for path, view in _views(get_resolver(), ""):
        cls: Any = getattr(view, "cls", None)
        lists = "list" in getattr(view, "actions", {}).values() and not set("<(") & set(path)
        if lists and path.startswith(API[1:]) and cls.pagination_class is not None:
            found[path] = cls.default_ordering
    return found


def _views(resolver: URLResolver, before: str) -> Iterator[tuple[str, Any]]:
    for one in resolver.url_patterns:
        path = before + str(one.pattern).lstrip("^").rstrip("$")
        if isinstance(one, URLPattern):
            yield path, one.callback
        else:
            yield from _views(one, path)


def _pages(served: Served, desks: Sequence[Desk]) -> dict[str, tuple[Figures, Figures]]:
    """The first page and the last of each list, by one client, once a clinic: neither has been asked for before."""
    found = {}
    line = HTTPConnection(*served.address, timeout=30)
    for path, ordering in lists().items():
        firsts, lasts = [], []
        for desk in desks:
            if (cursor := _cursor_of_last(line, desk, f"/{path}", ordering)) is None:
                break
            firsts.append(_timed(line, desk, f"/{path}?limit=25")[0])
            lasts.append(_timed(line, desk, f"/{path}?limit=25&ordering={_turned(ordering)}&cursor={cursor}")[0])
        if firsts:
            found[path] = figures_of(firsts), figures_of(lasts)
    line.close()
    return found


def _turned(ordering: str) -> str:
    return ordering.removeprefix("-") if ordering.startswith("-") else f"-{ordering}"


def _cursor_of_last(line: HTTPConnection, desk: Desk, path: str, ordering: str) -> str | None:
    """Where the list ends: the way back from the second page of the other direction.

    None for a list of one page, and for one that a receptionist may not see.

    The first page's rows are read too, so that both ends have been touched before they are measured.
    """
    _, first = _timed(line, desk, f"{path}?limit=24")
    _, end = _timed(line, desk, f"{path}?limit=25&ordering={_turned(ordering)}")
    if not first or not first["meta"]["page"]["next"] or not end["meta"]["page"]["next"]:
        return None
    _, second = _timed(line, desk, f"{path}?limit=25&ordering={_turned(ordering)}&cursor={end['meta']['page']['next']}")
    previous: str = second["meta"]["page"]["previous"]
    return previous


def _timed(line: HTTPConnection, desk: Desk, path: str) -> tuple[float, Any]:
    started = time.perf_counter()
    line.request("GET", path, headers={"Authorization": f"Bearer {desk.bearer}"})
    answer = line.getresponse()
    body = answer.read()
    took = (time.perf_counter() - started) * 1000
    if answer.status not in (200, 403):
        raise NoAnswer(f"{path.partition('?')[0]} answered {answer.status}.")
    return took, json.loads(body) if answer.status == 200 else None
