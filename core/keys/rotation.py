"""New keys for a clinic, while people work: made, waited for, used for everything, and only then is the old one retired.

Each step can be taken again: what is left to do is read from the values themselves, and how far it has come from the keys'
states. A rotation that was killed is finished by the next.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.db import connections
from django.utils import timezone

from core.keys import memory
from core.keys.models import ClinicKey, unwrapped, wrapped
from core.keys.places import (
    AMISS,
    Done,
    Place,
    Target,
    places_of_clinics,
    places_of_marks,
    places_of_nobody,
    ring_target,
    working,
)
from core.keys.sealing import header_of
from core.security.crypto import RING, newest_number

MARGIN = 10.0  # seconds beyond a process's memory: a transaction that began with the old key has ended by then
MOST_PASSES = 20  # over one place; what somebody holds for longer is left to the next run
Kind, State = ClinicKey.Kind, ClinicKey.State
Say = Callable[[str], None]


class NotFinished(Exception):
    """Something is left under an old key: it can't be read, or somebody held it all the time. The message says what."""


class Tokens(Protocol):
    """What is searched by tokens under a clinic's search key. Steps run in transactions of their own."""

    def build(self, clinic_id: UUID, key: bytes) -> Iterator[int]:
        """Write what is missing under the key; the number of records, step by step."""

    def drop(self, clinic_id: UUID, key: bytes) -> Iterator[int]:
        """Remove what stands under the key. Whoever changes a record meanwhile removes what it had under it, and adds nothing."""


_tokens: list[Tokens] = []


def has_tokens(tokens: Tokens) -> None:
    """Say that a table holds search tokens. Once, as HMS starts."""
    _tokens.append(tokens)


# --- Data keys --------------------------------------------------------------------------------------------------------------
def new_data_key(clinic_id: UUID, say: Say) -> ClinicKey:
    """The key that the clinic's values go to: a new one, or the one that an unfinished rotation has made."""
    with working():
        keys = _locked(clinic_id, Kind.DATA)
        if not keys:
            memory.keys_to_write_with(clinic_id)
            return ClinicKey.objects.get(clinic_id=clinic_id, kind=Kind.DATA)
        newest = next(one for one in keys if one.state == State.ACTIVE)
        if any(one.state == State.RETIRING for one in keys):
            say(f"An earlier rotation to key {newest.number} goes on.")
            return newest
        _enter(newest, State.RETIRING)
        return _add(clinic_id, Kind.DATA, max(one.number for one in keys) + 1, State.ACTIVE)


def renew_values(clinic_id: UUID, key: ClinicKey, say: Say) -> list[str]:
    """Encrypt under this key whatever stands under another; one pass over every place. What can't be read is returned."""
    with working():
        memory.keys_of(clinic_id, anew=True)
    target = Target(clinic_id, header_of(key.pk))
    return [one for place in places_of_clinics() for one in _pass(place, target, say).unreadable]


def retire_data_keys(clinic_id: UUID, key: ClinicKey, say: Say) -> None:
    """Pass until nothing stands under another key, then retire the others. Raises NotFinished."""
    label = header_of(key.pk)
    for _ in range(MOST_PASSES):
        unreadable = renew_values(clinic_id, key, say)
        left = sum(count for place in places_of_clinics() for at, count in place.usage(clinic_id).items() if at != label)
        if left == len(unreadable):
            break
    if left:
        raise NotFinished("\n".join([f"{left} values are left under older keys.", *unreadable]))
    with working():
        for one in _locked(clinic_id, Kind.DATA):
            if one.state == State.RETIRING:
                _enter(one, State.RETIRED)


# --- What a clinic marks as protected ----------------------------------------------------------------------------------------
def follow_marks(clinic_id: UUID, say: Say) -> None:
    """Seal what stands in clear of fields that the clinic marks, open what is sealed of the others. Raises NotFinished.

    Passes until nothing is left; what people write meanwhile stands as it should once every process knows the marks.
    """
    with working():
        memory.keys_of(clinic_id, anew=True)
        keys = memory.keys_to_write_with(clinic_id) if memory.keys_of(clinic_id).protected else memory.keys_of(clinic_id)
    target = Target(clinic_id, header_of(keys.newest) if keys.newest else AMISS)
    for _ in range(MOST_PASSES):
        unreadable = [one for place in places_of_marks() for one in _pass(place, target, say).unreadable]
        left = sum(place.usage(clinic_id).get(AMISS, 0) for place in places_of_marks())
        if left <= len(unreadable):
            break
    if left or unreadable:
        raise NotFinished("\n".join([f"{left} values don't stand as the clinic wants them.", *unreadable]))


# --- The deployment's key ----------------------------------------------------------------------------------------------------
def rewrap_keys() -> int:
    """Wrap every clinic's keys under the deployment's newest key; how many stood under another."""
    newest = bytes([RING, newest_number()])
    with working():
        outdated = [one for one in ClinicKey.objects.select_for_update() if bytes(one.wrapped)[:2] != newest]
        for one in outdated:
            secret = unwrapped(one.wrapped, one.clinic_id, one.kind, one.number)
            one.wrapped = wrapped(secret, one.clinic_id, one.kind, one.number)
            one.save(update_fields=["wrapped"])
    return len(outdated)


