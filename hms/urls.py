"""The map: pages, API, admin, documents, health."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from core.api.documents import BrowsableView, DescriptionView
from core.api.versioning import IN_PATHS
from core.health.api import PerformanceHealthView
from hms import views

api: list[URLPattern | URLResolver] = [
    path("schema/", DescriptionView.as_view(), name="schema"),
    path("docs/", BrowsableView.as_view(), name="docs"),
    path("", include("core.api.urls")),
    path("performance/health", PerformanceHealthView.as_view({"get": "retrieve"}), name="performance-health"),
    path("", include("clinics.api.urls")),
    path("", include("patients.api.urls")),
    path("", include("appointments.api.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", views.health, name="health"),
    path("", include("core.health.urls")),
    *(path(f"api/{name}/", include((api, f"api-{name}"))) for name in IN_PATHS.values()),
    path("api/", include((api, "api"))),
    path("admin/", admin.site.urls),
    path("", include("core.pages.urls")),
    path("", include("appointments.pages.urls")),
    path("", include("patients.pages.urls")),
    path("", include("clinics.pages.urls")),
]

handler400 = "core.pages.errors.bad_request"
handler403 = "core.pages.errors.permission_denied"
handler404 = "core.pages.errors.page_not_found"
handler500 = "core.pages.errors.server_error"
