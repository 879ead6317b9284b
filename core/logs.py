"""Every log line knows its request."""

import logging

from core.tenancy.context import current_scope


class RequestFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        scope = current_scope()
        record.request_id = scope.request_id if scope and scope.request_id else "-"
        return True
