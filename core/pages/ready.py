"""Pages that are ready: as with the API's answers (core.api.ready), but for one person each, in the frame they see."""

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpResponse

from core.api.ready import LONGEST, OF_THE_BODY, Asked, Ready, ReadyAnswers, this_minute
from core.cache import cache
from core.pages.fragments import KeptPage, has_news, seen_in_the_frame
from core.requests import ClinicRequest, HMSRequest
from core.responses import is_fragment


class ReadyPageMiddleware:
    """The last in the line, in front of the pages. No query. Who has something to be told goes to the view."""

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.ready = ReadyAnswers()

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if request.method != "GET" or request.clinic is None or request.actor is None or request.path.startswith("/api/"):
            return self.get_response(request)
        if is_fragment(request) or len(request.META.get("QUERY_STRING", "")) > LONGEST:
            return self.get_response(request)
        asking = cast(ClinicRequest, request)
        minute, asked = this_minute(), _asked(asking)
        ready = self.ready.get(minute, asked)
        if ready is not None and not has_news(asking) and (pieces := cache.kept(ready.family, ready.key)) is not None:
            return _sent(asking, pieces, ready)
        response = self.get_response(request)
        if isinstance(response, KeptPage) and request.resolver_match is not None:
            headers = tuple((name, value) for name, value in response.items() if name not in OF_THE_BODY)
            self.ready.note(minute, asked, Ready(*response.kept_as, self.ready.manner(request.resolver_match, headers)))
        return response


def _asked(request: ClinicRequest) -> Asked:
    """All of a request that decides which page its view sends: the frame names person, rights, clinic and language."""
    return (request.path, request.META.get("QUERY_STRING", "")), seen_in_the_frame(request)


def _sent(request: ClinicRequest, pieces: Any, ready: Ready) -> HttpResponse:
    request.resolver_match = ready.manner.match
    page = KeptPage(request, pieces, (ready.family, ready.key))
    for name, value in ready.manner.headers:
        page[name] = value
    return page
