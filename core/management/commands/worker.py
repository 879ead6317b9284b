"""`manage.py worker`: takes jobs from the queues, a group of processes for each class, and the clock beside them."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.jobs.broker import make_folders
from core.jobs.parents import PARENT, PATIENCE
from core.jobs.queues import WorkerClass

LOOK_EVERY = 0.5  # seconds
LONGEST_REST = 60.0  # seconds before a process that ended by itself is started again; the first time it is half a second


class Command(BaseCommand):
    help = "Work on jobs until told to end (docs/jobs.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        classes = [one.value for one in WorkerClass]
        parser.add_argument("--class", dest="classes", nargs="+", choices=classes, default=classes, help="All by default.")
        parser.add_argument(
            "--together", action="store_true", help="One process for all classes: saves memory, and a long job holds up others."
        )
        parser.add_argument("--processes", type=int, default=1, help="Jobs at once in each class.")
        parser.add_argument("--autoscale", type=int, metavar="MOST", help="As many as there are jobs, up to this.")
        parser.add_argument("--no-clock", action="store_true", help="Where `manage.py clock` runs elsewhere.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["processes"] < 1 or (options["autoscale"] or options["processes"]) < options["processes"]:
            raise CommandError("At least one process, and no fewer at most than at least.")
        make_folders()
        groups = [options["classes"]] if options["together"] else [[one] for one in options["classes"]]
        commands = [_celery(one, options["processes"], options["autoscale"]) for one in groups]
        if not options["no_clock"]:
            commands.append([sys.executable, "manage.py", "clock"])
        _Crew(commands).work()


def _celery(classes: list[str], processes: int, most: int | None) -> list[str]:
    if most and settings.HMS_BROKER_URL.startswith("filesystem:"):
        processes, most = most, None  # Celery can't end a process that others read from one pipe with (hms/celery.py)
    many = ["--autoscale", f"{most},{processes}"] if most else ["--concurrency", str(processes)]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    name = ["-n", f"{'-'.join(classes)}-{os.getpid()}@%h"]
    start = [sys.executable, "-m", "celery", "-q", "-A", "hms.celery", "worker", "-P", "prefork"]
    return [*start, "-Q", ",".join(classes), *name, *many, *quiet]


class _Crew:
    """Processes that are started again when they end, until this one is told to."""

    def __init__(self, commands: list[list[str]]) -> None:
        self._commands = commands
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._began: dict[int, float] = {}
        self._rests: dict[int, float] = {}
        self._resting: dict[int, float] = {}
        self._ending = False

    def work(self) -> None:
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        while not self._ending:
            for number in range(len(self._commands)):
                self._look_after(number)
            time.sleep(LOOK_EVERY)
        self._stop()

    def _look_after(self, number: int) -> None:
        """Start it unless it runs. One that ends soon after its start rests twice as long each time."""
        process, now = self._running.get(number), time.monotonic()
        if process is not None and process.poll() is None:
            return
        if process is not None and number not in self._resting:
            rest = min(LONGEST_REST, 2 * self._rests.get(number, LOOK_EVERY / 2))
            self._rests[number] = LOOK_EVERY if now - self._began[number] > LONGEST_REST else rest
            self._resting[number] = now + self._rests[number]
        if now >= self._resting.get(number, 0):
            self._resting.pop(number, None)
            self._began[number] = now
            self._running[number] = self._start(self._commands[number])

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """In a session of its own: Ctrl-C reaches it through this process alone."""
        environment = {**os.environ, "HMS_PROCESS": "worker", PARENT: str(os.getpid())}
        environment["DJANGO_SETTINGS_MODULE"] = os.environ["DJANGO_SETTINGS_MODULE"]
        return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, start_new_session=True)

    def _end(self, *_: object) -> None:
        self._ending = True

    def _stop(self) -> None:
        """Let them finish what they have begun, for a while."""
        until = time.monotonic() + PATIENCE
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
