"""The named reads of HMS, and how each is carried out by PostgreSQL.

A domain app registers its operations in `operations.py`; the plans themselves are methods of its querysets. Whoever measures
(`manage.py explain`, `manage.py benchmark`, the tests) takes them from here.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet

from core.database.detector import REPEATS
from core.database.explain import EXPLAINABLE, FEW_ROWS, Finding, Plan, explained
from core.database.fingerprint import NOT_COUNTED, Fingerprint, fingerprint, text_of
from core.tenancy.units import unit_of

Arguments = Mapping[str, Any]

which_sample: ContextVar[int] = ContextVar("hms_which_sample", default=0)  # whoever wants several gives each a number


class NoSample(LookupError):
    """The clinic has nothing on which the operation could be tried; the message says what is missing."""


class UnknownOperation(LookupError):
    """No domain has registered an operation of this name."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Something HMS does often. `run(**sample())` does it, inside a clinic's scope; `sample` raises NoSample."""

    name: str
    run: Callable[..., Any]
    sample: Callable[[], Arguments]
    writes: bool = False  # measured inside a savepoint that is rolled back
    most_repeats: int = REPEATS - 1  # a search that widens may send one statement more often


@dataclass(frozen=True, slots=True)
class StatementProfile:
    """One statement of an operation. `plan` is None for what can't be explained, and for the repetitions of another."""

    fingerprint: Fingerprint
    rows: int
    milliseconds: float
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What an operation cost: the time in the database alone, the rows that came back, each statement with its plan."""

    operation: str
    statements: tuple[StatementProfile, ...]
    most_repeats: int = REPEATS - 1

    @property
    def milliseconds(self) -> float:
        return sum(statement.milliseconds for statement in self.statements)

    @property
    def rows(self) -> int:
        return sum(statement.rows for statement in self.statements)

    def findings(self, few_rows: int = FEW_ROWS) -> list[Finding]:
        """What should be better: of each plan, and statements that came again and again."""
        found = [finding for one in self.statements if one.plan for finding in one.plan.findings(few_rows)]
        times: dict[Fingerprint, int] = {}
        for one in self.statements:
            times[one.fingerprint] = times.get(one.fingerprint, 0) + 1
        for mark, count in times.items():
            if count > self.most_repeats:
                found.append(Finding("repeated", f"Sent {count} times: {mark.text[:200]}"))
        return found


class QueryOptimizer:
    """Holds the operations by name (`patients.search`) and profiles them."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}

    def register(self, name: str, run: Callable[..., Any], sample: Callable[[], Arguments], **how: Any) -> None:
        """Name an operation once, in `AppConfig.ready`; `how` as in Operation. Raises ValueError for a name that is taken."""
        if name in self._operations:
            raise ValueError(f"There is an operation {name} already.")
        self._operations[name] = Operation(name, run, sample, **how)

    def names(self) -> list[str]:
        return sorted(self._operations)

    def operation(self, name: str) -> Operation:
        """Raises UnknownOperation."""
        try:
            return self._operations[name]
        except KeyError:
            raise UnknownOperation(f"There is no operation {name}. There are: {', '.join(self.names())}.") from None

    def profile(self, name: str) -> Profile:
        """Carry the operation out in the current clinic's scope. Raises UnknownOperation and NoSample."""
        operation = self.operation(name)
        arguments = operation.sample()
        recorder = Recorder()
        with transaction.atomic(), recorder.on():
            operation.run(**arguments)
            if operation.writes:
                transaction.set_rollback(True)
        return Profile(name, tuple(recorder.statements), operation.most_repeats)

    def profile_queryset(self, queryset: QuerySet[Any], operation: str) -> Profile:
        """Read the queryset, with all it prefetches, under the name of an operation. Statements, rows, time, plan, findings."""
        recorder = Recorder()
        with recorder.on():
            list(queryset.all())
        return Profile(operation, tuple(recorder.statements))


class Recorder:
    """An execute wrapper that explains what it lets through: reads once more with ANALYZE, writes beforehand without."""

    def __init__(self) -> None:
        self.statements: list[StatementProfile] = []
        self._explained: set[str] = set()

    @contextmanager
    def on(self) -> Iterator["Recorder"]:
        """Records what the default connection is asked. No cache answers meanwhile: the unit counts as one that has written."""
        connection = connections["default"]
        if (unit := unit_of(connection)) is not None:
            unit.written = True
        with connection.execute_wrapper(self):
            yield self

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        text = text_of(sql)
        if text.startswith(NOT_COUNTED):
            return execute(sql, params, many, context)
        mark = fingerprint(text)
        reads = mark.kind == "SELECT"
        wanted = not many and mark.kind in EXPLAINABLE and mark.digest not in self._explained
        self._explained.add(mark.digest)
        plan = explained(context["connection"], text, params, analyze=False) if wanted and not reads else None
        started = time.perf_counter()
        result = execute(sql, params, many, context)
        milliseconds = (time.perf_counter() - started) * 1000
        rows = max(context["cursor"].rowcount, 0)
        if wanted and reads:
            plan = explained(context["connection"], text, params, analyze=True)
        self.statements.append(StatementProfile(mark, rows, milliseconds, plan))
        return result


optimizer = QueryOptimizer()
