"""Which class the address of a request is of, known before Django has resolved it: limits stand before everything dear.

Resolving takes tens of microseconds and is done once, later. Few routes name a class, so their patterns alone are tried.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from core.security.limiting.classes import RouteClass, class_of, has_class

GROUP = re.compile(r"\(\?P<\w+>")


@cache
def _named(urlconf: str) -> tuple[re.Pattern[str], list[tuple[re.Pattern[str], Any]]]:
    """All patterns whose view names a class, as one and one by one."""
    found = list(_walk(get_resolver(urlconf).url_patterns, "/"))
    return re.compile("|".join(f"(?:{text})" for text, _ in found) or "(?!)"), [(re.compile(text), view) for text, view in found]


def _walk(patterns: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for entry in patterns:
        text = prefix + GROUP.sub("(?:", entry.pattern.regex.pattern.removeprefix("^"))
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, text)
        elif isinstance(entry, URLPattern) and has_class(entry.callback):
            yield text, entry.callback


def class_of_route(path: str, method: str) -> RouteClass:
    """The class that the view behind this path names; USUAL for what there is not."""
    any_of_them, each = _named(settings.ROOT_URLCONF)
    if not any_of_them.match(path):
        return RouteClass.USUAL
    return next(class_of(view, method) for pattern, view in each if pattern.match(path))
