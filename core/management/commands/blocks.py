"""`manage.py blocks list|add|lift`: blocked addresses, for an operator at the machine."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.errors import DomainError
from core.security.blocking import block_network, lift_block
from core.security.models import AddressBlock
from core.tenancy.context import Scope, unit_of_work


class Command(BaseCommand):
    help = "List, add and lift blocks of addresses. They hold in every process at once."

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="action", required=True)
        kinds.add_parser("list", help="What is blocked now.")
        add = kinds.add_parser("add", help="Block an address or a network.")
        add.add_argument("network", help="203.0.113.7, 203.0.113.0/24 or 2001:db8:1:2::/64")
        add.add_argument("--hours", type=float, default=24)
        add.add_argument("--reason", required=True)
        add.add_argument("--strangers-only", action="store_true", help="Who is signed in goes on.")
        lift = kinds.add_parser("lift", help="End every block of exactly this address or network.")
        lift.add_argument("network")

    def handle(self, *args: Any, **options: Any) -> None:
        with unit_of_work(Scope(reason=f"manage.py blocks {options['action']}")):
            try:
                getattr(self, f"_{options['action']}")(options)
            except DomainError as error:
                raise CommandError(" ".join(detail.message for detail in error.details) or str(error.message)) from error

    def _list(self, options: dict[str, Any]) -> None:
        blocks = AddressBlock.objects.filter(lifted_at=None, until__gt=timezone.now()).order_by("network")
        for one in blocks:
            whom = "strangers" if one.strangers_only else "everybody"
            self.stdout.write(f"{one.network}  {whom}  until {one.until:%Y-%m-%d %H:%M} UTC  {one.reason}")
        if not blocks:
            self.stdout.write("Nothing is blocked.")

    def _add(self, options: dict[str, Any]) -> None:
        until = timezone.now() + timedelta(hours=options["hours"])
        made = block_network(
            actor=None, network=options["network"], until=until, reason=options["reason"], strangers_only=options["strangers_only"]
        )
        self.stdout.write(f"Blocked {made.network} until {made.until:%Y-%m-%d %H:%M} UTC.")

    def _lift(self, options: dict[str, Any]) -> None:
        wanted = options["network"].strip()
        names = {wanted, f"{wanted}/32", f"{wanted}/128"}
        found = list(AddressBlock.objects.filter(network__in=names, lifted_at=None, until__gt=timezone.now()))
        if not found:
            raise CommandError(f"{wanted} is not blocked.")
        for one in found:
            lift_block(actor=None, block_id=one.pk)
        self.stdout.write(f"Lifted {len(found)}.")
