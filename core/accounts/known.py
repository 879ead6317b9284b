"""Who is known to be whom: a person, their memberships, a clinic, kept between requests.

All of it ends with the commit that changes it: the next request sees a new password, a closed account, a lost role.
"""

from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from core.accounts.models import Membership, User, user_by_id
from core.cache import TTL, Key, Tag, cache
from core.cache.rows import Row, frozen_row, thawed
from core.tenancy.models import Clinic

NOT_KEPT = ("password", "last_login")


def known_user(user_id: UUID) -> tuple[User, str] | None:
    """The active user and the mark of their password, or None. No query, or one. The password itself is not kept."""

    def load() -> tuple[Row, str] | None:
        user = user_by_id(user_id)
        return None if user is None else (frozen_row(user, without=NOT_KEPT), user.get_session_auth_hash())

    found = cache.get_or_set(Key("core.user", user_id), tags=lambda: [Tag("user", user_id)], ttl=TTL.CLINIC, load=load)
    return None if found is None else (thawed(User, found[0]), found[1])


def user_of_session(request: HttpRequest) -> User | AnonymousUser:
    """Whom the session has signed in. Where anything doesn't fit, Django decides, and ends the session if it must."""
    session = request.session
    try:
        user_id = UUID(session[SESSION_KEY])
        known_backend = session[BACKEND_SESSION_KEY] in settings.AUTHENTICATION_BACKENDS
    except (KeyError, ValueError):
        return get_user(request)
    if known_backend and (known := known_user(user_id)):
        user, password_mark = known
        if constant_time_compare(session.get(HASH_SESSION_KEY, ""), password_mark):
            return user
    return get_user(request)


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
