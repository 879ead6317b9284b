"""`manage.py import_clinic`: a clinic that export_clinic has written, into this installation (docs/moving.md)."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.backup.errors import BackupTrouble
from core.backup.stores import Folder
from core.database.roles import DatabaseNotFit
from core.moving.archive import read_key
from core.moving.importing import Imported, import_clinic
from core.security.crypto import Undecipherable
from core.uploads.store import folder


class Command(BaseCommand):
    help = "Bring a clinic into this installation, suspended. All of it or nothing; ends with 1 when it can't."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--key-file", required=True, type=Path, help="The key that export_clinic has written.")
        parser.add_argument("--dry-run", action="store_true", help="Read and check all of it, say what would come, write nothing.")
        parser.add_argument("--verify", action="store_true", help="Read again what was written and compare, before the commit.")
        parser.add_argument("--json", action="store_true", help="Report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"].absolute()
        try:
            done = import_clinic(
                Folder(file.parent).read(file.name), ring=read_key(options["key_file"]), documents=Path(folder().location),
                say=self._say, dry_run=options["dry_run"], verify=options["verify"],
            )  # fmt: skip
        except (BackupTrouble, DatabaseNotFit, Undecipherable) as error:
            raise CommandError(str(error)) from error
        except psycopg.Error as error:
            raise CommandError(f"The database said: {(str(error) or type(error).__name__).splitlines()[0]}") from error
        self._report(done, as_json=options["json"])

    def _report(self, done: Imported, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(done)))
            return
        for table, count in done.rows.items():
            self.stdout.write(f"{count:>10} {table}")
        self.stdout.write(f"{done.documents:>10} documents; {len(done.missing)} had no file when they were exported")
        self.stdout.write(f"{done.known:>10} people are here already and stay as they are")
        trail = done.trail
        words = f"{trail['blocks']} sealed blocks, {trail['rows']} rows, {len(trail['findings'])} findings"
        self.stdout.write(f"Its audit trail as it was exported: {words}.")
        for finding in trail["findings"]:
            self.stdout.write(f"  {finding}")
        self.stdout.write("Nothing was written." if done.dry_run else f"{done.slug} is here, suspended; {done.seconds:.1f} s.")

    def _say(self, percent: int, words: str) -> None:
        self.stderr.write(f"{percent:3} % {words}")
