"""What a limit is, as it is written (`60/m,1000/h`) and as it is shared between processes."""

import re
from dataclasses import dataclass
from functools import lru_cache

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

RATE_VARIABLES = (
    "HMS_RATE_ANON", "HMS_RATE_USER", "HMS_RATE_AUTH", "HMS_RATE_UPLOAD", "HMS_RATE_HEAVY", "HMS_RATE_SEARCH", "HMS_RATE_SCREEN",
    "HMS_RATE_KIOSK", "HMS_RATE_LETTERS",
)  # fmt: skip
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST = 100_000  # in one window: each hit is remembered by its time, eight to ten bytes
WRITTEN = re.compile(r"([1-9]\d{0,5})/([smhd])")
MICROSECONDS = 1_000_000


class NotARate(ValueError):
    """The text is no limit."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` hits in any stretch of `span` microseconds."""

    limit: int
    span: int

    def share(self, processes: int) -> "Window":
        """What one of so many processes may allow by itself, so that all together stay within this window.

        Where there are more processes than hits, each allows one in a stretch that is longer by as much.
        """
        if self.limit >= processes:
            return Window(self.limit // processes, self.span)
        return Window(1, -(-self.span * processes // self.limit))


type Rate = tuple[Window, ...]


@lru_cache(maxsize=1024)
def rate_of(text: str) -> Rate:
    """`60/m,1000/h`: a number and s, m, h or d, with commas. Raises NotARate."""
    found = [WRITTEN.fullmatch(part.strip()) for part in text.split(",")]
    windows = tuple(Window(int(one[1]), SECONDS[one[2]] * MICROSECONDS) for one in found if one)
    if len(windows) < len(found) or any(window.limit > MOST for window in windows):
        raise NotARate(text)
    return windows


@lru_cache(maxsize=1024)
def shares_of(rate: Rate, processes: int) -> Rate:
    """Each window's share, for one of so many processes."""
    return rate if processes == 1 else tuple(window.share(processes) for window in rate)


def validate_rate(text: str) -> None:
    """A limit as people write it: 60/m or 60/m,1000/h."""
    try:
        rate_of(text)
    except NotARate as error:
        raise ValidationError(_("Write a number and s, m, h or d, like 60/m or 60/m,1000/h."), code="invalid") from error
