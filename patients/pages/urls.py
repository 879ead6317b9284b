"""The pages of patients."""

from typing import Any

app_name = "patients"
urlpatterns: list[Any] = []
