"""The clinics app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClinicsConfig(AppConfig):
    name = "clinics"

    def ready(self) -> None:
        from clinics import operations
        from core.pages.navigation import MenuItem, SettingsLink, add_menu_item, add_settings_link

        operations.register()
        add_menu_item(MenuItem(90, _("Settings"), "settings", "clinics:settings", "schedule", phone_bar=False))
        words = _("Locations, rooms and departments.")
        add_settings_link(SettingsLink(30, _("Places"), words, "panel", "clinics:places", "room"))
        words = _("Which fields of a patient are encrypted in the database.")
        add_settings_link(SettingsLink(50, _("Protected fields"), words, "lock", "clinics:protection", "clinic", "change"))
        words = _("Who sees patients, and who works here in which role.")
        add_settings_link(SettingsLink(40, _("People"), words, "patients", "clinics:people", "staff"))
        words = _("Which other systems may read or change the clinic’s records, and what of them.")
        add_settings_link(SettingsLink(60, _("API keys"), words, "key", "clinics:api-keys", "api_key"))
