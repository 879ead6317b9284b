"""Files about a patient for machines: list, read, add, fetch, enter in error."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.actor import Actor
from core.api.filters import choice_filter, one_or_more, query
from core.api.parsers import StrictJSONParser
from core.api.uploads import UploadParser
from core.api.views import ClinicViewSet
from core.audit.subjects import Reading, shown
from core.cache import TTL
from core.errors import NotFound
from core.security.limiting.classes import RouteClass
from core.uploads.serving import attachment
from patients import services
from patients.api import serializers as shapes
from patients.choices import DocumentCategory, DocumentStatus
from patients.models import Document, Patient, PatientAccount
from patients.policies import visible_documents, visible_patients
from patients.selectors import document_with_content

FILE = OpenApiResponse(OpenApiTypes.BINARY, "The file, to be saved: `Content-Disposition` names it.")


class DocumentsView(ClinicViewSet):
    resource = "document"
    model = Document
    also_reads = (Patient, PatientAccount)
    kept = TTL.PATIENT
    output = shapes.DocumentOutput
    orderings = {"created": ()}
    default_ordering = "-created"
    filters = (
        query("category", one_or_more(DocumentCategory.values), "One or more, separated by commas."),
        query("status", one_or_more(DocumentStatus.values), "One or more, separated by commas. Without it: current."),
    )
    file_actions = frozenset({"content"})
    matrix_actions = {"content": "view", "entered_in_error": "enter_in_error"}
    lookup_field = "document_id"
    takes_uploads = True
    route_classes = {"create": RouteClass.UPLOAD}

    def get_parsers(self) -> list[BaseParser]:
        action = getattr(self, "action", None) or self.action_map.get(str(self.request.method).lower())
        return [UploadParser() if action == "create" else StrictJSONParser()]

    def queryset_for(self, actor: Actor) -> QuerySet[Document]:
        patient = self._patient(actor)
        shown([patient.pk])  # that there are none is said of somebody, too
        return visible_documents(actor).filter(patient_id=patient.pk)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        queryset = choice_filter(queryset, self.request, "category", DocumentCategory.values)
        if "status" in self.request.query_params:
            return choice_filter(queryset, self.request, "status", DocumentStatus.values)
        return queryset.filter(status=DocumentStatus.CURRENT)

    @extend_schema(request={"multipart/form-data": shapes.DocumentInput}, responses={201: shapes.DocumentOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add a file: multipart/form-data with `file`. What is active, hidden or packed is refused, with the reason."""
        patient = self._patient(self.actor)
        given = self.body(shapes.DocumentInput)
        file = given.pop("file")
        document = services.add_document(
            actor=self.actor, patient_id=patient.pk, data=given, content=file.read(), file_name=file.name
        )
        return self.one(document, status=201)

    @extend_schema(responses={(200, "application/octet-stream"): FILE})
    def content(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The file itself, as an attachment."""
        document, content = document_with_content(actor=self.actor, patient_id=self._patient(self.actor).pk, document_id=self.key())
        shown([document.patient_id], Reading.EXPORT)
        return attachment(content, content_type=document.content_type, name=document.file_name)

    @extend_schema(request=shapes.EnteredInErrorInput, responses=shapes.DocumentOutput)
    def entered_in_error(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take a document out of the record, and say why. It stays, and is listed with `status=entered-in-error`."""
        patient, key = self._patient(self.actor), self.key()
        given = self.body(shapes.EnteredInErrorInput)
        return self.one(
            services.enter_document_in_error(
                actor=self.actor, patient_id=patient.pk, document_id=key, expected_version=self.expected_version(), **given
            )
        )

    def _patient(self, actor: Actor) -> Patient:
        try:
            key = UUID(str(self.kwargs["id"]))
        except ValueError as error:
            raise NotFound("There is no such record.") from error
        patient: Patient = visible_patients(actor).only("id", "clinic_id").record(pk=key)
        return patient
