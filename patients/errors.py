"""What can go wrong with a patient's record alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from core.errors import Conflict, Detail, NotAllowed


@dataclass(eq=False)
class DuplicatePatient(Conflict):
    """Somebody who is very likely the same person is registered already. `duplicates` holds the selector's rows."""

    duplicates: Sequence[Any] = ()


@dataclass(eq=False)
class RecordRestricted(NotAllowed):
    """The record is restricted and not open to this person. It says nothing of the patient but the id, which they had."""

    patient_id: UUID | None = None

    @classmethod
    def of(cls, patient_id: UUID) -> "RecordRestricted":
        message = _("This record is restricted.")
        return cls(message, [Detail("", "record_restricted", message)], patient_id=patient_id)
