"""What somebody was typing, kept on the server until they finish: nothing typed is lost."""

import json
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.keys.sealing import seal, unseal
from core.tenancy.ids import new_id

CONTEXT = "core_draft.payload"


class Draft(models.Model):
    """The unfinished content of one form of one person in one clinic, encrypted."""

    table_kind = "personal"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("core.User", models.CASCADE, related_name="+", db_index=False)
    clinic = models.ForeignKey("core.Clinic", models.CASCADE, related_name="+", db_index=False)
    form = models.CharField(max_length=100, help_text="Which form, and of which record: `patient-register`, `patient-edit:<id>`.")
    payload = models.BinaryField(default=b"")
    page = models.CharField(max_length=36, db_default="", help_text="On which page it was typed: what that page calls itself.")
    step = models.PositiveIntegerField(db_default=0, help_text="How often that page had sent it: what it sent before is older.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints = [models.UniqueConstraint(fields=["user", "clinic", "form"], name="core_draft_once")]
        indexes = [models.Index(fields=["updated_at"], name="core_draft_age")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def values(self) -> dict[str, list[str]]:
        """Field name -> the values typed, as a form sends them."""
        found: dict[str, Any] = json.loads(unseal(self.payload, context=CONTEXT))
        return found

    @staticmethod
    def sealed(values: dict[str, list[str]], clinic_id: UUID) -> bytes:
        return seal(json.dumps(values).encode(), clinic_id=clinic_id, context=CONTEXT)
