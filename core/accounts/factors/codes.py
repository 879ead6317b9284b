"""One-time codes by e-mail, text message or WhatsApp: made, sent and tried with the same work whether somebody gets one or not.

Their counters survive a rolled-back request: everything here is written in short transactions of its own, as hms_platform.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.factors.models import OneTimeCode
from core.messaging.models import Channel, Kind
from core.messaging.services import post
from core.tenancy.context import platform_scope

MINUTES = 10
TRIES = 5  # then the code is dead; lockout (core.accounts.throttle) bounds how many codes can be guessed at
DIGITS = 6


def send_code(*, purpose: str, name: str, person_id: UUID | None, to: Mapping[Channel, str], channels: Sequence[Channel]) -> None:
    """Make a code for `name` (as the person writes it) and post it; an older one for the same is dead. Two statements.

    With `person_id` None and nobody in `to` the same is done, and nobody ever has the code.
    """
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    expires_at = timezone.now() + timedelta(minutes=MINUTES)
    key = _digest(purpose, name)
    subject = _("%(code)s is your HMS code") % {"code": code}
    text = _(
        "%(code)s is your code to sign in to HMS. It is good for %(minutes)d minutes, once.\n\n"
        "Nobody from HMS will ever ask you for it. If you did not want to sign in, somebody may know your password: change it."
    ) % {"code": code, "minutes": MINUTES}
    with platform_scope(reason="one-time code"):
        OneTimeCode.objects.bulk_create(
            [OneTimeCode(key=key, digest=_digest(key, code), person_id=person_id, expires_at=expires_at)],
            update_conflicts=True,
            unique_fields=["key"],
            update_fields=["digest", "person_id", "tries", "expires_at"],
        )
        post(kind=Kind.CODE, to=to, channels=channels, subject=subject, text=text, expires_at=expires_at)


def is_right(*, purpose: str, name: str, code: str) -> UUID | None:
    """The person whose code this is, or None. A wrong try is counted. Two statements, found or not; `spend` makes it good once."""
    key = _digest(purpose, name)
    with platform_scope(reason="one-time code"):
        row = OneTimeCode.objects.select_for_update().filter(key=key).first()
        alive = row is not None and row.tries < TRIES and row.expires_at > timezone.now()
        same = hmac.compare_digest(row.digest if row else "", _digest(key, plain(code)))
        tries = row.tries if row else 0
        OneTimeCode.objects.filter(key=key).update(tries=min(tries + (not same), TRIES))
    return row.person_id if row and alive and same else None


def spend(*, purpose: str, name: str, code: str) -> bool:
    """Use the code up. False when somebody else just did. One statement."""
    key = _digest(purpose, name)
    with platform_scope(reason="one-time code"):
        gone, _ = OneTimeCode.objects.filter(key=key, digest=_digest(key, plain(code)), expires_at__gt=timezone.now()).delete()
    return bool(gone)


def plain(code: str) -> str:
    """As it is compared: people write codes in groups."""
    return "".join(code.split()).replace("-", "")


def _digest(*parts: str) -> str:
    said = "\n".join(parts).casefold().encode("utf-8", "surrogatepass")
    return hmac.new(f"one-time code:{settings.SECRET_KEY}".encode(), said, hashlib.sha256).hexdigest()
