"""The servers that are measured: HMS itself and the yardstick, each behind the gunicorn that serves HMS, on loopback."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from core.security.limiting.rates import RATE_VARIABLES

START_SECONDS = 60
STOP_SECONDS = 40
URL_NAMES = {
    "hms_app": "DATABASE_URL",
    "hms_owner": "DATABASE_OWNER_URL",
    "hms_platform": "DATABASE_PLATFORM_URL",
    "hms_maintenance": "DATABASE_MAINTENANCE_URL",
}


class NotServed(RuntimeError):
    """The server did not come up; the message ends with its log."""


@dataclass(slots=True)
class Served:
    """A running server."""

    address: tuple[str, int]
    process: "subprocess.Popen[bytes]"

    def memory(self) -> list[float]:
        """Resident megabytes of each worker; empty where there is no /proc."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        if not children.exists():
            return []
        return [_resident(pid) for pid in children.read_text().split()]


def environment_of(database: str, **more: str) -> dict[str, str]:
    """For a process of HMS beside the server that has this database."""
    return os.environ | _database_variables(database) | {"DJANGO_SETTINGS_MODULE": "hms.settings"} | more


@contextmanager
def hms_served(database: str, **more: str) -> Iterator[Served]:
    """HMS as it is installed, its static files too; with another database, tokens that outlive the run, and limits that one
    person doesn't reach. `more` are further variables of its environment. Raises NotServed."""
    if not Path(settings.STATIC_ROOT, "staticfiles.json").exists():
        raise NotServed("Its static files are missing: run manage.py collectstatic first.")
    variables = (
        _database_variables(database) | {"JWT_EXPIRES_IN": "2h", "HMS_DEMO": "0"} | dict.fromkeys(RATE_VARIABLES, "100000/s") | more
    )
    with _served("hms.asgi:application", "/health", variables) as served:
        yield served


@contextmanager
def yardstick_served() -> Iterator[Served]:
    with _served("hms.scale.yardstick:application", "/plain", {}, "hms/scale/yardstick.conf.py") as served:
        yield served


@contextmanager
def _served(application: str, path: str, variables: dict[str, str], options: str = "hms/gunicorn.conf.py") -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = os.environ | variables | {
        "PORT": str(port), "HMS_BIND": "127.0.0.1", "HMS_BASE_URL": settings.HMS_BASE_URL,  # our tokens name it
        "DJANGO_SETTINGS_MODULE": "hms.settings",
    }  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "-c", options, application]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log)
        served = Served(("127.0.0.1", port), process)
        try:
            if not _comes_up(served, path):
                log.seek(0)
                raise NotServed(f"{application} did not come up:\n{log.read()[-3000:].decode(errors='replace')}")
            yield served
        finally:
            process.terminate()
            process.wait(timeout=STOP_SECONDS)


def _comes_up(served: Served, path: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and served.process.poll() is None:
        try:
            with socket.create_connection(served.address, timeout=5) as probe:
                probe.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
                if probe.recv(64).startswith(b"HTTP/1.1 200"):
                    return True
        except OSError:
            pass
        time.sleep(0.1)
    return False


def _database_variables(database: str) -> dict[str, str]:
    if settings.EMBEDDED_POSTGRES:
        return {"HMS_DATABASE_NAME": database}
    urls = {URL_NAMES[role]: url for role, url in settings.DATABASE_ROLE_URLS.items() if url}
    return {name: urlsplit(url)._replace(path=f"/{database}").geturl() for name, url in urls.items()}


def _resident(pid: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
