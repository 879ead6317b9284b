"""How patients are read."""

from typing import TYPE_CHECKING, Any, Self

from django.db.models import QuerySet

from core.tenancy.querysets import ClinicQuerySet
from patients.choices import CLOSED, DocumentStatus

if TYPE_CHECKING:
    from patients.models import Document, Patient  # noqa: F401  (named in a string)

LIST_FIELDS = (
    "id", "clinic_id", "mrn", "given_name", "middle_name", "family_name", "preferred_name", "date_of_birth",
    "sex", "phone", "phone_alt", "email", "status", "version", "created_at", "updated_at", "family_norm", "given_norm",
)  # fmt: skip


class PatientQuerySet(ClinicQuerySet["Patient"]):
    def current(self) -> Self:
        """Without the records that are nobody's any more: merged into another, or anonymised."""
        return self.exclude(status__in=CLOSED)

    def for_list(self) -> Self:
        """What a row of a list needs, and not the encrypted fields."""
        return self.only(*LIST_FIELDS)

    def as_rows(self, *also: str) -> "QuerySet[Patient, Any]":
        """The list's columns as plain named rows, at a tenth of an instance's cost: to choose from many."""
        return self.values_list(*LIST_FIELDS, *also, named=True)

    def for_detail(self) -> Self:
        return self.select_related("preferred_provider")


class DocumentQuerySet(ClinicQuerySet["Document"]):
    def current(self) -> Self:
        """Without those that were entered in error."""
        return self.filter(status=DocumentStatus.CURRENT)

    def newest_first(self) -> Self:
        """By the moment they were added, with the name of who added them: a page's rows."""
        return self.select_related("added_by").order_by("-id")
