"""The appointments app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from core.pages.navigation import MenuItem, SettingsLink, add_menu_item, add_settings_link


class AppointmentsConfig(AppConfig):
    name = "appointments"

    def ready(self) -> None:
        from appointments import events, hot, operations  # noqa: F401  (the catalogue is complete from the start)
        from appointments.notifications import CANCELLED_BY_PATIENT, REMINDER, RUNNING_LATE
        from appointments.policies import Treating, visible_appointments
        from appointments.selectors.contacts import visits_as_contacts
        from appointments.selectors.figures import day_figures
        from appointments.services.reminders import why_not_remind
        from core.audit.restricted import add_way
        from core.data_sync.feeds import register_feed
        from core.messaging.catalogue import register_template
        from core.messaging.models import Kind
        from core.messaging.progress import ask_before_sending
        from core.metrics.sources import add_source
        from core.notifications.kinds import register_notification
        from patients.selectors.contacts import counts_as_contact
        from patients.selectors.messages import messages_tell_of

        counts_as_contact(visits_as_contacts)
        messages_tell_of(visible_appointments)
        add_source("day", day_figures)
        operations.register()
        hot.register()
        add_way(Treating())
        register_template(REMINDER)
        register_notification(CANCELLED_BY_PATIENT)
        register_notification(RUNNING_LATE)
        ask_before_sending(Kind.REMINDER, why_not_remind)
        register_feed("appointments", "appointments.api.feeds.FEED", place=20)
        add_menu_item(MenuItem(10, _("Today"), "today", "appointments:today", "appointment"))
        add_menu_item(MenuItem(20, _("Calendar"), "calendar", "appointments:calendar", "appointment"))
        add_menu_item(MenuItem(25, _("Queue"), "queue", "appointments:queue", "queue"))
        unusual = "appointments:unusual-access"
        add_menu_item(MenuItem(80, _("Oversight"), "eye", unusual, "access_log", "review", phone_bar=False))
        words = _("What can be booked, how long it takes, what it costs, who offers it.")
        add_settings_link(SettingsLink(10, _("Services"), words, "calendar", "appointments:services", "service"))
        words = _("When each provider works, and the days that differ.")
        add_settings_link(SettingsLink(15, _("Hours"), words, "clock", "appointments:schedules", "schedule"))
        words = _("Tickets for whoever waits; the boards and kiosks of the waiting rooms.")
        add_settings_link(SettingsLink(25, _("Queue"), words, "queue", "appointments:queue-setup", "queue_setup"))
        words = _("Days on which nobody can be booked.")
        add_settings_link(SettingsLink(20, _("Holidays"), words, "stop", "appointments:holidays", "schedule"))
