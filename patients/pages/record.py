"""One patient's record: read, changed, and a person's own."""

from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from core.audit.subjects import shown
from core.drafts.services import draft_of, drop_draft
from core.editing import Edit, ReadingForm, given
from core.errors import Conflict, PreconditionFailed, ValidationFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import HttpResponseSeeOther
from patients.choices import Channel, ConsentKind
from patients.forms import CONSENT, EditPatientForm, detail_to_field, initial_of
from patients.models import Patient
from patients.pages.documents import documents_panel
from patients.pages.rows import age_of
from patients.policies import refuse_anonymised, visible_patients
from patients.selectors import latest_consents
from patients.services import update_patient


@require_GET
@page("patient", "view")
def detail(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    patient = visible_patients(request.actor).for_detail().record(pk=patient_id)
    return render(request, "patients/detail.html", _record(request, patient) | documents_panel(request.actor, patient))


@require_GET
@page("patient", "view", patients_too=True)
def own(request: ClinicRequest) -> HttpResponse:
    """The start page of somebody who is only a patient: the records tied to the account."""
    patients = list(visible_patients(request.actor).current().for_detail()) if request.actor.is_patient_only else []
    return render(request, "patients/own.html", {"records": [_record(request, patient) for patient in patients]})


@require_http_methods(["GET", "POST"])
@page("patient", "change")
def edit(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    patient, now = _as_it_is(request, patient_id)
    if request.method == "GET":
        return _begin(request, patient, now)
    editing = _edit_of(request.POST, patient, now)
    if not editing.is_settled:
        return _edit_page(request, patient, editing.form, status=412 if editing.is_stale else 422, edit=editing)
    form = cast(EditPatientForm, editing.form)
    form.is_valid()
    changes = {name: value for name, value in form.typed().items() if name in editing.changes}
    consents = {kind: ticked for kind, ticked in form.ticked().items() if CONSENT + kind in editing.changes}
    try:
        update_patient(
            actor=request.actor, patient_id=patient.pk, changes=changes | {"consents": consents}, expected_version=patient.version
        )
    except ValidationFailed as error:
        show_problems(form, error, rename=detail_to_field)
        return _edit_page(request, patient, form, status=422)
    except PreconditionFailed:  # within these milliseconds
        patient, now = _as_it_is(request, patient_id)
        editing = _edit_of(request.POST, patient, now)
        return _edit_page(request, patient, editing.form, status=412, edit=editing)
    except Conflict as error:
        form.add_error(None, str(error.message))
        return _edit_page(request, patient, form, status=409)
    drop_draft(actor=request.actor, form=_draft_form(patient))
    toast(request, _("Saved"))
    return HttpResponseSeeOther(reverse("patients:detail", args=[patient.pk]))


def _as_it_is(request: ClinicRequest, patient_id: UUID) -> tuple[Patient, dict[str, Any]]:
    """The record, and what its form would show of it now. Two queries. Raises Conflict for an anonymised one."""
    patient: Patient = visible_patients(request.actor).for_detail().record(pk=patient_id)
    refuse_anonymised(patient)
    return patient, initial_of(patient, latest_consents(actor=request.actor, patient_id=patient.pk))


def _begin(request: ClinicRequest, patient: Patient, now: dict[str, Any]) -> HttpResponse:
    """The form; with what was typed into it before, and what others changed since then."""
    draft = draft_of(actor=request.actor, form=_draft_form(patient))
    if draft is None:
        return _edit_page(request, patient, given(EditPatientForm, about=_about(patient), version=patient.version, now=now))
    kept = MultiValueDict({"status": [patient.status], **draft.values})  # a draft that says nothing of it leaves it as it is
    editing = _edit_of(kept, patient, now)
    return _edit_page(request, patient, editing.form, draft=draft, edit=None if editing.is_settled else editing)


def _edit_of(data: MultiValueDict[str, str], patient: Patient, now: dict[str, Any]) -> Edit:
    return Edit(EditPatientForm, data, about=_about(patient), version=patient.version, now=now)


def _edit_page(request: ClinicRequest, patient: Patient, form: ReadingForm, status: int = 200, **context: Any) -> HttpResponse:
    context |= {"patient": patient, "form": form, "draft_form": _draft_form(patient)}
    return render(request, "patients/edit.html", context | _banner(patient), status=status)


def _about(patient: Patient) -> str:
    return f"patient {patient.pk}"


def _draft_form(patient: Patient) -> str:
    return f"patient-edit:{patient.pk}"


def _banner(patient: Patient) -> dict[str, Any]:
    shown([patient.pk])
    return {"age": age_of(patient, timezone.localdate())}


def _record(request: ClinicRequest, patient: Patient) -> dict[str, Any]:
    """Everything the record's page shows, looked up before it is rendered."""
    known = latest_consents(actor=request.actor, patient_id=patient.pk)
    consents = [{"label": kind.label, "consent": known.get(kind.value)} for kind in ConsentKind]
    reminders = ", ".join(str(Channel(channel).label) for channel in patient.reminder_channels)
    known_as = {"anonymisation": patient.anonymisations.first()} if patient.is_anonymised else {}
    return {"patient": patient, "consents": consents, "reminders": reminders} | known_as | _banner(patient)
