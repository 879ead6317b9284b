"""A forgotten tag can't be shipped: under test, a loader that reads a table its tags don't cover fails.

`settings.HMS_CACHE_GUARD`: "raise" in tests, "log" with DEBUG, "" in production.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache as remembered
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections

from core.cache.tags import Tag
from core.tenancy.announcements import covering
from core.tenancy.units import ALIASES

logger = logging.getLogger(__name__)

WORD = re.compile(r"[a-z_][a-z0-9_]+")


class ForgottenTag(AssertionError):
    """A cached value depends on a table whose changes would not invalidate it."""


@remembered
def _tables() -> frozenset[str]:
    return frozenset(model._meta.db_table for model in apps.get_models(include_auto_created=True))


@contextmanager
def watching(family: str, tags: Iterable[Tag]) -> Iterator[None]:
    """While a loader runs: every table its statements name has to be covered by one of the tags."""
    covered = {tag.table for tag in tags}

    def look(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        named = _tables().intersection(WORD.findall(str(sql)))
        forgotten = sorted(table for table in named if not covered.intersection(covering(table)))
        if forgotten:
            message = f"The loader of {family} reads {', '.join(forgotten)}, which no tag of it covers."
            if settings.HMS_CACHE_GUARD == "raise":
                raise ForgottenTag(message)
            logger.error(message)
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in ALIASES:
            stack.enter_context(connections[alias].execute_wrapper(look))
        yield
