"""`manage.py export_patient`: everything about one patient in a ZIP, also when it is too large for a page."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.accounts.models import Membership
from core.errors import DomainError
from core.tenancy.context import clinic_scope, current_clinic_id
from core.tenancy.models import Clinic
from patients.choices import ExportReason
from patients.models import Patient
from patients.services import export_patient


class Command(BaseCommand):
    help = "Write a ZIP with the whole record of one patient, in the name of somebody of the clinic who may take it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mrn", metavar="MRN")
        parser.add_argument("--clinic", metavar="SLUG", required=True)
        parser.add_argument("--by", metavar="EMAIL", required=True, help="Who takes the copy: it is recorded.")
        parser.add_argument("--reason", required=True, choices=ExportReason.values)
        parser.add_argument("--to", metavar="FILE", required=True, type=Path, help="A file that isn't there yet.")

    def handle(self, *args: Any, **options: Any) -> None:
        clinic = Clinic.objects.filter(slug=options["clinic"]).first()
        if clinic is None:
            raise CommandError(f"There is no clinic {options['clinic']}.")
        try:
            with clinic_scope(clinic, reason="export_patient"):
                packed = self._packed(options)
                _write(options["to"], packed)  # before the commit: without the file nothing is recorded
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        except OSError as error:
            raise CommandError(f"{options['to']} can't be written: {error.strerror}.") from error
        self.stdout.write(f"{options['to']}: {len(packed)} bytes, not encrypted. Hand it over safely, then delete it.")

    def _packed(self, options: dict[str, Any]) -> bytes:
        members = Membership.objects.select_related("user").filter(state=Membership.State.ACTIVE, user__is_active=True)
        member = members.filter(clinic_id=current_clinic_id(), user__email__iexact=options["by"]).first()
        patient = Patient.objects.filter(mrn=options["mrn"]).first()
        if member is None or patient is None:
            raise CommandError("There is no such patient." if member else "Nobody in the clinic has this address.")
        actor = member.as_actor(member.user)
        _name, packed = export_patient(actor=actor, patient_id=patient.pk, reason=options["reason"], most_bytes=None)
        return packed


def _write(path: Path, packed: bytes) -> None:
    """For its owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(packed)
