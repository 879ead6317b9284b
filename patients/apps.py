"""The patients app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PatientsConfig(AppConfig):
    name = "patients"

    def ready(self) -> None:
        from core.audit.restricted import Restricted, add_way, set_restricted
        from core.cache import Tag
        from core.data_sync.feeds import register_feed
        from core.keys.rotation import has_tokens
        from core.notifications.kinds import register_notification
        from core.pages.navigation import MenuItem, add_menu_item, set_patient_home
        from core.responses import set_page
        from patients import events, operations  # noqa: F401  (the catalogue is complete from the start)
        from patients.errors import RecordRestricted
        from patients.notifications import OPENED
        from patients.pages.restriction import restricted_page
        from patients.policies import OwnRecord, restricted_ids
        from patients.services.search_keys import PatientTokens

        operations.register()
        register_notification(OPENED)
        set_restricted(Restricted(restricted_ids, lambda: Tag("restricted", "true")))
        add_way(OwnRecord())
        set_page(RecordRestricted, restricted_page)
        has_tokens(PatientTokens())
        add_menu_item(MenuItem(40, _("Patients"), "patients", "patients:list", "patient", "search"))
        set_patient_home("patients:own")
        register_feed("patients", "patients.api.feeds.FEED", place=10)
