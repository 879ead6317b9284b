"""`manage.py live_relay`: passes the notices of live events from PostgreSQL on to Redis (HMS_LIVE_RELAY=redis)."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.faults.writing import writer
from core.listening import Listener


class Command(BaseCommand):
    help = "Pass on what is committed to the web processes through Redis, until it is stopped. Several at once do no harm."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("The relay needs Redis: REDIS_URL is not set.")
        from core.realtime.relay import Publisher

        listener, over = Listener(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        listener.join(Publisher())
        listener.start()
        writer.start()
        self.stdout.write("The relay listens.")
        self.stdout.flush()
        over.wait()
        listener.stop()
        writer.stop()
