"""The charts of the system page: which lines of which series, over which time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.monitoring.charts import Chart, Line
from core.monitoring.keeping import samples
from core.monitoring.series import MINUTE, QUARTER, SERIES, Minute, Value, counted, percent, quantile

MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Period:
    """How far back, and how many minutes one point stands for."""

    name: str
    label: str | Promise
    minutes: int
    step: int
    resolution: int


PERIODS = {
    one.name: one
    for one in (
        Period("1h", _("1 hour"), 60, 1, MINUTE),
        Period("24h", _("24 hours"), 24 * 60, 15, QUARTER),
        Period("30d", _("30 days"), 30 * 24 * 60, 6 * 60, QUARTER),
    )
}

type Make = Callable[[Minute, int], float | None]


def _rate(name: str) -> Make:
    """By the minute."""
    return lambda values, minutes: values[name].total / minutes if name in values else None


def _mean(name: str, *, divided: float = 1.0) -> Make:
    return lambda values, minutes: values[name].mean / divided if name in values else None


def _high(name: str) -> Make:
    return lambda values, minutes: values[name].high if name in values else None


def _within(share: float) -> Make:
    def milliseconds(values: Minute, minutes: int) -> float | None:
        found = quantile(values, share)
        return None if found is None else found * 1000

    return milliseconds


def _by_request(name: str, *, times: float = 1.0) -> Make:
    def each(values: Minute, minutes: int) -> float | None:
        requests = counted(values, "requests")
        return times * values[name].total / requests if requests and name in values else None

    return each


def _share(part: str, whole: str) -> Make:
    return lambda values, minutes: percent(values, part, whole)


@dataclass(frozen=True, slots=True)
class Plot:
    """One line of a chart, and how its value comes from a point's samples."""

    label: str | Promise
    make: Make
    tone: str = "a"


@dataclass(frozen=True, slots=True)
class Plan:
    """A chart before it is filled. `most`: the top of its scale where that is known."""

    title: str | Promise
    unit: str | Promise
    plots: tuple[Plot, ...]
    most: float | None = None


PLANS = (
    Plan(_("Requests"), _("a minute"), (Plot(_("all"), _rate("requests")), Plot(_("failed"), _rate("errors"), "bad"))),
    Plan(
        _("Time of requests"), "ms",
        (Plot(_("median"), _within(0.5)), Plot("p95", _within(0.95), "b"), Plot("p99", _within(0.99), "c")),
    ),
    Plan(_("Processor"), "%", (Plot(_("average"), _mean("cpu_percent")), Plot(_("highest"), _high("cpu_percent"), "c")), 100),
    Plan(
        _("Memory and disk"), "%", (Plot(_("memory"), _mean("memory_percent")), Plot(_("disk"), _mean("disk_percent"), "b")), 100
    ),
    Plan(_("Database, each request"), "ms", (Plot(_("time"), _by_request("database_seconds", times=1000)),)),
    Plan(_("Statements, each request"), "", (Plot(_("statements"), _by_request("statements")),)),
    Plan(_("Answers from the cache"), "%", (Plot(_("hits"), _share("cache_hits", "cache_reads")),), 100),
    Plan(
        _("Connections to the database"), "",
        (Plot(_("in use"), _mean("pool_in_use")), Plot(_("waited for"), _high("pool_waiting"), "bad")),
    ),
    Plan(_("Jobs"), "", (Plot(_("waiting"), _mean("jobs_waiting")), Plot(_("dead"), _mean("jobs_dead"), "bad"))),
    Plan(
        _("Longest wait"), "s",
        (Plot(_("job"), _high("jobs_oldest_seconds")), Plot(_("message"), _high("messages_oldest_seconds"), "b")),
    ),
    Plan(
        _("People"), "",
        (
            Plot(_("active people"), _high("people_active")),
            Plot(_("sessions"), _high("sessions"), "b"),
            Plot(_("streams"), _high("streams"), "c"),
        ),
    ),
    Plan(_("Size of the database"), "MB", (Plot(_("size"), _mean("database_bytes", divided=MB)),)),
)  # fmt: skip


def charts(period: Period, now: datetime) -> list[Chart]:
    """All of them, up to `now` (aware). What is not over yet has no point but in the last hour. One query."""
    step = timedelta(minutes=period.step)
    last = _floor(now, period.step)
    first = last - timedelta(minutes=period.minutes)
    found = samples(list(SERIES), first, resolution=period.resolution, step=period.step, until=last)
    moments = [first + number * step for number in range(period.minutes // period.step)]
    points = [{name: values[moment] for name, values in found.items() if moment in values} for moment in moments]
    return [_chart(plan, period, moments, points) for plan in PLANS]


def _chart(plan: Plan, period: Period, moments: Sequence[datetime], points: Sequence[dict[str, Value]]) -> Chart:
    lines = [Line(str(one.label), [one.make(point, period.step) for point in points], one.tone) for one in plan.plots]
    return Chart(str(plan.title), str(plan.unit), moments, lines, plan.most)


def _floor(moment: datetime, minutes: int) -> datetime:
    return datetime.fromtimestamp(int(moment.timestamp()) // (60 * minutes) * 60 * minutes, UTC)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of the size of the database, by a straight line through `days` days' samples. Bytes."""

    since: datetime
    days: float
    now: float
    a_day: float

    def ahead(self, days: int) -> float:
        return max(0.0, self.now + self.a_day * days)

    @property
    def in_30_days(self) -> float:
        return self.ahead(30)

    @property
    def in_365_days(self) -> float:
        return self.ahead(365)


def forecast(now: datetime) -> Forecast | None:
    """None while there is less than a day to judge by. One query."""
    found = samples(["database_bytes"], now - timedelta(days=30), resolution=QUARTER, step=60)["database_bytes"]
    points = [((moment - now).total_seconds() / 86400, value.mean) for moment, value in found.items()]
    if len(points) < 2 or points[-1][0] - points[0][0] < 1:
        return None
    middle = sum(x for x, _y in points) / len(points)
    level = sum(y for _x, y in points) / len(points)
    slope = sum((x - middle) * (y - level) for x, y in points) / sum((x - middle) ** 2 for x, _y in points)
    return Forecast(min(found), points[-1][0] - points[0][0], points[-1][1], slope)
