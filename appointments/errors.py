"""What can go wrong with a visit's time."""

from core.errors import Conflict


class SlotTaken(Conflict):
    """Provider, room or patient is taken then. `details` say which; `extra["alternatives"]` are the nearest free slots."""


class OutsideHours(SlotTaken):
    """The provider does not work then. `extra["alternatives"]` are the nearest free slots."""
