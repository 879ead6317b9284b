"""What may be cached: plain data that nobody can change. And how long, and under which key."""

import dataclasses
import hashlib
import random
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from core.tenancy.context import current_scope

PLAIN = frozenset({type(None), bool, int, float, str, bytes, Decimal, date, time, datetime, timedelta, UUID, ZoneInfo})
NEGATIVE_SECONDS = 30  # how long "there is none" is kept at most


class TTL(Enum):
    """How long a value is kept at most; that it isn't stale is the tags' affair."""

    DEFAULT = "default"  # REDIS_CACHE_TTL
    CLINIC = "clinic"
    PATIENT = "patient"
    ENCOUNTER = "encounter"
    APPOINTMENT = "appointment"
    EMERGENCY = "emergency"
    DASHBOARD = "dashboard"

    @property
    def seconds(self) -> int:
        return SECONDS.get(self) or int(settings.HMS_CACHE_TTL)


SECONDS = {TTL.CLINIC: 3600, TTL.PATIENT: 1800, TTL.ENCOUNTER: 1800, TTL.APPOINTMENT: 300, TTL.EMERGENCY: 60, TTL.DASHBOARD: 300}


def lifetime(ttl: TTL, value: Any) -> float:
    """Seconds to keep this value: up to a tenth less than the class says, so that what was loaded together doesn't end so."""
    seconds = ttl.seconds if value is not None else min(ttl.seconds, NEGATIVE_SECONDS)
    return seconds * random.uniform(0.9, 1.0)  # noqa: S311


def weigh(value: Any) -> int:
    """The bytes it takes in memory, about. Raises TypeError for anything that could change or isn't plain data."""
    kind: Any = type(value)
    if kind in PLAIN:
        return sys.getsizeof(value) if kind is not ZoneInfo else 0  # a zone is shared by all who use it
    if isinstance(value, Enum):
        return 0
    if isinstance(value, (tuple, frozenset)):
        return sys.getsizeof(value) + sum(map(weigh, value))
    if (names := _frozen_fields(kind)) is not None:
        return sys.getsizeof(value) + sum([weigh(getattr(value, name)) for name in names])
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} can't be cached: only immutable plain data can.")


@cache
def _frozen_fields(kind: type) -> tuple[str, ...] | None:
    """The names of a frozen dataclass's fields; None for any other type."""
    if not dataclasses.is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return None
    return tuple(one.name for one in dataclasses.fields(kind))


class Key:
    """`Key("appointments.today", day, location_id)`: a family, named after the selector, and what tells its values apart.

    The clinic of the scope and the version of the code belong to every key by themselves; role, fields or language only
    if they are among the arguments.
    """

    __slots__ = ("arguments", "family")

    def __init__(self, family: str, *arguments: Any) -> None:
        self.family = family
        self.arguments = arguments

    def text(self) -> str:
        """The key in this process's memory: a digest, which is short and names nobody. Outside it is digested anew, with a key
        (core.cache.shared)."""
        scope = current_scope()
        within = (str(scope.clinic_id or ""), scope.platform) if scope is not None else ("", False)
        said = repr((self.family, within, _spelt(self.arguments)))
        return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _spelt(argument: Any) -> Any:
    kind: Any = type(argument)
    if kind in PLAIN or isinstance(argument, Enum):
        return argument
    if isinstance(argument, tuple):
        return tuple(map(_spelt, argument))
    if isinstance(argument, frozenset):
        return ("frozenset", *sorted(repr(_spelt(one)) for one in argument))
    weigh(argument)  # raises for what is not plain
    return (kind.__qualname__, *(_spelt(getattr(argument, name)) for name in _frozen_fields(kind) or ()))
