"""What the foundation itself tells people: how a job ended that they began, that a webhook is off, that a gateway refuses."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.roles import Role
from core.jobs.kinds import UnknownKind, kind_of
from core.messaging.models import Channel
from core.notifications.kinds import Details, NotificationKind, register_notification
from core.notifications.models import Notification
from core.notifications.people import people_of
from core.notifications.writing import notify

if TYPE_CHECKING:
    from core.webhooks.models import WebhookEndpoint

ADMINISTRATORS = (Role.CLINIC_ADMIN,)


def register() -> None:
    register_notification(NotificationKind("job_done", _done, "check", "ok", _dashboard))
    register_notification(NotificationKind("job_failed", _failed, "alert", "bad", _dashboard))
    register_notification(NotificationKind("webhook_off", _off, "alert", "warn", _webhook))
    register_notification(NotificationKind("gateway_refuses", _refuses, "alert", "bad"))
    register_notification(NotificationKind("alert", _alert, "alert", "bad", _alerts))


def tell_of_webhook(endpoint: "WebhookEndpoint") -> None:
    """To its clinic's administrators: HMS has switched it off. Across clinics. Two statements."""
    notify(people_of(endpoint.clinic_id, ADMINISTRATORS), "webhook_off", clinic=endpoint.clinic_id, about=endpoint.pk)


def tell_of_refusal(clinic_id: UUID, message_id: UUID, channels: Iterable[str]) -> None:
    """To the clinic's administrators: a patient could not be told something because the gateways of all these channels have
    refused it. Once while they have not read it. Across clinics. Two statements."""
    names = "-".join(sorted(channels))
    notify(people_of(clinic_id, ADMINISTRATORS), "gateway_refuses", clinic=clinic_id, about=message_id,
           details={"channels": names}, once=names)  # fmt: skip


# --- Inside ------------------------------------------------------------------------------------------------------------------
def _label(details: Details) -> str:
    try:
        return str(kind_of(details["kind"]).label or details["kind"])
    except UnknownKind:
        return str(details["kind"])


def _done(details: Details) -> str:
    return _("Done: %(what)s") % {"what": _label(details)}


def _failed(details: Details) -> str:
    return _("Failed: %(what)s") % {"what": _label(details)}


def _dashboard(notification: Notification, actor: Actor) -> str:
    return reverse("pages:queue-dashboard") if actor.can("job", "view") else ""


def _off(details: Details) -> str:
    return _("A webhook was switched off: its system has taken nothing for too long")


def _webhook(notification: Notification, actor: Actor) -> str:
    if not (actor.can("webhook", "change") and actor.can("admin", "view")):
        return ""
    return reverse("admin:core_webhookendpoint_change", args=[notification.about_id])


def _refuses(details: Details) -> str:
    names = ", ".join(str(Channel(name).label) for name in str(details["channels"]).split("-") if name in Channel.values)
    return _("A message to a patient could not be sent. Refused by: %(channels)s") % {"channels": names}


def _alert(details: Details) -> str:
    return _("Alert: %(rule)s") % {"rule": details["rule"]}


def _alerts(notification: Notification, actor: Actor) -> str:
    return reverse("admin:core_alert_changelist") if actor.can("alert", "view") else ""
