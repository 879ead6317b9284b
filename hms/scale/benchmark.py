"""One run of the benchmark: named operations in process, then HMS and the yardstick over HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from core.database.optimizer import optimizer
from core.tenancy.models import Clinic
from hms.scale.costs import costs
from hms.scale.furniture import slug_of
from hms.scale.home import at_home, done_clinics, one, size_of
from hms.scale.in_process import measure_operation, measure_warm
from hms.scale.material import desks_of
from hms.scale.over_http import measure_hms, measure_plain
from hms.scale.run import Run, now

MOST_CLINICS = 60  # that anybody signs in to
IN_PROCESS_SHARE = 0.4  # of the seconds that an HTTP scenario gets: there are more operations, and less noise
GROWTH_TURNS = 5  # in which two databases are compared: the machine is not as fast in one second as in the next
type Say = Callable[[str], None]


class NotSeeded(RuntimeError):
    """The database is not there, or not complete."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure: `names` are parts of operations' and scenarios' names (none: everything)."""

    names: Sequence[str] = ()
    in_process: bool = True
    http: bool = True

    def __call__(self, name: str) -> bool:
        return not self.names or any(part.lower() in name.lower() for part in self.names)


def benchmark(database: str, wanted: Wanted, *, against: str = "", seconds: float, say: Say) -> Run:
    """Measure; `against` is a smaller scale database whose p50 the growth is told by. Raises NotSeeded, NotServed, NoAnswer."""
    run = Run(database, _contents(database), now())
    if wanted.in_process:
        _measure_operations(run, against, wanted, seconds * IN_PROCESS_SHARE, say)
        with at_home(database, "hms_app"):
            run.costs = costs(_clinics([1])[0])
    if wanted.http:
        say("plain")
        run.plain = measure_plain(seconds)
        numbers = _numbers(database)[:MOST_CLINICS]
        with at_home(database, "hms_app"):
            say("signing in")
            desks = desks_of(_clinics(numbers), numbers)
        found = measure_hms(database, desks, wanted, seconds, say)
        run.http, run.pages, run.memory = found.figures, found.pages, found.memory
    return run


def _measure_operations(run: Run, against: str, wanted: Wanted, seconds: float, say: Say) -> None:
    names, numbers = [name for name in optimizer.names() if wanted(name)], _numbers(run.database)
    for number, name in enumerate(names):
        say(name)
        with at_home(run.database, "hms_app"):
            measured = measure_operation(name, _clinics(numbers), (number, len(names)), seconds, say)
        if measured is None:
            continue
        run.operations[name] = measured
        if against:
            run.growth[name] = _growth(name, run.database, against, seconds)


def _growth(name: str, large: str, small: str, seconds: float) -> float:
    """How many times as long a warm operation takes in the larger database: asked for as many things in as many clinics by turns,
    the middle of the turns' ratios. In the last clinics: those in which earlier runs have booked are fuller.

    Raises NoSample, DomainError.
    """
    clinics = {database: _numbers(database) for database in (large, small)}
    most, ratios = min(map(len, clinics.values())), []
    for _ in range(GROWTH_TURNS):
        p50 = {}
        for database, numbers in clinics.items():
            with at_home(database, "hms_app"):
                p50[database] = measure_warm(name, _clinics(numbers[-most:]), seconds / GROWTH_TURNS).p50
        ratios.append(p50[large] / p50[small])
    return median(ratios)


def _numbers(database: str) -> list[int]:
    with at_home(database):
        return list(done_clinics())


def _clinics(numbers: Sequence[int]) -> list[Clinic]:
    found = {clinic.slug: clinic for clinic in Clinic.objects.filter(slug__in=[slug_of(number) for number in numbers])}
    return [found[slug_of(number)] for number in numbers]


def _contents(database: str) -> str:
    size = size_of(database)
    if size is None:
        raise NotSeeded(f"{database} was not made by seed_scale.")
    with at_home(database):
        if one("SELECT EXISTS (SELECT FROM scale.taken_off)") or one("SELECT count(*) FROM scale.clinic") != size.clinics:
            raise NotSeeded(f"{database} is not complete: give the same seed_scale command again.")
        version, buffers = one("SHOW server_version"), one("SHOW shared_buffers")
    return (
        f"{size.clinics} clinics of {size.locations} locations and {size.patients:,} patients, {size.appointments:,} appointments; "
        f"PostgreSQL {version.split()[0]}, shared_buffers {buffers}"
    )
