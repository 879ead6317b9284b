"""One's own notifications: how many are unread, which, and that they were read."""

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.cache import TTL, Key, Tag, cache
from core.errors import NotFound, invalid
from core.notifications.models import Notification, NotificationQuerySet


def own_notifications(actor: Actor) -> NotificationQuerySet:
    """What this person was told in this clinic, the newest first. HMS itself is told nothing."""
    if actor.user_id is None or actor.clinic_id is None:
        return Notification.objects.none()
    return Notification.objects.filter(clinic_id=actor.clinic_id, user_id=actor.user_id).order_by("-pk")


def unread_count(actor: Actor) -> int:
    """How many this person has not read, here. No query while nothing changes, else one."""
    load = own_notifications(actor).unread().count
    tags = lambda: [Tag("notifications", actor.user_id)]  # noqa: E731
    return cache.get_or_set(Key("core.notifications.unread", actor.user_id), tags=tags, load=load, ttl=TTL.CLINIC)


def mark_read(*, actor: Actor, notification_id: UUID) -> Notification:
    """This one was read; when for the first time, stays. Raises NotFound, also for another person's. Two statements at most."""
    row = own_notifications(actor).filter(pk=notification_id).first()
    if row is None:
        raise NotFound(_("There is no such notification."))
    if row.read_at is None:
        row.read_at = timezone.now()
        row.save(update_fields=["read_at"])
    return row


def mark_all_read(*, actor: Actor, until: UUID | None = None) -> int:
    """All were read, or those up to `until`, one of the person's own: what came later has not been seen. Returns how many.

    Raises ValidationFailed when `until` is not theirs. One statement, with `until` two.
    """
    rows = own_notifications(actor)
    if until is not None:
        if not rows.filter(pk=until).exists():
            raise invalid("until", "not_found", _("There is no such notification."))
        rows = rows.filter(pk__lte=until)
    return rows.unread().update(read_at=timezone.now())
