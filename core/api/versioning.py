"""Which version of the API a request means: by path, header, query; else the newest. One code base answers all of them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date
from rest_framework.request import Request
from rest_framework.versioning import BaseVersioning

from core.errors import BadRequest, Detail
from core.requests import GetResponse, HMSRequest, underlying
from core.responses import error_response

IN_PATHS = {"1.0": "v1", "2.0": "v2"}  # by version: how its addresses begin, below /api/
NEWEST = "2.0"
DEPRECATED_SINCE = {"1.0": date(2026, 11, 25)}
BY_PATH = {name: version for version, name in IN_PATHS.items()}
IN_PATH = re.compile(r"/api/(v\d[^/]*)(?=/|$)")


class VersionMiddleware:
    """Finds the version and says it in every answer of the API; a deprecated one also says until when it is there."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.farewells = {version: _Farewell.of(since) for version, since in DEPRECATED_SINCE.items()}

    def __call__(self, request: HMSRequest) -> HttpResponse:
        request.api_version, request.version_refused = NEWEST, None
        if not request.path.startswith("/api/"):
            return self.get_response(request)
        try:
            request.api_version = wanted_version(request)
        except BadRequest as error:
            request.version_refused = error
        response = self.get_response(request)
        response["X-API-Version"] = request.api_version
        if farewell := self.farewells.get(request.api_version):
            farewell.say(request, response)
        return response


class KnownVersionMiddleware:
    """Refuses a version there is not. Behind the address's limit, so that these answers are counted and say how it stands."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if request.version_refused is not None:
            return error_response(request, request.version_refused)
        return self.get_response(request)


@dataclass(frozen=True, slots=True)
class _Farewell:
    """What a deprecated version's answers say of it (RFC 9745, RFC 8594)."""

    deprecation: str
    sunset: str
    sunset_day: str

    @classmethod
    def of(cls, since: date) -> "_Farewell":
        until = date.fromisoformat(settings.HMS_API_V1_SUNSET)
        return cls(f"@{_midnight(since)}", http_date(_midnight(until)), until.isoformat())

    def say(self, request: HMSRequest, response: HttpResponse) -> None:
        response["X-API-Deprecated"] = "true"
        response["X-API-Sunset"] = self.sunset_day
        response["Deprecation"] = self.deprecation
        response["Sunset"] = self.sunset
        response["Link"] = f'<{_successor(request.path)}>; rel="successor-version"'


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time.min, UTC).timestamp())


def _successor(path: str) -> str:
    """The same address in the newest version. Without the query: its parameters have other names there."""
    rest = IN_PATH.sub("/api", path, count=1).removeprefix("/api")
    return quote(f"/api/{IN_PATHS[NEWEST]}{rest}")


def wanted_version(request: HttpRequest) -> str:
    """The version a request names, or the newest. Raises BadRequest, with the known ones, for one there is not."""
    path = IN_PATH.match(request.path)
    wanted = (
        BY_PATH.get(path[1], path[1]) if path else request.headers.get("X-API-Version") or request.GET.get("api_version") or NEWEST
    )
    if wanted not in IN_PATHS:
        message = f"Unknown version. Known: {', '.join(IN_PATHS)}."
        raise BadRequest(message, [Detail("api_version", "unknown_version", message)])
    return wanted


def version_of(request: Request) -> str:
    """The version that the middleware found."""
    return underlying(request).api_version


class FoundVersion(BaseVersioning):
    """DRF adopts the version that the middleware found."""

    def determine_version(self, request: Any, *args: Any, **kwargs: Any) -> str:
        return version_of(request)
