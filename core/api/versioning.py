"""Which version of the API a request means: by path, header, query; else the newest."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.versioning import BaseVersioning

from core.errors import BadRequest, Detail

KNOWN = ("2.0",)
NEWEST = "2.0"
BY_PATH = {"v2": "2.0"}


class SaysItsVersion:
    """For every API view: the answer, an error too, names the version it is in."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        final["X-API-Version"] = getattr(request, "version", None) or NEWEST
        return final


class PathHeaderQueryVersioning(BaseVersioning):
    default_version = NEWEST

    def determine_version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> str:
        path = kwargs.get("version", "")
        wanted = BY_PATH.get(path, path) or request.headers.get("X-API-Version") or request.GET.get("api_version") or NEWEST
        if wanted not in KNOWN:
            message = f"Unknown version. Known: {', '.join(KNOWN)}."
            raise BadRequest(message, [Detail("api_version", "unknown_version", message)])
        return wanted
