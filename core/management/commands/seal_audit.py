"""`manage.py seal_audit`: seal what the audit trail has gained; with `--anchor` also write the heads of the chains down."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.roles import DatabaseNotFit, connection_apart
from core.history.anchors import anchor
from core.history.sealing import seal


class Command(BaseCommand):
    help = "Seal new rows of the audit trail, of all clinics. Safe to run at any time, also twice at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--anchor", action="store_true", help="Then append the new heads to HMS_AUDIT_ANCHORS_DIR.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with connection_apart("hms_platform") as connection:
                done = seal(connection)
                self.stdout.write(f"{done.blocks} blocks sealed.")
                for table in done.waiting:
                    self.stdout.write(f"{table} waits for the next run: somebody is writing for long.")
                if options["anchor"]:
                    self.stdout.write(f"{anchor(connection, settings.HMS_AUDIT_ANCHORS_DIR)} heads anchored.")
        except (DatabaseNotFit, psycopg.OperationalError, ValueError, OSError) as error:
            raise CommandError(str(error)) from error
