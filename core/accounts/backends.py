"""Sign-in by e-mail and password."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from core.accounts.models import User, normalise_email


class EmailBackend(BaseBackend):
    """An unknown e-mail costs as much time as a wrong password."""

    def authenticate(self, request: HttpRequest | None, email: str = "", password: str = "", **_: Any) -> User | None:
        user = User.objects.filter(email=normalise_email(email)).first()
        if user is None:
            make_password(password)
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: Any) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()
