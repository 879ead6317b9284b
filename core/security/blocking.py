"""Networks that are refused for a time: who earns it, who never does, and the look that each request takes.

An address earns points by what it does; they halve every ten minutes. Enough of them block it, longer each time. Where somebody
signed in lately, ten times as many are needed, and who is signed in goes on working (docs/decisions/0017).
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone
from django.utils.translation import gettext as _

from core.cache import TTL, Key, Tag, cache
from core.errors import Detail, NotFound, ValidationFailed
from core.security.models import AddressBlock, AddressStanding
from core.security.proxies import Network, counted, parsed
from core.tenancy.context import Scope, unit_of_work

if TYPE_CHECKING:
    from core.accounts.actor import Actor

logger = logging.getLogger(__name__)

LIMIT = 100  # points
HALF_LIFE = timedelta(minutes=10)
KNOWN_FACTOR = 10  # so many times the limit where somebody signed in lately
KNOWN_FOR = timedelta(days=30)  # as long as a refresh token lives
FIRST_BLOCK, GROWTH, LONGEST_BLOCK = timedelta(minutes=10), 4, timedelta(hours=24)
FORGIVEN_AFTER = timedelta(days=7)  # without a block; the next one is short again
WIDEST = {4: 16, 6: 32}  # prefix length of the largest network that may be blocked
REST = 1.0  # seconds after a change of the list in which a process uses it as it is
MOST = 20_000  # blocks that a process looks at; with more, those that end first are left out

CHARGE = """
INSERT INTO core_addressstanding AS s (network, points, points_at, blocks) VALUES (%(network)s, %(points)s, %(now)s, 0)
ON CONFLICT (network) DO UPDATE SET
    points = excluded.points
        + s.points * power(0.5, least(50, greatest(0, extract(epoch FROM %(now)s - s.points_at) / %(half_life)s))),
    points_at = %(now)s
RETURNING points, blocks, blocked_at, signed_in_at
"""
SIGNED_IN = """
INSERT INTO core_addressstanding AS s (network, points, points_at, blocks, signed_in_at)
VALUES (%(network)s, 0, %(now)s, 0, %(now)s)
ON CONFLICT (network) DO UPDATE SET signed_in_at = %(now)s, points_at = %(now)s,
    points = s.points * power(0.5, least(50, greatest(0, extract(epoch FROM %(now)s - s.points_at) / %(half_life)s)))
