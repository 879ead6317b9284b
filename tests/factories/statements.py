"""What every request of the test run is held to: no statement again and again, none while a template or serializer renders."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.db import connections
from django.template.base import Template
from rest_framework.serializers import BaseSerializer

from core.api.serializers import OutputSerializer
from core.database.detector import PASSED_OVER, Detector, call_site, listeners
from core.database.fingerprint import NOT_COUNTED, text_of

MOST = 5  # times that a request may send one statement
NOT_THE_CAUSE = (*PASSED_OVER, "tests/factories/statements.py")
RENDERED_BY_DJANGO = ("admin/", "registration/")  # Django's own templates ask while they render

_found: list[str] = []


def take() -> list[str]:
    """What was found since the last call."""
    found = list(_found)
    _found.clear()
    return found


def too_often(detector: Detector) -> None:
    """A listener of the detector."""
    _found.extend(f"{detector.label()} repeats a statement {one}" for one in detector.repetitions(MOST + 1))


class QueryWhileRendering(AssertionError):
    """Data that a page or an answer shows was not planned before it was rendered."""


class _Rendering(threading.local):
    depth = 0


_rendering = _Rendering()


def _refuse(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if text_of(sql).startswith(NOT_COUNTED):
        return execute(sql, params, many, context)
    message = f"asked while rendering, from {call_site(sys._getframe(1), NOT_THE_CAUSE)}: {text_of(sql)[:300]}"
    _found.append(message)
    raise QueryWhileRendering(message)


@contextmanager
def no_queries() -> Iterator[None]:
    """Within the block every statement is refused. Nested blocks are one."""
    _rendering.depth += 1
    wrappers = [connection.execute_wrappers for connection in connections.all()] if _rendering.depth == 1 else []
    for wrapper in wrappers:
        wrapper.insert(0, _refuse)
    try:
        yield
    finally:
        for wrapper in wrappers:
            wrapper.remove(_refuse)
        _rendering.depth -= 1


def _guarded_render(render: Callable[..., str]) -> Callable[..., str]:
    @wraps(render)
    def guarded(self: Template, context: Any) -> str:
        if _rendering.depth == 0 and (self.name or "").startswith(RENDERED_BY_DJANGO):
            return render(self, context)
        with no_queries():
            return render(self, context)

    return guarded


def _guarded_data(data: property) -> property:
    def guarded(self: Any) -> Any:
        with no_queries():
            return data.fget(self)  # type: ignore[misc]

    return property(guarded)


def _guarded_shown(shown: Any) -> Any:
    def guarded(cls: Any, rows: Any, context: Any) -> Any:
        with no_queries():
            return shown.__func__(cls, rows, context)

    return classmethod(guarded)


def watch() -> None:
    """From now on, in this process."""
    OutputSerializer.shown = _guarded_shown(vars(OutputSerializer)["shown"])
    listeners.append(too_often)
    Template.render = _guarded_render(Template.render)
    BaseSerializer.data = _guarded_data(BaseSerializer.data)
