"""Answers that belong to no domain."""

import time

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpResponse, JsonResponse

from core.errors import Unavailable
from core.requests import HMSRequest
from core.responses import come_back
from core.security.limiting.classes import RouteClass, route_class

KEPT = 1.0  # seconds for which a good answer holds in a process: whoever asks, and however often, costs one statement a second
_good_until = 0.0  # of time.monotonic()


@route_class(RouteClass.FREE)
def health(request: HMSRequest) -> HttpResponse:
    """200 when HMS can reach its database, else 503."""
    if not _reachable():
        response = JsonResponse({"status": "unavailable", "failing": ["database"]}, status=503)
        come_back(response, Unavailable.retry_after)
        return response
    return JsonResponse({"status": "ok"})


def _reachable() -> bool:
    """Does the database answer? One statement, or none if it did within the last second. A bad answer is never kept."""
    global _good_until
    if time.monotonic() < _good_until:
        return True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (OperationalError, InterfaceError):
        return False
    _good_until = time.monotonic() + KEPT
    return True
