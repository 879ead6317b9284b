"""The API routes of patients."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from patients.api import views

router = SimpleRouter(trailing_slash=False)
router.register("patients", views.PatientsView, "patient")
urlpatterns = [
    *router.urls,
    path("patients/<id>/consents", views.ConsentsView.as_view({"get": "list", "post": "create"}), name="patient-consents"),
]
