"""An endpoint that has taken nothing for days is switched off, and its clinic's administrators are told."""

import logging

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.administrators import tell_administrators
from core.notifications.causes import tell_of_webhook
from core.webhooks.models import WebhookEndpoint

logger = logging.getLogger(__name__)


def switch_off(endpoint: WebhookEndpoint, *, why: str) -> None:
    """In the platform's scope. Once: an endpoint that is off already is left so. Five statements, and one per administrator."""
    now = timezone.now()
    still_on = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True)
    if not still_on.update(is_active=False, disabled_at=now, disabled_why=why):
        return
    tell_of_webhook(endpoint)
    logger.warning("The webhook %s is switched off (%s).", endpoint.pk, why)
    subject = _("A webhook was switched off: %(name)s") % {"name": endpoint.name}
    text = _(
        "Hello,\n\nHMS could not deliver events to the webhook “%(name)s” (%(why)s) and has switched it off. Nothing is sent to it "
        "any more.\n\nWhen its system is well again, switch it on under Administration, Webhooks. What happened since can be sent "
        "again from there."
    ) % {"name": endpoint.name, "why": why}
    tell_administrators(endpoint.clinic_id, subject=subject, text=text)
