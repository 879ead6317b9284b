"""The request's way in and out, in the order of `settings.MIDDLEWARE`. Each piece does one thing."""

import re
import time
from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.db import connections, transaction
from django.http import HttpResponse

from core.database.counting import StatementCounter
from core.errors import PayloadTooLarge
from core.requests import HMSRequest
from core.responses import error_response
from core.tenancy.context import Scope, entered, unit_of_work
from core.tenancy.ids import new_id

GetResponse = Callable[[HMSRequest], HttpResponse]
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class RequestMiddleware:
    """Gives the request an id (the caller's, if it is well-formed) and tells how long the answer took."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        sent = request.headers.get("X-Request-ID", "")
        request.request_id = sent if REQUEST_ID.fullmatch(sent) else str(new_id())
        if settings.HMS_BEHIND_PROXY:
            request.META["REMOTE_ADDR"] = _address_from_proxy(request)
        started = time.perf_counter()
        counter = StatementCounter()
        with entered(Scope(request_id=request.request_id)), counter.on(connections["default"]):
            response = self.get_response(request)
        total = (time.perf_counter() - started) * 1000
        response["X-Request-ID"] = request.request_id
        response["Server-Timing"] = f'total;dur={total:.1f}, db;dur={counter.milliseconds:.1f};desc="{counter.count} queries"'
        return response


def _address_from_proxy(request: HMSRequest) -> str:
    """The client's address as our own proxy saw it: the last in X-Forwarded-For; those before it, anybody can write."""
    said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(said))
    except ValueError:
        return str(request.META.get("REMOTE_ADDR", ""))


class SecurityHeadersMiddleware:
    """What Django's own middleware doesn't send, and the rule that nothing of a person is kept by caches."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.setdefault("Cache-Control", "private, no-cache" if request.path.startswith("/api/") else "no-store")
        return response


class BodyLimitMiddleware:
    """Refuses a body over 1 MB by its declared length, before anything reads it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if declared.isdigit() and int(declared) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return error_response(request, PayloadTooLarge("The body is larger than 1 MB."))
        return self.get_response(request)


class UnitOfWorkMiddleware:
    """One transaction a request, begun at the first statement. Any answer of 400 and up rolls it back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        reason = f"{request.method} {request.path}"[:200].replace("\x00", "")  # PostgreSQL takes no NUL
        with unit_of_work(Scope(request_id=request.request_id, reason=reason)):
            response = self.get_response(request)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response
