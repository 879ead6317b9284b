"""How gunicorn serves HMS: `gunicorn -c hms/gunicorn.conf.py hms.asgi:application`.

This file is read by the process that starts the others and lives through reloads. What it imports of HMS, for its own log lines,
stays as it was; the processes that it starts forget it (post_fork), so that none of it stands beside new code.
"""

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import environ
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from core.logs import formatter, style_of
from core.redaction import RedactingFilter

environ.Env.read_env(Path(__file__).resolve().parent.parent / ".env")

bind = f"{os.environ.get('HMS_BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "hms.worker.Worker"
raw_env = ["HMS_PROCESS=web"]
# Loaded once, before the fork, processes share what nobody changes; new code is then taken up by USR2 alone, not by HUP.
preload_app = os.environ.get("HMS_PRELOAD", "0") in ("1", "true")
graceful_timeout = 30
ENDING = 10.0  # seconds of them for threads to finish what they write, when the requests have ended
timeout = 60
max_requests = int(os.environ.get("HMS_MAX_REQUESTS", "0"))
max_requests_jitter = max_requests // 10  # so that they don't end at the same time
keepalive = 5  # seconds; a stop waits for idle connections no longer than this
websocket_max_message_size = 64 * 1024  # bytes; a frame of ours has at most 4 kB, and larger ones are told so
accesslog = None  # paths may carry search terms; nothing of ours logs them
errorlog = "-"
loglevel = os.environ.get("LOG_LEVEL", "info").lower()
_env = environ.Env()
_style = style_of(
    _env.str("HMS_LOG_FORMAT", default=""),
    development=_env.bool("DEBUG", default=False) or _env.bool("HMS_DEMO", default=False),
    is_command=False,
)


class RedactedLog(Logger):  # type: ignore[misc]
    """The server's own lines pass where ours do, in the same form: an access log, if somebody turns it on, has no query strings."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.addFilter(RedactingFilter())
            handler.setFormatter(formatter(_style))


logger_class = RedactedLog
# Where its processes count together what /metrics tells: one folder for each server of this installation, emptied as it starts.
_var = Path(__file__).resolve().parent.parent / os.environ.get("HMS_VAR_DIR", "var")
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(_var / "run" / f"metrics-{os.environ.get('PORT', '8000')}"))
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)  # counters open files in it when loaded
ENDS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
OURS = ("core", "clinics", "patients", "appointments", "hms", "django", "environ")
control_socket_disable = True  # its default path is shared by every installation of one user


def on_starting(server: Arbiter) -> None:
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("*.db"):
        file.unlink()


def when_ready(server: Arbiter) -> None:
    if server.cfg.preload_app:
        from hms.memory import freeze_before_forks

        freeze_before_forks()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """What it counted stays, with what others had that have ended; what was true of it while it lived goes."""
    from prometheus_client.multiprocess import mark_process_dead

    from core.metrics.ended import add_up

    try:
        worker.forget()
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
        add_up(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    except Exception:  # a boundary: an error would end the server
        server.log.exception("What process %s had counted stays in files of its own.", worker.pid)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """It takes up the code that lies on the disk now, all of it, unless it was to be shared: a part was imported above.

    Told to end, it ends once it is loaded: until its loop runs the signal waits. uvloop would lose it, and what came just after the
    fork went to the arbiter's handler, in the copy that this process has of it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    while not server.SIG_QUEUE.empty():
        if server.SIG_QUEUE.get_nowait() in ENDS:
            os._exit(0)
    if server.cfg.preload_app:
        return
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    importlib.invalidate_caches()


def post_worker_init(worker: Worker) -> None:
    """The application is loaded, the fork is behind us: now threads and connections of its own may begin."""
    from django.conf import settings

    from core.audit.draining import drainer
    from core.faults.writing import writer
    from core.listening import listener
    from core.messaging.courier import courier
    from core.metrics.process import publisher
    from core.monitoring.watch import start as start_watching
    from core.realtime import process as live
    from core.realtime.hub import hub
    from hms.memory import settle, watch_web

    settle()
    watch_web(worker)
    if settings.HMS_TRACES:
        from core.tracing import sending

        sending.begin("web")
    hub.stopping = lambda: not worker.alive
    listener.start()
    live.start()
    courier.start()
    drainer.start()
    publisher.start()
    writer.start()
    start_watching()
    worker.loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, ENDS)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    from django.conf import settings

    from core.audit.draining import drainer
    from core.faults.writing import writer
    from core.listening import listener
    from core.messaging.courier import courier
    from core.metrics.process import publisher
    from core.monitoring.watch import watcher
    from core.realtime import process as live
    from hms.farewell import end_together

    stops = [writer.stop, watcher.stop, publisher.stop, courier.stop, live.stop, listener.stop, drainer.stop]
    if settings.HMS_TRACES:
        from core.tracing import sending

        stops.append(sending.end)
    end_together(stops, within=ENDING)
