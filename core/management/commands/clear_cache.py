"""`manage.py clear_cache`: everything cached is stale, in every process; for after a restore."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from core.tenancy.announcements import EVERYTHING
from core.tenancy.context import Scope, unit_of_work


class Command(BaseCommand):
    help = "Make everything that is cached stale, in every process and in Redis. Needed only after rows came in past the triggers."

    def handle(self, *args: Any, **options: Any) -> None:
        with unit_of_work(Scope(reason="clear_cache")), connection.cursor() as cursor:
            cursor.execute("SELECT hms_announce(ARRAY[%s])", [EVERYTHING])
        self.stdout.write("Everything is loaded anew when it is asked for.")
