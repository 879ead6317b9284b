"""`manage.py index_advice`: which indexes are missing, superfluous, unused or bloated."""

import json
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.advice import BLOAT_BYTES, UNUSED_DAYS, accepted, advice
from core.database.roles import DatabaseNotFit, connection_apart

MB = 1024 * 1024


class Command(BaseCommand):
    help = "Read the catalogue and the statistics as hms_maintenance and say which indexes to look at. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="As JSON.")
        parser.add_argument("--days", type=float, default=UNUSED_DAYS, help="Unused for so long (by default %(default)s).")
        parser.add_argument("--bloat-mb", type=int, default=BLOAT_BYTES // MB, help="Bloated by so much (by default %(default)s).")
        parser.add_argument("--accepted", action="store_true", help="List what is as it is on purpose, and why.")
        parser.add_argument("--check", action="store_true", help="Fail when there is advice.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["accepted"]:
            self.stdout.write("\n".join(f"{subject}: {reason}" for subject, reason in sorted(accepted().items())))
            return
        try:
            with connection_apart("hms_maintenance") as connection:
                found = advice(connection, unused_days=options["days"], bloat_bytes=options["bloat_mb"] * MB)
        except (DatabaseNotFit, psycopg.Error) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps([one.as_json() for one in found], indent=1))
        else:
            for one in found:
                self.stdout.write(f"{one.kind:10} {one.subject}\n           {one.reason}\n           {one.statement}")
            self.stdout.write(f"{len(found)} to look at.")
        if found and options["check"]:
            raise CommandError(f"{len(found)} indexes to look at.")
