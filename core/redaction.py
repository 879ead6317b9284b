"""Nothing of a patient in logs, error mails and tracebacks: what leaves for a log passes here, whoever wrote it.

Our own lines name ids and nothing else. This is for the lines of others: exceptions quote what they choked on, PostgreSQL adds
the failing row, a server names the address with its query.
"""

import copy
import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any, override

import psycopg
from django.conf import settings
from django.utils.html import escape
from django.views.debug import ExceptionReporter

from core.errors import DomainError

QUERY = re.compile(r"(?<=[\w/])\?[^\s\"'<>]+")
EMAIL = re.compile(r"[^\s\"'<>(),:;=\[\]]+@[^\s\"'<>(),:;=\[\]]+")
# Seven digits and more, however they are grouped: phones, identity numbers, dates of birth. Not within an id.
NUMBER = re.compile(r"(?<![\w.-])\+?\(?\d(?:[ ()/-]{0,2}\d){6,}(?![\w-])")
API_KEY = re.compile(r"hms_[0-9a-fA-F]{6,}\w*")  # also half of one
HIDDEN = "[hidden]"
# What the interpreter says itself, of names and types in the code. The messages of other exceptions may quote a value.
OF_CODE = (AttributeError, NameError, ImportError, TypeError, RecursionError, MemoryError, NotImplementedError)


def redacted(text: str) -> str:
    """The text without API keys, query strings, mail addresses and long numbers."""
    return NUMBER.sub(HIDDEN, EMAIL.sub(HIDDEN, QUERY.sub("?" + HIDDEN, API_KEY.sub(HIDDEN, text))))


def told(error: BaseException) -> str:
    """A traceback of places in the code and kinds of errors: no values, neither of variables nor in messages."""
    return "\n\n".join(
        "".join(["Traceback (most recent call last):\n", *traceback.format_tb(one.__traceback__), _kind_of(one)])
        for one in _chain(error)
    )


def _chain(error: BaseException) -> list[BaseException]:
    """What led to it, first things first."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.insert(0, one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return found


def _kind_of(error: BaseException) -> str:
    return ": ".join([kind_name(error), *_facts(error)])


def kind_name(error: BaseException) -> str:
    """The type with its module, but for the interpreter's own."""
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def facts(error: BaseException) -> str:
    """What an exception says of the code or the schema: names, states of PostgreSQL, our codes. Empty for most."""
    return " ".join(_facts(error))


def _facts(error: BaseException) -> Iterator[str]:
    """What of an exception is certainly about the code or the schema."""
    if isinstance(error, psycopg.Error):
        named = (error.sqlstate, error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
        yield " ".join(one for one in named if one)
    elif isinstance(error, DomainError):
        yield error.code
    elif isinstance(error, OSError) and error.errno:
        yield f"errno {error.errno}"
    elif isinstance(error, OF_CODE):
        yield redacted(str(error))


class RedactingFilter(logging.Filter):
    """On every handler (tests/core/test_redaction.py). Other handlers get the record as it was."""

    @override
    def filter(self, record: logging.LogRecord) -> logging.LogRecord:
        text = redacted(record.getMessage())
        if record.msg == text and not (record.args or record.exc_info or record.exc_text or "request" in vars(record)):
            return record
        own = copy.copy(record)
        own.msg, own.args = text, ()
        if record.exc_info and record.exc_info[1] is not None:
            own.exc_text, own.exc_info = told(record.exc_info[1]), None
        elif record.exc_text:
            own.exc_text = HIDDEN
        vars(own).pop("request", None)  # an error mail would print all of it
        return own


class BareReporter(ExceptionReporter):
    """Django's report of an error, for a mail or a plug-in of somebody's: the traceback and the request's id, nothing it held."""

    def get_traceback_text(self) -> str:  # type: ignore[override]
        request_id = getattr(self.request, "request_id", "-")
        return f"Request {request_id}\n\n{told(self.exc_value) if isinstance(self.exc_value, BaseException) else ''}"

    def get_traceback_html(self) -> Any:
        if settings.DEBUG and not self.is_email:
            return super().get_traceback_html()
        return f"<pre>{escape(self.get_traceback_text())}</pre>"
