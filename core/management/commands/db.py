"""`manage.py db start|stop|status|remove`: the embedded PostgreSQL's life, and any PostgreSQL's state."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from core.database.places import EmbeddedPostgresError
from core.database.pool import connections_of_the_server


class Command(BaseCommand):
    help = "Start, stop or remove (with all data) the embedded PostgreSQL; status looks at any."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status", "remove"])

    def handle(self, *args: Any, **options: Any) -> None:
        embedded = settings.EMBEDDED_POSTGRES
        if embedded is None and options["action"] == "status":
            return self._say_connections()
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
        up = embedded.is_running()
        self.stdout.write(f"PostgreSQL is {'up' if up else 'down'}; data in {embedded.home}")
        if up and action == "status":
            self._say_connections()

    def _say_connections(self) -> None:
        try:
            sentences = connections_of_the_server()
        except OperationalError as error:
            raise CommandError(f"The database can't be reached: {error}") from error
        for sentence in sentences:
            self.stdout.write(sentence)
