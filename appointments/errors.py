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
