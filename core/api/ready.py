"""Answers of the API that are ready: which kept value a request means follows from the request, found out once a minute.

The first time the view decides: may this role, are the parameters known, under which key does the answer stand? All of that
follows from what `_asked` gathers, so the next request that asks the same goes straight to the cache. Whether the value is
still true, the cache decides as ever.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import ResolverMatch
from django.utils import timezone
from django.utils.translation import get_language

from core.api.renderers import AnswerResponse, enveloped, is_known_to
from core.cache import cache
from core.requests import HMSRequest

MOST = 2048  # requests that are remembered in a minute; about a third of a kilobyte each
LONGEST = 1000  # characters of what a request asks; longer ones are not remembered
OF_THE_BODY = ("Content-Type", "Content-Length", "ETag")

type Asked = tuple[Any, Any]  # what, and who asks it in which way


@dataclass(frozen=True, slots=True)
class Manner:
    """How a route answers: the headers its view sends, and the route itself without the values in an address."""

    headers: tuple[tuple[str, str], ...]
    match: ResolverMatch


@dataclass(frozen=True, slots=True)
class Ready:
    """Where an answer is kept, and how it is sent."""

    family: str
    key: str
    manner: Manner


class ReadyAnswers:
    """What was asked in this minute: free times, for one, are other answers in the next. Thread-safe."""

    def __init__(self) -> None:
        self._minute = 0
        self._known: dict[Asked, Ready] = {}
        self._manners: dict[Any, Manner] = {}
        self._askers: dict[Any, Any] = {}  # one for all that are equal
        self._lock = threading.Lock()

    def get(self, minute: int, asked: Asked) -> Ready | None:
        return self._known.get(asked) if minute == self._minute else None

    def manner(self, match: ResolverMatch, headers: tuple[tuple[str, str], ...]) -> Manner:
        """One for all requests of a route: Django's own match also lists all that did not match."""
        names: dict[str, Any] = {"app_names": match.app_names, "namespaces": match.namespaces}
        route = ResolverMatch(match.func, (), {}, match.url_name, **names, route=match.route)
        return self._manners.setdefault((match.route, headers), Manner(headers, route))

    def note(self, minute: int, asked: Asked, ready: Ready) -> None:
        with self._lock:
            if minute != self._minute or len(self._known) >= MOST:
                self._minute, self._known, self._manners, self._askers = minute, {}, {}, {}
            what, asker = asked
            self._known[what, self._askers.setdefault(asker, asker)] = ready


class ReadyAnswerMiddleware:
    """In front of the views. No query."""

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.ready = ReadyAnswers()

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if request.method != "GET" or request.clinic is None or request.actor is None or not request.path.startswith("/api/"):
            return self.get_response(request)
        if len(request.META.get("QUERY_STRING", "")) + len(request.META.get("HTTP_ACCEPT", "")) > LONGEST:
            return self.get_response(request)
        minute, asked = this_minute(), _asked(request)
        ready = self.ready.get(minute, asked)
        if ready is not None and (answer := cache.kept(ready.family, ready.key)) is not None:
            request.resolver_match = ready.manner.match
            return _sent(request, answer, ready)
        response = self.get_response(request)
        if isinstance(response, AnswerResponse) and response.kept_as is not None and request.resolver_match is not None:
            headers = tuple((name, value) for name, value in response.items() if name not in OF_THE_BODY)
            self.ready.note(minute, asked, Ready(*response.kept_as, self.ready.manner(request.resolver_match, headers)))
        return response


def this_minute() -> int:
    return int(timezone.now().timestamp()) // 60


def _asked(request: HMSRequest) -> Asked:
    """All of a request that decides what its view answers, or refuses."""
    clinic, actor, sent = request.clinic, request.actor, request.META
    assert clinic is not None and actor is not None  # noqa: S101  (the caller has looked)
    said = request.api_version, sent.get("HTTP_ACCEPT", ""), sent.get("HTTP_X_API_VERSION", "")
    asker = (*said, clinic.pk, clinic.time_zone, clinic.currency, actor.seen_as, get_language())
    return (request.path, sent.get("QUERY_STRING", "")), asker


def _sent(request: HMSRequest, answer: Any, ready: Ready) -> HttpResponse:
    if is_known_to(request, answer):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(enveloped(answer, request.request_id), content_type="application/json")
    response["ETag"] = answer.etag
    for name, value in ready.manner.headers:
        response[name] = value
    return response
