"""What the lines add up to."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from core.faults.shapes import VALUES
from core.log_report.figures import Kept, Slowest, Spread

MOST_ROUTES, MOST_ERRORS, MOST_CLINICS, MOST_HOURS = 2000, 1000, 10_000, 24 * 400
OF_AN_ERROR = 50  # clinics and routes that are told apart
REQUESTS = "hms.requests"
ERRORS = ("error", "critical")
LONGEST = 300  # characters


class Fault:
    """One error, by the same fingerprint as in the administration; lines without one by logger and text."""

    __slots__ = ("clinics", "count", "error", "event", "first", "last", "names")

    def __init__(self) -> None:
        self.count, self.first, self.last, self.error, self.event = 0, "", "", "", ""
        self.clinics, self.names = set[str](), set[str]()

    def add(self, line: dict[str, Any]) -> None:
        at = line["timestamp"]
        self.count += 1
        self.first, self.last = min(self.first or at, at), max(self.last, at)
        self.event = self.event or VALUES.sub("#", _text(line, "event"))[:LONGEST]
        self.error = self.error or _text(line, "exception").rstrip().rpartition("\n")[2][:LONGEST]
        for kept, name in ((self.clinics, "clinic_id"), (self.names, "route"), (self.names, "job_kind")):
            if len(kept) < OF_AN_ERROR and (value := _text(line, name)):
                kept.add(value)

    def as_json(self, key: str) -> dict[str, Any]:
        told = {"fault": key, "count": self.count, "error": self.error, "event": self.event, "first": self.first, "last": self.last}
        return {**told, "clinics": len(self.clinics), "where": sorted(self.names)[:5]}


class Hour:
    __slots__ = ("errors", "requests", "spread")

    def __init__(self) -> None:
        self.requests = self.errors = 0
        self.spread = Spread()


class Report:
    """`top`: how many of each list are told."""

    def __init__(self, top: int = 10) -> None:
        self._top = top
        self.first = self.last = ""
        self.levels, self.statuses = Counter[str](), Counter[str]()
        self.faults, self.routes = Kept(Fault, MOST_ERRORS), Kept(Spread, MOST_ROUTES)
        self.clinics, self.hours = Kept(Spread, MOST_CLINICS), Kept(Hour, MOST_HOURS)
        self.requests = Spread()
        self.slowest = Slowest(top)

    def add_all(self, lines: Iterable[dict[str, Any]], *, since: str = "", until: str = "") -> None:
        """`since` and `until` are compared as text: 2026-01-31T10."""
        for line in lines:
            at = line["timestamp"]
            if at >= since and (not until or at < until):
                self.add(line)

    def add(self, line: dict[str, Any]) -> None:
        at, level = line["timestamp"], _text(line, "level")
        self.first, self.last = min(self.first or at, at), max(self.last, at)
        self.levels[level if level.isalpha() and len(level) < 10 else "(other)"] += 1
        milliseconds = line.get("ms")
        if line.get("logger") == REQUESTS and isinstance(milliseconds, int | float):
            self._request(line, float(milliseconds))
        fault = _text(line, "fault")
        if fault or level in ERRORS:
            key = fault or f"{_text(line, 'logger')}: {VALUES.sub('#', _text(line, 'event'))}"[:LONGEST]
            self.faults.of(key).add(line)
            self.hours.of(at[:13]).errors += 1

    def _request(self, line: dict[str, Any], milliseconds: float) -> None:
        route = f"{_text(line, 'method')} {_text(line, 'route') or '(no route)'}"
        status = line.get("status")
        self.statuses[str(status) if isinstance(status, int) and 100 <= status < 600 else "(other)"] += 1
        hour = self.hours.of(line["timestamp"][:13])
        hour.requests += 1
        for spread in (self.requests, self.routes.of(route), hour.spread):
            spread.add(milliseconds)
        if clinic := _text(line, "clinic_id"):
            self.clinics.of(clinic).add(milliseconds)
        told = {name: line.get(name) for name in ("ms", "timestamp", "status", "queries", "db_ms", "request_id")}
        self.slowest.add(milliseconds, {"route": route, **told})

    def as_json(self) -> dict[str, Any]:
        faults = sorted(self.faults.items(), key=lambda one: (-one[1].count, one[0]))
        routes = sorted(self.routes.items(), key=lambda one: (-one[1].total, one[0]))
        clinics = sorted(self.clinics.items(), key=lambda one: (-one[1].count, one[0]))
        return {
            "first": self.first,
            "last": self.last,
            "levels": dict(sorted(self.levels.items())),
            "requests": self.requests.as_json(),
            "statuses": dict(sorted(self.statuses.items())),
            "errors": [one.as_json(key) for key, one in faults[: self._top]],
            "routes": [{"route": key, **one.as_json()} for key, one in routes[: self._top]],
            "slowest": self.slowest.as_json(),
            "clinics": [{"clinic": key, **one.as_json()} for key, one in clinics[: self._top]],
            "hours": [
                {"hour": key, "requests": one.requests, "errors": one.errors, "p95": one.spread.percentile(0.95)}
                for key, one in sorted(self.hours.items())
            ],
        }


def _text(line: dict[str, Any], name: str) -> str:
    value = line.get(name)
    return value if isinstance(value, str) else ""
