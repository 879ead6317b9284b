"""`manage.py system_report`: how HMS stands, as the system page says it, for a ticket or a file."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.monitoring.figures import PERIODS
from core.monitoring.overview import overview
from core.monitoring.report import as_data, as_pdf, as_text
from core.tenancy.context import Scope, unit_of_work


class Command(BaseCommand):
    help = "Alerts, health, figures and sizes. What single web processes know alone (routes, slow statements) stands on their page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=["text", "json", "pdf"], default="text")
        parser.add_argument("--output", type=Path, help="A file for it; PDF needs one.")
        parser.add_argument("--period", choices=list(PERIODS), default="24h")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path | None = options["output"]
        if options["format"] == "pdf" and file is None:
            raise CommandError("Say where a PDF is to go: --output report.pdf")
        with unit_of_work(Scope(reason="system report")):
            found = as_data(overview(PERIODS[options["period"]]))
        if options["format"] == "pdf" and file is not None:
            file.write_bytes(as_pdf(found))
            return
        text = json.dumps(found, indent=2) if options["format"] == "json" else as_text(found)
        if file is None:
            self.stdout.write(text)
        else:
            file.write_text(f"{text}\n")
