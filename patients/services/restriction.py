"""Restricting a record, and opening it to everybody again. Both with a reason, which the record's history keeps."""

from uuid import UUID

from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.errors import Conflict
from core.events.announcing import announce
from core.validators import Problems
from patients import events
from patients.models import Patient
from patients.policies import visible_patients
from patients.validators import clean_restriction_reason


def restrict_record(*, actor: Actor, patient_id: UUID, restricted: bool, reason: str) -> Patient:
    """Restrict the record, or lift the restriction. Also for a record that isn't open to the person. Three statements.

    Raises NotFound, ValidationFailed without a reason, Conflict when it is so already.
    """
    actor.require("patient", "restrict")
    patient: Patient = visible_patients(actor).select_for_update().found(pk=patient_id)
    problems = Problems()
    reason = problems.check("reason", clean_restriction_reason, reason)
    problems.raise_if_any()
    if patient.is_restricted == restricted:
        raise Conflict(_("This record is restricted already.") if restricted else _("This record is not restricted."))
    patient.is_restricted, patient.restriction_reason = restricted, reason
    patient.save(update_fields=["is_restricted", "restriction_reason"])
    announce(events.CHANGED, patient.pk, patient=patient.pk)
    return patient
