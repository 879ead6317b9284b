"""The map: pages, API, admin, documents, health."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from hms import views

api = [
    path("", include("core.api.urls")),
    path("", include("clinics.api.urls")),
    path("", include("patients.api.urls")),
    path("", include("appointments.api.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", views.health, name="health"),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("api/v2/", include((api, "api-v2")), {"version": "v2"}),
    re_path(r"^api/v(?!2/)\d[^/]*/", views.unknown_version),
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
