"""`manage.py seed_demo`: two invented clinics with a believable day, for trying HMS out."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from core.database.roles import connected_as
from hms.demo.guard import what_forbids_the_demo
from hms.demo.seeding import PATIENTS, seed

SAID = {"calendar": "its calendar is new", "today": "its today is half over again", "nothing": "still fresh, left as it is"}


class Command(BaseCommand):
    help = "Make the demo's two clinics, or make their today half over again. Only on an empty database, or the demo's own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fresh", action="store_true", help="Set up today again even if that was done within half an hour.")
        parser.add_argument("--now", default="", help="Do as if it were this moment (ISO 8601 with offset); for tests.")
        parser.add_argument("--patients", type=int, default=PATIENTS, help="How many patients a clinic gets; for tests.")

    def handle(self, *args: Any, **options: Any) -> None:
        if sentence := what_forbids_the_demo():
            raise CommandError(sentence)
        now = parse_datetime(options["now"]) if options["now"] else timezone.now().replace(second=0, microsecond=0)
        if now is None or timezone.is_naive(now):
            raise CommandError("--now is a moment with an offset, such as 2026-06-09T10:45:00+01:00.")
        started = time.monotonic()

        def say(line: str) -> None:
            self.stdout.write(f"[{time.monotonic() - started:5.1f} s] {line}")
            self.stdout.flush()

        with connected_as("hms_owner"):
            done = seed(now=now, say=say, fresh=options["fresh"], patients=options["patients"])
        for one in done:
            say(f"{one.slug}: {SAID[one.what]}")
