"""Tells a person's next machine what the person has seen (core.cache.seen)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.cache import seen
from core.cache.process import ears, generations


class SeenMiddleware:
    """Reads and sends the mark: a header for callers with a token, a cookie for browsers. No query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        said = request.META.get("HTTP_X_HMS_SEEN") or request.COOKIES.get(seen.COOKIE, "")
        with seen.request(said, machine=generations.machine, heard=ears.heard, told=ears.told) as written:
            response = self.get_response(request)
        if mark := written.mark():
            if "HTTP_AUTHORIZATION" in request.META:
                response[seen.HEADER] = mark
            else:
                response.set_cookie(
                    seen.COOKIE, mark, max_age=seen.SECONDS, secure=request.is_secure(), httponly=True, samesite="Lax"
                )
        return response