def renew_ring_values(clinic_ids: list[UUID], say: Say) -> list[str]:
    """Encrypt anew what stands under the deployment's keys: a clinic's values under its own, the others under the newest."""
    unreadable: list[str] = []
    for place in places_of_nobody():
        unreadable += _pass(place, ring_target(), say).unreadable
    for clinic_id in clinic_ids:
        with working():
            newest = memory.keys_to_write_with(clinic_id).newest
        assert newest is not None  # noqa: S101  (just made if there was none)
        target = Target(clinic_id, header_of(newest), only_ring=True)
        unreadable += [one for place in places_of_clinics() for one in _pass(place, target, say).unreadable]
    return unreadable


def ring_usage(clinic_ids: list[UUID]) -> Counter[int]:
    """How many values and keys stand under each of the deployment's keys, by number."""
    found: Counter[int] = Counter()
    with working():
        found.update(bytes(one)[1] for one in ClinicKey.objects.values_list("wrapped", flat=True))
    places = [(place, None) for place in places_of_nobody()]
    for place, clinic_id in [*places, *((place, clinic_id) for place in places_of_clinics() for clinic_id in clinic_ids)]:
        for label, count in place.usage(clinic_id).items():
            if label[0] == RING:
                found[label[1]] += count
    return found


# --- Search keys -------------------------------------------------------------------------------------------------------------
def new_search_key(clinic_id: UUID) -> ClinicKey:
    """The search key that takes over: a new one, or the one that an unfinished rotation has made."""
    with working():
        memory.keys_to_write_with(clinic_id)
        keys = _locked(clinic_id, Kind.SEARCH)
        unfinished = [one for one in keys if one.state == State.BUILDING]
        if any(one.state in (State.RETIRING, State.DROPPING) for one in keys):
            unfinished = [one for one in keys if one.state == State.ACTIVE]
        return unfinished[0] if unfinished else _add(clinic_id, Kind.SEARCH, max(one.number for one in keys) + 1, State.BUILDING)


def build_tokens(clinic_id: UUID, key: ClinicKey, say: Say) -> None:
    """Tokens under the new key beside the old ones. Everybody writes both by now."""
    secret = unwrapped(key.wrapped, clinic_id, key.kind, key.number)
    for tokens in _tokens:
        say(f"search tokens: {sum(tokens.build(clinic_id, secret))} records")


def search_by(clinic_id: UUID, key: ClinicKey) -> None:
    """From now on it is searched by this key. Tokens under the old one stay until nobody can be searching by it."""
    with working():
        for one in _locked(clinic_id, Kind.SEARCH):
            if one.state == State.ACTIVE and one.pk != key.pk:
                _enter(one, State.RETIRING)
        ClinicKey.objects.filter(pk=key.pk, state=State.BUILDING).update(state=State.ACTIVE, made_at=timezone.now())
        key.refresh_from_db()


def stop_writing_old_tokens(clinic_id: UUID) -> datetime:
    """Nobody searches by the old key any more. Returns since when nothing is to be written under it."""
    now = timezone.now()
    with working():
        for one in _locked(clinic_id, Kind.SEARCH):
            if one.state == State.RETIRING:
                one.state, one.retired_at = State.DROPPING, now
                one.save(update_fields=["state", "retired_at"])
        going = ClinicKey.objects.filter(clinic_id=clinic_id, state=State.DROPPING).values_list("retired_at", flat=True)
        return max((since for since in going if since), default=now)


def drop_old_tokens(clinic_id: UUID, say: Say) -> None:
    """Remove what stands under keys that nobody writes any more, and retire them."""
    with working():
        old = [one for one in _locked(clinic_id, Kind.SEARCH) if one.state == State.DROPPING]
    for one in old:
        secret = unwrapped(one.wrapped, clinic_id, one.kind, one.number)
        for tokens in _tokens:
            say(f"old search tokens removed: {sum(tokens.drop(clinic_id, secret))} records")
        with working():
            _enter(one, State.RETIRED)


def known_after(since: datetime) -> datetime:
    """From when on no process can be working with what was in its memory before this moment."""
    return since + timedelta(seconds=memory.kept() + MARGIN)


def wait_until_known(since: datetime, say: Say) -> None:
    """Until no process can be working with what was in its memory before this moment."""
    if (left := (known_after(since) - timezone.now()).total_seconds()) > 0:
        say(f"{left:.0f} s until every process knows it.")
        time.sleep(left)


# --- Inside ------------------------------------------------------------------------------------------------------------------
def _pass(place: Place, target: Target, say: Say) -> Done:
    total = Done()
    for done in place.renew(target):
        total.renewed += done.renewed
        total.unreadable += done.unreadable
        if done.renewed and total.renewed % 1000 < done.renewed and total.renewed >= 1000:
            say(f"{place.name}: {total.renewed}")
    if total.renewed:
        say(f"{place.name}: {total.renewed} encrypted anew")
    return total


def _locked(clinic_id: UUID, kind: str) -> list[ClinicKey]:
    """The clinic's keys of a kind; two rotations of one clinic wait for each other here."""
    with connections["platform"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 29))", [f"{clinic_id}:{kind}"])
    return list(ClinicKey.objects.filter(clinic_id=clinic_id, kind=kind).order_by("number").select_for_update())


def _enter(key: ClinicKey, state: str) -> None:
    key.state = state
    key.retired_at = timezone.now() if state == State.RETIRED else None
    key.save(update_fields=["state", "retired_at"])


def _add(clinic_id: UUID, kind: str, number: int, state: str) -> ClinicKey:
    sealed = wrapped(secrets.token_bytes(32), clinic_id, kind, number)
    with connections["platform"].cursor() as cursor:
        cursor.execute(memory.MARK)
    return ClinicKey.objects.create(clinic_id=clinic_id, kind=kind, number=number, wrapped=sealed, state=state)
