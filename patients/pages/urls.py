"""The pages of patients."""

from django.urls import path

from patients.pages import finding, record, registering

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
    path("my-record/", record.own, name="own"),
]
