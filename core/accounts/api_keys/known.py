"""Whose key it is that a request brings, read through the cache: an ended one is refused from its next request on, everywhere."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core.accounts.api_keys.models import ApiKey
from core.accounts.api_keys.text import read_text
from core.accounts.auth_sessions import NOTED_EVERY
from core.accounts.known import NOT_KEPT
from core.accounts.models import User
from core.accounts.tokens import ForgedToken
from core.cache import TTL, Key, Tag, cache
from core.cache.rows import Row, frozen_row, thawed
from core.errors import NotAuthenticated
from core.tenancy.context import narrowed, person_scope

REFUSED = "The API key is not valid or has expired."


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as requests see it, in use or not."""

    id: UUID
    user_id: UUID
    clinic_id: UUID
    digest: str
    scopes: frozenset[str]
    expires_at: datetime
    ended: bool
    last_used_at: datetime | None  # at most five minutes old while it is used


class _NoKey(Exception):
    """Not kept in the cache: accounts that somebody makes up would fill it."""


def read_key(text: str) -> tuple[User, KnownKey]:
    """The key's account and the key. No query, or one.

    Raises NotAuthenticated if it has expired or was ended, ForgedToken if it never was one: in the same words.
    """
    said = read_text(text)
    if said is None:
        raise ForgedToken(REFUSED)
    try:
        row, known = _known(said.user_id)
    except _NoKey as error:
        raise ForgedToken(REFUSED) from error
    if not constant_time_compare(said.digest, known.digest):
        raise ForgedToken(REFUSED)
    if known.ended or known.expires_at <= timezone.now():
        raise NotAuthenticated(REFUSED)
    return thawed(User, row), known


def note_used(key: KnownKey, address: str) -> None:
    """It was used just now. At most one statement that writes in five minutes, however many ask at once."""
    now = timezone.now()
    with person_scope(key.user_id, reason="API key used"), narrowed(clinic_id=key.clinic_id):
        stale = ApiKey.objects.filter(pk=key.id, ended_at=None).exclude(last_used_at__gte=now - NOTED_EVERY)
        stale.update(last_used_at=now, last_used_from=address[:64])


def _known(user_id: UUID) -> tuple[Row, KnownKey]:
    def load() -> tuple[Row, KnownKey]:
        with person_scope(user_id, reason="API key"):
            key = ApiKey.objects.select_related("user").filter(user_id=user_id).first()
        if key is None:
            raise _NoKey
        ended, scopes = key.ended_at is not None, frozenset(key.scopes)
        known = KnownKey(key.pk, user_id, key.clinic_id, key.digest, scopes, key.expires_at, ended, key.last_used_at)
        return frozen_row(key.user, without=NOT_KEPT), known

    tags = lambda: [Tag("api_key", user_id), Tag("user", user_id)]  # noqa: E731
    return cache.get_or_set(Key("core.api_key", user_id), tags=tags, ttl=TTL.PATIENT, load=load)
