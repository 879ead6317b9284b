"""`manage.py api_key create|list|end`: keys of other systems, for an operator at the machine."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.accounts.actor import system_actor
from core.accounts.api_keys.scopes import SCOPES
from core.accounts.api_keys.services import MOST_DAYS, USUAL_DAYS, api_keys, end_api_key, make_api_key
from core.errors import DomainError
from core.tenancy.context import clinic_scope, current_clinic_id
from core.tenancy.models import Clinic


class Command(BaseCommand):
    help = "Make, list and end API keys of a clinic. A new key is written to standard output, once; all else to standard error."

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="action", required=True)
        create = kinds.add_parser("create", help="Make a key. The clinic's administrators are told by e-mail.")
        create.add_argument("--name", required=True, help="The system it is for, as it shall stand in the history.")
        create.add_argument("--scopes", required=True, help=f"Separated by commas: {', '.join(sorted(SCOPES))}")
        create.add_argument(
            "--days", type=int, default=USUAL_DAYS, help=f"How long it is valid: 1 to {MOST_DAYS}, by default {USUAL_DAYS}."
        )
        show = kinds.add_parser("list", help="What keys there are, those that are over too.")
        end = kinds.add_parser("end", help="End a key for ever. It is refused from its next request on.")
        end.add_argument("id", type=UUID, help="As `list` shows it.")
        for kind in (create, show, end):
            kind.add_argument("--clinic", metavar="SLUG", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        clinic = Clinic.objects.filter(slug=options["clinic"]).first()
        if clinic is None:
            raise CommandError(f"There is no clinic {options['clinic']}.")
        with clinic_scope(clinic, reason=f"manage.py api_key {options['action']}"):
            try:
                getattr(self, f"_{options['action']}")(options)
            except DomainError as error:
                raise CommandError(" ".join(detail.message for detail in error.details) or str(error.message)) from error

    def _create(self, options: dict[str, Any]) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        actor = system_actor(current_clinic_id())
        key, text = make_api_key(actor=actor, name=options["name"], scopes=scopes, days=options["days"])
        self.stderr.write(f"{key.pk}  {key.name}  until {key.expires_at:%Y-%m-%d %H:%M} UTC. The key, shown only now:")
        self.stdout.write(text)

    def _list(self, options: dict[str, Any]) -> None:
        for key in api_keys():
            state = "ended" if key.ended_at else "in use" if key.is_live else "expired"
            used = f"{key.last_used_at:%Y-%m-%d %H:%M} from {key.last_used_from}" if key.last_used_at else "never"
            self.stdout.write(
                f"{key.pk}  {key.name}  {state}  until {key.expires_at:%Y-%m-%d}  last used {used}  {','.join(key.scopes)}"
            )

    def _end(self, options: dict[str, Any]) -> None:
        key = end_api_key(actor=system_actor(current_clinic_id()), key_id=options["id"])
        self.stdout.write(f"{key.name} is ended.")
