"""The pages of clinics."""

from typing import Any

app_name = "clinics"
urlpatterns: list[Any] = []
