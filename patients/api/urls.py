"""The API routes of patients."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from patients.api import accesses, break_glass, documents, views

DOCUMENTS = documents.DocumentsView
router = SimpleRouter(trailing_slash=False)
router.register("patients", views.PatientsView, "patient")
router.register("break-glass", break_glass.BreakGlassView, "break-glass")
OWN_ACCESS = break_glass.PatientBreakGlassView.as_view({"post": "create", "delete": "destroy"})
urlpatterns = [
    *router.urls,
    path("patients/<id>/consents", views.ConsentsView.as_view({"get": "list", "post": "create"}), name="patient-consents"),
    path("patients/<id>/access-log", accesses.AccessLogView.as_view({"get": "list"}), name="patient-access-log"),
    path("patients/<id>/break-glass", OWN_ACCESS, name="patient-break-glass"),
    path("patients/<id>/documents", DOCUMENTS.as_view({"get": "list", "post": "create"}), name="patient-documents"),
    path("patients/<id>/documents/<document_id>", DOCUMENTS.as_view({"get": "retrieve"}), name="patient-document"),
    path("patients/<id>/documents/<document_id>/content", DOCUMENTS.as_view({"get": "content"}), name="patient-document-content"),
    path(
        "patients/<id>/documents/<document_id>/entered-in-error",
        DOCUMENTS.as_view({"post": "entered_in_error"}),
        name="patient-document-error",
    ),
]
