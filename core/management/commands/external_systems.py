"""`manage.py external_systems`: which external systems there are, and with --check whether they answer."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.outbound.registry import registry


class Command(BaseCommand):
    help = "List the external systems; with --check ask every endpoint, all of a system at once. Ends with 1 if one fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Ask every endpoint.")

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for name, system in sorted(registry.systems().items()):
            self.stdout.write(f"{name} ({system.kind}, {len(system.endpoints)} endpoints, {system.balance})")
            found = registry.client(name).check() if options["check"] else {}
            for endpoint, cause in found.items():
                self.stdout.write(f"  {endpoint}: {cause or 'answers'}")
                failed += bool(cause)
        if failed:
            raise CommandError(f"{failed} endpoints do not answer.")
