"""Starts gunicorn, says where HMS is once `/health` answers 200, and stops it cleanly at Ctrl-C."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import environ

PROJECT = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 60
SIGN_INS = """
  Sign in as              receptionist@riverside.demo
  or for instance         doctor@riverside.demo, clinic-admin@hillcrest.demo, platform@hms.demo
  with the password       {password}

The sign-in page offers every account by one click. Ctrl-C stops the server; the data stays under var/.
"""


def main() -> int:
    environ.Env.read_env(PROJECT / ".env")
    bound = os.environ.get("HMS_BIND", "127.0.0.1")
    host = "127.0.0.1" if bound in ("0.0.0.0", "::") else bound  # noqa: S104
    port = os.environ.get("PORT", "8000")
    environment = {"HMS_BASE_URL": f"http://{host}:{port}", **os.environ, "HMS_PROCESS": "web"}
    if _is_taken(host, port):
        sys.stderr.write(f"Port {port} is taken by another program; choose one: PORT=8001 make demo\n")
        return 1
    command = [sys.executable, "-m", "gunicorn", "-c", "hms/gunicorn.conf.py", "hms.asgi:application"]
    server = subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True)
    worker = _start_worker(environment)

    def stop(signum: int, frame: FrameType | None) -> None:
        server.send_signal(signal.SIGTERM)
        if worker is not None:
            worker.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if _wait_until_healthy(server, host, port):
        sys.stdout.write(f"\nHMS is ready: {environment['HMS_BASE_URL']}\n")
        if environ.Env().bool("HMS_DEMO", default=False):
            sys.stdout.write(SIGN_INS.format(password=os.environ.get("HMS_DEMO_PASSWORD", "Clinic-Day-2026")))
        else:
            sys.stdout.write("No account yet? In another terminal: .venv/bin/python manage.py create_initial_users\n")
        sys.stdout.flush()
    status = max(server.wait(), 0)
    if worker is not None:
        worker.terminate()
        worker.wait()
    return status


def _start_worker(environment: dict[str, str]) -> "subprocess.Popen[bytes] | None":
    """One for all jobs, unless HMS_WORKER=0. It says what goes wrong; every job done would bury the rest."""
    if os.environ.get("HMS_WORKER", "1") in ("0", "false"):
        return None
    command = [sys.executable, "manage.py", "worker", "--together"]
    return subprocess.Popen(
        command, cwd=PROJECT, env={"LOG_LEVEL": "WARNING", **environment, "HMS_PROCESS": "worker"}, start_new_session=True
    )


def _wait_until_healthy(server: "subprocess.Popen[bytes]", host: str, port: str) -> bool:
    until = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < until:
        if _health(host, port) == 200:
            return True
        time.sleep(0.1)
    if server.poll() is None:
        sys.stderr.write(f"/health did not answer 200 within {SECONDS_TO_START} s; the log above says why.\n")
    return False


def _is_taken(host: str, port: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, int(port))) == 0


def _health(host: str, port: str) -> int | None:
    """The status of `/health`, or None when nothing answers."""
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
