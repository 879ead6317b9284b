"""Setting up webhooks, changing their secret, and sending something again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.administrators import tell_administrators, who_did
from core.errors import Conflict, PreconditionFailed, invalid
from core.events.catalogue import catalogue
from core.events.models import newest_position
from core.outbound.signing import new_secret
from core.tenancy.context import current_clinic_id
from core.tenancy.ids import new_id
from core.validators import Problems
from core.validators.problems import details_of
from core.webhooks.models import PING, TRIED_FOR, WebhookDelivery, WebhookEndpoint
from core.webhooks.waking import send_soon

MOST_ENDPOINTS = 20  # of one clinic
BOTH_SECRETS_FOR = timedelta(hours=24)
CHANGEABLE = ("name", "url", "events", "is_active")

State = WebhookDelivery.State

AGAIN = """
INSERT INTO core_webhookdelivery (id, clinic_id, endpoint_id, event_id, name, about_id, seq, happened_at, is_replay, state,
    attempts, cause, created_at, due_at, expires_at)
SELECT gen_random_uuid(), v.clinic_id, %(endpoint)s, v.id, v.name, v.about_id, v.seq, v.at, true, 'waiting', 0, '', %(now)s,
    %(now)s, %(expires)s
FROM core_domainevent v
WHERE v.clinic_id = %(clinic)s AND v.at >= %(since)s AND v.at < %(until)s AND v.name = ANY (%(events)s)
"""


def create_webhook(*, actor: Actor, data: Mapping[str, Any]) -> tuple[WebhookEndpoint, str]:
    """An endpoint of the scope's clinic, told what happens from now on; and its secret, which is told now and never again.

    The administrators are told. `data`: name, url, events. Raises ValidationFailed naming every wrong field, Conflict for one too
    many. Seven statements, and one per administrator.
    """
    actor.require("webhook", "create")
    if WebhookEndpoint.objects.count() >= MOST_ENDPOINTS:
        raise Conflict(_("A clinic has at most %(most)d webhooks.") % {"most": MOST_ENDPOINTS})
    secret = new_secret()
    endpoint = WebhookEndpoint(secret=secret, after_position=newest_position())
    _set(endpoint, data)
    _save(endpoint, force_insert=True)
    _tell_of_new(endpoint, actor)
    return endpoint, secret


def update_webhook(
    *, actor: Actor, webhook_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> WebhookEndpoint:
    """Change name, url, events or is_active. One that is switched on again is told what happens from then on. Of another address
    the administrators are told.

    Raises NotFound, PreconditionFailed, ValidationFailed. Two statements; another address costs three, and one per administrator.
    """
    actor.require("webhook", "change")
    endpoint = _locked(webhook_id, expected_version)
    was_active, old_url = endpoint.is_active, endpoint.url
    _set(endpoint, changes)
    if endpoint.is_active and not was_active:
        endpoint.disabled_at, endpoint.disabled_why = None, ""
        endpoint.failures, endpoint.failing_since, endpoint.rests_until = 0, None, None
        endpoint.after_position = newest_position()
    _save(endpoint)
    if endpoint.url != old_url:
        _tell_of_address(endpoint, actor, old_url)
    return endpoint


def rotate_secret(*, actor: Actor, webhook_id: UUID, expected_version: int | None = None) -> tuple[WebhookEndpoint, str]:
    """A new secret, told now and never again. For 24 hours the old one signs too. Raises NotFound. Two statements."""
    actor.require("webhook", "change")
    endpoint, secret = _locked(webhook_id, expected_version), new_secret()
    endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, timezone.now() + BOTH_SECRETS_FOR
    endpoint.secret = secret
    endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return endpoint, secret


def ping(*, actor: Actor, webhook_id: UUID, expected_version: int | None = None) -> WebhookDelivery:
    """Send it an event that says nothing, as soon as the others. Raises NotFound, Conflict while it is off. Two statements."""
    actor.require("webhook", "replay")
    endpoint = _in_use(webhook_id, expected_version)
    about, now = new_id(), timezone.now()
    send_soon()
    return WebhookDelivery.objects.create(endpoint=endpoint, event_id=about, about_id=about, name=PING, seq=0, happened_at=now)


def replay_events(
    *, actor: Actor, webhook_id: UUID, since: datetime, until: datetime | None = None, expected_version: int | None = None
) -> int:
    """Send the events of a time again, those that it wants, in their order; returns how many. Both ends are aware, `until` is not
    included (None: now). Raises NotFound, PreconditionFailed, Conflict while it is off and while events wait to be sent to it
    again, ValidationFailed. Three statements."""
    actor.require("webhook", "replay")
    endpoint, now = _locked(webhook_id, expected_version), timezone.now()
    _refuse_off(endpoint)
    _refuse_waiting(endpoint)
    until = until or now
    if since >= until:
        raise invalid("until", "before_since", _("The end is before the beginning."))
    if since < now - timedelta(days=settings.HMS_EVENT_DAYS):
        raise invalid("since", "too_early", _("Events are kept for %(days)d days.") % {"days": settings.HMS_EVENT_DAYS})
    given: dict[str, Any] = {
        "endpoint": endpoint.pk,
        "clinic": current_clinic_id(),
        "events": endpoint.events,
        "since": since,
        "until": until,
    }
    send_soon()
    with connection.cursor() as cursor:
        cursor.execute(AGAIN, {**given, "now": now, "expires": now + TRIED_FOR})
        return int(cursor.rowcount)


def replay_delivery(*, actor: Actor, delivery_id: UUID) -> WebhookDelivery:
    """Send one event again, as a delivery of its own. Raises NotFound, Conflict while its endpoint is off and while it waits to be
    sent again. Three statements."""
    actor.require("webhook", "replay")
    old = WebhookDelivery.objects.select_related("endpoint").found(pk=delivery_id)
    _refuse_off(old.endpoint)
    _refuse_waiting(old.endpoint, event_id=old.event_id)
    same = {name: getattr(old, name) for name in ("endpoint", "event_id", "about_id", "name", "seq", "happened_at")}
    send_soon()
    return WebhookDelivery.objects.create(is_replay=True, **same)


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _locked(webhook_id: UUID, expected_version: int | None) -> WebhookEndpoint:
    endpoint: WebhookEndpoint = WebhookEndpoint.objects.select_for_update().found(pk=webhook_id)
    _refuse_stale(endpoint, expected_version)
    return endpoint


def _in_use(webhook_id: UUID, expected_version: int | None) -> WebhookEndpoint:
    endpoint: WebhookEndpoint = WebhookEndpoint.objects.found(pk=webhook_id)
    _refuse_stale(endpoint, expected_version)
    _refuse_off(endpoint)
    return endpoint


def _refuse_stale(endpoint: WebhookEndpoint, expected_version: int | None) -> None:
    if expected_version is not None and endpoint.version != expected_version:
        raise PreconditionFailed.at(endpoint.version, _("Somebody changed this record meanwhile. Read it again."))


def _refuse_off(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise Conflict(_("This webhook is switched off."))


def _refuse_waiting(endpoint: WebhookEndpoint, **such: Any) -> None:
    """What waits to be sent again need not be asked for once more."""
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, is_replay=True, state__in=[State.WAITING, State.SENDING], **such)
    if waiting.exists():
        raise Conflict(_("This is being sent again already. Wait until it is taken, or given up."))


def _set(endpoint: WebhookEndpoint, given: Mapping[str, Any]) -> None:
    for name in CHANGEABLE:
        if name in given:
            setattr(endpoint, name, given[name])
    problems = Problems()
    try:
        endpoint.full_clean(exclude=["clinic", "events"], validate_constraints=False)
    except ValidationError as error:
        problems.details += details_of(error)
    endpoint.events = _checked_events(endpoint.events or [], problems)
    problems.raise_if_any()


def _checked_events(names: Sequence[str], problems: Problems) -> list[str]:
    known = catalogue()
    if not names:
        problems.add("events", "required", _("Choose at least one event."))
    if unknown := sorted({str(one)[:60] for one in names} - known.keys()):
        problems.add("events", "invalid_choice", _("There is no such event: %(names)s.") % {"names": ", ".join(unknown)[:200]})
    return sorted(set(names))


def _tell_of_new(endpoint: WebhookEndpoint, actor: Actor) -> None:
    clinic = endpoint.own_clinic()
    text = _(
        "Hello,\n\n%(by)s has set up a webhook for %(clinic)s in HMS:\n\n%(name)s, %(url)s\n\n"
        "From now on this address is told of these events:\n%(events)s\n\n"
        "If nobody of you wanted that, switch it off at once (Administration, Webhooks), change your passwords, and end the API "
        "key that did it (Settings, API keys)."
    ) % {
        "by": who_did(actor),
        "clinic": clinic.name,
        "name": endpoint.name,
        "url": endpoint.url,
        "events": "\n".join(endpoint.events),
    }
    tell_administrators(clinic.pk, subject=_("A new webhook for %(clinic)s") % {"clinic": clinic.name}, text=text)


def _tell_of_address(endpoint: WebhookEndpoint, actor: Actor, old_url: str) -> None:
    clinic = endpoint.own_clinic()
    text = _(
        "Hello,\n\n%(by)s has given the webhook “%(name)s” of %(clinic)s in HMS another address.\n\n"
        "Before: %(before)s\nNow: %(now)s\n\n"
        "If nobody of you wanted that, switch it off at once (Administration, Webhooks), change your passwords, and end the API "
        "key that did it (Settings, API keys)."
    ) % {"by": who_did(actor), "name": endpoint.name, "clinic": clinic.name, "before": old_url, "now": endpoint.url}
    subject = _("A webhook of %(clinic)s has another address") % {"clinic": clinic.name}
    tell_administrators(clinic.pk, subject=subject, text=text)


def _save(endpoint: WebhookEndpoint, **how: Any) -> None:
    try:
        with transaction.atomic():
            endpoint.save(**how)
    except IntegrityError as error:
        raise invalid("name", "unique", _("There is a webhook of this name.")) from error
