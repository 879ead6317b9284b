"""Emergency access to a restricted record ("break glass", FHIR purpose of use BTG): why, how long, and what was thought of it."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.anonymity import anonymised
from core.audit.restricted import GLASS, Opening
from core.cache import Tag
from core.history.keeping import keeps_history
from core.tenancy.announcements import announces
from core.tenancy.models import ClinicModel
from core.tenancy.querysets import ClinicManager, ClinicQuerySet
from core.validators import Rules, clean_choice, clean_text, optional

ERASED = "–"  # in place of what was typed about somebody who was anonymised
SHORTEST_REASON, LONGEST_REASON = 10, 500  # characters


class Category(models.TextChoices):
    """Why a record was opened, as its patient reads it later."""

    EMERGENCY = "emergency", gettext_lazy("Emergency")
    COLLEAGUE_ABSENT = "colleague-absent", gettext_lazy("Treating colleague absent")
    PATIENT_ASKED = "patient-asked", gettext_lazy("The patient asked")
    SAFEGUARDING = "safeguarding", gettext_lazy("Safeguarding")
    OTHER = "other", gettext_lazy("Another reason")


class Verdict(models.TextChoices):
    JUSTIFIED = "justified", gettext_lazy("Justified")
    NOT_JUSTIFIED = "not-justified", gettext_lazy("Not justified")


def clean_access_reason(value: object) -> str:
    """The reason as typed, but more than a word."""
    text = clean_text(value, max_length=LONGEST_REASON, required=True, multiline=True)
    if len(text.strip()) < SHORTEST_REASON:
        raise ValidationError(_("At least %(limit)d characters."), code="min_length", params={"limit": SHORTEST_REASON})
    return text


def access_rules() -> Rules:
    return {"category": partial(clean_choice, choices=Category.values), "reason": clean_access_reason}


def verdict_rules() -> Rules:
    return {
        "verdict": partial(clean_choice, choices=Verdict.values),
        "note": partial(clean_text, max_length=LONGEST_REASON, multiline=True),
    }


class BreakGlassQuerySet(ClinicQuerySet["BreakGlass"]):
    def running(self) -> "BreakGlassQuerySet":
        """Neither ended nor expired."""
        return self.filter(ended_at=None, expires_at__gt=timezone.now())

    def without_verdict(self) -> "BreakGlassQuerySet":
        return self.filter(verdict="")


@anonymised(
    keep=["user", "patient_id", "category", "opened_at", "expires_at", "ended_at", "verdict", "reviewed_by", "reviewed_at"],
    becomes={"reason": ERASED, "review_note": ERASED},
)
@keeps_history()
@announces(break_glass=["user_id"])
class BreakGlass(ClinicModel):
    """One person's emergency access to one restricted record.

    The patient is an id without a reference, as everywhere in the log. Only the ending and the verdict are ever written to a row
    that is there, each once: the application has no right to the other columns, and a trigger refuses a second time.
    """

    subject_path = "patient_id"

    user = models.ForeignKey("core.User", models.PROTECT, related_name="+", db_index=False, verbose_name=gettext_lazy("person"))
    patient_id = models.UUIDField()
    category = models.CharField(gettext_lazy("category"), max_length=20, choices=Category)
    reason = models.TextField(gettext_lazy("reason"), max_length=LONGEST_REASON)
    opened_at = models.DateTimeField(gettext_lazy("opened"), default=timezone.now)
    expires_at = models.DateTimeField(gettext_lazy("open until"))
    ended_at = models.DateTimeField(gettext_lazy("ended"), null=True)
    verdict = models.CharField(gettext_lazy("verdict"), max_length=16, choices=Verdict, blank=True)
    reviewed_by = models.ForeignKey(
        "core.User", models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=gettext_lazy("reviewed by")
    )
    reviewed_at = models.DateTimeField(gettext_lazy("reviewed"), null=True)
    review_note = models.TextField(gettext_lazy("note"), blank=True, max_length=LONGEST_REASON)

    objects = ClinicManager.from_queryset(BreakGlassQuerySet)()  # type: ignore[assignment, misc]

    class Meta(ClinicModel.Meta):
        verbose_name = gettext_lazy("emergency access")
        verbose_name_plural = gettext_lazy("emergency accesses")
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "user", "patient_id"], condition=Q(ended_at=None), name="core_breakglass_open_once"
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("opened_at")), name="core_breakglass_expires"),
            models.CheckConstraint(
                condition=Q(verdict="", reviewed_at=None, reviewed_by=None)
                | ~Q(verdict="") & Q(reviewed_at__isnull=False, reviewed_by__isnull=False) & ~Q(reviewed_by=F("user")),
                name="core_breakglass_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(verdict=Verdict.NOT_JUSTIFIED) | ~Q(review_note=""), name="core_breakglass_says_why_not"
            ),
        ]
        indexes = [
            models.Index(fields=["clinic", "patient_id", "opened_at"], name="core_breakglass_of_patient"),
            models.Index(fields=["clinic", "opened_at", "id"], name="core_breakglass_queue", condition=Q(verdict="")),
            models.Index(fields=["clinic", "user", "expires_at"], name="core_breakglass_by_user"),
        ]

    def field_rules(self) -> Rules:
        rules = verdict_rules()
        return {**access_rules(), "verdict": partial(optional, rules["verdict"]), "review_note": rules["note"]}

    @property
    def is_running(self) -> bool:
        return self.ended_at is None and self.expires_at > timezone.now()

    @property
    def closed_at(self) -> datetime:
        """When it ended, or will."""
        return self.ended_at or self.expires_at


class Glass:
    """The emergency access as a way to a record (core.audit.restricted.Way)."""

    def openings(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Opening]:
        for one in BreakGlass.objects.running().filter(user_id=user_id):
            yield Opening(one.patient_id, one.opened_at, one.expires_at, one.pk, one.category)

    def tags(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Tag]:
        return [Tag("break_glass", user_id)]


def category_of(why: str) -> Category | None:
    """The category of the emergency access that a reason in the access log names; None for another reason."""
    start, _separator, rest = why.partition(" ")
    category = rest.partition(" ")[0]
    return Category(category) if start == GLASS and category in Category.values else None
