"""Watches the statements of one request: how many, how long, and which of them came again and again (an N+1).

The one execute wrapper a request has. Ordinarily it costs a few microseconds a statement (`cost()` measures it); where a
statement came from is looked up only when it comes for the third time.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.db import connections

from core.database.fingerprint import NOT_COUNTED, Fingerprint, fingerprint, text_of
from core.database.slow import slow_log
from core.tracing import hooks

logger = logging.getLogger(__name__)

REPEATS = 3  # the same statement so many times is a repetition
MOST_KEPT = 500  # repetitions of different places that the statistics remember
PASSED_OVER = ("core/database/", "core/tenancy/")  # every statement comes through these

Label = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Repetition:
    """One statement that a request sent `count` times, `milliseconds` in all; `site` is the place in the code."""

    text: str
    kind: str
    count: int
    milliseconds: float
    site: str

    def __str__(self) -> str:
        return f"{self.count} times from {self.site}: {self.text[:300]}"


class _Seen:
    """A statement in the count of one request."""

    __slots__ = ("count", "kind", "milliseconds", "site", "text")

    def __init__(self, text: str, kind: str) -> None:
        self.text, self.kind = text, kind
        self.count, self.milliseconds, self.site = 0, 0.0, ""


class Detector:
    """An execute wrapper. Context, BEGIN, COMMIT and savepoints are not counted; `milliseconds` include sending the context."""

    def __init__(self, label: Label = str) -> None:
        self.count = 0
        self.milliseconds = 0.0
        self.label = label
        self._seen: dict[str, _Seen] = {}

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        sql = text_of(sql)
        if sql.startswith(NOT_COUNTED):
            return execute(sql, params, many, context)
        ran = False
        started = time.perf_counter()
        try:
            result = execute(sql, params, many, context)
            ran = True
            return result
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            mark = self._note(sql, milliseconds)
            if hooks.tracing is not None:
                hooks.tracing.statement(mark.kind, mark.text, milliseconds / 1000, ran=ran)
            if milliseconds >= settings.HMS_SLOW_QUERY_MS > 0:
                place = f"{self.label()} from {call_site(sys._getframe(1))}"
                slow_log.note(context["connection"], sql, params, mark, milliseconds, place, ran=ran and not many)

    def _note(self, sql: str, milliseconds: float) -> Fingerprint:
        self.count += 1
        self.milliseconds += milliseconds
        mark = fingerprint(sql)
        seen = self._seen.get(mark.digest)
        if seen is None:
            seen = self._seen[mark.digest] = _Seen(mark.text, mark.kind)
        seen.count += 1
        seen.milliseconds += milliseconds
        if seen.count == REPEATS:
            seen.site = call_site(sys._getframe(2))
        return mark

    def repetitions(self, at_least: int = REPEATS) -> list[Repetition]:
        """What came so many times or more, most often first."""
        found = [
            Repetition(seen.text, seen.kind, seen.count, seen.milliseconds, seen.site)
            for seen in self._seen.values()
            if seen.count >= at_least
        ]
        return sorted(found, key=lambda one: -one.count)

    @contextmanager
    def on(self, *watched: Any) -> Iterator["Detector"]:
        """Watch these connections; all of them when none is named."""
        chosen: Iterable[Any] = watched or connections.all()
        wrappers = [connection.execute_wrappers for connection in chosen]
        for wrapper in wrappers:
            wrapper.append(self)
        try:
            yield self
        finally:
            for wrapper in wrappers:
                wrapper.remove(self)


def call_site(frame: FrameType | None, passed_over: tuple[str, ...] = PASSED_OVER) -> str:
    """The innermost place of the project that led here, as `file:line`; a template's line where a template asked."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.endswith("django/template/base.py") and frame.f_code.co_name == "render_annotated":
            return _template_site(frame.f_locals["self"])
        if (place := _in_project(name)) and not place.startswith(passed_over):
            return f"{place}:{frame.f_lineno}"
        frame = frame.f_back
    return "outside of the project"


