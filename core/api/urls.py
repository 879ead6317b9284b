"""The foundation's own API routes."""

from django.urls import path

from core.api.auth import MeView, RefreshView, TokenView

urlpatterns = [
    path("auth/token", TokenView.as_view(), name="auth-token"),
    path("auth/token/refresh", RefreshView.as_view(), name="auth-token-refresh"),
    path("auth/me", MeView.as_view({"get": "retrieve"}), name="auth-me"),
]
