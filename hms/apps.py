"""The project itself: the top room, for what needs every domain."""

from django.apps import AppConfig


class HMSConfig(AppConfig):
    name = "hms"
    verbose_name = "HMS"
