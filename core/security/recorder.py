"""The one way into the log of security events, in a transaction of its own: what is refused and rolled back is remembered."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from core.requests import HMSRequest, route_of
from core.security import blocking
from core.security.events import Budget, Due, Happened, write
from core.security.models import SecurityEvent
from core.security.proxies import counted
from core.tenancy.context import platform_scope

logger = logging.getLogger(__name__)

Kind = SecurityEvent.Kind
POINTS = {Kind.SIGN_IN_FAILED: 5, Kind.SIGN_IN_LOCKED: 5, Kind.TOKEN_REFUSED: 2, Kind.DECOY: 40}
# What a page or mail of another site can make anybody's browser ask for. Passwords and tokens it can't put there.
LED_INTO = {Kind.PATTERN, Kind.DECOY, Kind.MALFORMED}

_budget = Budget()


def record(
    request: HMSRequest,
    kind: SecurityEvent.Kind,
    *,
    matched: Iterable[str] = (),
    points: int | None = None,
    person_id: UUID | None = None,
) -> None:
    """Write what happened, and charge the address with `points` (by default those of the kind). Up to five statements, often none.

    `person_id` is whom it concerns, where nobody is signed in.

    Never raises for a database in trouble: the request goes on, the log says that an event was lost.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    points = POINTS.get(kind, 0) if points is None else points
    happened = _happened(request, kind, address, tuple(matched), 0 if _led_here(request, kind) else points)
    if person_id is not None:
        happened = replace(happened, person_id=person_id)
    now = timezone.now()
    due = _budget.admit(happened, now)
    if due is None:
        return
    try:
        with platform_scope(reason="security event"):
            write(happened, due, now)
            if due.charged and not blocking.exempt(address, getattr(request, "peer", "")):
                why = ", ".join((kind.value, *happened.matched))
                if blocking.charge(address, due.charged, why, now):
                    block = Happened(Kind.BLOCKED, happened.address, request_id=happened.request_id)
                    write(block, Due(block.address, times=1, points=0, charged=0), now)
    except (OperationalError, InterfaceError):
        logger.warning("A security event (%s) was lost: the database is in trouble.", kind.value)


def _led_here(request: HMSRequest, kind: SecurityEvent.Kind) -> bool:
    """Did another site's page send this browser here? Then the person before it has done nothing."""
    return kind in LED_INTO and request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


def signed_in(request: HMSRequest) -> None:
    """Somebody gave the right password: their address is one where people work. One statement, none on this machine."""
    address = str(request.META.get("REMOTE_ADDR") or "")
    if not blocking.exempt(address, getattr(request, "peer", "")):
        with platform_scope(reason="sign-in"):
            blocking.note_sign_in(address, timezone.now())


def _happened(request: HMSRequest, kind: SecurityEvent.Kind, address: str, matched: tuple[str, ...], points: int) -> Happened:
    actor = getattr(request, "actor", None)
    return Happened(
        kind=kind,
        address=counted(address),
        matched=matched,
        points=points,
        route=route_of(request),
        person_id=actor.user_id if actor else None,
        clinic_id=actor.clinic_id if actor else None,
        request_id=getattr(request, "request_id", ""),
    )
