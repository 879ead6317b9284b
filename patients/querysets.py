"""How patients are read."""

from typing import TYPE_CHECKING, Self

from core.tenancy.querysets import ClinicQuerySet
from patients.choices import PatientStatus

if TYPE_CHECKING:
    from patients.models import Patient  # noqa: F401

LIST_FIELDS = (
    "id", "clinic_id", "mrn", "given_name", "middle_name", "family_name", "preferred_name", "date_of_birth",
    "sex", "phone", "phone_alt", "email", "status", "version", "created_at", "updated_at", "family_norm", "given_norm",
)  # fmt: skip


class PatientQuerySet(ClinicQuerySet["Patient"]):
    def current(self) -> Self:
        """Without the records that were merged into another."""
        return self.exclude(status=PatientStatus.MERGED)

    def for_list(self) -> Self:
        """What a row of a list needs, and not the encrypted fields."""
        return self.only(*LIST_FIELDS)

    def for_comparison(self) -> Self:
        """A list's row, and the national id, to tell whether two records are one person's."""
        return self.only(*LIST_FIELDS, "national_id")

    def for_detail(self) -> Self:
        return self.select_related("preferred_provider")
