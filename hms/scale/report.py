"""The benchmark's tables."""

from collections.abc import Iterable, Iterator, Sequence

from hms.scale.figures import Figures
from hms.scale.goals import REFERENCE, Goal, goals_of, speed_of
from hms.scale.run import Run, machine, plain_beside
from hms.scale.scenarios import SCENARIOS


def report(run: Run) -> Iterator[str]:
    """All tables as Markdown, line by line."""
    yield f"Measured {run.at} on {machine()}."
    yield f"{run.database}: {run.contents}."
    if run.operations:
        yield from _section("Named operations, in process, as the application's role (milliseconds)", _operations(run))
    if run.http:
        yield from _section("Over HTTP (milliseconds; plain is a bare Django view behind the same server)", _http(run))
    if run.pages:
        yield from _section("First and last page of each list, one client (p50, milliseconds)", _pages(run))
    yield from _section("Goals", _goals(run))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("", f"**{title}**", "")
    yield from lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(names: Sequence[str]) -> Iterator[str]:
    yield _row(names)
    yield f"|---|{'---:|' * (len(names) - 1)}"


def _operations(run: Run) -> Iterator[str]:
    yield from _head(
        ["operation", "cold p50", "warm p50", "p99", "database p50", "p99", "floor p50", "p99", "statements", "rows", "growth"]
    )
    for name, one in run.operations.items():
        floor = [f"{one.floor.p50:.2f}", f"{one.floor.p99:.2f}"] if one.floor else ["", ""]
        growth = f"{run.growth[name]:.2f} x" if name in run.growth else ""
        warm = one.warm
        yield _row([
            name, f"{one.cold.p50:.2f}", f"{warm.p50:.2f}", f"{warm.p99:.2f}",
            f"{warm.database_p50:.2f}", f"{warm.database_p99:.2f}", *floor, str(warm.statements), str(warm.rows), growth,
        ])  # fmt: skip


def _http(run: Run) -> Iterator[str]:
    yield from _head(["request", "p50", "p99", "a second", "of plain", "statements", "bytes", "answers"])
    everything: dict[str, Figures] = ({"plain": run.plain} if run.plain else {}) | run.http
    for name, one in everything.items():
        share = f"{one.per_second / plain:.2f} x" if (plain := plain_beside(run, one)) else ""
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted((one.statuses or {}).items()))
        yield _row([
            name, f"{one.p50:.1f}", f"{one.p99:.1f}", f"{one.per_second:.0f}", share, str(one.statements), str(one.bytes), statuses,
        ])  # fmt: skip


def _pages(run: Run) -> Iterator[str]:
    yield from _head(["list", "first", "last", "ratio"])
    for path, (first, last) in run.pages.items():
        yield _row([f"/{path}", f"{first.p50:.2f}", f"{last.p50:.2f}", f"{last.p50 / first.p50:.2f} x"])


def _goals(run: Run) -> Iterator[str]:
    alone = [run.http[one.name] for one in SCENARIOS if one.name in run.http and not one.again]  # not by turns with our own load
    speeds = [speed_of(run), *(speed_of(run, one) for one in alone)]
    if (slowest := min(speeds)) < 1:
        yield (
            f"Times and rates were set on a machine that answers the yardstick {REFERENCE:.0f} times a second. This one did "
            f"{slowest:.2f} to {max(speeds):.2f} times as often; each is judged by its speed in the same seconds as well."
        )
        yield ""
    yield from _head(["goal", "wanted", "found", ""])
    for goal in goals_of(run):
        yield _row([goal.name, goal.wanted, goal.found, _verdict(goal)])


def _verdict(goal: Goal) -> str:
    if goal.met is False and goal.met_here:
        return "met at this machine's speed"
    return {True: "met", False: "**not met**", None: "not measured"}[goal.met]
