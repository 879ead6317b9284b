"""HMS deployed as docs/deploying.md says: releases in folders, the units' own commands, workers, nginx in front."""

import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Event, Thread
from time import monotonic
from typing import Any

import httpx
import psycopg
from django.conf import settings

from tests.factories.nginx import Proxy
from tests.factories.patience import eventually
from tests.factories.ports import free_port
from tests.factories.releases import MARK, put_in_place
from tests.factories.server import GUNICORN, ROOT

RATE = 50  # requests a second
SEARCH = {"search": "ann"}
LETTERS = str.maketrans("0123456789", "abcdefghij")
PERSON = {"given_name": "Mara", "sex": "female", "date_of_birth": "1981-02-03", "accept_duplicate": True}


def started_by(unit: str, app: Path) -> list[str]:
    """The unit's own command, with this folder and this Python."""
    (line,) = re.findall(r"^ExecStart=(.*)$", (ROOT / "deploy/systemd" / unit).read_text(), re.M)
    places = {"/opt/hms/venv/bin/gunicorn": GUNICORN, "/opt/hms/venv/bin/python": sys.executable, "/opt/hms/app": str(app)}
    for old, new in places.items():
        line = line.replace(old, new)
    return shlex.split(line)


@dataclass
class Machine:
    """One machine with some web servers and a worker; `app` is the link to the release that is to run."""

    app: Path
    environment: dict[str, str]
    log: Path
    web: "dict[int, subprocess.Popen[bytes]]" = field(default_factory=dict)  # by port
    worker: "subprocess.Popen[bytes] | None" = None

    def manage(self, release: Path, *arguments: str) -> str:
        """Raises AssertionError with what the command said."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=release, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def start_web(self, port: int) -> None:
        self.web[port] = self._started(started_by("hms-web.service", self.app), {"PORT": str(port)})
        eventually(lambda: self.is_ready(port), seconds=90)

    def start_worker(self) -> None:
        self.worker = self._started(started_by("hms-worker.service", self.app), {"HMS_PROCESS": "worker"})

    def restart_worker(self) -> None:
        assert self.worker is not None
        self.worker.terminate()
        assert self.worker.wait(90) == 0
        self.start_worker()

    def is_ready(self, port: int) -> bool:
        assert self.web[port].poll() is None, self.log.read_text()[-3000:]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def release_of(self, port: int) -> str:
        """What one of its processes says which release it is; `` of the first."""
        with httpx.Client(timeout=20) as client:
            return client.get(f"http://127.0.0.1:{port}/health").headers.get(MARK, "")

    def _started(self, command: list[str], more: dict[str, str]) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as output:
            return subprocess.Popen(command, cwd=self.app, env=self.environment | more, stdout=output, stderr=output)

    def end(self) -> None:
        processes = [*self.web.values(), *([self.worker] if self.worker else [])]
        for one in processes:
            one.terminate()
        for one in processes:
            one.wait(90)


@contextmanager
def machine(folder: Path, release: Path, environment: dict[str, str], *, servers: int) -> Iterator[Machine]:
    """With that release, so many web servers and a worker, before the database that the environment names."""
    app = folder / "app"
    put_in_place(app, release)
    nowhere = {name: value for name, value in environment.items() if name != "PWD"}  # systemd names none
    here = {"HMS_VAR_DIR": str(settings.VAR_DIR), "HMS_BIND": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
    found = Machine(app, nowhere | here, folder / "log")
    try:
        for port in [free_port() for _ in range(servers)]:
            found.start_web(port)
        found.start_worker()
        yield found
    finally:
        found.end()


class Load:
    """50 requests a second through nginx, each sent when it is due, at the latest when its caller has the answer before: reads,
    searches, registrations of patients. All are counted."""

    ASKED: tuple[tuple[str, str, Any], ...] = (
        ("GET", "/health", None),
        ("GET", "/api/v2/services", None),
        ("POST", "/api/v2/patients/search", SEARCH),
        ("GET", "/patients/", None),
        ("POST", "/api/v2/patients", PERSON),
        ("GET", "/api/v2/patients?limit=5", None),
        ("POST", "/api/v2/patients/search", SEARCH),
        ("GET", "/api/v2/clinics?limit=1", None),
    )
    CALLERS = 20

    def __init__(self, proxy: Proxy, token: str) -> None:
        self.answers: Counter[tuple[str, str, Any]] = Counter()
        self.failures: list[str] = []
        self.names: set[str] = set()  # of patients whose registration was answered with success
        self.latest = 0.0  # seconds that a request was sent after it was due, at most
        self.since: Counter[str] = Counter()  # by release, since the last `more`
        self._proxy, self._headers = proxy, {"Authorization": f"Bearer {token}"}
        self._over, self._news = Event(), Condition()
        self._threads = [Thread(target=self._call, args=[number]) for number in range(self.CALLERS)]
        self._began = self.seconds = 0.0

    def __enter__(self) -> "Load":
        self._began = monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.seconds = monotonic() - self._began

    @property
    def total(self) -> int:
        return self.answers.total()

    def more(self, count: int) -> Counter[str]:
        """Wait for so many more answers; which releases they came from."""
        with self._news:
            self.since.clear()
            assert self._news.wait_for(lambda: self.since.total() >= count, 180), self.answers
            return self.since.copy()

    def _call(self, number: int) -> None:
        with httpx.Client(base_url=f"https://{self._proxy.host}", verify=self._proxy.tls, timeout=60) as client:
            turn, due = number, self._began + number / RATE
            while not self._over.wait(max(0.0, due - monotonic())):
                self._ask(client, turn, monotonic() - due)
                turn, due = turn + self.CALLERS, max(due + self.CALLERS / RATE, monotonic())

    def _ask(self, client: httpx.Client, turn: int, late: float) -> None:
        method, path, body = self.ASKED[(turn + turn // self.CALLERS) % len(self.ASKED)]
        headers = self._headers if path.startswith("/api/") else {}
        name = ""
        if body is PERSON:
            name = "Rollout" + f"{turn:06}".translate(LETTERS)
            body = PERSON | {"family_name": name}
        try:
            answer = client.request(method, path, json=body, headers=headers)
            said, release, words = answer.status_code, answer.headers.get(MARK, ""), answer.text[:300]
        except httpx.HTTPError as error:
            said, release, words = 0, "nobody", repr(error)
        with self._news:
            self.latest = max(self.latest, late)
            self.answers[method, path, said] += 1
            self.since[release] += 1
            if said not in (200, 201, 302):
                self.failures.append(f"{turn} {method} {path}: {said} {words}")
            elif name:
                self.names.add(name)
            self._news.notify_all()


def registered(connection: "psycopg.Connection[Any]") -> list[str]:
    """Family names of the load's patients in the database, in order."""
    told = "SELECT family_name FROM patients_patient WHERE family_name LIKE 'Rollout%' ORDER BY 1"
    return [row[0] for row in connection.execute(told).fetchall()]


def reload(process: "subprocess.Popen[bytes]") -> None:
    """`systemctl reload hms-web`. Waits until none of the processes from before is left."""
    before = children(process.pid)
    process.send_signal(signal.SIGHUP)
    eventually(lambda: len(now := children(process.pid)) == len(before) and not now & before, seconds=120)


def children(of: int) -> set[int]:
    tasks = Path(f"/proc/{of}/task")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()} if tasks.exists() else set()


def variables_behind_nginx() -> dict[str, str]:
    limits = dict.fromkeys(("HMS_RATE_ANON", "HMS_RATE_USER", "HMS_RATE_SEARCH", "HMS_RATE_AUTH"), "100000/h")
    return limits | {
        "HMS_DEMO": "1", "HMS_TRUSTED_PROXIES": "1", "HMS_BASE_URL": "https://127.0.0.1", "WEB_CONCURRENCY": "2",
    }  # fmt: skip
