"""`manage.py simulate_day`: a whole day of some clinics through the real HTTP API, and whether everything is true at its end."""

import json
import time
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core.database.places import EmbeddedPostgresError
from core.database.roles import DatabaseNotFit
from core.pages.demo import CLINICS
from hms.scale.serving import NotServed
from hms.simulation.calling import NotSignedIn
from hms.simulation.home import Home, NoHome, own_home, running_home, stopped_in_order
from hms.simulation.playing import Outcome, simulate
from hms.simulation.report import as_text
from hms.simulation.script import HOURS
from hms.simulation.trouble import Trouble, jobs_done, jobs_left, troubled_home

EXPECTED = (NoHome, NotSignedIn, NotServed, DatabaseNotFit, EmbeddedPostgresError, DatabaseError, psycopg.Error, OSError)


class Command(BaseCommand):
    help = "Play a day at invented clinics, faster than it is, and check what has to be true. On a server of its own, or a demo's."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clinics", type=int, default=2, help="How many on a server of its own (2).")
        parser.add_argument("--speed", type=float, default=60.0, help="Seconds of the day in one second (60).")
        parser.add_argument("--hours", type=float, default=HOURS, help=f"How long the day is, from eight o'clock on ({HOURS}).")
        parser.add_argument("--seed", type=int, help="The same gives the same script. Without it, one by chance that is told.")
        parser.add_argument("--url", default="", help="A demo that runs on this installation's database; its clinics get it all.")
        parser.add_argument(
            "--trouble",
            action="store_true",
            help="With a Redis and a worker of its own, each of them killed twice on the way.",
        )
        parser.add_argument("--keep", action="store_true", help="Leave the server's own database there, to look into.")
        parser.add_argument("--json", action="store_true", help="Print the report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        if options["speed"] <= 0 or not 0 < options["hours"] <= 24:
            raise CommandError("--speed is more than 0, --hours more than 0 and at most 24.")
        if options["trouble"] and options["url"]:
            raise CommandError("--trouble is for a server of its own: nobody kills what others work with.")
        seed = time.time_ns() % 1_000_000 if options["seed"] is None else options["seed"]
        self.say(f"seed {seed}")
        try:
            with stopped_in_order():
                outcome = self._troubled(options, seed) if options["trouble"] else self._undisturbed(options, seed)
        except EXPECTED as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(outcome.told, indent=1) if options["json"] else "\n".join(as_text(outcome.told)))
        if not outcome.told["true"]:
            jobs = ["jobs_left"] if outcome.told.get("jobs_left") else []
            raise CommandError(f"Not true: {', '.join([*outcome.broken, *jobs])}.", returncode=2)

    def _undisturbed(self, options: dict[str, Any], seed: int) -> Outcome:
        with self._home(options) as home:
            return simulate(home, seed=seed, speed=options["speed"], hours=options["hours"], say=self.say)

    def _troubled(self, options: dict[str, Any], seed: int) -> Outcome:
        with troubled_home(options["clinics"], say=self.say, keep=options["keep"]) as (home, around):
            trouble = Trouble(around, options["hours"] * 3600 / options["speed"], self.say)
            trouble.start()
            try:
                outcome = simulate(home, seed=seed, speed=options["speed"], hours=options["hours"], say=self.say)
            finally:
                trouble.end()
            trouble.check()
            left = jobs_left(home)
            outcome.told.update(
                trouble=around.done, jobs_done=jobs_done(home), jobs_left=left, true=not outcome.broken and not left
            )
            return outcome

    def _home(self, options: dict[str, Any]) -> AbstractContextManager[Home]:
        if options["url"]:
            return running_home(options["url"], CLINICS)
        return own_home(options["clinics"], say=self.say, keep=options["keep"])

    def say(self, line: str) -> None:
        """How far it is, on standard error: the report alone goes to standard output."""
        self.stderr.write(f"[{time.monotonic() - self.started:6.1f} s] {line}")
