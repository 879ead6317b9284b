"""One HTTP request to a gateway, with an end to its patience and a limit to what is read."""

import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

SECONDS = 10.0  # for a gateway to answer completely, however slowly it drips
MOST = 64 * 1024  # bytes of an answer that are read


class NotSent(Exception):
    """`cause` is short and says nothing of the message. `certain`: it has surely not gone out by this channel.

    `in_trouble`: it is the gateway's fault and not this message's. `retry_after`: seconds that it asked to be left alone.
    `unreachable`: the address itself was refused, and will be again; `stopped`: its owner wants no messages.
    """

    def __init__(
        self,
        cause: str,
        *,
        certain: bool = True,
        in_trouble: bool = False,
        retry_after: float | None = None,
        unreachable: bool = False,
        stopped: bool = False,
    ) -> None:
        super().__init__(cause)
        self.cause, self.certain, self.in_trouble, self.retry_after = cause, certain, in_trouble, retry_after
        self.unreachable, self.stopped = unreachable, stopped


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after: float | None  # seconds

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300

    def not_sent(self, code: str = "") -> NotSent:
        """What a status that takes nothing means. Of 500 and up nobody can say whether the message has gone out."""
        cause = f"HTTP {self.status}{f' {code}' if code else ''}"
        trouble = self.status >= 500 or self.status == 429
        return NotSent(cause, certain=self.status < 500, in_trouble=trouble, retry_after=self.retry_after)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST and the whole answer, within SECONDS. Redirects are not followed. Raises NotSent when there was no answer."""
    address = urlsplit(url)
    if not address.hostname:
        raise NotSent("not configured")
    line = _line(address.scheme, address.netloc)
    clock = threading.Timer(SECONDS, _cut, [line])
    clock.daemon = True
    clock.start()
    try:
        line.request("POST", f"{address.path or '/'}{'?' if address.query else ''}{address.query}", body, dict(headers))
        response = line.getresponse()
        return Answer(response.status, response.read(MOST), _seconds(response.getheader("Retry-After")))
    except (ConnectionRefusedError, ssl.SSLCertVerificationError) as error:
        raise NotSent("no connection", in_trouble=True) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSent(type(error).__name__, certain=False, in_trouble=True) from error
    finally:
        clock.cancel()
        line.close()


def _line(scheme: str, netloc: str) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(netloc, timeout=SECONDS, context=ssl.create_default_context())
    return http.client.HTTPConnection(netloc, timeout=SECONDS)


def _cut(line: http.client.HTTPConnection) -> None:
    """Time is up: whoever reads from the connection gets an error."""
    if (socket := line.sock) is not None:
        try:
            socket.shutdown(2)
        except OSError:
            return  # it has ended by itself


def _seconds(header: str | None) -> float | None:
    """Of Retry-After, which is a number of seconds or a date (RFC 9110); None for anything else."""
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
