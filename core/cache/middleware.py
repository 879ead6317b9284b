"""Tells a person's next machine what the person has seen (core.cache.seen)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.cache import seen
from core.cache.process import ears, generations, shared


class SeenMiddleware:
    """Reads and sends the mark: a header for callers with a token, a cookie for browsers. No query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        said = request.META.get("HTTP_X_HMS_SEEN") or request.COOKIES.get(seen.COOKIE, "")
        machine = "" if shared else generations.machine  # what this machine's file knows, Redis may not
        with seen.request(said, machine=machine, heard=ears.heard) as wrote:
            behind = seen.is_behind()
            response = self.get_response(request)
        if wrote:
            # Who came with something unheard may have written elsewhere before: then this machine waits for the newer mark too.
            mark = f"{seen.NOBODY if behind else generations.machine}.{wrote[-1]}"
            if "HTTP_AUTHORIZATION" in request.META:
                response[seen.HEADER] = mark
            else:
                response.set_cookie(
                    seen.COOKIE, mark, max_age=seen.SECONDS, secure=request.is_secure(), httponly=True, samesite="Lax"
                )
        return response
