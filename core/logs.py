"""Log lines: JSON for machines, readable on a developer's terminal, and each knows its request or job, its person and its clinic.

Every `logging.getLogger` line passes here, those of Django, gunicorn and Celery too. Redaction (core.redaction) has passed over
message and traceback before; what else a record brings along is passed over here.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from core.redaction import redacted, told
from core.tenancy.context import current_scope

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from core.requests import HMSRequest

STYLES = ("json", "console")
OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "color_message"}
PROBES = ("/health", "/metrics")  # asked every few seconds by machines: told only when they fail

requests_log = logging.getLogger("hms.requests")
_request: ContextVar["HMSRequest | None"] = ContextVar("hms_logged_request", default=None)
_named: ContextVar[Mapping[str, str]] = ContextVar("hms_logged_names", default=MappingProxyType({}))


def style_of(said: str, *, development: bool, is_command: bool) -> str:
    """`said` (HMS_LOG_FORMAT), or else JSON but for developers and for commands on a terminal."""
    if said in STYLES:
        return said
    return "console" if development or (is_command and sys.stderr.isatty()) else "json"


def formatter(style: str) -> logging.Formatter:
    """For handlers: `json` or `console`, the latter with colours where standard error is a terminal."""
    if style != "console":
        return JsonLines()
    from structlog.dev import ConsoleRenderer  # late: JSON needs none of it, and it takes along what it finds
    from structlog.stdlib import ProcessorFormatter

    last: Any = ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
    return ProcessorFormatter(foreign_pre_chain=[_for_reading], processors=[ProcessorFormatter.remove_processors_meta, last])


class JsonLines(logging.Formatter):
    """An object a line. structlog's own formatter would copy each record and pass it through a chain (tests/load/log_lines.py)."""

    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps(_composed(record), default=str).decode()


@contextmanager
def telling_of(request: "HMSRequest") -> Iterator[None]:
    """Within the block every line of this thread is one of the request's."""
    mark = _request.set(request)
    try:
        yield
    finally:
        _request.reset(mark)


@contextmanager
def naming(**names: str) -> Iterator[None]:
    """Within the block every line says these too, such as a job's id."""
    mark = _named.set({**_named.get(), **names})
    try:
        yield
    finally:
        _named.reset(mark)


def logged_request() -> "HMSRequest | None":
    """The request whose lines are being told, None outside of one."""
    return _request.get()


def tell_request(request: "HMSRequest", status: int, milliseconds: float) -> None:
    """One line for an answered request. Within `telling_of`, which adds whose it is, and its method and route."""
    level = logging.WARNING if status >= 500 else logging.INFO
    if level == logging.INFO and request.path.startswith(PROBES):
        level = logging.DEBUG
    if requests_log.isEnabledFor(level):
        statements = request.statements
        figures = {"ms": round(milliseconds, 1), "queries": statements.count, "db_ms": round(statements.milliseconds, 1)}
        record = requests_log.makeRecord(
            requests_log.name, level, __file__, 0, "request", (), None, extra={"status": status, **figures}
        )
        requests_log.handle(record)  # without a look through the stack for the line that tells it


def known() -> dict[str, str]:
    """What the surroundings say: ids of request, person, clinic and job, method and route; only what there is."""
    found: dict[str, str] = {}
    scope, request = current_scope(), _request.get()
    if request is not None:
        match = request.resolver_match
        found = {
            "request_id": request.request_id,
            "user_id": _text(getattr(request, "person_id", None)),
            "method": request.method or "",
            "route": f"/{match.route}" if match else "",
        }
        if (actor := getattr(request, "actor", None)) is not None:
            found |= {"user_id": _text(actor.user_id), "clinic_id": _text(actor.clinic_id)}
    if scope is not None:
        said = {"request_id": scope.request_id, "user_id": _text(scope.user_id), "clinic_id": _text(scope.clinic_id)}
        found |= {name: value for name, value in said.items() if value}
    return {name: value for name, value in {**found, **_named.get()}.items() if value}


# --- Inside ------------------------------------------------------------------------------------------------------------------
def _text(value: object) -> str:
    return str(value) if value else ""


def _composed(record: logging.LogRecord) -> dict[str, Any]:
    """The line's fields in the order in which people want to read them. Times in UTC, to the millisecond."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line: dict[str, Any] = {
        "timestamp": at,
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage(),
        **known(),
    }
    for name, value in vars(record).items():
        if name not in OF_EVERY_RECORD and value != "" and isinstance(value, str | int | float):  # nothing that could hold more
            line.setdefault(name, redacted(value) if isinstance(value, str) else value)
    if record.exc_info and record.exc_info[1] is not None:
        line["exception"] = told(record.exc_info[1])
    elif record.exc_text:
        line["exception"] = record.exc_text
    return line


def _for_reading(_logger: Any, _method: str, given: "EventDict") -> "EventDict":
    return {**_composed(given["_record"]), "_record": given["_record"], "_from_structlog": False}
