"""The files of a patient's record: seen, added, fetched, and taken out when they were added in error."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from core.accounts.actor import Actor
from core.audit.subjects import Reading, shown
from core.errors import Conflict, PayloadTooLarge, PreconditionFailed, ValidationFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import go
from core.security.limiting.classes import RouteClass, route_class
from core.uploads.limits import takes_uploads
from core.uploads.serving import attachment
from patients.forms import DocumentErrorForm, DocumentForm, read_version
from patients.models import Document, Patient
from patients.pages.rows import age_of
from patients.policies import visible_documents, visible_patients
from patients.selectors import document_with_content, documents_of
from patients.services import add_document, enter_document_in_error

ON_THE_RECORD = 5  # rows of the panel; the rest is one step away
ON_A_PAGE = 50


def documents_panel(actor: Actor, patient: Patient) -> dict[str, Any]:
    """What the record's panel shows. One query; none for whoever may not see documents."""
    if not actor.can("document", "view"):
        return {}
    return {"documents": documents_of(actor=actor, patient_id=patient.pk, limit=ON_THE_RECORD)}


@require_GET
@page("document", "view")
def all_documents(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """All of them, page by page, those in error too."""
    patient = _patient(request, patient_id)
    number = _page_number(request.GET.get("page", ""))
    rows = documents_of(
        actor=request.actor, patient_id=patient.pk, limit=ON_A_PAGE + 1, skip=(number - 1) * ON_A_PAGE, current=False
    )
    context = {"documents": rows[:ON_A_PAGE], "newer": number - 1, "older": number + 1 if len(rows) > ON_A_PAGE else 0}
    return render(request, "patients/documents.html", context | _banner(patient))


@route_class(RouteClass.UPLOAD)
@require_http_methods(["GET", "POST"])
@page("document", "create")
@takes_uploads
def add(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    patient = _patient(request, patient_id)
    if request.method == "GET":
        return _add_page(request, patient, DocumentForm())
    form = DocumentForm(request.POST, request.FILES)
    form.is_valid()
    data = dict(form.cleaned_data)
    file = data.pop("file")
    try:
        document = add_document(
            actor=request.actor,
            patient_id=patient.pk,
            data=data,
            content=file.read() if file else None,
            file_name=file.name if file else "",
        )
    except (ValidationFailed, PayloadTooLarge) as error:
        show_problems(form, error)
        return _add_page(request, patient, form, status=422)
    except Conflict as error:
        form.add_error(None, str(error.message))
        return _add_page(request, patient, form, status=409)
    toast(request, _("“%(title)s” was added") % {"title": document.title})
    return go(request, reverse("patients:detail", args=[patient.pk]))


@require_GET
@page("document", "view")
def content(request: ClinicRequest, patient_id: UUID, document_id: UUID) -> HttpResponse:
    """The file, to be saved."""
    patient = _patient(request, patient_id)
    document, kept = document_with_content(actor=request.actor, patient_id=patient.pk, document_id=document_id)
    shown([patient.pk], Reading.EXPORT)
    return attachment(kept, content_type=document.content_type, name=document.file_name)


@require_http_methods(["GET", "POST"])
@page("document", "enter_in_error")
def enter_in_error(request: ClinicRequest, patient_id: UUID, document_id: UUID) -> HttpResponse:
    """Ask why, then take it out of the record."""
    patient = _patient(request, patient_id)
    document: Document = visible_documents(request.actor).select_related("added_by").found(pk=document_id, patient_id=patient.pk)
    form = DocumentErrorForm(request.POST if request.method == "POST" else None, initial={"version": document.version})
    status = 200
    if request.method == "POST":
        form.is_valid()
        try:
            enter_document_in_error(
                actor=request.actor, patient_id=patient.pk, document_id=document_id,
                reason=form.cleaned_data.get("reason", ""), expected_version=read_version(form),
            )  # fmt: skip
        except ValidationFailed as error:
            show_problems(form, error)
            status = 422
        except (PreconditionFailed, Conflict) as error:
            form.add_error(None, str(error.message))
            status = error.status
        else:
            toast(request, _("“%(title)s” is marked as entered in error") % {"title": document.title})
            return go(request, reverse("patients:detail", args=[patient.pk]))
    return render(request, "patients/document_error.html", {"document": document, "form": form} | _banner(patient), status=status)


def _add_page(request: ClinicRequest, patient: Patient, form: DocumentForm, status: int = 200) -> HttpResponse:
    return render(
        request,
        "patients/document_add.html",
        {"form": form, "most_bytes": settings.HMS_UPLOAD_BYTES} | _banner(patient),
        status=status,
    )


def _patient(request: ClinicRequest, patient_id: UUID) -> Patient:
    patient: Patient = visible_patients(request.actor).record(pk=patient_id)
    return patient


def _banner(patient: Patient) -> dict[str, Any]:
    shown([patient.pk])
    return {"patient": patient, "age": age_of(patient, timezone.localdate())}


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 4 and int(text) else 1
