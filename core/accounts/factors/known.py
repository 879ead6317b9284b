"""Which factors a person has, and whether a role of theirs demands one."""

from collections.abc import Iterable
from uuid import UUID

from core.accounts.factors.models import SecondFactor
from core.accounts.known import known_memberships
from core.accounts.models import Membership, User
from core.cache import TTL, Key, Tag, cache
from core.tenancy.context import narrowed

Kind = SecondFactor.Kind


def factors_of(user: User) -> list[SecondFactor]:
    """All of them, the oldest first, with their secrets. One query."""
    return factors_by_id(user.pk)


def factors_by_id(user_id: UUID) -> list[SecondFactor]:
    """The same for somebody of whom only the id is known, or made up. One query."""
    with narrowed(user_id=user_id):
        return list(SecondFactor.objects.filter(user_id=user_id).order_by("created_at", "pk"))


def has_second_factor(user_id: UUID) -> bool:
    """Has the person any? Recovery codes alone are none. No query, or one."""

    def load() -> bool:
        with narrowed(user_id=user_id):
            return SecondFactor.objects.filter(user_id=user_id).exclude(kind=Kind.RECOVERY).exists()

    return cache.get_or_set(
        Key("core.second_factors", user_id), tags=lambda: [Tag("second_factors", user_id)], ttl=TTL.CLINIC, load=load
    )


def demanded_by(memberships: Iterable[Membership]) -> bool:
    """Does one of these clinics want a second factor of somebody with these roles? No query."""
    return any(set(one.clinic.second_factor_roles) & set(one.roles) for one in memberships)


def needs_password_too(user: User) -> bool:
    """Is a code alone not enough to sign in? No query, or two."""
    if has_second_factor(user.pk):
        return True
    with narrowed(user_id=user.pk):
        return bool(user.platform_role) or demanded_by(known_memberships(user))
