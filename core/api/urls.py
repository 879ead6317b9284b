"""The foundation's own API routes."""

from django.urls import path

from core.api.auth import LogoutView, MeView, RefreshView, SessionViewSet, TokenView

urlpatterns = [
    path("auth/token", TokenView.as_view(), name="auth-token"),
    path("auth/token/refresh", RefreshView.as_view(), name="auth-token-refresh"),
    path("auth/logout", LogoutView.as_view(), name="auth-logout"),
    path("auth/sessions", SessionViewSet.as_view({"get": "list"}), name="auth-sessions"),
    path("auth/sessions/<str:pk>", SessionViewSet.as_view({"delete": "destroy"}), name="auth-session"),
    path("auth/me", MeView.as_view({"get": "retrieve"}), name="auth-me"),
]
