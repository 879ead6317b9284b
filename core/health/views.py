"""Answers about how HMS is: for orchestrators, balancers and operators. Names of what fails for all, the rest for operators."""

from collections.abc import Iterable

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from core.api.versioning import DEPRECATED_SINCE, IN_PATHS, NEWEST
from core.errors import Unavailable
from core.health.access import is_operator
from core.health.checks import Check, Status, Weight, checks, failing, look, status_of
from core.health.told import operator_details
from core.requests import HMSRequest
from core.responses import come_back
from core.security.limiting.classes import RouteClass, route_class

_started = False  # has this process once found all that it needs?


@route_class(RouteClass.FREE)
@require_safe
def live(request: HMSRequest) -> HttpResponse:
    """200 while the process answers at all. Asks nobody: to start it again would heal no dependency."""
    return JsonResponse({"status": "alive"})


@route_class(RouteClass.FREE)
@require_safe
def ready(request: HMSRequest) -> HttpResponse:
    """200 while this process can serve people, else 503 with the names of what is missing."""
    return _gate("ready", checks(Weight.REQUIRED))


@route_class(RouteClass.FREE)
@require_safe
def startup(request: HMSRequest) -> HttpResponse:
    """503 until this process has once found all that it needs, then 200 for as long as it lives."""
    global _started
    if _started:
        return JsonResponse({"status": "started"})
    response = _gate("started", checks(Weight.REQUIRED))
    _started = response.status_code == 200
    return response


@route_class(RouteClass.FREE)
@require_safe
def api(request: HMSRequest) -> HttpResponse:
    """Can the API be called, and which versions of it are there?"""
    return _gate("available", checks(Weight.REQUIRED), versions=_versions(), newest=NEWEST)


@route_class(RouteClass.FREE)
@require_safe
def detailed(request: HMSRequest) -> HttpResponse:
    """Every check with what it found; 503 when HMS is unhealthy. There is no such address but for operators."""
    if not is_operator(request):
        raise Http404
    findings = look(checks())
    status = status_of(findings)
    return JsonResponse(operator_details(findings), status=503 if status is Status.UNHEALTHY else 200)


def _gate(well: str, chosen: Iterable[Check], **more: object) -> HttpResponse:
    missing = failing(look(chosen))
    if not missing:
        return JsonResponse({"status": well, **more})
    response = JsonResponse({"status": "unavailable", "failing": missing, **more}, status=503)
    come_back(response, Unavailable.retry_after)
    return response


def _versions() -> dict[str, dict[str, str | bool]]:
    """By number: how its addresses begin, and until when a deprecated one is there."""
    found: dict[str, dict[str, str | bool]] = {}
    for version, path in IN_PATHS.items():
        found[version] = {"path": f"/api/{path}/", "deprecated": version in DEPRECATED_SINCE}
        if version in DEPRECATED_SINCE:
            found[version]["sunset"] = settings.HMS_API_V1_SUNSET
    return found
