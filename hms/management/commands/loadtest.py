"""`manage.py loadtest`: many people at a demo at once, by locust, and whether what was measured is good enough."""

import json
import time
from contextlib import AbstractContextManager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.pages.demo import CLINICS
from hms.management.commands.simulate_day import EXPECTED
from hms.simulation.home import Home, own_home, running_home, stopped_in_order
from hms.simulation.loading import Load, NotLoaded, Thresholds, run_locust
from hms.simulation.mix import SHARES


class Command(BaseCommand):
    help = "Let people work at a server of its own, or at a demo that runs. Ends with 0 if every threshold is met, with 2 if not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=int, default=20, help="At once (20).")
        parser.add_argument("--ramp-up", type=float, default=5.0, help="How many more each second until all are there (5).")
        parser.add_argument("--duration", type=int, default=60, help="Seconds (60).")
        parser.add_argument("--endpoints", nargs="*", choices=list(SHARES), default=list(SHARES), help="Only these kinds.")
        parser.add_argument("--pause", type=float, nargs=2, default=(0.5, 2.0), help="Seconds between two requests (0.5 2).")
        parser.add_argument("--seed", type=int, default=1, help="Of what each one does (1).")
        parser.add_argument("--max-failures", type=float, default=1.0, help="Percent of the requests that may fail (1).")
        parser.add_argument("--max-p95", type=float, help="Milliseconds.")
        parser.add_argument("--max-p99", type=float, help="Milliseconds.")
        parser.add_argument("--min-rate", type=float, help="Requests a second, all together.")
        parser.add_argument("--clinics", type=int, default=2, help="How many on a server of its own (2).")
        parser.add_argument("--url", default="", help="A demo that runs on this installation's database.")
        parser.add_argument("--html", default="", help="Also write locust's report to this file.")
        parser.add_argument("--json", action="store_true", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        if options["users"] < 1 or options["duration"] < 1 or options["ramp_up"] <= 0 or not options["endpoints"]:
            raise CommandError("--users, --duration and --ramp-up are more than 0, and there is at least one of --endpoints.")
        load = Load(
            options["users"], options["ramp_up"], options["duration"], tuple(options["endpoints"]), tuple(options["pause"]),
            options["seed"], options["html"],
        )  # fmt: skip
        thresholds = Thresholds(options["max_failures"], options["max_p95"], options["max_p99"], options["min_rate"])
        try:
            with stopped_in_order(), self._home(options) as home:
                self.say(f"{load.users} people at {len(home.clinics)} clinics for {load.seconds} s")
                measured = run_locust(home, load)
        except (NotLoaded, *EXPECTED) as error:
            raise CommandError(str(error)) from error
        unmet = thresholds.unmet(measured)
        told = measured.as_json() | {"unmet": unmet}
        self.stdout.write(json.dumps(told, indent=1) if options["json"] else "\n".join(measured.as_text()))
        if unmet:
            raise CommandError(f"Not met: {'; '.join(unmet)}.", returncode=2)

    def _home(self, options: dict[str, Any]) -> AbstractContextManager[Home]:
        if options["url"]:
            return running_home(options["url"], CLINICS)
        return own_home(options["clinics"], say=self.say)

    def say(self, line: str) -> None:
        self.stderr.write(f"[{time.monotonic() - self.started:6.1f} s] {line}")
