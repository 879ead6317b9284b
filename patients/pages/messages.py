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
from core.pages.reading import read_id
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import is_fragment
from patients.pages.rows import age_of
from patients.policies import visible_patients
from patients.selectors.messages import messages_mark, messages_to, suppressed_addresses
from patients.services.messages import resume_messages


@require_GET
@page("message")
def messages(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """The newest first, page by page; `before` is the id of the last one that was seen. Three queries.

    A script that asks again sends the mark of what it has as `seen`: 204 and no query while nothing has changed, so that the access
    log tells of looks and not of an open page.
    """
    before, mark = read_id(request.GET.get("before")), messages_mark(actor=request.actor, patient_id=patient_id)
    if is_fragment(request) and request.GET.get("seen") == mark:
        return HttpResponse(status=204)
    patient = visible_patients(request.actor).record(pk=patient_id)
    shown([patient.pk])
    context = {
        "patient": patient,
        "age": age_of(patient, timezone.localdate()),
        "page": messages_to(actor=request.actor, patient_id=patient.pk, before=before),
        "suppressed": suppressed_addresses(actor=request.actor, patient=patient),
        "zone": request.clinic.zone,
        "before": before,
        "mark": mark,
    }
    return render(request, "patients/_messages.html" if is_fragment(request) else "patients/messages.html", context)


@require_POST
@page("message", "change")
def resume(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """Write to an address again that was found unreachable."""
    suppression_id = read_id(request.POST.get("suppression"))
    if suppression_id is None:
        raise NotFound(_("Nothing is suppressed there any more."))
    resume_messages(actor=request.actor, patient_id=patient_id, suppression_id=suppression_id)
    toast(request, _("The address is written to again"))
    return redirect("patients:messages", patient_id)
