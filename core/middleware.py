"""The request's way in and out, in the order of `settings.MIDDLEWARE`. Each piece does one thing."""

import gzip
import re
import secrets
import time
from functools import partial

import brotli
from django.conf import settings
from django.db import connections, transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.middleware.gzip import GZipMiddleware
from django.middleware.locale import LocaleMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.csp import CSP, build_policy
from django.utils.translation import activate, get_language, get_language_from_request
from django.utils.translation import gettext as _

from core.cache.statistics import tallied
from core.database import detector
from core.database.replica import ALIAS, COOKIE, HEADER, REMEMBERED, replica
from core.database.retry import may_retry, retry
from core.database.timeouts import limits_of
from core.errors import PayloadTooLarge, Unavailable
from core.logs import tell_request, telling_of
from core.requests import GetResponse, HMSRequest, route_of
from core.responses import error_response
from core.security.proxies import client_address
from core.tenancy.context import Scope, entered, reading_from, unit_of_work
from core.tenancy.ids import new_id
from core.tenancy.units import unit_of
from core.uploads.limits import NO_ROOM, body_limit

SAFE = ("GET", "HEAD", "OPTIONS")
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
BROTLI, GZIP = (re.compile(rf"\b{name}\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))") for name in ("br", "gzip"))
BROTLI_QUALITY = 2  # half the time of 4 for a twentieth more bytes
GZIP_LEVEL = 3  # a page of 51 kB: 0.24 ms and 9.1 kB; gzip's usual 6 takes 0.69 ms for 8.4 kB
WORTH_IT = 200  # bytes


class RequestMiddleware:
    """Gives the request an id (the caller's, if it is well-formed) and tells how long the answer took: the caller and the log."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        with telling_of(request):
            return self._told(request)

    def _told(self, request: HMSRequest) -> HttpResponse:
        sent = request.META.get("HTTP_X_REQUEST_ID", "")  # request.headers would be made of all of them: 10 us
        request.request_id = sent if REQUEST_ID.fullmatch(sent) else str(new_id())
        request.peer = str(request.META.get("REMOTE_ADDR") or "")
        request.META["REMOTE_ADDR"] = client_address(request.META)
        started = time.perf_counter()
        request.turned_down = None
        request.statements = statements = detector.Detector(partial(route_of, request))
        with entered(Scope(request_id=request.request_id, limits=limits_of(request.path))), statements.on(), tallied() as tally:
            response = self.get_response(request)
        total = (time.perf_counter() - started) * 1000
        response["X-Request-ID"] = request.request_id
        response["Server-Timing"] = f'total;dur={total:.1f}, db;dur={statements.milliseconds:.1f};desc="{statements.count} queries"'
        if tally.summary:
            response["Server-Timing"] += f", cache;desc={tally.summary}"
        detector.finished(statements)
        if settings.HMS_REQUEST_LOG:
            tell_request(request, response.status_code, total)
        return response


class CompressionMiddleware(GZipMiddleware):
    """Brotli for the API's answers where the caller takes it; gzip for all else but files, which are packed as they are.

    Pages hold the token of their forms, and gzip's random padding hides how well it was guessed; brotli has none.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.get("Content-Disposition", "").startswith("attachment"):
            return response
        if not isinstance(response, HttpResponse):
            return super().process_response(request, response)
        content, accepted = response.content, request.META.get("HTTP_ACCEPT_ENCODING", "")
        if len(content) < WORTH_IT or response.has_header("Content-Encoding"):
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        if request.path.startswith("/api/") and BROTLI.search(accepted):
            self._send(response, brotli.compress(content, quality=BROTLI_QUALITY), "br")
        elif GZIP.search(accepted):
            self._send(response, self._gzipped(content), "gzip")
        return response

    def _gzipped(self, content: bytes) -> bytes:
        """Padded as Django's own, by a file name of random length, which is named in RFC 1952's flags."""
        packed, name = gzip.compress(content, GZIP_LEVEL, mtime=0), b"a" * secrets.randbelow(self.max_random_bytes)
        return packed[:3] + b"\x08" + packed[4:10] + name + b"\0" + packed[10:]

    def _send(self, response: HttpResponse, small: bytes, encoding: str) -> None:
        if len(small) >= len(response.content):
            return
        response.content = small
        response["Content-Length"], response["Content-Encoding"] = str(len(small)), encoding
        if response.get("ETag", "").startswith('"'):
            response["ETag"] = f"W/{response['ETag']}"


