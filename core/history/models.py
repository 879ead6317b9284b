"""The kept changes, and the seals over them."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.history.functions import DIGEST
from core.history.sealed import sealed
from core.tenancy.models import Clinic, ClinicModel

# What was said of the row is what it says now; or it was erased, and a later row tells of that.
TOLD = """
EXISTS (SELECT FROM public.core_change e WHERE {same_clinic} AND e.row_id = r.row_id AND e.id > r.id
    AND e.table_name = r.table_name AND e.operation = 'erase')
"""
INTACT = f"""
CASE WHEN r.salt IS NOT NULL THEN r.digest = {DIGEST.format(row="r")}
ELSE r.old_values IS NULL AND r.new_values IS NULL AND (
    {TOLD.format(same_clinic="e.clinic_id = r.clinic_id")}
    OR r.clinic_id IS NULL AND {TOLD.format(same_clinic="e.clinic_id IS NULL")})
END
"""
# What was said of a row whose values were sealed since: its digest then and now, and what the entries that tell of it say.
RESTATED = f"""
SELECT r.id, r.digest, {DIGEST.format(row="r")}, ARRAY(
    SELECT e.new_values ->> r.id::text FROM public.core_change e
    WHERE e.clinic_id = r.clinic_id AND e.row_id = r.row_id AND e.id > r.id AND e.table_name = r.table_name
        AND e.operation = 'protect' AND e.new_values ? r.id::text)
FROM public.core_change r WHERE r.id = ANY (%(ids)s) AND r.salt IS NOT NULL
"""  # noqa: S608


class Operation(models.TextChoices):
    INSERT = "insert", _("Added")
    UPDATE = "update", _("Changed")
    DELETE = "delete", _("Deleted")
    ERASE = "erase", _("History erased")
    PROTECT = "protect", _("Older values encrypted")


@sealed(
    "id", "clinic_id", "at", "xid", "table_name", "row_id", "operation", "actor_id", "by_role", "request_id", "reason", "digest",
    intact=INTACT, restated=RESTATED,
)  # fmt: skip
class Change(ClinicModel):
    """One change of one row of any table, written by the database itself. `clinic` is empty for rows of no clinic (users).

    Of an update the changed columns, of an insert or a deletion the row; encrypted columns as their ciphertext.
    """

    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]
    clinic = models.ForeignKey(  # type: ignore[assignment]
        Clinic, models.PROTECT, null=True, related_name="+", editable=False, db_index=False, db_constraint=False,
        verbose_name=_("clinic"),
    )  # fmt: skip
    at = models.DateTimeField(_("at"))
    xid = models.BigIntegerField(_("transaction"))
    table_name = models.CharField(_("table"), max_length=63)
    row_id = models.UUIDField(_("row"))
    operation = models.CharField(_("what"), max_length=8, choices=Operation)
    actor_id = models.UUIDField(_("by"), null=True)
    by_role = models.CharField(_("database role"), max_length=63)
    request_id = models.CharField(_("request"), max_length=64)
    reason = models.CharField(_("reason"), max_length=300)
    old_values = models.JSONField(_("before"), null=True)
    new_values = models.JSONField(_("after"), null=True)
    salt = models.UUIDField(null=True)
    digest = models.BinaryField()

    class Meta(ClinicModel.Meta):
        verbose_name = _("kept change")
        verbose_name_plural = _("kept changes")
        indexes: ClassVar = [models.Index(fields=["clinic", "row_id", "id"], name="core_change_of_row")]

    def __str__(self) -> str:
        return f"{self.table_name} {str(self.row_id)[-12:]} {self.operation}"


class Seal(ClinicModel):
    """One block of a chain: which rows of a clinic's table were there, and a digest of each."""

    clinic = models.ForeignKey(  # type: ignore[assignment]
        Clinic, models.PROTECT, null=True, related_name="+", editable=False, db_index=False, db_constraint=False,
        verbose_name=_("clinic"),
    )  # fmt: skip
    table_name = models.CharField(_("table"), max_length=63)
    number = models.PositiveBigIntegerField(_("block"))
    sealed_at = models.DateTimeField(_("sealed"))
    row_ids = ArrayField(models.BigIntegerField(), verbose_name=_("rows"))
    row_digests = models.BinaryField(help_text=_("32 bytes for each row, in the order of row_ids."))
    month = models.DateField(_("month"), null=True, help_text=_("Of all its rows, which may be dropped with it. Empty: never."))
    previous = models.BinaryField(help_text=_("The hash of the block before."))
    hash = models.BinaryField()
    key_number = models.PositiveSmallIntegerField(_("key"))
    mac = models.BinaryField(help_text=_("Of the hash, under that key."))

    class Meta(ClinicModel.Meta):
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["clinic", "table_name", "number"], name="core_seal_block_once", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.table_name} {self.number}"
