"""The pages of patients."""

from django.urls import path

from patients.pages import (
    accesses,
    anonymising,
    changes,
    documents,
    emergency_accesses,
    export,
    finding,
    messages,
    record,
    registering,
    restriction,
)

app_name = "patients"
urlpatterns = [
    path("patients/", finding.list_patients, name="list"),
    path("patients/search/", finding.search, name="search"),
    path("patients/suggest/", finding.suggest, name="suggest"),
    path("patients/register/", registering.register, name="register"),
    path("patients/register/begin/", registering.begin, name="begin"),
    path("patients/register/duplicates/", registering.duplicates, name="duplicates"),
    path("patients/<uuid:patient_id>/", record.detail, name="detail"),
    path("patients/<uuid:patient_id>/edit/", record.edit, name="edit"),
    path("patients/<uuid:patient_id>/changes/", changes.changes, name="changes"),
    path("patients/<uuid:patient_id>/accesses/", accesses.accesses, name="accesses"),
    path("patients/<uuid:patient_id>/messages/", messages.messages, name="messages"),
    path("patients/<uuid:patient_id>/messages/resume/", messages.resume, name="messages-resume"),
    path("patients/<uuid:patient_id>/documents/", documents.all_documents, name="documents"),
    path("patients/<uuid:patient_id>/documents/add/", documents.add, name="document-add"),
    path("patients/<uuid:patient_id>/documents/<uuid:document_id>/content/", documents.content, name="document-content"),
    path("patients/<uuid:patient_id>/documents/<uuid:document_id>/error/", documents.enter_in_error, name="document-error"),
    path("patients/<uuid:patient_id>/export/", export.take_copy, name="export"),
    path("patients/<uuid:patient_id>/anonymise/", anonymising.anonymise, name="anonymise"),
    path("patients/<uuid:patient_id>/restriction/", restriction.restriction, name="restriction"),
    path("patients/<uuid:patient_id>/break-glass/", restriction.open_in_emergency, name="break-glass"),
    path("patients/<uuid:patient_id>/break-glass/end/", restriction.end_now, name="break-glass-end"),
    path("oversight/emergency-access/", emergency_accesses.queue, name="emergency-accesses"),
    path("oversight/emergency-access/<uuid:access_id>/", emergency_accesses.one, name="emergency-access"),
    path("oversight/emergency-access/<uuid:access_id>/verdict/", emergency_accesses.judge, name="judge-access"),
    path("my-record/", record.own, name="own"),
]
