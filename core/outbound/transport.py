"""The wire: connections to judged addresses only, TLS verified, no proxy, nothing slower than the request's deadline."""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from core.outbound.addresses import Guard, Refused
from core.outbound.systems import IDLE_SECONDS

MAX_CONNECTIONS, MAX_IDLE = 50, 20
_until: ContextVar[float | None] = ContextVar("hms_outbound_until", default=None)  # monotonic seconds


@contextmanager
def deadline(until: float) -> Iterator[None]:
    """Within the block nothing on the wire lasts longer than until this moment of `time.monotonic`."""
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


def left(timeout: float | None, error: type[Exception]) -> float | None:
    """The time-out, or what the deadline leaves of it. Raises `error` when that is nothing."""
    until = _until.get()
    if until is None:
        return timeout
    rest = until - time.monotonic()
    if rest <= 0:
        raise error("deadline")
    return rest if timeout is None else min(timeout, rest)


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends with the deadline: a server that drips can't hold anybody."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves a name itself, asks the guard about every address, and connects to one of those."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._guard.addresses_of(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("name not resolved") from error
        trouble: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                rest = left(timeout, httpcore.ConnectTimeout)
                return _Stream(self._plain.connect_tcp(address, port, rest, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        raise trouble

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise Refused("address refused")


class GuardedTransport(httpx.BaseTransport):
    """A pool of connections behind a guard. Raises Refused, and httpcore's own exceptions."""

    def __init__(self, guard: Guard, idle_seconds: float) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE,
            keepalive_expiry=idle_seconds,
            network_backend=GuardedBackend(guard),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        answer = self._pool.handle_request(sent)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def http_client(guard: Guard, idle_seconds: float = IDLE_SECONDS) -> httpx.Client:
    """A client that follows no redirects, reads no proxies or credentials from the environment and keeps no cookies."""
    none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.Client(transport=GuardedTransport(guard, idle_seconds), cookies=none, follow_redirects=False, trust_env=False)
