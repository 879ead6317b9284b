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
def _named(urlconf: str) -> tuple[re.Pattern[str], dict[str, Any]]:
    """All patterns whose view names a class as one, and the views by the names of its groups."""
    found = [(f"view{number}", *one) for number, one in enumerate(_walk(get_resolver(urlconf).url_patterns, "/"))]
    texts = "|".join(f"(?P<{name}>{text})" for name, text, _ in found)
    return re.compile(texts or "(?!)"), {name: view for name, _, view in found}


def _walk(patterns: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for entry in patterns:
        text = prefix + GROUP.sub("(?:", entry.pattern.regex.pattern.removeprefix("^"))
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, text)
        elif isinstance(entry, URLPattern) and has_class(entry.callback):
            yield text, entry.callback


def class_of_route(path: str, method: str) -> RouteClass:
    """The class that the view behind this path names; USUAL for what there is not."""
    any_of_them, views = _named(settings.ROOT_URLCONF)
    found = any_of_them.match(path)
    return RouteClass.USUAL if found is None else class_of(views[str(found.lastgroup)], method)
