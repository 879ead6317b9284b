"""The gate: blocked addresses are refused at once, what looks like an attack is noted, and only the blatant is refused."""

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _

from core.errors import BadRequest, NotAllowed
from core.requests import GetResponse, HMSRequest
from core.responses import error_response
from core.security.blocking import block_on
from core.security.models import SecurityEvent
from core.security.recorder import record
from core.security.screening.places import decoy, screened
from core.security.screening.rules import BLATANT, NOTHING, Found

Kind = SecurityEvent.Kind


class ScreeningMiddleware:
    """Stands before sign-in. No statement, unless something is noted; nothing of the request is ever altered."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        request.strangers_blocked = False
        if block := block_on(request.META["REMOTE_ADDR"], request.peer):
            if not (block.strangers_only and _brings_credentials(request)):
                return blocked(request)
            request.strangers_blocked = True
        found = screened(request)
        if found.points >= BLATANT:
            response = error_response(request, BadRequest(_("The request could not be understood.")))
        else:
            response = self.get_response(request)
        if found is not NOTHING:
            _note(request, found)
        if response.status_code == 404 and decoy(request.path_info):
            record(request, Kind.DECOY)
        return response


class StrangersMiddleware:
    """Stands behind sign-in: from an address blocked for strangers only those go on who are signed in."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if request.strangers_blocked and not request.user.is_authenticated:
            return blocked(request)
        return self.get_response(request)


def blocked(request: HMSRequest) -> HttpResponse:
    return error_response(request, NotAllowed(_("Requests from this address are blocked for some time.")))


def _brings_credentials(request: HMSRequest) -> bool:
    return "HTTP_AUTHORIZATION" in request.META or settings.SESSION_COOKIE_NAME in request.COOKIES


def _note(request: HMSRequest, found: Found) -> None:
    shape = all(name.startswith(("header.", "body.", "size.")) for name in found.names)
    record(request, Kind.MALFORMED if shape else Kind.PATTERN, matched=found.names, points=found.points)
