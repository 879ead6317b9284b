"""`manage.py warm_cache`: loads what the first people of the day will ask for. For after a deployment, with Redis."""

from typing import Any

from django.core.management.base import BaseCommand

from core.cache.process import shared
from core.cache.warming import warm_up


class Command(BaseCommand):
    help = "Read the declared hot keys of every active clinic into Redis. Web processes have to be running."

    def handle(self, *args: Any, **options: Any) -> None:
        if shared is None:
            self.stdout.write("Without Redis each web process fills its own memory; there is nothing to warm from here.")
            return
        for name, count in warm_up().items():
            self.stdout.write(f"{name}: {count} clinics")
