"""The tag cache: plain data under a key, true until one of its tags is touched (docs/caching.md).

cache.get_or_set(Key("clinics.rooms"), tags=[Tag.all(Room)], ttl=TTL.CLINIC, load=...)

@cached("appointments.today", ttl=TTL.APPOINTMENT, tags=lambda day: [Tag("appointments", day)])
def today(day: date) -> tuple[Row, ...]: ...
"""

from core.cache.process import cache
from core.cache.selectors import cached
from core.cache.store import loading
from core.cache.tags import Tag
from core.cache.values import TTL, Key

__all__ = ["TTL", "Key", "Tag", "cache", "cached", "loading"]
