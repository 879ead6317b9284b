"""The project itself: the top room, for what needs every domain."""

from django.apps import AppConfig


class HMSConfig(AppConfig):
    name = "hms"
    verbose_name = "HMS"

    def ready(self) -> None:
        from hms import checks  # noqa: F401  (registers the system checks)
