"""`manage.py analyse_logs`: errors, slow routes, statuses, busy clinics and hours, out of JSON log lines."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.log_report.reading import Reader
from core.log_report.report import Report

FIGURES = "{count:>9} {p50:>8} {p95:>8} {max:>9}"


class Command(BaseCommand):
    help = "Read JSON log lines (docs/logs.md) and say what they add up to. Asks no database; needs no more memory for more lines."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="Also packed (.gz); - is standard input.")
        parser.add_argument("--json", action="store_true", help="As JSON.")
        parser.add_argument("--top", type=int, default=10, help="How many of each list (10).")
        parser.add_argument("--since", default="", help="A moment or the beginning of one, in UTC: 2026-01-31T10.")
        parser.add_argument("--until", default="", help="Until before that moment.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["top"] < 1:
            raise CommandError("--top is at least 1.")
        reader, report = Reader(), Report(options["top"])
        try:
            report.add_all(reader.read(options["files"]), since=options["since"], until=options["until"])
        except (OSError, EOFError) as error:
            raise CommandError(f"A file can't be read: {error}") from error
        found = {"lines": reader.lines, "damaged": reader.damaged, "damaged_lines": reader.named, **report.as_json()}
        self.stdout.write(json.dumps(found, indent=1) if options["json"] else "\n".join(_told(found)))


def _told(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['lines']} lines from {found['first'] or '-'} to {found['last'] or '-'}"
    yield "Levels: " + (", ".join(f"{name} {count}" for name, count in found["levels"].items()) or "none")
    if found["damaged"]:
        yield f"{found['damaged']} lines are damaged, the first of them:"
        yield from (f"  {one}" for one in found["damaged_lines"])
    yield "\nErrors"
    for one in found["errors"]:
        yield f"{one['count']:>9}  {one['fault']}  {one['error'] or one['event']}"
        yield f"{'':11}{one['first']} to {one['last']}, {one['clinics']} clinics {' '.join(one['where'])}"
    yield "\nStatuses: " + (", ".join(f"{name} {count}" for name, count in found["statuses"].items()) or "none")
    yield f"\n{'requests':>9} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>9}  Routes, by all the time they took"
    yield FIGURES.format(**found["requests"]) + "  all"
    yield from (f"{FIGURES.format(**one)}  {one['route']}" for one in found["routes"])
    yield "\nSlowest requests"
    for one in found["slowest"]:
        said = f"{one['status']} {one['route']} ({one['queries']} queries, {one['request_id']})"
        yield f"{one['ms']:>9} ms  {one['timestamp']} {said}"
    yield f"\n{'requests':>9} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>9}  Clinics"
    yield from (f"{FIGURES.format(**one)}  {one['clinic']}" for one in found["clinics"])
    yield f"\n{'requests':>9} {'errors':>8} {'p95 ms':>8}  Hours (UTC)"
    yield from (f"{one['requests']:>9} {one['errors']:>8} {one['p95']:>8}  {one['hour']}" for one in found["hours"])
