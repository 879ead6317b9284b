"""`manage.py maintain`: statistics, vacuum and new indexes where they are due, and seals. Reads and writes go on meanwhile."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.maintenance import Task, carried_out, due, working_role
from core.database.roles import DatabaseNotFit, connection_apart
from core.history.anchors import seal_and_anchor


class Command(BaseCommand):
    help = (
        "Analyse, vacuum and reindex concurrently what needs it, as hms_maintenance; says what was done and why. Then seal the "
        "audit trail and the access log, and write the day's anchors unless they are written."
    )

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
            failed = 0 if options["dry_run"] else self._do(tasks, role)
            if not options["dry_run"]:
                self._seal()
        except (DatabaseNotFit, psycopg.OperationalError, ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        if failed:
            raise CommandError(f"{failed} of {len(tasks)} could not be done.")

    def _do(self, tasks: list[Task], role: str) -> int:
        """One after another; what fails is told, the rest is done. The number that failed."""
        failed = 0
        for task, seconds, trouble in carried_out(tasks, role):
            failed += bool(trouble)
            outcome = f"failed: {trouble}" if trouble else f"{seconds:.1f} s"
            self.stdout.write(f"{task.words}: {task.reason}; {outcome}")
        return failed

    def _seal(self) -> None:
        """After the dropping of old months: a month that went unsealed has nothing to tell."""
        done, heads = seal_and_anchor(settings.HMS_AUDIT_ANCHORS_DIR)
        if done.blocks or heads:
            self.stdout.write(f"{done.blocks} blocks sealed, {heads} heads anchored.")
        for table in done.waiting:
            self.stdout.write(f"{table} waits to be sealed: somebody is writing for long.")
