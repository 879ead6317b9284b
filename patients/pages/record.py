"""One patient's record: read, changed, and a person's own."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from core.drafts.services import draft_of, drop_draft
from core.errors import Conflict, PreconditionFailed, ValidationFailed
from core.forms import from_draft, show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import HttpResponseSeeOther
from patients.choices import Channel, ConsentKind
from patients.forms import EditPatientForm, detail_to_field, initial_of
from patients.models import Consent, Patient
from patients.pages.rows import age_of
from patients.policies import visible_patients
from patients.selectors import latest_consents
from patients.services import update_patient


@require_GET
@page("patient", "view")
def detail(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    patient = visible_patients(request.actor).for_detail().found(pk=patient_id)
    return render(request, "patients/detail.html", _record(request, patient))


@require_GET
@page("patient", "view", patients_too=True)
def own(request: ClinicRequest) -> HttpResponse:
    """The start page of somebody who is only a patient: the records tied to the account."""
    patients = list(visible_patients(request.actor).current().for_detail()) if request.actor.is_patient_only else []
    return render(request, "patients/own.html", {"records": [_record(request, patient) for patient in patients]})


@require_http_methods(["GET", "POST"])
@page("patient", "change")
def edit(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    patient = visible_patients(request.actor).for_detail().found(pk=patient_id)
    consents = latest_consents(actor=request.actor, patient_id=patient.pk)
    draft_form = f"patient-edit:{patient.pk}"
    if request.method == "GET":
        draft = draft_of(actor=request.actor, form=draft_form)
        form = EditPatientForm()
        form.initial = initial_of(patient, consents) | (from_draft(form.fields.items(), draft) if draft else {})
        return _edit_page(request, patient, form, draft=draft)
    form = EditPatientForm(request.POST)
    form.is_valid()
    try:
        update_patient(
            actor=request.actor,
            patient_id=patient.pk,
            changes=form.typed() | {"consents": _changed_consents(form, consents)},
            expected_version=_version(form),
        )
    except ValidationFailed as error:
        show_problems(form, error, rename=detail_to_field)
        return _edit_page(request, patient, form, status=422)
    except PreconditionFailed as error:
        again = _at_new_version(request, patient)
        return _edit_page(request, patient, again, status=412, changed=_changed(form, patient, error))
    except Conflict as error:
        form.add_error(None, str(error.message))
        return _edit_page(request, patient, form, status=409)
    drop_draft(actor=request.actor, form=draft_form)
    toast(request, _("Saved"))
    return HttpResponseSeeOther(reverse("patients:detail", args=[patient.pk]))


def _edit_page(request: ClinicRequest, patient: Patient, form: EditPatientForm, status: int = 200, **context: Any) -> HttpResponse:
    context |= {"patient": patient, "form": form, "draft_form": f"patient-edit:{patient.pk}"}
    return render(request, "patients/edit.html", context | _banner(patient), status=status)


def _version(form: EditPatientForm) -> int | None:
    """The version that was read. Something else than a number matches none."""
    typed = str(form.cleaned_data.get("version", ""))
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def _changed_consents(form: EditPatientForm, known: dict[str, Consent]) -> dict[str, bool]:
    """What was ticked or unticked now; a consent never asked for and not ticked is no refusal."""
    return {kind: ticked for kind, ticked in form.ticked().items() if ticked != (kind in known and known[kind].given)}


def _at_new_version(request: ClinicRequest, patient: Patient) -> EditPatientForm:
    """What was typed, ready to be saved over the record as it is now."""
    data = request.POST.copy()
    data["version"] = str(patient.version)
    return EditPatientForm(data)


def _changed(form: EditPatientForm, patient: Patient, error: PreconditionFailed) -> list[dict[str, Any]]:
    """Where the record now differs from what was typed: label, what stands there, what was typed."""
    now = initial_of(patient, {})
    differing = []
    for name, typed in form.typed().items():
        stands = now.get(name)
        if name in now and _told(stands) != _told(typed):
            differing.append({"label": form[name].label, "now": _told(stands), "typed": _told(typed)})
    return differing or [{"label": str(error.message), "now": "", "typed": ""}]


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def _banner(patient: Patient) -> dict[str, Any]:
    return {"age": age_of(patient, timezone.localdate())}


def _record(request: ClinicRequest, patient: Patient) -> dict[str, Any]:
    """Everything the record's page shows, looked up before it is rendered."""
    known = latest_consents(actor=request.actor, patient_id=patient.pk)
    consents = [{"label": kind.label, "consent": known.get(kind.value)} for kind in ConsentKind]
    reminders = ", ".join(str(Channel(channel).label) for channel in patient.reminder_channels)
    return {"patient": patient, "consents": consents, "reminders": reminders} | _banner(patient)
