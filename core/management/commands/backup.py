"""`manage.py backup`: database and documents of one moment, encrypted, in a folder or a bucket (docs/backup.md)."""

import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.backup.errors import BackupTrouble
from core.backup.running import back_up
from core.backup.stores import store_at

INCOMPLETE = 2  # how the command ends when the backup lies in its place, and documents were missing


class Command(BaseCommand):
    help = (
        "Make a backup and remove those that have had their time. Ends with 0; with 1 when there is no new backup; with 2 when "
        "there is one and files of documents were missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--target", default="", help="A folder or s3://bucket/prefix; else HMS_BACKUP_TARGET.")
        parser.add_argument("--list", action="store_true", help="Only name the backups that are there.")
        parser.add_argument("--keep-all", action="store_true", help="Remove none of the older ones.")
        parser.add_argument("--json", action="store_true", help="Say what was done as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["list"]:
                return self._list(options["target"])
            made, removed = back_up(self._say, target=options["target"], prune=not options["keep_all"])
        except BackupTrouble as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(made) | {"removed": removed}, default=str))
        else:
            counts = f"{made.size} bytes, {made.tables} tables with {made.rows} rows, {made.documents} documents"
            self.stdout.write(f"{made.name}: {counts}; {len(removed)} older ones removed.")
        if made.missing:
            words = f"{len(made.missing)} documents have no file: see manage.py sweep_uploads --dry-run"
            raise CommandError(words, returncode=INCOMPLETE)

    def _list(self, target: str) -> None:
        for name in store_at(target or settings.HMS_BACKUP_TARGET).names():
            self.stdout.write(name)

    def _say(self, percent: int, words: str) -> None:
        self.stderr.write(f"{percent:3} % {words}")
