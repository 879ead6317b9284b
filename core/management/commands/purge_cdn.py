"""`manage.py purge_cdn`: have the content delivery network forget static files."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.cdn.services import NotPurged, purge


class Command(BaseCommand):
    help = "Have the network of HMS_CDN_URL forget static files. A deployment needs it not: names change with what files hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="For instance css/hms.css.")
        parser.add_argument("--everything", action="store_true", help="All that it keeps of this installation.")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["names"]) == options["everything"]:
            raise CommandError("Name files, or say --everything.")
        try:
            count = purge(None if options["everything"] else options["names"])
        except NotPurged as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Done, with {count} {'request' if count == 1 else 'requests'}.")
