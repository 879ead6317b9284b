"""Who was told what, by which channel, and whether it arrived: of one patient."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from core.audit.subjects import shown
from core.errors import NotFound
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from patients.pages.rows import age_of
from patients.policies import visible_patients
from patients.selectors.messages import messages_to, suppressed_addresses
from patients.services.messages import resume_messages


@require_GET
@page("message")
def messages(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """The newest first, page by page; `before` is the id of the last one that was seen. Three queries."""
    patient = visible_patients(request.actor).record(pk=patient_id)
    shown([patient.pk])
    context = {
        "patient": patient,
        "age": age_of(patient, timezone.localdate()),
        "page": messages_to(actor=request.actor, patient_id=patient.pk, before=_read_id(request.GET.get("before"))),
        "suppressed": suppressed_addresses(actor=request.actor, patient=patient),
        "zone": request.clinic.zone,
    }
    return render(request, "patients/messages.html", context)


@require_POST
@page("message", "change")
def resume(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """Write to an address again that was found unreachable."""
    suppression_id = _read_id(request.POST.get("suppression"))
    if suppression_id is None:
        raise NotFound(_("Nothing is suppressed there any more."))
    resume_messages(actor=request.actor, patient_id=patient_id, suppression_id=suppression_id)
    toast(request, _("The address is written to again"))
    return redirect("patients:messages", patient_id)


def _read_id(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
