"""A process's memory of clinics' keys, and of what each clinic marks as protected: read once, by one statement, kept for a minute
at most, forgotten as soon as a change is announced."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import connections
from django.utils import timezone

from core.cache.generations import places_of
from core.cache.process import generations
from core.errors import ClinicScopeRequired
from core.keys.models import ClinicKey, unwrapped, wrapped
from core.security.crypto import derived_search_key
from core.tenancy.announcements import EVERYTHING
from core.tenancy.context import current_scope
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic

TABLE, CLINICS = ClinicKey._meta.db_table, Clinic._meta.db_table
DATA, SEARCH = ClinicKey.Kind.DATA, ClinicKey.Kind.SEARCH
State = ClinicKey.State

MARK = "SELECT set_config('hms.made_keys', 'on', true)"
# The mark in `hms.made_keys` is set by the transaction that makes keys and ends with it, also with a savepoint: while it
# stands, what is read may yet be rolled back, and is not kept. Likewise when this transaction has changed a clinic.
READ = f"""
SELECT c.protected_fields, coalesce(current_setting('hms.made_keys', true), '') <> ''
    OR strpos(coalesce(current_setting('hms.touched', true), ''), E'\\n{CLINICS}\\n') > 0,
    k.id, k.kind, k.number, k.state, k.wrapped
FROM {CLINICS} c LEFT JOIN {TABLE} k ON k.clinic_id = c.id WHERE c.id = %s
"""  # noqa: S608
OWNER = f"SELECT clinic_id FROM {TABLE} WHERE id = %s"  # noqa: S608
MAKE = f"""
WITH made AS (
    INSERT INTO {TABLE} (id, clinic_id, kind, number, wrapped, state, made_at)
    VALUES (%s, %s, 'data', 1, %s, 'active', %s), (%s, %s, 'search', 1, %s, 'active', %s)
    ON CONFLICT DO NOTHING RETURNING id)
{MARK} FROM made LIMIT 1
"""  # noqa: S608


@dataclass(slots=True)
class ClinicKeys:
    """The keys of one clinic, ready for use. `newest` is None before the first value is encrypted.

    `protected`: what the clinic marks (`Clinic.protected_fields`).
    """

    clinic_id: UUID
    data: dict[bytes, AESGCM] = field(default_factory=dict)  # by the id's 16 bytes, as values name it
    newest: UUID | None = None
    protected: frozenset[str] = frozenset()
    search: bytes = b""
    written: tuple[bytes, ...] = ()  # the search keys that new tokens are written under; searched is by `search` alone
    dropped: tuple[bytes, ...] = ()  # those whose tokens are on their way out: a change takes them away and adds none
    places: Sequence[int] = ()
    vector: Sequence[int] = ()
    until: float = 0.0

    @property
    def holds(self) -> bool:
        return time.monotonic() < self.until and generations.read(self.places) == self.vector


_by_clinic: dict[UUID, ClinicKeys] = {}
_owners: dict[bytes, UUID] = {}  # key -> clinic


def keys_of(clinic_id: UUID, *, anew: bool = False) -> ClinicKeys:
    """The clinic's keys, from memory, else by one statement. Raises ClinicScopeRequired for another clinic than the scope's."""
    _require_scope(clinic_id)
    known = _by_clinic.get(clinic_id)
    if known is not None and known.holds and not anew:
        return known
    return _read(clinic_id)


def keys_to_write_with(clinic_id: UUID) -> ClinicKeys:
    """Like `keys_of`, with a newest data key: the clinic's first keys are made when its first value is encrypted."""
    found = keys_of(clinic_id)
    if found.newest is None:
        _make(clinic_id)
        found = keys_of(clinic_id, anew=True)
    return found


def owner_of(key_id: bytes) -> UUID | None:
    """Whose key it is, of those that the scope may see; None for an unknown one. One statement unless it is known."""
    scope = current_scope()
    if scope is not None and scope.clinic_id is not None and not scope.platform:
        return scope.clinic_id
    if key_id not in _owners:
        with connections[_alias()].cursor() as cursor:
            cursor.execute(OWNER, [UUID(bytes=key_id)])
            found = cursor.fetchone()
        if found is None:
            return None
        return UUID(str(found[0]))
    return _owners[key_id]


def kept() -> float:
    """Seconds that keys stay in memory without being read anew. A rotation waits as long until everybody knows the new key."""
    return float(settings.HMS_KEYS_KEPT)


def forget() -> None:
    """Empty the memory."""
    _by_clinic.clear()
    _owners.clear()


def _require_scope(clinic_id: UUID) -> None:
    scope = current_scope()
    if scope is None or not (scope.platform or scope.clinic_id == clinic_id):
        raise ClinicScopeRequired("A clinic's keys were asked for outside of its scope.")


def _alias() -> str:
    """Never a replica's: it may not know the newest key yet."""
    scope = current_scope()
    return "platform" if scope is not None and scope.platform else "default"


def _read(clinic_id: UUID) -> ClinicKeys:
    places = places_of((EVERYTHING, f"{TABLE}:{clinic_id}", CLINICS))
    vector = generations.read(places)  # before the statement: what is announced while it runs counts
    until = time.monotonic() + kept()
    with connections[_alias()].cursor() as cursor:
        cursor.execute(READ, [clinic_id])
        rows = cursor.fetchall()
    found = ClinicKeys(clinic_id, places=places, vector=vector, until=until)
    found.protected = frozenset(mark for row in rows[:1] for mark in row[0])
    _fill(found, [row[2:] for row in rows if row[2] is not None])
    if any(row[1] for row in rows):
        _by_clinic.pop(clinic_id, None)
    else:
        _by_clinic[clinic_id] = found
        _owners.update(dict.fromkeys(found.data, clinic_id))
    return found


def _fill(found: ClinicKeys, rows: list[Any]) -> None:
    searched = {}
    for key_id, kind, number, state, sealed in sorted(rows, key=lambda row: row[2]):
        secret = unwrapped(sealed, found.clinic_id, kind, number)
        if kind == DATA:
            found.data[key_id.bytes] = AESGCM(secret)
            found.newest = key_id if state == State.ACTIVE else found.newest
        elif state != State.RETIRED:
            searched[state] = secret
    if not searched:
        searched[State.ACTIVE] = derived_search_key(found.clinic_id)
    found.dropped = tuple(secret for state, secret in searched.items() if state == State.DROPPING)
    found.search = searched[State.ACTIVE]
    found.written = tuple(secret for state, secret in searched.items() if state != State.DROPPING)


def _make(clinic_id: UUID) -> None:
    """In the running transaction. The first search key is the one that tokens were always made under."""
    now = timezone.now()
    data = wrapped(secrets.token_bytes(32), clinic_id, DATA, 1)
    search = wrapped(derived_search_key(clinic_id), clinic_id, SEARCH, 1)
    with connections[_alias()].cursor() as cursor:
        cursor.execute(MAKE, [new_id(), clinic_id, data, now, new_id(), clinic_id, search, now])