class ContentPolicyMiddleware(ContentSecurityPolicyMiddleware):
    """Django's own, which spells the policy anew for each answer. Ours names no nonce, so it is the same for all."""

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)  # type: ignore[arg-type]
        self.policy = build_policy(settings.SECURE_CSP)  # type: ignore[arg-type]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        of_its_own = hasattr(response, "_csp_config") or hasattr(response, "_csp_ro_config")
        if of_its_own or settings.SECURE_CSP_REPORT_ONLY:
            return super().process_response(request, response)
        response.headers.setdefault(CSP.HEADER_ENFORCE.value, self.policy)
        return response


class LanguageMiddleware(LocaleMiddleware):
    """Django's own, for addresses that name no language: what follows from a cookie and a header is worked out once."""

    KEPT = 512  # pairs of them
    LONGEST = 200  # characters of a pair; longer ones are not kept

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)  # type: ignore[arg-type]
        self._known: dict[tuple[str, str], str] = {}

    def process_request(self, request: HttpRequest) -> None:
        said = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""), request.META.get("HTTP_ACCEPT_LANGUAGE", "")
        language = self._known.get(said)
        if language is None:
            language = get_language_from_request(request)
            if len(self._known) >= self.KEPT:
                self._known = {}
            if sum(map(len, said)) <= self.LONGEST:
                self._known[said] = language
        activate(language)
        request.LANGUAGE_CODE = language

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", get_language() or settings.LANGUAGE_CODE)
        return response


class SecurityHeadersMiddleware:
    """What Django's own middleware doesn't send (docs/security/headers.md), and the rule that caches keep nothing of a person.

    Stands before everything that may answer, static files and redirects included.
    """

    HEADERS = {
        "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "X-Permitted-Cross-Domain-Policies": "none",
    }

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in self.HEADERS.items():
            response.headers.setdefault(name, value)
        if "Cache-Control" not in response.headers:
            read_by_machine = request.path.startswith("/api/") and request.method in SAFE
            response.headers["Cache-Control"] = "private, no-cache" if read_by_machine else "no-store"
        return response


class BodyLimitMiddleware:
    """Refuses a body over 1 MB (over 10 where files are taken) by its declared length, before anything reads it.

    And one that the front had no room for.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if declared.isdigit() and (length := int(declared)) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            limit = body_limit(request.path_info, request.content_type or "")
            if length > limit:
                return error_response(request, PayloadTooLarge(f"The body is larger than {limit // 1024 // 1024} MB."))
        if request.META.get("asgi.scope", {}).get(NO_ROOM):
            return error_response(request, Unavailable(_("Many files are being sent at this moment. Try again.")))
        return self.get_response(request)


class UnitOfWorkMiddleware:
    """One transaction a request, begun at the first statement. Any answer of 400 and up rolls it back.

    A safe request that the database turned down (its connection broke, say) runs again; an unsafe one never does: whoever
    sent it knows whether it may be sent twice, and an idempotency key makes that harmless.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        return self._safely(request) if request.method in SAFE and may_retry() else self._once(request)

    @retry
    def _safely(self, request: HMSRequest) -> HttpResponse:
        before = getattr(request, "turned_down", None)
        response = self._once(request)
        if request.turned_down not in (None, before):
            raise request.turned_down
        return response

    def _once(self, request: HMSRequest) -> HttpResponse:
        reason = f"{request.method} {request.path}"[:200].replace("\x00", "")  # PostgreSQL takes no NUL
        with unit_of_work(Scope(request_id=request.request_id, reason=reason, limits=limits_of(request.path))):
            response = self.get_response(request)
            if response.status_code >= 400:
                transaction.set_rollback(True)
            elif transaction.get_rollback():
                raise TransactionManagementError("An error was caught without a savepoint: nothing of this would be saved.")
        return response


class ReplicaMiddleware:
    """Stands in the line only where there is a replica. Lets a safe request read from it once it holds what the person wrote.

    A request that wrote answers with the log's position: in a cookie, and in a header for machines, who send it back. A second
    run of a request stays on the primary.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        person = request.user.pk if request.user.is_authenticated else None
        said = request.headers.get(HEADER) or request.COOKIES.get(COOKIE, "")
        if request.method in SAFE and request.turned_down is None and replica.serves(replica.position_of(person, said)):
            with reading_from(ALIAS):
                response = self.get_response(request)
        else:
            response = self.get_response(request)
        unit = unit_of(connections["default"])
        if unit is not None and unit.written:
            transaction.on_commit(partial(self._wrote, request, response))
        return response

    def _wrote(self, request: HMSRequest, response: HttpResponse) -> None:
        position = replica.wrote(request.user.pk if request.user.is_authenticated else None)
        response[HEADER] = position
        response.set_cookie(
            COOKIE, position, max_age=int(REMEMBERED), httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
        )
