"""How patients are read."""

from typing import TYPE_CHECKING, Any, Self, cast

from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, CharField, Field, TextField

from core.audit.restricted import access_of_reader
from core.tenancy.querysets import ClinicQuerySet
from patients.choices import CLOSED, DocumentStatus
from patients.errors import RecordRestricted

if TYPE_CHECKING:
    from patients.models import Document, Patient  # noqa: F401  (named in a string)

LIST_FIELDS = (
    "id", "clinic_id", "mrn", "given_name", "middle_name", "family_name", "preferred_name", "date_of_birth",
    "sex", "phone", "phone_alt", "email", "status", "version", "created_at", "updated_at", "family_norm", "given_norm",
    "is_restricted",
)  # fmt: skip
# What of a restricted record everybody sees who may see that there is such a patient: enough to book and to check in.
ALWAYS_SHOWN = frozenset(
    {
        "id", "clinic_id", "mrn", "given_name", "middle_name", "family_name", "preferred_name", "family_norm", "given_norm",
        "status", "is_restricted", "version", "created_at", "updated_at",
    }
)  # fmt: skip


def shown_instead(field: "Field[Any, Any]") -> Any:
    """What stands in a field of a restricted record that is not open to the reader."""
    if isinstance(field, ArrayField):
        return []
    return "" if isinstance(field, (CharField, TextField)) else False if isinstance(field, BooleanField) else None


class PatientQuerySet(ClinicQuerySet["Patient"]):
    def current(self) -> Self:
        """Without the records that are nobody's any more: merged into another, or anonymised."""
        return self.exclude(status__in=CLOSED)

    def record(self, **lookup: Any) -> "Patient":
        """The patient whose record is opened. Raises NotFound, and RecordRestricted when it isn't open to the reader. One query."""
        patient: Patient = self.found(**lookup)
        if patient.is_withheld:
            raise RecordRestricted.of(patient.pk)
        return patient

    def open_to_reader(self) -> Self:
        """Without the restricted records that are not open to the reader: where what is withheld is asked for."""
        return self.exclude(pk__in=closed) if (closed := access_of_reader().closed) else self

    def for_list(self) -> Self:
        """What a row of a list needs, and not the encrypted fields."""
        return self.only(*LIST_FIELDS)

    def as_rows(self, *also: str) -> list[Any]:
        """The list's columns as plain named rows, at a tenth of an instance's cost: to choose from many. One query.

        What is withheld is blank in them, so that nobody is found by it.
        """
        closed = access_of_reader().closed
        names = {name for name in (*LIST_FIELDS, *also) if name not in ALWAYS_SHOWN}
        blank = {name: shown_instead(cast("Field[Any, Any]", self.model._meta.get_field(name))) for name in names} if closed else {}
        rows = self.values_list(*LIST_FIELDS, *also, named=True)
        return [row._replace(**blank) if row.id in closed else row for row in rows]

    def for_detail(self) -> Self:
        return self.select_related("preferred_provider")


class DocumentQuerySet(ClinicQuerySet["Document"]):
    def current(self) -> Self:
        """Without those that were entered in error."""
        return self.filter(status=DocumentStatus.CURRENT)

    def newest_first(self) -> Self:
        """By the moment they were added, with the name of who added them: a page's rows."""
        return self.select_related("added_by").order_by("-id")
