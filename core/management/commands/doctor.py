"""`manage.py doctor`: what is wrong with this installation, and what to do about it."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core.doctor.examination import examine
from core.doctor.findings import Finding, Verdict, worst

EXIT = {Verdict.OK: 0, Verdict.WARN: 1, Verdict.FAIL: 2}
MARKS = {Verdict.OK: "ok  ", Verdict.WARN: "WARN", Verdict.FAIL: "FAIL"}


class Command(BaseCommand):
    help = "Examine settings, files, database and all around it. Ends with 0 (all is well), 1 (warnings) or 2. Changes nothing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="As JSON.")
        parser.add_argument("--all", action="store_true", help="Tell what is well, too.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(examine())
        if options["json"]:
            said = {"verdict": worst(findings).value, "findings": [one.as_json() for one in findings]}
            self.stdout.write(json.dumps(said, indent=1))
        else:
            self._tell(findings, options["all"])
        if code := EXIT[worst(findings)]:
            sys.exit(code)

    def _tell(self, findings: list[Finding], everything: bool) -> None:
        for one in findings:
            if everything or one.verdict is not Verdict.OK:
                self.stdout.write(f"{MARKS[one.verdict]}  {one.subject}: {one.sentence}")
                if one.remedy:
                    self.stdout.write(f"      {one.remedy}")
        counts = {verdict: sum(one.verdict is verdict for one in findings) for verdict in Verdict}
        self.stdout.write(f"{counts[Verdict.OK]} well, {counts[Verdict.WARN]} warnings, {counts[Verdict.FAIL]} failures.")
