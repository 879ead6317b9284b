"""What people can be told, by name. The app that tells it registers it in `AppConfig.ready()`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _

from core import times
from core.notifications.models import Notification

if TYPE_CHECKING:
    from core.accounts.actor import Actor

Details = Mapping[str, Any]


def nowhere(notification: Notification, actor: "Actor") -> str:
    """There is no page about it."""
    return ""


@dataclass(frozen=True, slots=True)
class NotificationKind:
    """`words` makes the sentence from the details, in the active language; `address` the page about it that this person may see,
    or "". Neither asks the database. `tone` is one of the tones of pills; it is shown with `icon`."""

    name: str
    words: Callable[[Details], str]
    icon: str = "info"
    tone: str = "info"
    address: Callable[[Notification, "Actor"], str] = nowhere


class UnknownNotification(LookupError):
    """Nobody registers that name."""


_kinds: dict[str, NotificationKind] = {}


def register_notification(kind: NotificationKind) -> None:
    """Raises ValueError for a name that is taken."""
    if kind.name in _kinds:
        raise ValueError(f"There is a notification {kind.name} already.")
    _kinds[kind.name] = kind


def notification_kind(name: str) -> NotificationKind:
    """Raises UnknownNotification."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownNotification(name) from None


def known_notifications() -> dict[str, NotificationKind]:
    return dict(sorted(_kinds.items()))


@dataclass(frozen=True, slots=True)
class Told:
    """A notification as it is shown to its reader."""

    notification: Notification
    words: str
    icon: str
    tone: str
    address: str


def told(notification: Notification, actor: "Actor") -> Told:
    """In the active language. Of a kind that this installation doesn't know any more it says only that. No query."""
    kind = _kinds.get(notification.kind)
    if kind is None:
        return Told(notification, _("Something of an earlier version"), "info", "mute", "")
    return Told(notification, kind.words(notification.details), kind.icon, kind.tone, kind.address(notification, actor))


def moment_in(details: Details, name: str) -> str:
    """The moment that stands there, on the clinic's wall clock: “Monday 4 May 2026, 14:30”. "" without one."""
    text = details.get(name)
    return times.moment_words(datetime.fromisoformat(text), get_current_timezone()) if text else ""
