"""`manage.py export_clinic`: everything of one clinic in one encrypted file, for another installation (docs/moving.md)."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.backup.errors import BackupTrouble
from core.backup.stores import Folder
from core.database.roles import DatabaseNotFit, connection_apart
from core.moving.archive import new_key, read_key
from core.moving.exporting import export_clinic
from core.moving.importing import clinic_of
from core.security.crypto import Undecipherable

INCOMPLETE = 2  # how the command ends when the file is there, and documents were missing or the audit trail was not whole


class Command(BaseCommand):
    help = (
        "Write everything of one clinic into one encrypted file. Ends with 0; with 1 when there is no file; with 2 when there is "
        "one and documents were missing, or the audit trail was not as it was sealed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("clinic", help="Its slug or id.")
        parser.add_argument("--output", required=True, type=Path, metavar="DIR|FILE", help="A folder, or the file's own name.")
        parser.add_argument(
            "--key-file",
            required=True,
            type=Path,
            help="The file's key; made if there is none. It travels another way.",
        )
        parser.add_argument("--json", action="store_true", help="Report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        try:
            with connection_apart("hms_maintenance") as connection:
                clinic_id = clinic_of(connection, options["clinic"])
            key: Path = options["key_file"]
            ring = read_key(key) if key.exists() else new_key(key)
            stamp = f"clinic-{options['clinic']}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.hms"
            into, name = (output, stamp) if output.is_dir() else (output.parent, output.name)
            done = export_clinic(clinic_id, Folder(into.absolute()), name, ring=ring, say=self._say)
        except (BackupTrouble, DatabaseNotFit, Undecipherable) as error:
            raise CommandError(str(error)) from error
        except psycopg.Error as error:
            raise CommandError(f"The database said: {(str(error) or type(error).__name__).splitlines()[0]}") from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(done)))
        else:
            counts = f"{len(done.rows)} tables with {sum(done.rows.values())} rows, {done.documents} documents"
            self.stdout.write(f"{into / done.name}: {done.slug} as of {done.taken_at}, {counts}, {done.size} bytes.")
        if done.missing or done.findings:
            words = f"{len(done.missing)} documents have no file; {done.findings} findings in the audit trail (verify_audit)."
            raise CommandError(words, returncode=INCOMPLETE)

    def _say(self, percent: int, words: str) -> None:
        self.stderr.write(f"{percent:3} % {words}")
