"""The stream of a board: it says that something happened where the board hangs, and nothing of it."""

from dataclasses import dataclass
from uuid import UUID

from appointments.choices import ScreenKind
from appointments.errors import ScreenGone
from appointments.events import QUEUE
from appointments.selectors.queue_places import QueuePlace
from appointments.selectors.screens import Named, clinic_of, open_screen
from core.accounts.actor import Actor
from core.realtime.grants import Grant
from core.tenancy.context import clinic_scope

MAY = frozenset({":".join(QUEUE.read_by)})


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """The address that a board was opened with: good until the screen is ended, or its clinic."""

    named: Named

    @property
    def holder(self) -> UUID:
        return self.named.screen_id

    def actor_now(self, clinic_id: UUID, actor: Actor) -> Actor | None:
        """Three queries."""
        with clinic_scope(clinic_id, reason="board"):
            try:
                clinic_of(self.named)
                _screen, place = open_screen(ScreenKind.BOARD, self.named)
            except ScreenGone:
                return None
            return _reader(self.named, place)


def board_grant(named: Named, place: QueuePlace) -> Grant:
    """What the board of this place may be told."""
    channels = frozenset({QUEUE.name})
    return Grant(_reader(named, place), named.clinic_id, BoardAddress(named), channels, is_terse=True)


def _reader(named: Named, place: QueuePlace) -> Actor:
    return Actor(None, "", named.clinic_id, frozenset(), frozenset({place.id}), scopes=MAY)
