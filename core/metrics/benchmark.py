"""What counting a request costs, and as what part of one: for `manage.py benchmark`."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

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
    client = Client()
    client.get(PATH)
    request: Any = client.get(PATH).wsgi_request
    response = HttpResponse()
    whole = min(_cpu(lambda: client.get(PATH)) for _ in range(ROUNDS))
    return min(_cpu(lambda: note(request, response, 0.005)) for _ in range(ROUNDS)) / whole


def _cpu(call: Callable[[], object]) -> float:
    """Seconds of this thread's processor time for one call, of many."""
    began = time.thread_time()
    for _ in range(REQUESTS):
        call()
    return (time.thread_time() - began) / REQUESTS
