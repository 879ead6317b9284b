"""The API routes of clinics."""

from rest_framework.routers import SimpleRouter

from clinics.api import views

router = SimpleRouter(trailing_slash=False)
router.register("clinics", views.ClinicsView, "clinic")
router.register("locations", views.LocationsView, "location")
router.register("departments", views.DepartmentsView, "department")
router.register("rooms", views.RoomsView, "room")
router.register("providers", views.ProvidersView, "provider")
router.register("staff", views.StaffView, "staff")
router.register("memberships", views.MembershipsView, "membership")
urlpatterns = router.urls
