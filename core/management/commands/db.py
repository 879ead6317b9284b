"""`manage.py db start|stop|status|remove`: the embedded PostgreSQL's life."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.places import EmbeddedPostgresError


class Command(BaseCommand):
    help = "Start, stop, look at or remove (with all data) the embedded PostgreSQL."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status", "remove"])

    def handle(self, *args: Any, **options: Any) -> None:
        embedded = settings.EMBEDDED_POSTGRES
        if embedded is None:
            raise CommandError("DATABASE_URL is set: this installation uses a server of its own.")
        try:
            self._act(embedded, options["action"])
        except EmbeddedPostgresError as error:
            raise CommandError(str(error)) from error

    def _act(self, embedded: Any, action: str) -> None:
        if action == "start":
            embedded.ensure_running()
        elif action == "stop":
            embedded.stop()
        elif action == "remove":
            embedded.remove()
            self.stdout.write(f"Removed {embedded.home}")
            return
        self.stdout.write(f"PostgreSQL is {'up' if embedded.is_running() else 'down'}; data in {embedded.home}")
