"""The foundation's own API routes."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from core.api.auth import LogoutView, MeView, RefreshView, SessionViewSet, TokenView
from core.api.jobs import JobsView
from core.api.live import EventsView, QueueUpdatesView, StreamHealthView
from core.api.notifications import NotificationsView
from core.api.one_time import CodeRequestView, CodeVerifyView
from core.api.webhooks import WebhookDeliveryViewSet, WebhookViewSet

router = SimpleRouter(trailing_slash=False)
router.register("jobs", JobsView, "job")
router.register("notifications", NotificationsView, "notification")
router.register("webhooks", WebhookViewSet, "webhook")
router.register("webhook-deliveries", WebhookDeliveryViewSet, "webhook-delivery")
urlpatterns = [
    path("auth/token", TokenView.as_view(), name="auth-token"),
    path("auth/token/refresh", RefreshView.as_view(), name="auth-token-refresh"),
    path("auth/logout", LogoutView.as_view(), name="auth-logout"),
    path("auth/sessions", SessionViewSet.as_view({"get": "list"}), name="auth-sessions"),
    path("auth/sessions/<str:pk>", SessionViewSet.as_view({"delete": "destroy"}), name="auth-session"),
    path("auth/otp/request", CodeRequestView.as_view(), name="auth-otp-request"),
    path("auth/otp/verify", CodeVerifyView.as_view(), name="auth-otp-verify"),
    path("auth/me", MeView.as_view({"get": "retrieve"}), name="auth-me"),
    path("events", EventsView.as_view({"get": "stream"}), name="events"),
    path("sse/queue-updates", QueueUpdatesView.as_view({"get": "stream"}), name="queue-updates"),
    path("sse/health", StreamHealthView.as_view({"get": "retrieve"}), name="stream-health"),
    *router.urls,
]
