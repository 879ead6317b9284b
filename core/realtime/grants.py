"""Who may read what: asked when a stream is opened, as for any request, and again and again while it is open."""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from core.accounts import tokens
from core.accounts.actor import Actor
from core.accounts.api_keys.known import read_key
from core.accounts.known import clinic_named, known_memberships, known_session
from core.accounts.models import User
from core.accounts.roles import Role
from core.errors import BadRequest, Detail, NotAllowed, NotAuthenticated, RateLimited
from core.events.catalogue import Channel, channels
from core.requests import HMSRequest
from core.tenancy.context import Scope, unit_of_work

COME_BACK = 30  # seconds after which there may be a place
PER_CLIENT = 20  # streams of one person, or one key, in one process


class Credential(Protocol):
    """What a stream was opened with. Equal ones are asked once for all their streams."""

    @property
    def holder(self) -> UUID:
        """Whose streams are counted together."""
        ...

    def actor_now(self, clinic_id: UUID, actor: Actor) -> Actor | None:
        """Who reads with it now, `actor` having read before; None once it is over. In no unit of work."""
        ...


@dataclass(frozen=True, slots=True)
class RequestCredential:
    """A token's or key's text, or a browser's session: what any request comes with."""

    scheme: str
    user_id: UUID
    text: str = field(default="", repr=False)
    session_id: UUID | None = None

    @property
    def holder(self) -> UUID:
        return self.user_id

    def actor_now(self, clinic_id: UUID, actor: Actor) -> Actor | None:
        """What the person, or the key, may do now. No query, or three."""
        with unit_of_work(Scope(user_id=self.user_id)):
            user = self._user()
            if user is None:
                return None
            return self._key_now(clinic_id, actor) if self.scheme == "key" else _member_now(clinic_id, actor, user)

    def _user(self) -> User | None:
        """Whose it is, or None once it has expired or was ended. No query, or one."""
        try:
            if self.scheme == "token":
                return tokens.read(self.text)[0]
            if self.scheme == "key":
                return read_key(self.text)[0]
        except NotAuthenticated:
            return None
        known = known_session(self.session_id, self.user_id) if self.session_id else None
        return known[0] if known else None

    def _key_now(self, clinic_id: UUID, actor: Actor) -> Actor | None:
        _, key = read_key(self.text)
        clinic = clinic_named(str(clinic_id))
        return replace(actor, scopes=key.scopes) if clinic and key.clinic_id == clinic.pk else None


def _member_now(clinic_id: UUID, actor: Actor, user: User) -> Actor | None:
    membership = next((one for one in known_memberships(user) if one.clinic_id == clinic_id), None)
    if membership is not None:
        return membership.as_actor(user)
    if user.platform_role and clinic_named(str(clinic_id)):
        return replace(actor, roles=frozenset({Role(user.platform_role)}))
    return None


@dataclass(frozen=True, slots=True)
class Grant:
    """A stream that may be opened: by whom, in which clinic. `is_terse`: it is told that something happened, and not what."""

    actor: Actor
    clinic_id: UUID
    credential: Credential
    channels: frozenset[str] = frozenset()
    after: int | None = None
    is_terse: bool = False


def granted(request: HMSRequest) -> Grant:
    """What the request, which has passed the whole line of middleware, may open. Raises NotAllowed."""
    if request.actor is None or request.clinic is None or request.actor.is_patient_only:
        raise NotAllowed(_("Your role does not allow this."))
    text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[2].strip()
    session_id = request.auth_session.id if request.auth_session else None
    credential = RequestCredential(request.auth_method, request.user.pk, text, session_id)
    return Grant(request.actor, request.clinic.pk, credential)


def renewed(grant: Grant) -> Grant | None:
    """The same with what its reader may do now; None when the stream has to end."""
    actor = grant.credential.actor_now(grant.clinic_id, grant.actor)
    return None if actor is None else replace(grant, actor=actor)


def chosen(actor: Actor, names: Iterable[str]) -> frozenset[str]:
    """The channels that were asked for, one that stands for several as those of them that the actor may read.

    Raises BadRequest for what is none, NotAllowed for what the actor may not read.
    """
    known = channels()
    wanted = frozenset(names)
    if unknown := sorted(wanted - known.keys()):
        message = _("There are the channels %(channels)s.") % {"channels": ", ".join(known)}
        raise BadRequest(message, [Detail("channels", "invalid_choice", f"{name[:40]}: {message}") for name in unknown])
    heard = set()
    for name in wanted:
        may = {one.name for one in known[name].whole if may_read(actor, one)}
        if not may:
            actor.require(*known[name].read_by)
        heard |= may
    return frozenset(heard)


def left(names: Iterable[str]) -> frozenset[str]:
    """The channels that whoever leaves these no longer hears."""
    known = channels()
    return frozenset(one.name for name in names if name in known for one in known[name].whole)


def readable(actor: Actor) -> frozenset[str]:
    """All channels that the actor may read."""
    return frozenset(name for name, channel in channels().items() if not channel.parts and may_read(actor, channel))


def may_read(actor: Actor, channel: Channel) -> bool:
    return actor.can(*channel.read_by)


class Places:
    """How many streams there may be in this process: at all, and for each person, key or screen. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[UUID] = Counter()

    def take(self, holder: UUID) -> "Place":
        """Raises RateLimited."""
        with self._lock:
            if self._taken.total() >= settings.HMS_LIVE_STREAMS:
                raise RateLimited(_("Too many streams are open at this moment. Try again."), COME_BACK)
            if self._taken[holder] >= PER_CLIENT:
                message = _("You have %(number)s streams open. Close one first.") % {"number": PER_CLIENT}
                raise RateLimited(message, COME_BACK)
            self._taken[holder] += 1
        return Place(self, holder)

    def give_back(self, holder: UUID) -> None:
        with self._lock:
            self._taken[holder] -= 1
            if not self._taken[holder]:
                del self._taken[holder]

    @property
    def taken(self) -> int:
        return self._taken.total()


class Place:
    """Of one stream; freed once, however often it is said."""

    def __init__(self, places: Places, holder: UUID) -> None:
        self._places: Places | None = places
        self._holder = holder

    def free(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self._holder)


places = Places()
