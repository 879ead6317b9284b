"""`manage.py restore`: a backup back into a database, or into one that is gone afterwards (--drill); see docs/backup.md."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.backup.errors import BackupTrouble
from core.backup.restoring import Restored, newest_in, restore
from core.backup.running import Differs, drill_newest
from core.backup.scratch import own_name
from core.backup.stores import store_at
from core.database.roles import DatabaseNotFit
from core.uploads.store import folder


class Command(BaseCommand):
    help = "Restore a backup. Refuses a database with clinics or accounts, unless told to set it aside. Ends with 1 when it can't."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", help="Its name (manage.py backup --list), or: newest")
        parser.add_argument("--target", default="", help="Where backups lie; else HMS_BACKUP_TARGET.")
        parser.add_argument("--into", default="", metavar="DATABASE", help="Another database than this installation's.")
        parser.add_argument("--documents", type=Path, metavar="FOLDER", help="With --into: where documents go; else nowhere.")
        parser.add_argument("--replace", action="store_true", help="Set a database that is in use aside, under another name.")
        parser.add_argument(
            "--verify", action="store_true",
            help="Compare every table, what protects it, and the audit trail's seals, before it takes its place.",
        )  # fmt: skip
        parser.add_argument("--drill", action="store_true", help="Restore into a database that is gone afterwards, and verify.")
        parser.add_argument("--json", action="store_true", help="Report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["drill"] and (options["into"] or options["documents"] or options["replace"]):
            raise CommandError("A drill leaves nothing behind: --drill goes with --target, --verify and --json alone.")
        try:
            restored = self._drill(options) if options["drill"] else self._restore(options)
        except (BackupTrouble, DatabaseNotFit) as error:
            raise CommandError(str(error)) from error
        except psycopg.Error as error:
            raise CommandError(f"The database said: {(str(error) or type(error).__name__).splitlines()[0]}") from error
        self._report(restored, as_json=options["json"])
        if restored.findings:
            raise CommandError(f"{len(restored.findings)} things are not as they were backed up; nothing has taken its place.")

    def _drill(self, options: dict[str, Any]) -> Restored:
        name = "" if options["backup"] == "newest" else options["backup"]
        try:
            return drill_newest(self._say, target=options["target"], name=name)
        except Differs as error:
            return error.restored

    def _restore(self, options: dict[str, Any]) -> Restored:
        store = store_at(options["target"] or settings.HMS_BACKUP_TARGET)
        name = newest_in(store) if options["backup"] == "newest" else options["backup"]
        own = not options["into"]
        return restore(
            store, name, database=options["into"] or own_name(), say=self._say, replace=options["replace"],
            verify=options["verify"], documents=Path(folder().location) if own else options["documents"],
        )  # fmt: skip

    def _report(self, restored: Restored, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(restored), default=str))
            return
        counts = f"{restored.tables} tables with {restored.rows} rows, {restored.documents} documents"
        checked = "verified" if restored.verified and not restored.findings else "not verified"
        self.stdout.write(f"{restored.name}, as of {restored.taken_at}: {counts}; {checked}; {restored.seconds:.1f} s.")
        for place in restored.missing:
            self.stdout.write(f"The document {place} had no file when the backup was made.")
        for finding in restored.findings:
            self.stdout.write(finding)
        if restored.set_aside:
            self.stdout.write(f"What was there before is in the database {restored.set_aside}. Drop it when nobody misses it.")

    def _say(self, percent: int, words: str) -> None:
        self.stderr.write(f"{percent:3} % {words}")
