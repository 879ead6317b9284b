"""What the parts of a request cost by themselves, in microseconds."""

import time
from collections.abc import Callable

from django.db import connection
from django.test import RequestFactory

from core.cache.benchmark import measured
from core.database import detector
from core.metrics.benchmark import measured as metrics_measured
from core.metrics.benchmark import share as metrics_share
from core.security.blocking import Block, Blocked
from core.security.limiting.benchmark import measured as limits_measured
from core.security.screening.places import screened
from core.tenancy.context import Scope, clinic_scope, unit_of_work
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic

WITHOUT = ", without Redis"
TIMES = 500
MEMORY_HIT, REDIS_HIT = 15.0, 400.0  # us that a hit in the cache, and a count, may take
LIST_STATEMENTS = 5  # what a list may ask
METRICS, METRICS_SHARE = 60.0, 2.0  # us that counting a request may take; hundredths of a page's processor time
SCREENING = 200.0  # us that the look at a request, or at the blocks, may take
TOGETHER = 600.0  # us that detector and tenancy may cost an uncached list


def costs(clinic: Clinic) -> dict[str, tuple[float, float]]:
    """Name -> microseconds found and allowed. Runs in the scale database."""
    watching = detector.cost(20_000) * LIST_STATEMENTS
    empty, context = _empty_unit(), _context(clinic)
    hits = {
        name: (p50, REDIS_HIT if "Redis" in name.removesuffix(WITHOUT) else MEMORY_HIT) for name, (p50, _) in measured().items()
    }
    return {
        **{f"cache: {name}": hit for name, hit in hits.items()},
        **{
            f"rate limit: {name}": (p50, REDIS_HIT if "Redis" in name else MEMORY_HIT)
            for name, (p50, _) in limits_measured().items()
        },
        f"detector, {LIST_STATEMENTS} statements": (watching, TOGETHER),
        **{f"metrics: {name}": (p50, METRICS) for name, (p50, _) in metrics_measured().items()},
        "metrics: hundredths of a page's processor time": (metrics_share() * 100, METRICS_SHARE),
        "screening a request": (_screening(), SCREENING),
        "the look at 1,000 blocked networks": (_blocks(), SCREENING),
        "an empty unit of work": (empty, TOGETHER),
        "BEGIN, the context and COMMIT beside one query": (context, TOGETHER),
        f"detector and tenancy together, an uncached list of {LIST_STATEMENTS} statements": (watching + context, TOGETHER),
    }


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(TIMES):
        call()
    return (time.perf_counter() - started) / TIMES * 1e6


def _screening() -> float:
    """A list's request as a browser sends it, each time for another record."""
    headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Accept": "application/json"}
    request = RequestFactory().get(
        "/api/v2/appointments", headers=headers | {"Accept-Language": "en-GB", "Authorization": "Bearer x"}
    )

    def look() -> None:
        request.META["QUERY_STRING"] = f"provider={new_id()}&from=2026-03-02&limit=25"
        screened(request)

    return min(_timed(look) for _ in range(3))


def _blocks() -> float:
    known = Blocked([Block(f"10.{number // 250}.{number % 250}.0/24", time.time() + 999, False) for number in range(1000)])
    return min(_timed(lambda: known.on("203.0.113.7")) for _ in range(3))


def _empty_unit() -> float:
    def unit() -> None:
        with unit_of_work(Scope(reason="benchmark")):
            pass

    return min(_timed(unit) for _ in range(3))


def _context(clinic: Clinic) -> float:
    """One trivial query in a unit of its own, less the same query inside a unit that runs already."""

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def alone() -> None:
        with clinic_scope(clinic, reason="benchmark"):
            ask()

    whole = min(_timed(alone) for _ in range(3))
    with clinic_scope(clinic, reason="benchmark"):
        inside = min(_timed(ask) for _ in range(3))
    return whole - inside
