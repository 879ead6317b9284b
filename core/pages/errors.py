"""Errors that Django itself raises, in HMS's shape for people and machines."""

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils.translation import gettext as _

from core.errors import BadRequest, DomainError, NotAllowed, NotFound
from core.requests import HMSRequest
from core.responses import error_response

RETRY_AFTER = 5  # seconds


class Internal(DomainError):
    """A fault of ours. Never says more than the request id."""

    code = "INTERNAL_ERROR"
    status = 500


class Unavailable(DomainError):
    """Something HMS can't do without is away."""

    code = "SERVICE_UNAVAILABLE"
    status = 503


def bad_request(request: HMSRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, BadRequest(_("The request could not be understood.")))


def permission_denied(request: HMSRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, NotAllowed(_("Your role does not allow this.")))


def page_not_found(request: HMSRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, NotFound(_("There is nothing here.")))


def server_error(request: HMSRequest) -> HttpResponse:
    """Django calls this while it handles the exception. A database that is away is not a fault: come back soon."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        response = error_response(request, Unavailable(_("The database can't be reached just now. Try again in a moment.")))
        response["Retry-After"] = str(RETRY_AFTER)
        return response
    return error_response(request, Internal(_("Something went wrong on our side. Nothing was saved.")))


def csrf_failure(request: HMSRequest, reason: str = "", **_kwargs: Any) -> HttpResponse:
    return error_response(request, NotAllowed(_("The form had expired. Go back, reload the page and send it again.")))
