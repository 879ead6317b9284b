"""What may befall workers, clocks, the broker and the database while jobs are done. Each kind of harm in turn, by chance."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.factories.job_crew import LEASE, Crew, Process

CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'hms_%' AND application_name LIKE '%worker' "
    "AND datname = current_database() ORDER BY random() LIMIT 2"
)


@dataclass
class Harm:
    """`done` counts by kind; `away` is how long PostgreSQL was away at most, in seconds."""

    at_work: Crew
    chance: random.Random
    done: "Counter[str]" = field(default_factory=Counter)
    away: float = 0.0

    def deals(self) -> Iterator[None]:
        """One harm after another: all kinds, shuffled, again and again."""
        while True:
            for kind in self.chance.sample(list(self.kinds), len(self.kinds)):
                if self.kinds[kind]():
                    self.done[kind] += 1
                yield

    def __post_init__(self) -> None:
        self.kinds: dict[str, Callable[[], bool]] = {
            "process killed": lambda: self._kill(self._children()),
            "process killed once more": lambda: self._kill(self._children()),
            "Celery killed": lambda: self._kill(self._mains()),
            "worker killed": self._worker_killed,
            "clock killed": lambda: self._kill(self.at_work.family("manage.py", "clock")),
            "process stands still": self._stands_still,
            "connections cut": lambda: bool(self.at_work.connection.execute(CONNECTIONS).fetchall()),
            "three sweepers": lambda: self.at_work.ask("at_once", times=3, what="sweep") != [],
            "clock jumps": self._clock_jumps,
            "PostgreSQL restarted": lambda: self._postgres("fast"),
            "PostgreSQL crashed": lambda: self._postgres("immediate"),
        }
        if self.at_work.redis is not None:
            self.kinds |= {"Redis emptied": self._emptied, "Redis restarted": self._redis_restarted}

    def _mains(self) -> list[Process]:
        tops = {one.pid for one in self.at_work.workers}
        return [one for one in self.at_work.family("celery", "bulk") if one.parent in tops]

    def _children(self) -> list[Process]:
        mains = {one.pid for one in self._mains()}
        return [one for one in self.at_work.family("celery", "bulk") if one.parent in mains]

    def _kill(self, found: list[Process]) -> bool:
        return bool(found) and self.chance.choice(found).signal(signal.SIGKILL)

    def _worker_killed(self) -> bool:
        """All its processes end with it; another is started instead, as an init system would."""
        self.at_work.stop(self.chance.choice(self.at_work.workers), signal.SIGKILL)
        self.at_work.start("worker", "--class", "bulk", "urgent", "--processes", "2")
        return True

    def _stands_still(self) -> bool:
        if not (found := self._children()):
            return False
        one = self.chance.choice(found)
        one.signal(signal.SIGSTOP)
        time.sleep(LEASE + 2)
        return one.signal(signal.SIGCONT)

    def _clock_jumps(self) -> bool:
        """Of every second process, and of whoever wants the jobs."""
        driver = [self.at_work.driver.pid] if self.at_work.driver else []
        for pid in [*driver, *(one.pid for one in self.at_work.family())]:
            if self.chance.random() < 0.5:
                self.at_work.set_clock(pid, self.chance.choice([-1, 1]) * self.chance.uniform(1, 12))
        return True

    def _emptied(self) -> bool:
        return self.at_work.redis is not None and bool(self.at_work.redis.client().flushall())

    def _redis_restarted(self) -> bool:
        assert self.at_work.redis is not None
        self.at_work.redis.kill()
        time.sleep(self.chance.uniform(0, 2))
        self.at_work.redis.start()
        return True

    def _postgres(self, mode: str) -> bool:
        began = time.monotonic()
        self.at_work.restart_postgres(mode)
        self.away = max(self.away, time.monotonic() - began)
        return True
