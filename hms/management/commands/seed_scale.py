"""`manage.py seed_scale`: many clinics with millions of patients and visits, in a database of their own."""

import time
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core.accounts.roles import Role
from core.database.places import EmbeddedPostgresError
from core.database.roles import DatabaseNotFit
from hms.scale.furniture import email_of
from hms.scale.home import OtherData, remove_home
from hms.scale.seeding import seed
from hms.scale.size import NotPossible, Size
from hms.scale.verification import Incomplete
from hms.scale.visits import TooFewPlaces

BAR = 30  # characters
EXPECTED = (
    OtherData, NotPossible, TooFewPlaces, Incomplete, EmbeddedPostgresError, DatabaseNotFit, DatabaseError, psycopg.Error,
)  # fmt: skip


class Command(BaseCommand):
    help = "Fill a database of its own with clinics, patients and visits, to measure on. A stopped run is continued."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", default="hms_scale", help="Its name (hms_scale).")
        parser.add_argument("--clinics", type=int, default=200)
        parser.add_argument("--locations", type=int, default=50, help="Of each clinic.")
        parser.add_argument("--patients", type=int, default=25_000, help="Of each clinic.")
        parser.add_argument("--appointments", type=int, default=10_000_000, help="Of all clinics together.")
        parser.add_argument("--remove", action="store_true", help="Drop the database instead, if this command made it.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        try:
            if options["remove"]:
                remove_home(options["database"])
                self.say(f"Removed {options['database']}.")
                return
            size = Size(options["clinics"], options["locations"], options["patients"], options["appointments"])
            seed(options["database"], size, say=self.say, progress=self.progress)
            self.say(f"Done. Sign in as {email_of(Role.RECEPTIONIST, 1)} and so on, with HMS_DEMO_PASSWORD.")
        except EXPECTED as error:
            raise CommandError(str(error)) from error

    def say(self, line: str) -> None:
        self.stdout.write(f"[{time.monotonic() - self.started:7.1f} s] {line}")
        self.stdout.flush()

    def progress(self, done: int, of: int) -> None:
        """A bar that is drawn over itself on a terminal; ten lines or so in a file."""
        if done == 1:
            self.since = time.monotonic()
        each = (time.monotonic() - self.since) / (done - 1) if done > 1 else 0
        bar = "#" * (BAR * done // of)
        line = f"[{bar:<{BAR}}] {done} of {of} clinics, {each:.1f} s each, {each * (of - done) / 60:.1f} min left"
        if self.stdout.isatty():
            self.stdout.write(line, ending="\n" if done == of else "\r")
            self.stdout.flush()
        elif done == of or done % max(1, of // 40) == 0:
            self.say(line)
