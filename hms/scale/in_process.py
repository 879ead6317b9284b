"""The named operations of `core.database.optimizer`, carried out in this process as the application's role, clinic by clinic."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from core.database.optimizer import NoSample, Operation, optimizer, which_sample
from core.errors import DomainError
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from hms.scale.figures import Figures, figures_of, middle
from hms.scale.floors import FLOORS

WARM_CLINICS = 10
type Say = Callable[[str], None]
type Asked = list[tuple[Clinic, Mapping[str, Any]]]
SAMPLES = 40  # different things that are asked for, in all warm clinics together
ROUNDS = 10  # times that each of them is asked for at most


@dataclass(slots=True)
class Measured:
    """One operation. `cold`: the first time in a clinic that nobody has asked about in this run; `floor`: the raw SQL of it."""

    name: str
    cold: Figures
    warm: Figures
    floor: Figures | None = None


@dataclass(slots=True)
class Watch:
    """An execute wrapper: statements, rows that came back, and the time in the database, of one call."""

    statements: int = 0
    rows: int = 0
    milliseconds: float = 0.0

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        started = time.perf_counter()
        result = execute(sql, params, many, context)
        if not str(sql).startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.milliseconds += (time.perf_counter() - started) * 1000
            self.statements += 1
            self.rows += max(context["cursor"].rowcount, 0)
        return result


@dataclass(slots=True)
class Calls:
    """What many calls of one operation took."""

    times: list[float] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)

    def figures(self) -> Figures:
        database = figures_of([watch.milliseconds for watch in self.watches])
        return figures_of(
            self.times, rows=middle([watch.rows for watch in self.watches]),
            statements=middle([watch.statements for watch in self.watches]),
            most_statements=max((watch.statements for watch in self.watches), default=0),
            database_p50=database.p50, database_p99=database.p99,
        )  # fmt: skip


def measure_operation(name: str, clinics: list[Clinic], part: tuple[int, int], seconds: float, say: Say) -> Measured | None:
    """A named operation: warm for some seconds in the first clinics; cold in those of the later ones that are its own, `part` being
    its number and how many operations there are. None if it can't be tried here. Runs in the scale database.
    """
    operation, (number, of) = optimizer.operation(name), part
    warm, cold = clinics[:WARM_CLINICS], clinics[WARM_CLINICS:] or clinics
    share = max(1, len(cold) // of)
    own = cold[number * share : (number + 1) * share] or cold[:1]
    try:
        first = _cold(operation, own)
        asked = _tried(operation, warm)
    except (NoSample, DomainError) as error:
        say(f"{name} is left out: {error}")
        return None
    return Measured(name, first, _warm(operation, asked, seconds), _floor(operation, asked, seconds))


def measure_warm(name: str, clinics: list[Clinic], seconds: float) -> Figures:
    """Warm alone, in the first clinics. Raises NoSample, DomainError."""
    operation = optimizer.operation(name)
    return _warm(operation, _tried(operation, clinics[:WARM_CLINICS]), seconds)


def _cold(operation: Operation, clinics: Sequence[Clinic]) -> Figures:
    calls = Calls()
    for clinic in clinics:
        with clinic_scope(clinic, reason="benchmark"):
            _call(operation, operation.sample(), calls)
    return calls.figures()


def _tried(operation: Operation, clinics: list[Clinic]) -> Asked:
    """What is asked for, each once already: as many samples of one clinic as of ten, for whom one looks for decides what is found.
    One that HMS refuses is left out. Raises NoSample, and DomainError when all are refused.
    """
    asked: Asked = []
    refusal: DomainError | None = None
    for number, clinic in enumerate(clinics * (SAMPLES // len(clinics))):
        before = which_sample.set(number)
        try:
            with clinic_scope(clinic, reason="benchmark"):
                arguments = operation.sample()
                _call(operation, arguments, Calls())
            asked.append((clinic, arguments))
        except DomainError as error:
            refusal = error
        finally:
            which_sample.reset(before)
    if refusal is not None and not asked:
        raise refusal
    return asked


def _warm(operation: Operation, asked: Asked, seconds: float) -> Figures:
    return _rounds(asked, seconds, lambda arguments, calls: _call(operation, arguments, calls))


def _rounds(asked: Asked, seconds: float, call: Callable[[Mapping[str, Any], Calls], None]) -> Figures:
    """All that is asked, again and again until the time is over."""
    calls, ends = Calls(), time.perf_counter() + seconds
    for _ in range(ROUNDS):
        for clinic, arguments in asked:
            with clinic_scope(clinic, reason="benchmark"):
                call(arguments, calls)
        if time.perf_counter() > ends:
            break
    return calls.figures()


def _call(operation: Operation, arguments: Mapping[str, Any], calls: Calls) -> None:
    watch = Watch()
    with connection.execute_wrapper(watch):
        if operation.writes:
            with transaction.atomic():
                started = time.perf_counter()
                operation.run(**arguments)
                took = time.perf_counter() - started
                transaction.set_rollback(True)
        else:
            started = time.perf_counter()
            operation.run(**arguments)
            took = time.perf_counter() - started
    calls.times.append(took * 1000)
    calls.watches.append(watch)


def _floor(operation: Operation, asked: Asked, seconds: float) -> Figures | None:
    """The same answer by hand-written SQL on the driver itself, under the same policies."""
    floor = FLOORS.get(operation.name)
    if floor is None:
        return None

    def call(arguments: Mapping[str, Any], calls: Calls) -> None:
        statement, values = floor(arguments)
        driver = connection.connection
        watch = Watch(statements=1)
        with transaction.atomic():
            started = time.perf_counter()
            cursor = driver.execute(statement, values, prepare=True)
            watch.rows = len(cursor.fetchall()) if cursor.description else 0
            calls.times.append((time.perf_counter() - started) * 1000)
            transaction.set_rollback(operation.writes)
        calls.watches.append(watch)

    _rounds(asked, 0.0, call)
    return _rounds(asked, seconds, call)
