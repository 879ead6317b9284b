"""Where machines ask how HMS is."""

from django.urls import path

from core.health import views
from core.metrics import views as metrics

urlpatterns = [
    path("health/live", views.live, name="health-live"),
    path("health/ready", views.ready, name="health-ready"),
    path("health/startup", views.startup, name="health-startup"),
    path("health/api", views.api, name="health-api"),
    path("health/detailed", views.detailed, name="health-detailed"),
    path("health/metrics", metrics.as_json, name="health-metrics"),
    path("metrics", metrics.for_prometheus, name="metrics"),
]
