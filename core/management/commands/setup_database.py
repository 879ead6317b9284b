"""`manage.py setup_database`: make the roles and the database, embedded here or on a server of yours."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.places import EmbeddedPostgresError
from core.database.roles import ROLES, DatabaseNotFit, admin_url, setup_database


class Command(BaseCommand):
    help = "Create the database and its four roles. Safe to repeat."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--admin-url", default="", help="URL of a superuser, for a server of yours; else HMS_DATABASE_ADMIN_URL."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        embedded = settings.EMBEDDED_POSTGRES
        try:
            url = admin_url() if embedded else options["admin_url"] or admin_url()
            if not url:
                raise CommandError("Say who may create roles: --admin-url postgresql://postgres:…@host/postgres")
            done = setup_database(url)
        except (EmbeddedPostgresError, DatabaseNotFit, psycopg.Error) as error:
            raise CommandError(str(error)) from error
        for sentence in done:
            self.stdout.write(sentence)
        where = f" The embedded PostgreSQL keeps its data in {embedded.home}." if embedded else ""
        if options["verbosity"]:
            self.stdout.write(f"Database ready, roles {', '.join(ROLES)}.{where}")
