"""The two places in the line where requests are counted: by address before anything dear is done, by person once it is known.

A request without credentials is counted by its address at once. One that brings some is let through until they have been read:
a person is counted as that person, anything else by the address after all, before the view runs. What is answered sooner (a bad
token, a body too large) is counted on its way out. So a refused guess costs the address that made it, and nobody else. Trouble of
ours costs nobody anything: then the windows are only looked at, for the headers. A token to refresh is a credential
too, but stands in the body: its view counts the person.
"""

from django.conf import settings
from django.http import HttpResponse

from core.errors import RateLimited
from core.requests import GetResponse, HMSRequest
from core.responses import error_response
from core.security.limiting import callers
from core.security.limiting.callers import Counted
from core.security.limiting.classes import RouteClass
from core.security.limiting.counting import count, look, write_headers
from core.security.limiting.rates import RATE_VARIABLES
from core.security.limiting.routes import class_of_route
from core.security.limiting.verdicts import Demand


class AddressLimitMiddleware:
    """Counts whoever brings no credentials, and what is refused before the person is known; writes the API's headers."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        for variable in RATE_VARIABLES:
            callers.configured(variable)  # a limit that can't be read stops HMS when it starts, not at the first request

    def __call__(self, request: HMSRequest) -> HttpResponse:
        request.counted = Counted(class_of_route(request.path_info, request.method or ""))
        request.person_id = None
        if request.counted.kind is RouteClass.FREE:
            return self.get_response(request)
        response = self._answer(request)
        if request.path.startswith("/api/"):
            if not request.counted.standings:
                look(request, _demands(request))
            write_headers(request, response)
        return response

    def _answer(self, request: HMSRequest) -> HttpResponse:
        try:
            if not _brings_credentials(request):
                _count_caller(request)
            response = self.get_response(request)
            if not request.counted.caller and 400 <= response.status_code < 500:
                _count_caller(request)
        except RateLimited as error:
            return error_response(request, error)
        return response


class CallerLimitMiddleware:
    """Counts the person, or whoever turned out to be none, before the view runs."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if request.counted.kind not in (RouteClass.FREE, RouteClass.REFRESH) and not request.counted.caller:
            try:
                _count_caller(request)
            except RateLimited as error:
                return error_response(request, error)
        return self.get_response(request)


def _brings_credentials(request: HMSRequest) -> bool:
    if request.counted.kind is RouteClass.REFRESH:
        return True
    return "HTTP_AUTHORIZATION" in request.META or settings.SESSION_COOKIE_NAME in request.COOKIES


def _count_caller(request: HMSRequest) -> None:
    """Once for each request, also when the database makes it run a second time. Raises RateLimited."""
    request.counted.caller = True
    count(request, _demands(request))


def _demands(request: HMSRequest) -> list[Demand]:
    """Of the person who asks, or of whoever is behind the address."""
    if request.person_id is None:
        return callers.stranger(request, request.counted.kind)
    return callers.person(request, request.person_id, getattr(request, "clinic", None), request.counted.kind)
