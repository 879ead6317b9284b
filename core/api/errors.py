"""Every exception of an API request becomes one of the contract's errors."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import transaction
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from core.errors import Detail, DomainError
from core.responses import come_back, error_body

CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ValidationError: "VALIDATION_ERROR",
    exceptions.ParseError: "BAD_REQUEST",
    exceptions.NotAuthenticated: "AUTHENTICATION_ERROR",
    exceptions.AuthenticationFailed: "AUTHENTICATION_ERROR",
    exceptions.PermissionDenied: "AUTHORIZATION_ERROR",
    exceptions.NotFound: "NOT_FOUND",
    exceptions.MethodNotAllowed: "METHOD_NOT_ALLOWED",
    exceptions.NotAcceptable: "BAD_REQUEST",  # of the document alone: all else is JSON whatever one asks for
    exceptions.UnsupportedMediaType: "UNSUPPORTED_MEDIA_TYPE",
    exceptions.Throttled: "RATE_LIMIT_EXCEEDED",
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. None lets the exception become a 500 (`hms.urls.handler500`)."""
    request_id = context["request"]._request.request_id
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        error = DomainError("The body is larger than 1 MB.")
        error.code, error.status = "PAYLOAD_TOO_LARGE", 413
    if isinstance(error, DomainError):
        body = error_body(error.code, error.message, request_id=request_id, details=error.details, extra=error.extra)
        response = Response(body, status=error.status)
        if (version := error.extra.get("current_version")) is not None:
            response["ETag"] = f'"{version}"'
        come_back(response, error.retry_after)
    elif isinstance(error, exceptions.APIException):
        response = _from_drf(error, request_id)
    else:
        return None
    if transaction.get_connection().in_atomic_block:
        transaction.set_rollback(True)
    if response.status_code == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _from_drf(error: exceptions.APIException, request_id: str) -> Response:
    code = CODES.get(type(error), "BAD_REQUEST")
    details = list(flat_details(error.detail)) if isinstance(error, exceptions.ValidationError) else []
    message = "Some fields are wrong." if details else str(error.detail)
    response = Response(error_body(code, message, request_id=request_id, details=details), status=error.status_code)
    come_back(response, getattr(error, "wait", None) or 0)
    return response


def flat_details(detail: Any, path: str = "") -> Iterator[Detail]:
    """A nested DRF detail as one list; `address.line1`, `rooms.0.name`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from flat_details(inner, ".".join(part for part in (path, own) if part))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from flat_details(inner, f"{path}.{index}" if nested else path)
    else:
        yield Detail(path, str(getattr(detail, "code", "invalid")), str(detail))
