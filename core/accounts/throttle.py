"""Lockout: after a few failed sign-ins an account, or an address, has to wait, and each further failure waits longer.

The counters survive a rolled-back request: they are written in a short transaction of their own, as hms_platform.
An account that does not exist is counted like one that does, so that nobody learns which is which.
"""

import hashlib
import hmac
from datetime import timedelta

from django.conf import settings
from django.db.models import Case, F, When
from django.db.models.functions import Greatest
from django.utils import timezone

from core.accounts.models import SignInThrottle, normalise_email
from core.security.proxies import counted
from core.tenancy.context import platform_scope

FREE_FAILURES = {"account": 5, "address": 20}
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=24)


def _keys(email: str, address: str) -> dict[str, str]:
    secret = settings.SECRET_KEY.encode()
    return {
        kind: hmac.new(secret, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()
        for kind, value in (("account", normalise_email(email)), ("address", counted(address)))
    }


def key_of_account(email: str) -> str:
    """The digest under which an account is counted."""
    return _keys(email, "")["account"]


def seconds_locked(email: str, address: str) -> int:
    """How long this account or address has still to wait; 0 when it may try. One query."""
    with platform_scope(reason="sign-in lockout"):
        rows = SignInThrottle.objects.filter(key__in=_keys(email, address).values(), locked_until__gt=timezone.now())
        until = [row.locked_until for row in rows if row.locked_until]
    return max((int((moment - timezone.now()).total_seconds()) + 1 for moment in until), default=0)


def note_failure(email: str, address: str) -> None:
    """Count a failed sign-in against the account and the address, in a transaction of its own."""
    now = timezone.now()
    with platform_scope(reason="sign-in lockout"):
        for kind, key in sorted(_keys(email, address).items()):
            row, _ = SignInThrottle.objects.get_or_create(key=key)
            row = SignInThrottle.objects.select_for_update().get(key=key)
            forgotten = row.failures and row.last_failure_at < now - FORGOTTEN_AFTER
            row.failures = 1 if forgotten else row.failures + 1
            beyond = row.failures - FREE_FAILURES[kind]
            row.locked_until = now + min(FIRST_PAUSE * 2 ** min(beyond, 10), LONGEST_PAUSE) if beyond >= 0 else None
            row.last_failure_at = now
            row.save()


def note_success(email: str, address: str = "") -> None:
    """A right password clears the account's counter, and takes from the address's what this person mistyped before.

    From the address's no more than an account may fail: behind it are many people who mistype, or somebody who tries many
    accounts and has one. One query, or three.
    """
    keys = _keys(email, address)
    with platform_scope(reason="sign-in lockout"):
        row = SignInThrottle.objects.select_for_update().filter(key=keys["account"], failures__gt=0).first()
        if row is None:
            return
        forgiven, free = min(row.failures, FREE_FAILURES["account"]), FREE_FAILURES["address"]
        lift(row.key)
        if address:
            left = Greatest(F("failures") - forgiven, 0)
            until = Case(When(failures__lt=free + forgiven, then=None), default=F("locked_until"))
            SignInThrottle.objects.filter(key=keys["address"]).update(failures=left, locked_until=until)


def lift(key: str) -> None:
    """Whoever is counted under this digest may try again at once. One statement."""
    SignInThrottle.objects.filter(key=key).update(failures=0, locked_until=None)
