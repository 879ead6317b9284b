"""The first answer to an unsafe request, kept for a day, so that a repeat gets the same one."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy.ids import new_id


class IdempotencyRecord(models.Model):
    """One key of one person. Written in the transaction of the change itself; the answer is encrypted."""

    table_kind = "personal"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("core.User", models.CASCADE, related_name="+", db_index=False)
    clinic_id = models.UUIDField(null=True)
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64, help_text="Digest of method, path and body.")
    status = models.PositiveSmallIntegerField(default=0)
    answer = models.BinaryField(default=b"")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="core_idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="core_idempotency_age")]

    def __str__(self) -> str:
        return str(self.pk)
