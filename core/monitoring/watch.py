"""Watching: a thread in each web process, of which one in each server works. It needs neither workers nor the broker, and goes on
without the database: what it finds is told at once and written when the database is back."""

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from core.errors import DomainError
from core.health.checks import checks, look
from core.metrics.instruments import FOLDER
from core.monitoring.judging import Judge
from core.monitoring.keeping import Keeper
from core.monitoring.ledger import Ledger, read_rules
from core.monitoring.metrics import DEFAULTS, Rule
from core.monitoring.reading import Reader, minute_before
from core.monitoring.series import Sampled
from core.monitoring.standing import Board
from core.monitoring.telling import Recipients, Teller
from core.turns import Turn

logger = logging.getLogger(__name__)

EVERY = 10.0  # seconds between two looks
RULES_KEPT = 30.0  # seconds until a change of a rule is known
MINUTES = 62  # of this server's own, for rules that look an hour back


def server_name() -> str:
    """By which operators know this server: its machine's name and the port."""
    return f"{socket.gethostname()}:{os.environ.get('PORT', '8000')}"[:100]


def turn_file() -> Path:
    """Beside the counts of this server's processes."""
    return Path(os.environ.get(FOLDER) or settings.VAR_DIR / "run" / f"metrics-{os.getpid()}") / "watch.lock"


class Watch:
    """One look at everything: sample, judge, write, tell."""

    def __init__(self, server: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reader, self.keeper = Reader(), Keeper()
        self.judge, self.board, self.ledger = Judge(server, clock), Board(clock), Ledger(server)
        self.recipients = Recipients()
        self.teller = Teller(self.recipients, clock)
        self.minutes: deque[Sampled] = deque(maxlen=MINUTES)
        self.rules: list[Rule] = list(DEFAULTS)
        self._rules_read = float("-inf")
        self._sampled: datetime | None = None
        self._is_away = False

    def look(self, now: datetime) -> None:
        """`now` is aware. As long as the slowest check takes, or its limit; a dozen statements once a minute, else a few."""
        findings = look(checks())
        if self._sampled is None or minute_before(now) > self._sampled:
            sampled = self.reader.minute(now, findings)
            self._sampled = sampled.moment
            self.minutes.append(sampled)
            self.keeper.add(sampled)
        self.board.take(self.judge.conditions(self.rules, findings, self.minutes, now))
        try:
            self._with_table()
        except (DatabaseError, InterfaceError, DomainError) as error:
            self._without_table(error)

    def _with_table(self) -> None:
        if self._clock() - self._rules_read >= RULES_KEPT:
            self.rules = read_rules()
            self.recipients.refresh()
            self._rules_read = self._clock()
        self.teller.tell(self.ledger.write(self.board, self.rules))
        self.keeper.write()
        self._is_away = False

    def _without_table(self, error: Exception) -> None:
        if not self._is_away:
            logger.warning("Alerts are told without their table: the database is in trouble (%s).", type(error).__name__)
        self._is_away = True
        self.teller.tell(self.board.without_table())


class Watcher:
    """The thread. Never before a fork."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="hms-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Another process of the server takes its place."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        turn = Turn(turn_file())
        while not self._stop.is_set() and not turn.take():
            self._stop.wait(EVERY)
        if self._stop.is_set():
            return
        watch = Watch(server_name())
        watch.teller.start()
        while not self._stop.is_set():
            try:
                watch.look(datetime.now(UTC))
            except Exception:  # the thread's own boundary: the next look begins anew
                logger.exception("A look at how HMS is failed.")
            finally:
                connections.close_all()
            self._stop.wait(EVERY)
        watch.teller.stop()
        turn.give_back()


watcher = Watcher()


def start() -> None:
    """In each web process, unless this server is told not to watch (HMS_ALERTS)."""
    if settings.HMS_ALERTS:
        watcher.start()
