"""The API routes of patients."""

from rest_framework.routers import SimpleRouter

from patients.api import views

router = SimpleRouter(trailing_slash=False)
router.register("patients", views.PatientsView, "patient")
router.register(r"patients/(?P<patient_id>[^/.]+)/consents", views.ConsentsView, "patient-consent")
urlpatterns = router.urls
