"""Counters that all processes share, for django-ratelimit: in Redis, or in the database while there is none that answers."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import connections

from core.cache.process import secrecy
from core.redis import Client, link
from core.tenancy.context import Scope, unit_of_work

ADD = """
INSERT INTO core_ratecounter (key, count, expires_at) VALUES (%s, %s, clock_timestamp() + %s * interval '1 second')
ON CONFLICT (key) DO UPDATE SET count = EXCLUDED.count, expires_at = EXCLUDED.expires_at
    WHERE core_ratecounter.expires_at <= clock_timestamp()
RETURNING count
"""
ADD_UP = "UPDATE core_ratecounter SET count = count + %s WHERE key = %s AND expires_at > clock_timestamp() RETURNING count"
GET = "SELECT count FROM core_ratecounter WHERE key = %s AND expires_at > clock_timestamp()"
SWEEP = "DELETE FROM core_ratecounter WHERE expires_at <= clock_timestamp()"
SWEPT = 0.01  # of all counters that begin: then the expired ones are taken away


class Counters(BaseCache):
    """A cache that can only count: `add`, `incr` and `get` of whole numbers, each atomic. One round trip or one statement."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Begin to count, unless that key has begun already."""
        name, seconds = _name(key), self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        asked, begun = _from_redis(lambda client: bool(client.set(name, value, nx=True, ex=seconds)))
        if asked:
            return bool(begun)
        if random.random() < SWEPT:  # noqa: S311  (housekeeping)
            _from_database(SWEEP, ())
        return _from_database(ADD, (name, value, seconds)) is not None

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError for a key that has not begun, or has ended."""
        name = _name(key)
        asked, count = _from_redis(lambda client: client.eval(INCREMENT, 1, name, delta))
        if not asked:
            count = _from_database(ADD_UP, (delta, name))
        if count is None:
            raise ValueError("There is no such counter.")
        return int(count)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        name = _name(key)
        asked, count = _from_redis(lambda client: client.get(name))
        if not asked:
            count = _from_database(GET, (name,))
        return default if count is None else int(count)


INCREMENT = "if redis.call('EXISTS', KEYS[1]) == 0 then return false end return redis.call('INCRBY', KEYS[1], ARGV[1])"


def _name(key: str) -> str:
    return secrecy.name("counter", key)


def _from_redis(ask: Callable[[Client], Any]) -> tuple[bool, Any]:
    """Whether Redis answered, and what."""
    if link is not None:
        with link.using() as client:
            if client is not None:
                return True, ask(client)
    return False, None


def _from_database(statement: str, values: tuple[Any, ...]) -> Any:
    """The first column of the first row, or None. In a transaction of its own: a refused request's rollback leaves it standing."""
    with _transaction(), connections["platform"].cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@contextmanager
def _transaction() -> Iterator[None]:
    """As hms_platform, but no platform scope: no clinic's table is read, and each search would leave a line in the log."""
    with unit_of_work(Scope(reason="form limits", platform=True)):
        yield
