"""The appointments app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from core.pages.navigation import MenuItem, add_menu_item


class AppointmentsConfig(AppConfig):
    name = "appointments"

    def ready(self) -> None:
        add_menu_item(MenuItem(10, _("Today"), "today", "appointments:today", "appointment"))
        add_menu_item(MenuItem(20, _("Calendar"), "calendar", "appointments:calendar", "appointment"))
