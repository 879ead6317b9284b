"""Which fields of a patient a clinic protects beyond those that always are."""

from collections.abc import Sequence

from core.accounts.actor import Actor
from core.jobs.services import enqueue
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from core.tenancy.protection import clean_marks
from core.validators import Problems


def protect_fields(*, actor: Actor, fields: Sequence[str]) -> Clinic:
    """Mark exactly these (names of `core.tenancy.protection.markable`). Raises ValidationFailed. Three statements.

    Counts for what is written once this transaction has committed. What stands there already is brought into line by a job.
    """
    actor.require("clinic", "change")
    problems = Problems()
    cleaned = problems.check("protected_fields", clean_marks, fields)
    problems.raise_if_any()
    clinic = Clinic.objects.select_for_update().get(pk=current_clinic_id())
    if clinic.protected_fields != cleaned:
        clinic.protected_fields = cleaned
        clinic.save(update_fields=["protected_fields", "updated_at"])
        enqueue("keys.follow_marks", clinic=clinic)
    return clinic
