"""`manage.py create_initial_users`: make a fresh installation usable."""

import getpass
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from hms.demo.guard import is_demo_database
from hms.first_installation import FirstClinic, Person, make_administrator, make_clinic

# option, its help, its default
OPTIONS = (
    ("admin-email", "the platform administrator's e-mail", ""),
    ("admin-name", "their name", "Administrator"),
    ("admin-password", "their password; generated and shown once if not given", ""),
    ("clinic", "slug of a first clinic, such as riverside; none: only the administrator is made", ""),
    ("clinic-name", "the clinic's name", ""),
    ("clinic-time-zone", "its time zone", "Europe/London"),
    ("clinic-country", "its country, ISO 3166-1", "GB"),
    ("clinic-currency", "its currency, ISO 4217", "GBP"),
    ("clinic-mrn-prefix", "what stands before its record numbers", ""),
    ("clinic-location", "its first location's name", "Main site"),
    ("clinic-admin-email", "the clinic administrator's e-mail", ""),
    ("clinic-admin-name", "their name", "Clinic administrator"),
    ("clinic-admin-password", "their password; generated and shown once if not given", ""),
)
ASKED = (
    "admin-email",
    "admin-name",
    "clinic",
    "clinic-name",
    "clinic-time-zone",
    "clinic-country",
    "clinic-currency",
    "clinic-admin-email",
)


class Command(BaseCommand):
    help = (
        "Create the platform administrator, and if wanted a first clinic with settings, a location and its administrator. "
        "Safe to repeat: what is there stays. Each option can be an environment variable: --admin-email is HMS_ADMIN_EMAIL."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for name, said, default in OPTIONS:
            parser.add_argument(
                f"--{name}", default=None, help=f"{said}{f' (default {default})' if default else ''}; or {variable(name)}"
            )
        parser.add_argument("--no-input", action="store_true", help="Never ask.")

    def handle(self, *args: Any, **options: Any) -> None:
        if is_demo_database():
            raise CommandError("This database is a demo's: its accounts are known to everybody. Use another one for real data.")
        given = self._given(options)
        if not given["admin-email"]:
            raise CommandError("Say whose account the platform administrator is: --admin-email, or HMS_ADMIN_EMAIL.")
        try:
            make_administrator(Person(given["admin-email"], given["admin-name"], given["admin-password"]), self.stdout.write)
            if given["clinic"]:
                make_clinic(self._clinic(given), self.stdout.write)
        except DomainError as error:
            lines = [f"{detail.field}: {detail.message}" for detail in error.details] or [str(error.message)]
            raise CommandError("\n".join(lines)) from error

    def _given(self, options: dict[str, Any]) -> dict[str, str]:
        """From the arguments, else the environment, else by asking (on a terminal), else the defaults."""
        given: dict[str, str] = {}
        asking = sys.stdin.isatty() and not options["no_input"]
        for name, said, default in OPTIONS:
            value = options[name.replace("-", "_")]
            if value is None:
                value = os.environ.get(variable(name))
            if value is None and asking and (name in ASKED or name.endswith("password")):
                needless = name.startswith("clinic-") and not given.get("clinic")
                value = "" if needless else self._ask(name, said, default)
            given[name] = default if value is None else value
        return given

    def _ask(self, name: str, said: str, default: str) -> str:
        question = f"{said[0].upper()}{said[1:]}{f' [{default}]' if default else ''}: "
        answer = getpass.getpass(question) if name.endswith("password") else input(question)
        return answer.strip() or default

    def _clinic(self, given: dict[str, str]) -> FirstClinic:
        email = given["clinic-admin-email"]
        return FirstClinic(
            slug=given["clinic"],
            name=given["clinic-name"] or given["clinic"].title(),
            time_zone=given["clinic-time-zone"],
            country=given["clinic-country"],
            currency=given["clinic-currency"],
            mrn_prefix=given["clinic-mrn-prefix"],
            location=given["clinic-location"] or "Main site",
            administrator=Person(email, given["clinic-admin-name"], given["clinic-admin-password"]) if email else None,
        )


def variable(option: str) -> str:
    return f"HMS_{option.upper().replace('-', '_')}"
