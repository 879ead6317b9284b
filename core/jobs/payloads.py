"""What a job may be told: ids, numbers, short codes and dates, by name. Never anything that a person could be known by."""

import inspect
import json
import re
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
CODE = re.compile(r"[a-z][a-z0-9_.:-]{0,39}")  # our own words: names have capitals, addresses an @
LARGEST = 2**31 - 1  # a telephone number with its country's code is larger
MOST_IDS = 100
MOST_BYTES = 4096

type Plain = str | int | float | bool | list[str] | None


class NotAPayload(ValueError):
    """A programmer's mistake. Names the field and what is wrong, never the value."""


def checked(payload: Mapping[str, Any]) -> dict[str, Plain]:
    """The payload as it is stored. Raises NotAPayload."""
    plain = {}
    for name, value in payload.items():
        if not NAME.fullmatch(name):
            raise NotAPayload("A payload has a field whose name is no identifier.")
        try:
            plain[name] = _plain(value)
        except ValueError as error:
            raise NotAPayload(f"{name}: {error}") from None
    if len(json.dumps(plain)) > MOST_BYTES:
        raise NotAPayload(f"A payload takes more than {MOST_BYTES} bytes.")
    return plain


def _plain(value: Any) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not abs(value) <= LARGEST:
            raise ValueError("the number is too large")
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("a time without its zone")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple) and len(value) <= MOST_IDS:
        return [_id(one) for one in value]
    raise ValueError("neither an id, a number, a code nor a date")


def _text(value: str) -> str:
    """A code, or what reads as an id or a date."""
    for reading in (UUID, datetime.fromisoformat):
        try:
            reading(value)
        except ValueError:
            continue
        if not value.isdigit():
            return value
    if not CODE.fullmatch(value):
        raise ValueError("text that is no code of ours")
    return value


def _id(value: Any) -> str:
    try:
        return str(value if isinstance(value, UUID) else UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise ValueError("a list of something else than ids") from None


class Arguments:
    """What a kind's function takes by name, with the types that its signature declares."""

    def __init__(self, function: Callable[..., Any]) -> None:
        hints = get_type_hints(function)
        _run, *others = inspect.signature(function).parameters.values()
        if any(one.kind is not one.KEYWORD_ONLY for one in others):
            raise TypeError(f"{function.__qualname__} takes the run, then keywords only.")
        self._types = {one.name: _type_of(hints[one.name]) for one in others}
        self._needed = {one.name for one in others if one.default is one.empty}

    def check(self, payload: Mapping[str, Any]) -> None:
        """Raises NotAPayload for a name that is missing or unknown, or a value of another type."""
        if unknown := payload.keys() - self._types.keys():
            raise NotAPayload(f"Unknown: {', '.join(sorted(unknown))}.")
        if missing := self._needed - payload.keys():
            raise NotAPayload(f"Missing: {', '.join(sorted(missing))}.")
        self.read(payload)

    def read(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The stored values as the function takes them. Raises NotAPayload."""
        try:
            return {name: _read(value, self._types[name]) for name, value in payload.items()}
        except (KeyError, ValueError, TypeError) as error:
            raise NotAPayload("A payload doesn't fit its kind.") from error


def _type_of(hint: Any) -> Any:
    """Of `X | None` the X."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    return hint


def _read(value: Any, wanted: Any) -> Any:
    if value is None:
        return None
    if get_origin(wanted) is list:
        return [UUID(one) for one in value]
    if wanted is UUID:
        return UUID(value)
    if wanted in (date, datetime):
        return wanted.fromisoformat(value)
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise TypeError(wanted)
    return value
