"""`manage.py benchmark`: how fast HMS is on a scale database, against raw SQL and a bare Django view measured in the same run."""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from hms.scale.benchmark import NotSeeded, Wanted, benchmark
from hms.scale.load import NoAnswer
from hms.scale.report import report
from hms.scale.run import compared
from hms.scale.serving import NotServed


class Command(BaseCommand):
    help = "Measure named operations and HTTP requests on a database that seed_scale has made. Registers patients and books visits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", default="hms_scale", help="Its name (hms_scale).")
        parser.add_argument("--against", default="", help="A smaller scale database: growth is told against it.")
        parser.add_argument("--operation", nargs="*", default=[], help="Parts of names; without it, everything.")
        parser.add_argument("--only", choices=["in-process", "http"], default="", help="One half of it.")
        parser.add_argument("--seconds", type=float, default=4.0, help="For each HTTP scenario (4); less for each operation.")
        parser.add_argument("--json", action="store_true", help="Print the figures as JSON instead of tables.")
        parser.add_argument("--output", default="", help="Also keep the JSON in this file.")
        parser.add_argument("--compare", default="", help="A file that --output or --json made: say what has changed since.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        wanted = Wanted(options["operation"], options["only"] != "http", options["only"] != "in-process")
        try:
            run = benchmark(options["database"], wanted, against=options["against"], seconds=options["seconds"], say=self.say)
        except (NotSeeded, NotServed, NoAnswer, DatabaseError) as error:
            raise CommandError(str(error)) from error
        found = run.as_json()
        if options["output"]:
            Path(options["output"]).write_text(json.dumps(found, indent=1))
        self.stdout.write(json.dumps(found, indent=1) if options["json"] else "\n".join(report(run)))
        if options["compare"]:
            self._compare(found, json.loads(Path(options["compare"]).read_text()))

    def _compare(self, found: dict[str, Any], before: dict[str, Any]) -> None:
        rows = compared(found, before)
        self.stderr.write(f"Against {before['at']}: {len(rows)} p50 differ by more than 15 %.")
        for name, old, new, ratio in rows:
            self.stderr.write(f"{ratio:6.2f} x  {old:8.2f} -> {new:8.2f} ms  {name}")

    def say(self, line: str) -> None:
        """What is being measured, on standard error: the tables alone go to standard output."""
        self.stderr.write(f"[{time.monotonic() - self.started:6.1f} s] {line}")
