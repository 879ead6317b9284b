"""What can go wrong with a visit's time."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, NotFound


class SlotTaken(Conflict):
    """Provider, room or patient is taken then. `details` say which; `extra["alternatives"]` are the nearest free slots."""


class OutsideHours(SlotTaken):
    """The provider does not work then. `extra["alternatives"]` are the nearest free slots."""


@dataclass(eq=False)
class LinkGone(NotFound):
    """The visit has begun, was moved or cancelled, was answered already, or the link never was one: which, is nobody's business."""

    message: str = _("This link is not valid any more. Please call the clinic.")  # type: ignore[assignment]


@dataclass(eq=False)
class QueueEmpty(Conflict):
    """Nobody waits whom this provider, or this room, may call."""

    message: str = _("Nobody is waiting.")  # type: ignore[assignment]


@dataclass(eq=False)
class NumbersOut(Conflict):
    """All 999 numbers of a letter are out for this day."""

    message: str = _("All tickets of this group are given out for today.")  # type: ignore[assignment]


@dataclass(eq=False)
class ScreenGone(NotFound):
    """The screen was ended, its location closed its queue, or the address never was one."""

    message: str = _("This screen is not in use. Please ask the clinic for its address.")  # type: ignore[assignment]


@dataclass(eq=False)
class AskAtTheDesk(NotFound):
    """The kiosk can't help: why, it tells nobody."""

    message: str = _("We can’t check you in here. Please go to the reception desk.")  # type: ignore[assignment]
