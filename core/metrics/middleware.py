"""Each request is counted once, by what it asked for and never by what it asked about. Some microseconds."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.http import HttpResponse

from core.metrics import instruments
from core.requests import HMSRequest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "OTHER"
NO_ROUTE = "(none)"
SERIES = 20_000  # combinations of route, method, status and role that are looked up fast; there are fewer


class MetricsMiddleware:
    """The outermost: whatever answers is counted, and its time is the whole time."""

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        note(request, response, time.perf_counter() - began)
        return response


def note(request: HMSRequest, response: HttpResponse, seconds: float) -> None:
    """Count a request that has been answered."""
    route = route_name(request)
    method = request.method if request.method in METHODS else OTHER
    answered, took = _by_answer(route, str(method), response.status_code, role_class(request)), _by_method(route, str(method))
    answered.inc()
    took.observe(seconds)
    if statements := getattr(request, "statements", None):
        instruments.queries.observe(statements.count)
        if statements.count:
            asked, waited = _by_route(route)
            asked.inc(statements.count)
            waited.inc(statements.milliseconds / 1000)
    if response.status_code == 429 and (counted := getattr(request, "counted", None)):
        instruments.limited.labels(counted.kind.value).inc()


def route_name(request: HMSRequest) -> str:
    """The route's name, such as `api-v2:patient-detail`; a path would hold ids."""
    match = request.resolver_match
    return match.view_name if match else NO_ROUTE


def role_class(request: HMSRequest) -> str:
    """Who asks, roughly: `stranger`, `patient`, `staff`, `platform`, `system` (with an API key), `person` (of no clinic)."""
    actor = getattr(request, "actor", None)
    if actor is None:
        return "person" if getattr(request, "person_id", None) else "stranger"
    if actor.scopes is not None:
        return "system"
    if actor.is_platform:
        return "platform"
    return "patient" if actor.is_patient_only else "staff"


@lru_cache(SERIES)
def _by_answer(route: str, method: str, status: int, role: str) -> Any:
    return instruments.requests.labels(route, method, str(status), role)


@lru_cache(SERIES)
def _by_method(route: str, method: str) -> Any:
    return instruments.seconds.labels(route, method)


@lru_cache(SERIES)
def _by_route(route: str) -> tuple[Any, Any]:
    return instruments.route_queries.labels(route), instruments.route_database_seconds.labels(route)
