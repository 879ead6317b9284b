"""`manage.py preflight`: may this code be deployed, and what will its migrations lock?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.database.preflight import LARGE, Flight, Step, look_ahead
from core.database.roles import connected_as
from core.database.statements import Effect


class Command(BaseCommand):
    help = "Say what the migrations that are to come lock, rewrite and break; ends with 1 if this code does not fit the database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        strict = f"End with 1 as well if running code would fail, or wait for a table of {LARGE} rows or more."
        parser.add_argument("--strict", action="store_true", help=strict)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected_as("hms_owner", "default"):
            flight = look_ahead()
        if flight.mismatches:
            raise CommandError("\n".join(flight.mismatches))
        for step in flight.steps:
            self._tell(step, flight)
        if not flight.steps:
            self.stdout.write("Nothing is to be migrated.")
            return
        risky = len(flight.risky)
        self.stdout.write(f"{len(flight.steps)} migrations; {risky} statements need a thought (docs/deploying.md).")
        if risky and options["strict"]:
            raise CommandError("Not without a thought: see above.")

    def _tell(self, step: Step, flight: Flight) -> None:
        self.stdout.write(f"{step.name}{'' if step.is_atomic else ' (not in one transaction)'}")
        for effect in step.effects:
            self.stdout.write(f"  {_mark(effect, flight)} {effect.table or '?'}: {effect.lock}, {effect.why}")
            self.stdout.write(f"      {effect.statement[:200]}")
        for operation in step.in_python:
            self.stdout.write(f"  python {operation}: read it yourself")


def _mark(effect: Effect, flight: Flight) -> str:
    rows = flight.rows.get(effect.table, 0)
    said = ["BREAKS"] if effect.breaks else []
    if effect.rewrites:
        said.append(f"REWRITES {rows} rows")
    elif effect.grows:
        said.append(f"LONG {rows} rows" if rows >= LARGE else f"{rows} rows")
    return ", ".join(said) or "brief"
