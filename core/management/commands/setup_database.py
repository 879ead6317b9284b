"""`manage.py setup_database`: make the roles, the database and its extensions, here or on a server of yours."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.roles import ROLES, setup_database


class Command(BaseCommand):
    help = "Create the database and its four roles. Safe to repeat."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--admin-url", default="", help="URL of a superuser, for a server of yours (else HMS_DATABASE_ADMIN_URL)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        embedded = settings.EMBEDDED_POSTGRES
        if embedded:
            embedded.ensure_running()
            admin_url = embedded.url("postgres", "postgres")
        else:
            admin_url = options["admin_url"] or settings.HMS_DATABASE_ADMIN_URL
        if not admin_url:
            raise CommandError("Say who may create roles: --admin-url postgresql://postgres:…@host/postgres")
        setup_database(admin_url)
        self.stdout.write(f"Database ready, roles {', '.join(ROLES)}.")
