"""An endpoint that has taken nothing for days is switched off, and its clinic's administrators are told."""

import logging

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.models import Membership
from core.accounts.roles import Role
from core.messaging.models import Channel, Kind
from core.messaging.services import post
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
    here = Membership.objects.filter(
        clinic_id=endpoint.clinic_id, state=Membership.State.ACTIVE, roles__contains=[Role.CLINIC_ADMIN], user__is_active=True
    )
    subject = _("A webhook was switched off: %(name)s") % {"name": endpoint.name}
    text = _(
        "Hello,\n\nHMS could not deliver events to the webhook “%(name)s” (%(why)s) and has switched it off. Nothing is sent to it "
        "any more.\n\nWhen its system is well again, switch it on under Administration, Webhooks. What happened since can be sent "
        "again from there."
    ) % {"name": endpoint.name, "why": why}
    for address in here.order_by("user__email").values_list("user__email", flat=True):
        post(kind=Kind.NOTICE, to={Channel.EMAIL: address}, channels=[Channel.EMAIL], subject=subject, text=text)
