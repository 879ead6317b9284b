"""Who is known to be whom: a person, their memberships, a clinic, kept between requests.

All of it ends with the commit that changes it: the next request sees an ended session, a new password, a closed account, a
lost role.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core.accounts.auth_sessions import AuthSession, mark_of
from core.accounts.models import Membership, User
from core.cache import TTL, Key, Tag, cache
from core.cache.rows import Row, frozen_row, thawed
from core.tenancy.context import person_scope
from core.tenancy.models import Clinic

if TYPE_CHECKING:
    from core.requests import HMSRequest

NOT_KEPT = ("password", "last_login")
AUTH_SESSION = "auth_session"  # where a browser's session names ours


@dataclass(frozen=True, slots=True)
class KnownSession:
    """A session that may be used, as requests see it (core.accounts.auth_sessions)."""

    id: UUID
    user_id: UUID
    kind: str
    methods: tuple[str, ...]
    began: datetime
    last_seen: datetime  # at most five minutes old while it is used
    expires: datetime


def known_session(session_id: UUID, user_id: UUID) -> tuple[User, KnownSession] | None:
    """The active user and their live session, or None: not there, ended, expired, or of an older password. No query, or one.

    The password itself is not kept.
    """

    def load() -> tuple[Row, KnownSession] | None:
        with person_scope(user_id, reason="session"):
            own = AuthSession.objects.select_related("user").filter(pk=session_id, user_id=user_id, ended_at=None)
            row = own.filter(user__is_active=True).first()
        if row is None or not constant_time_compare(row.password_mark, mark_of(row.user)):
            return None
        known = KnownSession(row.pk, row.user_id, row.kind, tuple(row.methods), row.began, row.last_seen, row.expires)
        return frozen_row(row.user, without=NOT_KEPT), known

    tags = lambda: [Tag("auth_session", session_id), Tag("user", user_id)]  # noqa: E731
    found = cache.get_or_set(Key("core.auth_session", session_id, user_id), tags=tags, ttl=TTL.PATIENT, load=load)
    if found is None or found[1].expires <= timezone.now():
        return None
    return thawed(User, found[0]), found[1]


def user_of_session(request: "HMSRequest") -> User | AnonymousUser:
    """Whom the browser's session has signed in; sets `request.auth_session`. One that is over is emptied."""
    said = request.session
    if SESSION_KEY not in said:
        return AnonymousUser()
    try:
        known = known_session(UUID(said[AUTH_SESSION]), UUID(said[SESSION_KEY]))
    except (KeyError, ValueError):
        known = None
    if known is None:
        said.flush()
        return AnonymousUser()
    user, request.auth_session = known
    return user


def known_memberships(user: User) -> list[Membership]:
    """Where the person works now, with the clinics, by their names. No query, or one. Inside a scope of the person."""

    def load() -> tuple[tuple[Row, Row], ...]:
        active = Membership.objects.filter(user=user, state=Membership.State.ACTIVE, clinic__state=Clinic.State.ACTIVE)
        return tuple((frozen_row(one), frozen_row(one.clinic)) for one in active.select_related("clinic").order_by("clinic__name"))

    memberships = []
    tags = lambda: [Tag("memberships", user.pk), Tag.all(Clinic)]  # noqa: E731
    for row, clinic in cache.get_or_set(Key("core.memberships", user.pk), tags=tags, ttl=TTL.CLINIC, load=load):
        membership = thawed(Membership, row)
        membership.clinic = thawed(Clinic, clinic)
        memberships.append(membership)
    return memberships


def clinic_named(name: str) -> Clinic | None:
    """The active clinic with this id or slug. No query, or one."""
    if "\x00" in name:
        return None
    try:
        named = Q(pk=UUID(name))
    except ValueError:
        named = Q(slug__iexact=name)

    def load() -> Row | None:
        clinic = Clinic.objects.filter(named, state=Clinic.State.ACTIVE).first()
        return None if clinic is None else frozen_row(clinic)

    found = cache.get_or_set(Key("core.clinic", name), tags=lambda: [Tag.all(Clinic)], ttl=TTL.CLINIC, load=load)
    return None if found is None else thawed(Clinic, found)
