"""What counting a request costs, and as what part of one: for `manage.py benchmark`."""

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from core.cache.benchmark import microseconds
from core.metrics.middleware import note

ROUNDS, REQUESTS = 5, 60
PATH = "/sign-in/"  # a page that anybody gets, without a statement: of requests that ask more, counting is a smaller part


def measured() -> dict[str, tuple[float, float]]:
    """Name -> p50 and p99 in microseconds, counted in memory, or in files if processes share them."""
    request: Any = SimpleNamespace(
        method="GET",
        resolver_match=SimpleNamespace(view_name="benchmark"),
        statements=SimpleNamespace(count=5, milliseconds=3.0),
        actor=None,
        person_id=None,
    )
    response = HttpResponse()
    return {"counting a request": microseconds(lambda: note(request, response, 0.005))}


def share() -> float:
    """The part of a request's processor time that counting takes, 0 to 1, both measured by turns in one run."""
    client = Client(SERVER_NAME=settings.HMS_BASE_DOMAIN)
    secure = settings.HMS_BASE_URL.startswith("https://")
    answer = client.get(PATH, secure=secure)
    if answer.status_code != 200:
        raise RuntimeError(f"{PATH} answered {answer.status_code}: there is nothing to compare with.")
    request: Any = answer.wsgi_request
    response = HttpResponse()
    counting, whole = [], []
    for _ in range(ROUNDS):
        whole.append(_cpu(lambda: client.get(PATH, secure=secure)))
        counting.append(_cpu(lambda: note(request, response, 0.005)))
    return min(counting) / min(whole)


def main() -> None:
    """`manage.py shell -c "from core.metrics.benchmark import main; main()"`, with PROMETHEUS_MULTIPROC_DIR as a server counts."""
    for name, (p50, p99) in measured().items():
        sys.stdout.write(f"{name}: p50 {p50:.1f} us, p99 {p99:.1f} us\n")
    sys.stdout.write(f"of a page's processor time: {share() * 100:.2f} %\n")


def _cpu(call: Callable[[], object]) -> float:
    """Seconds of this thread's processor time for one call, of many."""
    began = time.thread_time()
    for _ in range(REQUESTS):
        call()
    return (time.thread_time() - began) / REQUESTS
