"""The one way to Redis: short time-outs, nothing tried twice, and a pause after trouble that all who use it share."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0  # after trouble Redis is left alone this long
Client = Any  # redis.Redis; its answers are typed for every way of decoding them


class RedisLink:
    """A process's connections. `connect()` gives the client at first use; `greet` is called with every new connection.

    The client's package is imported only where there is a link: it takes nine megabytes of every process.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        from redis import RedisError

        self._trouble = (RedisError, OSError)
        self.greet: Callable[[Any], None] | None = None
        self._connect = connect
        self._client: Client | None = None
        self._retry_at = 0.0
        self._trying = threading.Lock()

    @contextmanager
    def using(self) -> Iterator[Client | None]:
        """The client, or None while Redis is left alone. Trouble ends the block quietly: it is logged once, and a pause begins."""
        client = self._usable()
        try:
            yield client
        except self._trouble as error:
            with self._trying:
                first = time.monotonic() >= self._retry_at
                self._retry_at = time.monotonic() + RETRY_SECONDS
            if first:
                logger.warning("Redis is in trouble (%s): HMS does without it for a moment.", type(error).__name__)

    def retry_now(self) -> None:
        """End the pause."""
        self._retry_at = 0.0

    def _usable(self) -> Client | None:
        if time.monotonic() < self._retry_at:
            return None
        if self._client is None:
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            client = self._connect()
            options = {"retry": Retry(NoBackoff(), 0), "retry_on_error": []}
            if self.greet is not None:
                options["redis_connect_func"] = self.greet
            client.connection_pool.connection_kwargs.update(options)
            self._client = client
        return self._client


def _configured() -> Client:
    from django_redis import get_redis_connection

    return get_redis_connection("tags")


link = RedisLink(_configured) if settings.REDIS_URL else None
