"""The client of one external system: spreads requests over its endpoints, tries again where it does no harm, gives up in time."""

import json as json_text
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
from django.utils import timezone

from core.outbound.addresses import Refused
from core.outbound.breakers import Breaker
from core.outbound.budget import RetryBudget
from core.outbound.errors import CIRCUIT_OPEN, AddressRefused, OutboundTrouble
from core.outbound.figures import EndpointFigures, Meter
from core.outbound.systems import LEAST_CONNECTIONS, System
from core.outbound.transport import deadline, http_client
from core.tracing.hooks import outbound

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds before the same endpoint is asked again; doubled, with jitter
CROWDED = "too many at once"  # of our own requests, for our own pool


@dataclass(frozen=True, slots=True)
class Answer:
    """What the system said, whole. Redirects are answers like others: nobody follows them."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Raises ValueError for what is no JSON."""
        return json_text.loads(self.content)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request, as it goes to whichever endpoint."""

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]
    has_key: bool

    @property
    def is_repeatable(self) -> bool:
        return self.has_key or self.method in REPEATABLE


class Endpoint:
    """One address of a system, with its breaker and its figures."""

    def __init__(self, system: System, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self.name = parts.netloc + parts.path.rstrip("/")
        self.breaker = Breaker(f"{system.name} {url.rstrip('/')}", system.pace)
        self.meter = Meter()

    def url(self, path: str) -> str:
        """Of a path below the address; without one it is the address as it was written, with its slash at the end or without."""
        return self._url.rstrip("/") + path if path else self._url


class Client:
    """Safe for threads; one for each system and process. Never made before a fork."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.endpoints = [Endpoint(system, url) for url in system.endpoints]
        self.budget = RetryBudget()
        self._http = http_client(system.guard, system.idle_seconds)
        self._turn, self._lock = 0, threading.Lock()

    def request(
        self,
        method: str,
        path: str = "",
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str = "",
        total_seconds: float | None = None,
    ) -> Answer:
        """Ask the system; answers below 500 but 429 are returned as they are. Raises OutboundTrouble.

        `path` is added to an endpoint's address. What was surely not sent goes to the next endpoint at once. What may have been
        carried out is sent again only if that does no harm (the method, or an idempotency key, says so), at most `attempts` times
        and within the retry budget.
        """
        if path and (not path.startswith("/") or path.startswith("//")):
            raise ValueError("A path begins with one slash.")
        body = json_text.dumps(json).encode() if json is not None else content
        given = self._headers(headers, is_json=json is not None, idempotency_key=idempotency_key)
        until = time.monotonic() + min(total_seconds or self.system.total_seconds, self.system.total_seconds)
        self.budget.earn()
        with deadline(until), outbound(self.system.name, method.upper()) as said:
            sent = Sent(method.upper(), path, body, {**said.headers, **given}, bool(idempotency_key))
            answer = self._asked(sent, until)
            said.ended(failed=answer.status >= 400, **{"http.response.status_code": answer.status})
            return answer

    def check(self, *, seconds: float = 3.0) -> dict[str, str]:
        """Look at every endpoint at once, by its health path; returns "" or the cause for each. The breakers learn from it."""
        with ThreadPoolExecutor(max_workers=max(1, min(16, len(self.endpoints)))) as pool:
            causes = pool.map(lambda endpoint: self._look_at(endpoint, seconds), self.endpoints)
            return {endpoint.name: cause for endpoint, cause in zip(self.endpoints, causes, strict=True)}

    def figures(self) -> list[EndpointFigures]:
        """By endpoint. No query."""
        return [one.meter.figures(self.system.name, one.name, is_open=one.breaker.is_open) for one in self.endpoints]

    def leave_alone(self, seconds: float = 0.0) -> None:
        """The system has asked for it in an answer of its own kind; 0: it did not say for how long."""
        for one in self.endpoints:
            one.breaker.rest(seconds)

    def close(self) -> None:
        self._http.close()

    # --- Inside -----------------------------------------------------------------------------------------------------------
    def _headers(self, headers: Mapping[str, str] | None, *, is_json: bool, idempotency_key: str) -> dict[str, str]:
        made = {"Accept-Encoding": "identity", "User-Agent": "HMS"}
        if is_json:
            made["Content-Type"] = "application/json"
        if self.system.authorization:
            made["Authorization"] = self.system.authorization
        if idempotency_key:
            made["Idempotency-Key"] = idempotency_key
        return made | dict(headers or {})

    def _asked(self, sent: Sent, until: float) -> Answer:
        tried: list[Endpoint] = []
        paid, certain = 0, True
        trouble: OutboundTrouble | None = None
        while True:
            endpoint, wait = self._chosen(tried)
            if endpoint is None and tried:
                endpoint, wait = self._chosen(())
            if endpoint is None:
                raise trouble or OutboundTrouble(self.system.name, CIRCUIT_OPEN, certain=True, wait=wait)
            try:
                return self._once(endpoint, sent, retry=bool(tried))
            except AddressRefused:
                raise
            except OutboundTrouble as error:
                trouble, certain = error, certain and error.certain
            surely_nothing, trouble.certain = trouble.certain, certain
            if not (surely_nothing or sent.is_repeatable):
                raise trouble
            again = endpoint in tried
            tried.append(endpoint)
            has_other = len(set(tried)) < len(self.endpoints)
            if surely_nothing and not trouble.status and has_other and not again:
                continue  # it reached nobody: the next endpoint gets it for the first time
            paid += 1
            if paid >= self.system.attempts or not self.budget.spend():
                raise trouble
            if again or not has_other:
                _pause(paid, trouble, until)

    def _chosen(self, tried: Sequence[Endpoint]) -> tuple[Endpoint | None, float]:
        """The next endpoint that may be asked, of those not in `tried`; or None and the shortest wait."""
        waits = []
        for endpoint in self._ordered():
            if endpoint in tried:
                continue
            wait = endpoint.breaker.admit()
            if not wait:
                return endpoint, 0.0
            waits.append(wait)
        return None, min(waits, default=0.0)

    def _ordered(self) -> list[Endpoint]:
        with self._lock:
            self._turn = (self._turn + 1) % len(self.endpoints)
            turn = self._turn
        order = self.endpoints[turn:] + self.endpoints[:turn]
        if self.system.balance == LEAST_CONNECTIONS:
            order.sort(key=lambda endpoint: endpoint.meter.in_flight)
        return order

    def _once(self, endpoint: Endpoint, sent: Sent, *, retry: bool) -> Answer:
        """One request to one endpoint; breaker and figures learn how it went. Raises OutboundTrouble."""
        with endpoint.meter.measured(retry=retry):
            try:
                answer = self._exchanged(endpoint, sent)
            except OutboundTrouble as trouble:
                endpoint.meter.note(trouble.cause)
                if trouble.cause != CROWDED:
                    endpoint.breaker.failed()
                raise
        endpoint.meter.note(f"{answer.status // 100}xx")
        if answer.status < 500 and answer.status != 429:
            endpoint.breaker.succeeded()
            return answer
        refused = answer.status in (429, 503)  # by their meaning nothing was done
        wait = retry_after(answer.headers) if refused else 0.0
        if answer.status == 429 or wait:
            endpoint.breaker.rest(wait)
        else:
            endpoint.breaker.failed()
        raise OutboundTrouble(self.system.name, f"HTTP {answer.status}", certain=refused, status=answer.status, wait=wait)

    def _exchanged(self, endpoint: Endpoint, sent: Sent) -> Answer:
        return exchange(self._http, self.system, endpoint.url(sent.path), sent)

    def _look_at(self, endpoint: Endpoint, seconds: float) -> str:
        given = self._headers(None, is_json=False, idempotency_key="")
        try:
            with deadline(time.monotonic() + seconds):
                answer = self._exchanged(endpoint, Sent("GET", self.system.health_path, None, given, False))
        except OutboundTrouble as trouble:
            endpoint.breaker.failed()
            return trouble.cause
        if answer.status >= 500:
            endpoint.breaker.failed()
            return f"HTTP {answer.status}"
        endpoint.breaker.alive()
        return ""