def _template_site(node: Any) -> str:
    origin = _in_project(str(node.origin)) or str(node.origin)
    return f"{origin}:{node.token.lineno if node.token else '?'}"


def _in_project(name: str) -> str:
    """The path below the project's folder; empty for a library's."""
    path = Path(name)
    if not path.is_relative_to(settings.BASE_DIR) or "site-packages" in path.parts:
        return ""
    return path.relative_to(settings.BASE_DIR).as_posix()


# --- What is told of finished requests ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Totals:
    """Counts since the process began; `repeating` are requests that sent a statement again and again."""

    requests: int
    statements: int
    milliseconds: float
    repeating: int


class Statistics:
    """This process's requests, counted: for metrics. Some 2 us a request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = self.statements = self.repeating = 0
        self.milliseconds = 0.0
        self._repetitions: dict[tuple[str, str], list[Any]] = {}

    def add(self, detector: Detector) -> None:
        repeated = detector.repetitions()
        with self._lock:
            self.requests += 1
            self.statements += detector.count
            self.milliseconds += detector.milliseconds
            self.repeating += bool(repeated)
            for one in repeated:
                key = (detector.label(), one.site)
                if key in self._repetitions or len(self._repetitions) < MOST_KEPT:
                    kept = self._repetitions.setdefault(key, [0, 0, one.text])
                    kept[0] += 1
                    kept[1] += one.count

    def totals(self) -> Totals:
        """The bare counts."""
        with self._lock:
            return Totals(self.requests, self.statements, self.milliseconds, self.repeating)

    def snapshot(self) -> dict[str, Any]:
        """Requests, statements, their milliseconds, slow ones, requests that repeated themselves, and where these come from."""
        with self._lock:
            repetitions = [
                {"route": route, "site": site, "requests": times, "statements": count, "text": text}
                for (route, site), (times, count, text) in self._repetitions.items()
            ]
            return {
                "requests": self.requests,
                "statements": self.statements,
                "milliseconds": round(self.milliseconds, 3),
                **slow_log.snapshot(),
                "repeating": self.repeating,
                "repetitions": repetitions,
            }


def warn(detector: Detector) -> None:
    """In development: a line in the log for each statement that came again and again."""
    for one in detector.repetitions():
        logger.warning("%s repeats a statement %s", detector.label(), one)


statistics = Statistics()
Listener = Callable[[Detector], None]
listeners: list[Listener] = [statistics.add]  # development adds a log, the tests add a failure


def finished(detector: Detector) -> None:
    """A request is over: tell whoever listens."""
    for listener in listeners:
        listener(detector)


def cost(statements: int = 100_000) -> float:
    """Microseconds of processor time that watching adds to one statement: a page's twelve different ones, over and over.

    `manage.py shell -c "from core.database.detector import cost; print(cost())"`
    """

    def nothing(sql: str, params: Any, many: bool, context: dict[str, Any]) -> None:
        return None

    starts = [f'SELECT "t"."id", "t"."name", "t"."c{n}" FROM "t" WHERE ' for n in range(12)]  # noqa: S608 (never sent)
    end = '"t"."clinic_id" = %s AND "t"."state" = %s ORDER BY "t"."name" ASC LIMIT 26'
    rounds = statements // len(starts)

    def timed(watched: bool) -> float:
        started = time.thread_time()
        for _ in range(rounds):
            call = Detector() if watched else None
            for start in starts:
                sql = start + end  # a new string each time, as Django compiles one
                if call is None:
                    nothing(sql, None, False, {})
                else:
                    call(nothing, sql, None, False, {})
        return time.thread_time() - started

    bare = min(timed(False) for _ in range(3))
    return (min(timed(True) for _ in range(3)) - bare) / (rounds * len(starts)) * 1e6
