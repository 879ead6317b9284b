"""Reminders for 300 patients by real processes that are killed, while gateways, mail server and Redis are in trouble."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.reminded import reminding
from tests.factories.server import ROOT
from tests.factories.threads import apart
from tests.factories.trouble import Town, people, settle_in, states, town, variables_of, waiting
from tests.factories.world import World

pytestmark = pytest.mark.slow
PATIENTS, SENDERS, SECONDS, SEED = 300, 3, 1200, 20261129


class Senders:
    """So many processes that send; who has ended or was killed is followed by another."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._running: list[subprocess.Popen[bytes]] = []
        self.deaths = 0

    def fill_up(self) -> None:
        self._running = [one for one in self._running if one.poll() is None]
        while len(self._running) < SENDERS:
            command = [sys.executable, "manage.py", "send_messages"]
            self._running.append(
                subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )

    def kill_one(self, chance: random.Random) -> None:
        one = chance.choice(self._running)
        if one.poll() is None:
            one.send_signal(signal.SIGKILL)
            self.deaths += one.wait(10) == -signal.SIGKILL

    @property
    def all_idle(self) -> bool:
        return all(one.poll() is not None for one in self._running)

    def end(self) -> None:
        for one in self._running:
            one.wait(60)


@contextmanager
def beside(there: Town) -> Iterator[None]:
    """Servers come and go, and receipts arrive."""
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(there.storm, stop), pool.submit(there.reports, stop)]
        try:
            yield
        finally:
            stop.set()
        for one in others:
            one.result(60)


def test_each_of_300_patients_gets_each_reminder_once(world: World, settings: Any) -> None:
    chance = random.Random(SEED)
    with redis_server() as redis, reminding(world.riverside) as clinic, town(SEED, too_late=12) as there:
        settle_in(settings, there, mail_timeout=10)
        own = {"HMS_DATABASE_NAME": connections["default"].settings_dict["NAME"], "REDIS_URL": redis.url}
        senders = Senders(os.environ | variables_of(there) | own)
        start = (timezone.now() + timedelta(hours=2, minutes=40)).replace(microsecond=0)
        people(clinic, PATIENTS, start)
        there.begin()
        began = time.monotonic()
        for hours in (48, 2):
            last = start + timedelta(seconds=PATIENTS)
            assert clinic.remind(last - timedelta(hours=hours)).written == PATIENTS
            with beside(there):
                _sent_under_fire(senders, there, redis, chance, began)
            while waiting():  # what a receipt has set going again
                senders.fill_up()
                senders.end()
                redis.client().flushall()
                apart(lambda: there.reports(_over()))
        told = clinic.told()
        lies = there.lies(told)
        assert not lies, "\n".join(lies)
        assert len(told) == 2 * PATIENTS
        ends = states(told)
        assert ends["unknown"] <= there.uncertain() + there.kills * SENDERS + senders.deaths, ends
        assert sum(ends[one] for one in ("sent", "delivered", "read")) > 0.6 * len(told), ends
        assert senders.deaths > 5
        print(f"\n{dict(ends)}, {there.kills} outages, {senders.deaths} deaths, {time.monotonic() - began:.0f} s")  # noqa: T201


def _sent_under_fire(senders: Senders, there: Town, redis: RedisServer, chance: random.Random, began: float) -> None:
    while waiting():
        assert time.monotonic() - began < SECONDS, "messages wait for ever"
        senders.fill_up()
        _until_busy(senders, there, chance.randint(15, 60))
        senders.kill_one(chance)
        if chance.random() < 0.3:
            with suppress(OSError):
                redis.client().flushall()
    senders.end()


def _until_busy(senders: Senders, there: Town, more: int) -> None:
    """Some have been handed over, or there is nothing that could be at this moment."""
    aim, until = len(there.tries()) + more, time.monotonic() + 10
    while len(there.tries()) < aim and time.monotonic() < until and not senders.all_idle:
        time.sleep(0.05)


def _over() -> threading.Event:
    found = threading.Event()
    found.set()
    return found
