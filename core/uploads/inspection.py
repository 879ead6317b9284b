"""Asks the inspector, in a process apart, whether a file is let in and what is kept of it."""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import Busy, Detail, PayloadTooLarge, ValidationFailed
from core.uploads.apart import NoAnswer, answer_of
from core.uploads.names import safe_name
from core.uploads.rules.kinds import KINDS, MOST_KEPT
from core.uploads.words import REASONS

logger = logging.getLogger(__name__)

PATIENCE = 60  # seconds by the clock; the inspector's own limit is of processor time
MOST_VERDICT = 4096  # bytes of the line before the content
# Of one process of ours: inspectors that run, and requests that have one or wait for one. Every waiting request holds a thread
# and a transaction, so few may wait, and not for long: the other threads serve everybody else.
RUNNING = BoundedSemaphore(2)
PLACES = BoundedSemaphore(3)
QUEUE = 5.0  # seconds
COMMAND = ["-m", "core.uploads.inspector"]
GAVE_UP = "too_complex"


class ManyFiles(Busy):
    """As many files are being checked as one process checks at a time."""

    retry_after = 15  # seconds


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that was let in: `content` is what is kept, `name` may be used on any system."""

    content: bytes
    content_type: str
    name: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def checked(content: bytes, *, name: str, field: str = "file") -> CheckedFile:
    """The file as it may be kept. Raises ValidationFailed or PayloadTooLarge, both naming `field`; ManyFiles.

    No query. Takes a third of a second and more, and at most one gigabyte in a process apart.
    """
    if len(content) > settings.HMS_UPLOAD_BYTES:
        raise too_large(field)
    with _a_place():
        verdict, kept = _asked(content)
    if code := verdict.get("refused"):
        raise refusal(code, field)
    kind = KINDS[verdict["kind"]]
    return CheckedFile(kept, kind.content_type, safe_name(name, kind))


def refusal(code: str, field: str = "file") -> ValidationFailed:
    """Why the file is not taken, as an error that names its field."""
    message = str(REASONS[code])
    return ValidationFailed(message, [Detail(field, code, message)])


def too_large(field: str = "file") -> PayloadTooLarge:
    message = _("The file is larger than %(limit)d MB.") % {"limit": settings.HMS_UPLOAD_BYTES // 1024 // 1024}
    return PayloadTooLarge(message, [Detail(field, "too_large", message)])


@contextmanager
def _a_place() -> Iterator[None]:
    """A place for one inspector, waited for when one is likely to become free soon. Raises ManyFiles."""
    many = ManyFiles(_("Many files are being checked at this moment. Try again."))
    if not PLACES.acquire(blocking=False):
        raise many
    try:
        if not RUNNING.acquire(timeout=QUEUE):
            raise many
        try:
            yield
        finally:
            RUNNING.release()
    finally:
        PLACES.release()


def _asked(content: bytes) -> tuple[dict[str, str], bytes]:
    """The inspector's verdict, and what is kept. One that did not end by itself has refused."""
    try:
        status, answer = answer_of(
            [sys.executable, "-P", *COMMAND],
            content,
            seconds=PATIENCE,
            most=MOST_VERDICT + MOST_KEPT,
            environment={"PYTHONPATH": str(settings.BASE_DIR), "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except NoAnswer as error:
        logger.error("The inspector of uploads was ended. %s", error)
        return {"refused": GAVE_UP}, b""
    line, _newline, kept = answer.partition(b"\n")
    if status or not line:
        logger.error("The inspector of uploads ended with %d. A negative number is a signal: a limit was reached.", status)
        return {"refused": GAVE_UP}, b""
    verdict: dict[str, str] = json.loads(line)
    return verdict, kept
