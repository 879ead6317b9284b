"""`manage.py verify_audit`: is the audit trail as it was sealed, and are the seals as they were anchored? Ends with 1 if not."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.roles import DatabaseNotFit, connection_apart
from core.history.anchors import read_anchors
from core.history.verification import Verified, verify


class Command(BaseCommand):
    help = "Recompute the seals of the audit trail; names the block, table and row of whatever was changed, removed or added."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clinic", help="The slug of one clinic; by default all.")
        parser.add_argument("--since", type=_day, help="Only blocks sealed from that day on (2027-01-31, UTC).")

    def handle(self, *args: Any, **options: Any) -> None:
        verified, wrong = Verified(), 0
        try:
            with connection_apart("hms_platform") as connection:
                clinic_id = _clinic(connection, options["clinic"])
                anchors = read_anchors(settings.HMS_AUDIT_ANCHORS_DIR)
                for finding in verify(connection, verified, clinic_id=clinic_id, since=options["since"], anchors=anchors):
                    wrong += 1
                    self.stderr.write(str(finding))
        except (DatabaseNotFit, psycopg.OperationalError, ValueError) as error:
            raise CommandError(str(error)) from error
        gone = f" {verified.dropped} rows went when they were old enough." if verified.dropped else ""
        self.stdout.write(
            f"{verified.blocks} blocks with {verified.rows} rows verified; {verified.unsealed} rows are not sealed yet.{gone}"
        )
        if wrong:
            raise CommandError(f"{wrong} things are not as they were sealed.")


def _clinic(connection: psycopg.Connection[Any], slug: str | None) -> UUID | None:
    if not slug:
        return None
    found = connection.execute("SELECT id FROM core_clinic WHERE slug = %s", [slug]).fetchone()
    if found is None:
        raise CommandError(f"There is no clinic “{slug}”.")
    clinic_id: UUID = found[0]
    return clinic_id


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
