"""`manage.py send_reminders`: reminds patients of their visits. Says counts, no names. For the clock, every few minutes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appointments.services import send_reminders
from core.tenancy.models import Clinic


class Command(BaseCommand):
    help = "Write the reminders that are due, of every active clinic or one. Run again, or twice at once, it reminds nobody twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clinic", metavar="SLUG", help="Of this clinic alone.")

    def handle(self, *args: Any, **options: Any) -> None:
        clinics = Clinic.objects.filter(state=Clinic.State.ACTIVE).order_by("slug")
        if options["clinic"]:
            clinics = clinics.filter(slug=options["clinic"])
            if not clinics:
                raise CommandError(f"There is no active clinic {options['clinic']}.")
        failed = 0
        for clinic in clinics:
            done = send_reminders(clinic=clinic)
            failed += done.failed
            self.stdout.write(f"{clinic.slug}: {done.written} written, {done.not_sent} can't be sent, {done.failed} failed.")
        if failed:
            raise CommandError(f"{failed} failed: see the log. They are tried again at the next run.")
