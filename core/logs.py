"""Every log line knows its request."""

import logging
from datetime import UTC, datetime
from typing import override

from core.tenancy.context import current_scope


class LineFormatter(logging.Formatter):
    """Times in UTC, to the millisecond (2026-01-31T10:30:00.123Z): lines of several machines can be put in order."""

    @override
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RequestFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        scope = current_scope()
        record.request_id = scope.request_id if scope and scope.request_id else "-"
        return True