def exchange(line: httpx.Client, system: System, url: str, sent: Sent) -> Answer:
    """One request and its answer, whatever its status. Raises OutboundTrouble; AddressRefused when nothing was sent for that."""
    times = httpx.Timeout(system.answer_seconds, connect=system.connect_seconds, pool=system.connect_seconds)
    status = 0
    try:
        with line.stream(sent.method, url, content=sent.body, headers=sent.headers, timeout=times) as response:
            status = response.status_code
            return Answer(response.status_code, response.headers, _read(response, system))
    except Refused as error:
        raise AddressRefused(system.name) from error
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as error:
        raise OutboundTrouble(system.name, _cause(error), certain=True) from error
    except (httpx.InvalidURL, httpcore.UnsupportedProtocol) as error:
        raise OutboundTrouble(system.name, "not a URL", certain=True) from error
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise OutboundTrouble(system.name, _cause(error), certain=False, status=status) from error


def _read(response: httpx.Response, system: System) -> bytes:
    """The body, as it came. Raises OutboundTrouble for one that is too large or packed: it was asked for plain."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise OutboundTrouble(system.name, "packed answer", certain=False, status=response.status_code)
    parts, size = [], 0
    for part in response.iter_raw():
        size += len(part)
        if size > system.most_bytes:
            raise OutboundTrouble(system.name, "answer too large", certain=False, status=response.status_code)
        parts.append(part)
    return b"".join(parts)


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds of a Retry-After header, written as a number or as a date; 0 for none, or for what is neither."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if timezone.is_naive(moment):
        return 0.0
    return max(0.0, (moment - timezone.now()).total_seconds())


def _pause(paid: int, trouble: OutboundTrouble, until: float) -> None:
    """Wait before the same endpoints are asked again. Raises the trouble when that can't be in time."""
    pause = trouble.wait or min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**paid) * random.uniform(0.5, 1)  # noqa: S311  (no secret)
    if time.monotonic() + pause >= until:
        raise trouble
    time.sleep(pause)


def _cause(error: Exception) -> str:
    """The kind of trouble, in two words; never an address."""
    if isinstance(error, httpcore.ConnectError) and "certificate" in str(error).lower():
        return "certificate refused"
    names = {
        httpcore.ConnectError: "no connection",
        httpcore.ConnectTimeout: "no connection in time",
        httpcore.PoolTimeout: CROWDED,
        httpcore.ReadTimeout: "no answer in time",
        httpcore.WriteTimeout: "not taken in time",
    }
    return next((words for kind, words in names.items() if isinstance(error, kind)), "connection lost")
