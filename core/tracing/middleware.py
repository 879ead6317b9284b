"""One span for each request. In the line only where traces are wanted."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpResponse

from core.requests import HMSRequest, route_of
from core.tracing import sending

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TracingMiddleware:
    """The outermost. Named by method and route pattern, never by the path: that may hold a patient's number.

    A trace that the caller is in goes on here only behind a proxy of ours: strangers say nothing about what we trace.
    """

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if sending.sender is None:
            return self.get_response(request)
        method = request.method if request.method in METHODS else "OTHER"
        theirs = {"traceparent": request.headers.get("traceparent", "")} if settings.HMS_TRUSTED_PROXIES else {}
        with sending.sender.request(str(method), theirs) as said:
            response = self.get_response(request)
            if request.resolver_match is not None:
                said.span.update_name(route_of(request))
                said.span.set_attribute("http.route", f"/{request.resolver_match.route}")
            status = response.status_code
            known: dict[str, str | int] = {
                "http.response.status_code": status,
                "hms.request_id": str(getattr(request, "request_id", "")),
            }
            said.ended(failed=status >= 500, **known)
            return response
