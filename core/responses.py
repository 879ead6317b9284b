"""How an error leaves the house: the contract's JSON for machines, a page for people. Mapped here and nowhere else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.requests import HMSRequest

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class HttpResponseSeeOther(HttpResponseRedirect):
    """After a form was taken: go there with GET."""

    status_code = 303


def is_fragment(request: HMSRequest) -> bool:
    """Did a script ask, for a piece of a page?"""
    return request.META.get("HTTP_HX_REQUEST") == "true"


def go(request: HMSRequest, to: str) -> HttpResponse:
    """303 to the next page; for a script the same in its own words."""
    if is_fragment(request):
        return HttpResponse(headers={"HX-Redirect": to})
    return HttpResponseSeeOther(to)


def is_api(request: HMSRequest) -> bool:
    """Does a machine ask? By path, so that a browser that opens an API address sees what a machine sees."""
    return request.path.startswith("/api/") or request.path == "/health" or request.path.startswith("/health/")


def error_body(code: str, message: str, *, request_id: str, details: Any = (), extra: Any = None) -> dict[str, Any]:
    """The contract's error: `{"error": {...}}`."""
    return {
        "error": {
            "code": code,
            "message": _sendable(message),
            "details": [{"field": _sendable(d.field), "code": d.code, "message": _sendable(d.message)} for d in details],
            "request_id": request_id,
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            **(extra or {}),
        }
    }


def _sendable(text: Any) -> str:
    """An error may quote what was sent; a lone surrogate in it can't be written as UTF-8."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def error_response(request: HMSRequest, error: DomainError) -> HttpResponse:
    """The answer to a rule that refused, outside of DRF: middleware and pages."""
    if is_api(request):
        body = error_body(error.code, error.message, request_id=request.request_id, details=error.details, extra=error.extra)
        response: HttpResponse = JsonResponse(body, status=error.status)
        if error.status == 401:
            response["WWW-Authenticate"] = "Bearer"
    elif (page := _pages.get(type(error))) and not is_fragment(request):
        response = page(request, error)
    else:
        response = error_page(request, error.status, str(error.message))
    come_back(response, error.retry_after)
    return response


_pages: dict[type[DomainError], Callable[[Any, Any], HttpResponse]] = {}


def set_page(kind: type[DomainError], page: Callable[[Any, Any], HttpResponse]) -> None:
    """Pages that are refused with this error show `page(request, error)`: for an error that somebody can do something about."""
    _pages[kind] = page


def come_back(response: HttpResponseBase, seconds: int) -> None:
    """Say in `Retry-After` when the same request may succeed; 0 says nothing."""
    if seconds:
        response["Retry-After"] = str(seconds)


TITLES = {
    400: _("That did not work"),
    401: _("Sign in first"),
    403: _("Not for your role"),
    404: _("Not found"),
    409: _("Something changed meanwhile"),
    412: _("Somebody changed it meanwhile"),
    413: _("That is too large"),
    415: _("That could not be read"),
    429: _("Too much at once"),
    500: _("Something went wrong"),
    503: _("A short break"),
}


def error_page(request: HMSRequest, status: int, message: str = "") -> HttpResponse:
    typed = _typed(request) if status == 429 else []
    context = {
        "status": status,
        "title": TITLES.get(status, TITLES[400]),
        "message": message,
        "typed": typed,
        "files": typed and request.FILES,
    }
    response = render(request, "error.html", context, status=status)
    if request.headers.get("HX-Request") == "true":  # a piece of a page was asked for: tell the person, leave the page alone
        response["HX-Reswap"] = "none"
        response["HX-Trigger"] = json.dumps({"hms:trouble": {"text": str(message or context["title"])}})
    return response


def _typed(request: HMSRequest) -> list[tuple[str, str]]:
    """What the form held that was not taken, to be sent again as it came: with its own token, so a forged one stays refused.

    Files are not among it: the form will ask for them.
    """
    is_form = request.method == "POST" and request.content_type in FORM_TYPES
    if not is_form or request.person_id is None:
        return []
    return [(name, value) for name, values in request.POST.lists() for value in values]
