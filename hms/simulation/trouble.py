"""What goes wrong on a day: Redis is killed and comes back, a worker is killed with all it has in hand, twice each."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from django.conf import settings

from hms.scale.serving import environment_of
from hms.simulation.day import Say
from hms.simulation.home import DATABASE, Home, NoHome, own_home

START_SECONDS = 20.0  # for Redis to answer
STOP_SECONDS = 60.0  # for workers to finish what they do
SETTLE_SECONDS = 120.0  # for the jobs that are left at the end of the day
SEEN_SECONDS = 150.0  # for a worker to take its first job: the schedule has some for every minute
# At which part of the day what happens: it is the same at every speed.
PLAN = (
    (0.15, "kill_redis"), (0.2, "start_redis"), (0.35, "kill_worker"),
    (0.5, "kill_redis"), (0.58, "start_redis"), (0.75, "kill_worker"),
)  # fmt: skip
DONE = "SELECT count(*) FROM core_job WHERE state = 'succeeded'"
LEFT = """
SELECT kind, state, count(*) FROM core_job
WHERE state IN ('running', 'failed', 'dead') OR (state IN ('queued', 'retrying') AND run_at <= now()) GROUP BY 1, 2 ORDER BY 1, 2
"""
TAKEN = "SELECT EXISTS (SELECT FROM core_job WHERE state IN ('running', 'succeeded'))"


@dataclass
class Surroundings:
    """Redis and workers of one server's own. `variables` are what the server has to be told of them."""

    port: int
    folder: Path
    variables: dict[str, str]
    log: Path
    done: list[str] = field(default_factory=list)
    _redis: "subprocess.Popen[bytes] | None" = None
    _worker: "subprocess.Popen[bytes] | None" = None

    def start_redis(self) -> None:
        """Raises NoHome when it doesn't answer."""
        command = [_redis_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        with self.log.open("ab") as output:
            self._redis = subprocess.Popen(command, stdout=output, stderr=output)
        if not _until(lambda: _listens(self.port), START_SECONDS):
            raise NoHome("Redis did not come up.")

    def kill_redis(self) -> None:
        if self._redis is not None:
            self._redis.kill()
            self._redis.wait()

    def start_worker(self) -> None:
        environment = environment_of(DATABASE, HMS_PROCESS="worker", **self.variables)
        command = [sys.executable, "manage.py", "worker", "--processes", "2"]
        with self.log.open("ab") as output:
            self._worker = subprocess.Popen(
                command, cwd=settings.BASE_DIR, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    def kill_worker(self) -> None:
        """Without notice, with all processes below it; another one takes its place, as an init system would see to it."""
        if self._worker is not None:
            os.killpg(self._worker.pid, signal.SIGKILL)
            self._worker.wait()
            self.start_worker()

    def stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.terminate()
            try:
                self._worker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._worker.pid, signal.SIGKILL)
                self._worker.wait()


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """A Redis that runs, and a folder for what it and the workers say; all of it is gone afterwards. Raises NoHome."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="hms-simulation-") as folder:
        url = f"redis://127.0.0.1:{port}"
        variables = {"REDIS_URL": f"{url}/0", "HMS_BROKER_URL": f"{url}/1"}
        found = Surroundings(port, Path(folder), variables, Path(folder) / "log")
        try:
            found.start_redis()
            yield found
        finally:
            found.kill_redis()


class Trouble(threading.Thread):
    """Lets it go wrong as planned while a day of so many real seconds is played. `failure`: what could not be done."""

    def __init__(self, around: Surroundings, seconds: float, say: Say) -> None:
        super().__init__(daemon=True, name="trouble")
        self._around, self._seconds, self._say = around, seconds, say
        self._over = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        began = monotonic()
        try:
            for part, name in PLAN:
                if self._over.wait(max(0.0, began + part * self._seconds - monotonic())):
                    return
                getattr(self._around, name)()
                self._around.done.append(name)
                self._say(name.replace("_", " "))
        except BaseException as error:
            self.failure = error

    def end(self) -> None:
        self._over.set()
        self.join()

    def check(self) -> None:
        """Raises NoHome when not all of it has happened: then the day was too short, or somebody did not come back."""
        if self.failure is not None or len(self._around.done) < len(PLAN):
            raise NoHome(f"Of the trouble only {self._around.done} happened: {self.failure!r}")


@contextmanager
def troubled_home(clinics: int, *, say: Say, keep: bool = False) -> Iterator[tuple[Home, Surroundings]]:
    """`own_home` with a Redis and with a worker that has taken its first job. Raises NoHome, NotServed."""
    with ExitStack() as stack:
        around = stack.enter_context(surroundings())
        told = around.variables
        home = stack.enter_context(
            own_home(clinics, say=say, keep=keep, REDIS_URL=told["REDIS_URL"], HMS_BROKER_URL=told["HMS_BROKER_URL"])
        )
        try:
            around.start_worker()
            if not _until(lambda: home.connection.execute(TAKEN).fetchone() == (True,), SEEN_SECONDS):
                raise NoHome(f"No worker took a job:\n{around.log.read_text()[-3000:]}")
            yield home, around
        finally:
            around.stop_worker()


def jobs_left(home: Home) -> list[str]:
    """A line for each kind of job that is due, runs or was given up, once workers have had the time to do them all."""
    _until(lambda: not home.connection.execute(LEFT).fetchall(), SETTLE_SECONDS)
    return [f"{kind}: {count} {state}" for kind, state, count in home.connection.execute(LEFT).fetchall()]


def jobs_done(home: Home) -> int:
    row = home.connection.execute(DONE).fetchone()
    return int(row[0]) if row else 0


def _redis_program() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise NoHome("Trouble needs redis-server on this machine.")
    return found


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is; whether it was within the time."""
    deadline = monotonic() + seconds
    while not (found := true()) and monotonic() < deadline:
        sleep(0.1)
    return found