WHERE s.signed_in_at IS NULL OR s.signed_in_at < %(now)s - interval '1 hour'
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the look sees it; `until` in seconds since 1970."""

    network: str
    until: float
    strangers_only: bool


class Blocked:
    """The blocks, arranged for the look: by length of the prefix, then by network."""

    def __init__(self, blocks: Sequence[Block] = ()) -> None:
        self.blocks = blocks
        self._by_prefix: dict[tuple[int, int], dict[int, Block]] = {}
        for block in blocks:
            network = ip_network(block.network)
            shift = network.max_prefixlen - network.prefixlen
            found = self._by_prefix.setdefault((network.version, shift), {})
            number = int(network.network_address) >> shift
            known = found.get(number)
            if known is None or (known.strangers_only, -known.until) > (block.strangers_only, -block.until):
                found[number] = block  # the stricter one, then the longer one

    def on(self, address: str) -> Block | None:
        if not self._by_prefix or (found := parsed(address)) is None:
            return None
        number, now, mildest = int(found), time.time(), None
        for (version, shift), blocks in self._by_prefix.items():
            block = blocks.get(number >> shift) if version == found.version else None
            if block is not None and block.until > now:
                if not block.strangers_only:
                    return block
                mildest = block
        return mildest


class Watched:
    """The blocks as this process last saw them: looked at anew by one thread at a time, and not soon after they changed.

    So an attack from many addresses, each of which is blocked, doesn't make every process read the whole list again and again.
    """

    def __init__(self) -> None:
        self._known: Blocked | None = None
        self._rests_until = 0.0  # of time.monotonic()
        self._looking = threading.Lock()

    def now(self) -> Blocked:
        """No statement, unless blocks changed. While the database is away the list last seen holds."""
        if time.monotonic() < self._rests_until or not self._looking.acquire(blocking=self._known is None):
            return self._known or Blocked()
        try:
            return self._look()
        finally:
            self._looking.release()

    def _look(self) -> Blocked:
        known = self._known or Blocked()
        try:
            blocks = cache.get_or_set(Key("core.blocks"), tags=lambda: [Tag.all(AddressBlock)], ttl=TTL.EMERGENCY, load=_load)
        except (OperationalError, InterfaceError):
            logger.warning("The blocked addresses can't be read; those last known are used.")
            self._known = known
            return known
        if self._known is None or blocks is not known.blocks:
            self._known = known = Blocked(blocks)
            self._rests_until = time.monotonic() + REST
        return known


_watched = Watched()


def block_on(address: str, peer: str) -> Block | None:
    """The block that holds for this client now. No statement: each process keeps the list, at most `REST` behind."""
    return None if exempt(address, peer) else _watched.now().on(address)


def _load() -> tuple[Block, ...]:
    with unit_of_work(Scope(reason="blocked addresses")):
        rows = AddressBlock.objects.filter(lifted_at=None, until__gt=timezone.now()).order_by("-until")
        found = rows.values_list("network", "until", "strangers_only")[:MOST]
        return tuple(Block(network, until.timestamp(), strangers) for network, until, strangers in found)


def exempt(address: str, peer: str) -> bool:
    """Never blocked: this machine, the networks of HMS_NEVER_BLOCK, our own proxies, and who has no address."""
    return (bool(settings.HMS_TRUSTED_PROXIES) and address == peer) or _never(address, tuple(settings.HMS_NEVER_BLOCK))


@lru_cache(maxsize=4096)
def _never(address: str, networks: tuple[str, ...]) -> bool:
    found = parsed(address)
    return found is None or found.is_loopback or any(found in network for network in _networks(networks))


@lru_cache(maxsize=4)
def _networks(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(one, strict=False) for one in networks)


def note_sign_in(address: str, now: datetime) -> None:
    """Somebody with the right password works at this address. One statement, on the platform alias."""
    with connections["platform"].cursor() as cursor:
        cursor.execute(SIGNED_IN, {"network": counted(address), "now": now, "half_life": HALF_LIFE.total_seconds()})


def charge(address: str, points: int, why: str, now: datetime) -> AddressBlock | None:
    """Add points to an address; block it when they are too many. One statement, three when it is blocked, on the platform alias."""
    network = counted(address)
    values: dict[str, Any] = {"network": network, "points": points, "now": now, "half_life": HALF_LIFE.total_seconds()}
    with connections["platform"].cursor() as cursor:
        cursor.execute(CHARGE, values)
        total, blocks, blocked_at, signed_in_at = cursor.fetchone()
    known = signed_in_at is not None and signed_in_at > now - KNOWN_FOR
    if total < LIMIT * (KNOWN_FACTOR if known else 1):
        return None
    blocks = blocks if blocked_at and blocked_at > now - FORGIVEN_AFTER else 0
    until = now + min(FIRST_BLOCK * GROWTH ** min(blocks, 10), LONGEST_BLOCK)
    AddressStanding.objects.filter(network=network).update(points=0, blocks=blocks + 1, blocked_at=now)
    return AddressBlock.objects.create(
        network=str(ip_network(network)), until=until, strangers_only=known, automatic=True, reason=why[:200], made_at=now
    )


def block_network(
    *, actor: "Actor | None", network: str, until: datetime, reason: str, strangers_only: bool = False, own_address: str = ""
) -> AddressBlock:
    """Block by hand; `actor` is None for the operator's command. Raises ValidationFailed naming every wrong field."""
    if actor is not None:
        actor.require("security", "change")
    details = []
    found = _network(network)
    if found is None:
        details.append(Detail("network", "invalid", _("Write an address or a network such as 203.0.113.0/24.")))
    elif refused := _may_not_be_blocked(found, own_address):
        details.append(Detail("network", "not_allowed", refused))
    if until <= timezone.now():
        details.append(Detail("until", "past", _("This is in the past.")))
    if not reason.strip():
        details.append(Detail("reason", "required", _("Say why.")))
    if details or found is None:
        raise ValidationFailed(_("Some fields are wrong."), details)
    made_by = actor.user_id if actor else None
    return AddressBlock.objects.create(
        network=str(found), until=until, reason=reason.strip()[:200], strangers_only=strangers_only, made_by_id=made_by
    )


def lift_block(*, actor: "Actor | None", block_id: UUID) -> AddressBlock:
    """End a block now, and forget the address's points. Raises NotFound. Three statements."""
    if actor is not None:
        actor.require("security", "change")
    block = AddressBlock.objects.select_for_update().filter(pk=block_id).first()
    if block is None:
        raise NotFound(_("There is no such block."))
    if block.lifted_at is None:
        block.lifted_at, block.lifted_by_id = timezone.now(), actor.user_id if actor else None
        block.save(update_fields=["lifted_at", "lifted_by"])
        AddressStanding.objects.filter(network=block.network.removesuffix("/32")).update(points=0, blocks=0)
    return block


def _network(text: str) -> Network | None:
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    mapped: Any = getattr(network.network_address, "ipv4_mapped", None)
    return ip_network((mapped, max(0, network.prefixlen - 96)), strict=False) if mapped and network.prefixlen >= 96 else network


def _may_not_be_blocked(network: Network, own_address: str) -> str:
    """Why not, or "". Nobody may lock out themselves, this machine, or half the internet."""
    if network.prefixlen < WIDEST[network.version]:
        return _("This network is too large: at least /%d.") % WIDEST[network.version]
    kept = (*_networks(tuple(settings.HMS_NEVER_BLOCK)), ip_network("127.0.0.0/8"), ip_network("::1/128"))
    if any(one.version == network.version and one.overlaps(network) for one in kept):
        return _("This network is never blocked (HMS_NEVER_BLOCK).")
    if (own := parsed(own_address)) is not None and own in network:
        return _("Your own address is in this network.")
    return ""
