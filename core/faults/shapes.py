"""What makes two errors the same one: their type, the place in our code and the message without values."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.db import Error

from core.redaction import facts, kind_name

DIGEST = 8  # bytes
LONGEST = 300  # characters of each part
VALUES = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b\d+\b", re.IGNORECASE)
NOWHERE = "outside of the project"


@dataclass(frozen=True, slots=True)
class Shape:
    """`fingerprint`: 16 hexadecimal digits, the same in every process and log. `place`: file and function; `line` of this time."""

    fingerprint: str
    error: str
    place: str
    message: str
    line: int


def shape_of(error: BaseException) -> Shape:
    """Looks at the traceback's frames, not at their variables, and at those messages alone that speak of code or schema."""
    cause = error.__cause__ if isinstance(error, Error) and error.__cause__ else error  # what psycopg said, in Django's wrapping
    name, message = kind_name(error)[:LONGEST], facts(cause)
    if cause is error:
        message = VALUES.sub("#", message)
    place, line = place_of(error)
    parts = (name, place[:LONGEST], message[:LONGEST])
    digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=DIGEST).hexdigest()
    return Shape(digest, *parts, line)


def place_of(error: BaseException) -> tuple[str, int]:
    """The innermost function of ours on the way to the error, else that of a library: `core/jobs/clock.py:run` and the line."""
    found, step = (NOWHERE, 0), error.__traceback__
    ours = False
    while step is not None:
        if (own := _in_project(step.tb_frame)) or not ours:
            place = own or str(step.tb_frame.f_globals.get("__name__", "?"))
            found = (f"{place}:{step.tb_frame.f_code.co_qualname}", step.tb_lineno)
        ours = ours or bool(own)
        step = step.tb_next
    return found


def _in_project(frame: FrameType) -> str:
    """The path below the project's folder; empty for a library's."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(settings.BASE_DIR) or "site-packages" in path.parts:
        return ""
    return path.relative_to(settings.BASE_DIR).as_posix()
