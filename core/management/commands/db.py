"""`manage.py db start|stop|status|remove`: the embedded PostgreSQL's life."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Start, stop, look at or remove (with all data) the embedded PostgreSQL."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status", "remove"])

    def handle(self, *args: Any, **options: Any) -> None:
        embedded = settings.EMBEDDED_POSTGRES
        if embedded is None:
            raise CommandError("DATABASE_URL is set: this installation uses a server of its own.")
        if options["action"] == "start":
            embedded.ensure_running()
        elif options["action"] == "stop":
            embedded.stop()
        elif options["action"] == "remove":
            embedded.remove()
        state = "up" if embedded.is_running() else "down"
        self.stdout.write(f"PostgreSQL is {state}; data in {embedded.home}")
