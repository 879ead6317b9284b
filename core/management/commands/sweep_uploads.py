"""`manage.py sweep_uploads`: removes files of uploads that were never acknowledged, and says which are missing."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.uploads.sweeping import TooMany, sweep

AGE = 24  # hours; no transaction lives as long


class Command(BaseCommand):
    help = "Remove uploaded files that no record names and that are a day old; fails when a record's file is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hours", type=int, default=AGE, help="How old a file must be, at least 1.")
        parser.add_argument("--force", action="store_true", help="Also when more than a tenth of a clinic's files would go.")
        parser.add_argument("--dry-run", action="store_true", help="Say it, don't do it.")

    def handle(self, *args: Any, **options: Any) -> None:
        before = timezone.now() - timedelta(hours=max(1, options["hours"]))
        try:
            done = sweep(before=before, dry_run=options["dry_run"], force=options["force"])
        except TooMany as error:
            raise CommandError(f"{error} --force removes them all the same.") from error
        verb = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(f"{done.removed} files {verb}, {done.kept} kept.")
        if done.missing:
            raise CommandError(f"{len(done.missing)} files are missing from the store:\n" + "\n".join(done.missing))
