"""How gunicorn serves HMS: `gunicorn -c hms/gunicorn.conf.py hms.asgi:application`.

This file is read by the process that starts the others and lives through reloads: it imports nothing of HMS, which would stay
as it was and come into new processes beside the new code.
"""

import importlib
import os
import sys
from pathlib import Path

import environ
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

environ.Env.read_env(Path(__file__).resolve().parent.parent / ".env")

bind = f"{os.environ.get('HMS_BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "asgi"
asgi_loop = "auto"  # uvloop where it is installed
raw_env = ["HMS_PROCESS=web"]
preload_app = False  # a pool opened before the fork would be shared by processes
graceful_timeout = 30
timeout = 60
keepalive = 5  # seconds; a stop waits for idle connections no longer than this
websocket_max_message_size = 64 * 1024  # bytes; a frame of ours has at most 4 kB, and larger ones are told so
accesslog = None  # paths may carry search terms; nothing of ours logs them
errorlog = "-"
loglevel = os.environ.get("LOG_LEVEL", "info").lower()
# Where its processes count together what /metrics tells: one folder for each server of this installation, emptied as it starts.
_var = Path(__file__).resolve().parent.parent / os.environ.get("HMS_VAR_DIR", "var")
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(_var / "run" / f"metrics-{os.environ.get('PORT', '8000')}"))
OURS = ("core", "clinics", "patients", "appointments", "billing", "hms", "django", "environ")
control_socket_disable = True  # its default path is shared by every installation of one user


def on_starting(server: Arbiter) -> None:
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """What it counted stays; what was true of it while it lived goes."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def post_fork(server: Arbiter, worker: Worker) -> None:
    """It takes up the code that lies on the disk now, all of it: django-environ has imported a part of Django above."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    importlib.invalidate_caches()


def post_worker_init(worker: Worker) -> None:
    """The application is loaded, the fork is behind us: now threads and connections of its own may begin.

    From here on the server's own lines pass where ours do: an access log, if somebody turns it on, has no query strings either.
    """
    from core.audit.draining import drainer
    from core.listening import listener
    from core.messaging.courier import courier
    from core.metrics.process import publisher
    from core.realtime import process as live
    from core.realtime.hub import hub
    from core.redaction import RedactingFilter
    from hms.memory import settle

    for handler in (*worker.log.error_log.handlers, *worker.log.access_log.handlers):
        handler.addFilter(RedactingFilter())
    settle()
    hub.stopping = lambda: not worker.alive
    listener.start()
    live.start()
    courier.start()
    drainer.start()
    publisher.start()


def worker_exit(server: Arbiter, worker: Worker) -> None:
    from core.audit.draining import drainer
    from core.listening import listener
    from core.messaging.courier import courier
    from core.metrics.process import publisher
    from core.realtime import process as live

    publisher.stop()
    courier.stop()
    live.stop()
    listener.stop()
    drainer.stop()
