"""`manage.py anonymise_patients`: all whose records were kept for as long as the clinic keeps them. Says counts, no names."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinics.selectors import retention_years
from core.accounts.actor import system_actor
from core.database.roles import DatabaseNotFit
from core.errors import Conflict, NotFound
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients.choices import AnonymisingKind
from patients.models import Patient
from patients.selectors.retention import due_for_anonymising
from patients.services import anonymise_patient, finish_anonymisation, pending_anonymisations

REASON = "Its time is over."


class Command(BaseCommand):
    help = (
        "Anonymise the patients of a clinic whose time of keeping is over (its setting “records are kept for”), each in a "
        "transaction of its own, after finishing what an earlier run left half done. Killed, it goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clinic", metavar="SLUG", required=True)
        parser.add_argument("--dry-run", action="store_true", help="Say how many it would be.")

    def handle(self, *args: Any, **options: Any) -> None:
        clinic = Clinic.objects.filter(slug=options["clinic"]).first()
        if clinic is None:
            raise CommandError(f"There is no clinic {options['clinic']}.")
        with clinic_scope(clinic, reason="anonymise_patients"):
            pending, years = pending_anonymisations(), retention_years()
        if options["dry_run"]:
            due = sum(len(batch) for batch in due_for_anonymising(clinic))
            self.stdout.write(f"{len(pending)} to finish, {due} to anonymise ({_rule(years)}).")
            return
        try:
            finished = sum(finish_anonymisation(clinic_id=clinic.pk, anonymisation_id=one) for one in pending)
            done = sum(self._one(clinic, pk) for batch in due_for_anonymising(clinic) for pk in batch)
            self.stdout.write(f"{finished} finished, {done} anonymised ({_rule(years)}).")
            with clinic_scope(clinic, reason="anonymise_patients"):
                left = len(pending_anonymisations())
        except DatabaseNotFit as error:
            raise CommandError(str(error)) from error
        if left:
            raise CommandError(f"{left} are not finished: see the log, and run it again.")

    def _one(self, clinic: Clinic, pk: Any) -> bool:
        """False for somebody whom a colleague has anonymised or booked at this very moment."""
        with clinic_scope(clinic, reason="anonymise_patients"):
            try:
                patient: Patient = Patient.objects.only("id", "clinic_id", "mrn").found(pk=pk)
                actor, kind = system_actor(clinic.pk), AnonymisingKind.RETENTION
                anonymise_patient(actor=actor, patient_id=pk, mrn=patient.mrn, kind=kind, reason=REASON)
            except (Conflict, NotFound):
                return False
        return True


def _rule(years: int | None) -> str:
    return f"records are kept for {years} {'year' if years == 1 else 'years'}" if years else "records are kept for ever"
