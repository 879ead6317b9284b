"""Emergency access to a restricted record: opened with a reason, ended, and judged afterwards by somebody else."""

from datetime import timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.audit.break_glass import BreakGlass, Verdict, access_rules, verdict_rules
from core.audit.restricted import openings_of
from core.errors import Conflict, NotAllowed, NotFound, invalid
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from core.validators import Problems
from patients.models import Patient
from patients.notifications import tell_of_access
from patients.policies import visible_patients


def break_glass(*, actor: Actor, patient_id: UUID, category: str, reason: str) -> BreakGlass:
    """Open the record to the person for the clinic's time, and tell its administrators and compliance officers.

    Who has it open already gets that access, and nobody is told again: two at once are one. Raises NotFound, Conflict for a record
    that is open to the person without it, ValidationFailed naming every wrong field. Seven statements, one more for each of
    those who are told.
    """
    actor.require("break_glass", "create")
    if actor.user_id is None:
        raise NotAllowed(_("A restricted record is opened in somebody's name."))
    patient: Patient = visible_patients(actor).select_for_update(no_key=True).found(pk=patient_id)
    own = BreakGlass.objects.filter(user_id=actor.user_id, patient_id=patient.pk)
    if (running := own.running().first()) is not None:
        return running
    if not patient.is_restricted or patient.pk in openings_of(actor.user_id, (patient.pk,)):
        raise Conflict(_("This record is open to you already."))
    problems = Problems()
    rules = access_rules()
    category, reason = problems.check("category", rules["category"], category), problems.check("reason", rules["reason"], reason)
    problems.raise_if_any()
    own.filter(ended_at=None).update(ended_at=F("expires_at"))
    clinic, now = Clinic.objects.get(pk=current_clinic_id()), timezone.now()
    access = BreakGlass.objects.create(
        user_id=actor.user_id,
        patient_id=patient.pk,
        category=category,
        reason=reason,
        opened_at=now,
        expires_at=now + timedelta(minutes=clinic.break_glass_minutes),
    )
    tell_of_access(access, clinic=clinic, mrn=patient.mrn)
    return access


def end_access(*, actor: Actor, patient_id: UUID) -> BreakGlass:
    """End the person's own access to the record before its time. Raises NotFound when there is none. Two statements."""
    access: BreakGlass | None = None
    if actor.user_id is not None:
        running = BreakGlass.objects.running().filter(user_id=actor.user_id, patient_id=patient_id)
        access = running.select_for_update().first()
    if access is None:
        raise NotFound(_("You have no emergency access to this record."))
    access.ended_at = timezone.now()
    access.save(update_fields=["ended_at"])
    return access


def judge_access(*, actor: Actor, access_id: UUID, verdict: str, note: str = "") -> BreakGlass:
    """Say what is thought of an access that is over; once, and never of one's own. Two statements.

    Raises NotFound, NotAllowed for one's own, Conflict while it is open and when it was judged, ValidationFailed naming every
    wrong field: “not justified” needs a note.
    """
    actor.require("break_glass", "review")
    access = BreakGlass.objects.select_for_update().found(pk=access_id)
    problems = Problems()
    rules = verdict_rules()
    verdict, note = problems.check("verdict", rules["verdict"], verdict), problems.check("note", rules["note"], note)
    problems.raise_if_any()
    if verdict == Verdict.NOT_JUSTIFIED and not note.strip():
        raise invalid("note", "required", _("Say why it was not justified."))
    if actor.user_id is None or access.user_id == actor.user_id:
        raise NotAllowed(_("Somebody else judges what you opened."))
    if access.verdict:
        raise Conflict(_("This access was judged already."))
    if access.is_running:
        raise Conflict(_("This record is still open. Judge it when the access is over."))
    access.verdict, access.review_note, access.reviewed_by_id, access.reviewed_at = verdict, note, actor.user_id, timezone.now()
    access.save(update_fields=["verdict", "review_note", "reviewed_by", "reviewed_at"])
    return access
