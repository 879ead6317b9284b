"""`manage.py send_webhooks`: sends the events that are due to the systems that want them."""

from typing import Any

from django.core.management.base import BaseCommand

from core.webhooks.sending import deliver_due


class Command(BaseCommand):
    help = "Send every webhook that is due, once. Run it every minute; several at once do no harm."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{deliver_due()} deliveries tried.")
