"""`manage.py clock`: follows the schedule and hands over what was not taken. `manage.py worker` starts one of its own."""

import signal
import socket
import threading
from typing import Any

from django.core.management.base import BaseCommand

from core.faults.writing import writer
from core.jobs.clock import run
from core.jobs.parents import end_with_parent
from core.workers.beating import Beats


class Command(BaseCommand):
    help = "Enqueue what the schedule says and sweep the jobs. Any number may run, on any machines."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        end_with_parent()
        beats = Beats(f"clock@{socket.gethostname()}", [])
        writer.start()
        beats.start()
        run(stop)
        beats.stop()
        writer.stop()
