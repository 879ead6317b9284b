"""Machines that speak plain HTTP to an installation with HTTPS are told so, not redirected: their mistake has to be noticed."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpResponse

from core.errors import BadRequest
from core.requests import HMSRequest
from core.responses import error_response


class PlainHTTPMiddleware:
    """Stands behind the address's limit, so that the refusal is counted and says so. What was sent has been overheard.

    Django's SecurityMiddleware redirects pages to HTTPS, and is told to leave the API alone.
    """

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and request.path.startswith("/api/") and not request.is_secure():
            message = "Use https. What this request carried went over the network in clear: replace its credentials."
            return error_response(request, BadRequest(message))
        return self.get_response(request)
