"""The patients app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PatientsConfig(AppConfig):
    name = "patients"

    def ready(self) -> None:
        from core.keys.rotation import has_tokens
        from core.pages.navigation import MenuItem, add_menu_item, set_patient_home
        from patients import operations
        from patients.services.search_keys import PatientTokens

        operations.register()
        has_tokens(PatientTokens())
        add_menu_item(MenuItem(40, _("Patients"), "patients", "patients:list", "patient", "search"))
        set_patient_home("patients:own")
