"""`manage.py drain_access_log`: what waits in the spool goes into the database, also where no web process runs any more."""

from typing import Any

from django.core.management.base import BaseCommand

from core.audit.draining import drain_now, spool
from core.audit.spool import waiting


class Command(BaseCommand):
    help = "Write what waits in the access log's spool to the database. Safe at any time, also while HMS serves."

    def handle(self, *args: Any, **options: Any) -> None:
        count = drain_now()
        self.stdout.write(f"{count} events written.")
        if left := len(waiting(spool.folder)):
            self.stdout.write(f"{left} files are being written to by living processes, who empty them themselves.")
