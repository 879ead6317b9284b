"""DRF adopts the person whom the middleware found."""

from typing import Any

from django.middleware.csrf import CsrfViewMiddleware
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from core.requests import HMSRequest, underlying


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HMSRequest, reason: str) -> Any:
        return reason


class RequestUserAuthentication(BaseAuthentication):
    """A session needs the CSRF token for unsafe methods; a bearer token doesn't."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        inner = underlying(request)
        if not inner.user.is_authenticated:
            return None
        if inner.auth_method == "session":
            self._require_csrf(inner)
        return inner.user, inner.auth_method

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _require_csrf(self, request: HMSRequest) -> None:
        check = _CsrfCheck(lambda _: None)  # type: ignore[arg-type]
        check.process_request(request)
        reason = check.process_view(request, None, (), {})  # type: ignore[arg-type]
        if reason:
            raise exceptions.PermissionDenied(f"CSRF: {reason}")
