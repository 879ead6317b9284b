"""What HMS means to reach at full scale, and whether a run of the benchmark reached it.

Times and rates were set on a machine that answered the yardstick REFERENCE times a second. On a slower one they are told as well by
its own speed in the same seconds: twice as long, and half as often, where it answers the yardstick half as often.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hms.scale.figures import Figures
from hms.scale.run import Run, plain_beside

REFERENCE = 6760.0  # answers a second of the yardstick where the goals were set
CACHED_SHARE = 0.25  # of the yardstick's answers a second
GROWTH = 1.3
LAST_PAGE = 1.2
MOST_MEGABYTES = 130.0


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table. `met` is None when the run did not measure it; `met_here`: by the speed of the run's machine."""

    name: str
    wanted: str
    found: str
    met: bool | None
    met_here: bool | None = None


def speed_of(run: Run, figures: Figures | None = None) -> float:
    """The machine's speed as a share of the one on which the goals were set: beside these figures, or else once.

    1 for a faster one, and without the yardstick.
    """
    return min(1.0, (plain_beside(run, figures) or REFERENCE) / REFERENCE)


def goals_of(run: Run) -> Iterator[Goal]:
    """Every goal, in the order of the table."""
    yield from _cached(run)
    yield from _uncached(run)
    yield from _writes(run)
    yield from _over_all(run)


def _cached(run: Run) -> Iterator[Goal]:
    """Lists, details and slots of the API. Pages have a session, forms and ten times the bytes: Today has a time of its own."""
    for name in (
        "patients list, cached", "patients list, unchanged (304)", "patient detail, cached", "patient detail, unchanged (304)",
        "slots of a week, cached",
    ):  # fmt: skip
        floor = CACHED_SHARE * plain_beside(run, run.http.get(name))
        yield _rate(run, name, floor, f"{CACHED_SHARE} x plain = {floor:.0f}/s")


def _uncached(run: Run) -> Iterator[Goal]:
    yield _rate(run, "patients list, uncached", 300)
    yield _of(run, "patients list, uncached", "at most 5 statements", lambda f: (f"{f.most_statements}", f.most_statements <= 5))
    yield _of(run, "patients list, uncached", "at most 12 kB", lambda f: (f"{f.bytes / 1000:.1f} kB", f.bytes <= 12_000))
    for name in [one for one in run.http if one.startswith("patient search")]:
        yield _rate(run, name, 200)
    for name in [one for one in run.operations if one.startswith("patients.search")]:
        yield _below(run, f"{name}, in process", "database p99", run.operations[name].warm.database_p99, 5, "ms")
    yield _rate(run, "patient detail, uncached", 400)
    yield _of(run, "patient detail, uncached", "at most 4 statements", lambda f: (f"{f.most_statements}", f.most_statements <= 4))
    today = "Today page, each clinic once, one client"
    yield _of(run, today, "at most 8 statements", lambda f: (f"{f.most_statements}", f.most_statements <= 8))
    yield _p50(run, today, 60)
    yield _p50(run, "Today page, cached, one client", 10)
    yield _p50(run, "slots of a week, uncached, one client", 30)


def _writes(run: Run) -> Iterator[Goal]:
    yield _p50(run, "register a patient, one client", 20)
    book = "book at 50 a second"
    yield _p50(run, book, 15)
    yield _of(run, book, "p99 < 40 ms", lambda f: (f"{f.p99:.1f} ms", f.p99 < 40), lambda f: f.p99 < 40 / speed_of(run, f))
    for name in [one for one in run.http if one.startswith(book)] or [book]:
        yield _of(run, name, "answers 201 or 409 alone", lambda f: (str(f.statuses), set(f.statuses or {}) <= {201, 409}))


def _over_all(run: Run) -> Iterator[Goal]:
    if run.growth:
        worst = max(run.growth, key=lambda name: run.growth[name])
        grown = [name for name, ratio in run.growth.items() if ratio > GROWTH]
        found = f"{len(run.growth) - len(grown)} of {len(run.growth)} within; most: {worst} {run.growth[worst]:.2f} x"
        yield Goal("growth of every named operation's p50", f"within {GROWTH} x", found, not grown)
    else:
        yield Goal("growth of every named operation's p50", f"within {GROWTH} x", "", None)
    for path, (first, last) in run.pages.items():
        ratio = last.p50 / first.p50
        yield Goal(f"last page of /{path} against the first", f"within {LAST_PAGE} x", f"{ratio:.2f} x", ratio <= LAST_PAGE)
    if run.memory:
        counts = sorted(run.memory)
        least, most = run.memory[counts[0]], run.memory[counts[-1]]
        growth, series = most / least - 1, " ".join(f"{run.memory[count]:.0f}" for count in counts)
        name = f"memory of a web worker after {counts[0]:,} requests"
        yield Goal(name, f"< {MOST_MEGABYTES:.0f} MB", f"{least:.0f} MB", least < MOST_MEGABYTES)
        words = f"its growth over {counts[-1] - counts[0]:,} more requests"
        yield Goal(words, "< 1 %", f"{growth:.1%} (after each {counts[0]:,}: {series} MB)", growth < 0.01)
    for name, (found_us, limit) in run.costs.items():
        yield _below(run, name, "", found_us, limit, "us")


def _rate(run: Run, name: str, least: float, words: str = "") -> Goal:
    """`words`: `least` follows from the yardstick itself."""
    wanted = words or f"at least {least:.0f}/s"
    here = None if words else lambda f: f.per_second >= least * speed_of(run, f)
    return _of(run, name, wanted, lambda f: (f"{f.per_second:.0f}/s", f.per_second >= least), here)


def _p50(run: Run, name: str, most: float) -> Goal:
    return _of(
        run, name, f"p50 < {most:g} ms", lambda f: (f"{f.p50:.1f} ms", f.p50 < most), lambda f: f.p50 < most / speed_of(run, f)
    )


def _below(run: Run, name: str, what: str, found: float, limit: float, unit: str) -> Goal:
    wanted = f"{what} < {limit:g} {unit}".strip()
    return Goal(name, wanted, f"{found:.1f} {unit}", found < limit, found < limit / speed_of(run))


def _of(
    run: Run, name: str, wanted: str, judge: Callable[[Figures], tuple[str, bool]], here: Callable[[Figures], bool] | None = None
) -> Goal:
    figures = run.http.get(name)
    if figures is None or not figures.count:
        return Goal(name, wanted, "not measured", None)
    (found, met), answered = judge(figures), not _failures(figures)
    return Goal(name, wanted, found, met and answered, here(figures) and answered if here else None)


def _failures(figures: Figures) -> bool:
    """Did any answer say that the server failed or refused? Then no speed counts."""
    return any(status >= 400 and status != 409 for status in figures.statuses or {})
