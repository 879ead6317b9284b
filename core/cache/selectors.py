"""A selector whose answer is cached under its arguments."""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from core.cache.process import cache
from core.cache.tags import Tag
from core.cache.values import TTL, Key


def cached[**P, R](
    family: str, *, tags: Callable[..., Iterable[Tag]], ttl: TTL = TTL.DEFAULT
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Cache what a function returns. Its arguments are the key, so they are plain data too; `tags` takes the same ones.

    The clinic of the scope is in the key already. `selector.uncached(...)` asks the source.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        of_none = None if signature.parameters else Key(family)  # such ones are asked in every request

        def key_of(args: Any, kwargs: Any) -> Key:
            if of_none is not None and not args and not kwargs:
                return of_none
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return Key(family, *_flat(bound.arguments.values()))

        @wraps(function)
        def through_cache(*args: P.args, **kwargs: P.kwargs) -> R:
            key = key_of(args, kwargs)
            return cache.get_or_set(key, tags=lambda: tags(*args, **kwargs), load=lambda: function(*args, **kwargs), ttl=ttl)

        through_cache.uncached = function  # type: ignore[attr-defined]
        return through_cache

    return decorate


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    """Keyword arguments taken together (`**kwargs`) are a dict: in a key they are pairs in a fixed order."""
    for value in values:
        yield tuple(sorted(value.items())) if isinstance(value, dict) else value
