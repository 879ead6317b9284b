"""Wakes the hubs through Redis in place of PostgreSQL's notices (HMS_LIVE_RELAY=redis): for very many web processes.

One process (`manage.py live_relay`, or several: a second notice is no news) listens to PostgreSQL and publishes. What is told is
read from the outbox all the same, so nothing depends on Redis but how soon: while it or the relay is silent, hubs look every
second.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import connections

from core.events.numbering import CHANNEL

logger = logging.getLogger(__name__)

BEAT = "beat"
BEATS_EVERY = 1.0  # seconds between two signs of life of the relay
SILENT = 3.0  # seconds without one after which hubs look by themselves
LOOK_EVERY = 1.0  # seconds


def _channel() -> str:
    return f"hms:{connections['default'].settings_dict['NAME']}:live"


def _client() -> Any:
    return redis.Redis.from_url(settings.REDIS_URL, protocol=2, socket_timeout=2, socket_connect_timeout=2)


class Publisher:
    """Of the relay's process: a receiver of the listener (core.listening) that passes on what it hears."""

    channel = CHANNEL

    def __init__(self) -> None:
        self._client = _client()
        self._beaten = 0.0
        self._owes = False  # has a word been lost?

    def gap(self) -> None:
        """The readers look by themselves until it beats again."""

    def listening(self) -> None:
        self._publish("*")

    def hear(self, payload: str) -> None:
        self._publish(payload)

    def beat(self, began: float) -> None:
        if began - self._beaten >= BEATS_EVERY:
            self._beaten = began
            self._publish(BEAT)

    def _publish(self, text: str) -> None:
        """What could not be told is made up for by the next word that can: all look."""
        try:
            if self._owes:
                self._client.publish(_channel(), "*")
            self._client.publish(_channel(), text)
            self._owes = False
        except redis.RedisError:  # the readers notice when it is silent
            self._owes = True


class Subscription:
    """Of a web process: `hear(payload)` for each notice, `look()` when some may have been missed. In a thread of its own."""

    def __init__(self, hear: Callable[[str], None], look: Callable[[], None]) -> None:
        self._hear, self._look = hear, look
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._heard = float("-inf")

    def hears(self) -> bool:
        """Has the relay given a sign of life lately?"""
        return time.monotonic() - self._heard <= SILENT

    def start(self) -> None:
        """Never before a fork."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="hms-live-relay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        said = False
        while not self._stopping.is_set():
            try:
                with _client().pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(_channel())
                    said = False
                    self._listen(pubsub)
            except Exception as error:
                if not said:
                    ours = not isinstance(error, redis.RedisError | OSError)
                    cause = type(error).__name__
                    logger.warning("The relay's Redis is in trouble (%s): streams look every second.", cause, exc_info=ours)
                said = True
                self._look()
                self._stopping.wait(LOOK_EVERY)

    def _listen(self, pubsub: Any) -> None:
        looked = 0.0
        while not self._stopping.is_set():
            message = pubsub.get_message(timeout=LOOK_EVERY / 2)
            now = time.monotonic()
            if message is not None:
                if not self.hears():
                    self._look()
                self._heard = now
                text = message["data"].decode()
                if text == "*":
                    self._look()
                elif text != BEAT:
                    self._hear(text)
            elif not self.hears() and now - looked >= LOOK_EVERY:
                looked = now
                self._look()
