"""Answers that belong to no domain."""

import time

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpResponse, JsonResponse

from core.audit.draining import spool
from core.audit.spool import trouble_with
from core.errors import Unavailable
from core.requests import HMSRequest
from core.responses import come_back
from core.security.limiting.classes import RouteClass, route_class

KEPT = 1.0  # seconds for which a good answer holds in a process: whoever asks, and however often, costs one statement a second
_good_until = _writable_until = 0.0  # of time.monotonic()


@route_class(RouteClass.FREE)
def health(request: HMSRequest) -> HttpResponse:
    """200 when HMS can reach its database and can write down who looks at patients, else 503."""
    failing = [name for name, works in (("database", _reachable), ("access_log", _written_down)) if not works()]
    if failing:
        response = JsonResponse({"status": "unavailable", "failing": failing}, status=503)
        come_back(response, Unavailable.retry_after)
        return response
    return JsonResponse({"status": "ok"})


def _written_down() -> bool:
    """Can an event of the access log be spooled? A file is made and removed; nothing if that went well within the last second."""
    global _writable_until
    if time.monotonic() >= _writable_until:
        if trouble_with(spool.folder):
            return False
        _writable_until = time.monotonic() + KEPT
    return True


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
