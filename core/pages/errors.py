"""Errors that Django itself raises, in HMS's shape for people and machines."""

import sys
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from core.database.trouble import is_transient, trouble_of
from core.errors import BadRequest, DomainError, NotAllowed, NotFound
from core.requests import HMSRequest
from core.responses import error_response


class Internal(DomainError):
    """A fault of ours. Never says more than the request id."""

    code = "INTERNAL_ERROR"
    status = 500


def bad_request(request: HMSRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, BadRequest(_("The request could not be understood.")))


def permission_denied(request: HMSRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, NotAllowed(_("Your role does not allow this.")))


def page_not_found(request: HMSRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, NotFound(_("There is nothing here.")))


def server_error(request: HMSRequest) -> HttpResponse:
    """Django calls this while it handles the exception. Trouble with the database is no fault of ours: it has its own answer."""
    error = sys.exception()
    request.turned_down = error if is_transient(error) else None
    if trouble := trouble_of(error):
        return error_response(request, trouble)
    return error_response(request, Internal(_("Something went wrong on our side. Nothing was saved.")))


def csrf_failure(request: HMSRequest, reason: str = "", **_kwargs: Any) -> HttpResponse:
    return error_response(request, NotAllowed(_("The form had expired. Go back, reload the page and send it again.")))
