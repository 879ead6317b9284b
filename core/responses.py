"""How an error leaves the house: the contract's JSON for machines, a page for people. Mapped here and nowhere else."""

import json
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.requests import HMSRequest


class HttpResponseSeeOther(HttpResponseRedirect):
    """After a form was taken: go there with GET."""

    status_code = 303


def is_api(request: HMSRequest) -> bool:
    """Does a machine ask? By path, so that a browser that opens an API address sees what a machine sees."""
    return request.path.startswith("/api/") or request.path == "/health"


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
        return response
    return error_page(request, error.status, str(error.message))


TITLES = {
    400: _("That did not work"),
    401: _("Sign in first"),
    403: _("Not for your role"),
    404: _("Not found"),
    409: _("Something changed meanwhile"),
    412: _("Somebody changed it meanwhile"),
    413: _("That is too large"),
    429: _("Too many tries"),
    500: _("Something went wrong"),
    503: _("A short break"),
}


def error_page(request: HMSRequest, status: int, message: str = "") -> HttpResponse:
    context = {"status": status, "title": TITLES.get(status, TITLES[400]), "message": message}
    response = render(request, "error.html", context, status=status)
    if request.headers.get("HX-Request") == "true":  # a piece of a page was asked for: tell the person, leave the page alone
        response["HX-Reswap"] = "none"
        response["HX-Trigger"] = json.dumps({"hms:trouble": {"text": str(message or context["title"])}})
    return response
