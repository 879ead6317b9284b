"""Sending to an address again that was found unreachable. Who has answered STOP is written to again only after START."""

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.errors import Conflict, NotFound
from core.messaging.models import Suppression, SuppressionReason
from patients.models import Patient
from patients.policies import open_patients
from patients.selectors.messages import suppressed_addresses


def resume_messages(*, actor: Actor, patient_id: UUID, suppression_id: UUID) -> Suppression:
    """The address can be reached again, says somebody who knows. Raises NotFound, RecordRestricted, and Conflict after STOP.

    Three queries.
    """
    actor.require("message", "change")
    patient: Patient = open_patients(actor).record(pk=patient_id)
    found = {one.pk: one for one in suppressed_addresses(actor=actor, patient=patient)}
    if suppression_id not in found:
        raise NotFound(_("Nothing is suppressed there any more."))
    row = found[suppression_id]
    if row.reason == SuppressionReason.STOP:
        raise Conflict(_("The person has answered STOP. Only their own START takes it back."))
    row.lifted_at = timezone.now()
    row.save(update_fields=["lifted_at"])
    return row
