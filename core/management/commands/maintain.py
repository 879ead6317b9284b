"""`manage.py maintain`: statistics, vacuum and new indexes where they are due. Reads and writes go on meanwhile."""

import time
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.maintenance import Task, carry_out, due, working_role
from core.database.roles import DatabaseNotFit, connection_apart


class Command(BaseCommand):
    help = "Analyse, vacuum and reindex concurrently what needs it, as hms_maintenance; says what was done and why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say it, don't do it.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with connection_apart("hms_maintenance") as reading:
                tasks, role = due(reading), working_role(reading)
            if not tasks:
                self.stdout.write("Nothing is due.")
            elif options["dry_run"]:
                for task in tasks:
                    self.stdout.write(f"{task.words}: {task.reason}")
            else:
                self._do(tasks, role)
        except (DatabaseNotFit, psycopg.OperationalError) as error:
            raise CommandError(str(error)) from error

    def _do(self, tasks: list[Task], role: str) -> None:
        """One after another; what fails is told, the rest is done."""
        failed = 0
        with connection_apart(role) as connection:
            for task in tasks:
                started = time.perf_counter()
                try:
                    carry_out(connection, task)
                    outcome = f"{time.perf_counter() - started:.1f} s"
                except psycopg.Error as error:
                    failed += 1
                    outcome = f"failed: {str(error).strip()}"
                self.stdout.write(f"{task.words}: {task.reason}; {outcome}")
        if failed:
            raise CommandError(f"{failed} of {len(tasks)} could not be done.")
