"""`manage.py send_messages`: sends what waits, for installations whose web processes may not reach the gateways."""

from typing import Any

from django.core.management.base import BaseCommand

from core.messaging.courier import send_waiting


class Command(BaseCommand):
    help = "Send every message that is due, once, and wipe what has expired."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{send_waiting()} messages tried.")
